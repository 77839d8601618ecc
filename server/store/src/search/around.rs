//! What is told of a place that was found: the event, its neighbours, and what its sender was called.

use crate::db::Source;
use crate::value::{Value, triple_set};
use kontor_model::{Nid, Result};

async fn nids<S: Source>(source: &mut S, sql: &'static str, values: Vec<Value>) -> Result<Vec<Nid>> {
    source.packed(sql, 1, values).await?.iter().map(|row| row.int(0)).collect()
}

/// Numeric ids of the events at places, given as (room, place).
///
/// # Errors
/// See [`Source::all`].
pub async fn at<S: Source>(source: &mut S, places: &[(Nid, i64)]) -> Result<Vec<Nid>> {
    let sql =
        "SELECT e.event_nid AS c1 FROM TRIPLE_SET($1) w JOIN event e ON e.room_nid = w.a AND e.ord = w.b";
    nids(source, sql, vec![triple_set(places.iter().map(|(room, ord)| (*room, *ord, 0)))]).await
}

/// Numeric ids of the `limit` newest events of each part of a room, given as (room, after, until].
///
/// # Errors
/// See [`Source::all`].
pub async fn newest<S: Source>(source: &mut S, parts: &[(Nid, i64, i64)], limit: i64) -> Result<Vec<Nid>> {
    let sql = "SELECT DISTINCT e.event_nid AS c1 FROM TRIPLE_SET($1) w JOIN event e ON e.event_nid AMONG_FIRST (\
               SELECT x.event_nid FROM event x WHERE x.room_nid = w.a AND x.ord > w.b AND x.ord <= w.c \
               ORDER BY x.ord DESC LIMIT $2) END_FIRST";
    nids(source, sql, vec![triple_set(parts.iter().copied()), limit.into()]).await
}

/// Numeric ids of the `limit` oldest events of each part of a room, given as (room, after, until].
///
/// # Errors
/// See [`Source::all`].
pub async fn oldest<S: Source>(source: &mut S, parts: &[(Nid, i64, i64)], limit: i64) -> Result<Vec<Nid>> {
    let sql = "SELECT DISTINCT e.event_nid AS c1 FROM TRIPLE_SET($1) w JOIN event e ON e.event_nid AMONG_FIRST (\
               SELECT x.event_nid FROM event x WHERE x.room_nid = w.a AND x.ord > w.b AND x.ord <= w.c \
               ORDER BY x.ord LIMIT $2) END_FIRST";
    nids(source, sql, vec![triple_set(parts.iter().copied()), limit.into()]).await
}

/// A user's member event as it was at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberAt {
    /// The room.
    pub room: Nid,
    /// The user.
    pub user: Nid,
    /// The place that was asked about.
    pub ord: i64,
    /// The member event.
    pub event: Nid,
}

/// Member events as they were at places, given as (room, user, place).
///
/// # Errors
/// See [`Source::all`].
pub async fn members_at<S: Source>(source: &mut S, places: &[(Nid, Nid, i64)]) -> Result<Vec<MemberAt>> {
    let sql = "SELECT w.a AS c1, w.b AS c2, w.c AS c3, c.event_nid AS c4 FROM TRIPLE_SET($1) w JOIN state_change c \
               ON c.room_nid = w.a AND c.type = 'm.room.member' AND c.key_nid = w.b AND c.ord = \
               (SELECT max(x.ord) FROM state_change x WHERE x.room_nid = w.a AND x.type = 'm.room.member' \
               AND x.key_nid = w.b AND x.ord <= w.c) WHERE c.event_nid IS NOT NULL";
    let rows = source.packed(sql, 4, vec![triple_set(places.iter().copied())]).await?;
    let read = |row: &crate::Row| {
        Ok(MemberAt { room: row.int(0)?, user: row.int(1)?, ord: row.int(2)?, event: row.int(3)? })
    };
    rows.iter().map(read).collect()
}
