//! Who may not replace a room, and by what it cannot be replaced.

use super::{ask, content};
use harness::{Homeserver, both_databases};
use serde_json::json;

both_databases!(
    only_who_may_send_its_tombstone_replaces_a_room,
    versions_that_cannot_be_made_are_refused,
    a_room_that_does_not_exist_is_not_replaced,
    a_refused_request_leaves_everything_as_it_was,
);

async fn only_who_may_send_its_tombstone_replaces_a_room(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.public_room().await;
    ask(&bob, &room, json!({ "new_version": "12" })).await.err(403, "M_FORBIDDEN");
    bob.join(&room).await;
    ask(&bob, &room, json!({ "new_version": "12" })).await.err(403, "M_FORBIDDEN");
    alice.leave(&room).await;
    ask(&alice, &room, json!({ "new_version": "12" })).await.err(403, "M_FORBIDDEN");
}

async fn versions_that_cannot_be_made_are_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.public_room().await;
    for version in ["1", "9", "13", "", "org.example", "012"] {
        let answer = ask(&alice, &room, json!({ "new_version": version })).await;
        answer.err(400, "M_UNSUPPORTED_ROOM_VERSION");
    }
    ask(&alice, &room, json!({})).await.err(400, "M_BAD_JSON");
}

async fn a_room_that_does_not_exist_is_not_replaced(server: Homeserver) {
    let alice = server.register("alice").await;
    ask(&alice, "!nothing:localhost", json!({ "new_version": "12" })).await.err(404, "M_NOT_FOUND");
    ask(&alice, "nothing", json!({ "new_version": "12" })).await.err(400, "M_INVALID_PARAM");
}

async fn a_refused_request_leaves_everything_as_it_was(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.room_with(&[&bob]).await;
    let before = content(&alice, &room, "m.room.power_levels").await;
    let rooms = bob.get("/joined_rooms").await.ok();
    ask(&bob, &room, json!({ "new_version": "12" })).await.err(403, "M_FORBIDDEN");
    assert_eq!(content(&alice, &room, "m.room.power_levels").await, before);
    alice.state(&room, "m.room.tombstone", "").await.err(404, "M_NOT_FOUND");
    assert_eq!(bob.get("/joined_rooms").await.ok(), rooms);
}
