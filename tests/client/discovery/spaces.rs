//! The tree of a space.

use super::{put_in, space};
use crate::client::support::{list, text};
use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

both_databases!(
    a_space_shows_its_rooms_in_their_order_each_before_its_next_sibling,
    circles_of_spaces_end_and_each_room_comes_once,
    pages_hold_the_tree_together,
    depth_and_suggestions_limit_the_tree,
    rooms_that_the_reader_may_not_know_of_are_left_out,
    members_of_an_allowed_room_see_a_restricted_one,
    a_space_that_is_closed_to_the_reader_does_not_open,
    children_that_were_taken_out_are_gone,
    foreign_and_unknown_children_are_named_but_not_shown,
    a_token_of_another_space_or_another_walk_is_refused,
);

fn tree(room: &str, more: &str) -> String {
    format!("/_matrix/client/v1/rooms/{}/hierarchy?{more}", enc(room))
}

async fn rooms(client: &Client, room: &str, more: &str) -> Vec<String> {
    let answer = client.get(&tree(room, more)).await.ok();
    list(&answer["rooms"]).iter().map(|room| text(&room["room_id"])).collect()
}

async fn public(owner: &Client, name: &str) -> String {
    owner.create_room(json!({ "preset": "public_chat", "name": name })).await
}

async fn a_space_shows_its_rooms_in_their_order_each_before_its_next_sibling(server: Homeserver) {
    let alice = server.register("alice").await;
    let (root, inner) = (space(&alice, "root", json!({})).await, space(&alice, "inner", json!({})).await);
    let [first, second, last] =
        [public(&alice, "first").await, public(&alice, "second").await, public(&alice, "last").await];
    put_in(&alice, &root, &last, json!({})).await;
    put_in(&alice, &root, &second, json!({ "order": "b" })).await;
    put_in(&alice, &root, &inner, json!({ "order": "a" })).await;
    put_in(&alice, &inner, &first, json!({})).await;
    let answer = alice.get(&tree(&root, "")).await.ok();
    let found = list(&answer["rooms"]);
    let ids: Vec<_> = found.iter().map(|room| text(&room["room_id"])).collect();
    assert_eq!(ids, [root.clone(), inner.clone(), first, second.clone(), last.clone()]);
    assert!(answer["next_batch"].is_null());
    let named: Vec<_> = list(&found[0]["children_state"]).iter().map(|c| text(&c["state_key"])).collect();
    assert_eq!(named, [inner, second, last]);
    let child = &found[0]["children_state"][0];
    assert_eq!((&child["type"], &child["sender"]), (&json!("m.space.child"), &json!(alice.user_id())));
    assert!(child["origin_server_ts"].is_i64() && child["event_id"].is_null(), "{child}");
    assert_eq!((&found[0]["room_type"], &found[0]["name"]), (&json!("m.space"), &json!("root")));
    assert_eq!(found[2]["children_state"], json!([]));
    assert_eq!(found[0]["num_joined_members"], 1);
}

async fn circles_of_spaces_end_and_each_room_comes_once(server: Homeserver) {
    let alice = server.register("alice").await;
    let (one, two) = (space(&alice, "one", json!({})).await, space(&alice, "two", json!({})).await);
    let room = public(&alice, "room").await;
    for (space, child) in [(&one, &two), (&two, &one), (&one, &one), (&one, &room), (&two, &room)] {
        put_in(&alice, space, child, json!({})).await;
    }
    assert_eq!(rooms(&alice, &one, "").await, [one.clone(), two.clone(), room.clone()]);
    assert_eq!(rooms(&alice, &two, "").await, [two, one, room]);
}

async fn pages_hold_the_tree_together(server: Homeserver) {
    let alice = server.register("alice").await;
    let root = space(&alice, "root", json!({})).await;
    for number in 0..7 {
        let room = public(&alice, &format!("room {number}")).await;
        put_in(&alice, &root, &room, json!({ "order": format!("{number}") })).await;
    }
    let whole = rooms(&alice, &root, "").await;
    assert_eq!(whole.len(), 8);
    let (mut paged, mut from) = (Vec::new(), String::new());
    loop {
        let answer = alice.get(&tree(&root, &format!("limit=3{from}"))).await.ok();
        let page = list(&answer["rooms"]);
        assert!((1..=3).contains(&page.len()), "{answer}");
        paged.extend(page.iter().map(|room| text(&room["room_id"])));
        match answer["next_batch"].as_str() {
            Some(next) => from = format!("&from={}", enc(next)),
            None => break,
        }
    }
    assert_eq!(paged, whole);
    alice.get(&tree(&root, "limit=0")).await.err(400, "M_INVALID_PARAM");
}

async fn depth_and_suggestions_limit_the_tree(server: Homeserver) {
    let alice = server.register("alice").await;
    let (root, inner) = (space(&alice, "root", json!({})).await, space(&alice, "inner", json!({})).await);
    let (deep, plain) = (public(&alice, "deep").await, public(&alice, "plain").await);
    put_in(&alice, &root, &inner, json!({ "order": "a", "suggested": true })).await;
    put_in(&alice, &root, &plain, json!({ "order": "b" })).await;
    put_in(&alice, &inner, &deep, json!({ "suggested": true })).await;
    assert_eq!(rooms(&alice, &root, "max_depth=0").await, [root.clone()]);
    assert_eq!(rooms(&alice, &root, "max_depth=1").await, [root.clone(), inner.clone(), plain]);
    assert_eq!(rooms(&alice, &root, "suggested_only=true").await, [root, inner, deep]);
}

async fn rooms_that_the_reader_may_not_know_of_are_left_out(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let root = space(&alice, "root", json!({})).await;
    let rule = |rule: &str| json!({ "type": "m.room.join_rules", "content": { "join_rule": rule } });
    let open =
        json!({ "type": "m.room.history_visibility", "content": { "history_visibility": "world_readable" } });
    let secret = alice.create_room(json!({ "preset": "private_chat" })).await;
    let invited = alice.create_room(json!({ "preset": "private_chat", "invite": [bob.user_id()] })).await;
    let knock = alice.create_room(json!({ "initial_state": [rule("knock")] })).await;
    let readable = alice.create_room(json!({ "preset": "private_chat", "initial_state": [open] })).await;
    let banned = public(&alice, "banned").await;
    alice.ban(&banned, &bob).await;
    for (order, room) in [&secret, &invited, &knock, &readable, &banned].into_iter().enumerate() {
        put_in(&alice, &root, room, json!({ "order": order.to_string() })).await;
    }
    assert_eq!(rooms(&bob, &root, "").await, [root.clone(), invited, knock, readable]);
    assert_eq!(rooms(&alice, &root, "").await.len(), 6);
}

async fn members_of_an_allowed_room_see_a_restricted_one(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let root = space(&alice, "root", json!({})).await;
    let allow = json!([{ "type": "m.room_membership", "room_id": root }]);
    let rules =
        json!({ "type": "m.room.join_rules", "content": { "join_rule": "restricted", "allow": allow } });
    let room = alice.create_room(json!({ "initial_state": [rules] })).await;
    put_in(&alice, &root, &room, json!({})).await;
    assert_eq!(rooms(&bob, &root, "").await, [root.clone()]);
    bob.join(&root).await;
    let answer = bob.get(&tree(&root, "")).await.ok();
    let shown = &answer["rooms"][1];
    assert_eq!((&shown["room_id"], &shown["join_rule"]), (&json!(room), &json!("restricted")));
    assert_eq!(shown["allowed_room_ids"], json!([root]));
    bob.join(&room).await;
}

async fn a_space_that_is_closed_to_the_reader_does_not_open(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let closed = space(&alice, "closed", json!({ "preset": "private_chat" })).await;
    bob.get(&tree(&closed, "")).await.err(403, "M_FORBIDDEN");
    bob.get(&tree("!nothing:localhost", "")).await.err(403, "M_FORBIDDEN");
}

async fn children_that_were_taken_out_are_gone(server: Homeserver) {
    let alice = server.register("alice").await;
    let root = space(&alice, "root", json!({})).await;
    let (kept, emptied, redacted) =
        (public(&alice, "a").await, public(&alice, "b").await, public(&alice, "c").await);
    put_in(&alice, &root, &kept, json!({})).await;
    alice.set_state(&root, "m.space.child", &emptied, &json!({})).await;
    let event = alice.set_state(&root, "m.space.child", &redacted, &json!({ "via": ["localhost"] })).await;
    assert_eq!(rooms(&alice, &root, "").await, [root.clone(), kept.clone(), redacted]);
    alice.redact(&root, &event).await;
    assert_eq!(rooms(&alice, &root, "").await, [root, kept]);
}

async fn foreign_and_unknown_children_are_named_but_not_shown(server: Homeserver) {
    let alice = server.register("alice").await;
    let root = space(&alice, "root", json!({})).await;
    put_in(&alice, &root, "!far:elsewhere.example", json!({})).await;
    put_in(&alice, &root, "nonsense", json!({})).await;
    let answer = alice.get(&tree(&root, "")).await.ok();
    assert_eq!(list(&answer["rooms"]).len(), 1);
    let named: Vec<Value> = list(&answer["rooms"][0]["children_state"]);
    assert_eq!(named.len(), 1, "{named:?}");
    assert_eq!(named[0]["state_key"], "!far:elsewhere.example");
}

async fn a_token_of_another_space_or_another_walk_is_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    let (root, other) = (space(&alice, "root", json!({})).await, space(&alice, "other", json!({})).await);
    put_in(&alice, &root, &other, json!({})).await;
    let answer = alice.get(&tree(&root, "limit=1&max_depth=2")).await.ok();
    let next = enc(answer["next_batch"].as_str().expect("a next page"));
    for (room, more) in [
        (&other, format!("from={next}")),
        (&root, format!("from={next}&max_depth=3")),
        (&root, format!("from={next}&max_depth=2&suggested_only=true")),
        (&root, "from=nonsense".to_owned()),
    ] {
        alice.get(&tree(room, &more)).await.err(400, "M_INVALID_PARAM");
    }
    assert_eq!(rooms(&alice, &root, &format!("from={next}&max_depth=2")).await, [other]);
}
