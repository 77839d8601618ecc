//! Sending: transaction ids, sizes, contents.

use std::collections::HashSet;

use harness::{Db, Homeserver, Server, both_databases, enc, on_each_database, timeline};
use serde_json::json;

use crate::client::support::{in_room, is_reference, text};

both_databases!(
    a_repeated_transaction_is_one_event,
    a_transaction_belongs_to_one_device_and_one_request,
    what_is_sent_comes_back_as_it_was,
    edits_reactions_and_replies_are_kept,
    events_over_sixty_four_kibibytes_are_refused,
    numbers_that_are_no_integers_are_refused,
    bodies_that_are_no_objects_are_refused,
    who_is_not_in_the_room_sends_nothing,
    state_types_can_be_sent_as_messages_without_becoming_state,
);

on_each_database!(transactions_are_remembered_over_a_restart);

async fn a_repeated_transaction_is_one_event(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let content = json!({ "msgtype": "m.text", "body": "once" });
    let first = alice.send_txn(&room, "m.room.message", "t", &content).await.ok();
    let again = alice.send_txn(&room, "m.room.message", "t", &content).await.ok();
    assert_eq!(first, again);
    // Also when the repeat says something else: the transaction decides.
    let other = json!({ "msgtype": "m.text", "body": "other" });
    assert_eq!(alice.send_txn(&room, "m.room.message", "t", &other).await.ok(), first);
    let sent = alice.whole_timeline(&room).await;
    assert_eq!(sent.iter().filter(|event| event["type"] == "m.room.message").count(), 1);
}

async fn transactions_are_remembered_over_a_restart(db: Db) {
    let mut server = Server::start(db);
    let alice = server.homeserver().register("alice").await;
    let room = alice.create_room(json!({})).await;
    let content = json!({ "msgtype": "m.text", "body": "once" });
    let first = alice.send_txn(&room, "m.room.message", "t", &content).await.ok();
    for kill in [false, true] {
        if kill {
            server.kill_and_start_again();
        } else {
            server.restart();
        }
        let alice = server.homeserver().client_like(&alice);
        assert_eq!(alice.send_txn(&room, "m.room.message", "t", &content).await.ok(), first);
        let seen = alice.event(&room, &text(&first["event_id"])).await.ok();
        assert_eq!(seen["unsigned"]["transaction_id"], "t", "{seen}");
    }
}

async fn a_transaction_belongs_to_one_device_and_one_request(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let device = server.login(alice.user_id()).await;
    let (one, two) = (alice.create_room(json!({})).await, alice.create_room(json!({})).await);
    let content = json!({ "msgtype": "m.text", "body": "x" });
    let mut ids = HashSet::new();
    for (client, room, kind) in [
        (&alice, &one, "m.room.message"),
        (&device, &one, "m.room.message"),
        (&alice, &two, "m.room.message"),
        (&alice, &one, "dev.kontor.test"),
    ] {
        ids.insert(text(&client.send_txn(room, kind, "t", &content).await.ok()["event_id"]));
    }
    assert_eq!(ids.len(), 4);
    // Both names of the endpoint are the same request.
    let path = format!("/_matrix/client/r0/rooms/{}/send/m.room.message/t", enc(&one));
    let again = text(&alice.put(&path, &content).await.ok()["event_id"]);
    assert!(ids.contains(&again));
}

async fn what_is_sent_comes_back_as_it_was(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    for content in [
        json!({}),
        json!({ "msgtype": "m.text", "body": "żółć 🐢 \u{1F468}\u{200D}\u{1F469} \"quoted\" \\ / \n\t" }),
        json!({ "msgtype": "m.text", "body": "zero\u{0}byte" }),
        json!({ "nested": { "list": [1, -2, true, false, null, "x", { "y": [] }] }, "big": 9_007_199_254_740_991_i64 }),
        json!({ "": "empty key", "$ref": 1, "a.b": 2, "small": -9_007_199_254_740_991_i64 }),
    ] {
        let event = alice.send(&room, "dev.kontor.test", &content).await;
        assert_eq!(alice.event(&room, &event).await.ok()["content"], content);
        let seen = timeline(&alice.sync(None, 0).await, &room).pop().unwrap();
        assert_eq!(seen["content"], content);
    }
}

async fn edits_reactions_and_replies_are_kept(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let message = alice.text(&room, "first").await;
    let mut since = bob.now().await;
    let edit = json!({
        "msgtype": "m.text", "body": "* second", "m.new_content": { "msgtype": "m.text", "body": "second" },
        "m.relates_to": { "rel_type": "m.replace", "event_id": message },
    });
    let reaction =
        json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": message, "key": "👍" } });
    let reply = json!({
        "msgtype": "m.text", "body": "yes", "m.relates_to": { "m.in_reply_to": { "event_id": message } },
    });
    for (kind, content) in [("m.room.message", edit), ("m.reaction", reaction), ("m.room.message", reply)] {
        let event = alice.send(&room, kind, &content).await;
        let seen = bob.sync_until_event(&mut since, &room, &event).await;
        assert_eq!(seen["content"], content);
    }
}

async fn events_over_sixty_four_kibibytes_are_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let body = |bytes: usize| json!({ "msgtype": "m.text", "body": "x".repeat(bytes) });
    alice.send_txn(&room, "m.room.message", "ok", &body(60_000)).await.ok();
    alice.send_txn(&room, "m.room.message", "big", &body(65_536)).await.err(413, "M_TOO_LARGE");
    alice.send_txn(&room, "m.room.message", "bigger", &body(900_000)).await.err(413, "M_TOO_LARGE");
    alice
        .put(&in_room(&room, "state/m.room.topic/"), &json!({ "topic": "x".repeat(65_536) }))
        .await
        .err(413, "M_TOO_LARGE");
    // Characters count by their bytes.
    let wide = json!({ "msgtype": "m.text", "body": "🐢".repeat(17_000) });
    alice.send_txn(&room, "m.room.message", "wide", &wide).await.err(413, "M_TOO_LARGE");
    let last = alice.whole_timeline(&room).await.pop().unwrap();
    assert_eq!(text(&last["content"]["body"]).len(), 60_000);
}

async fn numbers_that_are_no_integers_are_refused(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let before = alice.whole_timeline(&room).await.len();
    for (n, number) in [
        "1.5",
        "-0.1",
        "1e400",
        "9007199254740992",
        "-9007199254740992",
        "1e20",
        "99999999999999999999999999",
        "NaN",
        "Infinity",
    ]
    .into_iter()
    .enumerate()
    {
        for path in [format!("send/dev.kontor.test/t{n}"), "state/dev.kontor.test/".to_owned()] {
            let body = format!("{{\"deep\":[{{\"n\":{number}}}]}}").into_bytes();
            let sent = alice
                .send_bytes(reqwest::Method::PUT, &in_room(&room, &path), "application/json", body)
                .await;
            assert_eq!(sent.status, 400, "{number}: {sent}");
            sent.refused();
        }
    }
    assert_eq!(alice.whole_timeline(&room).await.len(), before, "something was stored");
    let data = format!("/user/{}/account_data/dev.kontor.test", enc(alice.user_id()));
    alice.put(&data, &json!({ "order": 0.5 })).await.ok();
    assert_eq!(alice.get(&data).await.ok()["order"], 0.5, "account data may have fractions");
}

async fn bodies_that_are_no_objects_are_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    for (body, errcode) in [
        ("", "M_NOT_JSON"),
        ("{", "M_NOT_JSON"),
        ("hello", "M_NOT_JSON"),
        ("{\"a\":1}x", "M_NOT_JSON"),
        ("[]", "M_BAD_JSON"),
        ("\"text\"", "M_BAD_JSON"),
        ("null", "M_BAD_JSON"),
        ("5", "M_BAD_JSON"),
    ] {
        for path in ["send/dev.kontor.test/t", "state/dev.kontor.test/"] {
            let path = in_room(&room, path);
            let answer = alice.send_bytes(reqwest::Method::PUT, &path, "application/json", body.into()).await;
            if is_reference() {
                answer.refused();
            } else {
                answer.err(400, errcode);
            }
        }
    }
}

async fn who_is_not_in_the_room_sends_nothing(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.create_room(json!({ "preset": "public_chat" })).await;
    let content = json!({ "msgtype": "m.text", "body": "x" });
    bob.send_txn(&room, "m.room.message", "a", &content).await.err(403, "M_FORBIDDEN");
    bob.send_txn("!nowhere:localhost", "m.room.message", "b", &content).await.refused();
    bob.send_txn("nonsense", "m.room.message", "c", &content).await.refused();
    alice.invite(&room, &bob).await;
    bob.send_txn(&room, "m.room.message", "d", &content).await.err(403, "M_FORBIDDEN");
    // A refused transaction may succeed later.
    bob.join(&room).await;
    bob.send_txn(&room, "m.room.message", "a", &content).await.ok();
}

async fn state_types_can_be_sent_as_messages_without_becoming_state(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({ "name": "Real" })).await;
    let answer = alice.send_txn(&room, "m.room.name", "t", &json!({ "name": "Fake" })).await;
    assert!(answer.status == 200 || answer.status == 400, "{answer}");
    assert_eq!(alice.state(&room, "m.room.name", "").await.ok()["name"], "Real");
    let create = alice.send_txn(&room, "m.room.create", "u", &json!({ "room_version": "1" })).await;
    create.refused();
}
