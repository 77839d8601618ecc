//! Other servers of a room, as far as the pipeline asks them for what it lacks.

use async_trait::async_trait;
use ruma::{CanonicalJsonObject, EventId, OwnedEventId, RoomId};

/// The state before an event, as another server has it.
#[derive(Clone, Debug, Default)]
pub struct StateIds {
    /// The state events.
    pub state: Vec<OwnedEventId>,
    /// All events that these are authorised by, recursively.
    pub auth_chain: Vec<OwnedEventId>,
}

/// Other servers of a room. What they answer is checked like everything that comes from outside;
/// what cannot be had is left out, and the reason is logged where it is known.
#[async_trait]
pub trait Peers: Send + Sync {
    /// Events between `earliest` and `latest`, both not included, at most `limit`, in no order
    /// (server-server API, `POST /get_missing_events`).
    async fn missing(
        &self,
        room: &RoomId,
        earliest: &[OwnedEventId],
        latest: &[OwnedEventId],
        limit: usize,
    ) -> Vec<CanonicalJsonObject>;

    /// Single events, in no order (`GET /event/{eventId}`).
    async fn events(&self, room: &RoomId, ids: &[OwnedEventId]) -> Vec<CanonicalJsonObject>;

    /// The state before an event (`GET /state_ids/{roomId}`).
    async fn state_before(&self, room: &RoomId, event: &EventId) -> Option<StateIds>;
}

/// Nobody to ask.
pub struct Nobody;

#[async_trait]
impl Peers for Nobody {
    async fn missing(
        &self,
        _: &RoomId,
        _: &[OwnedEventId],
        _: &[OwnedEventId],
        _: usize,
    ) -> Vec<CanonicalJsonObject> {
        Vec::new()
    }

    async fn events(&self, _: &RoomId, _: &[OwnedEventId]) -> Vec<CanonicalJsonObject> {
        Vec::new()
    }

    async fn state_before(&self, _: &RoomId, _: &EventId) -> Option<StateIds> {
        None
    }
}
