//! Events: written as skeleton and body, read with everything that a client may be shown.

use crate::change::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, Value, id_set, text_set, triple_set};
use kontor_model::{Error, Ms, Nid, Result};
use serde_json::value::RawValue;
use std::sync::Arc;

/// An event to be written.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    /// Numeric id, from [`crate::Store::nid`].
    pub event: Nid,
    /// Matrix id.
    pub event_id: &'a str,
    /// The room.
    pub room: Nid,
    /// Position and place of a live event; `None` for events that never were news.
    pub pos: Option<Value>,
    /// Place in the room; `None` for rejected and soft-failed events.
    pub ord: Option<Value>,
    /// Depth, for hashing only.
    pub depth: i64,
    /// Event type.
    pub kind: &'a str,
    /// Who sent it.
    pub sender: Nid,
    /// State key of state events.
    pub state_key: Option<Nid>,
    /// The state event that it replaced.
    pub replaces: Option<Nid>,
    /// State before it, where its place does not tell.
    pub snapshot: Option<Nid>,
    /// The sender's time.
    pub origin_ts: Ms,
    /// When it came here.
    pub received_ts: Ms,
    /// The age that retention counts from.
    pub retention_ts: Ms,
    /// Refused by the authorisation rules.
    pub rejected: bool,
    /// Refused against the current state only.
    pub soft_failed: bool,
    /// The event that it relates to, and how.
    pub relation: Option<(&'a str, &'a str)>,
    /// Bits: 1 counts as unread, 2 highlights for everybody.
    pub notifies: i64,
    /// The redacted event, canonical JSON.
    pub skeleton: String,
    /// Full content, canonical JSON.
    pub content: &'a str,
    /// Top-level fields that redaction drops, JSON.
    pub extra: Option<&'a str>,
}

/// Membership row of a user in a room.
#[derive(Clone, Debug)]
pub struct NewMembership<'a> {
    /// The room.
    pub room: Nid,
    /// Whose membership.
    pub user: Nid,
    /// join, invite, knock, leave, ban.
    pub membership: &'a str,
    /// The member event.
    pub event: Nid,
    /// Its position.
    pub pos: Value,
    /// Who sent it.
    pub sender: Nid,
}

fn body(content: &str, extra: Option<&str>) -> Vec<u8> {
    let mut ct = Vec::with_capacity(content.len() + extra.map_or(0, |extra| extra.len() + 1));
    ct.extend_from_slice(content.as_bytes());
    if let Some(extra) = extra {
        ct.push(b'\n');
        ct.extend_from_slice(extra.as_bytes());
    }
    ct
}

impl Change {
    /// Adds an event.
    pub fn add_event(&mut self, event: NewEvent<'_>) {
        let none = || Value::Int(None);
        self.insert(
            Table::Event,
            vec![
                event.event.into(),
                event.event_id.into(),
                event.room.into(),
                event.pos.unwrap_or_else(none),
                event.ord.unwrap_or_else(none),
                event.depth.into(),
                event.kind.into(),
                event.sender.into(),
                event.state_key.into(),
                event.replaces.into(),
                event.snapshot.into(),
                event.origin_ts.into(),
                event.received_ts.into(),
                event.retention_ts.into(),
                event.rejected.into(),
                event.soft_failed.into(),
                none(),
                event.relation.map(|(id, _)| id).into(),
                event.relation.map(|(_, how)| how).into(),
                event.notifies.into(),
                event.skeleton.into(),
            ],
        );
        self.insert(
            Table::EventBody,
            vec![event.event.into(), 0.into(), Value::Blob(None), body(event.content, event.extra).into()],
        );
    }

    /// Sets a membership. What the user's push rules make of the room is kept; `forgotten` ends.
    pub fn set_membership(&mut self, row: NewMembership<'_>) {
        self.insert(
            Table::Membership,
            vec![
                row.room.into(),
                row.user.into(),
                row.membership.into(),
                row.event.into(),
                row.pos.clone(),
                row.pos,
                row.sender.into(),
                false.into(),
            ],
        );
    }

    /// Replaces an event's body by what redaction leaves and remembers the redaction. The event no
    /// longer counts as unread.
    pub fn redact_event(&mut self, target: Nid, redaction: Nid, content_left: &str) {
        self.run(
            "UPDATE event SET redacted_by_nid = $2, notifies = 0 WHERE event_nid = $1",
            vec![target.into(), redaction.into()],
        );
        let ct = body(content_left, None);
        self.insert(Table::EventBody, vec![target.into(), 0.into(), Value::Blob(None), ct.into()]);
    }

    /// Remembers what a transaction id did. A second row of the same key refuses the change.
    pub fn remember_txn(&mut self, txn: NewTxn<'_>) {
        self.insert(
            Table::SentTxn,
            vec![
                txn.user.into(),
                txn.scope.into(),
                txn.digest.into(),
                txn.txn_id.into(),
                txn.event.into(),
                txn.event_id.into(),
                txn.until_ts.into(),
            ],
        );
    }
}

/// What a transaction id did.
#[derive(Clone, Debug)]
pub struct NewTxn<'a> {
    /// Who sent.
    pub user: Nid,
    /// Device id, or the application service.
    pub scope: &'a str,
    /// SHA-256 of the request path.
    pub digest: &'a [u8],
    /// The transaction id.
    pub txn_id: &'a str,
    /// The event that it made.
    pub event: Nid,
    /// Its Matrix id.
    pub event_id: &'a str,
    /// When it may be forgotten.
    pub until_ts: Ms,
}

/// The event that a repeated request made the first time.
///
/// # Errors
/// See [`Source::all`].
pub async fn sent<S: Source>(
    source: &mut S,
    user: Nid,
    scope: &str,
    digest: &[u8],
) -> Result<Option<String>> {
    let sql = "SELECT event_id FROM sent_txn WHERE user_nid = $1 AND scope = $2 AND digest = $3";
    let row = source.first(sql, vec![user.into(), scope.into(), digest.into()]).await?;
    row.map(|row| row.text(0)).transpose()
}

/// An event as the archive has it, before anybody asked who may see it.
///
/// Not serialisable on purpose: only what `rooms::view` makes of it may leave the house.
#[derive(Clone, Debug)]
pub struct EventRow {
    /// Numeric id.
    pub event: Nid,
    /// Matrix id.
    pub event_id: String,
    /// The room.
    pub room: Nid,
    /// Place in the room.
    pub ord: Option<i64>,
    /// Event type.
    pub kind: String,
    /// Numeric id of the sender.
    pub sender_nid: Nid,
    /// The sender.
    pub sender: String,
    /// State key of state events.
    pub state_key: Option<String>,
    /// The sender's time, milliseconds.
    pub origin_ts: Ms,
    /// The age that retention counts from.
    pub retention_ts: Ms,
    /// The event that redacted it.
    pub redacted_by: Option<Nid>,
    /// Content.
    pub content: Box<RawValue>,
    /// Top-level fields that redaction drops, one JSON object.
    pub extra: Option<String>,
    /// The state event that it replaced: id, sender, content.
    pub replaces: Option<Replaced>,
    /// The transaction id by which the asking device sent it.
    pub txn_id: Option<String>,
    /// The event that it relates to, and how.
    pub relates_to: Option<(String, String)>,
}

/// The state event that another one replaced.
#[derive(Clone, Debug)]
pub struct Replaced {
    /// Matrix id.
    pub event_id: String,
    /// Place in the room.
    pub ord: Option<i64>,
    /// The event that redacted it.
    pub redacted_by: Option<Nid>,
    /// Content.
    pub content: Box<RawValue>,
}

/// The columns of [`EventRow`]; `$1`, `$2` are the asking user and device (for transaction ids).
macro_rules! event_columns {
    () => {
        "SELECT e.event_nid AS c1, e.event_id AS c2, e.room_nid AS c3, e.ord AS c4, e.type AS c5, \
         e.sender_nid AS c6, s.text AS c7, k.text AS c8, e.origin_ts AS c9, e.retention_ts AS c10, \
         e.redacted_by_nid AS c11, UTF8(b.ct) AS c12, r.event_id AS c13, r.ord AS c14, UTF8(rb.ct) AS c15, \
         t.txn_id AS c16, e.relates_to AS c17, e.rel_type AS c18, r.redacted_by_nid AS c19 "
    };
}

/// How many they are.
const COLUMNS: usize = 19;

/// The tables that [`event_columns!`] reads, given `e`. Transactions are found by event, never by the
/// device that sent: it may have sent hundreds of thousands.
macro_rules! event_joins {
    () => {
        " JOIN name s ON s.nid = e.sender_nid LEFT JOIN name k ON k.nid = e.state_key_nid \
         LEFT JOIN event_body b ON b.event_nid = e.event_nid \
         LEFT JOIN event r ON r.event_nid = e.replaces_nid \
         LEFT JOIN event_body rb ON rb.event_nid = e.replaces_nid \
         LEFT JOIN sent_txn t ON t.event_nid = e.event_nid AND t.user_nid + 0 = $1 AND t.scope || '' = $2 "
    };
}

/// Content and, after a line feed, what redaction would drop besides.
fn split_body(mut text: String) -> Result<(Box<RawValue>, Option<String>)> {
    let mut extra = None;
    if let Some(end) = text.find('\n') {
        extra = text.get(end + 1..).map(str::to_owned);
        text.truncate(end);
    }
    Ok((RawValue::from_string(text).map_err(Error::internal)?, extra))
}

fn read(row: &Row) -> Result<EventRow> {
    // A body that was destroyed leaves the event empty, never the answer broken.
    let (content, extra) = split_body(row.text_opt(11)?.unwrap_or_else(|| "{}".to_owned()))?;
    let replaces = match row.text_opt(12)? {
        Some(event_id) => Some(Replaced {
            event_id,
            ord: row.int_opt(13)?,
            redacted_by: row.int_opt(18)?,
            content: split_body(row.text_opt(14)?.unwrap_or_else(|| "{}".to_owned()))?.0,
        }),
        None => None,
    };
    Ok(EventRow {
        event: row.int(0)?,
        event_id: row.text(1)?,
        room: row.int(2)?,
        ord: row.int_opt(3)?,
        kind: row.text(4)?,
        sender_nid: row.int(5)?,
        sender: row.text(6)?,
        state_key: row.text_opt(7)?,
        origin_ts: row.int(8)?,
        retention_ts: row.int(9)?,
        redacted_by: row.int_opt(10)?,
        content,
        extra,
        replaces,
        txn_id: row.text_opt(15)?,
        relates_to: row.text_opt(16)?.zip(row.text_opt(17)?),
    })
}

async fn read_all<S: Source>(source: &mut S, sql: &'static str, values: Vec<Value>) -> Result<Vec<EventRow>> {
    source.packed(sql, COLUMNS, values).await?.iter().map(read).collect()
}

/// Who asks, for the transaction ids of own events.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The user.
    pub user: Nid,
    /// The device.
    pub device: &'a str,
}

impl Asker<'_> {
    fn values(self) -> Vec<Value> {
        vec![self.user.into(), self.device.into()]
    }
}

/// Events by Matrix id, in no order. Rejected and soft-failed ones are left out.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_ids<S: Source>(source: &mut S, asker: Asker<'_>, ids: &[&str]) -> Result<Vec<EventRow>> {
    let sql = concat!(
        event_columns!(),
        "FROM event e",
        event_joins!(),
        "WHERE e.event_id IN TEXT_SET($3) AND e.ord IS NOT NULL"
    );
    let mut values = asker.values();
    values.push(text_set(ids));
    read_all(source, sql, values).await
}

/// Events by numeric id, in no order.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_nids<S: Source>(
    source: &mut S,
    asker: Asker<'_>,
    nids: &[Nid],
) -> Result<Vec<Arc<EventRow>>> {
    super::cache::events(source, asker, nids).await
}

/// Events by numeric id from the archive itself.
pub(super) async fn read_by_nids<S: Source>(
    source: &mut S,
    asker: Asker<'_>,
    nids: &[Nid],
) -> Result<Vec<EventRow>> {
    if nids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = concat!(event_columns!(), "FROM event e", event_joins!(), "WHERE e.event_nid IN ID_SET($3)");
    let mut values = asker.values();
    values.push(id_set(nids.iter().copied()));
    read_all(source, sql, values).await
}

/// The events at places of rooms, given as (room, place), oldest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn at_places<S: Source>(source: &mut S, places: &[(Nid, i64)]) -> Result<Vec<EventRow>> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let sql = concat!(
        event_columns!(),
        "FROM TRIPLE_SET($3) w JOIN event e ON e.room_nid = w.a AND e.ord = w.b",
        event_joins!()
    );
    let mut values = Asker { user: 0, device: "" }.values();
    values.push(triple_set(places.iter().map(|(room, ord)| (*room, *ord, 0))));
    let mut rows = read_all(source, sql, values).await?;
    rows.sort_unstable_by_key(|row| row.ord);
    Ok(rows)
}

/// A page of a room's timeline.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The room.
    pub room: Nid,
    /// Places after this one …
    pub after: i64,
    /// … and up to this one.
    pub until: i64,
    /// At most so many.
    pub limit: i64,
}

/// The newest events of a part of a room, newest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn backward<S: Source>(source: &mut S, asker: Asker<'_>, page: Page) -> Result<Vec<EventRow>> {
    let sql = concat!(
        event_columns!(),
        "FROM event e",
        event_joins!(),
        "WHERE e.room_nid = $3 AND e.ord > $4 AND e.ord <= $5 ORDER BY e.ord DESC LIMIT $6"
    );
    let mut rows = paged(source, sql, asker, page).await?;
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.ord));
    Ok(rows)
}

/// The oldest events of a part of a room, oldest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn forward<S: Source>(source: &mut S, asker: Asker<'_>, page: Page) -> Result<Vec<EventRow>> {
    let sql = concat!(
        event_columns!(),
        "FROM event e",
        event_joins!(),
        "WHERE e.room_nid = $3 AND e.ord > $4 AND e.ord <= $5 ORDER BY e.ord LIMIT $6"
    );
    let mut rows = paged(source, sql, asker, page).await?;
    rows.sort_unstable_by_key(|row| row.ord);
    Ok(rows)
}

// Sorted once more by the callers: packing promises no order.
async fn paged<S: Source>(
    source: &mut S,
    sql: &'static str,
    asker: Asker<'_>,
    page: Page,
) -> Result<Vec<EventRow>> {
    let mut values = asker.values();
    values.extend([page.room.into(), page.after.into(), page.until.into(), page.limit.into()]);
    read_all(source, sql, values).await
}

/// The newest `limit` events of each room in `(after, until]`, newest first within a room; rooms as
/// triples of room, `after`, `until`. One statement for any number of rooms.
///
/// # Errors
/// See [`Source::all`].
pub async fn newest_of_each<S: Source>(
    source: &mut S,
    asker: Asker<'_>,
    rooms: &[(Nid, i64, i64)],
    limit: i64,
) -> Result<Vec<Arc<EventRow>>> {
    let nids = newest_nids(source, rooms, limit).await?;
    let mut rows = by_nids(source, asker, &nids).await?;
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.ord));
    Ok(rows)
}

/// Numeric ids of what [`newest_of_each`] gives, in no order.
pub(super) async fn newest_nids<S: Source>(
    source: &mut S,
    rooms: &[(Nid, i64, i64)],
    limit: i64,
) -> Result<Vec<Nid>> {
    if rooms.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT e.event_nid AS c1 FROM TRIPLE_SET($1) w JOIN event e ON e.event_nid AMONG_FIRST (\
               SELECT x.event_nid FROM event x WHERE x.room_nid = w.a AND x.ord > w.b AND x.ord <= w.c \
               ORDER BY x.ord DESC LIMIT $2) END_FIRST";
    let found = source.packed(sql, 1, vec![triple_set(rooms.iter().copied()), limit.into()]).await?;
    found.iter().map(|row| row.int(0)).collect()
}

/// The whole current state of rooms; without member events where clients load those lazily.
///
/// # Errors
/// See [`Source::all`].
pub async fn current_state<S: Source>(
    source: &mut S,
    asker: Asker<'_>,
    rooms: &[Nid],
    without_members: bool,
) -> Result<Vec<Arc<EventRow>>> {
    let nids = super::state::current(source, rooms, without_members).await?;
    by_nids(source, asker, &nids).await
}
