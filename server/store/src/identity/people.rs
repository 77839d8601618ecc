//! People as rooms name them: do they exist, and what do they call themselves.

use crate::db::Source;
use crate::value::text_set;
use kontor_model::Result;

/// An account of this server with the profile fields that member events repeat.
#[derive(Clone, Debug)]
pub struct PersonRow {
    /// Matrix id.
    pub user_id: String,
    /// State of the account.
    pub state: String,
    /// Display name, JSON.
    pub displayname: Option<String>,
    /// Avatar, JSON.
    pub avatar_url: Option<String>,
    /// Content of `m.invite_permission_config`, JSON.
    pub invite_permission: Option<String>,
}

/// The accounts among some users, in no order, in one statement.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_user_ids<S: Source, T: AsRef<str>>(source: &mut S, users: &[T]) -> Result<Vec<PersonRow>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT n.text, a.state, d.value, v.value, i.content FROM name n JOIN account a ON a.user_nid = n.nid \
               LEFT JOIN profile d ON d.user_nid = n.nid AND d.key = 'displayname' \
               LEFT JOIN profile v ON v.user_nid = n.nid AND v.key = 'avatar_url' \
               LEFT JOIN account_data i ON i.user_nid = n.nid AND i.room_nid = 0 \
               AND i.type = 'm.invite_permission_config' \
               WHERE n.text IN TEXT_SET($1)";
    let rows = source.all(sql, vec![text_set(users)]).await?;
    let read = |row: &crate::Row| {
        Ok(PersonRow {
            user_id: row.text(0)?,
            state: row.text(1)?,
            displayname: row.text_opt(2)?,
            avatar_url: row.text_opt(3)?,
            invite_permission: row.text_opt(4)?,
        })
    };
    rows.iter().map(read).collect()
}
