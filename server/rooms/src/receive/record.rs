//! What became of events that were received: plain data, from which the change is made.

use super::archive::Known;
use crate::head::{Head, StateEntry};
use kontor_model::pdu::Parts;
use kontor_model::{Ms, Nid};
use kontor_store::rooms::chain_reads::Why;
use kontor_store::rooms::snapshots::Layer;
use ruma::OwnedEventId;
use std::sync::Arc;

/// What became of an event that another server sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the room.
    Accepted,
    /// Kept, but shown to nobody and followed by no event of this server, with the reason.
    SoftFailed(String),
    /// Kept, but without effect, with the reason.
    Rejected(String),
    /// It was here before.
    Known,
    /// Nothing of it is kept, with the reason.
    Dropped(String),
    /// What it stands on could not be had. Nothing is kept; sent again, it may be accepted.
    Incomplete(String),
}

/// How an event stands after all checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In the room.
    Accepted,
    /// Refused against the current state only.
    SoftFailed,
    /// Refused by the authorisation rules.
    Rejected,
    /// Fetched only to authorise others; its place in the room is not known.
    Fetched,
}

/// One event to be written.
#[derive(Clone, Debug)]
pub struct Record {
    /// The event with its numeric ids. It has no place yet.
    pub known: Arc<Known>,
    /// Numeric id of the sender.
    pub sender: Nid,
    /// Skeleton and body; `None` when the archive has them and only the standing changes.
    pub parts: Option<Parts>,
    /// How it stands.
    pub standing: Standing,
    /// The state event that it replaced.
    pub replaces: Option<Nid>,
    /// Bits of `event.notifies`.
    pub notifies: i64,
    /// When it came.
    pub received_ts: Ms,
    /// The age that retention counts from.
    pub retention_ts: Ms,
    /// What it changed in the current state.
    pub turns: Vec<Turn>,
}

/// One change of the current state.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Event type.
    pub kind: String,
    /// The entry before.
    pub old: Option<StateEntry>,
    /// The entry after; `None` when resolution took the key out.
    pub new: Option<StateEntry>,
    /// Numeric id of the sender of the entry after, or else of the one before.
    pub sender: Nid,
}

impl Turn {
    /// Numeric id of the state key.
    pub fn key(&self) -> Nid {
        self.new.as_ref().or(self.old.as_ref()).map_or(0, |entry| entry.key)
    }
}

/// A redaction that takes effect.
#[derive(Clone, Debug)]
pub struct Redaction {
    /// The redacted event.
    pub target: Nid,
    /// The redaction.
    pub by: Nid,
    /// What is left of the content, canonical JSON.
    pub left: String,
}

/// Everything that one receipt makes of a room.
#[derive(Clone, Debug)]
pub struct Received {
    /// Each event that was sent, in order, with its id if it has one.
    pub outcomes: Vec<(Option<OwnedEventId>, Outcome)>,
    /// Revision that it is built on.
    pub from: i64,
    /// Where the room stands afterwards.
    pub head: Head,
    /// Events to be written, in order.
    pub records: Vec<Record>,
    /// Snapshots to be written.
    pub snapshots: Vec<Layer>,
    /// Redactions that take effect.
    pub redactions: Vec<Redaction>,
    /// Events that are now waited for.
    pub awaits: Vec<(OwnedEventId, Why, Nid)>,
    /// Events that were waited for and came.
    pub came: Vec<OwnedEventId>,
}

impl Received {
    /// What became of an event.
    pub fn outcome(&self, id: &ruma::EventId) -> Option<&Outcome> {
        self.outcomes.iter().find(|(found, _)| found.as_deref() == Some(id)).map(|(_, outcome)| outcome)
    }
}
