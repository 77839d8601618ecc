//! Filters of `/sync`, `/messages` and `/context` (client-server API, "Filtering"), as plain data
//! and pure functions. Where filters are stored is the identity department's business.

use crate::glob::wildcard;
use crate::{Error, Result, path};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Largest filter, bytes of JSON.
pub const MAX_FILTER_BYTES: usize = 65_536;

/// Steps of a path to a property: JSON is not read when it is nested deeper.
const DEEPEST: usize = 128;

/// In which form events are given out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventFormat {
    /// As clients need them.
    #[default]
    Client,
    /// As they came over federation.
    Federation,
}

/// A whole filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Paths of the properties to give out; absent means all.
    pub event_fields: Option<Vec<String>>,
    /// The form of events.
    pub event_format: EventFormat,
    /// Presence updates.
    pub presence: EventFilter,
    /// Account data that belongs to no room.
    pub account_data: EventFilter,
    /// Everything in rooms.
    pub room: RoomFilter,
}

/// What of rooms is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RoomFilter {
    /// Only these rooms.
    pub rooms: Option<Vec<String>>,
    /// Not these rooms, even if listed in `rooms`.
    pub not_rooms: Vec<String>,
    /// Also rooms that the user left.
    pub include_leave: bool,
    /// Events that are not kept: typing, receipts.
    pub ephemeral: EventFilter,
    /// State events.
    pub state: EventFilter,
    /// Messages and changes of state.
    pub timeline: EventFilter,
    /// The user's account data of rooms.
    pub account_data: EventFilter,
}

/// Which events are wanted. Lists that are absent let everything through; an event that matches a
/// `not_` list is out even if the other list names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EventFilter {
    /// At most so many events; read it with [`EventFilter::limit_within`].
    pub limit: Option<u64>,
    /// Only these types; `*` is a wildcard.
    pub types: Option<Vec<String>>,
    /// Not these types.
    pub not_types: Vec<String>,
    /// Only these senders.
    pub senders: Option<Vec<String>>,
    /// Not these senders.
    pub not_senders: Vec<String>,
    /// Only these rooms.
    pub rooms: Option<Vec<String>>,
    /// Not these rooms.
    pub not_rooms: Vec<String>,
    /// Only events whose content has a `url`, or only those without.
    pub contains_url: Option<bool>,
    /// Member events only of those whose events are given out.
    pub lazy_load_members: bool,
    /// With `lazy_load_members`: also member events that the client was given before.
    pub include_redundant_members: bool,
    /// Unread counts by thread; `/sync` only.
    pub unread_thread_notifications: bool,
    /// Only events to which an event of one of these types of relation points.
    pub related_by_rel_types: Option<Vec<String>>,
    /// Only events to which an event of one of these senders points.
    pub related_by_senders: Option<Vec<String>>,
}

/// Whether a value passes a pair of lists.
fn passes(only: Option<&[String]>, not: &[String], value: &str, same: impl Fn(&str, &str) -> bool) -> bool {
    let listed = |list: &[String]| list.iter().any(|entry| same(entry, value));
    !listed(not) && only.is_none_or(listed)
}

fn equal(entry: &str, value: &str) -> bool {
    entry == value
}

/// What of an event a filter looks at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Event type.
    pub kind: &'a str,
    /// Who sent it; `None` for events without a sender, such as account data.
    pub sender: Option<&'a str>,
    /// Whether its content has a `url`.
    pub has_url: bool,
}

impl EventFilter {
    /// Reads the filter of `/messages` or `/context`, which is one of events alone.
    ///
    /// # Errors
    /// As [`Filter::parse`].
    pub fn parse(json: &str) -> Result<Self> {
        let filter = Filter::from_value(json!({ "room": { "timeline": value(json)? } }))?;
        Ok(filter.room.timeline)
    }

    /// Whether events of this type are wanted.
    pub fn admits_type(&self, kind: &str) -> bool {
        passes(self.types.as_deref(), &self.not_types, kind, wildcard)
    }

    /// Whether events of this sender are wanted.
    pub fn admits_sender(&self, sender: &str) -> bool {
        passes(self.senders.as_deref(), &self.not_senders, sender, equal)
    }

    /// Whether events of this room are wanted.
    pub fn admits_room(&self, room_id: &str) -> bool {
        passes(self.rooms.as_deref(), &self.not_rooms, room_id, equal)
    }

    /// Whether an event of a wanted room is wanted itself, relations left aside.
    pub fn admits(&self, event: Facts<'_>) -> bool {
        self.contains_url.is_none_or(|wanted| wanted == event.has_url)
            && event.sender.is_none_or(|sender| self.admits_sender(sender))
            && self.admits_type(event.kind)
    }

    /// Whether it depends on events that relate to an event whether that one is wanted.
    pub fn asks_for_relations(&self) -> bool {
        self.related_by_rel_types.is_some() || self.related_by_senders.is_some()
    }

    /// Whether an event is wanted to which these relations point, given as type and sender.
    pub fn admits_related<'a>(&self, mut relations: impl Iterator<Item = (&'a str, &'a str)>) -> bool {
        let listed = |list: &Option<Vec<String>>, value: &str| {
            list.as_ref().is_none_or(|list| list.iter().any(|entry| entry == value))
        };
        !self.asks_for_relations()
            || relations.any(|(rel_type, sender)| {
                listed(&self.related_by_rel_types, rel_type) && listed(&self.related_by_senders, sender)
            })
    }

    /// Whether nothing at all can pass, so that nothing need be read.
    pub fn admits_nothing(&self) -> bool {
        let empty = |list: &Option<Vec<String>>| list.as_ref().is_some_and(Vec::is_empty);
        empty(&self.types) || empty(&self.senders) || empty(&self.rooms)
    }

    /// Whether every event passes, the number aside.
    pub fn admits_everything(&self) -> bool {
        self.types.is_none()
            && self.not_types.is_empty()
            && self.senders.is_none()
            && self.not_senders.is_empty()
            && self.rooms.is_none()
            && self.not_rooms.is_empty()
            && self.contains_url.is_none()
            && !self.asks_for_relations()
    }

    /// How many events to give out: what the client asked for, or `default`, at most `max`.
    pub fn limit_within(&self, default: u64, max: u64) -> u64 {
        self.limit.unwrap_or(default).min(max)
    }

    fn check(&self) -> Result<()> {
        let senders = self.senders.iter().flatten().chain(&self.not_senders);
        for user in senders.chain(self.related_by_senders.iter().flatten()) {
            crate::ids::user_id(user).map_err(|_| malformed("user id", user))?;
        }
        check_rooms(self.rooms.iter().flatten().chain(&self.not_rooms))
    }
}

fn check_rooms<'a>(mut rooms: impl Iterator<Item = &'a String>) -> Result<()> {
    let bad = rooms.find(|room| !room.starts_with('!') || room.len() > crate::ids::MAX_ID_BYTES);
    bad.map_or(Ok(()), |room| Err(malformed("room id", room)))
}

fn malformed(what: &str, value: &str) -> Error {
    let value: String = value.chars().take(60).collect();
    Error::bad_json(format!("The filter holds \"{value}\", which is not a {what}."))
}

fn refused(cause: serde_json::Error) -> Error {
    Error::bad_json(format!("This is not a filter: {cause}.")).because(cause)
}

/// The JSON of a filter, if it is some and not too much.
fn value(json: &str) -> Result<Value> {
    if json.len() > MAX_FILTER_BYTES {
        return Err(Error::new(crate::Code::TooLarge, "The filter is larger than 64 KiB."));
    }
    serde_json::from_str(json).map_err(refused)
}

impl RoomFilter {
    /// Whether anything of this room is wanted.
    pub fn admits_room(&self, room_id: &str) -> bool {
        passes(self.rooms.as_deref(), &self.not_rooms, room_id, equal)
    }
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// `BadJson` when a field is of the wrong kind or an id is none; `TooLarge` above 64 KiB.
    pub fn parse(json: &str) -> Result<Self> {
        Self::from_value(value(json)?)
    }

    fn from_value(value: Value) -> Result<Self> {
        // Parsers of structs take arrays of their fields too, which no client means.
        let room = value.get("room");
        let in_room =
            ["ephemeral", "state", "timeline", "account_data"].map(|key| room.and_then(|r| r.get(key)));
        let parts = [Some(&value), value.get("presence"), value.get("account_data"), room];
        if parts.into_iter().chain(in_room).flatten().any(|part| !part.is_object()) {
            return Err(Error::bad_json("This is not a filter: a part of it is not a JSON object."));
        }
        let filter = Self::deserialize(value).map_err(refused)?;
        let room = &filter.room;
        for part in [&filter.presence, &filter.account_data] {
            part.check()?;
        }
        for part in [&room.ephemeral, &room.state, &room.timeline, &room.account_data] {
            part.check()?;
        }
        check_rooms(room.rooms.iter().flatten().chain(&room.not_rooms))?;
        Ok(filter)
    }

    /// The projection that `event_fields` asks for, if it asks for one.
    pub fn projection(&self) -> Option<Projection> {
        self.event_fields.as_ref().map(|fields| Projection::new(fields))
    }
}

/// The properties of events that a client wants; everything else is left out.
///
/// Applying it takes time by the size of the event, however many fields the client lists: else a
/// filter that lists `content` a thousand times would copy it as often, for every event.
#[derive(Clone, Debug)]
pub struct Projection(BTreeMap<String, Wanted>);

/// What is wanted of a property.
#[derive(Clone, Debug)]
enum Wanted {
    Whole,
    Parts(BTreeMap<String, Wanted>),
}

impl Projection {
    /// A projection to dot-separated paths.
    pub fn new<T: AsRef<str>>(fields: &[T]) -> Self {
        let mut wanted = BTreeMap::new();
        for field in fields {
            let names = path::names(field.as_ref());
            // No event has anything further down, and what is nested without end could not be dropped.
            if names.len() <= DEEPEST {
                want(&mut wanted, &names);
            }
        }
        Self(wanted)
    }

    /// The wanted part of an event. What the event does not have is left out.
    pub fn apply(&self, event: &Map<String, Value>) -> Map<String, Value> {
        parts(event, &self.0)
    }
}

fn want(parts: &mut BTreeMap<String, Wanted>, names: &[String]) {
    match names {
        [] => {}
        [name] => {
            parts.insert(name.clone(), Wanted::Whole);
        }
        [name, rest @ ..] => {
            let part = parts.entry(name.clone()).or_insert_with(|| Wanted::Parts(BTreeMap::new()));
            if let Wanted::Parts(parts) = part {
                want(parts, rest);
            }
        }
    }
}

fn parts(of: &Map<String, Value>, wanted: &BTreeMap<String, Wanted>) -> Map<String, Value> {
    let part = |(name, value): (&String, &Value)| match (wanted.get(name)?, value) {
        (Wanted::Whole, value) => Some((name.clone(), value.clone())),
        (Wanted::Parts(wanted), Value::Object(inner)) => {
            let found = parts(inner, wanted);
            (!found.is_empty()).then(|| (name.clone(), Value::Object(found)))
        }
        _ => None,
    };
    of.iter().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event_filter(json: Value) -> EventFilter {
        serde_json::from_value(json).unwrap()
    }

    fn message<'a>(kind: &'a str, sender: &'a str) -> Facts<'a> {
        Facts { kind, sender: Some(sender), has_url: false }
    }

    #[test]
    fn a_not_list_beats_the_list() {
        let filter = event_filter(json!({
            "types": ["m.room.*", "m.reaction"], "not_types": ["m.room.mem*er"],
            "senders": ["@a:x", "@b:x"], "not_senders": ["@b:x"],
        }));
        assert!(filter.admits(message("m.room.message", "@a:x")));
        assert!(filter.admits(message("m.reaction", "@a:x")));
        assert!(!filter.admits(message("m.room.member", "@a:x")));
        assert!(!filter.admits(message("m.room.message", "@b:x")));
        assert!(!filter.admits(message("m.room.message", "@c:x")));
        assert!(!filter.admits(message("m.call.invite", "@a:x")));
    }

    #[test]
    fn empty_lists_let_nothing_through_and_absent_ones_everything() {
        assert!(event_filter(json!({"types": []})).admits_nothing());
        assert!(!event_filter(json!({"types": []})).admits(message("m.room.message", "@a:x")));
        assert!(EventFilter::default().admits(message("m.room.message", "@a:x")));
        assert!(EventFilter::default().admits_everything());
        assert!(!event_filter(json!({"not_types": ["x"]})).admits_everything());
    }

    #[test]
    fn links_relations_rooms_and_numbers() {
        let with_url = event_filter(json!({"contains_url": true}));
        assert!(!with_url.admits(message("m.room.message", "@a:x")));
        assert!(with_url.admits(Facts { has_url: true, ..message("m.room.message", "@a:x") }));
        let related = event_filter(json!({
            "related_by_rel_types": ["m.thread"], "related_by_senders": ["@a:x"],
        }));
        assert!(related.admits_related([("m.thread", "@a:x")].into_iter()));
        assert!(!related.admits_related([("m.thread", "@b:x"), ("m.annotation", "@a:x")].into_iter()));
        let rooms = event_filter(json!({"rooms": ["!a:x", "!b:x"], "not_rooms": ["!b:x"], "limit": 5000}));
        assert!(rooms.admits_room("!a:x") && !rooms.admits_room("!b:x") && !rooms.admits_room("!c:x"));
        assert_eq!((rooms.limit_within(10, 1000), with_url.limit_within(10, 1000)), (1000, 10));
    }

    #[test]
    fn malformed_filters_are_refused_and_unknown_fields_ignored() {
        for bad in [
            r#"[]"#,
            r#"{"room": []}"#,
            r#"{"room": {"timeline": [5]}}"#,
            r#"{"room": {"timeline": {"limit": -1}}}"#,
            r#"{"room": {"timeline": {"limit": 1.5}}}"#,
            r#"{"room": {"timeline": {"types": "m.room.message"}}}"#,
            r#"{"room": {"timeline": {"senders": ["nobody"]}}}"#,
            r#"{"room": {"rooms": ["alias:x"]}}"#,
            r#"{"presence": {"not_senders": ["_"]}}"#,
            r#"{"event_format": "other"}"#,
            r#"{"event_fields": [1]}"#,
        ] {
            assert!(Filter::parse(bad).is_err(), "{bad}");
        }
        let filter = Filter::parse(r#"{"room": {"timeline": {"limit": 3, "org.x": [1]}}, "y": 1}"#).unwrap();
        assert_eq!(filter.room.timeline.limit, Some(3));
        assert_eq!(Filter::parse("{}").unwrap(), Filter::default());
    }

    #[test]
    fn projection_keeps_what_was_asked_for() {
        let event =
            json!({"type": "m", "content": {"body": "b", "m.x": {"y": 1, "z": 2}, "n": [1]}, "sender": "@a"});
        let Value::Object(event) = event else { unreachable!() };
        let project = |fields: &[&str]| Value::Object(Projection::new(fields).apply(&event));
        assert_eq!(
            project(&["type", r"content.m\.x.y", "content.body", "content.n.0", "nothing", "sender.x"]),
            json!({"type": "m", "content": {"body": "b", "m.x": {"y": 1}}})
        );
        assert_eq!(project(&["content", "content.body"])["content"], event["content"]);
        assert_eq!(project(&["content.body", "content"])["content"], event["content"]);
        assert_eq!(project(&[]), json!({}));
    }

    #[test]
    fn no_list_of_fields_makes_projection_slow_or_deep() {
        let big = json!({"content": {"body": "x".repeat(60_000)}});
        let Value::Object(event) = big else { unreachable!() };
        let often = Projection::new(&vec!["content"; 8_000]);
        let began = std::time::Instant::now();
        for _ in 0..200 {
            assert_eq!(often.apply(&event), event);
        }
        // Copied as often as it is listed, it would be a hundred gigabytes.
        assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
        let deep = Projection::new(&[".".repeat(60_000), "content.body".to_owned()]);
        assert_eq!(deep.apply(&event), event);
    }

    #[test]
    fn the_filter_of_messages_is_one_json_value() {
        assert!(EventFilter::parse(r#"{"types": ["m.room.message"]}"#).is_ok());
        for bad in [r#"{}},"x":{"y":{}"#, "", "[]", "{},{}", "null"] {
            assert!(EventFilter::parse(bad).is_err(), "{bad}");
        }
    }
}
