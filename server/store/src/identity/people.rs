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
}

/// Account data that says whose invitations a person takes.
pub const INVITE_PERMISSION: &str = "m.invite_permission_config";
/// The same under the name of its proposal.
pub const INVITE_PERMISSION_UNSTABLE: &str = "org.matrix.msc4380.invite_permission_config";
/// Lists of people and servers, of another proposal.
pub const INVITE_LISTS: &str = "org.matrix.msc4155.invite_permission_config";

/// A piece of account data that says whose invitations a person takes.
#[derive(Clone, Debug)]
pub struct InviteRuleRow {
    /// Matrix id.
    pub user_id: String,
    /// Type of the account data.
    pub kind: String,
    /// Content, JSON.
    pub content: String,
}

/// What some users say about invitations, in no order, in one statement.
///
/// # Errors
/// See [`Source::all`].
pub async fn invite_rules<S: Source, T: AsRef<str>>(
    source: &mut S,
    users: &[T],
) -> Result<Vec<InviteRuleRow>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT n.text, i.type, i.content FROM name n JOIN account_data i ON i.user_nid = n.nid \
               AND i.room_nid = 0 AND i.type IN TEXT_SET($2) WHERE n.text IN TEXT_SET($1)";
    let kinds = [INVITE_PERMISSION, INVITE_PERMISSION_UNSTABLE, INVITE_LISTS];
    let rows = source.all(sql, vec![text_set(users), text_set(kinds)]).await?;
    let read = |row: &crate::Row| {
        Ok(InviteRuleRow { user_id: row.text(0)?, kind: row.text(1)?, content: row.text(2)? })
    };
    rows.iter().map(read).collect()
}

/// The accounts among some users, in no order, in one statement.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_user_ids<S: Source, T: AsRef<str>>(source: &mut S, users: &[T]) -> Result<Vec<PersonRow>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT n.text, a.state, d.value, v.value FROM name n JOIN account a ON a.user_nid = n.nid \
               LEFT JOIN profile d ON d.user_nid = n.nid AND d.key = 'displayname' \
               LEFT JOIN profile v ON v.user_nid = n.nid AND v.key = 'avatar_url' \
               WHERE n.text IN TEXT_SET($1)";
    let rows = source.all(sql, vec![text_set(users)]).await?;
    let read = |row: &crate::Row| {
        Ok(PersonRow {
            user_id: row.text(0)?,
            state: row.text(1)?,
            displayname: row.text_opt(2)?,
            avatar_url: row.text_opt(3)?,
        })
    };
    rows.iter().map(read).collect()
}
