//! The machine as the rest of the house sees it: the real clock and the real randomness, and
//! printing for the person at the terminal. Only this binary knows them; every crate below takes
//! them as parameters.

use kontor_model::{Clock, Ms, Random};
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// The system's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the one place where the real clock is read")]
    fn now(&self) -> Ms {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ms::try_from(since_epoch.as_millis()).unwrap_or(Ms::MAX)
    }
}

/// Prints a line for the person who started the command. A closed pipe is no failure.
pub fn say(line: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", line.as_ref()).and_then(|()| out.flush());
}

/// The system's source of secure random bytes.
#[derive(Debug, Clone, Copy)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            // Tokens that can be guessed would be worse than no server.
            tracing::error!(%error, "The system gives no random bytes; the server ends.");
            std::process::abort();
        }
    }
}
