//! Sessions and the tokens that belong to them.

use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, Value};
use crate::{Change, Stream};
use kontor_model::{Ms, Nid, Pos, Result};

/// Generations of redeemed refresh tokens that are remembered, so that their reuse is noticed.
const REMEMBERED_GENERATIONS: i64 = 20;

/// What an access token stands for.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// When the token stops working; `None` = with its session.
    pub expires_ts: Option<Ms>,
    /// Its generation within the session.
    pub generation: i64,
    /// Its session.
    pub session: SessionRow,
}

/// What a refresh token stands for.
#[derive(Clone, Debug)]
pub struct RefreshRow {
    /// Its generation within the session.
    pub generation: i64,
    /// Set when it was redeemed before.
    pub salt: Option<Vec<u8>>,
    /// When the access token that it was redeemed for expires; `None` before.
    pub next_expires_ts: Option<Ms>,
    /// Its session.
    pub session: SessionRow,
}

/// A session with the account that it belongs to.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// Numeric id.
    pub session: Nid,
    /// The account.
    pub user: Nid,
    /// Its user id.
    pub user_id: String,
    /// The device.
    pub device_id: String,
    /// Why it ended, if it did.
    pub ended: Option<String>,
    /// The newest generation of tokens that the client is known to have.
    pub generation: i64,
    /// The account's epoch.
    pub epoch: i64,
    /// Whether the account administers the server.
    pub admin: bool,
    /// Whether the account is a guest.
    pub guest: bool,
    /// The account's state.
    pub state: String,
}

/// Reads the columns of a session, which begin with the fourth.
fn session(row: &Row) -> Result<SessionRow> {
    Ok(SessionRow {
        session: row.int(3)?,
        user: row.int(4)?,
        user_id: row.text(5)?,
        device_id: row.text(6)?,
        ended: row.text_opt(7)?,
        generation: row.int(8)?,
        epoch: row.int(9)?,
        admin: row.bool(10)?,
        guest: row.bool(11)?,
        state: row.text(12)?,
    })
}

/// What an access token stands for, of ended sessions too.
///
/// # Errors
/// `Unavailable` when the database is gone.
pub async fn by_access_token<S: Source>(source: &mut S, hash: &[u8]) -> Result<Option<TokenRow>> {
    let sql = "SELECT t.expires_ts, t.generation, 0, s.session_nid, s.user_nid, n.text, s.device_id, \
               CASE WHEN s.ended_ts IS NULL THEN NULL ELSE s.reason END, s.generation, a.auth_epoch, a.admin, \
               a.guest, a.state FROM access_token t JOIN session s ON s.session_nid = t.session_nid \
               JOIN account a ON a.user_nid = s.user_nid JOIN name n ON n.nid = s.user_nid WHERE t.hash = $1";
    let row = source.first(sql, vec![hash.into()]).await?;
    let token = |row: Row| {
        Ok(TokenRow { expires_ts: row.int_opt(0)?, generation: row.int(1)?, session: session(&row)? })
    };
    row.map(token).transpose()
}

/// What a refresh token stands for, of ended sessions too.
///
/// # Errors
/// As [`by_access_token`].
pub async fn by_refresh_token<S: Source>(source: &mut S, hash: &[u8]) -> Result<Option<RefreshRow>> {
    let sql = "SELECT (SELECT max(t.expires_ts) FROM access_token t WHERE t.session_nid = r.session_nid \
               AND t.generation = r.generation + 1), r.generation, r.salt, s.session_nid, s.user_nid, n.text, \
               s.device_id, CASE WHEN s.ended_ts IS NULL THEN NULL ELSE s.reason END, s.generation, \
               a.auth_epoch, a.admin, a.guest, a.state FROM refresh_token r \
               JOIN session s ON s.session_nid = r.session_nid \
               JOIN account a ON a.user_nid = s.user_nid JOIN name n ON n.nid = s.user_nid WHERE r.hash = $1";
    let row = source.first(sql, vec![hash.into()]).await?;
    let token = |row: Row| {
        Ok(RefreshRow {
            next_expires_ts: row.int_opt(0)?,
            generation: row.int(1)?,
            salt: row.blob_opt(2)?,
            session: session(&row)?,
        })
    };
    row.map(token).transpose()
}

/// What a long answer checks in the moment in which its data was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardRow {
    /// Whether the session ended, or its account may not be served any more.
    pub ended: bool,
    /// Whether that is only because the account is locked: the session stands.
    pub locked: bool,
    /// The account's epoch; another one than the requester's means that the answer is discarded.
    pub epoch: i64,
    /// The newest position in this moment.
    pub newest: Pos,
}

/// Whether a session still stands, and the newest position, in one statement. Application services act
/// without one, which is a number below zero: then only the account counts.
///
/// # Errors
/// As [`by_access_token`].
pub async fn guard<S: Source>(source: &mut S, session: Nid, user: Nid) -> Result<GuardRow> {
    let sql = "SELECT CAST(CASE WHEN s.ended_ts IS NULL AND a.state IN ('active', 'suspended') \
               THEN 0 ELSE 1 END AS BIGINT), \
               CAST(CASE WHEN s.ended_ts IS NULL AND a.state = 'locked' THEN 1 ELSE 0 END AS BIGINT), \
               a.auth_epoch, (SELECT coalesce(max(position), 0) FROM stream_log) \
               FROM session s JOIN account a ON a.user_nid = s.user_nid \
               WHERE s.session_nid = $1 AND s.user_nid = $2";
    let row = match session < 0 {
        true => source.first(WITHOUT_SESSION, vec![user.into()]).await?,
        false => source.first(sql, vec![session.into(), user.into()]).await?,
    };
    let Some(row) = row else {
        return Ok(GuardRow { ended: true, locked: false, epoch: -1, newest: Pos(0) });
    };
    Ok(GuardRow { ended: row.bool(0)?, locked: row.bool(1)?, epoch: row.int(2)?, newest: Pos(row.int(3)?) })
}

const WITHOUT_SESSION: &str = "SELECT CAST(CASE WHEN a.state IN ('active', 'suspended') THEN 0 ELSE 1 END AS BIGINT), \
     CAST(CASE WHEN a.state = 'locked' THEN 1 ELSE 0 END AS BIGINT), a.auth_epoch, \
     (SELECT coalesce(max(position), 0) FROM stream_log) FROM account a WHERE a.user_nid = $1";

/// The account that a login token is for and until when, if it was not used.
///
/// # Errors
/// As [`by_access_token`].
pub async fn login_token<S: Source>(source: &mut S, hash: &[u8]) -> Result<Option<(Nid, Ms)>> {
    let sql = "SELECT user_nid, expires_ts FROM login_token WHERE hash = $1";
    let row = source.first(sql, vec![hash.into()]).await?;
    row.map(|row| Ok((row.int(0)?, row.int(1)?))).transpose()
}

/// A session to be opened.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Numeric id.
    pub session: Nid,
    /// The account.
    pub user: Nid,
    /// The device.
    pub device_id: String,
    /// Name for the device, should it be new.
    pub display_name: Option<String>,
    /// How it began.
    pub kind: &'static str,
    /// When.
    pub ts: Ms,
}

impl Change {
    /// Opens a session on a device, which is made when unknown. A session that the device has ends.
    pub fn open_session(&mut self, session: NewSession, replaces: bool) {
        let NewSession { session, user, device_id, display_name, kind, ts } = session;
        if replaces {
            self.end_session_of_device(user, &device_id, ts, "replaced");
        }
        self.insert(
            Table::Device,
            vec![user.into(), device_id.as_str().into(), display_name.into(), ts.into()],
        );
        let row = vec![session.into(), user.into(), device_id.into(), kind.into(), ts.into(), Value::from(0)];
        self.insert(Table::Session, row);
    }

    /// Adds an access token to a session.
    pub fn add_access_token(&mut self, hash: &[u8], session: Nid, generation: i64, expires_ts: Option<Ms>) {
        let row = vec![hash.into(), session.into(), generation.into(), expires_ts.into()];
        self.insert(Table::AccessToken, row);
    }

    /// Adds a refresh token to a session.
    pub fn add_refresh_token(&mut self, hash: &[u8], session: Nid, generation: i64) {
        self.insert(Table::RefreshToken, vec![hash.into(), session.into(), generation.into()]);
    }

    /// Redeems a refresh token; refused with `Conflict` when somebody did before. Expired access
    /// tokens of the session and refresh tokens of long ago go.
    pub fn redeem_refresh_token(&mut self, hash: &[u8], salt: &[u8], session: Nid, generation: i64, now: Ms) {
        let sql = "UPDATE refresh_token SET salt = $2 WHERE hash = $1 AND salt IS NULL";
        self.guard(sql, vec![hash.into(), salt.into()]);
        let sql = "DELETE FROM access_token WHERE session_nid = $1 AND expires_ts < $2 AND generation < $3";
        self.run(sql, vec![session.into(), now.into(), generation.into()]);
        let sql = "DELETE FROM refresh_token WHERE session_nid = $1 AND generation < $2";
        self.run(sql, vec![session.into(), (generation - REMEMBERED_GENERATIONS).into()]);
    }

    /// Notes that the client has the tokens of a generation: those before are worth nothing now.
    pub fn note_generation(&mut self, session: Nid, generation: i64) {
        let sql = "UPDATE session SET generation = $2 WHERE session_nid = $1 AND generation < $2";
        self.run(sql, vec![session.into(), generation.into()]);
    }

    /// Ends one session. Open answers of the account are checked again, and caches forget it.
    pub fn end_session(&mut self, session: Nid, user: Nid, ts: Ms, reason: &'static str) {
        let sql = "UPDATE session SET ended_ts = $2, reason = $3 WHERE session_nid = $1 AND ended_ts IS NULL";
        self.run(sql, vec![session.into(), ts.into(), reason.into()]);
        self.position(Stream::Kill, None, Some(user));
    }

    /// Ends the session of a device, if it has one; as [`Change::end_session`].
    pub fn end_session_of_device(&mut self, user: Nid, device_id: &str, ts: Ms, reason: &'static str) {
        let sql = "UPDATE session SET ended_ts = $3, reason = $4 \
                   WHERE user_nid = $1 AND device_id = $2 AND ended_ts IS NULL";
        self.run(sql, vec![user.into(), device_id.into(), ts.into(), reason.into()]);
        self.position(Stream::Kill, None, Some(user));
    }

    /// Ends all sessions of an account but `except`; as [`Change::end_session`].
    pub fn end_sessions(&mut self, user: Nid, except: Option<Nid>, ts: Ms, reason: &'static str) {
        let sql = "UPDATE session SET ended_ts = $2, reason = $3 \
                   WHERE user_nid = $1 AND session_nid <> $4 AND ended_ts IS NULL";
        self.run(sql, vec![user.into(), ts.into(), reason.into(), except.unwrap_or(0).into()]);
        self.position(Stream::Kill, None, Some(user));
    }

    /// Adds a token for one login.
    pub fn add_login_token(&mut self, hash: &[u8], user: Nid, expires_ts: Ms) {
        self.insert(Table::LoginToken, vec![hash.into(), user.into(), expires_ts.into()]);
    }

    /// Uses a login token up; refused with `Conflict` when it was used or expired.
    pub fn use_login_token(&mut self, hash: &[u8], now: Ms) {
        let sql = "DELETE FROM login_token WHERE hash = $1 AND expires_ts >= $2";
        self.guard(sql, vec![hash.into(), now.into()]);
    }

    /// Removes sessions that ended before `ended_before` with their tokens, and what expired.
    pub fn tidy_sessions(&mut self, ended_before: Ms, now: Ms) {
        let old = "DELETE FROM access_token WHERE session_nid IN \
                   (SELECT session_nid FROM session WHERE ended_ts < $1)";
        self.run(old, vec![ended_before.into()]);
        let old = "DELETE FROM refresh_token WHERE session_nid IN \
                   (SELECT session_nid FROM session WHERE ended_ts < $1)";
        self.run(old, vec![ended_before.into()]);
        self.run("DELETE FROM session WHERE ended_ts < $1", vec![ended_before.into()]);
        self.run("DELETE FROM login_token WHERE expires_ts < $1", vec![now.into()]);
    }
}
