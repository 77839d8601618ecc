//! The answer of sliding sync, in the form of its unstable endpoint.

use crate::encryption::{DeviceLists, KeyCounts, ToDevice};
use crate::sync::answer::Plain;
use kontor_rooms::{StrippedEvent, VisibleEvent};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The whole answer.
#[derive(Debug, Default, Serialize)]
pub struct Answer {
    /// Where the next request goes on.
    pub pos: String,
    /// As the request had it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txn_id: Option<String>,
    /// Lengths of the lists.
    pub lists: BTreeMap<String, List>,
    /// Rooms with news, by Matrix id.
    pub rooms: BTreeMap<String, Room>,
    /// What was asked for besides rooms.
    pub extensions: Extensions,
}

/// A list.
#[derive(Debug, Serialize)]
pub struct List {
    /// How many rooms it has, within its ranges or not.
    pub count: usize,
}

/// News of a room; what is left out is as the client knows it.
#[derive(Debug, Default, Serialize)]
pub struct Room {
    /// The name that the room was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Option<String>>,
    /// Its picture; null when that was taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<Option<String>>,
    /// Members to name a room after that was given no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heroes: Option<Vec<Hero>>,
    /// Whether the client should forget what it knows of the room.
    #[serde(skip_serializing_if = "is_false")]
    pub initial: bool,
    /// Whether the timeline goes back behind what the client has.
    #[serde(skip_serializing_if = "is_false")]
    pub unstable_expanded_timeline: bool,
    /// Whether it is a direct chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_dm: Option<bool>,
    /// What those outside are told, who were invited or knock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invite_state: Option<Vec<StrippedEvent>>,
    /// State that was asked for, as far as it is news.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required_state: Vec<StatePiece>,
    /// The newest events, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<VisibleEvent>,
    /// Where older events begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_batch: Option<String>,
    /// Whether events before the timeline were left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limited: Option<bool>,
    /// How many of the timeline's last events came since the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_live: Option<usize>,
    /// Joined members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joined_count: Option<i64>,
    /// Invited members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invited_count: Option<i64>,
    /// Unread events that notify, in threads as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification_count: Option<i64>,
    /// Those that highlight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub highlight_count: Option<i64>,
    /// Grows with the room's activity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bump_stamp: Option<i64>,
}

/// A piece of state that was asked for.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum StatePiece {
    /// As it stands.
    Event(VisibleEvent),
    /// There is none any more: branches of the room met, and the one without it won.
    Gone {
        /// Its type.
        #[serde(rename = "type")]
        kind: String,
        /// Its key.
        state_key: String,
    },
}

/// A member to name a room after.
#[derive(Debug, Serialize)]
pub struct Hero {
    /// Matrix id.
    pub user_id: String,
    /// Name in the room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub displayname: Option<String>,
    /// Picture in the room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
}

/// What was asked for besides rooms.
#[derive(Debug, Default, Serialize)]
pub struct Extensions {
    /// Messages to the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_device: Option<Messages>,
    /// What encryption needs to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e2ee: Option<Encryption>,
    /// Account data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_data: Option<AccountData>,
    /// Receipts: one event for each room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipts: Option<ByRoom<Plain>>,
    /// Who types: one event for each room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typing: Option<ByRoom<Plain>>,
}

/// Messages to the device.
#[derive(Debug, Serialize)]
pub struct Messages {
    /// Where the next request goes on with them.
    pub next_batch: String,
    /// Oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<ToDevice>,
}

/// What encryption needs to know.
#[derive(Debug, Serialize)]
pub struct Encryption {
    /// Whose devices the client must look at again.
    #[serde(skip_serializing_if = "DeviceLists::is_empty")]
    pub device_lists: DeviceLists,
    /// How the device's own keys stand.
    #[serde(flatten)]
    pub keys: Arc<KeyCounts>,
    /// Whether they stand otherwise than the session was told last.
    #[serde(skip)]
    pub keys_changed: bool,
}

/// Account data.
#[derive(Debug, Default, Serialize)]
pub struct AccountData {
    /// What belongs to no room.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub global: Vec<Plain>,
    /// What belongs to rooms.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rooms: BTreeMap<String, Vec<Plain>>,
}

/// Something of each room, by Matrix id.
#[derive(Debug, Serialize)]
pub struct ByRoom<T> {
    /// By room.
    pub rooms: BTreeMap<String, T>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Extensions {
    /// Whether there are no news, so that a long poll goes on waiting.
    pub fn is_empty(&self) -> bool {
        let no_data =
            self.account_data.as_ref().is_none_or(|data| data.global.is_empty() && data.rooms.is_empty());
        let none =
            |by_room: &Option<ByRoom<Plain>>| by_room.as_ref().is_none_or(|list| list.rooms.is_empty());
        let messages = self.to_device.as_ref().is_some_and(|messages| !messages.events.is_empty());
        let keys = self.e2ee.as_ref().is_some_and(|e2ee| e2ee.keys_changed || !e2ee.device_lists.is_empty());
        no_data && !messages && !keys && none(&self.receipts) && none(&self.typing)
    }
}

impl Answer {
    /// Whether there are no news, so that a long poll goes on waiting.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.extensions.is_empty()
    }
}
