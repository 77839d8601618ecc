//! What is told of rooms to people outside them: name and kind, how many are in, who may enter.

use crate::db::Source;
use crate::value::{Row, Value, id_set, text_set};
use kontor_model::{Ms, Nid, Result};
use std::collections::HashMap;

/// The state of a room, with the empty state key, that a card shows or depends on.
pub const SHOWN: [&str; 9] = [
    "m.room.create",
    "m.room.name",
    "m.room.topic",
    "m.room.avatar",
    "m.room.canonical_alias",
    "m.room.join_rules",
    "m.room.history_visibility",
    "m.room.guest_access",
    "m.room.encryption",
];

/// A room from outside, before anybody asked who may know of it.
#[derive(Clone, Debug)]
pub struct CardRow {
    /// Numeric id.
    pub room: Nid,
    /// Matrix id.
    pub room_id: String,
    /// Its version.
    pub version: String,
    /// Whether the room directory shows it.
    pub published: bool,
    /// Joined members.
    pub joined: i64,
    /// The asker's membership, if there ever was one.
    pub membership: Option<String>,
    /// Content of the state events of [`SHOWN`], JSON, by type.
    pub state: HashMap<String, String>,
}

/// A child of a space, as the space says it.
#[derive(Clone, Debug)]
pub struct ChildRow {
    /// The space.
    pub space: Nid,
    /// The child, a room id.
    pub child: String,
    /// Who added it.
    pub sender: String,
    /// When, by the sender's clock.
    pub origin_ts: Ms,
    /// Content of the event, JSON.
    pub content: String,
}

macro_rules! cards {
    ($which:literal) => {
        concat!(
            "SELECT r.room_nid AS c1, r.room_id AS c2, r.version AS c3, r.published AS c4, m.membership AS c5, \
             (SELECT count(*) FROM membership x WHERE x.room_nid = r.room_nid AND x.membership = 'join') AS c6 \
             FROM room r LEFT JOIN membership m ON m.room_nid = r.room_nid AND m.user_nid = $2 WHERE ",
            $which
        )
    };
}

/// Cards of rooms by Matrix id, for `asker`; in no order, without those that the server does not
/// know. Two statements.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_ids<S: Source, T: AsRef<str>>(
    source: &mut S,
    asker: Nid,
    rooms: &[T],
) -> Result<Vec<CardRow>> {
    let sql = cards!("r.room_id IN TEXT_SET($1)");
    // No room has such an id, and PostgreSQL would not even take the question.
    let possible = rooms.iter().map(AsRef::as_ref).filter(|room| !room.contains('\0'));
    read(source, sql, text_set(possible), asker, rooms.is_empty()).await
}

/// Cards of rooms by numeric id, as [`by_ids`].
///
/// # Errors
/// See [`Source::all`].
pub async fn by_nids<S: Source>(source: &mut S, asker: Nid, rooms: &[Nid]) -> Result<Vec<CardRow>> {
    let sql = cards!("r.room_nid IN ID_SET($1)");
    read(source, sql, id_set(rooms.iter().copied()), asker, rooms.is_empty()).await
}

async fn read<S: Source>(
    source: &mut S,
    sql: &'static str,
    which: Value,
    asker: Nid,
    none: bool,
) -> Result<Vec<CardRow>> {
    if none {
        return Ok(Vec::new());
    }
    let rows = source.packed(sql, 6, vec![which, asker.into()]).await?;
    let mut cards: Vec<CardRow> = rows.iter().map(card).collect::<Result<_>>()?;
    let rooms: HashMap<Nid, usize> = cards.iter().enumerate().map(|(at, card)| (card.room, at)).collect();
    let sql = "SELECT s.room_nid AS c1, s.type AS c2, UTF8(b.ct) AS c3 FROM room_state s \
               JOIN name k ON k.nid = s.key_nid AND k.text = '' JOIN event_body b ON b.event_nid = s.event_nid \
               WHERE s.room_nid IN ID_SET($1) AND s.type IN TEXT_SET($2)";
    for row in source.packed(sql, 3, vec![id_set(rooms.keys().copied()), text_set(SHOWN)]).await? {
        if let Some(card) = rooms.get(&row.int(0)?).and_then(|at| cards.get_mut(*at)) {
            card.state.insert(row.text(1)?, content_alone(row.text(2)?));
        }
    }
    Ok(cards)
}

fn card(row: &Row) -> Result<CardRow> {
    Ok(CardRow {
        room: row.int(0)?,
        room_id: row.text(1)?,
        version: row.text(2)?,
        published: row.bool(3)?,
        membership: row.text_opt(4)?,
        joined: row.int(5)?,
        state: HashMap::new(),
    })
}

/// The content out of a body: what follows a line feed are other fields of the event.
fn content_alone(mut body: String) -> String {
    if let Some(end) = body.find('\n') {
        body.truncate(end);
    }
    body
}

/// Numeric ids of the rooms that the directory shows.
///
/// # Errors
/// See [`Source::all`].
pub async fn published<S: Source>(source: &mut S) -> Result<Vec<Nid>> {
    let sql = "SELECT room_nid AS c1 FROM room WHERE published = 1";
    source.packed(sql, 1, Vec::new()).await?.iter().map(|row| row.int(0)).collect()
}

/// Numeric ids of the rooms that a service shows in the directory of one of its networks.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_network<S: Source>(source: &mut S, service: &str, network: &str) -> Result<Vec<Nid>> {
    let sql = "SELECT room_nid AS c1 FROM network_room WHERE service_id = $1 AND network_id = $2";
    let rows = source.packed(sql, 1, vec![service.into(), network.into()]).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Numeric ids of the rooms that the directory or that of any network shows.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_all_networks<S: Source>(source: &mut S) -> Result<Vec<Nid>> {
    let sql = "SELECT room_nid AS c1 FROM room WHERE published = 1 UNION SELECT room_nid FROM network_room";
    source.packed(sql, 1, Vec::new()).await?.iter().map(|row| row.int(0)).collect()
}

/// The children that spaces name, in no order. One statement.
///
/// # Errors
/// See [`Source::all`].
pub async fn children<S: Source>(source: &mut S, spaces: &[Nid]) -> Result<Vec<ChildRow>> {
    if spaces.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT s.room_nid AS c1, k.text AS c2, n.text AS c3, e.origin_ts AS c4, UTF8(b.ct) AS c5 \
               FROM room_state s JOIN name k ON k.nid = s.key_nid JOIN event e ON e.event_nid = s.event_nid \
               JOIN name n ON n.nid = e.sender_nid JOIN event_body b ON b.event_nid = s.event_nid \
               WHERE s.room_nid IN ID_SET($1) AND s.type = 'm.space.child'";
    let read = |row: &Row| {
        Ok(ChildRow {
            space: row.int(0)?,
            child: row.text(1)?,
            sender: row.text(2)?,
            origin_ts: row.int(3)?,
            content: content_alone(row.text(4)?),
        })
    };
    source.packed(sql, 5, vec![id_set(spaces.iter().copied())]).await?.iter().map(read).collect()
}
