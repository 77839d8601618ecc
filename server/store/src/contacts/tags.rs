//! Tags of contacts, what customers were asked for, and roles of employees.

use super::cards::members;
use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::text_set;
use kontor_model::{Ms, Nid, Result};

/// Tags of a contact and of those merged into it.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_contact<S: Source>(source: &mut S, contact: &str) -> Result<Vec<String>> {
    let sql = concat!(
        members!(),
        "SELECT DISTINCT g.tag FROM m JOIN contact_tag g ON g.contact_id = m.contact_id ORDER BY g.tag"
    );
    let rows = source.all(sql, vec![text_set([contact])]).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// When a contact, or one merged into it, was last asked for something, and by whom, if that was after a moment.
///
/// # Errors
/// See [`Source::all`].
pub async fn asked<S: Source>(
    source: &mut S,
    contact: &str,
    what: &str,
    since: Ms,
) -> Result<Option<(Ms, String)>> {
    let sql = concat!(
        members!(),
        "SELECT a.ts, n.text FROM m JOIN contact_ask a ON a.contact_id = m.contact_id JOIN name n ON n.nid = a.user_nid \
         WHERE a.what = $2 AND a.ts > $3 ORDER BY a.ts DESC LIMIT 1"
    );
    let row = source.first(sql, vec![text_set([contact]), what.into(), since.into()]).await?;
    row.map(|row| Ok((row.int(0)?, row.text(1)?))).transpose()
}

/// A question that is yet to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionRow {
    /// Who is asked.
    pub contact: String,
    /// What for.
    pub what: String,
    /// When somebody wanted it asked.
    pub ts: Ms,
    /// Who, Matrix id.
    pub by: String,
    /// The customer's room, Matrix id.
    pub room_id: String,
    /// The sentence.
    pub body: String,
}

/// Questions that are yet to be sent.
///
/// # Errors
/// See [`Source::all`].
pub async fn questions<S: Source>(source: &mut S, limit: i64) -> Result<Vec<QuestionRow>> {
    let sql = "SELECT a.contact_id, a.what, a.ts, n.text, r.room_id, a.body FROM contact_ask a \
               JOIN name n ON n.nid = a.user_nid JOIN conversation v ON v.conversation_id = a.conversation_id \
               JOIN room r ON r.room_nid = v.room_nid WHERE a.body IS NOT NULL ORDER BY a.contact_id LIMIT $1";
    let rows = source.all(sql, vec![limit.into()]).await?;
    let read = |row: &crate::value::Row| {
        Ok(QuestionRow {
            contact: row.text(0)?,
            what: row.text(1)?,
            ts: row.int(2)?,
            by: row.text(3)?,
            room_id: row.text(4)?,
            body: row.text(5)?,
        })
    };
    rows.iter().map(read).collect()
}

/// Employees with roles, Matrix ids, in their order.
///
/// # Errors
/// See [`Source::all`].
pub async fn roles<S: Source>(source: &mut S) -> Result<Vec<(String, String)>> {
    let sql =
        "SELECT n.text, r.role FROM staff_role r JOIN name n ON n.nid = r.user_nid ORDER BY n.text, r.role";
    source.all(sql, Vec::new()).await?.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}

/// Whether somebody has a role.
///
/// # Errors
/// See [`Source::all`].
pub async fn has_role<S: Source>(source: &mut S, user: Nid, role: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM staff_role WHERE user_nid = $1 AND role = $2";
    Ok(source.first(sql, vec![user.into(), role.into()]).await?.is_some())
}

/// A question to be sent.
#[derive(Clone, Copy, Debug)]
pub struct NewQuestion<'a> {
    /// Who is asked.
    pub contact: &'a str,
    /// What for.
    pub what: &'a str,
    /// When.
    pub now: Ms,
    /// Nobody asks again if it was asked after this moment.
    pub since: Ms,
    /// Who wants it asked.
    pub user: Nid,
    /// In which conversation.
    pub conversation: &'a str,
    /// The sentence.
    pub body: &'a str,
}

impl Change {
    /// Gives a contact a tag; one that it has stays as it is.
    pub fn add_tag(&mut self, contact: &str, tag: &str, user: Nid, now: Ms) {
        self.insert(Table::ContactTag, vec![contact.into(), tag.into(), now.into(), user.into()]);
    }

    /// Takes a tag from a contact and from those merged into it.
    pub fn remove_tag(&mut self, contact: &str, tag: &str) {
        let sql = "DELETE FROM contact_tag WHERE tag = $2 AND contact_id IN \
                   (SELECT contact_id FROM contact WHERE contact_id = $1 OR redirect_to = $1)";
        self.run(sql, vec![contact.into(), tag.into()]);
    }

    /// Lays a question out to be sent; refused with `Conflict` if it was asked meanwhile.
    pub fn ask_contact(&mut self, new: NewQuestion<'_>) {
        let sql = "INSERT INTO contact_ask (contact_id, what, ts, user_nid, conversation_id, body) \
                   VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (contact_id, what) DO UPDATE SET ts = excluded.ts, \
                   user_nid = excluded.user_nid, conversation_id = excluded.conversation_id, body = excluded.body \
                   WHERE contact_ask.ts <= $7";
        self.guard(
            sql,
            vec![
                new.contact.into(),
                new.what.into(),
                new.now.into(),
                new.user.into(),
                new.conversation.into(),
                new.body.into(),
                new.since.into(),
            ],
        );
    }

    /// A question was sent, or never will be: then it may be asked again.
    pub fn question_sent(&mut self, row: &QuestionRow, sent: bool) {
        let sql = match sent {
            true => "UPDATE contact_ask SET body = NULL WHERE contact_id = $1 AND what = $2 AND ts = $3",
            false => "DELETE FROM contact_ask WHERE contact_id = $1 AND what = $2 AND ts = $3",
        };
        self.run(sql, vec![row.contact.as_str().into(), row.what.as_str().into(), row.ts.into()]);
    }

    /// Says what roles an employee has.
    pub fn set_roles(&mut self, user: Nid, roles: &[&str]) {
        self.run("DELETE FROM staff_role WHERE user_nid = $1", vec![user.into()]);
        for role in roles {
            self.insert(Table::StaffRole, vec![user.into(), (*role).into()]);
        }
    }
}
