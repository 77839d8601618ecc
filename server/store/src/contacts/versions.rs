//! What redactions and edits hid in customers' rooms.

use crate::Change;
use crate::db::Source;
use kontor_model::{Ms, Nid, Result};

/// An earlier form of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRow {
    /// The event.
    pub event_id: String,
    /// Its type.
    pub kind: String,
    /// Who sent it.
    pub sender: String,
    /// When it was sent.
    pub sent_ts: Ms,
    /// What it said, JSON; bytes after a line feed are not part of it.
    pub content: Vec<u8>,
    /// When it was hidden, and by whom; `None` for an event that stands.
    pub hidden: Option<(Ms, String)>,
}

fn read(row: &crate::Row) -> Result<VersionRow> {
    let hidden = match (row.int_opt(5)?, row.text_opt(6)?) {
        (Some(ts), Some(by)) => Some((ts, by)),
        _ => None,
    };
    Ok(VersionRow {
        event_id: row.text(0)?,
        kind: row.text(1)?,
        sender: row.text(2)?,
        sent_ts: row.int(3)?,
        content: row.blob(4)?,
        hidden,
    })
}

/// All that an event of a room ever said: what redactions took out of it, what it says now, and the same
/// of its edits; in the order in which it was said.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_event<S: Source>(
    source: &mut S,
    room: Nid,
    event_id: &str,
    limit: i64,
) -> Result<Vec<VersionRow>> {
    let sql = "SELECT e.event_id, e.type, s.text, e.origin_ts, w.ct, w.ts, a.text FROM event e \
               JOIN name s ON s.nid = e.sender_nid JOIN (\
               SELECT event_nid, n, ct, ts, actor_nid FROM event_version UNION ALL \
               SELECT event_nid, 0, ct, NULL, NULL FROM event_body) w ON w.event_nid = e.event_nid \
               LEFT JOIN name a ON a.nid = w.actor_nid \
               WHERE e.room_nid = $1 AND (e.event_id = $2 OR (e.relates_to = $2 AND e.rel_type = 'm.replace')) \
               AND (w.n > 0 OR e.redacted_by_nid IS NULL) ORDER BY e.ord, w.n LIMIT $3";
    let values = vec![room.into(), event_id.into(), limit.into()];
    source.all(sql, values).await?.iter().map(read).collect()
}

/// What redactions took out of a room, the last one first.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_room<S: Source>(source: &mut S, room: Nid, limit: i64) -> Result<Vec<VersionRow>> {
    let sql = "SELECT e.event_id, e.type, s.text, e.origin_ts, w.ct, w.ts, a.text FROM event_version w \
               JOIN event e ON e.event_nid = w.event_nid JOIN name s ON s.nid = e.sender_nid \
               JOIN name a ON a.nid = w.actor_nid WHERE w.room_nid = $1 ORDER BY w.ts DESC, w.event_nid DESC LIMIT $2";
    source.all(sql, vec![room.into(), limit.into()]).await?.iter().map(read).collect()
}

impl Change {
    /// Keeps what an event says before a redaction in the same change takes it out.
    pub fn keep_version(&mut self, event: Nid, actor: Nid, now: Ms) {
        let sql = "INSERT INTO event_version (event_nid, n, room_nid, ts, actor_nid, key_nid, nonce, ct) \
                   SELECT b.event_nid, 1 + (SELECT count(*) FROM event_version o WHERE o.event_nid = $1), \
                   e.room_nid, $2, $3, b.key_nid, b.nonce, b.ct FROM event_body b \
                   JOIN event e ON e.event_nid = b.event_nid WHERE b.event_nid = $1";
        self.run(sql, vec![event.into(), now.into(), actor.into()]);
    }
}
