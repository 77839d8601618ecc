//! Accounts: one row each. What the states mean is the department's business.

use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, Value};
use crate::{Change, Stream};
use kontor_model::{Ms, Nid, Result};

/// An account.
#[derive(Clone, Debug)]
pub struct AccountRow {
    /// Numeric id: the `name` row of the user id.
    pub user: Nid,
    /// `@name:server`.
    pub user_id: String,
    /// `active`, `locked`, `suspended`, `deactivated`.
    pub state: String,
    /// Moves when everything that the account was told must be checked again.
    pub epoch: i64,
    /// Whether it administers the server.
    pub admin: bool,
    /// Whether it is a guest.
    pub guest: bool,
    /// When it was made.
    pub created_ts: Ms,
    /// PHC string, if it has a password. Absent from lists.
    pub password_hash: Option<String>,
}

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Numeric id: the `name` row of the user id.
    pub user: Nid,
    /// Whether it administers the server.
    pub admin: bool,
    /// Whether it is a guest.
    pub guest: bool,
    /// What it is, if not a person: `bot`, `support`.
    pub user_type: Option<String>,
    /// When.
    pub created_ts: Ms,
    /// PHC string, if it can log in with a password.
    pub password_hash: Option<String>,
}

fn row(row: &Row) -> Result<AccountRow> {
    Ok(AccountRow {
        user: row.int(0)?,
        user_id: row.text(1)?,
        state: row.text(2)?,
        epoch: row.int(3)?,
        admin: row.bool(4)?,
        guest: row.bool(5)?,
        created_ts: row.int(6)?,
        password_hash: row.text_opt(7)?,
    })
}

/// The account of a user id, if there is one.
///
/// # Errors
/// `Unavailable` when the database is gone.
pub async fn by_user_id<S: Source>(source: &mut S, user_id: &str) -> Result<Option<AccountRow>> {
    let sql = "SELECT a.user_nid, n.text, a.state, a.auth_epoch, a.admin, a.guest, a.created_ts, \
               a.password_hash FROM name n JOIN account a ON a.user_nid = n.nid WHERE n.text = $1";
    source.first(sql, vec![user_id.into()]).await?.as_ref().map(row).transpose()
}

/// The account with a numeric id, if there is one.
///
/// # Errors
/// As [`by_user_id`].
pub async fn by_nid<S: Source>(source: &mut S, user: Nid) -> Result<Option<AccountRow>> {
    let sql = "SELECT a.user_nid, n.text, a.state, a.auth_epoch, a.admin, a.guest, a.created_ts, \
               a.password_hash FROM account a JOIN name n ON n.nid = a.user_nid WHERE a.user_nid = $1";
    source.first(sql, vec![user.into()]).await?.as_ref().map(row).transpose()
}

/// Accounts with numeric ids above `after`, in that order, without their password hashes.
///
/// # Errors
/// As [`by_user_id`].
pub async fn page<S: Source>(source: &mut S, after: Nid, limit: i64) -> Result<Vec<AccountRow>> {
    let sql = "SELECT a.user_nid, n.text, a.state, a.auth_epoch, a.admin, a.guest, a.created_ts, \
               CAST(NULL AS TEXT) FROM account a JOIN name n ON n.nid = a.user_nid \
               WHERE a.user_nid > $1 ORDER BY a.user_nid LIMIT $2";
    source.all(sql, vec![after.into(), limit.into()]).await?.iter().map(row).collect()
}

/// Whether anybody who can log in administers the server.
///
/// # Errors
/// As [`by_user_id`].
pub async fn has_administrator<S: Source>(source: &mut S) -> Result<bool> {
    let sql = "SELECT 1 FROM account WHERE admin = 1 AND state = 'active' LIMIT 1";
    Ok(source.first(sql, Vec::new()).await?.is_some())
}

impl Change {
    /// Makes an account. Refused with `Conflict` when the user id has one.
    pub fn create_account(&mut self, account: NewAccount) {
        // Whoever remembers people hears of a new one.
        self.position(Stream::Profile, None, Some(account.user));
        self.insert(
            Table::Account,
            vec![
                account.user.into(),
                "active".into(),
                Value::from(0),
                account.admin.into(),
                account.guest.into(),
                account.user_type.into(),
                account.created_ts.into(),
                account.password_hash.into(),
            ],
        );
    }

    /// Refused with `Conflict` when somebody who can log in administers the server already.
    pub fn expect_no_administrator(&mut self) {
        // The row is touched only so that there is something to count.
        let sql = "UPDATE nid_block SET next = next WHERE one = 1 AND NOT EXISTS \
                   (SELECT 1 FROM account WHERE admin = 1 AND state = 'active')";
        self.guard(sql, Vec::new());
    }

    /// Makes a guest's account a person's; refused with `Conflict` when it is none any more. Caches
    /// forget the guest.
    pub fn promote_guest(&mut self, user: Nid, hash: &str) {
        let sql = "UPDATE account SET guest = 0, password_hash = $2 WHERE user_nid = $1 AND guest = 1";
        self.guard(sql, vec![user.into(), hash.into()]);
        self.position(Stream::Kill, None, Some(user));
    }

    /// Gives an account another password.
    pub fn set_password(&mut self, user: Nid, hash: &str) {
        let sql = "UPDATE account SET password_hash = $2 WHERE user_nid = $1";
        self.run(sql, vec![user.into(), hash.into()]);
    }

    /// Moves an account to another state; refused with `Conflict` unless it is in `from`. Whoever
    /// waits for the account's news is woken, and caches forget it. The epoch moves only where the
    /// account is closed: answers that are being written then are discarded.
    pub fn set_account_state(&mut self, user: Nid, from: &str, to: &str) {
        let sql = "UPDATE account SET state = $3, auth_epoch = auth_epoch + \
                   CASE WHEN $3 IN ('locked', 'deactivated') THEN 1 ELSE 0 END \
                   WHERE user_nid = $1 AND state = $2";
        self.guard(sql, vec![user.into(), from.into(), to.into()]);
        self.position(Stream::Kill, None, Some(user));
    }
}
