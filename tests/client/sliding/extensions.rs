//! Extensions: account data, receipts, typing, messages to the device, encryption.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

use super::{Slider, list};
use crate::client::support::{in_room, list as items, text};

both_databases!(
    what_is_not_asked_for_is_not_told,
    account_data_is_told_whole_and_then_as_it_changes,
    receipts_follow_the_rooms_within_reach,
    typing_is_told,
    extensions_can_be_limited_to_lists_and_rooms,
    messages_to_the_device_are_told_until_they_are_received,
    of_many_messages_no_more_are_told_than_asked_for,
    changed_devices_are_told,
);

fn with(extensions: Value) -> Value {
    let mut body = list([0, 9], 5, json!([]));
    body["extensions"] = extensions;
    body
}

fn kinds(events: &Value) -> Vec<String> {
    let mut kinds: Vec<_> = items(events).iter().map(|event| text(&event["type"])).collect();
    kinds.sort();
    kinds
}

async fn set_data(client: &Client, room: Option<&str>, kind: &str, content: Value) {
    let room = room.map(|room| format!("/rooms/{}", enc(room))).unwrap_or_default();
    let path = format!("/user/{}{room}/account_data/{kind}", enc(client.user_id()));
    client.put(&path, &content).await.ok();
}

async fn read(client: &Client, room: &str, event: &str) {
    client.post(&in_room(room, &format!("receipt/m.read/{}", enc(event))), &json!({})).await.ok();
}

async fn what_is_not_asked_for_is_not_told(server: Homeserver) {
    let alice = server.register("alice").await;
    alice.create_room(json!({})).await;
    let mut slider = Slider::new(&alice);
    assert_eq!(slider.slide(&with(json!({}))).await["extensions"], json!({}));
    let off = json!({ "account_data": { "enabled": false }, "e2ee": {}, "unknown": { "enabled": true } });
    assert_eq!(slider.slide(&with(off)).await["extensions"], json!({}));
}

async fn account_data_is_told_whole_and_then_as_it_changes(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    set_data(&alice, None, "dev.kontor.a", json!({ "n": 1 })).await;
    set_data(&alice, Some(&room), "dev.kontor.r", json!({ "n": 1 })).await;
    let body = with(json!({ "account_data": { "enabled": true } }));
    let mut slider = Slider::new(&alice);
    let answer = slider.slide(&body).await;
    let data = &answer["extensions"]["account_data"];
    assert_eq!(kinds(&data["global"]), ["dev.kontor.a", "m.push_rules"]);
    assert_eq!(kinds(&data["rooms"][&room]), ["dev.kontor.r"]);
    set_data(&alice, None, "dev.kontor.b", json!({ "n": 2 })).await;
    set_data(&alice, Some(&room), "dev.kontor.s", json!({ "n": 2 })).await;
    // While it is not asked for, nothing is lost.
    slider.slide(&with(json!({}))).await;
    let answer = slider.slide(&body).await;
    let data = &answer["extensions"]["account_data"];
    assert_eq!(kinds(&data["global"]), ["dev.kontor.b"], "{answer}");
    assert_eq!(kinds(&data["rooms"][&room]), ["dev.kontor.s"], "{answer}");
    assert_eq!(slider.slide(&body).await["extensions"]["account_data"], json!({}));
}

async fn receipts_follow_the_rooms_within_reach(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let old = alice.text(&room, "old").await;
    read(&bob, &room, &old).await;
    for n in 0..6 {
        alice.text(&room, &n.to_string()).await;
    }
    let newest = alice.text(&room, "newest").await;
    let carol = server.register("carol").await;
    alice.invite(&room, &carol).await;
    carol.join(&room).await;
    read(&carol, &room, &newest).await;
    let body = with(json!({ "receipts": { "enabled": true } }));
    let mut slider = Slider::new(&alice);
    let answer = slider.slide(&body).await;
    let content = &answer["extensions"]["receipts"]["rooms"][&room]["content"];
    // Of the past only what concerns the events that are told.
    assert!(content[&newest]["m.read"][carol.user_id()]["ts"].is_i64(), "{answer}");
    assert!(content.get(&old).is_none(), "{answer}");
    read(&bob, &room, &newest).await;
    let answer = slider.slide(&body).await;
    let told = &answer["extensions"]["receipts"]["rooms"][&room];
    assert_eq!(told["type"], "m.receipt");
    assert!(told["content"][&newest]["m.read"][bob.user_id()].is_object(), "{answer}");
    assert!(told["content"][&newest]["m.read"].get(carol.user_id()).is_none(), "{answer}");
    // A room that was out of reach is told what was missed there.
    let other = alice.create_room(json!({})).await;
    let mut narrow = body.clone();
    narrow["lists"]["all"]["ranges"] = json!([[0, 0]]);
    slider.slide(&narrow).await;
    let last = alice.text(&room, "last").await;
    alice.text(&other, "up").await;
    read(&bob, &room, &last).await;
    let answer = slider.slide(&narrow).await;
    assert!(answer["extensions"]["receipts"]["rooms"].get(&room).is_none(), "{answer}");
    let answer = slider.slide(&body).await;
    let content = &answer["extensions"]["receipts"]["rooms"][&room]["content"];
    assert!(content[&last]["m.read"][bob.user_id()].is_object(), "{answer}");
}

async fn typing_is_told(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let body = with(json!({ "typing": { "enabled": true } }));
    let mut slider = Slider::new(&alice);
    assert_eq!(slider.slide(&body).await["extensions"]["typing"]["rooms"], json!({}));
    let path = in_room(&room, &format!("typing/{}", enc(bob.user_id())));
    bob.put(&path, &json!({ "typing": true, "timeout": 30_000 })).await.ok();
    let answer = slider.slide(&body).await;
    let told = &answer["extensions"]["typing"]["rooms"][&room];
    assert_eq!(*told, json!({ "type": "m.typing", "content": { "user_ids": [bob.user_id()] } }));
    assert_eq!(slider.slide(&body).await["extensions"]["typing"]["rooms"], json!({}));
    let other = Slider::new(&alice).slide(&body).await;
    assert_eq!(other["extensions"]["typing"]["rooms"][&room], *told, "{other}");
    bob.put(&path, &json!({ "typing": false })).await.ok();
    let answer = slider.slide(&body).await;
    assert_eq!(answer["extensions"]["typing"]["rooms"][&room]["content"]["user_ids"], json!([]));
}

async fn extensions_can_be_limited_to_lists_and_rooms(server: Homeserver) {
    let alice = server.register("alice").await;
    let low = alice.create_room(json!({})).await;
    let top = alice.create_room(json!({})).await;
    for room in [&low, &top] {
        set_data(&alice, Some(room), "dev.kontor.r", json!({})).await;
    }
    let mut body = list([0, 0], 1, json!([]));
    body["room_subscriptions"] = json!({ &low: { "timeline_limit": 1 } });
    for (choice, expected) in [
        (json!({}), vec![&low, &top]),
        (json!({ "lists": [] }), vec![&low]),
        (json!({ "rooms": [] }), vec![&top]),
        (json!({ "lists": ["other"], "rooms": ["*"] }), vec![&low]),
        (json!({ "lists": ["all"], "rooms": [&top] }), vec![&top]),
        (json!({ "lists": [], "rooms": [&low] }), vec![&low]),
    ] {
        let mut extension = choice.clone();
        extension["enabled"] = json!(true);
        body["extensions"] = json!({ "account_data": extension });
        let answer = Slider::new(&alice).slide(&body).await;
        let told = answer["extensions"]["account_data"]["rooms"].as_object().cloned().unwrap_or_default();
        let told: Vec<String> = told.keys().cloned().collect();
        let mut told = told;
        told.sort();
        assert_eq!(told, super::sorted(&expected), "{choice}");
    }
}

async fn messages_to_the_device_are_told_until_they_are_received(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let path = "/sendToDevice/dev.kontor.test/t1";
    let messages = json!({ "messages": { alice.user_id(): { alice.device_id(): { "n": 1 } } } });
    bob.put(path, &messages).await.ok();
    let ask = |since: Option<String>| json!({ "conn_id": "enc", "extensions": { "to_device": { "enabled": true, "since": since } } });
    let mut slider = Slider::new(&alice);
    let answer = slider.slide(&ask(None)).await;
    let told = &answer["extensions"]["to_device"];
    assert_eq!(
        told["events"],
        json!([{ "type": "dev.kontor.test", "sender": bob.user_id(), "content": { "n": 1 } }])
    );
    // Not yet received: told again, on another connection too.
    let again = Slider::new(&alice).slide(&ask(None)).await;
    assert_eq!(again["extensions"]["to_device"]["events"], told["events"]);
    let since = Some(text(&told["next_batch"]));
    let answer = slider.slide(&ask(since)).await;
    assert!(items(&answer["extensions"]["to_device"]["events"]).is_empty(), "{answer}");
    let gone = Slider::new(&alice).slide(&ask(None)).await;
    assert!(items(&gone["extensions"]["to_device"]["events"]).is_empty(), "{gone}");
}

async fn of_many_messages_no_more_are_told_than_asked_for(server: Homeserver) {
    let alice = server.register("alice").await;
    for n in 0..7 {
        let messages = json!({ "messages": { alice.user_id(): { alice.device_id(): { "n": n } } } });
        alice.put(&format!("/sendToDevice/dev.kontor.test/t{n}"), &messages).await.ok();
    }
    let mut slider = Slider::new(&alice);
    let (mut since, mut told) = (None, Vec::new());
    // A limit of nothing would never be done: one is the least.
    for (limit, expected) in [(3, 3), (0, 1), (2, 2), (5, 1), (5, 0)] {
        let to_device = json!({ "enabled": true, "limit": limit, "since": since });
        // What is left over is told at once, however long the client would wait.
        let wait_ms = if expected > 0 { 30_000 } else { 0 };
        let body = json!({ "conn_id": "enc", "extensions": { "to_device": to_device } });
        let answer = slider.wait(&body, wait_ms).await;
        let messages = items(&answer["extensions"]["to_device"]["events"]);
        assert_eq!(messages.len(), expected, "{answer}");
        told.extend(messages.iter().filter_map(|message| message["content"]["n"].as_i64()));
        since = Some(text(&answer["extensions"]["to_device"]["next_batch"]));
    }
    assert_eq!(told, [0, 1, 2, 3, 4, 5, 6], "each once, in order");
}

async fn changed_devices_are_told(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let body = json!({ "extensions": { "e2ee": { "enabled": true } } });
    let mut slider = Slider::new(&alice);
    let answer = slider.slide(&body).await;
    let told = &answer["extensions"]["e2ee"];
    assert_eq!(told["device_one_time_keys_count"]["signed_curve25519"], 0, "{answer}");
    assert_eq!(told["device_unused_fallback_key_types"], json!([]), "{answer}");
    let room = alice.room_with(&[&bob]).await;
    let answer = slider.slide(&body).await;
    assert_eq!(answer["extensions"]["e2ee"]["device_lists"]["changed"], json!([bob.user_id()]), "{answer}");
    bob.leave(&room).await;
    let answer = slider.slide(&body).await;
    assert_eq!(answer["extensions"]["e2ee"]["device_lists"]["left"], json!([bob.user_id()]), "{answer}");
    let answer = slider.slide(&body).await;
    assert!(answer["extensions"]["e2ee"].get("device_lists").is_none(), "{answer}");
}
