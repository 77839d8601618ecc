//! What the event pipeline reads to judge events of other servers: events with their standing,
//! the state at a place or of a snapshot, and what is waited for.
//!
//! Skeletons, and the content of the few types whose redaction loses what the rules look at.

use crate::db::Source;
use crate::value::{Row, id_set, text_set};
use kontor_model::{Nid, Result};

/// An event as the pipeline knows it.
#[derive(Clone, Debug)]
pub struct ChainRow {
    /// Numeric id.
    pub event: Nid,
    /// Matrix id.
    pub event_id: String,
    /// The room that it is in.
    pub room: Nid,
    /// Place in the room; `None` for rejected and soft-failed events and for those that were only
    /// ever fetched to authorise others.
    pub ord: Option<i64>,
    /// Numeric id of the state key of state events.
    pub state_key: Option<Nid>,
    /// State before it, where the place does not tell.
    pub snapshot: Option<Nid>,
    /// Refused by the authorisation rules.
    pub rejected: bool,
    /// Refused against the current state only.
    pub soft_failed: bool,
    /// The event that redacted it.
    pub redacted_by: Option<Nid>,
    /// The redacted event, canonical JSON.
    pub skeleton: String,
    /// Full content, JSON, of types whose redaction loses what the authorisation rules look at.
    pub content: Option<String>,
}

macro_rules! chain_columns {
    () => {
        "SELECT e.event_nid, e.event_id, e.room_nid, e.ord, e.state_key_nid, e.snapshot_nid, e.rejected, \
         e.soft_failed, e.redacted_by_nid, e.skeleton, b.ct FROM event e LEFT JOIN event_body b \
         ON b.event_nid = e.event_nid AND b.key_nid = 0 AND e.state_key_nid IS NOT NULL AND e.type IN \
         ('m.room.create', 'm.room.power_levels', 'm.room.third_party_invite', 'm.room.member') "
    };
}

fn read(row: &Row) -> Result<ChainRow> {
    Ok(ChainRow {
        event: row.int(0)?,
        event_id: row.text(1)?,
        room: row.int(2)?,
        ord: row.int_opt(3)?,
        state_key: row.int_opt(4)?,
        snapshot: row.int_opt(5)?,
        rejected: row.bool(6)?,
        soft_failed: row.bool(7)?,
        redacted_by: row.int_opt(8)?,
        skeleton: row.text(9)?,
        content: row.blob_opt(10)?.map(body).transpose()?.map(|(content, _)| content),
    })
}

/// Events by Matrix id, of whatever room, in no order; those that are known.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_ids<S: Source>(source: &mut S, ids: &[&str]) -> Result<Vec<ChainRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = concat!(chain_columns!(), "WHERE e.event_id IN TEXT_SET($1)");
    source.all(sql, vec![text_set(ids)]).await?.iter().map(read).collect()
}

/// Events by numeric id, in no order.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_nids<S: Source>(source: &mut S, nids: &[Nid]) -> Result<Vec<ChainRow>> {
    if nids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = concat!(chain_columns!(), "WHERE e.event_nid IN ID_SET($1)");
    source.all(sql, vec![id_set(nids.iter().copied())]).await?.iter().map(read).collect()
}

/// Numeric id of the newest event of a room: whether what a writer stands on has reached the disk.
///
/// # Errors
/// See [`Source::all`].
pub async fn revision<S: Source>(source: &mut S, room: Nid) -> Result<Option<i64>> {
    let sql = "SELECT revision FROM room WHERE room_nid = $1";
    source.first(sql, vec![room.into()]).await?.map(|row| row.int(0)).transpose()
}

/// Why an event is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i64)]
pub enum Why {
    /// A redaction came before the event that it redacts.
    Redaction = 1,
    /// An event that follows it was accepted without it.
    Follower = 2,
}

/// Something that waits for an event.
#[derive(Clone, Debug)]
pub struct AwaitedRow {
    /// The event that has not come.
    pub event_id: String,
    /// Why.
    pub why: Why,
    /// The event that waits.
    pub by: Nid,
}

/// What waits for some events of a room.
///
/// # Errors
/// See [`Source::all`].
pub async fn awaited<S: Source>(source: &mut S, room: Nid, ids: &[&str]) -> Result<Vec<AwaitedRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT event_id, why, by_nid FROM awaited WHERE room_nid = $1 AND event_id IN TEXT_SET($2)";
    let read = |row: &Row| {
        let why = if row.int(1)? == Why::Redaction as i64 { Why::Redaction } else { Why::Follower };
        Ok(AwaitedRow { event_id: row.text(0)?, why, by: row.int(2)? })
    };
    source.all(sql, vec![room.into(), text_set(ids)]).await?.iter().map(read).collect()
}

/// An event with all that another server may be sent.
#[derive(Clone, Debug)]
pub struct WholeRow {
    /// Matrix id.
    pub event_id: String,
    /// The room.
    pub room: Nid,
    /// The redacted event, canonical JSON.
    pub skeleton: String,
    /// Content and the top-level fields that redaction drops; `None` when the body was destroyed.
    pub body: Option<(String, Option<String>)>,
    /// Whether it was redacted.
    pub redacted: bool,
}

/// Whole events by Matrix id, in no order. Rejected ones are never among them.
///
/// # Errors
/// See [`Source::all`].
pub async fn whole<S: Source>(source: &mut S, ids: &[&str]) -> Result<Vec<WholeRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT e.event_id, e.room_nid, e.skeleton, b.ct, e.redacted_by_nid FROM event e \
               LEFT JOIN event_body b ON b.event_nid = e.event_nid AND b.key_nid = 0 \
               WHERE e.rejected = 0 AND e.event_id IN TEXT_SET($1)";
    let read = |row: &Row| {
        Ok(WholeRow {
            event_id: row.text(0)?,
            room: row.int(1)?,
            skeleton: row.text(2)?,
            body: row.blob_opt(3)?.map(body).transpose()?,
            redacted: row.int_opt(4)?.is_some(),
        })
    };
    source.all(sql, vec![text_set(ids)]).await?.iter().map(read).collect()
}

/// Content, and after a line feed the fields that redaction drops. Canonical JSON has no line feed.
fn body(ct: Vec<u8>) -> Result<(String, Option<String>)> {
    let text = String::from_utf8(ct).map_err(kontor_model::Error::internal)?;
    Ok(match text.split_once('\n') {
        Some((content, extra)) => (content.to_owned(), Some(extra.to_owned())),
        None => (text, None),
    })
}
