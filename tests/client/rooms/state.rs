//! Setting and reading state.

use harness::{Homeserver, both_databases, enc};
use serde_json::json;

use crate::client::support::{ids, in_room, is_reference, keys, list};

both_databases!(
    state_is_set_and_read_with_and_without_a_key,
    an_empty_key_may_be_written_with_or_without_the_slash,
    the_whole_event_is_given_when_asked_for,
    setting_the_same_again_gives_the_same_event,
    state_needs_its_power,
    keys_that_are_users_belong_to_them,
    strange_types_and_keys_survive,
    the_first_event_cannot_be_set_again,
    prev_content_tells_what_was_replaced,
    who_is_not_in_the_room_reads_no_state,
);

async fn state_is_set_and_read_with_and_without_a_key(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    alice.set_state(&room, "dev.kontor.test", "", &json!({ "n": 0 })).await;
    alice.set_state(&room, "dev.kontor.test", "key", &json!({ "n": 1 })).await;
    assert_eq!(alice.state(&room, "dev.kontor.test", "").await.ok(), json!({ "n": 0 }));
    assert_eq!(alice.state(&room, "dev.kontor.test", "key").await.ok(), json!({ "n": 1 }));
    alice.state(&room, "dev.kontor.test", "other").await.err(404, "M_NOT_FOUND");
    alice.state(&room, "dev.kontor.none", "").await.err(404, "M_NOT_FOUND");
    let state = alice.get(&in_room(&room, "state")).await.ok();
    let of_test: Vec<_> = keys(&state).into_iter().filter(|(kind, _)| kind == "dev.kontor.test").collect();
    assert_eq!(of_test.len(), 2, "{of_test:?}");
    // An empty content is a state like any other.
    alice.set_state(&room, "dev.kontor.test", "key", &json!({})).await;
    assert_eq!(alice.state(&room, "dev.kontor.test", "key").await.ok(), json!({}));
}

async fn an_empty_key_may_be_written_with_or_without_the_slash(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    for (n, (write, read)) in [("", ""), ("", "/"), ("/", ""), ("/", "/")].into_iter().enumerate() {
        let path = |slash: &str| in_room(&room, &format!("state/dev.kontor.test{slash}"));
        alice.put(&path(write), &json!({ "n": n })).await.ok();
        assert_eq!(alice.get(&path(read)).await.ok()["n"], n);
    }
}

async fn the_whole_event_is_given_when_asked_for(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let event = alice.set_state(&room, "dev.kontor.test", "key", &json!({ "n": 1 })).await;
    let whole = alice.get(&in_room(&room, "state/dev.kontor.test/key?format=event")).await.ok();
    assert_eq!(whole["event_id"], event);
    assert_eq!(whole["content"], json!({ "n": 1 }));
    assert_eq!((&whole["sender"], &whole["room_id"]), (&json!(alice.user_id()), &json!(room)));
    let content = alice.get(&in_room(&room, "state/dev.kontor.test/key?format=content")).await.ok();
    assert_eq!(content, json!({ "n": 1 }));
}

async fn setting_the_same_again_gives_the_same_event(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let first = alice.set_state(&room, "dev.kontor.test", "", &json!({ "a": 1, "b": 2 })).await;
    let again = alice.set_state(&room, "dev.kontor.test", "", &json!({ "b": 2, "a": 1 })).await;
    assert_eq!(first, again);
    let other = alice.set_state(&room, "dev.kontor.test", "", &json!({ "a": 1 })).await;
    assert_ne!(first, other);
}

async fn state_needs_its_power(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let path = in_room(&room, "state/dev.kontor.test/");
    bob.put(&path, &json!({})).await.err(403, "M_FORBIDDEN");
    let mut levels = alice.state(&room, "m.room.power_levels", "").await.ok();
    levels["events"]["dev.kontor.test"] = json!(0);
    alice.set_state(&room, "m.room.power_levels", "", &levels).await;
    bob.put(&path, &json!({})).await.ok();
    levels["events_default"] = json!(10);
    alice.set_state(&room, "m.room.power_levels", "", &levels).await;
    let message = json!({ "msgtype": "m.text", "body": "x" });
    bob.send_txn(&room, "m.room.message", "t", &message).await.err(403, "M_FORBIDDEN");
}

async fn keys_that_are_users_belong_to_them(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let path = |user: &str| in_room(&room, &format!("state/dev.kontor.test/{}", enc(user)));
    alice.put(&path(bob.user_id()), &json!({})).await.err(403, "M_FORBIDDEN");
    alice.put(&path(alice.user_id()), &json!({})).await.ok();
}

async fn strange_types_and_keys_survive(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    for (kind, key) in [
        ("dev.kontor/slash", "a/b"),
        ("dev.kontor.źółć", "żółw 🐢"),
        ("dev.kontor test", " space "),
        ("dev.kontor%25", "100%"),
        ("'; DROP TABLE event; --", "\"quoted\""),
        ("dev.kontor.test", "?query=1#fragment"),
        ("dev.kontor.test", "."),
        ("dev.kontor.test", "a+b"),
    ] {
        alice.set_state(&room, kind, key, &json!({ "of": key })).await;
        assert_eq!(alice.state(&room, kind, key).await.ok(), json!({ "of": key }), "{kind} {key}");
    }
    let state = alice.get(&in_room(&room, "state")).await.ok();
    assert!(keys(&state).contains(&("dev.kontor.źółć".into(), "żółw 🐢".into())));
    let long = "x".repeat(256);
    alice.put(&in_room(&room, &format!("state/{long}/")), &json!({})).await.refused();
    alice.put(&in_room(&room, &format!("state/dev.kontor.test/{long}")), &json!({})).await.refused();
    alice.put(&in_room(&room, "state/dev.kontor.test/%00"), &json!({})).await.refused();
    alice.get(&in_room(&room, "state/dev.kontor.test/%00")).await.refused();
}

async fn the_first_event_cannot_be_set_again(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    alice.put(&in_room(&room, "state/m.room.create/"), &json!({ "room_version": "1" })).await.refused();
    let create = alice.state(&room, "m.room.create", "").await.ok();
    assert_ne!(create["room_version"], "1");
}

async fn prev_content_tells_what_was_replaced(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let first = alice.set_state(&room, "dev.kontor.test", "", &json!({ "n": 1 })).await;
    let second = alice.set_state(&room, "dev.kontor.test", "", &json!({ "n": 2 })).await;
    let event = alice.event(&room, &second).await.ok();
    assert_eq!(event["unsigned"]["prev_content"], json!({ "n": 1 }));
    assert_eq!(event["unsigned"]["replaces_state"], first);
    let event = alice.event(&room, &first).await.ok();
    assert!(event["unsigned"].get("prev_content").is_none(), "{event}");
}

async fn who_is_not_in_the_room_reads_no_state(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.create_room(json!({ "preset": "public_chat" })).await;
    bob.get(&in_room(&room, "state")).await.err(403, "M_FORBIDDEN");
    bob.state(&room, "m.room.create", "").await.err(403, "M_FORBIDDEN");
    bob.put(&in_room(&room, "state/m.room.topic/"), &json!({ "topic": "x" })).await.err(403, "M_FORBIDDEN");
    bob.join(&room).await;
    let state = bob.get(&in_room(&room, "state")).await.ok();
    assert_eq!(ids(&state).len(), list(&state).len());
}
