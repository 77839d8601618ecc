//! Making rooms.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

use crate::client::support::{in_room, is_reference, list, state_event, text};

both_databases!(
    each_preset_sets_what_the_specification_lists,
    without_a_preset_the_visibility_decides,
    name_topic_and_alias_become_state,
    initial_state_overrides_the_preset,
    power_levels_can_be_overridden,
    creation_content_is_kept_but_cannot_lie,
    a_taken_alias_is_refused,
    a_direct_room_is_marked_in_the_invitation,
    everybody_invited_at_the_start_is_invited,
    a_request_that_makes_no_sense_makes_no_room,
    a_trusted_private_chat_gives_all_invited_the_makers_power,
    rooms_just_alike_that_are_made_at_once_are_different_rooms,
);

async fn content(client: &Client, room: &str, kind: &str) -> Value {
    client.state(room, kind, "").await.ok()
}

async fn each_preset_sets_what_the_specification_lists(server: Homeserver) {
    let alice = server.register("alice").await;
    for (preset, join_rule, guests) in [
        ("private_chat", "invite", "can_join"),
        ("trusted_private_chat", "invite", "can_join"),
        ("public_chat", "public", "forbidden"),
    ] {
        let room = alice.create_room(json!({ "preset": preset })).await;
        assert_eq!(content(&alice, &room, "m.room.join_rules").await["join_rule"], join_rule);
        let visibility = content(&alice, &room, "m.room.history_visibility").await;
        assert_eq!(visibility["history_visibility"], "shared");
        let guest_access = alice.state(&room, "m.room.guest_access", "").await;
        // Absent means forbidden.
        let set = if guest_access.status == 404 {
            json!("forbidden")
        } else {
            guest_access.ok()["guest_access"].clone()
        };
        assert_eq!(set, guests, "{preset}");
        let events = alice.whole_timeline(&room).await;
        let kinds: Vec<_> = events.iter().take(3).map(|event| text(&event["type"])).collect();
        assert_eq!(kinds, ["m.room.create", "m.room.member", "m.room.power_levels"]);
    }
}

async fn without_a_preset_the_visibility_decides(server: Homeserver) {
    let alice = server.register("alice").await;
    for (request, join_rule) in [
        (json!({}), "invite"),
        (json!({ "visibility": "private" }), "invite"),
        (json!({ "visibility": "public" }), "public"),
        (json!({ "visibility": "public", "preset": "private_chat" }), "invite"),
    ] {
        let room = alice.create_room(request.clone()).await;
        assert_eq!(content(&alice, &room, "m.room.join_rules").await["join_rule"], join_rule, "{request}");
    }
}

async fn name_topic_and_alias_become_state(server: Homeserver) {
    let alice = server.register("alice").await;
    let local = format!("room-{}", alice.localpart());
    let room = alice.create_room(json!({ "name": "Name", "topic": "Topic", "room_alias_name": local })).await;
    assert_eq!(content(&alice, &room, "m.room.name").await, json!({ "name": "Name" }));
    let topic = content(&alice, &room, "m.room.topic").await;
    assert_eq!(topic["topic"], "Topic");
    assert_eq!(topic["m.topic"]["m.text"][0]["body"], "Topic", "{topic}");
    let alias = format!("#{local}:localhost");
    assert_eq!(content(&alice, &room, "m.room.canonical_alias").await["alias"], alias);
    let found = alice.get(&format!("/directory/room/{}", enc(&alias))).await.ok();
    assert_eq!(found["room_id"], room);
}

async fn initial_state_overrides_the_preset(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice
        .create_room(json!({
            "preset": "private_chat", "name": "Name",
            "initial_state": [
                { "type": "m.room.join_rules", "state_key": "", "content": { "join_rule": "public" } },
                { "type": "dev.kontor.test", "state_key": "key", "content": { "n": 1 } },
                { "type": "m.room.name", "content": { "name": "Overridden" } },
            ],
        }))
        .await;
    assert_eq!(content(&alice, &room, "m.room.join_rules").await["join_rule"], "public");
    assert_eq!(alice.state(&room, "dev.kontor.test", "key").await.ok()["n"], 1);
    assert_eq!(content(&alice, &room, "m.room.name").await["name"], "Name");
}

async fn power_levels_can_be_overridden(server: Homeserver) {
    let alice = server.register("alice").await;
    let wish = json!({ "users_default": 7, "events": { "m.room.message": 3 } });
    let room = alice.create_room(json!({ "room_version": "11", "power_level_content_override": wish })).await;
    let levels = content(&alice, &room, "m.room.power_levels").await;
    assert_eq!(levels["users_default"], 7);
    assert_eq!(levels["events"]["m.room.message"], 3);
    assert_eq!(levels["users"][alice.user_id()], 100, "the rest stays: {levels}");
    let lockout = json!({ "users": { alice.user_id(): "much" } });
    let answer = alice.post("/createRoom", &json!({ "power_level_content_override": lockout })).await;
    answer.refused();
}

async fn creation_content_is_kept_but_cannot_lie(server: Homeserver) {
    let alice = server.register("alice").await;
    for version in ["10", "11", "12"] {
        let extra = json!({
            "m.federate": false, "type": "m.space", "dev.kontor.word": "x",
            "creator": "@somebody:else", "room_version": "1",
        });
        let room = alice.create_room(json!({ "room_version": version, "creation_content": extra })).await;
        let create = content(&alice, &room, "m.room.create").await;
        assert_eq!((&create["type"], &create["dev.kontor.word"]), (&json!("m.space"), &json!("x")));
        assert_eq!(create["room_version"], version);
        assert_eq!(create["m.federate"], false);
        if version == "10" {
            assert_eq!(create["creator"], alice.user_id());
        }
    }
}

async fn a_taken_alias_is_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    let local = format!("taken-{}", alice.localpart());
    let first = alice.create_room(json!({ "room_alias_name": local })).await;
    let before = list(&alice.get("/joined_rooms").await.ok()["joined_rooms"]).len();
    let answer = alice.post("/createRoom", &json!({ "room_alias_name": local })).await;
    answer.err(400, "M_ROOM_IN_USE");
    let after = list(&alice.get("/joined_rooms").await.ok()["joined_rooms"]).len();
    assert_eq!(before, after, "half a room was left behind");
    let found = alice.get(&format!("/directory/room/{}", enc(&format!("#{local}:localhost")))).await.ok();
    assert_eq!(found["room_id"], first);
}

async fn a_direct_room_is_marked_in_the_invitation(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.create_room(json!({ "is_direct": true, "invite": [bob.user_id()] })).await;
    let answer = bob.sync(None, 0).await;
    let events = &answer["rooms"]["invite"][&room]["invite_state"]["events"];
    let own = state_event(events, "m.room.member", bob.user_id()).unwrap();
    assert_eq!(own["content"]["is_direct"], true, "{own}");
}

async fn everybody_invited_at_the_start_is_invited(server: Homeserver) {
    let alice = server.register("alice").await;
    let mut guests = Vec::new();
    for n in 0..5 {
        guests.push(server.register(&format!("guest{n}")).await);
    }
    let mut invite: Vec<_> = guests.iter().map(|guest| json!(guest.user_id())).collect();
    if !is_reference() {
        // Twice is once.
        invite.push(invite[0].clone());
    }
    let room = alice.create_room(json!({ "invite": invite })).await;
    for guest in &guests {
        let member = alice.state(&room, "m.room.member", guest.user_id()).await.ok();
        assert_eq!(member["membership"], "invite");
        guest.join(&room).await;
    }
    let joined = alice.get(&in_room(&room, "joined_members")).await.ok();
    assert_eq!(joined["joined"].as_object().unwrap().len(), 6);
}

async fn a_request_that_makes_no_sense_makes_no_room(server: Homeserver) {
    let alice = server.register("alice").await;
    for request in [
        json!({ "preset": "very_private_chat" }),
        json!({ "preset": 1 }),
        json!({ "room_version": 12 }),
        json!({ "invite": "@a:localhost" }),
        json!({ "invite": ["nobody"] }),
        json!({ "initial_state": [{ "type": "m.room.name" }] }),
        json!({ "initial_state": [{ "content": {} }] }),
        json!({ "initial_state": { "type": "m.room.name", "content": {} } }),
        json!({ "creation_content": [] }),
        json!({ "power_level_content_override": { "ban": "x" } }),
        json!({ "room_alias_name": "with:colon" }),
        json!({ "room_alias_name": "x".repeat(300) }),
        json!({ "name": 1 }),
        json!({ "initial_state": [{ "type": "m.room.name", "content": { "name": 1.5 } }] }),
        json!({ "initial_state": [{ "type": "x".repeat(300), "content": {} }] }),
        json!({ "topic": "x".repeat(70_000) }),
    ] {
        let answer = alice.post("/createRoom", &request).await;
        if !is_reference() {
            answer.refused();
        }
    }
    alice.post("/createRoom", &json!({ "room_version": "99" })).await.err(400, "M_UNSUPPORTED_ROOM_VERSION");
    if !is_reference() {
        assert!(list(&alice.get("/joined_rooms").await.ok()["joined_rooms"]).is_empty());
        assert!(alice.sync(None, 0).await["rooms"]["join"].as_object().is_none_or(serde_json::Map::is_empty));
    }
}

async fn a_trusted_private_chat_gives_all_invited_the_makers_power(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    for version in ["11", "12"] {
        let request = json!({
            "preset": "trusted_private_chat", "room_version": version, "invite": [bob.user_id()],
        });
        let room = alice.create_room(request).await;
        bob.join(&room).await;
        if version == "12" {
            let create = content(&alice, &room, "m.room.create").await;
            assert_eq!(create["additional_creators"], json!([bob.user_id()]), "{create}");
        }
        bob.set_state(&room, "m.room.history_visibility", "", &json!({ "history_visibility": "joined" }))
            .await;
    }
}

async fn rooms_just_alike_that_are_made_at_once_are_different_rooms(server: Homeserver) {
    let alice = server.register("alice").await;
    let wish = json!({ "preset": "private_chat", "name": "the same" });
    let made = futures_util::future::join_all((0..16).map(|_| alice.create_room(wish.clone()))).await;
    let different: std::collections::BTreeSet<_> = made.iter().collect();
    assert_eq!(different.len(), 16, "{made:?}");
}
