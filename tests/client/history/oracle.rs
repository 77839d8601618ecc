//! The specification's rule ("Room history visibility", server behaviour), event by event, on the
//! room as somebody tells it who was in it all the time. Slow and simple on purpose.

use std::collections::BTreeMap;

use harness::Client;
use serde_json::Value;

use crate::client::support::text;

/// A room from its first event to its last.
pub(super) struct Story {
    events: Vec<Value>,
}

/// Ids of state events by type and key.
pub(super) type State = BTreeMap<(String, String), String>;

impl Story {
    /// As told by the room's creator, who never left.
    pub async fn of(owner: &Client, room: &str) -> Self {
        Self { events: owner.whole_timeline(room).await }
    }

    pub fn len(&self) -> usize {
        self.events.len()
    }

    pub fn id(&self, index: usize) -> &str {
        self.events[index]["event_id"].as_str().expect("an event id")
    }

    /// Place of an event.
    pub fn index_of(&self, id: &str) -> usize {
        self.events.iter().position(|event| event["event_id"] == id).expect("an event of this room")
    }

    /// A field of the content of the newest state event of this key among the first `count` events.
    fn setting(&self, count: usize, kind: &str, key: &str, field: &str) -> Option<String> {
        let mut before = self.events[..count].iter().rev();
        let newest = before.find(|event| event["type"] == kind && event["state_key"] == key)?;
        newest["content"][field].as_str().map(str::to_owned)
    }

    /// The user's membership after the first `count` events.
    pub fn membership(&self, user: &str, count: usize) -> String {
        self.setting(count, "m.room.member", user, "membership").unwrap_or_else(|| "leave".to_owned())
    }

    fn visibility(&self, count: usize) -> String {
        let set = self.setting(count, "m.room.history_visibility", "", "history_visibility");
        let known = |set: &String| ["world_readable", "invited", "joined"].contains(&set.as_str());
        set.filter(known).unwrap_or_else(|| "shared".to_owned())
    }

    /// Whether everybody may read the room now.
    pub fn is_open(&self) -> bool {
        self.visibility(self.len()) == "world_readable"
    }

    fn joined_after(&self, user: &str, index: usize) -> bool {
        (index..self.len()).any(|later| self.membership(user, later + 1) == "join")
    }

    /// The rule for one event.
    pub fn may_see(&self, user: &str, index: usize) -> bool {
        let event = &self.events[index];
        // The event that changes a setting counts with the value before it and the one after it.
        let around = |own: bool| if own { vec![index, index + 1] } else { vec![index] };
        let is_visibility = event["type"] == "m.room.history_visibility" && event["state_key"] == "";
        let is_own = event["type"] == "m.room.member" && event["state_key"] == user;
        let memberships = around(is_own);
        around(is_visibility).into_iter().any(|at| {
            let setting = self.visibility(at);
            memberships.iter().any(|&at| {
                let membership = self.membership(user, at);
                setting == "world_readable"
                    || membership == "join"
                    || (setting == "shared" && self.joined_after(user, index))
                    || (setting == "invited" && membership == "invite")
            })
        })
    }

    /// Ids of what a user may see, oldest first.
    pub fn visible(&self, user: &str) -> Vec<String> {
        let seen = (0..self.len()).filter(|&index| self.may_see(user, index));
        seen.map(|index| self.id(index).to_owned()).collect()
    }

    /// Whether the user was ever in the room.
    pub fn was_in(&self, user: &str) -> bool {
        (0..self.len()).any(|index| self.membership(user, index + 1) == "join")
    }

    /// Events up to the end of the user's last stay: all of them for members.
    pub fn stay(&self, user: &str) -> usize {
        if self.membership(user, self.len()) == "join" {
            return self.len();
        }
        let last_in = (0..self.len()).rev().find(|&index| self.membership(user, index + 1) == "join");
        // The event that ended the stay belongs to it.
        last_in.map_or(0, |index| index + 2)
    }

    /// The state after the first `count` events.
    pub fn state(&self, count: usize) -> State {
        let mut state = State::new();
        for event in self.events[..count].iter().filter(|event| event.get("state_key").is_some()) {
            state.insert((text(&event["type"]), text(&event["state_key"])), text(&event["event_id"]));
        }
        state
    }

    /// The state that a user may know: the present one for members and of open rooms, else as it
    /// was when the user left.
    pub fn known_state(&self, user: &str) -> State {
        self.state(if self.is_open() { self.len() } else { self.stay(user) })
    }

    /// Whether the user is in the room now.
    pub fn is_member(&self, user: &str) -> bool {
        self.membership(user, self.len()) == "join"
    }
}

/// The state that an answer lists.
pub(super) fn state_of(events: &Value) -> State {
    let events = super::super::support::list(events);
    let entry = |event: &Value| ((text(&event["type"]), text(&event["state_key"])), text(&event["event_id"]));
    events.iter().map(entry).collect()
}
