//! Tokens with which a widget's server asks who somebody is, and sessions of pages.

use crate::Change;
use crate::db::Source;
use crate::table::Table;
use kontor_model::{Ms, Nid, Result};

/// Whom a token that works at a moment was made for.
///
/// # Errors
/// See [`Source::all`].
pub async fn user<S: Source>(source: &mut S, hash: &[u8], now: Ms) -> Result<Option<Nid>> {
    let sql = "SELECT user_nid FROM openid_token WHERE hash = $1 AND expires_ts >= $2";
    let row = source.first(sql, vec![hash.into(), now.into()]).await?;
    row.map(|row| row.int(0)).transpose()
}

/// Whose session for pages this is, if it works at a moment: the account, and its epoch when it began.
///
/// # Errors
/// See [`Source::all`].
pub async fn page_session<S: Source>(source: &mut S, hash: &[u8], now: Ms) -> Result<Option<(Nid, i64)>> {
    let sql = "SELECT user_nid, epoch FROM page_session WHERE hash = $1 AND expires_ts >= $2";
    let row = source.first(sql, vec![hash.into(), now.into()]).await?;
    row.map(|row| Ok((row.int(0)?, row.int(1)?))).transpose()
}

impl Change {
    /// Adds a session for pages.
    pub fn add_page_session(&mut self, hash: &[u8], user: Nid, epoch: i64, expires_ts: Ms) {
        self.insert(Table::PageSession, vec![hash.into(), user.into(), epoch.into(), expires_ts.into()]);
    }

    /// Ends a session for pages.
    pub fn end_page_session(&mut self, hash: &[u8]) {
        self.run("DELETE FROM page_session WHERE hash = $1", vec![hash.into()]);
    }

    /// Adds a token.
    pub fn add_openid_token(&mut self, hash: &[u8], user: Nid, expires_ts: Ms) {
        self.insert(Table::OpenidToken, vec![hash.into(), user.into(), expires_ts.into()]);
    }

    /// Forgets tokens and sessions of pages that expired.
    pub fn tidy_openid_tokens(&mut self, now: Ms) {
        self.run("DELETE FROM openid_token WHERE expires_ts < $1", vec![now.into()]);
        self.run("DELETE FROM page_session WHERE expires_ts < $1", vec![now.into()]);
    }
}
