//! What the index is made from: events that hold a text, and those that take one away.

use crate::db::Source;
use crate::value::{Row, Value, text_set};
use kontor_model::{Nid, Result};

/// An event as the follower of the log reads it.
#[derive(Clone, Debug)]
pub struct FeedEvent {
    /// Matrix id.
    pub event_id: String,
    /// The room.
    pub room: Nid,
    /// Its place there.
    pub ord: i64,
    /// Event type.
    pub kind: String,
    /// Numeric id of the sender.
    pub sender: Nid,
    /// State key of state events.
    pub state_key: Option<String>,
    /// Whether it was redacted.
    pub redacted: bool,
    /// The event that it relates to, and how.
    pub relates_to: Option<(String, String)>,
    /// Content, JSON.
    pub content: String,
    /// Top-level fields that redaction drops, one JSON object.
    pub extra: Option<String>,
}

macro_rules! feed {
    ($from:literal) => {
        concat!(
            "SELECT e.event_id AS c1, e.room_nid AS c2, e.ord AS c3, e.type AS c4, e.sender_nid AS c5, k.text AS c6, \
             e.redacted_by_nid AS c7, e.relates_to AS c8, e.rel_type AS c9, UTF8(b.ct) AS c10 FROM ",
            $from
        )
    };
}

macro_rules! joins {
    () => {
        " JOIN event_body b ON b.event_nid = e.event_nid LEFT JOIN name k ON k.nid = e.state_key_nid "
    };
}

/// Types of the events that matter.
macro_rules! kinds {
    () => {
        "e.type IN ('m.room.message', 'm.room.name', 'm.room.topic', 'm.room.redaction') "
    };
}

fn read(row: &Row) -> Result<FeedEvent> {
    let mut content = row.text(9)?;
    let mut extra = None;
    if let Some(end) = content.find('\n') {
        extra = content.get(end + 1..).map(str::to_owned);
        content.truncate(end);
    }
    Ok(FeedEvent {
        event_id: row.text(0)?,
        room: row.int(1)?,
        ord: row.int(2)?,
        kind: row.text(3)?,
        sender: row.int(4)?,
        state_key: row.text_opt(5)?,
        redacted: row.int_opt(6)?.is_some(),
        relates_to: row.text_opt(7)?.zip(row.text_opt(8)?),
        content,
        extra,
    })
}

async fn read_all<S: Source>(
    source: &mut S,
    sql: &'static str,
    values: Vec<Value>,
) -> Result<Vec<FeedEvent>> {
    let mut events: Vec<FeedEvent> =
        source.packed(sql, 10, values).await?.iter().map(read).collect::<Result<_>>()?;
    events.sort_unstable_by_key(|event| event.ord);
    Ok(events)
}

/// The first and the last of the next positions after one, at most `limit` of them. The first is not
/// the very next one when the log was pruned.
///
/// # Errors
/// See [`Source::all`].
pub async fn next_positions<S: Source>(source: &mut S, after: i64, limit: i64) -> Result<Option<(i64, i64)>> {
    let sql = "SELECT min(position), max(position) FROM (SELECT position FROM stream_log WHERE position > $1 \
               ORDER BY position LIMIT $2) next";
    let row = source.first(sql, vec![after.into(), limit.into()]).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(row.int_opt(0)?.zip(row.int_opt(1)?))
}

/// Events that became news at positions in `(after, until]`, oldest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn at_positions<S: Source>(source: &mut S, after: i64, until: i64) -> Result<Vec<FeedEvent>> {
    let sql = concat!(
        feed!("stream_log l JOIN event e ON e.room_nid = l.room_nid AND e.ord = l.position"),
        joins!(),
        "WHERE l.position > $1 AND l.position <= $2 AND l.stream = 1 AND ",
        kinds!()
    );
    read_all(source, sql, vec![after.into(), until.into()]).await
}

/// Events of a room at places in `(after, until]`, oldest first, at most `limit`.
///
/// # Errors
/// See [`Source::all`].
pub async fn in_room<S: Source>(
    source: &mut S,
    room: Nid,
    after: i64,
    until: i64,
    limit: i64,
) -> Result<Vec<FeedEvent>> {
    let sql = concat!(
        feed!("event e"),
        joins!(),
        "WHERE e.room_nid = $1 AND e.ord > $2 AND e.ord <= $3 AND ",
        kinds!(),
        "ORDER BY e.ord LIMIT $4"
    );
    read_all(source, sql, vec![room.into(), after.into(), until.into(), limit.into()]).await
}

/// The events with these Matrix ids that have a place.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_ids<S: Source>(source: &mut S, ids: &[&str]) -> Result<Vec<FeedEvent>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = concat!(feed!("event e"), joins!(), "WHERE e.event_id IN TEXT_SET($1) AND e.ord IS NOT NULL");
    read_all(source, sql, vec![text_set(ids)]).await
}

/// The first room after this one, by numeric id.
///
/// # Errors
/// See [`Source::all`].
pub async fn next_room<S: Source>(source: &mut S, after: Nid) -> Result<Option<Nid>> {
    let sql = "SELECT room_nid FROM room WHERE room_nid > $1 ORDER BY room_nid LIMIT 1";
    source.first(sql, vec![after.into()]).await?.map(|row| row.int(0)).transpose()
}
