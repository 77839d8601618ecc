//! `use_state_after`: the state at the end of the timeline instead of at its start.

use harness::{Homeserver, both_databases};
use serde_json::json;

use crate::client::support::{ids, in_room, is_reference, keys, list, state_event, sync_with, text};

both_databases!(
    state_after_is_there_instead_of_state,
    state_after_of_a_first_sync_is_the_current_state,
    state_after_tells_changes_that_are_in_the_timeline_too,
    state_after_of_a_left_room_ends_with_the_leave,
);

const AFTER: &str = "&use_state_after=true";

async fn state_after_is_there_instead_of_state(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let since = alice.now().await;
    alice.text(&room, "hello").await;
    for since in [None, Some(since.as_str())] {
        let told = sync_with(&alice, since, &json!({}), AFTER).await["rooms"]["join"][&room].clone();
        assert!(told.get("state").is_none() && told["state_after"]["events"].is_array(), "{told}");
        let told = sync_with(&alice, since, &json!({}), "").await["rooms"]["join"][&room].clone();
        assert!(told.get("state_after").is_none(), "{told}");
    }
    let told = sync_with(&alice, Some(&since), &json!({}), AFTER).await["rooms"]["join"][&room].clone();
    assert!(list(&told["state_after"]["events"]).is_empty(), "{told}");
}

async fn state_after_of_a_first_sync_is_the_current_state(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({ "name": "Room" })).await;
    alice.text(&room, "hello").await;
    alice.set_state(&room, "m.room.name", "", &json!({ "name": "Newer" })).await;
    let answer = sync_with(&alice, None, &json!({}), AFTER).await;
    let told = &answer["rooms"]["join"][&room]["state_after"]["events"];
    let state = alice.get(&in_room(&room, "state")).await.ok();
    assert_eq!(keys(told), keys(&state));
    assert_eq!(state_event(told, "m.room.name", "").unwrap()["content"]["name"], "Newer");
}

async fn state_after_tells_changes_that_are_in_the_timeline_too(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let since = alice.now().await;
    alice.set_state(&room, "dev.kontor.test", "gap", &json!({ "n": 1 })).await;
    for n in 0..12 {
        alice.text(&room, &format!("{n}")).await;
    }
    alice.set_state(&room, "dev.kontor.test", "end", &json!({ "n": 1 })).await;
    let last = alice.set_state(&room, "dev.kontor.test", "end", &json!({ "n": 2 })).await;
    let answer = sync_with(&alice, Some(&since), &json!({}), AFTER).await;
    let told = &answer["rooms"]["join"][&room];
    let expected = ["end", "gap"].map(|key| ("dev.kontor.test".to_owned(), key.to_owned()));
    assert_eq!(keys(&told["state_after"]["events"]), expected);
    let end = state_event(&told["state_after"]["events"], "dev.kontor.test", "end").unwrap();
    assert_eq!(end["event_id"], last);
    assert!(ids(&told["timeline"]["events"]).contains(&last));
}

async fn state_after_of_a_left_room_ends_with_the_leave(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let since = bob.now().await;
    alice.set_state(&room, "m.room.topic", "", &json!({ "topic": "before" })).await;
    bob.leave(&room).await;
    alice.set_state(&room, "m.room.topic", "", &json!({ "topic": "SECRET" })).await;
    let answer = sync_with(&bob, Some(&since), &json!({}), AFTER).await;
    let told = &answer["rooms"]["leave"][&room]["state_after"]["events"];
    assert_eq!(state_event(told, "m.room.topic", "").unwrap()["content"]["topic"], "before");
    let own = state_event(told, "m.room.member", bob.user_id()).unwrap();
    assert_eq!(text(&own["content"]["membership"]), "leave");
    assert!(!answer.to_string().contains("SECRET"), "{answer}");
}
