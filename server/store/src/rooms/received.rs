//! What the event pipeline writes beyond new events: standings that change, turns of the current
//! state that one event brings about, and what is waited for.

use super::chain_reads::Why;
use crate::change::Change;
use crate::table::Table;
use crate::value::Value;
use kontor_model::Nid;

/// The standing of an event that was known already, but had no place in its room.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The event.
    pub event: Nid,
    /// Position and place, if it is accepted.
    pub pos: Option<Value>,
    /// State before it, where the place does not tell.
    pub snapshot: Option<Nid>,
    /// The state event that it replaced.
    pub replaces: Option<Nid>,
    /// Refused by the authorisation rules.
    pub rejected: bool,
    /// Refused against the current state only.
    pub soft_failed: bool,
    /// Bits: 1 counts as unread, 2 highlights for everybody.
    pub notifies: i64,
}

impl Change {
    /// Gives a known event its place, or the reason why it has none.
    pub fn settle_event(&mut self, standing: Standing) {
        let pos = standing.pos.unwrap_or(Value::Int(None));
        self.run(
            "UPDATE event SET pos = $2, ord = $3, snapshot_nid = $4, replaces_nid = $5, rejected = $6, \
             soft_failed = $7, notifies = $8 WHERE event_nid = $1",
            vec![
                standing.event.into(),
                pos.clone(),
                pos,
                standing.snapshot.into(),
                standing.replaces.into(),
                standing.rejected.into(),
                standing.soft_failed.into(),
                standing.notifies.into(),
            ],
        );
    }

    /// Remembers the redaction of an event that this same change adds. Its body was already added
    /// as redaction leaves it.
    pub fn redact_added(&mut self, target: Nid, redaction: Nid) {
        let column = Table::Event.spec().columns.iter().position(|name| *name == "redacted_by_nid");
        let nid = Value::from(target);
        let row =
            self.rows.iter_mut().find(|(table, row)| *table == Table::Event && row.first() == Some(&nid));
        if let (Some((_, row)), Some(column)) = (row, column)
            && let Some(value) = row.get_mut(column)
        {
            *value = redaction.into();
        }
    }

    /// Remembers that a key of the current state changed at a place; `None` takes it out. The
    /// current state itself is moved by [`Change::put_state`] and [`Change::drop_state`], once for
    /// all turns of a change: rows to delete go before rows to insert.
    pub fn turn_state(&mut self, room: Nid, kind: &str, key: Nid, event: Option<Nid>, ord: Value) {
        self.insert(Table::StateChange, vec![room.into(), kind.into(), key.into(), ord, event.into()]);
    }

    /// Puts an event into the current state.
    pub fn put_state(&mut self, room: Nid, kind: &str, key: Nid, event: Nid) {
        self.insert(Table::RoomState, vec![room.into(), kind.into(), key.into(), event.into()]);
    }

    /// Takes a key out of the current state.
    pub fn drop_state(&mut self, room: Nid, kind: &str, key: Nid) {
        self.run(
            "DELETE FROM room_state WHERE room_nid = $1 AND type = $2 AND key_nid = $3",
            vec![room.into(), kind.into(), key.into()],
        );
    }

    /// Remembers that an event is waited for.
    pub fn await_event(&mut self, room: Nid, event_id: &str, why: Why, by: Nid) {
        self.insert(Table::Awaited, vec![event_id.into(), (why as i64).into(), by.into(), room.into()]);
    }

    /// The event came: nothing waits for it any more.
    pub fn event_came(&mut self, room: Nid, event_id: &str) {
        self.run(
            "DELETE FROM awaited WHERE room_nid = $1 AND event_id = $2",
            vec![room.into(), event_id.into()],
        );
    }
}
