//! Members of rooms with what their member events say.

use crate::db::Source;
use crate::value::text_set;
use kontor_model::{Nid, Result};

/// A member with the content of the member event, JSON.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The room, Matrix id.
    pub room_id: String,
    /// The user, Matrix id.
    pub user_id: String,
    /// Content of the member event; bytes after a line feed are not part of it.
    pub content: Vec<u8>,
}

fn read(row: &crate::Row) -> Result<Entry> {
    let mut content = row.blob(2)?;
    if let Some(end) = content.iter().position(|byte| *byte == b'\n') {
        content.truncate(end);
    }
    Ok(Entry { room_id: row.text(0)?, user_id: row.text(1)?, content })
}

/// The joined members of a room.
///
/// # Errors
/// See [`Source::all`].
pub async fn joined<S: Source>(source: &mut S, room: Nid) -> Result<Vec<Entry>> {
    let sql = "SELECT r.room_id, n.text, b.ct FROM membership m JOIN room r ON r.room_nid = m.room_nid \
               JOIN name n ON n.nid = m.user_nid JOIN event_body b ON b.event_nid = m.event_nid \
               WHERE m.room_nid = $1 AND m.membership = 'join'";
    source.all(sql, vec![room.into()]).await?.iter().map(read).collect()
}

/// What a user's member events say in the rooms that the user has joined.
///
/// # Errors
/// See [`Source::all`].
pub async fn joined_by<S: Source>(source: &mut S, user: Nid) -> Result<Vec<Entry>> {
    let sql = "SELECT r.room_id, n.text, b.ct FROM membership m JOIN room r ON r.room_nid = m.room_nid \
               JOIN name n ON n.nid = m.user_nid JOIN event_body b ON b.event_nid = m.event_nid \
               WHERE m.user_nid = $1 AND m.membership = 'join' ORDER BY m.pos";
    source.all(sql, vec![user.into()]).await?.iter().map(read).collect()
}

/// The joined and invited members of a room who are guests of this server.
///
/// # Errors
/// See [`Source::all`].
pub async fn guests<S: Source>(source: &mut S, room: Nid) -> Result<Vec<String>> {
    let sql = "SELECT n.text FROM membership m JOIN account a ON a.user_nid = m.user_nid AND a.guest = 1 \
               JOIN name n ON n.nid = m.user_nid \
               WHERE m.room_nid = $1 AND m.membership IN ('join', 'invite') ORDER BY n.text";
    source.all(sql, vec![room.into()]).await?.iter().map(|row| row.text(0)).collect()
}

/// Of rooms named by Matrix id: those that the server knows, and whether the user has joined them.
///
/// # Errors
/// See [`Source::all`].
pub async fn joined_among<S: Source>(
    source: &mut S,
    user: Nid,
    rooms: &[&str],
) -> Result<Vec<(String, bool)>> {
    let sql = "SELECT r.room_id, CASE WHEN m.membership = 'join' THEN 1 ELSE 0 END FROM room r \
               LEFT JOIN membership m ON m.room_nid = r.room_nid AND m.user_nid = $1 \
               WHERE r.room_id IN TEXT_SET($2)";
    let rows = source.all(sql, vec![user.into(), text_set(rooms)]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.int(1)? != 0))).collect()
}

/// Numeric ids of a room's state events of one type as they were at a place.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_type_at<S: Source>(source: &mut S, room: Nid, kind: &str, ord: i64) -> Result<Vec<Nid>> {
    let sql = "SELECT c.event_nid FROM state_change c JOIN (SELECT key_nid, max(ord) AS newest \
               FROM state_change WHERE room_nid = $1 AND type = $2 AND ord <= $3 GROUP BY key_nid) n \
               ON c.key_nid = n.key_nid AND c.ord = n.newest \
               WHERE c.room_nid = $1 AND c.type = $2 AND c.event_nid IS NOT NULL";
    source.all(sql, vec![room.into(), kind.into(), ord.into()]).await?.iter().map(|row| row.int(0)).collect()
}
