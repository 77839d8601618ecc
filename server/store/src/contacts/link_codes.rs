//! Codes of links by which customers come to a channel: whose they are.

use crate::Change;
use crate::db::Source;
use kontor_model::{Ms, Result};

/// The contact, after all merges, that a code was made for; none when there is no such code or it is too old.
///
/// # Errors
/// See [`Source::all`].
pub async fn contact<S: Source>(source: &mut S, hash: &[u8], now: Ms) -> Result<Option<String>> {
    let sql = "SELECT coalesce(o.redirect_to, o.contact_id) FROM contact_link_code l \
               JOIN contact o ON o.contact_id = l.contact_id WHERE l.code_hash = $1 AND l.expires_ts > $2";
    source.first(sql, vec![hash.into(), now.into()]).await?.map(|row| row.text(0)).transpose()
}

impl Change {
    /// Remembers a code; those that are too old are forgotten.
    pub fn add_contact_link(&mut self, hash: &[u8], contact: &str, now: Ms, expires: Ms) {
        self.run("DELETE FROM contact_link_code WHERE expires_ts <= $1", vec![now.into()]);
        let sql = "INSERT INTO contact_link_code (code_hash, contact_id, created_ts, expires_ts) VALUES ($1, $2, $3, $4)";
        self.run(sql, vec![hash.into(), contact.into(), now.into(), expires.into()]);
    }

    /// A code was used: whoever comes by it again is nobody known. Refused with `Conflict` when it was used
    /// already.
    pub fn use_contact_link(&mut self, hash: &[u8]) {
        self.guard("DELETE FROM contact_link_code WHERE code_hash = $1", vec![hash.into()]);
    }
}
