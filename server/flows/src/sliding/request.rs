//! What a client asks of sliding sync (MSC4186, in the form that its unstable endpoint has), and the
//! bounds of it. Unknown fields are left alone: clients send what other servers know.

use kontor_model::{Error, Result};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// Lists of one request.
const MAX_LISTS: usize = 100;
/// Ranges of one list.
const MAX_RANGES: usize = 20;
/// Rooms that one request subscribes to.
const MAX_SUBSCRIPTIONS: usize = 500;
/// Entries of one `required_state`.
const MAX_STATE: usize = 200;
/// Entries of one filter's list, and rooms or lists of an extension.
const MAX_ENTRIES: usize = 500;
/// Bytes of a name that the client chose, or of a type or state key.
const MAX_TEXT: usize = 255;
/// Events of a room at most; larger limits are cut.
pub const MAX_LIMIT: u64 = 100;

/// What a client asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Request {
    /// The token of the last answer that the client has; absent on the first request.
    #[serde(skip)]
    pub pos: Option<String>,
    /// How long to wait for news.
    #[serde(skip)]
    pub timeout: Duration,
    /// The client's name for the connection.
    pub conn_id: Option<String>,
    /// Given back with the answer.
    pub txn_id: Option<String>,
    /// Rooms by their place in lists, by the lists' names.
    #[serde(deserialize_with = "nullable")]
    pub lists: BTreeMap<String, List>,
    /// Rooms by Matrix id.
    #[serde(deserialize_with = "nullable")]
    pub room_subscriptions: BTreeMap<String, Subscription>,
    /// What is wanted besides rooms.
    #[serde(deserialize_with = "nullable")]
    pub extensions: Extensions,
}

/// A list of rooms, the ones with the newest events first.
#[derive(Clone, Debug, Default, Hash, Deserialize)]
#[serde(default)]
pub struct List {
    /// Which places of the list are told, first and last; everything if absent.
    pub ranges: Option<Vec<(u64, u64)>>,
    /// As `ranges`, the form of the final proposal.
    pub range: Option<(u64, u64)>,
    /// How many events of each room.
    pub timeline_limit: u64,
    /// Which state of each room: types and state keys.
    #[serde(deserialize_with = "nullable")]
    pub required_state: Vec<(String, String)>,
    /// Which rooms are on the list.
    pub filters: Option<Filters>,
}

/// A room that is told wherever it stands.
#[derive(Clone, Debug, Default, Hash, Deserialize)]
#[serde(default)]
pub struct Subscription {
    /// As [`List::timeline_limit`].
    pub timeline_limit: u64,
    /// As [`List::required_state`].
    #[serde(deserialize_with = "nullable")]
    pub required_state: Vec<(String, String)>,
}

/// Which rooms a list has; all that is given must hold.
#[derive(Clone, Debug, Default, Hash, Deserialize)]
#[serde(default)]
pub struct Filters {
    /// Whether `m.direct` names the room.
    pub is_dm: Option<bool>,
    /// Children of any of these spaces.
    pub spaces: Option<Vec<String>>,
    /// Whether the room is encrypted.
    pub is_encrypted: Option<bool>,
    /// Whether the user is invited.
    #[serde(alias = "is_invited")]
    pub is_invite: Option<bool>,
    /// Rooms of one of these types; null = rooms without a type.
    pub room_types: Option<Vec<Option<String>>>,
    /// Not rooms of these types, even if `room_types` names them.
    pub not_room_types: Option<Vec<Option<String>>>,
    /// Rooms whose name contains this, in any case.
    pub room_name_like: Option<String>,
    /// Rooms with one of these tags.
    pub tags: Option<Vec<String>>,
    /// Not rooms with one of these tags, even if `tags` names another one of theirs.
    pub not_tags: Option<Vec<String>>,
}

/// What is wanted besides rooms. What is not asked for with this very request is not told.
#[derive(Clone, Debug, Default, Hash, Deserialize)]
#[serde(default)]
pub struct Extensions {
    /// Messages to the device.
    pub to_device: Option<ToDevice>,
    /// What encryption needs to know.
    pub e2ee: Option<OnOff>,
    /// Account data.
    pub account_data: Option<OfRooms>,
    /// Receipts.
    pub receipts: Option<OfRooms>,
    /// Who types.
    pub typing: Option<OfRooms>,
}

/// An extension without settings.
#[derive(Clone, Debug, Default, Hash, Deserialize)]
#[serde(default)]
pub struct OnOff {
    /// Whether it is wanted.
    pub enabled: Option<bool>,
}

/// Messages to the device (MSC3885).
#[derive(Clone, Debug, Default, Hash, Deserialize)]
#[serde(default)]
pub struct ToDevice {
    /// Whether it is wanted.
    pub enabled: Option<bool>,
    /// At most so many in one answer; the next one goes on with the rest.
    pub limit: Option<u64>,
    /// The token up to which the client has them.
    pub since: Option<String>,
}

/// An extension that concerns rooms.
#[derive(Clone, Debug, Default, Hash, Deserialize)]
#[serde(default)]
pub struct OfRooms {
    /// Whether it is wanted.
    pub enabled: Option<bool>,
    /// Lists whose rooms it concerns; all if absent.
    pub lists: Option<Vec<String>>,
    /// Subscribed rooms that it concerns; all if absent, or with `*`.
    pub rooms: Option<Vec<String>>,
}

/// `null` means the same as nothing.
fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(json: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(json)?.unwrap_or_default())
}

fn too_many(what: &str, most: usize) -> Error {
    Error::invalid_param(format!("There are more {what} than the {most} that this server takes."))
}

fn short(text: &str, what: &str) -> Result<()> {
    if text.len() > MAX_TEXT || text.contains('\0') {
        return Err(Error::invalid_param(format!("{what} is longer than {MAX_TEXT} bytes or malformed.")));
    }
    Ok(())
}

fn check_state(state: &[(String, String)]) -> Result<()> {
    if state.len() > MAX_STATE {
        return Err(too_many("entries in required_state", MAX_STATE));
    }
    state.iter().try_for_each(|(kind, key)| {
        short(kind, "A type in required_state")?;
        short(key, "A state key in required_state")
    })
}

impl List {
    /// The places that are told, first and last.
    pub fn places(&self) -> Vec<(u64, u64)> {
        match (&self.ranges, self.range) {
            (Some(ranges), _) => ranges.clone(),
            (None, Some(range)) => vec![range],
            (None, None) => vec![(0, u64::MAX)],
        }
    }

    fn check(&self) -> Result<()> {
        let places = self.places();
        if places.len() > MAX_RANGES {
            return Err(too_many("ranges", MAX_RANGES));
        }
        if places.iter().any(|(first, last)| first > last) {
            return Err(Error::invalid_param("A range must not end before it begins."));
        }
        check_state(&self.required_state)?;
        self.filters.as_ref().map_or(Ok(()), Filters::check)
    }
}

impl Filters {
    fn check(&self) -> Result<()> {
        let texts = [&self.spaces, &self.tags, &self.not_tags].map(|list| list.as_ref().map_or(0, Vec::len));
        let types = [&self.room_types, &self.not_room_types].map(|list| list.as_ref().map_or(0, Vec::len));
        if texts.into_iter().chain(types).any(|length| length > MAX_ENTRIES) {
            return Err(too_many("entries in a filter", MAX_ENTRIES));
        }
        Ok(())
    }
}

impl Request {
    /// Refuses what cannot be answered within bounds.
    ///
    /// # Errors
    /// `InvalidParam` with what is too much.
    pub fn check(&self) -> Result<()> {
        short(self.conn_id.as_deref().unwrap_or_default(), "conn_id")?;
        if self.lists.len() > MAX_LISTS {
            return Err(too_many("lists", MAX_LISTS));
        }
        if self.room_subscriptions.len() > MAX_SUBSCRIPTIONS {
            return Err(too_many("room_subscriptions", MAX_SUBSCRIPTIONS));
        }
        for (name, list) in &self.lists {
            short(name, "The name of a list")?;
            list.check()?;
        }
        self.room_subscriptions.values().try_for_each(|room| check_state(&room.required_state))?;
        let extensions = &self.extensions;
        let of_rooms = [&extensions.account_data, &extensions.receipts, &extensions.typing];
        let lengths =
            of_rooms.into_iter().flatten().flat_map(|extension| [&extension.lists, &extension.rooms]);
        if lengths.flatten().any(|list| list.len() > MAX_ENTRIES) {
            return Err(too_many("rooms or lists of an extension", MAX_ENTRIES));
        }
        Ok(())
    }
}

impl Request {
    /// Tells requests apart that want different things; where they go on from is no part of it.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let Extensions { to_device, e2ee, account_data, receipts, typing } = &self.extensions;
        (&self.lists, &self.room_subscriptions, e2ee, account_data, receipts, typing).hash(&mut hasher);
        to_device.as_ref().map(|wanted| (wanted.enabled, wanted.limit)).hash(&mut hasher);
        hasher.finish()
    }

    /// The token of messages to the device, if those are wanted.
    pub(super) fn messages_since(&self) -> Option<&str> {
        let wanted = self.extensions.to_device.as_ref().filter(|wanted| wanted.enabled == Some(true));
        wanted.map(|wanted| wanted.since.as_deref().unwrap_or_default())
    }
}

impl OnOff {
    /// Whether an extension was asked for.
    pub fn is_on(extension: Option<&Self>) -> bool {
        extension.is_some_and(|extension| extension.enabled == Some(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> Request {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn requests_of_known_clients_are_read() {
        let request = parsed(
            r#"{"conn_id":"room-list","txn_id":"t","lists":{"all_rooms":{"ranges":[[0,19]],"timeline_limit":1,
            "required_state":[["m.room.name",""],["m.room.member","$LAZY"]],
            "filters":{"is_invite":null,"not_room_types":["m.space",null]}}},
            "room_subscriptions":null,"extensions":{"account_data":{"enabled":true},
            "receipts":{"enabled":true,"rooms":["*"]},"unknown":{"a":1}}}"#,
        );
        assert!(request.check().is_ok());
        let list = request.lists.get("all_rooms").unwrap();
        assert_eq!(list.places(), [(0, 19)]);
        assert_eq!(list.filters.as_ref().unwrap().not_room_types.as_ref().unwrap()[1], None);
        assert_eq!(request.extensions.receipts.unwrap().rooms.unwrap(), ["*"]);
    }

    #[test]
    fn ranges_may_be_written_in_both_ways_or_not_at_all() {
        let request = parsed(r#"{"lists":{"a":{"range":[2,3]},"b":{}}}"#);
        assert_eq!(request.lists.get("a").unwrap().places(), [(2, 3)]);
        assert_eq!(request.lists.get("b").unwrap().places(), [(0, u64::MAX)]);
    }

    #[test]
    fn requests_for_the_same_have_the_same_digest() {
        let digest = |json: &str| parsed(json).digest();
        let one = digest(r#"{"lists":{"a":{"ranges":[[0,1]]}},"extensions":{"to_device":{"enabled":true}}}"#);
        let same = r#"{"txn_id":"x","lists":{"a":{"ranges":[[0,1]]}},"extensions":{"to_device":{"enabled":true,"since":"5"}}}"#;
        assert_eq!(one, digest(same));
        assert_ne!(
            one,
            digest(r#"{"lists":{"a":{"ranges":[[0,2]]}},"extensions":{"to_device":{"enabled":true}}}"#)
        );
        assert_ne!(one, digest(r#"{"lists":{"a":{"ranges":[[0,1]]}}}"#));
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        assert!(parsed(r#"{"lists":{"a":{"ranges":[[3,2]]}}}"#).check().is_err());
        assert!(parsed(&format!(r#"{{"conn_id":"{}"}}"#, "x".repeat(300))).check().is_err());
        let lists: Vec<_> = (0..101).map(|n| format!(r#""{n}":{{}}"#)).collect();
        assert!(parsed(&format!(r#"{{"lists":{{{}}}}}"#, lists.join(","))).check().is_err());
        let state = vec![r#"["a","b"]"#; 201].join(",");
        let body = format!(r#"{{"room_subscriptions":{{"!a:x":{{"required_state":[{state}]}}}}}}"#);
        assert!(parsed(&body).check().is_err());
    }
}
