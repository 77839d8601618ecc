//! Whose devices and keys changed, and who shares a room with whom: what clients need to keep their
//! lists of other people's devices.

use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, Value, id_set};
use crate::{Change, Stream};
use kontor_model::{Nid, Pos, Result};
use std::sync::Arc;

/// Users whose devices or keys changed in `(since, until]`.
///
/// # Errors
/// See [`Source::all`].
pub async fn changed<S: Source>(source: &mut S, since: Pos, until: Pos) -> Result<Vec<Nid>> {
    let sql = "SELECT user_nid AS c1 FROM device_list WHERE pos > $1 AND pos <= $2";
    source.packed(sql, 1, vec![since.0.into(), until.0.into()]).await?.iter().map(|row| row.int(0)).collect()
}

/// A user whose membership event changed in a room that the reader has to do with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The room.
    pub room: Nid,
    /// Who.
    pub user: Nid,
    /// Whether they are joined at the end of the part.
    pub joined: bool,
    /// Whether they were joined at its beginning.
    pub was_joined: bool,
    /// Whether the reader is joined at present.
    pub reader_joined: bool,
}

/// Who may have come into or left the reader's rooms in `(since, until]`; also the reader.
///
/// # Errors
/// See [`Source::all`].
pub async fn moves<S: Source>(source: &mut S, reader: Nid, since: Pos, until: Pos) -> Result<Vec<Move>> {
    // Redaction keeps the membership in the skeleton, and nothing else in one of a member event can
    // hold this text: quotation marks inside of strings are escaped.
    let sql = "SELECT p.room_nid AS c1, p.key_nid AS c2, \
               CASE WHEN t.membership = 'join' THEN 1 ELSE 0 END AS c3, \
               CASE WHEN (SELECT e.skeleton FROM state_change b JOIN event e ON e.event_nid = b.event_nid \
               WHERE b.room_nid = p.room_nid AND b.type = 'm.room.member' AND b.key_nid = p.key_nid \
               AND b.ord <= $2 ORDER BY b.ord DESC LIMIT 1) LIKE '%\"membership\":\"join\"%' \
               THEN 1 ELSE 0 END AS c4, CASE WHEN p.mine = 'join' THEN 1 ELSE 0 END AS c5 \
               FROM (SELECT DISTINCT m.room_nid, m.membership AS mine, c.key_nid FROM membership m \
               JOIN state_change c ON c.room_nid = m.room_nid AND c.ord > $2 AND c.ord <= $3 \
               AND c.type = 'm.room.member' WHERE m.user_nid = $1) p \
               JOIN membership t ON t.room_nid = p.room_nid AND t.user_nid = p.key_nid";
    let read = |row: &Row| {
        Ok(Move {
            room: row.int(0)?,
            user: row.int(1)?,
            joined: row.bool(2)?,
            was_joined: row.bool(3)?,
            reader_joined: row.bool(4)?,
        })
    };
    let values = vec![reader.into(), since.0.into(), until.0.into()];
    source.packed(sql, 5, values).await?.iter().map(read).collect()
}

/// The joined members of some rooms.
///
/// # Errors
/// See [`Source::all`].
pub async fn members<S: Source>(source: &mut S, rooms: &[Nid]) -> Result<Vec<(Nid, Nid)>> {
    let sql = "SELECT m.room_nid AS c1, m.user_nid AS c2 FROM ID_SET($1) w JOIN membership m \
               ON m.room_nid = w.id AND m.membership = 'join'";
    let rows = source.packed(sql, 2, vec![id_set(rooms.iter().copied())]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect()
}

/// The Matrix id of a user.
///
/// # Errors
/// See [`Source::all`].
pub async fn name<S: Source>(source: &mut S, user: Nid) -> Result<Option<Arc<str>>> {
    let row = source.first("SELECT text FROM name WHERE nid = $1", vec![user.into()]).await?;
    row.map(|row| Ok(row.text(0)?.into())).transpose()
}

/// How somebody stands to the reader at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tie {
    /// Who.
    pub user: Nid,
    /// Matrix id.
    pub user_id: String,
    /// Whether both are joined to one room.
    pub shares: bool,
    /// Whether both are joined to one room besides those that were named.
    pub shares_elsewhere: bool,
}

/// How some users stand to the reader; `besides` are rooms that do not count as elsewhere.
///
/// # Errors
/// See [`Source::all`].
pub async fn ties<S: Source>(
    source: &mut S,
    reader: Nid,
    users: &[Nid],
    besides: &[Nid],
) -> Result<Vec<Tie>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT w.id AS c1, n.text AS c2, CASE WHEN EXISTS (SELECT 1 FROM membership t \
               JOIN membership m ON m.room_nid = t.room_nid AND m.user_nid = $1 AND m.membership = 'join' \
               WHERE t.user_nid = w.id AND t.membership = 'join') THEN 1 ELSE 0 END AS c3, \
               CASE WHEN EXISTS (SELECT 1 FROM membership t \
               JOIN membership m ON m.room_nid = t.room_nid AND m.user_nid = $1 AND m.membership = 'join' \
               WHERE t.user_nid = w.id AND t.membership = 'join' AND t.room_nid NOT IN ID_SET($3)) \
               THEN 1 ELSE 0 END AS c4 FROM ID_SET($2) w JOIN name n ON n.nid = w.id";
    let read = |row: &Row| {
        Ok(Tie {
            user: row.int(0)?,
            user_id: row.text(1)?,
            shares: row.bool(2)?,
            shares_elsewhere: row.bool(3)?,
        })
    };
    let values = vec![reader.into(), id_set(users.iter().copied()), id_set(besides.iter().copied())];
    source.packed(sql, 4, values).await?.iter().map(read).collect()
}

/// The rooms that a user has joined, and the newest position of a change of those memberships.
///
/// # Errors
/// See [`Source::all`].
pub async fn rooms_of<S: Source>(source: &mut S, user: Nid) -> Result<Vec<(Nid, i64)>> {
    let sql = "SELECT room_nid AS c1, pos AS c2 FROM membership WHERE user_nid = $1 AND membership = 'join'";
    let rows = source.packed(sql, 2, vec![user.into()]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect()
}

impl Change {
    /// Notes that a user's devices or keys changed as others see them, and wakes the user's own
    /// sessions. Gives the position. The members of the user's rooms are told by
    /// [`Change::tell_rooms_of_devices`].
    pub fn device_list_changed(&mut self, user: Nid) -> Value {
        let pos = self.position(Stream::DeviceList, None, Some(user));
        self.insert(Table::DeviceList, vec![user.into(), pos.clone()]);
        pos
    }

    /// Wakes the members of rooms, since a user's devices or keys changed.
    pub fn tell_rooms_of_devices(&mut self, user: Nid, rooms: impl IntoIterator<Item = Nid>) {
        for room in rooms {
            self.position(Stream::DeviceList, Some(room), Some(user));
        }
    }
}
