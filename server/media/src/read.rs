//! Who fetched what, for the audit log: one row per session and file within ten minutes, however
//! many ranges a player asks for in that time.

use crate::Media;
use crate::find::Found;
use kontor_model::{Ms, Nid, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};

/// Within this time a session's further readings of the same file belong to the first.
const GROUP: Ms = 10 * 60 * 1_000;

/// Readings remembered; about 100 bytes each. One that is forgotten early gets a second row.
const REMEMBERED: u64 = 20_000;

/// Recent readings.
pub(crate) struct Readings(moka::sync::Cache<Reading, Ms>);

/// Session (or address of somebody who did not log in) and file.
type Reading = (Option<Nid>, Option<String>, Nid);

impl Default for Readings {
    fn default() -> Self {
        Self(moka::sync::Cache::new(REMEMBERED))
    }
}

impl Media {
    /// The audit row of a download, if it is the first of its group. To be enqueued; nobody needs to
    /// wait for it.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn audit_download(&self, found: &Found, actor: Actor) -> Result<Option<Change>> {
        let now = self.clock.now();
        let address = if actor.session.is_none() { actor.ip.clone() } else { None };
        let key = (actor.session, address, found.nid);
        if self.readings.0.get(&key).is_some_and(|first| now - first < GROUP) {
            return Ok(None);
        }
        self.readings.0.insert(key, now);
        let mut change = Change::default();
        let audit = Audit::done(Action::MediaDownload, actor, now).on("media", found.uri.as_str());
        change.audit(self.store.nid().await?, audit);
        Ok(Some(change))
    }
}
