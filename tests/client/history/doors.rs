//! Every endpoint that shows events of a room, asked by one reader and compared with the oracle.

use harness::{Client, enc};
use serde_json::{Value, json};

use super::oracle::{Story, state_of};
use crate::client::support::{ids, in_room, is_reference, list, sync_with, text};

/// Asks all of them. `note` is put before what a failed check says.
pub(super) async fn all_keep_the_rule(reader: &Client, room: &str, story: &Story, note: &str) {
    // The reference shows those outside more than the specification does.
    if is_reference() && !story.is_member(reader.user_id()) {
        return;
    }
    let doors = Doors { reader, room, story, note, visible: story.visible(reader.user_id()) };
    if story.was_in(reader.user_id()) || story.is_open() {
        doors.messages().await;
        doors.events().await;
        doors.contexts().await;
        doors.state().await;
    } else {
        doors.closed().await;
    }
    doors.joined_members().await;
    doors.first_sync().await;
}

struct Doors<'a> {
    reader: &'a Client,
    room: &'a str,
    story: &'a Story,
    note: &'a str,
    visible: Vec<String>,
}

impl Doors<'_> {
    fn user(&self) -> &str {
        self.reader.user_id()
    }

    async fn get(&self, path: &str) -> harness::Response {
        self.reader.get(&in_room(self.room, path)).await
    }

    /// Both directions, in pages of different sizes, show exactly what is visible.
    async fn messages(&self) {
        for (dir, limit) in [("b", 100), ("f", 100), ("b", 3), ("f", 7)] {
            let mut seen = Vec::new();
            let mut from = String::new();
            loop {
                let page = self.get(&format!("messages?dir={dir}&limit={limit}{from}")).await.ok();
                for event in list(&page["chunk"]) {
                    self.check_event(&event, &format!("messages {dir}"));
                }
                seen.extend(ids(&page["chunk"]));
                let Some(end) = page["end"].as_str() else { break };
                from = format!("&from={}", enc(end));
            }
            if dir == "b" {
                seen.reverse();
            }
            assert_eq!(seen, self.visible, "{}: messages dir={dir} limit={limit}", self.note);
        }
    }

    /// What each event says beside its content.
    fn check_event(&self, event: &Value, door: &str) {
        let note = format!("{}: {door}: {event}", self.note);
        let index = self.story.index_of(&text(&event["event_id"]));
        if let Some(membership) = event["unsigned"]["membership"].as_str() {
            assert_eq!(membership, self.story.membership(self.user(), index + 1), "{note}");
        }
        if is_reference() {
            return;
        }
        let may_see = |id: &Value| self.visible.contains(&text(id));
        if event["unsigned"].get("prev_content").is_some() {
            // A member knows the state, whenever it was set.
            let member = self.story.membership(self.user(), index) == "join";
            assert!(member || may_see(&event["unsigned"]["replaces_state"]), "prev_content leaks: {note}");
        }
        if let Some(redaction) = event["unsigned"].get("redacted_because") {
            assert!(may_see(&redaction["event_id"]), "redacted_because leaks: {note}");
        }
    }

    async fn events(&self) {
        for index in 0..self.story.len() {
            let id = self.story.id(index);
            let answer = self.reader.event(self.room, id).await;
            if self.visible.iter().any(|seen| seen == id) {
                self.check_event(&answer.ok(), "event");
            } else {
                answer.err(404, "M_NOT_FOUND");
            }
        }
    }

    async fn contexts(&self) {
        for index in 0..self.story.len() {
            let id = self.story.id(index);
            let answer = self.get(&format!("context/{}?limit=6", enc(id))).await;
            let Some(place) = self.visible.iter().position(|seen| seen == id) else {
                answer.refused();
                continue;
            };
            let context = answer.ok();
            let mut before = ids(&context["events_before"]);
            before.reverse();
            let after = ids(&context["events_after"]);
            let note = format!("{}: context of {id}", self.note);
            let next = (place + 1).min(self.visible.len());
            let end = (place + 4).min(self.visible.len());
            if is_reference() {
                // It counts events that it then does not show.
                assert!(before.iter().chain(&after).all(|id| self.visible.contains(id)), "{note}");
            } else {
                assert_eq!(before, self.visible[place.saturating_sub(3)..place], "before, {note}");
                assert_eq!(after, self.visible[next..end], "after, {note}");
            }
            for event in list(&context["events_before"]).iter().chain(&list(&context["events_after"])) {
                self.check_event(event, "context");
            }
            self.check_context_state(&context["state"], after.last().map_or(id, String::as_str), &note);
        }
    }

    /// The state after the last event shown, as far as the reader may know any.
    fn check_context_state(&self, state: &Value, last: &str, note: &str) {
        let mut count = self.story.index_of(last) + 1;
        if !self.story.is_open() {
            count = count.min(self.story.stay(self.user()));
        }
        if !is_reference() {
            assert_eq!(state_of(state), self.story.state(count), "state, {note}");
        }
    }

    async fn state(&self) {
        let known = self.story.known_state(self.user());
        let state = self.get("state").await.ok();
        assert_eq!(state_of(&state), known, "{}: state", self.note);
        let members = self.get("members").await.ok();
        let known_members = known
            .iter()
            .filter(|(key, _)| key.0 == "m.room.member")
            .map(|(key, id)| (key.clone(), id.clone()));
        assert_eq!(state_of(&members["chunk"]), known_members.collect(), "{}: members", self.note);
        for ((kind, key), id) in self.story.state(self.story.len()) {
            let answer = self.get(&format!("state/{}/{}?format=event", enc(&kind), enc(&key))).await;
            let note = format!("{}: state {kind} {key}", self.note);
            match known.get(&(kind, key)) {
                Some(known) => assert_eq!(&text(&answer.ok()["event_id"]), known, "{note}"),
                None => assert!(answer.refused() != "M_UNRECOGNIZED", "{note}: {id}"),
            }
        }
    }

    /// Who never was in the room gets nothing at all.
    async fn closed(&self) {
        for path in ["messages?dir=b", "messages?dir=f", "state", "members", "state/m.room.create/"] {
            self.get(path).await.err(403, "M_FORBIDDEN");
        }
        for index in 0..self.story.len() {
            let id = self.story.id(index);
            self.reader.event(self.room, id).await.refused();
            self.get(&format!("context/{}", enc(id))).await.refused();
        }
    }

    async fn joined_members(&self) {
        let answer = self.get("joined_members").await;
        if self.story.membership(self.user(), self.story.len()) == "join" {
            answer.ok();
        } else {
            answer.err(403, "M_FORBIDDEN");
        }
    }

    async fn first_sync(&self) {
        let filter = json!({ "room": { "include_leave": true, "timeline": { "limit": 100 } } });
        let sync = sync_with(self.reader, None, &filter, "").await;
        let rooms = &sync["rooms"];
        let membership = self.story.membership(self.user(), self.story.len());
        let section = match membership.as_str() {
            "ban" => "leave",
            other => other,
        };
        for name in ["join", "invite", "knock", "leave"] {
            if name != section {
                assert!(rooms[name].get(self.room).is_none(), "{}: sync has it in {name}", self.note);
            }
        }
        let told = &rooms[section][self.room];
        let seen = ids(&told["timeline"]["events"]);
        for event in list(&told["timeline"]["events"]) {
            self.check_event(&event, "sync");
        }
        match section {
            "join" => {
                let tail = self.visible.len().saturating_sub(100);
                assert_eq!(seen, self.visible[tail..], "{}: sync", self.note);
            }
            "leave" => self.left_timeline(told, &seen),
            _ => assert!(seen.is_empty(), "{}: sync, {section}", self.note),
        }
        self.sync_state_is_known(&told["state"]["events"]);
    }

    /// What is visible of the stay, and of open rooms perhaps of later events.
    fn left_timeline(&self, told: &Value, seen: &[String]) {
        let stay = self.story.stay(self.user());
        if !told.is_object() || stay == 0 {
            return;
        }
        let of_stay = self.visible.iter().filter(|id| self.story.index_of(id) < stay).count();
        let (first, more) = seen.split_at(of_stay.min(seen.len()));
        assert_eq!(first, &self.visible[..of_stay], "{}: sync, leave", self.note);
        assert!(more.is_empty() || self.story.is_open(), "{}: sync tells later {more:?}", self.note);
        assert!(more.iter().all(|id| self.visible.contains(id)), "{}: sync tells {more:?}", self.note);
    }

    fn sync_state_is_known(&self, state: &Value) {
        let stay = if self.story.is_open() { self.story.len() } else { self.story.stay(self.user()) };
        for id in ids(state) {
            assert!(self.story.index_of(&id) < stay, "{}: sync tells later state {id}", self.note);
        }
    }
}
