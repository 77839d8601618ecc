//! Work that one process at a time does.
//!
//! A turn is short and is kept for as long as the work lasts, so that another process goes on soon
//! after one is gone.

use crate::Flows;
use kontor_model::{Ms, Result};
use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use tokio::time::sleep;

/// How long a turn lasts unless it is renewed.
pub(crate) const TURN: Ms = 10_000;
/// How often it is renewed.
pub(crate) const RENEW: Duration = Duration::from_secs(3);

impl Flows {
    /// Does the work if it is this process's turn. `None` when it is another's, or became another's
    /// meanwhile: the work was left where it stood then, and the other begins it anew.
    ///
    /// # Errors
    /// Those of the work; `Unavailable` when the archive is gone.
    pub(crate) async fn in_turn<T>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<Option<T>> {
        let mut work = pin!(work);
        while self.store.lease(name, TURN).await? {
            tokio::select! {
                done = &mut work => return done.map(Some),
                () = sleep(RENEW) => {}
            }
        }
        Ok(None)
    }
}
