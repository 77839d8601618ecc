//! The first sync of a client, and syncs that want all state again.

use harness::{Client, Homeserver, both_databases, enc, timeline};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::client::support::{in_room, is_reference, keys, list, state_event, sync_with, text};

both_databases!(
    a_new_account_has_an_empty_first_sync,
    the_first_sync_tells_every_joined_room_with_its_whole_state,
    the_first_sync_tells_ten_events_of_a_room_unless_asked_for_another_number,
    the_summary_names_heroes_and_counts_members,
    a_room_that_was_just_joined_is_told_whole,
    full_state_tells_all_state_again_but_no_old_events,
    events_in_sync_have_no_room_id_and_all_other_fields,
    first_syncs_of_many_rooms_tell_each_of_them,
    first_syncs_agree_with_the_room_after_every_change,
);

async fn a_new_account_has_an_empty_first_sync(server: Homeserver) {
    let alice = server.register("alice").await;
    let answer = alice.sync(None, 0).await;
    for section in ["join", "invite", "knock", "leave"] {
        assert!(answer["rooms"][section].as_object().is_none_or(serde_json::Map::is_empty), "{answer}");
    }
    let rules = list(&answer["account_data"]["events"]);
    let rules = rules.iter().find(|event| event["type"] == "m.push_rules").expect("push rules");
    assert!(rules["content"]["global"]["underride"].is_array(), "{rules}");
    let next = text(&answer["next_batch"]);
    let answer = alice.sync(Some(&next), 0).await;
    assert!(answer["rooms"]["join"].as_object().is_none_or(serde_json::Map::is_empty), "{answer}");
}

async fn the_first_sync_tells_every_joined_room_with_its_whole_state(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    alice.set_state(&room, "dev.kontor.test", "a", &json!({ "n": 1 })).await;
    for n in 0..15 {
        alice.text(&room, &format!("{n}")).await;
    }
    alice.set_state(&room, "dev.kontor.test", "b", &json!({ "n": 2 })).await;
    let answer = alice.sync(None, 0).await;
    let told = &answer["rooms"]["join"][&room];
    let before = keys(&told["state"]["events"]);
    assert!(state_event(&told["state"]["events"], "dev.kontor.test", "b").is_none(), "told twice: {told}");
    let events = list(&told["timeline"]["events"]);
    let in_timeline = events.iter().filter(|event| event.get("state_key").is_some());
    let mut all: Vec<_> =
        in_timeline.map(|event| (text(&event["type"]), text(&event["state_key"]))).chain(before).collect();
    all.sort();
    let state = alice.get(&in_room(&room, "state")).await.ok();
    assert_eq!(all, keys(&state));
    assert_eq!(events.last().unwrap()["content"]["n"], 2);
    assert_eq!(told["timeline"]["limited"], true, "{told}");
}

async fn the_first_sync_tells_ten_events_of_a_room_unless_asked_for_another_number(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let mut sent = Vec::new();
    for n in 0..25 {
        sent.push(alice.text(&room, &format!("{n}")).await);
    }
    for (limit, expected) in [(None, 10), (Some(1), 1), (Some(20), 20)] {
        let filter = limit.map_or(json!({}), |limit| json!({ "room": { "timeline": { "limit": limit } } }));
        let answer = sync_with(&alice, None, &filter, "").await;
        let told: Vec<_> = timeline(&answer, &room).iter().map(|event| text(&event["event_id"])).collect();
        assert_eq!(told, sent[sent.len() - expected..]);
    }
    let filter = json!({ "room": { "timeline": { "limit": 100 } } });
    let answer = sync_with(&alice, None, &filter, "").await;
    let told = &answer["rooms"]["join"][&room];
    assert_eq!(list(&told["timeline"]["events"])[0]["type"], "m.room.create");
    assert_ne!(told["timeline"]["limited"], true);
}

async fn the_summary_names_heroes_and_counts_members(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let carol = server.register("carol").await;
    let room = alice.room_with(&[&bob]).await;
    alice.invite(&room, &carol).await;
    let answer = alice.sync(None, 0).await;
    let summary = &answer["rooms"]["join"][&room]["summary"];
    assert_eq!(summary["m.joined_member_count"], 2, "{summary}");
    assert_eq!(summary["m.invited_member_count"], 1, "{summary}");
    let mut heroes: Vec<_> = list(&summary["m.heroes"]).iter().map(text).collect();
    heroes.sort();
    assert_eq!(heroes, [bob.user_id(), carol.user_id()]);
    let since = text(&answer["next_batch"]);
    bob.leave(&room).await;
    carol.leave(&room).await;
    let answer = alice.sync(Some(&since), 0).await;
    let summary = &answer["rooms"]["join"][&room]["summary"];
    assert_eq!(summary["m.joined_member_count"], 1, "{answer}");
    // Alone, one is told who was there.
    let mut heroes: Vec<_> = list(&summary["m.heroes"]).iter().map(text).collect();
    heroes.sort();
    assert_eq!(heroes, [bob.user_id(), carol.user_id()], "{summary}");
}

async fn a_room_that_was_just_joined_is_told_whole(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.public_room().await;
    for n in 0..15 {
        alice.text(&room, &format!("{n}")).await;
    }
    let since = bob.now().await;
    bob.join(&room).await;
    let answer = bob.sync(Some(&since), 0).await;
    let told = &answer["rooms"]["join"][&room];
    assert!(state_event(&told["state"]["events"], "m.room.create", "").is_some(), "{told}");
    assert!(state_event(&told["state"]["events"], "m.room.member", alice.user_id()).is_some(), "{told}");
    let events = list(&told["timeline"]["events"]);
    assert_eq!(events.last().unwrap()["state_key"], bob.user_id());
    assert_eq!(events[0]["content"]["body"], "6", "history before the join belongs to it");
    assert_eq!(told["timeline"]["limited"], true);
    assert!(told["summary"]["m.joined_member_count"] == 2 || is_reference(), "{told}");
}

async fn full_state_tells_all_state_again_but_no_old_events(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({ "name": "Room" })).await;
    let quiet = alice.create_room(json!({ "name": "Quiet" })).await;
    alice.text(&room, "old").await;
    let since = alice.now().await;
    let news = alice.text(&room, "new").await;
    let path = format!("/sync?full_state=true&timeout=30000&since={}", enc(&since));
    let answer = alice.get(&path).await.ok();
    for (room, events) in [(&room, vec![news]), (&quiet, vec![])] {
        let told = &answer["rooms"]["join"][room];
        let seen: Vec<_> = list(&told["timeline"]["events"]).iter().map(|e| text(&e["event_id"])).collect();
        assert_eq!(seen, events, "{told}");
        let state = alice.get(&in_room(room, "state")).await.ok();
        assert_eq!(keys(&told["state"]["events"]), keys(&state));
    }
}

async fn events_in_sync_have_no_room_id_and_all_other_fields(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let event = alice.text(&room, "hello").await;
    let answer = alice.sync(None, 0).await;
    let seen = timeline(&answer, &room).pop().unwrap();
    assert_eq!(seen["event_id"], event);
    assert!(seen.get("room_id").is_none(), "{seen}");
    assert_eq!(seen["sender"], alice.user_id());
    assert_eq!(seen["type"], "m.room.message");
    assert!(seen["origin_server_ts"].as_u64().is_some(), "{seen}");
    assert!(seen["unsigned"]["age"].as_i64().is_some(), "{seen}");
    assert!(seen.get("state_key").is_none(), "{seen}");
    let elsewhere = alice.event(&room, &event).await.ok();
    assert_eq!(elsewhere["room_id"], room);
    for internal in ["hashes", "signatures", "auth_events", "prev_events", "depth"] {
        assert!(seen.get(internal).is_none() && elsewhere.get(internal).is_none(), "{elsewhere}");
    }
}

async fn first_syncs_of_many_rooms_tell_each_of_them(server: Homeserver) {
    let alice = server.register("alice").await;
    let mut rooms = Vec::new();
    for n in 0..30 {
        let room = alice.create_room(json!({ "name": format!("room {n}") })).await;
        alice.text(&room, &format!("in {n}")).await;
        rooms.push(room);
    }
    let answer = alice.sync(None, 0).await;
    assert_eq!(answer["rooms"]["join"].as_object().unwrap().len(), 30);
    for (n, room) in rooms.iter().enumerate() {
        let last = timeline(&answer, room).pop().unwrap();
        assert_eq!(last["content"]["body"], format!("in {n}"));
    }
    let joined = alice.get("/joined_rooms").await.ok();
    let mut joined: Vec<_> = list(&joined["joined_rooms"]).iter().map(text).collect();
    joined.sort();
    rooms.sort();
    assert_eq!(joined, rooms);
    let path = format!("/sync?since={}", enc(&text(&answer["next_batch"])));
    let quiet = alice.get(&path).await.ok();
    assert!(quiet["rooms"]["join"].as_object().is_none_or(serde_json::Map::is_empty), "{quiet}");
}

/// Compares what a new client is told of a room with what the room's own endpoints say.
async fn agrees(reader: &Client, room: &str, after: &str) {
    for more in ["", "&use_state_after=true"] {
        for lazy in [false, true] {
            let filter =
                json!({ "room": { "state": { "lazy_load_members": lazy }, "timeline": { "limit": 6 } } });
            let answer = sync_with(reader, None, &filter, more).await;
            let told = &answer["rooms"]["join"][room];
            let section = if more.is_empty() { "state" } else { "state_after" };
            let events = list(&told["timeline"]["events"]);
            let mut state = BTreeMap::new();
            let changes = events.iter().filter(|event| event.get("state_key").is_some());
            for event in list(&told[section]["events"]).iter().chain(changes) {
                state.insert((text(&event["type"]), text(&event["state_key"])), text(&event["event_id"]));
            }
            let now = list(&reader.get(&in_room(room, "state")).await.ok());
            let now: BTreeMap<_, _> = now
                .iter()
                .map(|event| ((text(&event["type"]), text(&event["state_key"])), text(&event["event_id"])))
                .collect();
            if lazy {
                assert!(state.iter().all(|(key, id)| now.get(key) == Some(id)), "{after}: {state:?} {now:?}");
                let left_out = now.keys().filter(|key| !state.contains_key(*key));
                assert!(left_out.clone().all(|key| key.0 == "m.room.member"), "{after}: {state:?}");
            } else {
                assert_eq!(state, now, "{after}");
            }
            let newest = list(&reader.get(&in_room(room, "messages?dir=b&limit=6")).await.ok()["chunk"]);
            let plain = |event: &Value| (text(&event["event_id"]), event["content"].clone());
            let newest: Vec<_> = newest.iter().rev().map(plain).collect();
            assert_eq!(events.iter().map(plain).collect::<Vec<_>>(), newest, "{after}");
            let joined = reader.get(&in_room(room, "joined_members")).await.ok();
            let joined = joined["joined"].as_object().expect("members").len();
            assert_eq!(told["summary"]["m.joined_member_count"], joined, "{after}");
        }
    }
}

async fn first_syncs_agree_with_the_room_after_every_change(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let carol = server.register("carol").await;
    let room = alice.room_with(&[&bob]).await;
    agrees(&bob, &room, "joining").await;
    let message = alice.text(&room, "one").await;
    agrees(&bob, &room, "a message").await;
    bob.text(&room, "two").await;
    alice.redact(&room, &message).await;
    agrees(&bob, &room, "a redaction").await;
    alice.set_state(&room, "m.room.name", "", &json!({ "name": "A" })).await;
    agrees(&bob, &room, "a name").await;
    let name = alice.set_state(&room, "m.room.name", "", &json!({ "name": "B" })).await;
    agrees(&bob, &room, "another name").await;
    alice.redact(&room, &name).await;
    agrees(&bob, &room, "a redacted name").await;
    alice.invite(&room, &carol).await;
    agrees(&bob, &room, "an invitation").await;
    carol.join(&room).await;
    agrees(&bob, &room, "a new member").await;
    agrees(&carol, &room, "joining late").await;
    let own =
        bob.send_txn(&room, "m.room.message", "mine", &json!({ "msgtype": "m.text", "body": "x" })).await;
    own.ok();
    let answer = bob.sync(None, 0).await;
    let last = timeline(&answer, &room).pop().expect("own message");
    assert_eq!(last["unsigned"]["transaction_id"], "mine", "{last}");
    let answer = carol.sync(None, 0).await;
    let last = timeline(&answer, &room).pop().expect("bob's message");
    assert!(last["unsigned"].get("transaction_id").is_none(), "{last}");
    carol.leave(&room).await;
    agrees(&bob, &room, "a leave").await;
}
