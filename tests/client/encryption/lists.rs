//! Device lists: who is told that whose devices changed, and whose may be forgotten.

use std::collections::BTreeSet;

use harness::{Client, Homeserver, both_databases, enc, eventually};
use serde_json::{Value, json};

use super::keyring::{Cross, Device};
use crate::client::support::{bring_in, is_reference, list, text};

both_databases!(
    a_new_identity_is_told_to_those_who_share_a_room_and_to_nobody_else,
    every_change_of_devices_is_told,
    who_comes_into_a_room_is_told_both_ways,
    who_shares_another_room_already_is_not_told_again,
    who_leaves_is_told_when_no_room_is_shared_any_more,
    new_names_in_rooms_are_nothing_of_devices,
    changes_since_a_token_are_told_as_in_sync,
    waiting_sessions_hear_of_a_new_device_at_once,
    first_syncs_tell_no_changes,
    signatures_of_others_are_told_to_the_signer_alone,
);

/// `device_lists` of an answer: changed, left.
pub(super) fn lists(answer: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let ids = |field: &str| list(&answer["device_lists"][field]).iter().map(text).collect();
    (ids("changed"), ids("left"))
}

fn set(clients: &[&Client]) -> BTreeSet<String> {
    clients.iter().map(|client| client.user_id().to_owned()).collect()
}

/// What became of device lists since a token, which moves on.
async fn news(client: &Client, since: &mut String) -> (BTreeSet<String>, BTreeSet<String>) {
    let answer = client.sync(Some(since), 0).await;
    *since = text(&answer["next_batch"]);
    lists(&answer)
}

async fn a_new_identity_is_told_to_those_who_share_a_room_and_to_nobody_else(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let carol = server.register("carol").await;
    let invited = server.register("invited").await;
    let room = alice.room_with(&[&bob]).await;
    alice.invite(&room, &invited).await;
    let mut since = Vec::new();
    for client in [&alice, &bob, &carol, &invited] {
        since.push(client.now().await);
    }
    Device::published(&bob).await;
    assert_eq!(news(&alice, &mut since[0]).await, (set(&[&bob]), set(&[])));
    assert_eq!(news(&bob, &mut since[1]).await, (set(&[&bob]), set(&[])), "also the own other devices");
    assert_eq!(news(&carol, &mut since[2]).await, (set(&[]), set(&[])));
    assert_eq!(news(&invited, &mut since[3]).await, (set(&[]), set(&[])));
    assert_eq!(news(&alice, &mut since[0]).await, (set(&[]), set(&[])), "once");
}

async fn every_change_of_devices_is_told(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    alice.room_with(&[&bob]).await;
    let mut since = alice.now().await;
    let phone = server.login(bob.user_id()).await;
    assert_eq!(news(&alice, &mut since).await.0, set(&[]), "a device without keys is none to others");
    Device::published(&phone).await;
    assert_eq!(news(&alice, &mut since).await.0, set(&[&bob]), "keys");
    let path = format!("/devices/{}", enc(phone.device_id()));
    bob.put(&path, &json!({ "display_name": "Bob's phone" })).await.ok();
    assert_eq!(news(&alice, &mut since).await.0, set(&[&bob]), "a name");
    Cross::published(&bob).await;
    assert_eq!(news(&alice, &mut since).await.0, set(&[&bob]), "cross-signing keys");
    phone.post("/logout", &json!({})).await.ok();
    assert_eq!(news(&alice, &mut since).await.0, set(&[&bob]), "a log-out");
    let tablet = server.login(bob.user_id()).await;
    Device::published(&tablet).await;
    assert_eq!(news(&alice, &mut since).await.0, set(&[&bob]));
    let auth = json!({
        "type": "m.login.password", "password": server.password(),
        "identifier": { "type": "m.id.user", "user": bob.user_id() },
    });
    let body = json!({ "devices": [tablet.device_id()], "auth": auth });
    bob.post("/delete_devices", &body).await.ok();
    assert_eq!(news(&alice, &mut since).await.0, set(&[&bob]), "a removal");
    bob.post("/logout/all", &json!({})).await.ok();
    assert_eq!(news(&alice, &mut since).await.0, set(&[&bob]), "a log-out of all");
}

async fn who_comes_into_a_room_is_told_both_ways(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let carol = server.register("carol").await;
    let room = alice.room_with(&[&bob]).await;
    let mut of_bob = bob.now().await;
    let mut of_carol = carol.now().await;
    alice.invite(&room, &carol).await;
    assert_eq!(news(&bob, &mut of_bob).await.0, set(&[]), "an invitation is not yet sharing");
    carol.join(&room).await;
    assert_eq!(news(&bob, &mut of_bob).await, (set(&[&carol]), set(&[])));
    assert_eq!(news(&carol, &mut of_carol).await, (set(&[&alice, &bob]), set(&[])));
}

async fn who_shares_another_room_already_is_not_told_again(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    alice.room_with(&[&bob]).await;
    let mut of_alice = alice.now().await;
    let mut of_bob = bob.now().await;
    bob.room_with(&[&alice]).await;
    assert_eq!(news(&alice, &mut of_alice).await.0, set(&[]));
    assert_eq!(news(&bob, &mut of_bob).await.0, set(&[]));
}

async fn who_leaves_is_told_when_no_room_is_shared_any_more(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let carol = server.register("carol").await;
    let one = alice.room_with(&[&bob, &carol]).await;
    let two = alice.room_with(&[&bob]).await;
    let mut of_alice = alice.now().await;
    let mut of_bob = bob.now().await;
    let mut of_carol = carol.now().await;
    bob.leave(&one).await;
    assert_eq!(news(&alice, &mut of_alice).await.1, set(&[]), "one room is left");
    assert_eq!(news(&carol, &mut of_carol).await.1, set(&[&bob]));
    assert_eq!(news(&bob, &mut of_bob).await.1, set(&[&carol]));
    alice.kick(&two, &bob).await;
    assert_eq!(news(&alice, &mut of_alice).await.1, set(&[&bob]));
    assert_eq!(news(&bob, &mut of_bob).await.1, set(&[&alice]));
    // What happens to their devices now is no business of the others.
    Device::published(&bob).await;
    assert_eq!(news(&alice, &mut of_alice).await.0, set(&[]));
    // Back in a room they are told again, whatever happened meanwhile.
    bring_in(&alice, &two, &bob).await;
    assert_eq!(news(&alice, &mut of_alice).await, (set(&[&bob]), set(&[])));
    // In and out between two syncs is nothing.
    bob.leave(&two).await;
    bring_in(&alice, &two, &bob).await;
    assert_eq!(news(&alice, &mut of_alice).await.1, set(&[]));
}

async fn new_names_in_rooms_are_nothing_of_devices(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let mut since = alice.now().await;
    let path = format!("/profile/{}/displayname", enc(bob.user_id()));
    bob.put(&path, &json!({ "displayname": "Bobby" })).await.ok();
    let name = || async {
        let state = alice.state(&room, "m.room.member", bob.user_id()).await.ok();
        (state["displayname"] == "Bobby").then_some(())
    };
    eventually("the new name in the room", name).await;
    assert_eq!(news(&alice, &mut since).await, (set(&[]), set(&[])));
}

async fn changes_since_a_token_are_told_as_in_sync(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let carol = server.register("carol").await;
    let stranger = server.register("stranger").await;
    let with_bob = alice.room_with(&[&bob]).await;
    let from = alice.now().await;
    Device::published(&bob).await;
    Device::published(&stranger).await;
    let to = alice.now().await;
    let path = |from: &str, to: &str| format!("/keys/changes?from={}&to={}", enc(from), enc(to));
    let told = async |from: &str, to: &str| {
        let answer = alice.get(&path(from, to)).await.ok();
        lists(&json!({ "device_lists": answer }))
    };
    assert_eq!(told(&from, &to).await, (set(&[&bob]), set(&[])));
    assert_eq!(told(&to, &to).await, (set(&[]), set(&[])));
    alice.room_with(&[&carol]).await;
    bob.leave(&with_bob).await;
    let to = alice.now().await;
    assert_eq!(told(&from, &to).await, (set(&[&carol]), set(&[&bob])));
    for (from, to) in [("x", to.as_str()), (&to, "x"), ("s1_999999999_0_0", &to)] {
        alice.get(&path(from, to)).await.refused();
    }
    alice.get("/keys/changes").await.refused();
}

async fn waiting_sessions_hear_of_a_new_device_at_once(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let mut since = alice.now().await;
    // Once read from the archive, and once from what the server remembers of the session.
    for _ in 0..3 {
        let (waiting, mut from) = (alice.clone(), since.clone());
        let expected = bob.user_id().to_owned();
        let poll = tokio::spawn(async move {
            waiting.sync_until(&mut from, |answer| lists(answer).0.contains(&expected).then_some(())).await;
            from
        });
        let phone = server.login(bob.user_id()).await;
        Device::published(&phone).await;
        since = poll.await.unwrap();
        let event = bob.text(&room, "hello").await;
        alice.sync_until_event(&mut since, &room, &event).await;
    }
}

async fn first_syncs_tell_no_changes(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    alice.room_with(&[&bob]).await;
    Device::published(&bob).await;
    let answer = alice.sync(None, 0).await;
    assert!(
        answer.get("device_lists").is_none_or(|told| lists(&json!({ "device_lists": told })).0.is_empty())
    );
}

async fn signatures_of_others_are_told_to_the_signer_alone(server: Homeserver) {
    let alice = server.register("alice").await;
    let phone = server.login(alice.user_id()).await;
    let bob = server.register("bob").await;
    alice.room_with(&[&bob]).await;
    let (of_alice, of_bob) = (Cross::published(&alice).await, Cross::published(&bob).await);
    let mut of_phone = phone.now().await;
    let mut bobs = bob.now().await;
    let mut master = of_bob.key("master");
    of_alice.user_signing.sign(&mut master, alice.user_id(), &of_alice.user_signing.id());
    let body = json!({ bob.user_id(): { of_bob.master.public(): master } });
    assert_eq!(alice.post("/keys/signatures/upload", &body).await.ok()["failures"], json!({}));
    assert!(news(&phone, &mut of_phone).await.0.contains(bob.user_id()));
    assert_eq!(news(&bob, &mut bobs).await.0, set(&[]));
}
