//! Memberships: who is in which room, and what a user's rooms are.

use crate::change::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, Value, id_set};
use kontor_model::{Nid, Result};
use std::collections::HashMap;

/// A user's membership of a room, with what is needed to find the room's news.
#[derive(Clone, Debug)]
pub struct MyRoom {
    /// The room.
    pub room: Nid,
    /// Its Matrix id.
    pub room_id: String,
    /// Its version.
    pub version: String,
    /// join, invite, knock, leave, ban.
    pub membership: String,
    /// The member event.
    pub event: Nid,
    /// Position and place of the last change of membership.
    pub pos: i64,
    /// Who changed it last.
    pub sender: Nid,
    /// Whether the user forgot the room.
    pub forgotten: bool,
    /// Place of the room's newest event.
    pub last_ord: i64,
    /// The room's revision: it moves with everything that is shown of the room.
    pub revision: i64,
    /// Whether the room never forked.
    pub linear: bool,
}

macro_rules! my_room {
    () => {
        "SELECT m.room_nid AS c1, r.room_id AS c2, r.version AS c3, m.membership AS c4, m.event_nid AS c5, \
         m.pos AS c6, m.sender_nid AS c7, m.forgotten AS c8, p.last_ord AS c9, r.revision AS c10, r.linear AS c11 FROM membership m JOIN room r ON r.room_nid = m.room_nid \
         JOIN room_place p ON p.room_nid = m.room_nid "
    };
}

fn read(row: &Row) -> Result<MyRoom> {
    Ok(MyRoom {
        room: row.int(0)?,
        room_id: row.text(1)?,
        version: row.text(2)?,
        membership: row.text(3)?,
        event: row.int(4)?,
        pos: row.int(5)?,
        sender: row.int(6)?,
        forgotten: row.bool(7)?,
        last_ord: row.int(8)?,
        revision: row.int(9)?,
        linear: row.bool(10)?,
    })
}

/// All rooms that a user ever had to do with.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_user<S: Source>(source: &mut S, user: Nid) -> Result<Vec<MyRoom>> {
    let sql = concat!(my_room!(), "WHERE m.user_nid = $1");
    source.packed(sql, 11, vec![user.into()]).await?.iter().map(read).collect()
}

/// A user's memberships of some rooms.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_user_in<S: Source>(source: &mut S, user: Nid, rooms: &[Nid]) -> Result<Vec<MyRoom>> {
    let sql = concat!(my_room!(), "WHERE m.user_nid = $1 AND m.room_nid IN ID_SET($2)");
    let values = vec![user.into(), id_set(rooms.iter().copied())];
    source.packed(sql, 11, values).await?.iter().map(read).collect()
}

/// A user's memberships of the rooms in which something happened in `(since, until]`; of all rooms
/// when the log does not reach back that far. That a member's devices changed is nothing of a room's.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_user_changed<S: Source>(
    source: &mut S,
    user: Nid,
    since: i64,
    until: i64,
) -> Result<Vec<MyRoom>> {
    let sql = concat!(
        my_room!(),
        "WHERE m.user_nid = $1 AND (m.room_nid IN (SELECT room_nid FROM stream_log \
         WHERE position > $2 AND position <= $3 AND room_nid IS NOT NULL AND stream <> 4) \
         OR (SELECT min(position) FROM stream_log) > $2 + 1)"
    );
    source.packed(sql, 11, vec![user.into(), since.into(), until.into()]).await?.iter().map(read).collect()
}

/// Numeric ids of the rooms that a user is in or is invited to: where news come from.
///
/// # Errors
/// See [`Source::all`].
pub async fn watched_rooms<S: Source>(source: &mut S, user: Nid) -> Result<Vec<Nid>> {
    let sql = "SELECT room_nid AS c1 FROM membership WHERE user_nid = $1 AND membership IN ('join', 'invite', 'knock')";
    source.packed(sql, 1, vec![user.into()]).await?.iter().map(|row| row.int(0)).collect()
}

/// A user's membership of a room named by its Matrix id. `None` when there never was one, or no
/// such room.
///
/// # Errors
/// See [`Source::all`].
pub async fn membership_of<S: Source>(source: &mut S, room_id: &str, user: Nid) -> Result<Option<MyRoom>> {
    let sql = concat!(my_room!(), "WHERE r.room_id = $1 AND m.user_nid = $2");
    source.first(sql, vec![room_id.into(), user.into()]).await?.as_ref().map(read).transpose()
}

/// Rooms that a user has joined, Matrix ids.
///
/// # Errors
/// See [`Source::all`].
pub async fn joined_rooms<S: Source>(source: &mut S, user: Nid) -> Result<Vec<String>> {
    let sql = "SELECT r.room_id FROM membership m JOIN room r ON r.room_nid = m.room_nid \
               WHERE m.user_nid = $1 AND m.membership = 'join' ORDER BY m.pos";
    source.all(sql, vec![user.into()]).await?.iter().map(|row| row.text(0)).collect()
}

/// Numbers of members, and the first few of them.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// Joined members.
    pub joined: i64,
    /// Invited members.
    pub invited: i64,
    /// All whom the room has a membership of, whichever it is.
    pub known: i64,
    /// Up to six: joined and invited ones, or if there is at most one of those, who left.
    first: Vec<Hero>,
}

/// Heroes that a summary has at most (client-server API, `m.heroes`).
const HEROES: usize = 5;

impl Roster {
    /// Up to five members to name the room after, other than the asker.
    pub fn heroes(&self, asker: Nid) -> impl Iterator<Item = &Hero> {
        self.first.iter().filter(move |hero| hero.user != asker).take(HEROES)
    }
}

/// A member to name a room after.
#[derive(Clone, Debug)]
pub struct Hero {
    /// Numeric id.
    pub user: Nid,
    /// Matrix id.
    pub user_id: String,
    /// The member event.
    pub event: Nid,
}

macro_rules! heroes {
    ($memberships:literal) => {
        concat!(
            "SELECT w.id AS c1, n.text AS c2, m.event_nid AS c3, m.user_nid AS c4 FROM ID_SET($1) w \
             JOIN membership m ON m.room_nid = w.id \
             AND m.user_nid AMONG_FIRST (SELECT x.user_nid FROM membership x WHERE x.room_nid = w.id \
             AND x.membership IN (",
            $memberships,
            ") ORDER BY x.user_nid LIMIT 6) END_FIRST \
             JOIN name n ON n.nid = m.user_nid"
        )
    };
}

/// Rosters of rooms, in two statements, or three if somebody is alone in a room.
///
/// # Errors
/// See [`Source::all`].
pub async fn rosters<S: Source>(source: &mut S, rooms: &[Nid]) -> Result<HashMap<Nid, Roster>> {
    let mut rosters: HashMap<Nid, Roster> = HashMap::new();
    if rooms.is_empty() {
        return Ok(rosters);
    }
    let counts = "SELECT room_nid AS c1, CAST(sum(CASE WHEN membership = 'join' THEN 1 ELSE 0 END) AS BIGINT) AS c2, \
                  CAST(sum(CASE WHEN membership = 'invite' THEN 1 ELSE 0 END) AS BIGINT) AS c3, count(*) AS c4 \
                  FROM membership WHERE room_nid IN ID_SET($1) GROUP BY room_nid";
    for row in source.packed(counts, 4, vec![id_set(rooms.iter().copied())]).await? {
        let roster =
            Roster { joined: row.int(1)?, invited: row.int(2)?, known: row.int(3)?, first: Vec::new() };
        rosters.insert(row.int(0)?, roster);
    }
    let (alone, others): (Vec<Nid>, Vec<Nid>) =
        rooms.iter().partition(|room| rosters.get(room).is_none_or(|r| r.joined + r.invited <= 1));
    for (rooms, sql) in [(others, heroes!("'join', 'invite'")), (alone, heroes!("'leave', 'ban'"))] {
        if rooms.is_empty() {
            continue;
        }
        for row in source.packed(sql, 4, vec![id_set(rooms)]).await? {
            if let Some(roster) = rosters.get_mut(&row.int(0)?) {
                roster.first.push(Hero { user_id: row.text(1)?, event: row.int(2)?, user: row.int(3)? });
            }
        }
    }
    for roster in rosters.values_mut() {
        roster.first.sort_unstable_by_key(|hero| hero.user);
    }
    Ok(rosters)
}

/// A member of a room.
#[derive(Clone, Debug)]
pub struct Member {
    /// The user.
    pub user: Nid,
    /// Matrix id.
    pub user_id: String,
    /// The member event.
    pub event: Nid,
    /// join, invite, knock, leave, ban.
    pub membership: String,
}

/// All members of a room, whatever their membership.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_room<S: Source>(source: &mut S, room: Nid) -> Result<Vec<Member>> {
    let sql = "SELECT m.user_nid AS c1, n.text AS c2, m.event_nid AS c3, m.membership AS c4 FROM membership m \
               JOIN name n ON n.nid = m.user_nid WHERE m.room_nid = $1";
    let read = |row: &Row| {
        Ok(Member { user: row.int(0)?, user_id: row.text(1)?, event: row.int(2)?, membership: row.text(3)? })
    };
    source.packed(sql, 4, vec![room.into()]).await?.iter().map(read).collect()
}

impl Change {
    /// Whoever leaves a room by this change, or is removed, has forgotten it at once.
    pub fn forget_leavers(&mut self) {
        for (table, row) in &mut self.rows {
            let [_, _, Value::Text(Some(membership)), .., forgotten] = row.as_mut_slice() else { continue };
            if *table == Table::Membership && matches!(&**membership, "leave" | "ban") {
                *forgotten = true.into();
            }
        }
    }

    /// The user no longer wants to see the room; only after leaving it.
    pub fn forget_room(&mut self, room: Nid, user: Nid) {
        self.guard(
            "UPDATE membership SET forgotten = 1 WHERE room_nid = $1 AND user_nid = $2 \
             AND membership IN ('leave', 'ban')",
            vec![room.into(), user.into()],
        );
    }
}
