//! A session that waits is told what a session that comes late is told: however the server finds
//! the news of the moment, they are the same news.

use harness::{Client, Homeserver, both_databases, enc, full_tier};
use serde_json::{Value, json};

use crate::client::support::{Dice, in_room, is_reference, text};

both_databases!(
    who_waits_is_told_what_who_comes_late_is_told,
    who_waits_is_told_nothing_after_leaving,
    who_waits_is_told_no_redacted_content,
);

fn path(since: &str, filter: &Value, more: &str, timeout_ms: u32) -> String {
    let (since, filter) = (enc(since), enc(&filter.to_string()));
    format!("/sync?timeout={timeout_ms}&since={since}&filter={filter}{more}")
}

/// Without what depends on the moment of asking; a place between two events has several names.
fn timeless(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            map.remove("age");
            map.remove("next_batch");
            map.remove("prev_batch");
            // Lazy clients may be told members again or not; all others have none in these rooms.
            map.remove("state");
            map.values_mut().for_each(|inner| *inner = timeless(inner.take()));
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| *inner = timeless(inner.take())),
        _ => {}
    }
    value
}

struct Room {
    alice: Client,
    bob: Client,
    pest: Client,
    id: String,
    said: Vec<String>,
}

async fn room(server: &Homeserver) -> Room {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let pest = server.register("pest").await;
    let id = alice.create_room(json!({ "preset": "public_chat", "name": "Room" })).await;
    bob.join(&id).await;
    pest.join(&id).await;
    let ignored = json!({ "ignored_users": { pest.user_id(): {} } });
    let list = format!("/user/{}/account_data/m.ignored_user_list", enc(bob.user_id()));
    bob.put(&list, &ignored).await.ok();
    let said = vec![alice.text(&id, "first").await];
    Room { alice, bob, pest, id, said }
}

impl Room {
    /// Something that bob's session may have to be told.
    async fn happen(&mut self, dice: &mut Dice) {
        let old = dice.one_of(&self.said).clone();
        let message = |body: &str, more: Value| {
            let mut content = json!({ "msgtype": "m.text", "body": body });
            content.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            content
        };
        let (alice, room) = (&self.alice, &self.id);
        match dice.below(14) {
            0..=4 => self.said.push(alice.text(room, "said").await),
            5 => drop(self.bob.text(room, "mine").await),
            6 => drop(self.pest.text(room, "BUY").await),
            7 => {
                let content = message("you", json!({ "m.mentions": { "user_ids": [self.bob.user_id()] } }));
                self.said.push(alice.send(room, "m.room.message", &content).await);
            }
            8 => {
                let relation = json!({ "m.relates_to": { "rel_type": "m.thread", "event_id": old } });
                // Not among those that things happen to: no thread begins in a thread.
                alice.send(room, "m.room.message", &message("reply", relation)).await;
            }
            9 => {
                let relation = json!({ "rel_type": "m.annotation", "event_id": old, "key": dice.below(1_000_000).to_string() });
                alice.send(room, "m.reaction", &json!({ "m.relates_to": relation })).await;
            }
            10 => {
                let relation = json!({ "m.relates_to": { "rel_type": "m.replace", "event_id": old } });
                alice.send(room, "m.room.message", &message("* edit", relation)).await;
            }
            11 => drop(alice.redact(room, &old).await),
            12 => {
                let topic = json!({ "topic": dice.below(1_000).to_string() });
                alice.set_state(room, "m.room.topic", "", &topic).await;
            }
            _ => {
                let receipt = in_room(room, &format!("receipt/m.read/{}", enc(&old)));
                let by = if dice.below(2) == 0 { &self.bob } else { alice };
                by.post(&receipt, &json!({})).await.ok();
            }
        }
    }
}

async fn who_waits_is_told_what_who_comes_late_is_told(server: Homeserver) {
    if is_reference() {
        return;
    }
    let rounds = if full_tier() { 200 } else { 25 };
    let lazy = json!({ "lazy_load_members": true });
    for (seed, (filter, more)) in [
        (json!({}), ""),
        (json!({ "room": { "state": lazy } }), ""),
        (json!({ "room": { "timeline": { "unread_thread_notifications": true } } }), "&use_state_after=true"),
        (json!({ "room": { "timeline": { "types": ["m.room.message"], "limit": 1 } } }), ""),
        (json!({ "event_fields": ["content.body", "type"] }), ""),
    ]
    .into_iter()
    .enumerate()
    {
        let mut dice = Dice::new(seed as u64);
        let mut room = room(&server).await;
        let mut since = room.bob.now().await;
        let nothing = timeless(room.bob.get(&path(&since, &filter, more, 0)).await.ok());
        for round in 0..rounds {
            let wait = dice.below(3) > 0;
            if !wait {
                room.happen(&mut dice).await;
            }
            let poll = tokio::spawn({
                let (bob, path) = (room.bob.clone(), path(&since, &filter, more, 600));
                async move { bob.get(&path).await.ok() }
            });
            if wait {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                room.happen(&mut dice).await;
            }
            let told = poll.await.unwrap();
            // What came after the answer is not compared: nothing comes, one thing a round.
            let late = room.bob.get(&path(&since, &filter, more, 0)).await.ok();
            let next = text(&told["next_batch"]);
            // A machine that is busy elsewhere may take longer than the poll waits: then nothing was told.
            if timeless(told.clone()) != nothing || !wait {
                assert_eq!(timeless(told), timeless(late), "filter {filter}, round {round}");
            }
            since = next;
        }
    }
}

async fn who_waits_is_told_nothing_after_leaving(server: Homeserver) {
    let Room { alice, bob, id, .. } = room(&server).await;
    let device = server.login(bob.user_id()).await;
    for round in 0..5 {
        let mut since = device.now().await;
        // Some plain messages first, so that the session is known to be told such.
        for _ in 0..3 {
            let message = alice.text(&id, "hello").await;
            device.sync_until_event(&mut since, &id, &message).await;
        }
        let poll = tokio::spawn({
            let (device, since) = (device.clone(), since.clone());
            async move { device.sync(Some(&since), 2_000).await }
        });
        alice.kick(&id, &bob).await;
        alice.text(&id, "SECRET").await;
        let told = poll.await.unwrap();
        assert!(!told.to_string().contains("SECRET"), "{round}: {told}");
        let next = text(&told["next_batch"]);
        let told = device.sync(Some(&next), 300).await;
        assert!(!told.to_string().contains("SECRET"), "{round}: {told}");
        bob.join(&id).await;
    }
}

async fn who_waits_is_told_no_redacted_content(server: Homeserver) {
    let Room { alice, bob, id, .. } = room(&server).await;
    let since = bob.now().await;
    let first = bob.sync(Some(&since), 0).await;
    let since = text(&first["next_batch"]);
    let message = alice.text(&id, "WITHDRAWN").await;
    // Told once while it was there, to another session.
    let device = server.login(bob.user_id()).await;
    device.sync(None, 0).await;
    alice.redact(&id, &message).await;
    let told = bob.sync(Some(&since), 0).await;
    assert!(!told.to_string().contains("WITHDRAWN"), "{told}");
}
