//! Addresses of people outside Matrix, and the proofs that they are theirs.

use crate::Change;
use crate::db::Source;
use crate::table::Table;
use kontor_model::{Ms, Nid, Result};

/// An address that belongs to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreepidRow {
    /// `email`.
    pub medium: String,
    /// The address, in small letters.
    pub address: String,
    /// When it was proven.
    pub validated_ts: Ms,
    /// When it was added to the account.
    pub added_ts: Ms,
}

/// A proof under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationRow {
    /// Its id.
    pub sid: String,
    /// What it is good for.
    pub purpose: String,
    /// `email`.
    pub medium: String,
    /// The address, in small letters.
    pub address: String,
    /// The newest `send_attempt` of the client.
    pub attempt: i64,
    /// Where the person goes on afterwards.
    pub next_link: Option<String>,
    /// When it began.
    pub created_ts: Ms,
    /// When it was proven.
    pub validated_ts: Option<Ms>,
}

/// The addresses of an account.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_user<S: Source>(source: &mut S, user: Nid) -> Result<Vec<ThreepidRow>> {
    let sql = "SELECT medium, address, validated_ts, added_ts FROM threepid WHERE user_nid = $1 \
               ORDER BY added_ts, address";
    let rows = source.all(sql, vec![user.into()]).await?;
    let read = |row: &crate::Row| {
        Ok(ThreepidRow {
            medium: row.text(0)?,
            address: row.text(1)?,
            validated_ts: row.int(2)?,
            added_ts: row.int(3)?,
        })
    };
    rows.iter().map(read).collect()
}

/// The account that an address belongs to.
///
/// # Errors
/// See [`Source::all`].
pub async fn owner<S: Source>(source: &mut S, medium: &str, address: &str) -> Result<Option<Nid>> {
    let sql = "SELECT user_nid FROM threepid WHERE medium = $1 AND address = $2";
    let row = source.first(sql, vec![medium.into(), address.into()]).await?;
    row.map(|row| row.int(0)).transpose()
}

fn validation(row: &crate::Row) -> Result<ValidationRow> {
    Ok(ValidationRow {
        sid: row.text(0)?,
        purpose: row.text(1)?,
        medium: row.text(2)?,
        address: row.text(3)?,
        attempt: row.int(4)?,
        next_link: row.text_opt(5)?,
        created_ts: row.int(6)?,
        validated_ts: row.int_opt(7)?,
    })
}

/// A proof that began at `since` or later.
///
/// # Errors
/// See [`Source::all`].
pub async fn validation_by_sid<S: Source>(
    source: &mut S,
    sid: &str,
    since: Ms,
) -> Result<Option<ValidationRow>> {
    let sql = "SELECT sid, purpose, medium, address, attempt, next_link, created_ts, validated_ts \
               FROM validation WHERE sid = $1 AND created_ts >= $2";
    source.first(sql, vec![sid.into(), since.into()]).await?.as_ref().map(validation).transpose()
}

/// The proof, begun at `since` or later, for which a mail held a token.
///
/// # Errors
/// See [`Source::all`].
pub async fn validation_by_token<S: Source>(
    source: &mut S,
    hash: &[u8],
    since: Ms,
) -> Result<Option<ValidationRow>> {
    let sql = "SELECT v.sid, v.purpose, v.medium, v.address, v.attempt, v.next_link, v.created_ts, v.validated_ts \
               FROM validation_token t JOIN validation v ON v.sid = t.sid \
               WHERE t.hash = $1 AND v.created_ts >= $2";
    source.first(sql, vec![hash.into(), since.into()]).await?.as_ref().map(validation).transpose()
}

impl Change {
    /// Begins a proof; one of the same id that began before `before` goes. Refused with `Conflict`
    /// when there is a younger one.
    pub fn begin_validation(&mut self, row: &ValidationRow, before: Ms) {
        let sql = "DELETE FROM validation_token WHERE sid IN \
                   (SELECT sid FROM validation WHERE sid = $1 AND created_ts < $2)";
        self.run(sql, vec![row.sid.as_str().into(), before.into()]);
        let sql = "DELETE FROM validation WHERE sid = $1 AND created_ts < $2";
        self.run(sql, vec![row.sid.as_str().into(), before.into()]);
        self.insert(
            Table::Validation,
            vec![
                row.sid.as_str().into(),
                row.purpose.as_str().into(),
                row.medium.as_str().into(),
                row.address.as_str().into(),
                row.attempt.into(),
                row.next_link.as_deref().into(),
                row.created_ts.into(),
            ],
        );
    }

    /// Notes a further request for a mail; refused with `Conflict` when it is not newer.
    pub fn repeat_validation(&mut self, sid: &str, attempt: i64, next_link: Option<&str>) {
        let sql = "UPDATE validation SET attempt = $2, next_link = $3 WHERE sid = $1 AND attempt < $2";
        self.guard(sql, vec![sid.into(), attempt.into(), next_link.into()]);
    }

    /// A token by which the person can prove that a mail arrived.
    pub fn add_validation_token(&mut self, hash: &[u8], sid: &str, now: Ms) {
        self.insert(Table::ValidationToken, vec![hash.into(), sid.into(), now.into()]);
    }

    /// The address is proven. Doing it twice changes nothing.
    pub fn validate(&mut self, sid: &str, now: Ms) {
        let sql = "UPDATE validation SET validated_ts = $2 WHERE sid = $1 AND validated_ts IS NULL";
        self.run(sql, vec![sid.into(), now.into()]);
    }

    /// Uses a proof up; refused with `Conflict` when it was used already.
    pub fn use_validation(&mut self, sid: &str) {
        self.guard("DELETE FROM validation WHERE sid = $1 AND validated_ts IS NOT NULL", vec![sid.into()]);
        self.run("DELETE FROM validation_token WHERE sid = $1", vec![sid.into()]);
    }

    /// Gives an address to an account; refused with `Conflict` when it belongs to one.
    pub fn add_threepid(&mut self, user: Nid, row: &ThreepidRow) {
        self.insert(
            Table::Threepid,
            vec![
                row.medium.as_str().into(),
                row.address.as_str().into(),
                user.into(),
                row.validated_ts.into(),
                row.added_ts.into(),
            ],
        );
    }

    /// Takes an address from an account; refused with `Conflict` when it is not the account's.
    pub fn remove_threepid(&mut self, user: Nid, medium: &str, address: &str) {
        let sql = "DELETE FROM threepid WHERE user_nid = $1 AND medium = $2 AND address = $3";
        self.guard(sql, vec![user.into(), medium.into(), address.into()]);
    }

    /// Takes all addresses from an account.
    pub fn remove_threepids(&mut self, user: Nid) {
        self.run("DELETE FROM threepid WHERE user_nid = $1", vec![user.into()]);
    }

    /// Forgets proofs that began before a moment.
    pub fn tidy_validations(&mut self, before: Ms) {
        self.run("DELETE FROM validation WHERE created_ts < $1", vec![before.into()]);
        self.run("DELETE FROM validation_token WHERE created_ts < $1", vec![before.into()]);
    }
}
