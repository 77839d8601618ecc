//! A room's hot state: its row, its current state, and the steps that move them.

use crate::change::{Change, RoomStep};
use crate::db::{Source, Store};
use crate::table::Table;
use crate::value::Value;
use kontor_model::{Ms, Nid, Result};

/// The row of a room.
#[derive(Clone, Debug)]
pub struct RoomRow {
    /// Numeric id.
    pub room: Nid,
    /// Matrix id.
    pub room_id: String,
    /// Room version.
    pub version: String,
    /// Numeric id of the newest event: unique, so a chain built on a lost event can never fit.
    pub revision: i64,
    /// Largest trusted depth.
    pub depth: i64,
    /// Event ids that no other event follows, JSON array.
    pub extremities: String,
    /// Whether the room never forked.
    pub linear: bool,
    /// The newest snapshot of state, of rooms that have one.
    pub snapshot: Option<Nid>,
    /// Whether the room directory shows it.
    pub published: bool,
}

/// One entry of a room's current state.
#[derive(Clone, Debug)]
pub struct StateRow {
    /// Event type.
    pub kind: String,
    /// State key.
    pub state_key: String,
    /// Numeric id of the state key.
    pub key: Nid,
    /// Numeric id of the state event.
    pub event: Nid,
    /// Its Matrix id.
    pub event_id: String,
    /// The redacted event, canonical JSON.
    pub skeleton: String,
    /// Full content, JSON, of types whose redaction loses what the room's rules need.
    pub content: Option<Vec<u8>>,
}

const ROOM: &str = "SELECT room_nid, room_id, version, revision, depth, extremities, linear, \
                    snapshot_nid, published FROM room WHERE room_id = $1";

/// The row of a room, if the server knows the room.
///
/// # Errors
/// See [`Source::all`].
pub async fn room<S: Source>(source: &mut S, room_id: &str) -> Result<Option<RoomRow>> {
    let Some(row) = source.first(ROOM, vec![room_id.into()]).await? else { return Ok(None) };
    Ok(Some(RoomRow {
        room: row.int(0)?,
        room_id: row.text(1)?,
        version: row.text(2)?,
        revision: row.int(3)?,
        depth: row.int(4)?,
        extremities: row.text(5)?,
        linear: row.bool(6)?,
        snapshot: row.int_opt(7)?,
        published: row.bool(8)?,
    }))
}

/// The whole current state of a room, as skeletons.
///
/// Before version 11 redaction takes `invite` out of power levels and `m.federate` out of the create
/// event, and in every version the keys of third-party invitations; but the rules need them. Guest
/// access and canonical aliases are for this server's own checks.
///
/// # Errors
/// See [`Source::all`].
pub async fn state<S: Source>(source: &mut S, room: Nid) -> Result<Vec<StateRow>> {
    let sql = "SELECT s.type AS c1, k.text AS c2, s.key_nid AS c3, s.event_nid AS c4, e.event_id AS c5, \
               e.skeleton AS c6, UTF8(b.ct) AS c7 FROM room_state s \
               JOIN name k ON k.nid = s.key_nid JOIN event e ON e.event_nid = s.event_nid \
               LEFT JOIN event_body b ON b.event_nid = s.event_nid AND s.type IN ('m.room.create', \
               'm.room.power_levels', 'm.room.third_party_invite', 'm.room.guest_access', \
               'm.room.canonical_alias') WHERE s.room_nid = $1";
    let rows = source.packed(sql, 7, vec![room.into()]).await?;
    let read = |row: &crate::Row| {
        Ok(StateRow {
            kind: row.text(0)?,
            state_key: row.text(1)?,
            key: row.int(2)?,
            event: row.int(3)?,
            event_id: row.text(4)?,
            skeleton: row.text(5)?,
            content: row.text_opt(6)?.map(String::into_bytes).map(content_alone),
        })
    };
    rows.iter().map(read).collect()
}

/// The content out of a body: what follows a line feed are other fields of the event.
fn content_alone(mut body: Vec<u8>) -> Vec<u8> {
    if let Some(end) = body.iter().position(|byte| *byte == b'\n') {
        body.truncate(end);
    }
    body
}

impl Store {
    /// Takes the next 50 ms in a room for this process, or finds that they are its own already;
    /// meanwhile changes of other processes in the room are refused. For a process that lost a room
    /// to quicker ones again and again. False while it is another's turn.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn take_turn(&self, room: Nid) -> Result<bool> {
        let sql = "UPDATE room SET turn_holder = $2, \
                   turn_until = CASE WHEN turn_until <= NOW_MS THEN NOW_MS + 50 ELSE turn_until END \
                   WHERE room_nid = $1 AND (turn_until <= NOW_MS OR turn_holder = $2)";
        let mut change = Change::default();
        change.guard(sql, vec![room.into(), self.process().into()]);
        match self.submit(change).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Change {
    /// Makes a room; its first events come with the same change, and `step` says where they lead.
    /// A taken room id refuses the change.
    pub fn make_room(&mut self, room_id: &str, version: &str, published: bool, now: Ms, step: RoomStep) {
        self.insert(
            Table::Room,
            vec![
                step.room.into(),
                room_id.into(),
                version.into(),
                step.to.into(),
                step.depth.into(),
                step.extremities.into(),
                step.linear.into(),
                published.into(),
                now.into(),
                step.snapshot.into(),
            ],
        );
        self.insert(Table::RoomPlace, vec![step.room.into(), step.last_ord]);
    }

    /// Shows the room in the directory, or no longer.
    pub fn publish_room(&mut self, room: Nid, published: bool) {
        self.run("UPDATE room SET published = $2 WHERE room_nid = $1", vec![room.into(), published.into()]);
    }

    /// Puts an event into the current state and remembers where that happened.
    pub fn set_state(&mut self, room: Nid, kind: &str, key: Nid, event: Nid, ord: Value) {
        self.insert(Table::RoomState, vec![room.into(), kind.into(), key.into(), event.into()]);
        self.insert(Table::StateChange, vec![room.into(), kind.into(), key.into(), ord, event.into()]);
    }

    /// Takes a key out of the current state, which only state resolution does.
    pub fn unset_state(&mut self, room: Nid, kind: &str, key: Nid, ord: Value) {
        self.run(
            "DELETE FROM room_state WHERE room_nid = $1 AND type = $2 AND key_nid = $3",
            vec![room.into(), kind.into(), key.into()],
        );
        let none = Value::Int(None);
        self.insert(Table::StateChange, vec![room.into(), kind.into(), key.into(), ord, none]);
    }
}
