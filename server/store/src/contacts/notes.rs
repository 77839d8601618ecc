//! Notes, decisions and tasks of conversations. Their words are those of their events; what was redacted
//! has none and is left out by whoever reads.

use super::cards::visible;
use super::crm_acts::CrmAct;
use super::queue::Reader;
use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, id_set};
use kontor_model::{Ms, Nid, Result};

/// A note or a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteRow {
    /// The event that says it.
    pub event_id: String,
    /// The conversation.
    pub conversation: String,
    /// The conversation's backstage room, Matrix id.
    pub room_id: String,
    /// note, decision.
    pub kind: String,
    /// Who wrote it.
    pub author: String,
    /// When.
    pub ts: Ms,
    /// The event's content, JSON; bytes after a line feed are not part of it.
    pub content: Vec<u8>,
}

/// Something that is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// The event that says it, numeric id.
    pub event: Nid,
    /// The same, Matrix id.
    pub event_id: String,
    /// The conversation.
    pub conversation: String,
    /// The conversation's backstage room, Matrix id.
    pub room_id: String,
    /// The contact of the conversation.
    pub contact: String,
    /// Its number within the conversation.
    pub number: i64,
    /// Who wrote it.
    pub author: String,
    /// When.
    pub ts: Ms,
    /// The event's content, as of [`NoteRow`].
    pub content: Vec<u8>,
    /// Who is to do it.
    pub assignee: Option<String>,
    /// Until when.
    pub due: Option<Ms>,
    /// When it was done.
    pub done: Option<Ms>,
    /// By whom.
    pub done_by: Option<String>,
}

/// Notes and decisions in the conversations of a contact, the newest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn notes<S: Source>(source: &mut S, contact: &str, limit: i64) -> Result<Vec<NoteRow>> {
    let sql = "SELECT e.event_id, q.conversation_id, r.room_id, q.kind, a.text, e.origin_ts, b.ct \
               FROM contact_identity i JOIN conversation v ON v.identity_nid = i.identity_nid \
               JOIN conversation_note q ON q.conversation_id = v.conversation_id \
               JOIN event e ON e.event_nid = q.event_nid JOIN event_body b ON b.event_nid = q.event_nid \
               JOIN room r ON r.room_nid = v.backstage_nid JOIN name a ON a.nid = q.author_nid \
               WHERE i.contact_id IN (SELECT contact_id FROM contact WHERE contact_id = $1 OR redirect_to = $1) \
               AND e.redacted_by_nid IS NULL ORDER BY q.event_nid DESC LIMIT $2";
    let read = |row: &Row| {
        Ok(NoteRow {
            event_id: row.text(0)?,
            conversation: row.text(1)?,
            room_id: row.text(2)?,
            kind: row.text(3)?,
            author: row.text(4)?,
            ts: row.int(5)?,
            content: row.blob(6)?,
        })
    };
    source.all(sql, vec![contact.into(), limit.into()]).await?.iter().map(read).collect()
}

macro_rules! tasks {
    ($from:literal, $($rest:tt)*) => {
        concat!(
            "SELECT e.event_id, q.conversation_id, r.room_id, t.contact_id, q.number, a.text, e.origin_ts, b.ct, \
             w.text, q.due_ts, q.done_ts, d.text, q.event_nid FROM ", $from,
            " JOIN event e ON e.event_nid = q.event_nid JOIN event_body b ON b.event_nid = q.event_nid \
             JOIN room r ON r.room_nid = v.backstage_nid JOIN name a ON a.nid = q.author_nid \
             LEFT JOIN name w ON w.nid = q.assignee_nid LEFT JOIN name d ON d.nid = q.done_by_nid \
             JOIN contact o ON o.contact_id = i.contact_id \
             JOIN contact t ON t.contact_id = coalesce(o.redirect_to, o.contact_id) ",
            $($rest)*
        )
    };
}

fn task(row: &Row) -> Result<TaskRow> {
    Ok(TaskRow {
        event_id: row.text(0)?,
        conversation: row.text(1)?,
        room_id: row.text(2)?,
        contact: row.text(3)?,
        number: row.int(4)?,
        author: row.text(5)?,
        ts: row.int(6)?,
        content: row.blob(7)?,
        assignee: row.text_opt(8)?,
        due: row.int_opt(9)?,
        done: row.int_opt(10)?,
        done_by: row.text_opt(11)?,
        event: row.int(12)?,
    })
}

/// Tasks in the conversations of a contact: what is to be done first, by when it is due; then what was done,
/// the newest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn tasks<S: Source>(source: &mut S, contact: &str, limit: i64) -> Result<Vec<TaskRow>> {
    let sql = tasks!(
        "contact_identity i JOIN conversation v ON v.identity_nid = i.identity_nid \
         JOIN conversation_task q ON q.conversation_id = v.conversation_id",
        "WHERE i.contact_id IN (SELECT contact_id FROM contact WHERE contact_id = $1 OR redirect_to = $1) \
         AND e.redacted_by_nid IS NULL \
         ORDER BY CASE WHEN q.done_ts IS NULL THEN 0 ELSE 1 END, q.done_ts DESC, \
         coalesce(q.due_ts, 9223372036854775807), q.event_nid LIMIT $2"
    );
    source.all(sql, vec![contact.into(), limit.into()]).await?.iter().map(task).collect()
}

/// A task of a conversation.
///
/// # Errors
/// See [`Source::all`].
pub async fn one<S: Source>(source: &mut S, conversation: &str, number: i64) -> Result<Option<TaskRow>> {
    let sql = tasks!(
        "conversation_task q JOIN conversation v ON v.conversation_id = q.conversation_id \
         JOIN contact_identity i ON i.identity_nid = v.identity_nid",
        "WHERE q.conversation_id = $1 AND q.number = $2 AND e.redacted_by_nid IS NULL"
    );
    source.first(sql, vec![conversation.into(), number.into()]).await?.as_ref().map(task).transpose()
}

/// Tasks by the numeric ids of their events.
///
/// # Errors
/// See [`Source::all`].
pub async fn tasks_of_events<S: Source>(source: &mut S, events: &[Nid]) -> Result<Vec<(Nid, TaskRow)>> {
    // By the event's room: tasks are found by their conversations.
    let sql = tasks!(
        "event x JOIN conversation v ON v.backstage_nid = x.room_nid \
         JOIN contact_identity i ON i.identity_nid = v.identity_nid \
         JOIN conversation_task q ON q.conversation_id = v.conversation_id AND q.event_nid = x.event_nid",
        "WHERE x.event_nid IN ID_SET($1) AND x.redacted_by_nid IS NULL"
    );
    let rows = source.all(sql, vec![id_set(events.iter().copied())]).await?;
    rows.iter().map(|row| Ok((row.int(12)?, task(row)?))).collect()
}

/// What somebody is yet to do, by when it is due, as far as the reader may see it.
///
/// # Errors
/// See [`Source::all`].
pub async fn open_of<S: Source>(
    source: &mut S,
    reader: Reader,
    assignee: Nid,
    limit: i64,
) -> Result<Vec<TaskRow>> {
    let sql = tasks!(
        "conversation_task q JOIN conversation v ON v.conversation_id = q.conversation_id \
         JOIN contact_identity i ON i.identity_nid = v.identity_nid",
        "WHERE q.assignee_nid = $3 AND q.done_ts IS NULL AND e.redacted_by_nid IS NULL AND ",
        visible!(),
        " ORDER BY coalesce(q.due_ts, 9223372036854775807), q.event_nid LIMIT $4"
    );
    let values = vec![reader.user.into(), reader.admin.into(), assignee.into(), limit.into()];
    source.all(sql, values).await?.iter().map(task).collect()
}

/// Something to be done.
#[derive(Clone, Copy, Debug)]
pub struct NewTask<'a> {
    /// The event that says it.
    pub event: Nid,
    /// The conversation.
    pub conversation: &'a str,
    /// Who wrote it.
    pub author: Nid,
    /// Who is to do it.
    pub assignee: Option<Nid>,
    /// Until when.
    pub due: Option<Ms>,
}

impl Change {
    /// Notes that an event is a note or a decision; CRMs are told.
    pub fn add_note(&mut self, event: Nid, conversation: &str, kind: &'static str, (author, now): (Nid, Ms)) {
        let act = CrmAct { conversation, kind, event: Some(event), by: Some(author), to: None, ts: now };
        self.tell_crms_act(act);
        self.insert(Table::Note, vec![event.into(), conversation.into(), kind.into(), author.into()]);
    }

    /// Notes that an event says what is to be done; it gets the next number of its conversation.
    pub fn add_task(&mut self, new: NewTask<'_>) {
        // One writer at a time: nobody else takes the number meanwhile.
        let sql = "INSERT INTO conversation_task (conversation_id, number, event_nid, author_nid, assignee_nid, \
                   due_ts) SELECT $1, 1 + coalesce((SELECT max(number) \
                   FROM conversation_task WHERE conversation_id = $1), 0), $2, $3, $4, $5";
        self.run(
            sql,
            vec![
                new.conversation.into(),
                new.event.into(),
                new.author.into(),
                new.assignee.into(),
                new.due.into(),
            ],
        );
    }

    /// Notes that a task was done, or is to be done again; refused with `Conflict` when that is known.
    pub fn set_task_done(&mut self, conversation: &str, number: i64, done: Option<(Ms, Nid)>) {
        let sql = "UPDATE conversation_task SET done_ts = $3, done_by_nid = $4 WHERE conversation_id = $1 \
                   AND number = $2 AND CASE WHEN done_ts IS NULL THEN 0 ELSE 1 END = CAST($5 AS BIGINT)";
        let (ts, by) = done.unzip();
        let before = i64::from(done.is_none());
        self.guard(sql, vec![conversation.into(), number.into(), ts.into(), by.into(), before.into()]);
    }
}
