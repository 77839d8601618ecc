//! The answer of `/sync`, in the specification's form.

use crate::encryption::{DeviceLists, KeyCounts, ToDevice};
use kontor_model::filter::Projection;
use kontor_rooms::federation::FederationEvent;
use kontor_rooms::{StrippedEvent, VisibleEvent};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The whole answer.
#[derive(Debug, Default, Serialize)]
pub struct Answer {
    /// Where the next sync goes on.
    pub next_batch: String,
    /// News of rooms.
    #[serde(skip_serializing_if = "RoomSections::is_empty")]
    pub rooms: RoomSections,
    /// Account data that belongs to no room.
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub account_data: Events<Plain>,
    /// Messages to the session's device.
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub to_device: Events<ToDevice>,
    /// Whose devices the client must look at again.
    #[serde(skip_serializing_if = "DeviceLists::is_empty")]
    pub device_lists: DeviceLists,
    /// How the device's own keys stand; always told.
    #[serde(flatten)]
    pub keys: Arc<KeyCounts>,
    /// Whether they stand otherwise than the session was told last.
    #[serde(skip)]
    pub keys_changed: bool,
    /// Who is online. A long poll does not end for it.
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub presence: Events<PresenceEvent>,
}

/// News of rooms, by the reader's membership.
#[derive(Debug, Default, Serialize)]
pub struct RoomSections {
    /// Rooms that the reader is in.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub join: BTreeMap<String, Joined>,
    /// Rooms that the reader is invited to.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub invite: BTreeMap<String, Invited>,
    /// Rooms that the reader knocked on.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub knock: BTreeMap<String, Knocked>,
    /// Rooms that the reader left or was removed from.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub leave: BTreeMap<String, Left>,
}

/// A list of events in the form that sync wraps all of its lists in.
#[derive(Debug, Serialize)]
pub struct Events<T> {
    /// The events.
    pub events: Vec<T>,
}

/// A room that the reader is in.
#[derive(Debug, Serialize)]
pub struct Joined {
    /// Names and counts for clients that do not load all members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// State that the timeline does not tell.
    #[serde(flatten)]
    pub state: State,
    /// The newest events.
    pub timeline: Timeline,
    /// Typing and receipts.
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub ephemeral: Events<Plain>,
    /// The reader's account data of the room.
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub account_data: Events<Plain>,
    /// Unread counts of the whole room, or of its main timeline where threads are counted apart.
    pub unread_notifications: Counts,
    /// Unread counts by thread.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unread_thread_notifications: BTreeMap<String, Counts>,
}

/// A room that the reader left.
#[derive(Debug, Serialize)]
pub struct Left {
    /// State that the timeline does not tell, as of the leave.
    #[serde(flatten)]
    pub state: State,
    /// The newest events up to the leave.
    pub timeline: Timeline,
    /// The reader's account data of the room.
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub account_data: Events<Plain>,
}

/// A room that the reader is invited to.
#[derive(Debug, Serialize)]
pub struct Invited {
    /// What the invited are told about the room.
    pub invite_state: Events<StrippedEvent>,
}

/// A room that the reader knocked on.
#[derive(Debug, Serialize)]
pub struct Knocked {
    /// What those who knock are told about the room.
    pub knock_state: Events<StrippedEvent>,
}

/// Either the state before the timeline or, on request, the state after it.
#[derive(Debug, Serialize)]
pub enum State {
    /// State at the start of the timeline, as far as the client does not know it.
    #[serde(rename = "state")]
    Before(Events<Shown>),
    /// State at the end of the timeline, as far as the client does not know it.
    #[serde(rename = "state_after")]
    After(Events<Shown>),
}

/// The newest events of a room.
#[derive(Debug, Serialize)]
pub struct Timeline {
    /// Oldest first.
    pub events: Vec<Shown>,
    /// Whether events before these were left out.
    pub limited: bool,
    /// Where older events begin.
    pub prev_batch: String,
}

/// Names and counts for clients that do not load all members.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Members to name the room after.
    #[serde(rename = "m.heroes", skip_serializing_if = "Vec::is_empty")]
    pub heroes: Vec<String>,
    /// Joined members.
    #[serde(rename = "m.joined_member_count")]
    pub joined: i64,
    /// Invited members.
    #[serde(rename = "m.invited_member_count")]
    pub invited: i64,
}

/// Unread counts.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Counts {
    /// Events that notify.
    pub notification_count: i64,
    /// Events that highlight.
    pub highlight_count: i64,
}

/// An event without sender and id: account data, typing, receipts.
#[derive(Debug, Serialize)]
pub struct Plain {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its content.
    pub content: Box<RawValue>,
}

/// Somebody's presence.
#[derive(Debug, Serialize)]
pub struct PresenceEvent {
    sender: String,
    #[serde(rename = "type")]
    kind: &'static str,
    content: serde_json::Map<String, serde_json::Value>,
}

impl PresenceEvent {
    /// The event that tells it.
    pub fn of(seen: &kontor_identity::presence::Seen) -> Self {
        Self { sender: seen.user_id.to_string(), kind: "m.presence", content: seen.content() }
    }
}

/// An event, whole or only the fields that the filter asks for.
#[derive(Debug)]
pub enum Shown {
    /// All of it.
    Whole(VisibleEvent),
    /// As other servers are sent it.
    Raw(FederationEvent),
    /// Some fields.
    Part(serde_json::Map<String, serde_json::Value>),
}

impl Shown {
    /// Applies the filter's `event_fields`, if there are any.
    pub fn new(event: VisibleEvent, projection: Option<&Projection>) -> Self {
        let Some(projection) = projection else { return Self::Whole(event) };
        match serde_json::to_value(&event) {
            Ok(serde_json::Value::Object(map)) => Self::Part(projection.apply(&map)),
            _ => Self::Whole(event),
        }
    }

    /// The form for other servers, with the filter's `event_fields` applied, if there are any.
    pub fn raw(event: FederationEvent, projection: Option<&Projection>) -> Self {
        let Some(projection) = projection else { return Self::Raw(event) };
        match serde_json::to_value(&event) {
            Ok(serde_json::Value::Object(map)) => Self::Part(projection.apply(&map)),
            _ => Self::Raw(event),
        }
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whole(event) => event.serialize(serializer),
            Self::Raw(event) => event.serialize(serializer),
            Self::Part(map) => map.serialize(serializer),
        }
    }
}

impl<T> Default for Events<T> {
    fn default() -> Self {
        Self { events: Vec::new() }
    }
}

impl<T> From<Vec<T>> for Events<T> {
    fn from(events: Vec<T>) -> Self {
        Self { events }
    }
}

impl<T> Events<T> {
    /// Whether the list is empty, and may be left out.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

impl RoomSections {
    /// Whether no room has news.
    pub fn is_empty(&self) -> bool {
        self.join.is_empty() && self.invite.is_empty() && self.knock.is_empty() && self.leave.is_empty()
    }
}

impl Answer {
    /// Whether there are no news, so that a long poll goes on waiting.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
            && self.account_data.is_empty()
            && self.to_device.is_empty()
            && self.device_lists.is_empty()
            && !self.keys_changed
    }
}

impl State {
    /// The events, whichever state they are of.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Before(events) | Self::After(events) => events.is_empty(),
        }
    }
}

impl Joined {
    /// Whether the room has no news.
    pub fn is_empty(&self) -> bool {
        self.state.is_empty()
            && self.timeline.events.is_empty()
            && self.ephemeral.is_empty()
            && self.account_data.is_empty()
    }
}
