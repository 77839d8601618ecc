//! Invitations, knocks and leaves: in which section a room stands, and when.

use harness::{Client, Homeserver, both_databases, timeline};
use serde_json::{Value, json};

use crate::client::support::{bring_in, in_room, list, state_event, sync_with, text};

both_databases!(
    an_invitation_is_told_once_and_again_to_new_devices,
    an_accepted_invitation_moves_the_room,
    a_withdrawn_invitation_is_told_as_a_leave,
    a_knock_is_told_to_who_knocked_and_to_the_members,
    an_answered_knock_becomes_an_invitation,
    a_kick_a_ban_and_a_return_move_the_room,
    a_return_tells_the_room_anew,
    a_forgotten_room_is_told_no_more,
);

async fn section_of(client: &Client, since: &mut String, room: &str) -> Option<(&'static str, Value)> {
    let answer = client.sync(Some(since), 0).await;
    *since = text(&answer["next_batch"]);
    let found = ["join", "invite", "knock", "leave"].into_iter().filter_map(|section| {
        let told = answer["rooms"][section].get(room)?;
        Some((section, told.clone()))
    });
    let found: Vec<_> = found.collect();
    assert!(found.len() <= 1, "in two sections: {answer}");
    found.into_iter().next()
}

async fn an_invitation_is_told_once_and_again_to_new_devices(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.create_room(json!({})).await;
    let mut since = bob.now().await;
    alice.invite(&room, &bob).await;
    assert_eq!(section_of(&bob, &mut since, &room).await.unwrap().0, "invite");
    assert!(section_of(&bob, &mut since, &room).await.is_none());
    let device = server.login(bob.user_id()).await;
    let first = device.sync(None, 0).await;
    assert!(first["rooms"]["invite"].get(&room).is_some(), "{first}");
}

async fn an_accepted_invitation_moves_the_room(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.create_room(json!({})).await;
    alice.invite(&room, &bob).await;
    let mut since = bob.now().await;
    bob.join(&room).await;
    let (section, told) = section_of(&bob, &mut since, &room).await.unwrap();
    assert_eq!(section, "join");
    let all = [list(&told["state"]["events"]), list(&told["timeline"]["events"])].concat();
    assert!(all.iter().any(|event| event["type"] == "m.room.create"), "{told}");
    let first = bob.sync(None, 0).await;
    assert!(first["rooms"]["invite"].get(&room).is_none(), "{first}");
}

async fn a_withdrawn_invitation_is_told_as_a_leave(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.create_room(json!({})).await;
    alice.invite(&room, &bob).await;
    let mut since = bob.now().await;
    alice.kick(&room, &bob).await;
    assert_eq!(section_of(&bob, &mut since, &room).await.unwrap().0, "leave");
    assert!(section_of(&bob, &mut since, &room).await.is_none());
}

async fn a_knock_is_told_to_who_knocked_and_to_the_members(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let rule = json!({ "type": "m.room.join_rules", "content": { "join_rule": "knock" } });
    let room = alice.create_room(json!({ "name": "Door", "initial_state": [rule] })).await;
    alice.text(&room, "SECRET").await;
    let mut since = bob.now().await;
    let mut alices = alice.now().await;
    let knock =
        bob.post(&format!("/knock/{}", harness::enc(&room)), &json!({ "reason": "please" })).await.ok();
    assert_eq!(knock["room_id"], room);
    let (section, told) = section_of(&bob, &mut since, &room).await.unwrap();
    assert_eq!(section, "knock");
    let own = state_event(&told["knock_state"]["events"], "m.room.member", bob.user_id()).unwrap();
    assert_eq!(
        (&own["content"]["membership"], &own["content"]["reason"]),
        (&json!("knock"), &json!("please"))
    );
    let name = state_event(&told["knock_state"]["events"], "m.room.name", "").unwrap();
    assert_eq!(name["content"]["name"], "Door");
    assert!(!told.to_string().contains("SECRET"), "{told}");
    let (section, told) = section_of(&alice, &mut alices, &room).await.unwrap();
    assert_eq!(section, "join");
    assert_eq!(list(&told["timeline"]["events"])[0]["content"]["membership"], "knock");
}

async fn an_answered_knock_becomes_an_invitation(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let rule = json!({ "type": "m.room.join_rules", "content": { "join_rule": "knock" } });
    let room = alice.create_room(json!({ "initial_state": [rule] })).await;
    let knock = format!("/knock/{}", harness::enc(&room));
    bob.post(&knock, &json!({})).await.ok();
    let mut since = bob.now().await;
    alice.invite(&room, &bob).await;
    assert_eq!(section_of(&bob, &mut since, &room).await.unwrap().0, "invite");
    bob.join(&room).await;
    assert_eq!(section_of(&bob, &mut since, &room).await.unwrap().0, "join");
    bob.leave(&room).await;
    assert_eq!(section_of(&bob, &mut since, &room).await.unwrap().0, "leave");
    bob.post(&knock, &json!({})).await.ok();
    assert_eq!(section_of(&bob, &mut since, &room).await.unwrap().0, "knock");
    alice.kick(&room, &bob).await;
    assert_eq!(section_of(&bob, &mut since, &room).await.unwrap().0, "leave");
}

async fn a_kick_a_ban_and_a_return_move_the_room(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let mut since = bob.now().await;
    alice.kick(&room, &bob).await;
    let (section, told) = section_of(&bob, &mut since, &room).await.unwrap();
    assert_eq!(section, "leave");
    let last = list(&told["timeline"]["events"]).pop().unwrap();
    assert_eq!((&last["sender"], &last["content"]["reason"]), (&json!(alice.user_id()), &json!("test")));
    bring_in(&alice, &room, &bob).await;
    assert_eq!(section_of(&bob, &mut since, &room).await.unwrap().0, "join");
    alice.ban(&room, &bob).await;
    let (section, told) = section_of(&bob, &mut since, &room).await.unwrap();
    assert_eq!(section, "leave");
    assert_eq!(list(&told["timeline"]["events"]).pop().unwrap()["content"]["membership"], "ban");
}

async fn a_return_tells_the_room_anew(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    bob.leave(&room).await;
    let mut since = bob.now().await;
    alice.set_state(&room, "m.room.topic", "", &json!({ "topic": "meanwhile" })).await;
    bring_in(&alice, &room, &bob).await;
    let (section, told) = section_of(&bob, &mut since, &room).await.unwrap();
    assert_eq!(section, "join");
    let all = json!([list(&told["state"]["events"]), list(&told["timeline"]["events"])].concat());
    assert!(state_event(&all, "m.room.topic", "").is_some(), "{told}");
    assert!(state_event(&all, "m.room.create", "").is_some(), "{told}");
    // Leaving and coming back between two syncs tells it anew as well.
    bob.leave(&room).await;
    alice.set_state(&room, "m.room.topic", "", &json!({ "topic": "again" })).await;
    bring_in(&alice, &room, &bob).await;
    let answer = bob.sync(Some(&since), 0).await;
    let told = &answer["rooms"]["join"][&room];
    let all = json!([list(&told["state"]["events"]), timeline(&answer, &room)].concat());
    let mut topics = list(&all).into_iter().filter(|event| event["type"] == "m.room.topic");
    assert_eq!(topics.next_back().unwrap()["content"]["topic"], "again", "{told}");
}

async fn a_forgotten_room_is_told_no_more(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    bob.leave(&room).await;
    bob.post(&in_room(&room, "forget"), &json!({})).await.ok();
    let filter = json!({ "room": { "include_leave": true } });
    let answer = sync_with(&bob, None, &filter, "").await;
    assert!(answer["rooms"]["leave"].get(&room).is_none(), "{answer}");
    let mut since = text(&answer["next_batch"]);
    alice.invite(&room, &bob).await;
    assert_eq!(section_of(&bob, &mut since, &room).await.unwrap().0, "invite");
}
