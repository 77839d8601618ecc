//! Redactions in each room version.

use harness::{Client, Homeserver, both_databases, enc, timeline};
use serde_json::{Value, json};

use crate::client::support::{in_room, is_reference, text};

both_databases!(
    a_redaction_takes_the_content_and_says_why,
    a_redaction_names_its_event_where_clients_look_for_it,
    ones_own_events_can_be_redacted_those_of_others_need_power,
    each_version_keeps_the_fields_that_it_protects,
    redacted_state_is_redacted_for_everybody,
    a_redaction_is_idempotent_by_its_transaction,
    what_does_not_exist_is_not_redacted,
    a_redaction_can_be_sent_as_an_event,
);

async fn redact(client: &Client, room: &str, event: &str, txn: &str) -> harness::Response {
    let path = in_room(room, &format!("redact/{}/{txn}", enc(event)));
    client.put(&path, &json!({ "reason": "mistake" })).await
}

async fn a_redaction_takes_the_content_and_says_why(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    for version in ["10", "11", "12"] {
        let room = alice.create_room(json!({ "room_version": version, "preset": "public_chat" })).await;
        bob.join(&room).await;
        let message = alice.text(&room, "oops").await;
        let since = bob.now().await;
        let redaction = text(&redact(&alice, &room, &message, "t").await.ok()["event_id"]);
        let seen = bob.event(&room, &message).await.ok();
        assert_eq!(seen["content"], json!({}), "{seen}");
        assert_eq!(seen["type"], "m.room.message");
        let because = &seen["unsigned"]["redacted_because"];
        assert_eq!(because["event_id"], redaction, "{seen}");
        assert_eq!(because["content"]["reason"], "mistake", "{seen}");
        let news = timeline(&bob.sync(Some(&since), 0).await, &room);
        assert_eq!(news.len(), 1);
        assert_eq!(news[0]["event_id"], redaction);
    }
}

async fn a_redaction_names_its_event_where_clients_look_for_it(server: Homeserver) {
    let alice = server.register("alice").await;
    for version in ["10", "11", "12"] {
        let room = alice.create_room(json!({ "room_version": version })).await;
        let message = alice.text(&room, "oops").await;
        let redaction = text(&redact(&alice, &room, &message, "t").await.ok()["event_id"]);
        let places = [
            alice.event(&room, &redaction).await.ok(),
            timeline(&alice.sync(None, 0).await, &room).pop().unwrap(),
            alice.event(&room, &message).await.ok()["unsigned"]["redacted_because"].clone(),
        ];
        for seen in places {
            // At the top for older clients, in the content since version 11.
            assert_eq!(seen["redacts"], message, "{version}: {seen}");
            if version != "10" {
                assert_eq!(seen["content"]["redacts"], message, "{version}: {seen}");
            }
        }
    }
}

async fn ones_own_events_can_be_redacted_those_of_others_need_power(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let by_alice = alice.text(&room, "alice's").await;
    let by_bob = bob.text(&room, "bob's").await;
    redact(&bob, &room, &by_alice, "a").await.err(403, "M_FORBIDDEN");
    assert_eq!(alice.event(&room, &by_alice).await.ok()["content"]["body"], "alice's");
    redact(&bob, &room, &by_bob, "b").await.ok();
    let second = bob.text(&room, "bob's second").await;
    redact(&alice, &room, &second, "c").await.ok();
    assert_eq!(bob.event(&room, &second).await.ok()["content"], json!({}));
}

/// State with a field that each version protects and one that none does.
async fn redacted_content(alice: &Client, version: &str, kind: &str, content: Value) -> Value {
    let room = alice.create_room(json!({ "room_version": version })).await;
    let event = alice.set_state(&room, kind, "", &content).await;
    redact(alice, &room, &event, "t").await.ok();
    alice.event(&room, &event).await.ok()["content"].clone()
}

async fn each_version_keeps_the_fields_that_it_protects(server: Homeserver) {
    let alice = server.register("alice").await;
    let rules = json!({ "join_rule": "restricted", "allow": [], "dev.kontor": 1 });
    let visibility = json!({ "history_visibility": "joined", "dev.kontor": 1 });
    for version in ["10", "11", "12"] {
        let kept = redacted_content(&alice, version, "m.room.join_rules", rules.clone()).await;
        assert_eq!(kept, json!({ "join_rule": "restricted", "allow": [] }), "{version}");
        let kept = redacted_content(&alice, version, "m.room.history_visibility", visibility.clone()).await;
        assert_eq!(kept, json!({ "history_visibility": "joined" }), "{version}");
        let kept = redacted_content(&alice, version, "m.room.name", json!({ "name": "x" })).await;
        assert_eq!(kept, json!({}), "{version}");
        let levels = json!({ "users": { "@x:y": 5 }, "invite": 7, "notifications": { "room": 5 } });
        let room = alice.create_room(json!({ "room_version": version })).await;
        let mut whole = alice.state(&room, "m.room.power_levels", "").await.ok();
        for (key, value) in levels.as_object().unwrap() {
            if key != "users" {
                whole[key] = value.clone();
            }
        }
        let event = alice.set_state(&room, "m.room.power_levels", "", &whole).await;
        redact(&alice, &room, &event, "t").await.ok();
        let kept = alice.event(&room, &event).await.ok()["content"].clone();
        assert_eq!(kept["users"], whole["users"], "{version}");
        assert!(kept.get("notifications").is_none(), "{version}: {kept}");
        // Protected since version 11.
        assert_eq!(kept.get("invite").is_some(), version != "10", "{version}: {kept}");
    }
}

async fn redacted_state_is_redacted_for_everybody(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let event = alice.set_state(&room, "m.room.topic", "", &json!({ "topic": "secret" })).await;
    redact(&alice, &room, &event, "t").await.ok();
    assert_eq!(alice.state(&room, "m.room.topic", "").await.ok(), json!({}));
    let state = alice.get(&in_room(&room, "state")).await.ok();
    assert!(!state.to_string().contains("secret"), "{state}");
    // The name in a member event goes, the membership stays.
    let bob = server.register("bob").await;
    alice.invite(&room, &bob).await;
    bob.join(&room).await;
    let path = format!("state/m.room.member/{}?format=event", enc(bob.user_id()));
    let member = text(&alice.get(&in_room(&room, &path)).await.ok()["event_id"]);
    redact(&alice, &room, &member, "u").await.ok();
    let left = alice.state(&room, "m.room.member", bob.user_id()).await.ok();
    assert_eq!(left, json!({ "membership": "join" }));
    bob.text(&room, "still in").await;
}

async fn a_redaction_is_idempotent_by_its_transaction(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let message = alice.text(&room, "oops").await;
    let first = redact(&alice, &room, &message, "t").await.ok();
    let count = alice.whole_timeline(&room).await.len();
    assert_eq!(redact(&alice, &room, &message, "t").await.ok(), first);
    assert_eq!(alice.whole_timeline(&room).await.len(), count);
    // Redacting what is redacted does no harm.
    assert!(redact(&alice, &room, &message, "u").await.status < 500);
    assert_eq!(alice.event(&room, &message).await.ok()["content"], json!({}));
}

async fn what_does_not_exist_is_not_redacted(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.create_room(json!({})).await;
    let theirs = bob.create_room(json!({})).await;
    let message = bob.text(&theirs, "mine").await;
    if !is_reference() {
        redact(&alice, &room, "$nothing", "a").await.err(404, "M_NOT_FOUND");
        redact(&alice, &room, &message, "b").await.err(404, "M_NOT_FOUND");
    }
    redact(&alice, &theirs, &message, "c").await.refused();
    assert_eq!(bob.event(&theirs, &message).await.ok()["content"]["body"], "mine");
}

async fn a_redaction_can_be_sent_as_an_event(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.create_room(json!({ "room_version": "11", "preset": "public_chat" })).await;
    bob.join(&room).await;
    let message = alice.text(&room, "oops").await;
    let content = json!({ "redacts": message });
    bob.send_txn(&room, "m.room.redaction", "t", &content).await.refused();
    assert_eq!(alice.event(&room, &message).await.ok()["content"]["body"], "oops");
    alice.send_txn(&room, "m.room.redaction", "t", &content).await.ok();
    assert_eq!(alice.event(&room, &message).await.ok()["content"], json!({}));
}
