//! Getting in: public rooms, invitations, restricted rooms, knocking.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

use crate::client::support::{in_room, text};

both_databases!(
    anybody_joins_a_public_room,
    a_private_room_needs_an_invitation,
    joining_twice_is_one_event,
    an_alias_joins_as_well_as_the_id,
    a_restricted_room_lets_in_members_of_the_other_room,
    a_restricted_room_still_takes_invitations,
    a_knock_needs_a_room_that_takes_knocks,
    knock_restricted_takes_both,
    a_reason_is_kept,
    rooms_that_do_not_exist_are_not_joined,
    a_join_carries_name_and_picture,
);

async fn join(client: &Client, room: &str) -> harness::Response {
    client.post(&format!("/join/{}", enc(room)), &json!({})).await
}

async fn knock(client: &Client, room: &str) -> harness::Response {
    client.post(&format!("/knock/{}", enc(room)), &json!({})).await
}

async fn anybody_joins_a_public_room(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.public_room().await;
    assert_eq!(join(&bob, &room).await.ok()["room_id"], room);
    bob.leave(&room).await;
    // The other way to ask, and without a body at all.
    let answer = bob.request(reqwest::Method::POST, &in_room(&room, "join"), None).await.ok();
    assert_eq!(answer["room_id"], room);
    bob.text(&room, "here").await;
}

async fn a_private_room_needs_an_invitation(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.create_room(json!({ "preset": "private_chat" })).await;
    join(&bob, &room).await.err(403, "M_FORBIDDEN");
    alice.invite(&room, &bob).await;
    join(&bob, &room).await.ok();
    bob.leave(&room).await;
    join(&bob, &room).await.err(403, "M_FORBIDDEN");
    alice.ban(&room, &bob).await;
    alice.post(&in_room(&room, "invite"), &json!({ "user_id": bob.user_id() })).await.refused();
    join(&bob, &room).await.refused();
}

async fn joining_twice_is_one_event(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.public_room().await;
    join(&bob, &room).await.ok();
    let count = alice.whole_timeline(&room).await.len();
    join(&bob, &room).await.ok();
    assert_eq!(alice.whole_timeline(&room).await.len(), count);
}

async fn an_alias_joins_as_well_as_the_id(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let local = format!("door-{}", alice.localpart());
    let room = alice.create_room(json!({ "preset": "public_chat", "room_alias_name": local })).await;
    assert_eq!(join(&bob, &format!("#{local}:localhost")).await.ok()["room_id"], room);
    join(&bob, "#nowhere-at-all:localhost").await.err(404, "M_NOT_FOUND");
}

fn restricted(rule: &str, allowed: &[&str]) -> Value {
    let allow: Vec<_> =
        allowed.iter().map(|room| json!({ "type": "m.room_membership", "room_id": room })).collect();
    json!({ "type": "m.room.join_rules", "content": { "join_rule": rule, "allow": allow } })
}

async fn a_restricted_room_lets_in_members_of_the_other_room(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let carol = server.register("carol").await;
    let space = alice.public_room().await;
    for version in ["10", "11", "12"] {
        let state = [restricted("restricted", &[&space])];
        let room = alice.create_room(json!({ "room_version": version, "initial_state": state })).await;
        join(&carol, &room).await.err(403, "M_FORBIDDEN");
        bob.join(&space).await;
        join(&bob, &room).await.ok();
        let member = alice.state(&room, "m.room.member", bob.user_id()).await.ok();
        assert_eq!(member["join_authorised_via_users_server"], alice.user_id(), "{member}");
        bob.leave(&space).await;
        // Whoever is in stays in, but does not come back.
        bob.text(&room, "still here").await;
        bob.leave(&room).await;
        join(&bob, &room).await.err(403, "M_FORBIDDEN");
    }
}

async fn a_restricted_room_still_takes_invitations(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.create_room(json!({ "initial_state": [restricted("restricted", &[])] })).await;
    join(&bob, &room).await.err(403, "M_FORBIDDEN");
    alice.invite(&room, &bob).await;
    join(&bob, &room).await.ok();
    let member = alice.state(&room, "m.room.member", bob.user_id()).await.ok();
    assert!(member.get("join_authorised_via_users_server").is_none(), "{member}");
}

async fn a_knock_needs_a_room_that_takes_knocks(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    for preset in ["private_chat", "public_chat"] {
        let room = alice.create_room(json!({ "preset": preset })).await;
        knock(&bob, &room).await.err(403, "M_FORBIDDEN");
    }
    let room = alice.create_room(json!({ "initial_state": [restricted("knock", &[])] })).await;
    join(&bob, &room).await.err(403, "M_FORBIDDEN");
    knock(&bob, &room).await.ok();
    join(&bob, &room).await.err(403, "M_FORBIDDEN");
    bob.post(&in_room(&room, "leave"), &json!({})).await.ok();
    alice.ban(&room, &bob).await;
    knock(&bob, &room).await.refused();
}

async fn knock_restricted_takes_both(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let carol = server.register("carol").await;
    let space = alice.public_room().await;
    let room =
        alice.create_room(json!({ "initial_state": [restricted("knock_restricted", &[&space])] })).await;
    knock(&carol, &room).await.ok();
    alice.invite(&room, &carol).await;
    join(&carol, &room).await.ok();
    bob.join(&space).await;
    join(&bob, &room).await.ok();
}

async fn a_reason_is_kept(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.create_room(json!({})).await;
    let why = |who: &Client, path: &str, reason: &str| {
        let (who, path, reason) = (who.clone(), in_room(&room, path), reason.to_owned());
        let user = bob.user_id().to_owned();
        let own = ["join", "leave"].contains(&path.rsplit('/').next().unwrap());
        async move {
            let body =
                if own { json!({ "reason": reason }) } else { json!({ "reason": reason, "user_id": user }) };
            who.post(&path, &body).await.ok();
        }
    };
    for (who, path, membership) in [
        (&alice, "invite", "invite"),
        (&bob, "join", "join"),
        (&alice, "kick", "leave"),
        (&alice, "ban", "ban"),
        (&alice, "unban", "leave"),
        (&alice, "invite", "invite"),
        (&bob, "leave", "leave"),
    ] {
        why(who, path, &format!("because of {path}")).await;
        let member = alice.state(&room, "m.room.member", bob.user_id()).await.ok();
        assert_eq!(member["membership"], membership);
        assert_eq!(member["reason"], format!("because of {path}"), "{member}");
    }
}

async fn rooms_that_do_not_exist_are_not_joined(server: Homeserver) {
    let alice = server.register("alice").await;
    for room in ["!nowhere:localhost", "!aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        assert!((400..500).contains(&join(&alice, room).await.status));
        alice.post(&in_room(room, "leave"), &json!({})).await.refused();
        alice.post(&in_room(room, "invite"), &json!({ "user_id": "@x:localhost" })).await.refused();
    }
    for room in ["nowhere", "!", "#", "@alice:localhost", "!a b:localhost"] {
        join(&alice, room).await.refused();
    }
}

async fn a_join_carries_name_and_picture(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let profile = format!("/profile/{}", enc(bob.user_id()));
    bob.put(&format!("{profile}/displayname"), &json!({ "displayname": "Bob the Builder" })).await.ok();
    bob.put(&format!("{profile}/avatar_url"), &json!({ "avatar_url": "mxc://localhost/bob" })).await.ok();
    let room = alice.create_room(json!({})).await;
    alice.invite(&room, &bob).await;
    let invited = alice.state(&room, "m.room.member", bob.user_id()).await.ok();
    assert_eq!(text(&invited["displayname"]), "Bob the Builder", "{invited}");
    bob.join(&room).await;
    let member = alice.state(&room, "m.room.member", bob.user_id()).await.ok();
    assert_eq!(
        (text(&member["displayname"]), text(&member["avatar_url"])),
        ("Bob the Builder".into(), "mxc://localhost/bob".into())
    );
}
