//! What following the log needs to know to tell people of events: the events themselves, who in
//! their rooms has pushers, and how rooms and people are called.

use crate::db::Source;
use crate::value::{Row, id_set, triple_set};
use kontor_model::{Ms, Nid, Result};

/// An event that is news.
#[derive(Clone, Debug)]
pub struct News {
    /// Numeric id.
    pub event: Nid,
    /// Matrix id.
    pub event_id: String,
    /// The room.
    pub room: Nid,
    /// Its Matrix id.
    pub room_id: String,
    /// Place in the room: its position.
    pub ord: i64,
    /// Event type.
    pub kind: String,
    /// Numeric id of the sender.
    pub sender_nid: Nid,
    /// The sender.
    pub sender: String,
    /// State key of state events.
    pub state_key: Option<String>,
    /// When it came here.
    pub received_ts: Ms,
    /// Whether it was redacted meanwhile.
    pub redacted: bool,
    /// Content, JSON.
    pub content: String,
}

/// The text up to a line feed: what follows are other fields of the event.
fn content_alone(mut body: String) -> String {
    if let Some(end) = body.find('\n') {
        body.truncate(end);
    }
    body
}

fn read(row: &Row) -> Result<News> {
    Ok(News {
        event: row.int(0)?,
        event_id: row.text(1)?,
        room: row.int(2)?,
        room_id: row.text(3)?,
        ord: row.int(4)?,
        kind: row.text(5)?,
        sender_nid: row.int(6)?,
        sender: row.text(7)?,
        state_key: row.text_opt(8)?,
        received_ts: row.int(9)?,
        redacted: row.int_opt(10)?.is_some(),
        content: row.text_opt(11)?.map_or_else(|| "{}".to_owned(), content_alone),
    })
}

/// The events at places of rooms, given as (room, position), oldest first. One statement.
///
/// # Errors
/// See [`Source::all`].
pub async fn at<S: Source>(source: &mut S, places: &[(Nid, i64)]) -> Result<Vec<News>> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT e.event_nid AS c1, e.event_id AS c2, e.room_nid AS c3, r.room_id AS c4, e.ord AS c5, \
               e.type AS c6, e.sender_nid AS c7, s.text AS c8, k.text AS c9, e.received_ts AS c10, \
               e.redacted_by_nid AS c11, UTF8(b.ct) AS c12 FROM TRIPLE_SET($1) w \
               JOIN event e ON e.room_nid = w.a AND e.ord = w.b JOIN room r ON r.room_nid = e.room_nid \
               JOIN name s ON s.nid = e.sender_nid LEFT JOIN name k ON k.nid = e.state_key_nid \
               LEFT JOIN event_body b ON b.event_nid = e.event_nid";
    let places = triple_set(places.iter().map(|(room, ord)| (*room, *ord, 0)));
    let rows: Result<Vec<_>> = source.packed(sql, 12, vec![places]).await?.iter().map(read).collect();
    let mut rows = rows?;
    rows.sort_unstable_by_key(|news| news.ord);
    Ok(rows)
}

/// A member of a room who has pushers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hearer {
    /// The user.
    pub user: Nid,
    /// Matrix id.
    pub user_id: String,
    /// Place of the last change of the membership, of the name too.
    pub ord: i64,
    /// Whether the user ever changed the push rules.
    pub own_rules: bool,
}

/// The joined members of a room who have pushers.
///
/// # Errors
/// See [`Source::all`].
pub async fn hearers<S: Source>(source: &mut S, room: Nid) -> Result<Vec<Hearer>> {
    let sql = "SELECT m.user_nid AS c1, n.text AS c2, m.ord AS c3, \
               CASE WHEN a.user_nid IS NULL THEN 0 ELSE 1 END AS c4 FROM membership m \
               JOIN name n ON n.nid = m.user_nid LEFT JOIN account_data a ON a.user_nid = m.user_nid \
               AND a.room_nid = 0 AND a.type = 'm.push_rules' \
               WHERE m.room_nid = $1 AND m.membership = 'join' \
               AND EXISTS (SELECT 1 FROM pusher p WHERE p.user_nid = m.user_nid)";
    let read = |row: &Row| {
        Ok(Hearer { user: row.int(0)?, user_id: row.text(1)?, ord: row.int(2)?, own_rules: row.bool(3)? })
    };
    source.packed(sql, 4, vec![room.into()]).await?.iter().map(read).collect()
}

/// How many have joined a room.
///
/// # Errors
/// See [`Source::all`].
pub async fn joined<S: Source>(source: &mut S, room: Nid) -> Result<i64> {
    let sql = "SELECT count(*) FROM membership WHERE room_nid = $1 AND membership = 'join'";
    source.first(sql, vec![room.into()]).await?.map_or(Ok(0), |row| row.int(0))
}

/// Rooms that a user is invited to.
///
/// # Errors
/// See [`Source::all`].
pub async fn invitations<S: Source>(source: &mut S, user: Nid) -> Result<Vec<Nid>> {
    let sql = "SELECT room_nid AS c1 FROM membership WHERE user_nid = $1 AND membership = 'invite'";
    source.packed(sql, 1, vec![user.into()]).await?.iter().map(|row| row.int(0)).collect()
}

/// Contents of what a room and one of its members are called, as pairs of event type and JSON:
/// `m.room.name`, `m.room.canonical_alias` and the `m.room.member` of that member.
///
/// # Errors
/// See [`Source::all`].
pub async fn called<S: Source>(source: &mut S, room: Nid, member: Nid) -> Result<Vec<(String, String)>> {
    let sql = "SELECT s.type AS c1, UTF8(b.ct) AS c2 FROM room_state s \
               JOIN event_body b ON b.event_nid = s.event_nid WHERE s.room_nid = $1 \
               AND s.type IN ('m.room.name', 'm.room.canonical_alias') UNION ALL \
               SELECT s.type, UTF8(b.ct) FROM room_state s JOIN event_body b ON b.event_nid = s.event_nid \
               WHERE s.room_nid = $1 AND s.type = 'm.room.member' AND s.key_nid = $2";
    let rows = source.packed(sql, 2, vec![room.into(), member.into()]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, content_alone(row.text(1)?)))).collect()
}

/// Whom users ignore: the content of `m.ignored_user_list`, JSON, of those who have one.
///
/// # Errors
/// See [`Source::all`].
pub async fn ignored_lists<S: Source>(source: &mut S, users: &[Nid]) -> Result<Vec<(Nid, String)>> {
    let sql = "SELECT user_nid AS c1, content AS c2 FROM account_data WHERE user_nid IN ID_SET($1) \
               AND room_nid = 0 AND type = 'm.ignored_user_list'";
    let rows = source.packed(sql, 2, vec![id_set(users.iter().copied())]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect()
}
