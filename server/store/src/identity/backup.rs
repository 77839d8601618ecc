//! Server-side key backup: its versions and the keys in them.
//!
//! The keys of a version are stored under a number of their own. Deleting them all is then one
//! small write, however many there are: the version gets another number, or none, and the keys of
//! the old one go in steps ([`trash`], [`Change::sweep_backup`]).

use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, text_set};
use kontor_model::{Nid, Result};

/// A version of a user's backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRow {
    /// Counts up per user.
    pub version: i64,
    /// What its keys are stored under; `None` when it was deleted.
    pub backup: Option<Nid>,
    /// Counts the requests that changed keys.
    pub etag: i64,
    /// How many keys there are.
    pub keys: i64,
}

/// What decides which of two keys for the same session stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The room of the session.
    pub room_id: String,
    /// The session.
    pub session_id: String,
    /// Whether the device that the key is from was verified.
    pub is_verified: bool,
    /// The first message that the key can decrypt.
    pub first_message_index: i64,
    /// How often the key was forwarded between devices.
    pub forwarded_count: i64,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Which session, and how good the key is.
    pub standing: Standing,
    /// A JSON object that only clients can read.
    pub session_data: String,
}

/// All versions of a user's backup that still stand, oldest first, and perhaps the newest one that
/// was deleted.
///
/// # Errors
/// See [`Source::all`].
pub async fn versions<S: Source>(source: &mut S, user: Nid) -> Result<Vec<VersionRow>> {
    let sql = "SELECT version, backup_nid, etag, keys FROM key_backup WHERE user_nid = $1 ORDER BY version";
    let read = |row: &Row| {
        let (version, backup) = (row.int(0)?, row.int_opt(1)?);
        Ok(VersionRow { version, backup, etag: row.int(2)?, keys: row.int(3)? })
    };
    source.all(sql, vec![user.into()]).await?.iter().map(read).collect()
}

/// Algorithm and `auth_data` (JSON) of a version that was not deleted.
///
/// # Errors
/// See [`Source::all`].
pub async fn description<S: Source>(
    source: &mut S,
    user: Nid,
    version: i64,
) -> Result<Option<(String, String)>> {
    let sql = "SELECT algorithm, auth_data FROM key_backup \
               WHERE user_nid = $1 AND version = $2 AND backup_nid IS NOT NULL";
    let row = source.first(sql, vec![user.into(), version.into()]).await?;
    row.map(|row| Ok((row.text(0)?, row.text(1)?))).transpose()
}

fn standing(row: &Row) -> Result<Standing> {
    Ok(Standing {
        room_id: row.text(0)?,
        session_id: row.text(1)?,
        is_verified: row.bool(2)?,
        first_message_index: row.int(3)?,
        forwarded_count: row.int(4)?,
    })
}

fn key(row: &Row) -> Result<KeyRow> {
    Ok(KeyRow { standing: standing(row)?, session_data: row.text(5)? })
}

/// What there is already for these sessions, of whichever room.
///
/// # Errors
/// See [`Source::all`].
pub async fn standings<S: Source>(
    source: &mut S,
    backup: Nid,
    session_ids: impl IntoIterator<Item = &str>,
) -> Result<Vec<Standing>> {
    let sql = "SELECT room_id AS c1, session_id AS c2, is_verified AS c3, first_message_index AS c4, \
               forwarded_count AS c5 FROM key_backup_session \
               WHERE backup_nid = $1 AND session_id IN TEXT_SET($2)";
    let values = vec![backup.into(), text_set(session_ids)];
    source.packed(sql, 5, values).await?.iter().map(standing).collect()
}

/// The key of one session.
///
/// # Errors
/// See [`Source::all`].
pub async fn one<S: Source>(
    source: &mut S,
    backup: Nid,
    room_id: &str,
    session_id: &str,
) -> Result<Option<KeyRow>> {
    let sql = "SELECT room_id, session_id, is_verified, first_message_index, forwarded_count, session_data \
               FROM key_backup_session WHERE backup_nid = $1 AND room_id = $2 AND session_id = $3";
    let values = vec![backup.into(), room_id.into(), session_id.into()];
    source.first(sql, values).await?.as_ref().map(key).transpose()
}

/// At most `limit` keys of all rooms behind the place `after` (room and session), in order.
///
/// # Errors
/// See [`Source::all`].
pub async fn page<S: Source>(
    source: &mut S,
    backup: Nid,
    after: (&str, &str),
    limit: i64,
) -> Result<Vec<KeyRow>> {
    let sql = "SELECT room_id AS c1, session_id AS c2, is_verified AS c3, first_message_index AS c4, \
               forwarded_count AS c5, session_data AS c6 FROM key_backup_session \
               WHERE backup_nid = $1 AND (room_id, session_id) > ($2, $3) \
               ORDER BY room_id, session_id LIMIT $4";
    let values = vec![backup.into(), after.0.into(), after.1.into(), limit.into()];
    source.packed(sql, 6, values).await?.iter().map(key).collect()
}

/// At most `limit` keys of one room behind the session `after`, in order.
///
/// # Errors
/// See [`Source::all`].
pub async fn page_of_room<S: Source>(
    source: &mut S,
    backup: Nid,
    room_id: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<KeyRow>> {
    let sql = "SELECT room_id AS c1, session_id AS c2, is_verified AS c3, first_message_index AS c4, \
               forwarded_count AS c5, session_data AS c6 FROM key_backup_session \
               WHERE backup_nid = $1 AND room_id = $2 AND session_id > $3 ORDER BY session_id LIMIT $4";
    let values = vec![backup.into(), room_id.into(), after.into(), limit.into()];
    source.packed(sql, 6, values).await?.iter().map(key).collect()
}

/// How many keys a room has.
///
/// # Errors
/// See [`Source::all`].
pub async fn count_of_room<S: Source>(source: &mut S, backup: Nid, room_id: &str) -> Result<i64> {
    let sql = "SELECT count(*) FROM key_backup_session WHERE backup_nid = $1 AND room_id = $2";
    let row = source.first(sql, vec![backup.into(), room_id.into()]).await?;
    row.map_or(Ok(0), |row| row.int(0))
}

/// Keys that nobody can read any more, if there are any.
///
/// # Errors
/// See [`Source::all`].
pub async fn trash<S: Source>(source: &mut S) -> Result<Option<Nid>> {
    let row = source.first("SELECT backup_nid FROM key_backup_trash LIMIT 1", Vec::new()).await?;
    row.map(|row| row.int(0)).transpose()
}

impl Change {
    /// Adds a version without keys. `Conflict` when another request took the number.
    pub fn create_backup(&mut self, user: Nid, version: i64, backup: Nid, algorithm: &str, auth_data: &str) {
        let sql = "DELETE FROM key_backup WHERE user_nid = $1 AND backup_nid IS NULL";
        self.run(sql, vec![user.into()]);
        let row = vec![
            user.into(),
            version.into(),
            Some(backup).into(),
            algorithm.into(),
            auth_data.into(),
            0_i64.into(),
            0_i64.into(),
        ];
        self.insert(Table::KeyBackup, row);
    }

    /// Changes the `auth_data` of a version; `Conflict` when it was deleted.
    pub fn describe_backup(&mut self, user: Nid, version: i64, auth_data: &str) {
        let sql = "UPDATE key_backup SET auth_data = $3 \
                   WHERE user_nid = $1 AND version = $2 AND backup_nid IS NOT NULL";
        self.guard(sql, vec![user.into(), version.into(), auth_data.into()]);
    }

    /// Deletes a version with its keys; `Conflict` when its keys are not those any more.
    pub fn delete_backup(&mut self, user: Nid, version: i64, backup: Nid) {
        let sql = "UPDATE key_backup SET backup_nid = NULL, auth_data = '{}', keys = 0 \
                   WHERE user_nid = $1 AND version = $2 AND backup_nid = $3";
        self.guard(sql, vec![user.into(), version.into(), backup.into()]);
        self.insert(Table::KeyBackupTrash, vec![backup.into()]);
    }

    /// Deletes all versions of a user's backup with their keys: for accounts that are closed.
    pub fn delete_backups(&mut self, user: Nid) {
        let sql = "INSERT INTO key_backup_trash (backup_nid) SELECT backup_nid FROM key_backup \
                   WHERE user_nid = $1 AND backup_nid IS NOT NULL";
        self.run(sql, vec![user.into()]);
        let sql = "UPDATE key_backup SET backup_nid = NULL, auth_data = '{}', keys = 0 WHERE user_nid = $1";
        self.run(sql, vec![user.into()]);
    }

    /// Says that the keys of a version change, and how many there are then; `Conflict` when they
    /// changed since `row` was read.
    pub fn change_backup(&mut self, user: Nid, row: &VersionRow, keys: i64) {
        self.move_backup(user, row, row.backup, keys);
    }

    fn move_backup(&mut self, user: Nid, row: &VersionRow, to: Option<Nid>, keys: i64) {
        let sql = "UPDATE key_backup SET etag = etag + 1, backup_nid = $5, keys = $6 \
                   WHERE user_nid = $1 AND version = $2 AND backup_nid = $3 AND etag = $4";
        let key = [user.into(), row.version.into(), row.backup.into(), row.etag.into()];
        self.guard(sql, key.into_iter().chain([to.into(), keys.into()]).collect());
    }

    /// Deletes all keys of a version, which goes on with the number `fresh`; as
    /// [`Change::change_backup`].
    pub fn empty_backup(&mut self, user: Nid, row: &VersionRow, fresh: Nid) {
        self.move_backup(user, row, Some(fresh), 0);
        if let Some(backup) = row.backup {
            self.insert(Table::KeyBackupTrash, vec![backup.into()]);
        }
    }

    /// Stores a key in the place of whatever there is for the session.
    pub fn put_backup_key(&mut self, backup: Nid, standing: &Standing, session_data: &str) {
        let row = vec![
            backup.into(),
            standing.room_id.as_str().into(),
            standing.session_id.as_str().into(),
            standing.is_verified.into(),
            standing.first_message_index.into(),
            standing.forwarded_count.into(),
            session_data.into(),
        ];
        self.insert(Table::KeyBackupSession, row);
    }

    /// Deletes a key.
    pub fn delete_backup_key(&mut self, backup: Nid, room_id: &str, session_id: &str) {
        let sql = "DELETE FROM key_backup_session WHERE backup_nid = $1 AND room_id = $2 AND session_id = $3";
        self.run(sql, vec![backup.into(), room_id.into(), session_id.into()]);
    }

    /// Deletes the keys of a room.
    pub fn delete_backup_room(&mut self, backup: Nid, room_id: &str) {
        let sql = "DELETE FROM key_backup_session WHERE backup_nid = $1 AND room_id = $2";
        self.run(sql, vec![backup.into(), room_id.into()]);
    }

    /// Deletes some of the keys that nobody can read any more; one bounded step.
    pub fn sweep_backup(&mut self, backup: Nid) {
        let sql = "DELETE FROM key_backup_session WHERE backup_nid = $1 AND (room_id, session_id) IN \
                   (SELECT room_id, session_id FROM key_backup_session WHERE backup_nid = $2 LIMIT 500)";
        self.run(sql, vec![backup.into(), backup.into()]);
        let sql = "DELETE FROM key_backup_trash WHERE backup_nid = $1 AND NOT EXISTS \
                   (SELECT 1 FROM key_backup_session WHERE backup_nid = $2)";
        self.run(sql, vec![backup.into(), backup.into()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestStore, stores};

    fn key(room: &str, session: &str) -> Standing {
        Standing {
            room_id: room.to_owned(),
            session_id: session.to_owned(),
            is_verified: false,
            first_message_index: 0,
            forwarded_count: 0,
        }
    }

    async fn rows(store: &TestStore) -> Vec<VersionRow> {
        versions(&mut store.reader(), 1).await.unwrap()
    }

    async fn with_keys(store: &TestStore, sessions: i64) {
        let mut change = Change::default();
        change.create_backup(1, 1, 50, "a", "{}");
        store.submit(change).await.unwrap();
        let mut change = Change::default();
        change.change_backup(1, &rows(store).await[0], sessions);
        for n in 0..sessions {
            change.put_backup_key(50, &key(&format!("!r{}", n % 3), &format!("s{n:04}")), "{}");
        }
        store.submit(change).await.unwrap();
    }

    #[tokio::test]
    async fn keys_are_read_in_pages_by_room_and_by_session() {
        for store in stores().await {
            with_keys(&store, 10).await;
            let mut reader = store.reader();
            let mut after = (String::new(), String::new());
            let mut seen = Vec::new();
            loop {
                let found = page(&mut reader, 50, (&after.0, &after.1), 4).await.unwrap();
                let Some(last) = found.last() else { break };
                after = (last.standing.room_id.clone(), last.standing.session_id.clone());
                seen.extend(found.into_iter().map(|k| (k.standing.room_id, k.standing.session_id)));
            }
            assert_eq!(seen.len(), 10);
            assert!(seen.is_sorted());
            assert_eq!(page_of_room(&mut reader, 50, "!r0", "s0000", 9).await.unwrap().len(), 3);
            assert_eq!(count_of_room(&mut reader, 50, "!r0").await.unwrap(), 4);
            assert_eq!(standings(&mut reader, 50, ["s0001", "s0002", "x"]).await.unwrap().len(), 2);
            assert!(one(&mut reader, 50, "!r1", "s0001").await.unwrap().is_some());
            assert_eq!(one(&mut reader, 50, "!r2", "s0001").await.unwrap(), None);
            store.close().await;
        }
    }

    #[tokio::test]
    async fn of_two_changes_built_on_the_same_keys_one_is_refused() {
        for store in stores().await {
            with_keys(&store, 1).await;
            let row = rows(&store).await[0];
            let change = || {
                let mut change = Change::default();
                change.change_backup(1, &row, 2);
                change
            };
            assert!(store.submit(change()).await.is_ok());
            assert!(store.submit(change()).await.unwrap_err().is_conflict());
            assert_eq!(rows(&store).await[0], VersionRow { etag: row.etag + 1, keys: 2, ..row });
            store.close().await;
        }
    }

    #[tokio::test]
    async fn deleted_keys_are_gone_at_once_and_swept_in_steps() {
        for store in stores().await {
            with_keys(&store, 700).await;
            let mut change = Change::default();
            change.empty_backup(1, &rows(&store).await[0], 51);
            store.submit(change).await.unwrap();
            let row = rows(&store).await[0];
            assert_eq!((row.backup, row.keys), (Some(51), 0));
            let mut steps = 0;
            while let Some(backup) = trash(&mut store.reader()).await.unwrap() {
                let mut change = Change::default();
                change.sweep_backup(backup);
                store.submit(change).await.unwrap();
                steps += 1;
            }
            assert_eq!(steps, 2);
            assert!(page(&mut store.reader(), 50, ("", ""), 1).await.unwrap().is_empty());
            let mut change = Change::default();
            change.delete_backup(1, 1, 51);
            store.submit(change).await.unwrap();
            assert_eq!(description(&mut store.reader(), 1, 1).await.unwrap(), None);
            let mut change = Change::default();
            change.create_backup(1, 2, 52, "a", "{}");
            store.submit(change).await.unwrap();
            assert_eq!(rows(&store).await.len(), 1, "the newest version alone keeps the number");
            let mut change = Change::default();
            change.delete_backups(1);
            store.submit(change).await.unwrap();
            assert_eq!(rows(&store).await[0].backup, None);
            store.close().await;
        }
    }
}
