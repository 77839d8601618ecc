//! What passes by: receipts, who is typing, who is online (application service API, "Pushing
//! ephemeral data").
//!
//! Typing and presence stand in the memory of each process, so a service is told what the process
//! knows that leads the followers. A service that was away hears how things stand, not how they
//! stood.

use super::desk::{Desk, Look};
use kontor_model::appservice::Service;
use kontor_model::{Nid, Result};
use kontor_store::Stream;
use kontor_store::identity::device_lists;
use kontor_store::rooms::receipts::{self, Receipt};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// People whose presence one transaction tells.
const PEOPLE: usize = 100;

/// Up to where a service was told what passes.
#[derive(Debug)]
pub(super) struct Passing {
    typing: u64,
    presence: u64,
}

impl Passing {
    /// From now on.
    pub fn from(counter: u64) -> Self {
        Self { typing: counter, presence: counter }
    }
}

impl Desk {
    /// Whether something passed that a service was not told.
    pub fn passes(&self, service: &Service, passing: &Passing) -> bool {
        service.ephemeral && self.flows.rooms.typing.counter() > passing.typing
    }

    pub(super) async fn ephemeral(
        &self,
        service: &Service,
        look: &Look,
        passing: &mut Passing,
    ) -> Result<Vec<Value>> {
        let mut told = self.receipts(service, look).await?;
        told.extend(self.typing(service, passing).await?);
        told.extend(self.presence(service, passing).await?);
        Ok(told)
    }

    async fn receipts(&self, service: &Service, look: &Look) -> Result<Vec<Value>> {
        let of = || look.entries.iter().filter(|entry| entry.row.stream == Stream::Receipt);
        let rooms = self.rooms_of(service, of().filter_map(|entry| entry.row.room)).await?;
        let readers = of().filter(|entry| entry.row.room.is_none()).filter_map(|entry| entry.row.user);
        let names = self.names(readers).await?;
        let own = |user: &Nid| names.get(user).is_some_and(|name| service.has_user(name));
        let public: Vec<(Nid, i64)> = of()
            .filter_map(|entry| Some((entry.row.room?, entry.pos)))
            .filter(|(room, _)| rooms.contains_key(room))
            .collect();
        // Of private receipts the log names no room.
        let private: Vec<(Nid, i64)> = of()
            .filter(|entry| entry.row.room.is_none())
            .filter_map(|entry| Some((entry.row.user?, entry.pos)))
            .filter(|(user, _)| own(user))
            .collect();
        if public.is_empty() && private.is_empty() {
            return Ok(Vec::new());
        }
        let found = receipts::at(&mut self.flows.store.reader(), &public, &private).await?;
        let rooms = self.rooms_of(service, found.iter().map(|receipt| receipt.room)).await?;
        Ok(by_room(&found, &rooms))
    }

    async fn typing(&self, service: &Service, passing: &mut Passing) -> Result<Vec<Value>> {
        let typing = &self.flows.rooms.typing;
        let counter = typing.counter();
        if counter <= passing.typing {
            return Ok(Vec::new());
        }
        let rooms = self.rooms_of(service, typing.changed_since(passing.typing)).await?;
        passing.typing = counter;
        let event = |(room, room_id): (&Nid, &Arc<str>)| json!({ "type": "m.typing", "room_id": **room_id, "content": { "user_ids": typing.now(*room) } });
        Ok(rooms.iter().map(event).collect())
    }

    async fn presence(&self, service: &Service, passing: &mut Passing) -> Result<Vec<Value>> {
        let flows = &self.flows;
        if !flows.identity.tells_presence() {
            return Ok(Vec::new());
        }
        let typing = &flows.rooms.typing;
        let people = flows.identity.presence_since(Some(passing.presence), || typing.count_on());
        passing.presence = typing.counter();
        let mut told = Vec::new();
        for (user, seen) in people.into_iter().take(PEOPLE) {
            let own = service.has_user(seen.user_id.as_str());
            if own || self.shares_a_room(service, user).await? {
                told.push(json!({ "type": "m.presence", "sender": seen.user_id, "content": seen.content() }));
            }
        }
        Ok(told)
    }

    /// Whether a user is in a room that is a service's.
    pub(super) async fn shares_a_room(&self, service: &Service, user: Nid) -> Result<bool> {
        let rooms = device_lists::rooms_of(&mut self.flows.store.reader(), user).await?;
        Ok(!self.rooms_of(service, rooms.into_iter().map(|(room, _)| room)).await?.is_empty())
    }
}

/// Receipts as `m.receipt` events, one for each room.
fn by_room(receipts: &[Receipt], rooms: &HashMap<Nid, Arc<str>>) -> Vec<Value> {
    let mut content: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut seen = HashSet::new();
    // The newest of each user and thread comes last, and is the one that counts.
    for receipt in receipts.iter().rev() {
        let Some(room_id) = rooms.get(&receipt.room) else { continue };
        if !seen.insert((receipt.room, &receipt.user_id, &receipt.kind, &receipt.thread)) {
            continue;
        }
        let mut data = Map::from_iter([("ts".to_owned(), receipt.ts.into())]);
        if !receipt.thread.is_empty() {
            data.insert("thread_id".to_owned(), receipt.thread.as_str().into());
        }
        let room = content.entry(room_id).or_default();
        let event = room.entry(receipt.event_id.as_str()).or_insert_with(|| json!({}));
        if let Some(event) = event.as_object_mut()
            && let Some(kind) =
                event.entry(receipt.kind.as_str()).or_insert_with(|| json!({})).as_object_mut()
        {
            // One event may carry several threads' receipts of a user; clients know one of them.
            kind.entry(receipt.user_id.as_str()).or_insert(data.into());
        }
    }
    let event = |(room_id, content)| json!({ "type": "m.receipt", "room_id": room_id, "content": content });
    content.into_iter().map(event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_are_told_by_room_the_newest_of_each_reader() {
        let receipt = |room, user: &str, event: &str, thread: &str, pos| Receipt {
            room,
            user_id: user.into(),
            kind: "m.read".into(),
            thread: thread.into(),
            event_id: event.into(),
            ts: pos,
            pos,
        };
        let rooms = HashMap::from([(1, Arc::from("!a"))]);
        let list = [
            receipt(1, "@a:x", "$1", "", 1),
            receipt(1, "@a:x", "$2", "", 2),
            receipt(1, "@b:x", "$2", "main", 3),
            receipt(2, "@a:x", "$9", "", 4),
        ];
        let told = by_room(&list, &rooms);
        let read = json!({ "@a:x": { "ts": 2 }, "@b:x": { "ts": 3, "thread_id": "main" } });
        let content = json!({ "$2": { "m.read": read } });
        assert_eq!(told, [json!({ "type": "m.receipt", "room_id": "!a", "content": content })]);
    }
}
