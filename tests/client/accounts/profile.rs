//! Profiles, and how changes reach the rooms.

use harness::{Client, Homeserver, both_databases, enc, eventually};
use serde_json::json;

use crate::client::support::is_reference;

both_databases!(
    names_and_pictures_are_set_read_and_removed,
    a_new_name_reaches_every_room,
    own_fields_are_kept,
    profiles_of_others_cannot_be_changed,
    profiles_have_bounds,
    unknown_people_have_no_profile,
);

fn path(client: &Client, field: &str) -> String {
    format!("/profile/{}/{field}", enc(client.user_id()))
}

fn whole(client: &Client) -> String {
    format!("/profile/{}", enc(client.user_id()))
}

async fn names_and_pictures_are_set_read_and_removed(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    alice.put(&path(&alice, "displayname"), &json!({ "displayname": "Alice Ż" })).await.ok();
    alice.put(&path(&alice, "avatar_url"), &json!({ "avatar_url": "mxc://localhost/a" })).await.ok();
    let seen = bob.get(&whole(&alice)).await.ok();
    assert_eq!((&seen["displayname"], &seen["avatar_url"]), (&json!("Alice Ż"), &json!("mxc://localhost/a")));
    assert_eq!(bob.get(&path(&alice, "displayname")).await.ok(), json!({ "displayname": "Alice Ż" }));
    assert_eq!(bob.get(&path(&alice, "avatar_url")).await.ok(), json!({ "avatar_url": "mxc://localhost/a" }));
    alice.put(&path(&alice, "displayname"), &json!({ "displayname": "" })).await.ok();
    let seen = bob.get(&whole(&alice)).await.ok();
    assert!(seen.get("displayname").is_none_or(|name| name == ""), "{seen}");
    if !is_reference() {
        alice.delete(&path(&alice, "avatar_url")).await.ok();
        bob.get(&path(&alice, "avatar_url")).await.err(404, "M_NOT_FOUND");
    }
}

async fn a_new_name_reaches_every_room(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let rooms = [alice.room_with(&[&bob]).await, bob.room_with(&[&alice]).await];
    let left = alice.room_with(&[&bob]).await;
    alice.leave(&left).await;
    let since = bob.now().await;
    alice.put(&path(&alice, "displayname"), &json!({ "displayname": "New" })).await.ok();
    alice.put(&path(&alice, "avatar_url"), &json!({ "avatar_url": "mxc://localhost/n" })).await.ok();
    for room in &rooms {
        eventually("the member event", || async {
            let member = bob.state(room, "m.room.member", alice.user_id()).await.ok();
            let done = member["displayname"] == "New" && member["avatar_url"] == "mxc://localhost/n";
            (done && member["membership"] == "join").then_some(())
        })
        .await;
    }
    let news = bob.sync(Some(&since), 0).await;
    for room in &rooms {
        let told = harness::timeline(&news, room).pop().unwrap();
        assert_eq!(told["content"]["displayname"], "New", "{news}");
    }
    let member = bob.state(&left, "m.room.member", alice.user_id()).await.ok();
    assert_eq!(member["membership"], "leave", "a new name is no return");
}

async fn own_fields_are_kept(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    for (field, value) in [
        ("m.tz", json!("Europe/Warsaw")),
        ("dev.kontor.pronouns", json!([{ "language": "pl" }])),
        ("dev.kontor.null", json!(null)),
    ] {
        alice.put(&path(&alice, field), &json!({ field: value })).await.ok();
        assert_eq!(bob.get(&path(&alice, field)).await.ok(), json!({ field: value }));
        assert_eq!(bob.get(&whole(&alice)).await.ok()[field], value);
        alice.delete(&path(&alice, field)).await.ok();
        bob.get(&path(&alice, field)).await.err(404, "M_NOT_FOUND");
    }
}

async fn profiles_of_others_cannot_be_changed(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    bob.put(&path(&alice, "displayname"), &json!({ "displayname": "x" })).await.refused();
    server
        .anonymous()
        .put(&path(&alice, "displayname"), &json!({ "displayname": "x" }))
        .await
        .err(401, "M_MISSING_TOKEN");
    let seen = alice.get(&whole(&alice)).await.ok();
    assert_ne!(seen["displayname"], "x");
}

async fn profiles_have_bounds(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let long = "x".repeat(256);
    let name = path(&alice, "displayname");
    for body in [
        json!({}),
        json!({ "displayname": 5 }),
        json!({ "other": "x" }),
        json!([]),
        json!({ "displayname": "x".repeat(70_000) }),
    ] {
        alice.put(&name, &body).await.refused();
    }
    alice.put(&path(&alice, "avatar_url"), &json!({ "avatar_url": "javascript:alert(1)" })).await;
    alice.put(&path(&alice, &long), &json!({ long.as_str(): "x" })).await.err(400, "M_KEY_TOO_LARGE");
    let big = json!({ "dev.kontor.big": "x".repeat(70_000) });
    alice.put(&path(&alice, "dev.kontor.big"), &big).await.err(400, "M_PROFILE_TOO_LARGE");
}

async fn unknown_people_have_no_profile(server: Homeserver) {
    let alice = server.register("alice").await;
    let nobody = alice.get("/profile/%40nobody-at-all%3Alocalhost").await;
    assert_eq!(nobody.status, 404, "{nobody}");
    alice.get("/profile/nobody").await.refused();
    let elsewhere = alice.get("/profile/%40somebody%3Aelsewhere.invalid").await;
    assert!(elsewhere.status < 500 || is_reference(), "{elsewhere}");
}
