//! What push rules look at: an event, and how things stand in its room.

use kontor_model::path;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::OnceLock;

/// An event as push rules see it.
#[derive(Debug)]
pub struct Event<'a> {
    kind: &'a str,
    sender: &'a str,
    state_key: Option<&'a str>,
    room_id: &'a str,
    content: &'a Value,
    members: u64,
    may_notify_room: bool,
    /// The body in small letters, made when the first rule asks for it.
    body: OnceLock<Option<String>>,
}

/// Path to a property of an event, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Property(Vec<String>);

impl Property {
    pub fn new(text: &str) -> Self {
        Self(path::names(text))
    }

    pub fn is_body(&self) -> bool {
        self.0 == ["content", "body"]
    }
}

impl<'a> Event<'a> {
    /// An event of a room, with its content.
    pub fn new(
        kind: &'a str,
        sender: &'a str,
        state_key: Option<&'a str>,
        room_id: &'a str,
        content: &'a Value,
    ) -> Self {
        let body = OnceLock::new();
        Self { kind, sender, state_key, room_id, content, members: 0, may_notify_room: false, body }
    }

    /// How many members the room has.
    #[must_use]
    pub fn in_room_of(self, members: u64) -> Self {
        Self { members, ..self }
    }

    /// Whether the sender's power level allows `@room` (`notifications.room`).
    #[must_use]
    pub fn sent_by_somebody_who_may_notify(self, may_notify_room: bool) -> Self {
        Self { may_notify_room, ..self }
    }

    /// Ids of the users whom the event mentions (`m.mentions`), of whatever server.
    pub fn mentioned(&self) -> impl Iterator<Item = &'a str> {
        let mentions = self.content.get("m.mentions").and_then(|mentions| mentions.get("user_ids"));
        mentions.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    pub(crate) fn sender(&self) -> &'a str {
        self.sender
    }

    pub(crate) fn members(&self) -> u64 {
        self.members
    }

    pub(crate) fn may_notify_room(&self) -> bool {
        self.may_notify_room
    }

    pub(crate) fn body(&self) -> Option<&str> {
        let small = || Some(self.content.get("body")?.as_str()?.to_lowercase());
        self.body.get_or_init(small).as_deref()
    }

    pub(crate) fn get(&self, property: &Property) -> Option<Cow<'a, Value>> {
        let (first, rest) = property.0.split_first()?;
        let text = |text: &str| Cow::Owned(Value::from(text));
        match (first.as_str(), rest) {
            ("content", names) => {
                let value = names.iter().try_fold(self.content, |value, name| value.get(name))?;
                Some(Cow::Borrowed(value))
            }
            ("type", []) => Some(text(self.kind)),
            ("sender", []) => Some(text(self.sender)),
            ("room_id", []) => Some(text(self.room_id)),
            ("state_key", []) => self.state_key.map(text),
            _ => None,
        }
    }
}
