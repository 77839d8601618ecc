//! Server-side key backup (client-server API, "Server-side key backups"): which versions there are,
//! which keys may be written, and which of two keys stays.
//!
//! The keys are encrypted by clients; nothing here looks inside. What may not enter: the keys of
//! devices, which are another matter.

mod keys;
mod versions;

pub use keys::{Backup, KeyData, Part, Place, RoomBackup, Stored};
pub use kontor_store::identity::backup::KeyRow;
pub use versions::{Described, Version};

use crate::Identity;
use kontor_model::{Error, Nid, Result};
use kontor_store::Change;
use kontor_store::identity::backup::{self, VersionRow};

/// Versions that a user keeps at a time, at most.
const MOST_VERSIONS: usize = 100;
/// Largest `auth_data`, bytes of JSON.
const MAX_AUTH_DATA: usize = 65_536;
/// Keys of one version, at most.
const MOST_KEYS: i64 = 1_000_000;
/// Largest `session_data` of a key, bytes of JSON. Clients' are below 2 KiB.
const MAX_SESSION_DATA: usize = 16_384;

/// All versions of a user's backup, in one moment.
struct Versions(Vec<VersionRow>);

impl Versions {
    async fn of(identity: &Identity, user: Nid) -> Result<Self> {
        backup::versions(&mut identity.store.reader(), user).await.map(Self)
    }

    /// The one that keys may be written to.
    fn current(&self) -> Result<VersionRow> {
        let mut standing = self.0.iter().rev().filter(|row| row.backup.is_some());
        standing.next().copied().ok_or_else(|| Error::not_found("No current backup version"))
    }

    /// The one with this id, as long as it was not deleted.
    fn get(&self, version: &str) -> Result<VersionRow> {
        let mut standing = self.0.iter().filter(|row| row.backup.is_some());
        standing.find(|row| row.version.to_string() == version).copied().ok_or_else(unknown_version)
    }

    /// Whether there ever was a version of this id.
    fn was_given(&self, version: &str) -> bool {
        let number = version.parse().ok().filter(|number: &i64| number.to_string() == version);
        number.is_some_and(|number| (1..=self.newest()).contains(&number))
    }

    /// The number of the newest version that there ever was.
    fn newest(&self) -> i64 {
        self.0.last().map_or(0, |row| row.version)
    }
}

/// A sentence that clients look for in their logs; the specification's own example.
fn unknown_version() -> Error {
    Error::not_found("Unknown backup version")
}

impl Identity {
    /// Plans to delete some of the keys that nobody can read any more; `None` when there are none.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn sweep_backups(&self) -> Result<Option<Change>> {
        let trash = backup::trash(&mut self.store.reader()).await?;
        Ok(trash.map(|trash| {
            let mut change = Change::default();
            change.sweep_backup(trash);
            change
        }))
    }
}

#[cfg(test)]
mod tests;
