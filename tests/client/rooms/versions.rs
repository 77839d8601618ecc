//! Room versions 10, 11 and 12.

use harness::{Homeserver, both_databases};
use serde_json::json;

use crate::client::support::{in_room, is_reference, text};

both_databases!(
    rooms_are_made_in_version_twelve_unless_asked_otherwise,
    the_capabilities_name_the_versions_that_can_be_made,
    people_talk_in_every_version,
    a_room_of_version_twelve_is_named_by_the_hash_of_its_first_event,
    the_creator_of_version_twelve_stands_above_all_levels,
    levels_must_be_integers,
    a_room_of_version_ten_lists_its_creator,
);

async fn rooms_are_made_in_version_twelve_unless_asked_otherwise(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    assert_eq!(alice.state(&room, "m.room.create", "").await.ok()["room_version"], "12");
}

async fn the_capabilities_name_the_versions_that_can_be_made(server: Homeserver) {
    let alice = server.register("alice").await;
    let capabilities = alice.get("/capabilities").await.ok();
    let versions = &capabilities["capabilities"]["m.room_versions"];
    for version in ["10", "11", "12"] {
        assert_eq!(versions["available"][version], "stable", "{versions}");
    }
    let default = text(&versions["default"]);
    assert!(versions["available"].get(&default).is_some(), "{versions}");
    if !is_reference() {
        assert_eq!(default, "12");
        // What is offered can be made, what is not offered is refused.
        for version in versions["available"].as_object().unwrap().keys() {
            alice.create_room(json!({ "room_version": version })).await;
        }
    }
}

async fn people_talk_in_every_version(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    for version in ["10", "11", "12"] {
        let room = alice
            .create_room(
                json!({ "room_version": version, "preset": "private_chat", "invite": [bob.user_id()] }),
            )
            .await;
        bob.join(&room).await;
        let mut since = bob.now().await;
        let event = alice.text(&room, "hello").await;
        bob.sync_until_event(&mut since, &room, &event).await;
        let topic = bob.put(&in_room(&room, "state/m.room.topic/"), &json!({ "topic": "x" })).await;
        topic.err(403, "M_FORBIDDEN");
        alice.kick(&room, &bob).await;
    }
}

async fn a_room_of_version_twelve_is_named_by_the_hash_of_its_first_event(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({ "room_version": "12" })).await;
    let create = &alice.whole_timeline(&room).await[0];
    assert_eq!(create["type"], "m.room.create");
    assert_eq!(room.strip_prefix('!'), text(&create["event_id"]).strip_prefix('$'));
    assert_eq!(create["room_id"], room);
    let older = alice.create_room(json!({ "room_version": "11" })).await;
    assert!(older.ends_with(":localhost"), "{older}");
}

async fn the_creator_of_version_twelve_stands_above_all_levels(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice
        .create_room(json!({ "room_version": "12", "preset": "private_chat", "invite": [bob.user_id()] }))
        .await;
    bob.join(&room).await;
    let mut levels = alice.state(&room, "m.room.power_levels", "").await.ok();
    assert!(levels["users"].get(alice.user_id()).is_none(), "{levels}");
    levels["users"] = json!({ bob.user_id(): 100 });
    alice.set_state(&room, "m.room.power_levels", "", &levels).await;
    // A hundred is not enough against a creator.
    bob.post(&in_room(&room, "kick"), &json!({ "user_id": alice.user_id() })).await.err(403, "M_FORBIDDEN");
    alice.kick(&room, &bob).await;
    levels["users"] = json!({ alice.user_id(): 100 });
    let answer = alice.put(&in_room(&room, "state/m.room.power_levels/"), &levels).await;
    answer.refused();
    let request = json!({
        "room_version": "12", "creation_content": { "additional_creators": [bob.user_id()] },
        "invite": [bob.user_id()],
    });
    let shared = alice.create_room(request).await;
    bob.join(&shared).await;
    bob.set_state(&shared, "m.room.name", "", &json!({ "name": "ours" })).await;
    alice.post(&in_room(&shared, "kick"), &json!({ "user_id": bob.user_id() })).await.err(403, "M_FORBIDDEN");
    let bad = json!({ "room_version": "12", "creation_content": { "additional_creators": ["nobody"] } });
    alice.post("/createRoom", &bad).await.refused();
}

async fn levels_must_be_integers(server: Homeserver) {
    let alice = server.register("alice").await;
    for version in ["10", "11", "12"] {
        let room = alice.create_room(json!({ "room_version": version })).await;
        let mut levels = alice.state(&room, "m.room.power_levels", "").await.ok();
        levels["users_default"] = json!("5");
        alice.put(&in_room(&room, "state/m.room.power_levels/"), &levels).await.refused();
        levels["users_default"] = json!(0);
        levels["users"]["not a user"] = json!(5);
        alice.put(&in_room(&room, "state/m.room.power_levels/"), &levels).await.refused();
    }
}

async fn a_room_of_version_ten_lists_its_creator(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({ "room_version": "10" })).await;
    assert_eq!(alice.state(&room, "m.room.create", "").await.ok()["creator"], alice.user_id());
    let room = alice.create_room(json!({ "room_version": "11" })).await;
    assert!(alice.state(&room, "m.room.create", "").await.ok().get("creator").is_none());
    let levels = alice.state(&room, "m.room.power_levels", "").await.ok();
    assert_eq!(levels["users"][alice.user_id()], 100);
}
