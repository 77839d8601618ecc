//! The only form in which an event reaches an application service.
//!
//! A service is told every event of the rooms that are its own (application service API, "Pushing
//! events"), whatever a person there may see; what belongs to one reader, such as transaction ids,
//! never enters here. Which rooms are its own is decided by whoever calls.

use crate::view::redacts;
use kontor_model::Ms;
use kontor_store::rooms::events::EventRow;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// An event, to be told to an application service.
#[derive(Clone, Copy, Debug)]
pub struct ServiceEvent<'a> {
    /// The event.
    pub row: &'a EventRow,
    /// Matrix id of its room.
    pub room_id: &'a str,
    /// The present time, for its age.
    pub now: Ms,
}

impl Serialize for ServiceEvent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = self.row;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("content", &row.content)?;
        map.serialize_entry("event_id", &row.event_id)?;
        map.serialize_entry("origin_server_ts", &row.origin_ts)?;
        map.serialize_entry("room_id", self.room_id)?;
        map.serialize_entry("sender", &row.sender)?;
        map.serialize_entry("type", &row.kind)?;
        if let Some(key) = &row.state_key {
            map.serialize_entry("state_key", key)?;
        }
        if let Some(redacts) = redacts(row) {
            map.serialize_entry("redacts", &redacts)?;
        }
        map.serialize_entry("unsigned", &Unsigned(self))?;
        map.end()
    }
}

struct Unsigned<'a>(&'a ServiceEvent<'a>);

impl Serialize for Unsigned<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ServiceEvent { row, now, .. } = *self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("age", &(now - row.origin_ts).max(0))?;
        if let Some(replaced) = &row.replaces {
            map.serialize_entry("prev_content", &replaced.content)?;
            map.serialize_entry("replaces_state", &replaced.event_id)?;
        }
        map.end()
    }
}
