//! What telling application services of events needs to know: whose rooms they are, and since when.

use crate::db::Source;
use crate::value::{Row, id_set, triple_set};
use kontor_model::{Nid, Result};

/// A room's Matrix id and one of its aliases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The room.
    pub room: Nid,
    /// Matrix id.
    pub room_id: String,
    /// An alias; `None` for rooms without any.
    pub alias: Option<String>,
}

/// What rooms are called; a row for each alias.
///
/// # Errors
/// See [`Source::all`].
pub async fn names_of_rooms<S: Source>(source: &mut S, rooms: &[Nid]) -> Result<Vec<Named>> {
    let sql = "SELECT r.room_nid AS c1, r.room_id AS c2, a.alias AS c3 FROM ID_SET($1) w \
               JOIN room r ON r.room_nid = w.id LEFT JOIN alias a ON a.room_nid = r.room_nid";
    let read = |row: &Row| Ok(Named { room: row.int(0)?, room_id: row.text(1)?, alias: row.text_opt(2)? });
    source.packed(sql, 3, vec![id_set(rooms.iter().copied())]).await?.iter().map(read).collect()
}

/// Everybody whom rooms have a membership of, whichever it is: room, user, Matrix id.
///
/// # Errors
/// See [`Source::all`].
pub async fn everybody<S: Source>(source: &mut S, rooms: &[Nid]) -> Result<Vec<(Nid, Nid, String)>> {
    let sql = "SELECT m.room_nid AS c1, m.user_nid AS c2, n.text AS c3 FROM ID_SET($1) w \
               JOIN membership m ON m.room_nid = w.id JOIN name n ON n.nid = m.user_nid";
    let rows = source.packed(sql, 3, vec![id_set(rooms.iter().copied())]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?, row.text(2)?))).collect()
}

/// One change of somebody's membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The room.
    pub room: Nid,
    /// Who.
    pub user: Nid,
    /// Its place in the room.
    pub ord: i64,
    /// Whether they have joined since.
    pub joined: bool,
}

/// All changes of memberships, of members given as (room, user), in no order.
///
/// # Errors
/// See [`Source::all`].
pub async fn steps<S: Source>(source: &mut S, members: &[(Nid, Nid)]) -> Result<Vec<Step>> {
    #[derive(serde::Deserialize)]
    struct Skeleton {
        content: Content,
    }
    #[derive(serde::Deserialize)]
    struct Content {
        membership: Option<String>,
    }
    if members.is_empty() {
        return Ok(Vec::new());
    }
    // The skeleton is enough: redaction keeps the membership.
    let sql = "SELECT c.room_nid AS c1, c.key_nid AS c2, c.ord AS c3, e.skeleton AS c4 FROM TRIPLE_SET($1) w \
               JOIN state_change c ON c.room_nid = w.a AND c.type = 'm.room.member' AND c.key_nid = w.b \
               LEFT JOIN event e ON e.event_nid = c.event_nid";
    let read = |row: &Row| {
        let skeleton = row.text_opt(3)?.and_then(|text| serde_json::from_str::<Skeleton>(&text).ok());
        let membership = skeleton.and_then(|skeleton| skeleton.content.membership);
        let joined = membership.as_deref() == Some("join");
        Ok(Step { room: row.int(0)?, user: row.int(1)?, ord: row.int(2)?, joined })
    };
    let members = triple_set(members.iter().map(|(room, user)| (*room, *user, 0)));
    source.packed(sql, 4, vec![members]).await?.iter().map(read).collect()
}

/// Matrix ids of users.
///
/// # Errors
/// See [`Source::all`].
pub async fn names<S: Source>(source: &mut S, users: &[Nid]) -> Result<Vec<(Nid, String)>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT n.nid AS c1, n.text AS c2 FROM ID_SET($1) w JOIN name n ON n.nid = w.id";
    let rows = source.packed(sql, 2, vec![id_set(users.iter().copied())]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect()
}
