//! Aliases of rooms.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::json;

use crate::client::support::{in_room, is_reference, list, text};

both_databases!(
    an_alias_is_made_found_listed_and_removed,
    an_alias_belongs_to_one_room,
    only_its_maker_or_the_powerful_remove_an_alias,
    malformed_and_foreign_aliases_are_refused,
    a_canonical_alias_must_point_to_the_room,
    aliases_are_listed_for_members_only,
);

fn alias(client: &Client, name: &str) -> String {
    format!("#{name}-{}:localhost", client.localpart())
}

fn directory(alias: &str) -> String {
    format!("/directory/room/{}", enc(alias))
}

async fn an_alias_is_made_found_listed_and_removed(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let alias = alias(&alice, "one");
    alice.get(&directory(&alias)).await.err(404, "M_NOT_FOUND");
    alice.put(&directory(&alias), &json!({ "room_id": room })).await.ok();
    let found = alice.get(&directory(&alias)).await.ok();
    assert_eq!(found["room_id"], room);
    assert!(list(&found["servers"]).contains(&json!("localhost")), "{found}");
    // Looking up needs no account.
    assert_eq!(server.anonymous().get(&directory(&alias)).await.ok()["room_id"], room);
    assert_eq!(alice.get(&in_room(&room, "aliases")).await.ok()["aliases"], json!([alias]));
    alice.delete(&directory(&alias)).await.ok();
    alice.get(&directory(&alias)).await.err(404, "M_NOT_FOUND");
    alice.delete(&directory(&alias)).await.err(404, "M_NOT_FOUND");
}

async fn an_alias_belongs_to_one_room(server: Homeserver) {
    let alice = server.register("alice").await;
    let (one, two) = (alice.create_room(json!({})).await, alice.create_room(json!({})).await);
    let alias = alias(&alice, "one");
    alice.put(&directory(&alias), &json!({ "room_id": one })).await.ok();
    let answer = alice.put(&directory(&alias), &json!({ "room_id": two })).await;
    assert_eq!(answer.status, 409, "{answer}");
    assert_eq!(alice.get(&directory(&alias)).await.ok()["room_id"], one);
    let nowhere = json!({ "room_id": "!nowhere:localhost" });
    alice.put(&directory(&self::alias(&alice, "two")), &nowhere).await.refused();
}

async fn only_its_maker_or_the_powerful_remove_an_alias(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let carol = server.register("carol").await;
    let room = alice.room_with(&[&bob, &carol]).await;
    let alias = alias(&bob, "bobs");
    bob.put(&directory(&alias), &json!({ "room_id": room })).await.ok();
    carol.delete(&directory(&alias)).await.err(403, "M_FORBIDDEN");
    bob.delete(&directory(&alias)).await.ok();
    bob.put(&directory(&alias), &json!({ "room_id": room })).await.ok();
    alice.delete(&directory(&alias)).await.ok();
}

async fn malformed_and_foreign_aliases_are_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let long = format!("#{}:localhost", "x".repeat(300));
    for alias in [
        "room",
        "#room",
        "room:localhost",
        "#room:elsewhere.example",
        "!room:localhost",
        &long,
        "#a\0b:localhost",
    ] {
        let answer = alice.put(&directory(alias), &json!({ "room_id": room })).await;
        if !is_reference() {
            answer.refused();
        }
    }
    let alias = alias(&alice, "x");
    for body in [json!({}), json!({ "room_id": 1 }), json!({ "room_id": "room" }), json!([])] {
        alice.put(&directory(&alias), &body).await.refused();
    }
    server.anonymous().put(&directory(&alias), &json!({ "room_id": room })).await.err(401, "M_MISSING_TOKEN");
}

async fn a_canonical_alias_must_point_to_the_room(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let other = alice.create_room(json!({})).await;
    let (mine, theirs) = (alias(&alice, "mine"), alias(&alice, "theirs"));
    alice.put(&directory(&mine), &json!({ "room_id": room })).await.ok();
    alice.put(&directory(&theirs), &json!({ "room_id": other })).await.ok();
    let path = in_room(&room, "state/m.room.canonical_alias/");
    for bad in [
        json!({ "alias": theirs }),
        json!({ "alt_aliases": [theirs] }),
        json!({ "alias": alias(&alice, "nowhere") }),
        json!({ "alias": mine, "alt_aliases": [alias(&alice, "nowhere")] }),
    ] {
        alice.put(&path, &bad).await.err(400, "M_BAD_ALIAS");
    }
    alice.put(&path, &json!({ "alias": "not an alias" })).await.err(400, "M_INVALID_PARAM");
    alice.put(&path, &json!({ "alias": mine, "alt_aliases": [mine] })).await.ok();
    // What is there already may stay when its alias is gone.
    alice.delete(&directory(&mine)).await.ok();
    let after = alice.state(&room, "m.room.canonical_alias", "").await;
    let kept = if after.status == 404 { json!(null) } else { after.ok()["alias"].clone() };
    assert!(kept.is_null() || kept == mine, "{kept}");
    alice.put(&path, &json!({})).await.ok();
}

async fn aliases_are_listed_for_members_only(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.create_room(json!({ "preset": "public_chat" })).await;
    let alias = alias(&alice, "listed");
    alice.put(&directory(&alias), &json!({ "room_id": room })).await.ok();
    bob.get(&in_room(&room, "aliases")).await.err(403, "M_FORBIDDEN");
    bob.join(&room).await;
    assert_eq!(text(&bob.get(&in_room(&room, "aliases")).await.ok()["aliases"][0]), alias);
}
