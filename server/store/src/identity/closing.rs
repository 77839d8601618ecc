//! Accounts that are closed for good: what goes with them, and the rooms that they have yet to leave.

use crate::db::Source;
use crate::table::Table;
use crate::{Change, Store, Stream};
use kontor_model::{Ms, Nid, Result};

/// A closed account that may still be in rooms.
#[derive(Clone, Debug)]
pub struct DepartureRow {
    /// The account.
    pub user: Nid,
    /// Its user id.
    pub user_id: String,
}

/// Closed accounts that may still be in rooms, oldest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn departures<S: Source>(source: &mut S, limit: i64) -> Result<Vec<DepartureRow>> {
    let sql = "SELECT d.user_nid, n.text FROM departure d JOIN name n ON n.nid = d.user_nid \
               ORDER BY d.since_ts, d.user_nid LIMIT $1";
    let rows = source.all(sql, vec![limit.into()]).await?;
    rows.iter().map(|row| Ok(DepartureRow { user: row.int(0)?, user_id: row.text(1)? })).collect()
}

/// Rooms in which an account is, is invited or knocks, at most `limit`.
///
/// # Errors
/// See [`Source::all`].
pub async fn rooms_to_leave<S: Source>(source: &mut S, user: Nid, limit: i64) -> Result<Vec<String>> {
    let sql = "SELECT r.room_id FROM membership m JOIN room r ON r.room_nid = m.room_nid \
               WHERE m.user_nid = $1 AND m.membership IN ('join', 'invite', 'knock') \
               ORDER BY m.room_nid LIMIT $2";
    source.all(sql, vec![user.into(), limit.into()]).await?.iter().map(|row| row.text(0)).collect()
}

impl Store {
    /// Reads whose words are kept from those who join later: at the start, now and then, and after
    /// such an account was closed.
    ///
    /// # Errors
    /// See [`Source::all`].
    pub async fn remember_erased(&self) -> Result<()> {
        let mut reader = self.reader();
        let sql = "SELECT n.text, e.pos FROM erased_user e JOIN name n ON n.nid = e.user_nid";
        let rows = reader.all(sql, Vec::new()).await?;
        let erased = rows.iter().map(|row| Ok((row.text(0)?, row.int(1)?))).collect::<Result<_>>()?;
        reader.remembered().erased.set(erased);
        Ok(())
    }
}

impl Change {
    /// What goes with an account that is closed for good: its password and everything by which
    /// somebody could act as it. Its sessions and devices are ended by other steps of the change.
    pub fn close_account(&mut self, user: Nid, now: Ms) {
        let one = |user: Nid| vec![user.into()];
        self.run("UPDATE account SET password_hash = NULL WHERE user_nid = $1", one(user));
        self.run("DELETE FROM login_token WHERE user_nid = $1", one(user));
        self.run("DELETE FROM openid_token WHERE user_nid = $1", one(user));
        self.run("DELETE FROM page_session WHERE user_nid = $1", one(user));
        self.run("DELETE FROM threepid WHERE user_nid = $1", one(user));
        self.run("DELETE FROM dehydrated_device WHERE user_nid = $1", one(user));
        self.run("DELETE FROM delayed WHERE user_nid = $1", one(user));
        self.insert(Table::Departure, vec![user.into(), now.into()]);
    }

    /// Erases what an account kept for itself, and keeps its words from those who join later.
    pub fn erase_account(&mut self, user: Nid) {
        let one = |user: Nid| vec![user.into()];
        self.run("DELETE FROM account_data WHERE user_nid = $1", one(user));
        self.run("DELETE FROM sync_filter WHERE user_nid = $1", one(user));
        self.run("DELETE FROM push_mode WHERE user_nid = $1", one(user));
        self.run("DELETE FROM profile WHERE user_nid = $1", one(user));
        self.delete_backups(user);
        let pos = self.position(Stream::Profile, None, Some(user));
        self.insert(Table::ErasedUser, vec![user.into(), pos]);
    }

    /// A closed account has left its last room.
    pub fn departed(&mut self, user: Nid) {
        self.run("DELETE FROM departure WHERE user_nid = $1", vec![user.into()]);
    }
}
