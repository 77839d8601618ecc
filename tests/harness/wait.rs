//! Waiting by polling with a deadline: no test sleeps and hopes.

use std::future::Future;
use std::time::{Duration, Instant};

/// How long anything that should happen soon may take before a test fails. Generous on purpose:
/// two busy cores must not make a claim fail.
pub const DEADLINE: Duration = Duration::from_secs(30);

const STEP: Duration = Duration::from_millis(25);

/// Blocks until `check` gives something, or gives `None` when `deadline` is over.
pub fn wait_until<T>(deadline: Duration, mut check: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = check() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(STEP);
    }
}

/// Polls `check` until it gives something. Panics with `what` after [`DEADLINE`].
pub async fn eventually<T, F>(what: &str, mut check: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(Instant::now() < end, "did not happen within {DEADLINE:?}: {what}");
        tokio::time::sleep(STEP).await;
    }
}
