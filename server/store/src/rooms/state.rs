//! State of rooms at a place, and the two histories that decide who may see what.

use super::cache::Erased;
use crate::db::Source;
use crate::value::{Value, id_set, text_set, triple_set};
use kontor_model::{Nid, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// Numeric ids that a statement gives as `c1`.
async fn nids<S: Source>(source: &mut S, sql: &'static str, values: Vec<Value>) -> Result<Vec<Nid>> {
    source.packed(sql, 1, values).await?.iter().map(|row| row.int(0)).collect()
}

/// Numeric ids of the current state events of rooms, optionally of some types only.
///
/// # Errors
/// See [`Source::all`].
pub async fn current<S: Source>(source: &mut S, rooms: &[Nid], without_members: bool) -> Result<Vec<Nid>> {
    let sql = if without_members {
        "SELECT event_nid AS c1 FROM room_state WHERE room_nid IN ID_SET($1) AND type <> 'm.room.member'"
    } else {
        "SELECT event_nid AS c1 FROM room_state WHERE room_nid IN ID_SET($1)"
    };
    nids(source, sql, vec![id_set(rooms.iter().copied())]).await
}

/// Numeric id of one current state event.
///
/// # Errors
/// See [`Source::all`].
pub async fn current_event<S: Source>(
    source: &mut S,
    room: Nid,
    kind: &str,
    key: &str,
) -> Result<Option<Nid>> {
    let sql = "SELECT s.event_nid FROM room_state s JOIN name k ON k.nid = s.key_nid \
               WHERE s.room_nid = $1 AND s.type = $2 AND k.text = $3";
    let row = source.first(sql, vec![room.into(), kind.into(), key.into()]).await?;
    row.map(|row| row.int(0)).transpose()
}

/// One change of a room's current state.
#[derive(Clone, Debug)]
pub struct StateChange {
    /// The room.
    pub room: Nid,
    /// Event type.
    pub kind: String,
    /// Numeric id of the state key.
    pub key: Nid,
    /// Where it happened.
    pub ord: i64,
    /// The new state event; `None` when resolution took the key out.
    pub event: Option<Nid>,
}

fn read(row: &crate::Row) -> Result<StateChange> {
    Ok(StateChange {
        room: row.int(0)?,
        kind: row.text(1)?,
        key: row.int(2)?,
        ord: row.int(3)?,
        event: row.int_opt(4)?,
    })
}

/// Numeric ids of rooms' state events as they were at a place each (after the event there), given
/// as (room, place); without member events where clients load those lazily. One statement.
///
/// # Errors
/// See [`Source::all`].
pub async fn at<S: Source>(source: &mut S, places: &[(Nid, i64)], without_members: bool) -> Result<Vec<Nid>> {
    macro_rules! state_at {
        ($kinds:literal) => {
            concat!(
                "SELECT c.event_nid AS c1 FROM (SELECT x.room_nid AS room, x.type AS kind, x.key_nid AS key_nid, \
                 max(x.ord) AS newest FROM TRIPLE_SET($1) w JOIN state_change x ON x.room_nid = w.a \
                 AND x.ord <= w.b ",
                $kinds,
                " GROUP BY x.room_nid, x.type, x.key_nid) n JOIN state_change c ON c.room_nid = n.room \
                 AND c.type = n.kind AND c.key_nid = n.key_nid AND c.ord = n.newest \
                 WHERE c.event_nid IS NOT NULL"
            )
        };
    }
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let sql = if without_members { state_at!("AND x.type <> 'm.room.member'") } else { state_at!("") };
    let triples = triple_set(places.iter().map(|(room, ord)| (*room, *ord, 0)));
    nids(source, sql, vec![triples]).await
}

/// One state event as it was at a place.
///
/// # Errors
/// See [`Source::all`].
pub async fn event_at<S: Source>(
    source: &mut S,
    room: Nid,
    kind: &str,
    key: &str,
    ord: i64,
) -> Result<Option<Nid>> {
    let sql = "SELECT c.event_nid FROM state_change c JOIN name k ON k.nid = c.key_nid \
               WHERE c.room_nid = $1 AND c.type = $2 AND k.text = $3 AND c.ord <= $4 ORDER BY c.ord DESC LIMIT 1";
    let row = source.first(sql, vec![room.into(), kind.into(), key.into(), ord.into()]).await?;
    row.map_or(Ok(None), |row| row.int_opt(0))
}

/// Changes of state in parts of rooms, given as (room, after, until), oldest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn changes<S: Source>(source: &mut S, parts: &[(Nid, i64, i64)]) -> Result<Vec<StateChange>> {
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT c.room_nid AS c1, c.type AS c2, c.key_nid AS c3, c.ord AS c4, c.event_nid AS c5 FROM TRIPLE_SET($1) w \
               JOIN state_change c ON c.room_nid = w.a AND c.ord > w.b AND c.ord <= w.c";
    let rows = source.packed(sql, 5, vec![triple_set(parts.iter().copied())]).await?;
    let mut changes: Vec<StateChange> = rows.iter().map(read).collect::<Result<_>>()?;
    changes.sort_unstable_by_key(|change| change.ord);
    Ok(changes)
}

/// One entry of a history: where it began to hold, and the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Place of the event that set it.
    pub ord: i64,
    /// history_visibility or membership.
    pub value: String,
}

/// The two histories that decide what a user may see of a room, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Histories {
    /// Changes of `m.room.history_visibility`.
    pub visibility: Vec<Turn>,
    /// Changes of the user's own membership.
    pub membership: Vec<Turn>,
    /// Whose words are kept from those who join later.
    pub erased: Arc<Erased>,
}

/// The histories of some rooms for one user, in one statement.
///
/// # Errors
/// See [`Source::all`].
pub async fn histories<S: Source>(
    source: &mut S,
    rooms: &[Nid],
    user: Nid,
) -> Result<HashMap<Nid, Histories>> {
    #[derive(serde::Deserialize)]
    struct Skeleton {
        content: Content,
    }
    #[derive(serde::Deserialize)]
    struct Content {
        history_visibility: Option<String>,
        membership: Option<String>,
    }
    let mut found: HashMap<Nid, Histories> = HashMap::new();
    if rooms.is_empty() {
        return Ok(found);
    }
    // The skeleton is enough: redaction keeps both fields, so a redacted event hides nothing more.
    let sql = "SELECT c.room_nid AS c1, c.ord AS c2, 1 AS c3, e.skeleton AS c4 FROM ID_SET($1) w \
               JOIN state_change c ON c.room_nid = w.id AND c.type = 'm.room.member' AND c.key_nid = $2 \
               LEFT JOIN event e ON e.event_nid = c.event_nid \
               UNION ALL SELECT c.room_nid, c.ord, 0, e.skeleton FROM ID_SET($1) w \
               JOIN state_change c ON c.room_nid = w.id AND c.type = 'm.room.history_visibility' \
               JOIN name k ON k.nid = c.key_nid AND k.text = '' \
               LEFT JOIN event e ON e.event_nid = c.event_nid";
    for row in source.packed(sql, 4, vec![id_set(rooms.iter().copied()), user.into()]).await? {
        let skeleton = row.text_opt(3)?.and_then(|text| serde_json::from_str::<Skeleton>(&text).ok());
        let content = skeleton.map(|skeleton| skeleton.content);
        let histories = found.entry(row.int(0)?).or_default();
        let (list, value) = if row.bool(2)? {
            (&mut histories.membership, content.and_then(|content| content.membership))
        } else {
            (&mut histories.visibility, content.and_then(|content| content.history_visibility))
        };
        list.push(Turn { ord: row.int(1)?, value: value.unwrap_or_default() });
    }
    for histories in found.values_mut() {
        histories.membership.sort_unstable_by_key(|turn| turn.ord);
        histories.visibility.sort_unstable_by_key(|turn| turn.ord);
    }
    let erased = Arc::clone(&source.remembered().erased);
    for histories in found.values_mut() {
        histories.erased = Arc::clone(&erased);
    }
    Ok(found)
}

/// Member events (numeric ids) of some users of some rooms, as they are now.
///
/// # Errors
/// See [`Source::all`].
pub async fn member_events<S: Source>(
    source: &mut S,
    rooms: &[Nid],
    users: &[Nid],
) -> Result<Vec<(Nid, Nid, Nid)>> {
    let sql = "SELECT s.room_nid AS c1, s.key_nid AS c2, s.event_nid AS c3 FROM room_state s WHERE s.room_nid IN ID_SET($1) \
               AND s.type = 'm.room.member' AND s.key_nid IN ID_SET($2)";
    let values = vec![id_set(rooms.iter().copied()), id_set(users.iter().copied())];
    let rows = source.packed(sql, 3, values).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?, row.int(2)?))).collect()
}

/// Member events (numeric ids) of some users of a room, as they were at a place.
///
/// # Errors
/// See [`Source::all`].
pub async fn members_at<S: Source>(source: &mut S, room: Nid, users: &[Nid], ord: i64) -> Result<Vec<Nid>> {
    let sql = "SELECT c.event_nid AS c1 FROM (SELECT x.key_nid AS key_nid, max(x.ord) AS newest FROM state_change x \
               WHERE x.room_nid = $1 AND x.type = 'm.room.member' AND x.key_nid IN ID_SET($2) AND x.ord <= $3 \
               GROUP BY x.key_nid) n JOIN state_change c ON c.room_nid = $1 AND c.type = 'm.room.member' \
               AND c.key_nid = n.key_nid AND c.ord = n.newest WHERE c.event_nid IS NOT NULL";
    let values = vec![room.into(), id_set(users.iter().copied()), ord.into()];
    nids(source, sql, values).await
}

/// Current state events of some types (any state key) of some rooms, whole.
///
/// # Errors
/// See [`Source::all`].
pub async fn current_of_types<S: Source>(source: &mut S, rooms: &[Nid], types: &[&str]) -> Result<Vec<Nid>> {
    let sql = "SELECT event_nid AS c1 FROM room_state WHERE room_nid IN ID_SET($1) AND type IN TEXT_SET($2)";
    let values: Vec<Value> = vec![id_set(rooms.iter().copied()), text_set(types)];
    nids(source, sql, values).await
}
