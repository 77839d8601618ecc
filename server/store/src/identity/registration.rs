//! Tokens that let people register.

use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::Value;
use kontor_model::{Ms, Nid, Result};

/// A registration token to be made.
#[derive(Clone, Debug)]
pub struct NewRegistrationToken {
    /// The token itself; administrators see it.
    pub token: String,
    /// How many accounts it is good for; `None` = any number.
    pub uses_allowed: Option<i64>,
    /// Until when; `None` = for ever.
    pub expires_ts: Option<Ms>,
    /// When it was made.
    pub created_ts: Ms,
    /// By whom.
    pub creator: Option<Nid>,
}

/// Whether a token would let somebody register now.
///
/// # Errors
/// `Unavailable` when the database is gone.
pub async fn is_valid<S: Source>(source: &mut S, token: &str, now: Ms) -> Result<bool> {
    let sql = "SELECT 1 FROM registration_token WHERE token = $1 \
               AND (uses_allowed IS NULL OR completed < uses_allowed) \
               AND (expires_ts IS NULL OR expires_ts > $2)";
    Ok(source.first(sql, vec![token.into(), now.into()]).await?.is_some())
}

impl Change {
    /// Makes a registration token; refused with `Conflict` when it exists.
    pub fn add_registration_token(&mut self, token: NewRegistrationToken) {
        self.insert(
            Table::RegistrationToken,
            vec![
                token.token.into(),
                token.uses_allowed.into(),
                Value::from(0),
                token.expires_ts.into(),
                token.created_ts.into(),
                token.creator.into(),
            ],
        );
    }

    /// Uses a registration token once; refused with `Conflict` when it is used up or expired.
    pub fn use_registration_token(&mut self, token: &str, now: Ms) {
        let sql = "UPDATE registration_token SET completed = completed + 1 WHERE token = $1 \
                   AND (uses_allowed IS NULL OR completed < uses_allowed) \
                   AND (expires_ts IS NULL OR expires_ts > $2)";
        self.guard(sql, vec![token.into(), now.into()]);
    }
}
