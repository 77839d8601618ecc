//! Messages from device to device: to whom, in which order, once.

use harness::{Client, Db, Homeserver, Server, both_databases, enc, on_each_database};
use serde_json::{Value, json};

use crate::client::support::{is_reference, list, text};

both_databases!(
    messages_come_in_order_and_are_told_until_they_are_received,
    a_star_reaches_every_device,
    more_than_a_hundred_come_in_parts,
    waiting_sessions_hear_of_messages_at_once,
    messages_to_nobody_are_dropped_silently,
    messages_go_with_their_device,
    locked_accounts_get_no_messages,
    messages_have_bounds,
);

on_each_database!(messages_survive_a_restart);

/// Sends one message to each device of a list.
async fn send(sender: &Client, txn: &str, to: &[&Client], body: &Value) {
    let mut messages = json!({});
    for client in to {
        messages[client.user_id()][client.device_id()] = body.clone();
    }
    put(sender, txn, &messages).await;
}

async fn put(sender: &Client, txn: &str, messages: &Value) {
    let path = format!("/sendToDevice/dev.kontor.test/{}", enc(txn));
    assert_eq!(sender.put(&path, &json!({ "messages": messages })).await.ok(), json!({}));
}

/// The `n` of the messages of an answer.
fn numbers(answer: &Value) -> Vec<i64> {
    list(&answer["to_device"]["events"]).iter().map(|event| event["content"]["n"].as_i64().unwrap()).collect()
}

async fn messages_come_in_order_and_are_told_until_they_are_received(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let before = bob.now().await;
    for n in 0..3 {
        send(&alice, &format!("t{n}"), &[&bob], &json!({ "n": n })).await;
    }
    let first = bob.sync(Some(&before), 0).await;
    let event = json!({ "sender": alice.user_id(), "type": "dev.kontor.test", "content": { "n": 0 } });
    assert_eq!(list(&first["to_device"]["events"])[0], event);
    assert_eq!(numbers(&first), [0, 1, 2]);
    // The answer was lost: the same token again.
    assert_eq!(numbers(&bob.sync(Some(&before), 0).await), [0, 1, 2]);
    send(&alice, "t3", &[&bob], &json!({ "n": 3 })).await;
    let next = bob.sync(first["next_batch"].as_str(), 0).await;
    assert_eq!(numbers(&next), [3], "what was received is not told again");
    if !is_reference() {
        // Once received, they are gone, whatever token comes.
        assert_eq!(numbers(&bob.sync(Some(&before), 0).await), [3]);
        assert_eq!(numbers(&bob.sync(None, 0).await), [3]);
    }
    let last = bob.sync(next["next_batch"].as_str(), 0).await;
    assert!(numbers(&last).is_empty());
    assert!(numbers(&bob.sync(None, 0).await).is_empty());
}

async fn a_star_reaches_every_device(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let phone = server.login(bob.user_id()).await;
    let tablet = server.login(bob.user_id()).await;
    let messages = json!({ bob.user_id(): { "*": { "n": 1 } } });
    put(&alice, "star", &messages).await;
    for client in [&bob, &phone, &tablet] {
        assert_eq!(numbers(&client.sync(None, 0).await), [1]);
    }
    send(&alice, "one", &[&phone], &json!({ "n": 2 })).await;
    assert_eq!(numbers(&bob.sync(None, 0).await), [1]);
    assert_eq!(numbers(&phone.sync(None, 0).await), [1, 2]);
}

async fn more_than_a_hundred_come_in_parts(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let since = bob.now().await;
    for n in 0..230 {
        send(&alice, &format!("t{n}"), &[&bob], &json!({ "n": n })).await;
    }
    let (mut told, mut from) = (Vec::new(), since);
    loop {
        let answer = bob.sync(Some(&from), 0).await;
        let part = numbers(&answer);
        assert!(part.len() <= 100, "{}", part.len());
        if part.is_empty() {
            break;
        }
        // A lost answer in the middle.
        assert_eq!(numbers(&bob.sync(Some(&from), 0).await), part);
        told.extend(part);
        from = text(&answer["next_batch"]);
        // News of rooms come with the messages that wait, and once.
        if told.len() == 100 {
            let room = alice.room_with(&[&bob]).await;
            let answer = bob.sync(Some(&from), 0).await;
            assert!(answer["rooms"]["join"].get(&room).is_some(), "{answer}");
            told.extend(numbers(&answer));
            from = text(&answer["next_batch"]);
            let after = bob.sync(Some(&from), 0).await;
            assert!(after["rooms"]["join"].get(&room).is_none(), "told once: {after}");
        }
    }
    assert_eq!(told, (0..230).collect::<Vec<_>>());
}

async fn waiting_sessions_hear_of_messages_at_once(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let mut since = bob.now().await;
    for n in 0..3 {
        let (waiting, mut from) = (bob.clone(), since.clone());
        let poll = tokio::spawn(async move {
            waiting.sync_until(&mut from, |answer| (numbers(answer) == [n]).then_some(())).await;
            from
        });
        send(&alice, &format!("t{n}"), &[&bob], &json!({ "n": n })).await;
        since = poll.await.unwrap();
    }
}

async fn messages_to_nobody_are_dropped_silently(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let own = alice.user_id().split_once(':').unwrap().1;
    let messages = json!({
        bob.user_id(): { "NOSUCH": { "n": 1 }, bob.device_id(): { "n": 2 } },
        format!("@nobody-at-all:{own}"): { "*": { "n": 3 } },
    });
    put(&alice, "t", &messages).await;
    assert_eq!(numbers(&bob.sync(None, 0).await), [2]);
    // A device that comes later under that name does not get it.
    let login = json!({
        "type": "m.login.password", "password": server.password(), "device_id": "NOSUCH",
        "identifier": { "type": "m.id.user", "user": bob.user_id() },
    });
    let later = server.signed_in(server.anonymous().post("/login", &login).await);
    assert!(numbers(&later.sync(None, 0).await).is_empty());
}

async fn messages_go_with_their_device(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let login = json!({
        "type": "m.login.password", "password": server.password(), "device_id": "PHONE",
        "identifier": { "type": "m.id.user", "user": bob.user_id() },
    });
    let phone = server.signed_in(server.anonymous().post("/login", &login).await);
    send(&alice, "t", &[&phone], &json!({ "n": 1 })).await;
    phone.post("/logout", &json!({})).await.ok();
    let again = server.signed_in(server.anonymous().post("/login", &login).await);
    assert!(numbers(&again.sync(None, 0).await).is_empty());
}

async fn locked_accounts_get_no_messages(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let bob = server.register("bob").await;
    let lock = async |locked: bool| {
        let path = format!("/_matrix/client/v1/admin/lock/{}", enc(bob.user_id()));
        admin.put(&path, &json!({ "locked": locked })).await.ok();
    };
    lock(true).await;
    send(&admin, "t1", &[&bob], &json!({ "n": 1 })).await;
    lock(false).await;
    send(&admin, "t2", &[&bob], &json!({ "n": 2 })).await;
    assert_eq!(numbers(&bob.sync(None, 0).await), [2]);
}

async fn messages_have_bounds(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let (me, device) = (alice.user_id(), alice.device_id());
    for messages in [
        json!({ me: { device: "text" } }),
        json!({ me: { device: [] } }),
        json!({ me: [] }),
        json!([]),
        json!({ me: { device: { "x": "x".repeat(70_000) } } }),
    ] {
        alice.put("/sendToDevice/dev.kontor.test/t", &json!({ "messages": messages })).await.refused();
    }
    alice.put("/sendToDevice/dev.kontor.test/t", &json!({})).await.refused();
    let messages = json!({ "messages": { me: { device: { "n": 1 } } } });
    alice.put(&format!("/sendToDevice/{}/t", "x".repeat(300)), &messages).await.refused();
    alice.put(&format!("/sendToDevice/dev.kontor.test/{}", "x".repeat(300)), &messages).await.refused();
    assert!(numbers(&alice.sync(None, 0).await).is_empty());
    let odd = json!({ "messages": { "no user": { device: {} }, me: { "\u{0}": {}, "": {} } } });
    alice.put("/sendToDevice/dev.kontor.test/odd", &odd).await.ok();
}

async fn messages_survive_a_restart(db: Db) {
    let mut server = Server::start(db);
    let alice = server.homeserver().register("alice").await;
    let bob = server.homeserver().register("bob").await;
    send(&alice, "t1", &[&bob], &json!({ "n": 1 })).await;
    let first = bob.sync(None, 0).await;
    assert_eq!(numbers(&first), [1]);
    send(&alice, "t2", &[&bob], &json!({ "n": 2 })).await;
    server.kill();
    server.start_again();
    let bob = server.homeserver().client_like(&bob);
    let alice = server.homeserver().client_like(&alice);
    // The request is repeated, since its answer may have been lost.
    send(&alice, "t2", &[&bob], &json!({ "n": 2 })).await;
    let next = bob.sync(first["next_batch"].as_str(), 0).await;
    assert_eq!(numbers(&next), [2]);
    assert!(numbers(&bob.sync(next["next_batch"].as_str(), 0).await).is_empty());
}
