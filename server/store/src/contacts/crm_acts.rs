//! What employees did with customers, as far as CRMs are yet to be told of it: laid down with the act itself, by ids
//! alone. What a note says is read when it is told, so that what was redacted meanwhile is not.

use crate::Change;
use crate::db::Source;
use crate::value::Row;
use kontor_model::{Ms, Nid, Result};

/// Something that an employee did.
#[derive(Clone, Copy, Debug)]
pub struct CrmAct<'a> {
    /// The conversation.
    pub conversation: &'a str,
    /// assigned, closed, note, decision, done.
    pub kind: &'static str,
    /// The event that says what was noted, or what was to be done.
    pub event: Option<Nid>,
    /// Who did it; nobody when it came about by itself.
    pub by: Option<Nid>,
    /// Who got the conversation.
    pub to: Option<Nid>,
    /// When.
    pub ts: Ms,
}

/// An act that a CRM is yet to be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActRow {
    /// The same in every try.
    pub item: String,
    /// The contact, after all merges.
    pub contact: String,
    /// See [`CrmAct::kind`].
    pub kind: String,
    /// When it was.
    pub ts: Ms,
    /// How often it was tried.
    pub attempt: i64,
    /// Who did it, user id.
    pub by: Option<String>,
    /// Who got the conversation, user id.
    pub to: Option<String>,
    /// The conversation's room, Matrix id.
    pub room_id: String,
    /// What people call its channel, and the language spoken there.
    pub channel: Option<(String, String)>,
    /// The content of the event, JSON; nothing when it was redacted. Bytes after a line feed are not part of it.
    pub content: Option<Vec<u8>>,
}

/// Acts that a CRM is to be told of now, in their order.
///
/// # Errors
/// See [`Source::all`].
pub async fn due<S: Source>(source: &mut S, system: &str, now: Ms, limit: i64) -> Result<Vec<ActRow>> {
    let sql = "SELECT o.item, t.contact_id, o.kind, o.ts, o.attempt, w.text, g.text, r.room_id, c.shown_name, c.language, b.ct \
               FROM crm_item o JOIN conversation v ON v.conversation_id = o.conversation_id \
               JOIN contact_identity i ON i.identity_nid = v.identity_nid JOIN contact s ON s.contact_id = i.contact_id \
               JOIN contact t ON t.contact_id = coalesce(s.redirect_to, s.contact_id) \
               JOIN room r ON r.room_nid = v.room_nid LEFT JOIN channel c ON c.channel_id = v.channel_id \
               LEFT JOIN name w ON w.nid = o.by_nid LEFT JOIN name g ON g.nid = o.to_nid \
               LEFT JOIN event e ON e.event_nid = o.event_nid AND e.redacted_by_nid IS NULL \
               LEFT JOIN event_body b ON b.event_nid = e.event_nid \
               WHERE o.system = $1 AND o.given_up IS NULL AND o.next_ts <= $2 ORDER BY o.ts, o.item LIMIT $3";
    let read = |row: &Row| {
        Ok(ActRow {
            item: row.text(0)?,
            contact: row.text(1)?,
            kind: row.text(2)?,
            ts: row.int(3)?,
            attempt: row.int(4)?,
            by: row.text_opt(5)?,
            to: row.text_opt(6)?,
            room_id: row.text(7)?,
            channel: row.text_opt(8)?.zip(row.text_opt(9)?),
            content: row.blob_opt(10)?,
        })
    };
    source.all(sql, vec![system.into(), now.into(), limit.into()]).await?.iter().map(read).collect()
}

/// Whether a CRM is yet to be told of a contact.
///
/// # Errors
/// See [`Source::all`].
pub async fn is_awaited<S: Source>(source: &mut S, system: &str, contact: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM crm_outbox WHERE system = $1 AND given_up IS NULL AND contact_id IN (SELECT contact_id \
               FROM contact WHERE contact_id = $2 OR redirect_to = $2) LIMIT 1";
    Ok(source.first(sql, vec![system.into(), contact.into()]).await?.is_some())
}

impl Change {
    /// Lays an act down for the CRMs that are told such.
    pub fn tell_crms_act(&mut self, act: CrmAct<'_>) {
        // A note is one act, however often its command is built anew; others happen at most once in a millisecond.
        let number =
            if matches!(act.kind, "note" | "decision") { act.event.unwrap_or(act.ts) } else { act.ts };
        let item = format!("{}-{}-{number}", act.conversation, act.kind);
        let sql = "INSERT INTO crm_item (system, item, conversation_id, kind, event_nid, by_nid, to_nid, ts, attempt, next_ts) \
                   SELECT system, $1, $2, $3, CAST($4 AS BIGINT), CAST($5 AS BIGINT), CAST($6 AS BIGINT), CAST($7 AS BIGINT), \
                   0, CAST($7 AS BIGINT) FROM crm_connector WHERE timeline = 1 ON CONFLICT DO NOTHING";
        let values = vec![
            item.into(),
            act.conversation.into(),
            act.kind.into(),
            act.event.into(),
            act.by.into(),
            act.to.into(),
            act.ts.into(),
        ];
        self.run(sql, values);
    }

    /// A CRM was told of an act, or needs not be.
    pub fn crm_act_told(&mut self, system: &str, item: &str) {
        self.run("DELETE FROM crm_item WHERE system = $1 AND item = $2", vec![system.into(), item.into()]);
    }

    /// A CRM is told of an act later.
    pub fn crm_act_later(&mut self, system: &str, item: &str, next_ts: Ms) {
        let sql = "UPDATE crm_item SET attempt = attempt + 1, next_ts = $3 WHERE system = $1 AND item = $2";
        self.run(sql, vec![system.into(), item.into(), next_ts.into()]);
    }

    /// A CRM is told of an act no more, until somebody says so.
    pub fn crm_act_given_up(&mut self, system: &str, item: &str, why: &str) {
        let sql = "UPDATE crm_item SET given_up = $3 WHERE system = $1 AND item = $2";
        self.run(sql, vec![system.into(), item.into(), why.into()]);
    }

    /// What was given up is told again.
    pub fn crm_acts_again(&mut self, system: &str, now: Ms) {
        let sql = "UPDATE crm_item SET given_up = NULL, attempt = 0, next_ts = $2 WHERE system = $1 AND given_up IS NOT NULL";
        self.run(sql, vec![system.into(), now.into()]);
    }
}
