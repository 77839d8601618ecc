//! Small things that many claims need: parts of answers, filters, a repeatable dice.

use harness::{Client, enc};
use serde_json::{Value, json};

/// The items of a list; none if there is no list.
pub(super) fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// The ids of events.
pub(super) fn ids(events: &Value) -> Vec<String> {
    list(events).iter().map(|event| text(&event["event_id"])).collect()
}

/// A text; empty if there is none.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The event of this type and key in a list of state events.
pub(super) fn state_event(events: &Value, kind: &str, key: &str) -> Option<Value> {
    list(events).into_iter().find(|event| event["type"] == kind && event["state_key"] == key)
}

/// `(type, state_key)` of events, sorted.
pub(super) fn keys(events: &Value) -> Vec<(String, String)> {
    let mut keys: Vec<_> =
        list(events).iter().map(|event| (text(&event["type"]), text(&event["state_key"]))).collect();
    keys.sort();
    keys
}

/// `/rooms/{room}` with the rest of the path.
pub(super) fn in_room(room: &str, rest: &str) -> String {
    format!("/rooms/{}/{rest}", enc(room))
}

/// One `/sync` with a filter and further parameters (`&name=value`).
pub(super) async fn sync_with(client: &Client, since: Option<&str>, filter: &Value, more: &str) -> Value {
    let since = since.map(|since| format!("&since={}", enc(since))).unwrap_or_default();
    client.get(&format!("/sync?timeout=0&filter={}{since}{more}", enc(&filter.to_string()))).await.ok()
}

/// A private room whose history visibility is `setting` from the first moment on.
pub(super) async fn room_showing(owner: &Client, setting: &str) -> String {
    let visibility =
        json!({ "type": "m.room.history_visibility", "content": { "history_visibility": setting } });
    owner.create_room(json!({ "preset": "private_chat", "initial_state": [visibility] })).await
}

/// Invites `guest`, who joins.
pub(super) async fn bring_in(owner: &Client, room: &str, guest: &Client) {
    owner.invite(room, guest).await;
    guest.join(room).await;
}

/// True when the claims run against another homeserver than ours, which need not share the
/// decisions that the specification leaves open.
pub(super) fn is_reference() -> bool {
    harness::other_homeserver().is_some()
}

/// Dice that fall the same way for the same seed.
pub(super) struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds would begin alike.
        Self(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or_default() % end
    }

    /// One of these.
    pub fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}
