//! What becomes of both rooms.

use super::{ask, content, upgrade};
use crate::client::support::list;
use harness::{Homeserver, both_databases, enc};
use serde_json::{Value, json};

both_databases!(
    the_old_room_points_to_the_new_one_and_back,
    the_new_room_repeats_the_state_of_the_old_one,
    power_levels_go_along_and_creators_follow_the_version,
    a_person_of_little_power_keeps_it_in_both_rooms,
    further_creators_are_those_that_the_request_names,
    aliases_move_and_each_room_says_so,
    the_directory_shows_the_new_room_instead,
    nobody_below_talks_or_invites_in_the_old_room_any_more,
    bans_go_along_but_members_do_not,
    a_restricted_room_stays_restricted,
    the_members_of_the_old_room_see_that_it_was_replaced,
    a_room_can_be_replaced_by_one_of_the_same_version,
);

async fn the_old_room_points_to_the_new_one_and_back(server: Homeserver) {
    let alice = server.register("alice").await;
    for (from, to) in [("10", "11"), ("11", "12"), ("12", "12")] {
        let old = alice.create_room(json!({ "room_version": from, "preset": "public_chat" })).await;
        let new = upgrade(&alice, &old, to).await;
        let tombstone = content(&alice, &old, "m.room.tombstone").await;
        assert_eq!(tombstone["replacement_room"], new);
        assert!(tombstone["body"].as_str().is_some_and(|body| !body.is_empty()));
        let create = content(&alice, &new, "m.room.create").await;
        assert_eq!((&create["room_version"], &create["predecessor"]["room_id"]), (&json!(to), &json!(old)));
        let ended = alice.get(&format!("/rooms/{}/state", enc(&old))).await.ok();
        let event = list(&ended).into_iter().find(|event| event["type"] == "m.room.tombstone");
        let event = event.expect("a tombstone")["event_id"].clone();
        if to == "12" {
            assert!(create["predecessor"].get("event_id").is_none());
        } else {
            assert_eq!(create["predecessor"]["event_id"], event);
        }
        assert_eq!(alice.state(&new, "m.room.member", alice.user_id()).await.ok()["membership"], "join");
        alice.text(&new, "here we go on").await;
    }
}

async fn the_new_room_repeats_the_state_of_the_old_one(server: Homeserver) {
    let alice = server.register("alice").await;
    let state = [
        ("m.room.name", json!({ "name": "Name" })),
        ("m.room.topic", json!({ "topic": "Topic" })),
        ("m.room.avatar", json!({ "url": "mxc://localhost/abc" })),
        ("m.room.join_rules", json!({ "join_rule": "knock" })),
        ("m.room.guest_access", json!({ "guest_access": "can_join" })),
        ("m.room.history_visibility", json!({ "history_visibility": "joined" })),
        ("m.room.server_acl", json!({ "allow": ["*"], "deny": ["bad.example"], "allow_ip_literals": false })),
        ("m.room.encryption", json!({ "algorithm": "m.megolm.v1.aes-sha2" })),
    ];
    let wish =
        json!({ "room_version": "11", "creation_content": { "type": "m.space", "m.federate": false } });
    let old = alice.create_room(wish).await;
    for (kind, content) in &state {
        alice.set_state(&old, kind, "", content).await;
    }
    alice.set_state(&old, "dev.kontor.test", "", &json!({ "n": 1 })).await;
    alice.set_state(&old, "m.space.child", "!child:localhost", &json!({ "via": ["localhost"] })).await;
    let new = upgrade(&alice, &old, "12").await;
    for (kind, repeated) in &state {
        assert_eq!(content(&alice, &new, kind).await, *repeated);
    }
    let create = content(&alice, &new, "m.room.create").await;
    assert_eq!((&create["type"], &create["m.federate"]), (&json!("m.space"), &json!(false)));
    alice.state(&new, "dev.kontor.test", "").await.err(404, "M_NOT_FOUND");
    alice.state(&new, "m.space.child", "!child:localhost").await.err(404, "M_NOT_FOUND");
}

async fn power_levels_go_along_and_creators_follow_the_version(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let old = alice.create_room(json!({ "room_version": "11", "preset": "public_chat" })).await;
    let mut levels = content(&alice, &old, "m.room.power_levels").await;
    levels["users"][bob.user_id()] = json!(100);
    levels["events"]["dev.kontor.test"] = json!(77);
    alice.set_state(&old, "m.room.power_levels", "", &levels).await;
    let eleven = upgrade(&alice, &old, "11").await;
    assert_eq!(content(&alice, &eleven, "m.room.power_levels").await, levels);
    let twelve = upgrade(&alice, &eleven, "12").await;
    let told = content(&alice, &twelve, "m.room.power_levels").await;
    assert_eq!(told["users"], json!({ bob.user_id(): 100 }), "creators are not listed");
    assert_eq!(told["events"]["dev.kontor.test"], 77);
    let back = upgrade(&alice, &twelve, "11").await;
    let told = content(&alice, &back, "m.room.power_levels").await;
    assert!(told["users"][alice.user_id()].as_i64() >= Some(100), "{told}");
}

async fn a_person_of_little_power_keeps_it_in_both_rooms(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let old = alice.create_room(json!({ "room_version": "11", "preset": "public_chat" })).await;
    bob.join(&old).await;
    let mut levels = content(&alice, &old, "m.room.power_levels").await;
    levels["users"][bob.user_id()] = json!(50);
    levels["events"]["m.room.tombstone"] = json!(50);
    alice.set_state(&old, "m.room.power_levels", "", &levels).await;
    let new = upgrade(&bob, &old, "11").await;
    assert_eq!(content(&bob, &new, "m.room.power_levels").await, levels);
    let quiet = content(&bob, &old, "m.room.power_levels").await;
    assert_eq!(quiet, levels, "raising the old room's powers takes more than bob has");
}

async fn further_creators_are_those_that_the_request_names(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let wish =
        json!({ "room_version": "12", "creation_content": { "additional_creators": [bob.user_id()] } });
    let old = alice.create_room(wish).await;
    let new = upgrade(&alice, &old, "12").await;
    assert!(content(&alice, &new, "m.room.create").await.get("additional_creators").is_none());
    let named = json!({ "new_version": "12", "additional_creators": [bob.user_id(), alice.user_id()] });
    let answer = ask(&alice, &old, named).await.ok();
    let newer = answer["replacement_room"].as_str().expect("a new room");
    let create = content(&alice, newer, "m.room.create").await;
    assert_eq!(create["additional_creators"], json!([bob.user_id()]));
    let ignored = json!({ "new_version": "11", "additional_creators": [bob.user_id()] });
    let answer = ask(&alice, &old, ignored).await.ok();
    let create =
        content(&alice, answer["replacement_room"].as_str().expect("a new room"), "m.room.create").await;
    assert!(create.get("additional_creators").is_none());
    let bad = json!({ "new_version": "12", "additional_creators": ["nobody"] });
    ask(&alice, &old, bad).await.err(400, "M_INVALID_PARAM");
}

async fn aliases_move_and_each_room_says_so(server: Homeserver) {
    let alice = server.register("alice").await;
    let local = format!("moving-{}", alice.localpart());
    let (main, other) = (format!("#{local}:localhost"), format!("#{local}-2:localhost"));
    let old = alice.create_room(json!({ "room_alias_name": local })).await;
    alice.put(&format!("/directory/room/{}", enc(&other)), &json!({ "room_id": old })).await.ok();
    let listed = json!({ "alias": main, "alt_aliases": [other] });
    alice.set_state(&old, "m.room.canonical_alias", "", &listed).await;
    let new = upgrade(&alice, &old, "12").await;
    for alias in [&main, &other] {
        let found = alice.get(&format!("/directory/room/{}", enc(alias))).await.ok();
        assert_eq!(found["room_id"], new);
    }
    assert_eq!(content(&alice, &new, "m.room.canonical_alias").await, listed);
    assert_eq!(content(&alice, &old, "m.room.canonical_alias").await, json!({}));
}

async fn the_directory_shows_the_new_room_instead(server: Homeserver) {
    let alice = server.register("alice").await;
    let old = alice.create_room(json!({ "visibility": "public", "name": "listed" })).await;
    let new = upgrade(&alice, &old, "12").await;
    for (room, visibility) in [(&old, "private"), (&new, "public")] {
        let told = alice.get(&format!("/directory/list/room/{}", enc(room))).await.ok();
        assert_eq!(told["visibility"], visibility);
    }
    let hidden = alice.public_room().await;
    let new = upgrade(&alice, &hidden, "12").await;
    let told = alice.get(&format!("/directory/list/room/{}", enc(&new))).await.ok();
    assert_eq!(told["visibility"], "private");
}

async fn nobody_below_talks_or_invites_in_the_old_room_any_more(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let old = alice.room_with(&[&bob]).await;
    upgrade(&alice, &old, "12").await;
    let levels = content(&alice, &old, "m.room.power_levels").await;
    assert_eq!((&levels["events_default"], &levels["invite"]), (&json!(50), &json!(50)));
    let message = json!({ "msgtype": "m.text", "body": "still here" });
    bob.send_txn(&old, "m.room.message", "x", &message).await.err(403, "M_FORBIDDEN");
    let path = format!("/rooms/{}/invite", enc(&old));
    let carl = server.register("carl").await;
    bob.post(&path, &json!({ "user_id": carl.user_id() })).await.err(403, "M_FORBIDDEN");
    let high = alice.create_room(json!({ "power_level_content_override": { "users_default": 60 } })).await;
    upgrade(&alice, &high, "12").await;
    assert_eq!(content(&alice, &high, "m.room.power_levels").await["events_default"], 61);
}

async fn bans_go_along_but_members_do_not(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let carl = server.register("carl").await;
    let old = alice.public_room().await;
    bob.join(&old).await;
    alice.ban(&old, &carl).await;
    let new = upgrade(&alice, &old, "12").await;
    assert_eq!(alice.state(&new, "m.room.member", carl.user_id()).await.ok()["membership"], "ban");
    alice.state(&new, "m.room.member", bob.user_id()).await.err(404, "M_NOT_FOUND");
    carl.post(&format!("/join/{}", enc(&new)), &json!({})).await.err(403, "M_FORBIDDEN");
    bob.join(&new).await;
}

async fn a_restricted_room_stays_restricted(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let carl = server.register("carl").await;
    let club = alice.room_with(&[&bob]).await;
    let allow = json!([{ "type": "m.room_membership", "room_id": club }]);
    let rules = json!({ "join_rule": "restricted", "allow": allow });
    let state = json!({ "type": "m.room.join_rules", "content": rules });
    let old = alice.create_room(json!({ "room_version": "10", "initial_state": [state] })).await;
    let new = upgrade(&alice, &old, "12").await;
    assert_eq!(content(&alice, &new, "m.room.join_rules").await, rules);
    carl.post(&format!("/join/{}", enc(&new)), &json!({})).await.err(403, "M_FORBIDDEN");
    bob.join(&new).await;
}

async fn the_members_of_the_old_room_see_that_it_was_replaced(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let old = alice.room_with(&[&bob]).await;
    let mut since = bob.now().await;
    let new = upgrade(&alice, &old, "12").await;
    let tombstone: Value = bob
        .sync_until(&mut since, |answer| {
            let events = list(&answer["rooms"]["join"][&old]["timeline"]["events"]);
            events.into_iter().find(|event| event["type"] == "m.room.tombstone")
        })
        .await;
    assert_eq!(tombstone["content"]["replacement_room"], new);
}

async fn a_room_can_be_replaced_by_one_of_the_same_version(server: Homeserver) {
    let alice = server.register("alice").await;
    let old = alice.create_room(json!({ "room_version": "12" })).await;
    let (one, two) = tokio::join!(upgrade(&alice, &old, "12"), upgrade(&alice, &old, "12"));
    assert_ne!(one, two);
    let last = content(&alice, &old, "m.room.tombstone").await["replacement_room"].clone();
    assert!(last == json!(one) || last == json!(two));
}
