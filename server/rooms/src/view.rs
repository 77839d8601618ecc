//! The only form in which an event reaches a client.
//!
//! A [`VisibleEvent`] can be made by a [`Viewer`] alone, which has applied history visibility, the
//! reader's membership and ignored users. Nothing else of the archive can be serialised, so no
//! endpoint can forget the filter.

use crate::visibility::Visibility;
use kontor_model::{Ms, Nid};
use kontor_store::rooms::events::{EventRow, Replaced};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// An event that its reader may see.
#[derive(Clone, Debug)]
pub struct VisibleEvent {
    row: Arc<EventRow>,
    age: Ms,
    /// The reader's own membership at the event.
    membership: Option<&'static str>,
    /// Whether the reader may see what a state event replaced.
    tells_replaced: bool,
    redacted_because: Option<Box<VisibleEvent>>,
    bundle: Option<Arc<Bundle>>,
    /// Whether its content is kept from the reader.
    hollow: bool,
    /// Named in the event where the surrounding answer does not name the room.
    room_id: Option<Arc<str>>,
}

/// What relates to an event, told with it (client-server API, "Aggregations of child events").
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    /// The newest valid edit.
    pub replace: Option<VisibleEvent>,
    /// The thread that begins here.
    pub thread: Option<Thread>,
    /// Ids of the events that reference it, oldest first.
    pub references: Vec<String>,
}

/// A thread, told with its root.
#[derive(Clone, Debug)]
pub struct Thread {
    /// Its newest event.
    pub latest: VisibleEvent,
    /// How many events it has, without the root.
    pub count: i64,
    /// Whether the reader began it or wrote in it.
    pub participated: bool,
}

impl Bundle {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.replace.is_none() && self.thread.is_none() && self.references.is_empty()
    }
}

/// Makes events visible to one reader in one room.
pub struct Viewer<'a> {
    /// Numeric id of the reader.
    pub reader: Nid,
    /// What the reader may see of the room.
    pub visibility: &'a Visibility,
    /// Users that the reader ignores.
    pub ignored: &'a HashSet<String>,
    /// The room's id, if events should name it.
    pub room_id: Option<Arc<str>>,
    /// The present time, for the events' age.
    pub now: Ms,
}

impl Viewer<'_> {
    /// The event as the reader may see it, or `None`.
    pub fn see(&self, row: impl Into<Arc<EventRow>>) -> Option<VisibleEvent> {
        let row = row.into();
        let shown = row.ord.is_some_and(|ord| self.visibility.may_see(ord));
        // State events of ignored users are shown, or clients would lose track of the room.
        let ignored = row.state_key.is_none() && self.ignored.contains(&row.sender);
        if !shown || ignored {
            return None;
        }
        // Of state only the account's own profile would be worth hiding, and rooms would fall apart.
        if row.state_key.is_none() && self.visibility.keeps_words_of(&row.sender) {
            return self.see_without_content(&row);
        }
        Some(self.visible(row))
    }

    /// A message event as the reader may see it if only its place counts, without its content: so the
    /// root of a thread is told whose sender the reader ignores, as clients would show it.
    pub fn see_without_content(&self, row: &EventRow) -> Option<VisibleEvent> {
        let content = RawValue::from_string("{}".to_owned()).ok()?;
        let hollow = EventRow { content, extra: None, replaces: None, txn_id: None, ..row.clone() };
        let shown = row.ord.is_some_and(|ord| self.visibility.may_see(ord));
        shown.then(|| VisibleEvent { hollow: true, ..self.visible(Arc::new(hollow)) })
    }

    /// A state event that belongs to a state the reader is entitled to as a whole, whenever it was
    /// set: the current state for members, the state at their leave for those who left.
    pub fn see_state(&self, row: impl Into<Arc<EventRow>>) -> Option<VisibleEvent> {
        let row = row.into();
        let until = self.visibility.state_until()?;
        (row.state_key.is_some() && row.ord.is_some_and(|ord| ord <= until)).then(|| self.visible(row))
    }

    /// A state event that an invited or knocking user is told about the room, stripped to what the
    /// specification lists.
    pub fn see_stripped(&self, row: &EventRow) -> Option<StrippedEvent> {
        let mine = self.visibility.membership();
        (mine == "invite" || mine == "knock").then(|| StrippedEvent {
            content: row.content.clone(),
            sender: row.sender.clone(),
            state_key: row.state_key.clone().unwrap_or_default(),
            kind: row.kind.clone(),
        })
    }

    fn visible(&self, row: Arc<EventRow>) -> VisibleEvent {
        // What a state event replaced may be older than what the reader may see.
        let seen = |replaced: &Replaced| replaced.ord.is_some_and(|ord| self.visibility.may_see(ord));
        VisibleEvent {
            age: (self.now - row.origin_ts).max(0),
            tells_replaced: row.replaces.as_ref().is_some_and(seen),
            membership: row.ord.map(|ord| known_membership(self.visibility.membership_at(ord))),
            redacted_because: None,
            bundle: None,
            hollow: false,
            room_id: self.room_id.clone(),
            row,
        }
    }
}

/// The names that the specification has; histories hold no other.
fn known_membership(name: &str) -> &'static str {
    ["join", "invite", "knock", "ban"].into_iter().find(|known| *known == name).unwrap_or("leave")
}

impl VisibleEvent {
    /// The event's row, for decisions about it; never for sending it.
    pub fn row(&self) -> &EventRow {
        &self.row
    }

    /// The room's Matrix id, where events name it.
    pub fn room_id(&self) -> Option<&str> {
        self.room_id.as_deref()
    }

    /// The content alone.
    pub fn content(&self) -> &RawValue {
        &self.row.content
    }

    /// Whether its content is kept from the reader, who is shown only that there is an event.
    pub fn is_hollow(&self) -> bool {
        self.hollow
    }

    /// Shows the redactions of redacted events, as far as the reader may see those themselves.
    pub fn explain_redactions<'a>(
        events: impl IntoIterator<Item = &'a mut Self>,
        redactions: &HashMap<Nid, Self>,
    ) {
        for event in events {
            let because = event.row.redacted_by.and_then(|nid| redactions.get(&nid));
            event.redacted_because = because.cloned().map(Box::new);
        }
    }

    /// Tells with the event what relates to it.
    pub fn bundle(&mut self, bundle: Bundle) {
        self.bundle = (!bundle.is_empty()).then(|| Arc::new(bundle));
    }
}

/// The event that a redaction redacts; in the content since room version 11, before at the top level.
/// Clients of either habit are served.
pub(crate) fn redacts(row: &EventRow) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Redacts {
        redacts: Option<String>,
    }
    if row.kind != "m.room.redaction" {
        return None;
    }
    let read = |text: &str| serde_json::from_str::<Redacts>(text).ok().and_then(|found| found.redacts);
    read(row.content.get()).or_else(|| row.extra.as_deref().and_then(read))
}

impl Serialize for VisibleEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = &self.row;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("content", &row.content)?;
        map.serialize_entry("event_id", &row.event_id)?;
        map.serialize_entry("origin_server_ts", &row.origin_ts)?;
        map.serialize_entry("sender", &row.sender)?;
        map.serialize_entry("type", &row.kind)?;
        if let Some(key) = &row.state_key {
            map.serialize_entry("state_key", key)?;
        }
        if let Some(room_id) = &self.room_id {
            map.serialize_entry("room_id", &**room_id)?;
        }
        if let Some(redacts) = redacts(&self.row) {
            map.serialize_entry("redacts", &redacts)?;
        }
        map.serialize_entry("unsigned", &Unsigned(self))?;
        map.end()
    }
}

struct Unsigned<'a>(&'a VisibleEvent);

impl Serialize for Unsigned<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let VisibleEvent { row, age, membership, redacted_because, bundle, tells_replaced, .. } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("age", age)?;
        if let Some(membership) = membership {
            map.serialize_entry("membership", membership)?;
        }
        if let Some(txn_id) = &row.txn_id {
            map.serialize_entry("transaction_id", txn_id)?;
        }
        if let Some(replaced) = row.replaces.as_ref().filter(|_| *tells_replaced) {
            map.serialize_entry("prev_content", &replaced.content)?;
            map.serialize_entry("replaces_state", &replaced.event_id)?;
        }
        if let Some(redaction) = redacted_because {
            map.serialize_entry("redacted_because", redaction)?;
        }
        if let Some(bundle) = bundle {
            map.serialize_entry("m.relations", &**bundle)?;
        }
        map.end()
    }
}

impl Serialize for Bundle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Reference<'a> {
            event_id: &'a str,
        }
        #[derive(serde::Serialize)]
        struct References<'a> {
            chunk: Vec<Reference<'a>>,
        }
        let mut map = serializer.serialize_map(None)?;
        if let Some(edit) = &self.replace {
            map.serialize_entry("m.replace", edit)?;
        }
        if let Some(thread) = &self.thread {
            map.serialize_entry("m.thread", thread)?;
        }
        if !self.references.is_empty() {
            let chunk = self.references.iter().map(|event_id| Reference { event_id }).collect();
            map.serialize_entry("m.reference", &References { chunk })?;
        }
        map.end()
    }
}

impl Serialize for Thread {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("latest_event", &self.latest)?;
        map.serialize_entry("count", &self.count)?;
        map.serialize_entry("current_user_participated", &self.participated)?;
        map.end()
    }
}

/// A state event as somebody outside the room is told it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct StrippedEvent {
    content: Box<RawValue>,
    sender: String,
    state_key: String,
    #[serde(rename = "type")]
    kind: String,
}
