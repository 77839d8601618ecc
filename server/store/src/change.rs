//! What somebody wants written: guards, room steps, positions, rows. Plain data, no IO.

use crate::table::Table;
use crate::value::Value;
use kontor_model::Nid;

/// The numeric id of no user: those who wait for it hear what belongs to nobody.
pub const NOBODY: Nid = 0;

/// What a stream position is about; watchers choose by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i64)]
pub enum Stream {
    /// An event in a room; `user` is the target of a membership change.
    Event = 1,
    /// A receipt in a room.
    Receipt = 2,
    /// Account data, tags and push rules of a user.
    AccountData = 3,
    /// A user's devices, or keys of the user or of a device, changed as others see them; once
    /// without a room, and once for each room whose members are told.
    DeviceList = 4,
    /// A message to one of a user's devices.
    ToDevice = 5,
    /// Sessions of a user ended: open answers must be discarded.
    Kill = 6,
    /// A user's profile changed.
    Profile = 7,
    /// A promised file arrived. `user` is the file's own numeric id, which no user has: only those
    /// who wait for the file hear it.
    Media = 8,
    /// What a user's push rules make of rooms changed.
    PushRules = 9,
    /// One-time or fallback keys of one of a user's devices came or went.
    KeyCounts = 10,
    /// A user signed keys of others.
    KeySignatures = 12,
    /// A user's pushers changed.
    Pushers = 11,
    /// Aliases of a room came or went. `user` is the room's own numeric id, which no user has: only those
    /// who follow everything hear it.
    Alias = 13,
    /// Application services came or went. `user` is [`NOBODY`].
    Services = 14,
    /// Something about a contact changed that webhooks are told of. `user` is [`NOBODY`].
    Contact = 15,
}

impl Stream {
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        [
            Self::Event,
            Self::Receipt,
            Self::AccountData,
            Self::DeviceList,
            Self::ToDevice,
            Self::Kill,
            Self::Profile,
            Self::Media,
            Self::PushRules,
            Self::KeyCounts,
            Self::KeySignatures,
            Self::Pushers,
            Self::Alias,
            Self::Services,
            Self::Contact,
        ]
        .into_iter()
        .find(|stream| *stream as i64 == number)
    }
}

/// One row of the log to be: which watchers it concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// What kind of thing changed.
    pub stream: Stream,
    /// The room that it happened in.
    pub room: Option<Nid>,
    /// The user that it concerns beyond the room's members.
    pub user: Option<Nid>,
}

/// A statement that must touch at least one row, or the change is refused with `Conflict`.
#[derive(Clone, Debug)]
pub struct Guard {
    pub(crate) sql: &'static str,
    pub(crate) values: Vec<Value>,
}

/// A room moving from one revision to the next. Steps of one batch may form a chain.
#[derive(Clone, Debug)]
pub struct RoomStep {
    /// Which room.
    pub room: Nid,
    /// The revision that the change was built on.
    pub from: i64,
    /// The revision after it.
    pub to: i64,
    /// Largest trusted depth after it.
    pub depth: i64,
    /// Event ids that no other event follows, JSON array.
    pub extremities: String,
    /// Place of the room's newest event after it: a position of this change, or the old place.
    pub last_ord: Value,
    /// Whether the room never forked.
    pub linear: bool,
    /// The newest snapshot of state, of rooms that have one.
    pub snapshot: Option<Nid>,
}

/// Everything of one act, written whole or not at all.
///
/// Order of execution: guards, room step, positions, statements, rows. Rows are inserted together
/// with those of other changes, one statement per table; later rows win over earlier ones of the
/// same key.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub(crate) guards: Vec<Guard>,
    pub(crate) room: Option<RoomStep>,
    pub(crate) log: Vec<LogRow>,
    pub(crate) statements: Vec<Guard>,
    pub(crate) rows: Vec<(Table, Vec<Value>)>,
}

impl Change {
    /// Takes the next position for something that watchers should see.
    pub fn position(&mut self, stream: Stream, room: Option<Nid>, user: Option<Nid>) -> Value {
        self.log.push(LogRow { stream, room, user });
        Value::Pos(self.log.len() - 1)
    }

    /// How many positions it takes so far.
    pub fn positions(&self) -> usize {
        self.log.len()
    }

    /// Moves a room. One step per change.
    pub fn step(&mut self, step: RoomStep) {
        self.room = Some(step);
    }

    /// Whether it would write nothing.
    pub fn is_empty(&self) -> bool {
        self.guards.is_empty()
            && self.room.is_none()
            && self.log.is_empty()
            && self.statements.is_empty()
            && self.rows.is_empty()
    }

    /// Joins another change to this one, keeping the order within each kind.
    ///
    /// The room step of `other` wins; its positions are renumbered behind those of `self`.
    pub fn join(&mut self, other: Self) {
        let shift = self.log.len();
        let moved = |mut values: Vec<Value>| {
            for value in &mut values {
                if let Value::Pos(index) = value {
                    *index += shift;
                }
            }
            values
        };
        let moved_guard = |guard: Guard| Guard { sql: guard.sql, values: moved(guard.values) };
        self.guards.extend(other.guards.into_iter().map(moved_guard));
        self.statements.extend(other.statements.into_iter().map(moved_guard));
        self.rows.extend(other.rows.into_iter().map(|(table, values)| (table, moved(values))));
        self.log.extend(other.log);
        if let Some(mut step) = other.room {
            if let Value::Pos(index) = &mut step.last_ord {
                *index += shift;
            }
            self.room = Some(step);
        }
    }

    pub(crate) fn insert(&mut self, table: Table, values: Vec<Value>) {
        self.rows.push((table, values));
    }

    pub(crate) fn guard(&mut self, sql: &'static str, values: Vec<Value>) {
        self.guards.push(Guard { sql, values });
    }

    pub(crate) fn run(&mut self, sql: &'static str, values: Vec<Value>) {
        self.statements.push(Guard { sql, values });
    }
}
