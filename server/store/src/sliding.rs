//! What sliding sync reads of all of a user's rooms at once, and what its connections were told.
//!
//! Which of the rooms are told, and what of them, is the flow's business.

use crate::db::Source;
use crate::table::Table;
use crate::value::{id_set, text_set, triple_set};
use crate::{Change, Store};
use kontor_model::{Ms, Nid, Pos, Result};
use std::collections::{HashMap, HashSet};

/// Connections of one device that are kept; the one that was used longest ago goes first.
const CONNECTIONS: i64 = 16;
/// Answers to one and the same request whose outcome is kept: repeats that overtake one another.
const SIBLINGS: i64 = 3;
/// How long a connection is kept that nobody goes on with, milliseconds: 14 days.
const KEPT: Ms = 14 * 86_400_000;

/// A user's room, as far as its place in the user's lists goes.
#[derive(Clone, Debug)]
pub struct ListedRoom {
    /// The room.
    pub room: Nid,
    /// Its Matrix id.
    pub room_id: String,
    /// join, invite, knock, leave, ban.
    pub membership: String,
    /// The user's member event.
    pub event: Nid,
    /// Position and place of the last change of membership.
    pub pos: i64,
    /// Who changed it last.
    pub sender: Nid,
    /// Place of the room's newest event.
    pub last_ord: i64,
}

macro_rules! listed_rooms {
    ($which:literal) => {
        concat!(
            "SELECT m.room_nid AS c1, r.room_id AS c2, m.membership AS c3, m.event_nid AS c4, m.pos AS c5, \
             m.sender_nid AS c6, p.last_ord AS c7 FROM membership m JOIN room r ON r.room_nid = m.room_nid \
             JOIN room_place p ON p.room_nid = m.room_nid WHERE m.user_nid = $1 AND m.forgotten = 0",
            $which
        )
    };
}

fn listed(row: &crate::Row) -> Result<ListedRoom> {
    Ok(ListedRoom {
        room: row.int(0)?,
        room_id: row.text(1)?,
        membership: row.text(2)?,
        event: row.int(3)?,
        pos: row.int(4)?,
        sender: row.int(5)?,
        last_ord: row.int(6)?,
    })
}

/// All rooms that a user has to do with, or had, and did not forget.
///
/// # Errors
/// See [`Source::all`].
pub async fn rooms_of<S: Source>(source: &mut S, user: Nid) -> Result<Vec<ListedRoom>> {
    source.packed(listed_rooms!(""), 7, vec![user.into()]).await?.iter().map(listed).collect()
}

/// Some of them.
///
/// # Errors
/// See [`Source::all`].
pub async fn rooms_among<S: Source>(source: &mut S, user: Nid, rooms: &[Nid]) -> Result<Vec<ListedRoom>> {
    let values = vec![user.into(), id_set(rooms.iter().copied())];
    let sql = listed_rooms!(" AND m.room_nid IN ID_SET($2)");
    source.packed(sql, 7, values).await?.iter().map(listed).collect()
}

/// The content of rooms' current state of some types with the empty state key: room, type, JSON.
///
/// One statement over the current state rather than a summary row for each room: it is right after
/// redactions and state resolution as well, and is needed only for lists with filters, once, until
/// the room's state changes.
///
/// # Errors
/// See [`Source::all`].
pub async fn contents<S: Source>(
    source: &mut S,
    rooms: &[Nid],
    types: &[&str],
) -> Result<Vec<(Nid, String, String)>> {
    if rooms.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT s.room_nid AS c1, s.type AS c2, UTF8(b.ct) AS c3 FROM name k \
               CROSS JOIN ID_SET($1) w CROSS JOIN TEXT_SET($2) t JOIN room_state s \
               ON s.room_nid = w.id AND s.type = t.text AND s.key_nid = k.nid \
               JOIN event_body b ON b.event_nid = s.event_nid WHERE k.text = ''";
    let rows = source.packed(sql, 3, vec![id_set(rooms.iter().copied()), text_set(types)]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.text(1)?, content_alone(row.text(2)?)))).collect()
}

/// The content out of a body: what follows a line feed are other fields of the event.
fn content_alone(mut body: String) -> String {
    if let Some(end) = body.find('\n') {
        body.truncate(end);
    }
    body
}

/// The texts that state keys stand for.
///
/// # Errors
/// See [`Source::all`].
pub async fn names<S: Source>(source: &mut S, keys: &HashSet<Nid>) -> Result<HashMap<Nid, String>> {
    let sql = "SELECT n.nid AS c1, n.text AS c2 FROM ID_SET($1) w JOIN name n ON n.nid = w.id";
    let rows = source.packed(sql, 2, vec![id_set(keys.iter().copied())]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect()
}

/// Room ids that spaces name as their children (`m.space.child` with a `via`), of spaces by Matrix
/// id that the user has joined.
///
/// # Errors
/// See [`Source::all`].
pub async fn children<S: Source>(source: &mut S, user: Nid, spaces: &[&str]) -> Result<HashSet<String>> {
    #[derive(serde::Deserialize)]
    struct Content {
        via: Option<Vec<String>>,
    }
    if spaces.is_empty() {
        return Ok(HashSet::new());
    }
    let sql = "SELECT k.text AS c1, UTF8(b.ct) AS c2 FROM TEXT_SET($2) w JOIN room r ON r.room_id = w.text \
               JOIN membership m ON m.room_nid = r.room_nid AND m.user_nid = $1 AND m.membership = 'join' \
               JOIN room_state s ON s.room_nid = r.room_nid AND s.type = 'm.space.child' \
               JOIN name k ON k.nid = s.key_nid JOIN event_body b ON b.event_nid = s.event_nid";
    let mut children = HashSet::new();
    for row in source.packed(sql, 2, vec![user.into(), text_set(spaces)]).await? {
        let content = serde_json::from_str::<Content>(&content_alone(row.text(1)?));
        if content.is_ok_and(|content| content.via.is_some()) {
            children.insert(row.text(0)?);
        }
    }
    Ok(children)
}

/// The user's tags of rooms, as the contents of `m.tag`.
///
/// # Errors
/// See [`Source::all`].
pub async fn tags<S: Source>(source: &mut S, user: Nid) -> Result<Vec<(Nid, String)>> {
    let sql = "SELECT room_nid, content FROM account_data WHERE user_nid = $1 AND type = 'm.tag'";
    source.all(sql, vec![user.into()]).await?.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect()
}

/// One piece of current state: its type, its key, its event.
#[derive(Clone, Debug)]
pub struct StateEntry {
    /// The room.
    pub room: Nid,
    /// Event type.
    pub kind: String,
    /// State key.
    pub key: String,
    /// The state event.
    pub event: Nid,
}

/// The current state of rooms, of some types.
///
/// # Errors
/// See [`Source::all`].
pub async fn state_of_types<S: Source>(
    source: &mut S,
    rooms: &[Nid],
    types: &[&str],
) -> Result<Vec<StateEntry>> {
    if rooms.is_empty() || types.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT s.room_nid AS c1, s.type AS c2, k.text AS c3, s.event_nid AS c4 FROM ID_SET($1) w \
               CROSS JOIN TEXT_SET($2) t JOIN room_state s ON s.room_nid = w.id AND s.type = t.text \
               JOIN name k ON k.nid = s.key_nid";
    let rows = source.packed(sql, 4, vec![id_set(rooms.iter().copied()), text_set(types)]).await?;
    let read = |row: &crate::Row| {
        Ok(StateEntry { room: row.int(0)?, kind: row.text(1)?, key: row.text(2)?, event: row.int(3)? })
    };
    rows.iter().map(read).collect()
}

/// Member events, as they are now, of users of rooms given as pairs of room and user: room, user,
/// event.
///
/// # Errors
/// See [`Source::all`].
pub async fn member_events<S: Source>(
    source: &mut S,
    pairs: impl IntoIterator<Item = (Nid, Nid)>,
) -> Result<Vec<(Nid, Nid, Nid)>> {
    let triples: Vec<_> = pairs.into_iter().map(|(room, user)| (room, user, 0)).collect();
    if triples.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT w.a AS c1, w.b AS c2, s.event_nid AS c3 FROM TRIPLE_SET($1) w \
               JOIN room_state s ON s.room_nid = w.a AND s.type = 'm.room.member' AND s.key_nid = w.b";
    let rows = source.packed(sql, 3, vec![triple_set(triples)]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?, row.int(2)?))).collect()
}

/// The place of the newest event of each room that counts as activity, up to a place each: rooms
/// as pairs of room and place. Rooms without such an event are left out.
///
/// # Errors
/// See [`Source::all`].
pub async fn bumps<S: Source>(source: &mut S, rooms: &[(Nid, i64)]) -> Result<HashMap<Nid, i64>> {
    if rooms.is_empty() {
        return Ok(HashMap::new());
    }
    // The condition is that of the index, word by word, or it would not be used.
    let sql = "SELECT w.a AS c1, (SELECT e.ord FROM event e WHERE e.room_nid = w.a AND e.ord <= w.b \
               AND type IN ('m.room.create', 'm.room.message', 'm.room.encrypted', 'm.sticker', \
               'm.call.invite', 'm.poll.start', 'm.beacon_info', 'org.matrix.msc3381.poll.start', \
               'org.matrix.msc3672.beacon_info') ORDER BY e.ord DESC LIMIT 1) AS c2 FROM TRIPLE_SET($1) w";
    let triples = triple_set(rooms.iter().map(|(room, until)| (*room, *until, 0)));
    let mut found = HashMap::new();
    for row in source.packed(sql, 2, vec![triples]).await? {
        if let Some(ord) = row.int_opt(1)? {
            found.insert(row.int(0)?, ord);
        }
    }
    Ok(found)
}

/// Receipts of rooms that moved after a position and stand after a place, given as triples of room,
/// position and place, as `user` may see them; the user's own wherever they stand.
///
/// # Errors
/// See [`Source::all`].
pub async fn receipts<S: Source>(
    source: &mut S,
    user: Nid,
    rooms: &[(Nid, i64, i64)],
) -> Result<Vec<crate::rooms::receipts::Receipt>> {
    if rooms.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT r.room_nid AS c1, n.text AS c2, r.kind AS c3, r.thread AS c4, r.event_id AS c5, \
               r.ts AS c6, r.pos AS c7 FROM TRIPLE_SET($1) w JOIN receipt r ON r.room_nid = w.a \
               AND r.pos > w.b JOIN name n ON n.nid = r.user_nid WHERE (r.ord > w.c AND r.kind = 'm.read') \
               OR r.user_nid = $2";
    let rows = source.packed(sql, 7, vec![triple_set(rooms.iter().copied()), user.into()]).await?;
    let read = |row: &crate::Row| {
        Ok(crate::rooms::receipts::Receipt {
            room: row.int(0)?,
            user_id: row.text(1)?,
            kind: row.text(2)?,
            thread: row.text(3)?,
            event_id: row.text(4)?,
            ts: row.int(5)?,
            pos: row.int(6)?,
        })
    };
    rows.iter().map(read).collect()
}

/// Where a user's own receipts moved last in `(since, until]`, by room.
///
/// # Errors
/// See [`Source::all`].
pub async fn own_receipts<S: Source>(
    source: &mut S,
    user: Nid,
    since: Pos,
    until: Pos,
) -> Result<Vec<(Nid, i64)>> {
    let sql = "SELECT room_nid, max(pos) FROM receipt WHERE user_nid = $1 AND pos > $2 AND pos <= $3 \
               GROUP BY room_nid";
    let rows = source.all(sql, vec![user.into(), since.0.into(), until.0.into()]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect()
}

/// A connection of a device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Connection {
    /// Whose.
    pub user: Nid,
    /// The device.
    pub device: String,
    /// The client's own name for it.
    pub conn_id: String,
}

/// What a connection was told, and when that was written. `None` when it is not known.
///
/// # Errors
/// See [`Source::all`].
pub async fn state<S: Source>(
    source: &mut S,
    connection: &Connection,
    state: Nid,
) -> Result<Option<(String, Ms)>> {
    let sql = "SELECT state, used_ts FROM sliding_state WHERE state_nid = $1 AND user_nid = $2 \
               AND device_id = $3 AND conn_id = $4";
    let Connection { user, device, conn_id } = connection;
    let values = vec![state.into(), (*user).into(), device.as_str().into(), conn_id.as_str().into()];
    let row = source.first(sql, values).await?;
    row.map(|row| Ok((row.text(0)?, row.int(1)?))).transpose()
}

impl Change {
    /// Remembers what a connection is told with an answer; `parent` is what the request named (0 =
    /// it began the connection). What came before the parent is forgotten, since the client has
    /// shown that it has the answer.
    pub fn save_sliding_state(
        &mut self,
        connection: &Connection,
        state: Nid,
        parent: Nid,
        text: String,
        now: Ms,
    ) {
        let Connection { user, device, conn_id } = connection;
        let key = || vec![(*user).into(), device.as_str().into(), conn_id.as_str().into()];
        let mut values = key();
        values.push(parent.into());
        self.run(
            "DELETE FROM sliding_state WHERE user_nid = $1 AND device_id = $2 AND conn_id = $3 \
             AND state_nid <> $4 AND parent_nid <> $4",
            values.clone(),
        );
        values.push((SIBLINGS - 1).into());
        self.run(
            "DELETE FROM sliding_state WHERE user_nid = $1 AND device_id = $2 AND conn_id = $3 \
             AND parent_nid = $4 AND state_nid NOT IN (SELECT state_nid FROM sliding_state \
             WHERE user_nid = $1 AND device_id = $2 AND conn_id = $3 AND parent_nid = $4 \
             ORDER BY used_ts DESC, state_nid DESC LIMIT $5)",
            values,
        );
        if parent == 0 {
            let mut values = key();
            values.push((CONNECTIONS - 1).into());
            self.run(
                "DELETE FROM sliding_state WHERE user_nid = $1 AND device_id = $2 AND conn_id <> $3 \
                 AND conn_id NOT IN (SELECT conn_id FROM sliding_state WHERE user_nid = $1 \
                 AND device_id = $2 AND conn_id <> $3 GROUP BY conn_id ORDER BY max(used_ts) DESC LIMIT $4)",
                values,
            );
        }
        let mut row = vec![state.into()];
        row.extend(key());
        row.extend([parent.into(), now.into(), text.into()]);
        self.insert(Table::SlidingState, row);
    }
}

impl Store {
    /// Forgets connections that nobody went on with for long; one bounded step.
    ///
    /// # Errors
    /// As [`Store::submit`].
    pub async fn sweep_sliding(&self, now: Ms) -> Result<()> {
        let mut change = Change::default();
        change.run(
            "DELETE FROM sliding_state WHERE state_nid IN (SELECT state_nid FROM sliding_state \
             WHERE used_ts < $1 ORDER BY used_ts LIMIT 500)",
            vec![(now - KEPT).into()],
        );
        self.submit_bulk(change).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stores;

    fn connection(conn_id: &str) -> Connection {
        Connection { user: 1, device: "D".into(), conn_id: conn_id.into() }
    }

    async fn save(store: &Store, conn_id: &str, nid: Nid, parent: Nid, now: Ms) {
        let mut change = Change::default();
        change.save_sliding_state(&connection(conn_id), nid, parent, format!("{nid}"), now);
        store.submit(change).await.unwrap();
    }

    async fn known(store: &Store, conn_id: &str, nid: Nid) -> bool {
        state(&mut store.reader(), &connection(conn_id), nid).await.unwrap().is_some()
    }

    #[tokio::test]
    async fn the_state_that_was_asked_from_is_kept_and_what_was_before_it_is_not() {
        for store in stores().await {
            save(&store, "", 10, 0, 1).await;
            save(&store, "", 11, 10, 2).await;
            assert!(known(&store, "", 10).await && known(&store, "", 11).await);
            // The answer was lost, the client asks from 10 again.
            for (nid, now) in [(12, 3), (13, 4), (14, 5)] {
                save(&store, "", nid, 10, now).await;
            }
            assert!(known(&store, "", 10).await && !known(&store, "", 11).await);
            assert!(known(&store, "", 12).await && known(&store, "", 14).await);
            save(&store, "", 15, 14, 6).await;
            assert!(!known(&store, "", 10).await && !known(&store, "", 12).await);
            assert!(known(&store, "", 14).await && known(&store, "", 15).await);
            assert!(!known(&store, "another", 15).await);
            store.close().await;
        }
    }

    #[tokio::test]
    async fn connections_of_a_device_are_bounded_and_old_ones_swept() {
        for store in stores().await {
            for n in 0..20 {
                save(&store, &format!("c{n}"), 100 + n, 0, n).await;
            }
            assert!(!known(&store, "c3", 103).await);
            assert!(known(&store, "c4", 104).await && known(&store, "c19", 119).await);
            store.sweep_sliding(KEPT + 10).await.unwrap();
            assert!(!known(&store, "c9", 109).await && known(&store, "c10", 110).await);
            store.close().await;
        }
    }
}
