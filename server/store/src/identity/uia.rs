//! User-interactive authentication under way.

use crate::Change;
use crate::db::Source;
use crate::table::Table;
use kontor_model::{Ms, Result};

/// A session of user-interactive authentication.
#[derive(Clone, Debug)]
pub struct UiaRow {
    /// Its id, which the client sends back.
    pub id: String,
    /// What it is good for.
    pub purpose: String,
    /// Stages that were completed.
    pub completed: Vec<String>,
    /// The registration token that was shown.
    pub token: Option<String>,
    /// The proof of an address that was shown.
    pub sid: Option<String>,
    /// When it began.
    pub created_ts: Ms,
}

/// A session that began at `since` or later.
///
/// # Errors
/// `Unavailable` when the database is gone.
pub async fn by_id<S: Source>(source: &mut S, id: &str, since: Ms) -> Result<Option<UiaRow>> {
    let sql = "SELECT id, purpose, completed, token, sid, created_ts FROM uia_session \
               WHERE id = $1 AND created_ts >= $2";
    let Some(row) = source.first(sql, vec![id.into(), since.into()]).await? else { return Ok(None) };
    Ok(Some(UiaRow {
        id: row.text(0)?,
        purpose: row.text(1)?,
        completed: serde_json::from_str(&row.text(2)?).unwrap_or_default(),
        token: row.text_opt(3)?,
        sid: row.text_opt(4)?,
        created_ts: row.int(5)?,
    }))
}

impl Change {
    /// Keeps a session.
    pub fn put_uia_session(&mut self, session: &UiaRow) {
        let completed = serde_json::Value::from(session.completed.clone()).to_string();
        self.insert(
            Table::UiaSession,
            vec![
                session.id.as_str().into(),
                session.purpose.as_str().into(),
                completed.into(),
                session.token.as_deref().into(),
                session.sid.as_deref().into(),
                session.created_ts.into(),
            ],
        );
    }

    /// Ends a session; refused with `Conflict` when it was used already.
    pub fn use_uia_session(&mut self, id: &str) {
        self.guard("DELETE FROM uia_session WHERE id = $1", vec![id.into()]);
    }

    /// Forgets sessions that began before a moment.
    pub fn tidy_uia_sessions(&mut self, before: Ms) {
        self.run("DELETE FROM uia_session WHERE created_ts < $1", vec![before.into()]);
    }
}
