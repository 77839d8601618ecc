//! What the pipeline reads, and in which form: the archive of a server, or a map in a test.

use crate::head::StateEntry;
use async_trait::async_trait;
use kontor_model::{Error, Nid, Pdu, Result};
use kontor_store::rooms::chain_reads::Why;
use kontor_store::rooms::snapshots::Layer;
use ruma::OwnedEventId;
use ruma::events::StateEventType;
use std::sync::Arc;

/// A known event with its standing in the room.
#[derive(Clone, Debug)]
pub struct Known {
    /// Numeric id.
    pub nid: Nid,
    /// Numeric id of the state key of state events.
    pub key: Option<Nid>,
    /// The event, and whether it was rejected. Of a redacted event only what redaction leaves.
    pub pdu: Arc<Pdu>,
    /// Place in the room; `None` when rejected, soft-failed, or fetched only to authorise others.
    pub ord: Option<i64>,
    /// State before it, where its place does not tell.
    pub snapshot: Option<Nid>,
    /// Refused against the current state only.
    pub soft_failed: bool,
    /// Whether it was redacted.
    pub redacted: bool,
}

impl Known {
    /// Whether the state after it can be read.
    pub fn has_state(&self) -> bool {
        self.snapshot.is_some() || self.ord.is_some()
    }

    /// Whether it went through all checks: not if it was only fetched to authorise others.
    pub fn is_settled(&self) -> bool {
        self.ord.is_some() || self.soft_failed || self.pdu.rejected
    }

    /// Its entry in a state, if it is a state event.
    pub fn entry(&self) -> Option<((StateEventType, String), StateEntry)> {
        let key = self.pdu.state_key.clone()?;
        let kind = StateEventType::from(self.pdu.kind.to_string());
        let entry = StateEntry { nid: self.nid, key: self.key?, pdu: Arc::clone(&self.pdu) };
        Some(((kind, key), entry))
    }
}

/// What the archive answers when asked for events by Matrix id.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Events of the room.
    pub known: Vec<Arc<Known>>,
    /// Ids that belong to events of other rooms, which only rooms of version 1 and 2 can claim.
    pub elsewhere: Vec<OwnedEventId>,
}

/// Something that waits for an event.
#[derive(Clone, Debug)]
pub struct Awaited {
    /// The event that has not come.
    pub event_id: OwnedEventId,
    /// Why.
    pub why: Why,
    /// The event that waits.
    pub by: Nid,
}

/// What is known of one room, as it stands on the disk. Few statements each; implemented by
/// [`crate::archive::StoreArchive`].
#[async_trait]
pub trait Archive: Send + Sync {
    /// Events by Matrix id, in no order; those that are known.
    async fn by_ids(&self, ids: &[OwnedEventId]) -> Result<Found>;
    /// Events by numeric id, in no order.
    async fn by_nids(&self, nids: &[Nid]) -> Result<Vec<Arc<Known>>>;
    /// State events (numeric ids) of the current state as it was after the event at a place.
    async fn state_at(&self, ord: i64) -> Result<Vec<Nid>>;
    /// The layers of a snapshot, the whole one first; empty when there is no such snapshot.
    async fn layers(&self, snapshot: Nid) -> Result<Vec<Layer>>;
    /// What waits for some events.
    async fn awaited(&self, ids: &[OwnedEventId]) -> Result<Vec<Awaited>>;
    /// Reserves a numeric id.
    async fn nid(&self) -> Result<Nid>;
    /// The numeric id of a user id or state key.
    async fn name(&self, text: &str) -> Result<Nid>;
    /// The state after an event, if it was remembered.
    fn remembered(&self, _after: Nid) -> Option<Arc<Remembered>> {
        None
    }
    /// Remembers the state after an event, which the next one will probably need.
    fn remember(&self, _after: Nid, _state: Remembered) {}
}

/// A state by numeric ids, which redaction does not change.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// The state events.
    pub events: Vec<Nid>,
    /// The snapshot that it is stored as, if there is one.
    pub snapshot: Option<Nid>,
}

/// The error for an archive that lacks what it must have.
pub(crate) fn missing(what: &str) -> Error {
    Error::internal(format!("the archive lacks {what}"))
}
