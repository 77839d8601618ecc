//! A room's hot state in memory: everything that the next event is authorised against.

use kontor_model::{Error, Nid, Pdu, Result, RoomVersion};
use kontor_store::Source;
use kontor_store::rooms::head;
use ruma::events::StateEventType;
use ruma::{EventId, OwnedEventId, OwnedRoomId, RoomId, UserId};
use std::collections::HashMap;
use std::sync::Arc;

/// One entry of the current state.
#[derive(Clone, Debug)]
pub struct StateEntry {
    /// Numeric id of the state event.
    pub nid: Nid,
    /// Numeric id of the state key.
    pub key: Nid,
    /// The event. Only the content that the room's rules need can be relied upon: of an event that
    /// was read from the archive the rest may be missing.
    pub pdu: Arc<Pdu>,
}

/// Current state by type and state key.
pub type StateMap = HashMap<(StateEventType, String), StateEntry>;

/// Where a room stands. Plain data: cloned for a chain of new events, thrown away if it is lost.
#[derive(Clone, Debug)]
pub struct Head {
    /// Numeric id.
    pub room: Nid,
    /// Matrix id.
    pub room_id: OwnedRoomId,
    /// Version and rules.
    pub version: RoomVersion,
    /// Numeric id of the newest event.
    pub revision: i64,
    /// Depth of the newest event.
    pub depth: i64,
    /// Events that no other event follows.
    pub extremities: Vec<OwnedEventId>,
    /// Whether the room never forked.
    pub linear: bool,
    /// The newest snapshot of state, of rooms that have one.
    pub snapshot: Option<Nid>,
    /// The current state; shared until a chain changes it.
    pub state: Arc<StateMap>,
}

impl Head {
    /// Reads where a room stands; in one moment, so `source` should be a snapshot.
    ///
    /// # Errors
    /// `Internal` when the archive holds what no room can hold.
    pub async fn load<S: Source>(source: &mut S, room_id: &RoomId) -> Result<Option<Self>> {
        let Some(row) = head::room(source, room_id.as_str()).await? else { return Ok(None) };
        let version = RoomVersion::parse(&row.version)?;
        let mut state = StateMap::new();
        for entry in head::state(source, row.room).await? {
            let id = EventId::parse(&entry.event_id).map_err(Error::internal)?;
            let mut pdu = Pdu::from_skeleton(id, &entry.skeleton, &version)?;
            if let Some(content) = entry.content {
                pdu.content = serde_json::from_slice(&content).map_err(Error::internal)?;
            }
            let key = (StateEventType::from(entry.kind), entry.state_key);
            state.insert(key, StateEntry { nid: entry.event, key: entry.key, pdu: Arc::new(pdu) });
        }
        Ok(Some(Self {
            room: row.room,
            room_id: room_id.to_owned(),
            version,
            revision: row.revision,
            depth: row.depth,
            extremities: serde_json::from_str(&row.extremities).map_err(Error::internal)?,
            linear: row.linear,
            snapshot: row.snapshot,
            state: Arc::new(state),
        }))
    }

    /// The current state event of a type and key.
    pub fn get(&self, kind: &StateEventType, key: &str) -> Option<&StateEntry> {
        self.state.get(&(kind.clone(), key.to_owned()))
    }

    /// A user's current membership; `leave` for somebody who never was there.
    pub fn membership(&self, user: &UserId) -> String {
        let entry = self.get(&StateEventType::RoomMember, user.as_str());
        entry.and_then(|entry| entry.pdu.membership()).unwrap_or_else(|| "leave".to_owned())
    }

    /// Content of a current state event, if it is of the expected form.
    pub fn content<T: serde::de::DeserializeOwned>(&self, kind: &StateEventType, key: &str) -> Option<T> {
        serde_json::from_str(self.get(kind, key)?.pdu.content.get()).ok()
    }

    /// Members with a membership, by user id.
    pub fn members<'a>(&'a self, membership: &'a str) -> impl Iterator<Item = &'a str> {
        self.state.iter().filter_map(move |((kind, key), entry)| {
            let is =
                *kind == StateEventType::RoomMember && entry.pdu.membership().as_deref() == Some(membership);
            is.then_some(key.as_str())
        })
    }

    /// The room's powers (specification, "m.room.power_levels").
    pub fn powers(&self) -> crate::powers::Powers {
        crate::powers::Powers::of(self)
    }
}
