//! What must be known of an event before it is redacted.

use crate::db::Source;
use kontor_model::{Nid, Result};

/// An event that somebody wants to redact.
#[derive(Clone, Debug)]
pub struct Target {
    /// Numeric id.
    pub event: Nid,
    /// Matrix id.
    pub event_id: String,
    /// The room.
    pub room: Nid,
    /// Event type.
    pub kind: String,
    /// The sender.
    pub sender: String,
    /// The event as redaction leaves it, canonical JSON.
    pub skeleton: String,
    /// Whether it was redacted before.
    pub redacted: bool,
}

/// The event with a Matrix id, unless it was refused when it came.
///
/// # Errors
/// See [`Source::all`].
pub async fn target<S: Source>(source: &mut S, event_id: &str) -> Result<Option<Target>> {
    let sql = "SELECT e.event_nid, e.event_id, e.room_nid, e.type, s.text, e.skeleton, e.redacted_by_nid \
               FROM event e JOIN name s ON s.nid = e.sender_nid WHERE e.event_id = $1 AND e.ord IS NOT NULL";
    let row = source.first(sql, vec![event_id.into()]).await?;
    let read = |row: crate::Row| {
        Ok(Target {
            event: row.int(0)?,
            event_id: row.text(1)?,
            room: row.int(2)?,
            kind: row.text(3)?,
            sender: row.text(4)?,
            skeleton: row.text(5)?,
            redacted: row.int_opt(6)?.is_some(),
        })
    };
    row.map(read).transpose()
}

/// Contents of the annotations of one type that a user gave an event of the same room and did not take back.
///
/// # Errors
/// See [`Source::all`].
pub async fn annotations<S: Source>(
    source: &mut S,
    room_id: &str,
    target: &str,
    kind: &str,
    sender: Nid,
) -> Result<Vec<Vec<u8>>> {
    let sql = "SELECT b.ct FROM event e JOIN event_body b ON b.event_nid = e.event_nid \
               JOIN room r ON r.room_nid = e.room_nid \
               WHERE e.relates_to = $1 AND e.rel_type = 'm.annotation' AND e.type = $2 AND r.room_id = $4 \
               AND e.sender_nid = $3 AND e.redacted_by_nid IS NULL AND e.ord IS NOT NULL";
    let rows = source.all(sql, vec![target.into(), kind.into(), sender.into(), room_id.into()]).await?;
    rows.iter().map(|row| row.blob(0)).collect()
}
