//! Dehydrated devices (MSC3814): they take messages while nobody is logged in.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

use crate::client::encryption::keyring::{Pair, curve25519, query};
use crate::client::support::{is_reference, list, text};

both_databases!(
    a_dehydrated_device_is_left_read_and_removed,
    messages_wait_for_a_dehydrated_device_and_stay,
    its_keys_are_shown_claimed_and_checked,
    it_goes_with_the_devices_of_its_owner,
);

const PATH: &str = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";

/// A device that is to be left behind: its id, and the body that leaves it.
fn left_by(owner: &Client) -> (String, Value) {
    let (pair, id) = (Pair::new(), curve25519());
    let sign = |mut object: Value| {
        pair.sign(&mut object, owner.user_id(), &format!("ed25519:{id}"));
        object
    };
    let mut keys = json!({
        "user_id": owner.user_id(), "device_id": id, "dehydrated": true, "keys": {},
        "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
    });
    keys["keys"][format!("ed25519:{id}")] = pair.public().into();
    keys["keys"][format!("curve25519:{id}")] = id.as_str().into();
    let body = json!({
        "device_id": id,
        "device_data": { "algorithm": "org.matrix.msc3814.v2", "device_pickle": "secret", "nonce": "n" },
        "initial_device_display_name": "Dehydrated device",
        "device_keys": sign(keys),
        "one_time_keys": { "signed_curve25519:one": sign(json!({ "key": curve25519() })) },
        "fallback_keys": { "signed_curve25519:last": sign(json!({ "key": curve25519(), "fallback": true })) },
    });
    (id, body)
}

async fn leave(owner: &Client) -> String {
    let (id, body) = left_by(owner);
    assert_eq!(owner.put(PATH, &body).await.ok()["device_id"], id.as_str());
    id
}

async fn device_ids(owner: &Client) -> Vec<String> {
    list(&owner.get("/devices").await.ok()["devices"])
        .iter()
        .map(|device| text(&device["device_id"]))
        .collect()
}

async fn a_dehydrated_device_is_left_read_and_removed(server: Homeserver) {
    let alice = server.register("alice").await;
    alice.get(PATH).await.err(404, "M_NOT_FOUND");
    alice.delete(PATH).await.err(404, "M_NOT_FOUND");
    let (first, body) = left_by(&alice);
    alice.put(PATH, &body).await.ok();
    let read = alice.get(PATH).await.ok();
    assert_eq!(read, json!({ "device_id": first, "device_data": body["device_data"] }));
    assert!(device_ids(&alice).await.contains(&first));
    // A second one takes its place; the same once more changes nothing of that.
    let (second, body) = left_by(&alice);
    for _ in 0..2 {
        alice.put(PATH, &body).await.ok();
        let ids = device_ids(&alice).await;
        assert!(ids.contains(&second) && !ids.contains(&first), "{ids:?}");
    }
    assert_eq!(alice.delete(PATH).await.ok()["device_id"], second.as_str());
    alice.get(PATH).await.err(404, "M_NOT_FOUND");
    assert_eq!(device_ids(&alice).await, [alice.device_id()]);
    server.anonymous().get(PATH).await.err(401, "M_MISSING_TOKEN");
}

async fn messages_wait_for_a_dehydrated_device_and_stay(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let id = leave(&alice).await;
    let events = format!("{PATH}/{}/events", enc(&id));
    assert_eq!(alice.get(&events).await.ok(), json!({ "events": [] }));
    for n in 0..230 {
        let body = json!({ "messages": { alice.user_id(): { &id: { "n": n } } } });
        bob.put(&format!("/sendToDevice/org.example.key/txn{n}"), &body).await.ok();
    }
    // Twice: reading takes nothing away.
    for _ in 0..2 {
        let mut read = Vec::new();
        let mut from = String::new();
        loop {
            let page = alice.get(&format!("{events}{from}")).await.ok();
            read.extend(list(&page["events"]));
            let Some(next) = page["next_batch"].as_str() else { break };
            from = format!("?from={}", enc(next));
        }
        let numbers: Vec<_> = read.iter().filter_map(|event| event["content"]["n"].as_i64()).collect();
        assert_eq!(numbers, (0..230).collect::<Vec<_>>());
        assert_eq!(
            (&read[0]["sender"], &read[0]["type"]),
            (&json!(bob.user_id()), &json!("org.example.key"))
        );
    }
    if !is_reference() {
        // The proposal's earlier form: the answer without messages is the last.
        let (mut read, mut from) = (0, json!({}));
        loop {
            let page = alice.post(&events, &from).await.ok();
            if list(&page["events"]).is_empty() {
                break;
            }
            read += list(&page["events"]).len();
            from = json!({ "next_batch": page["next_batch"] });
        }
        assert_eq!(read, 230);
        alice.get(&format!("{events}?from=x")).await.err(400, "M_INVALID_PARAM");
    }
    let own = format!("{PATH}/{}/events", enc(alice.device_id()));
    alice.get(&own).await.err(403, "M_FORBIDDEN");
    bob.get(&events).await.err(403, "M_FORBIDDEN");
    // The next one begins with an empty inbox.
    let next = leave(&alice).await;
    alice.get(&events).await.err(403, "M_FORBIDDEN");
    let events = format!("{PATH}/{}/events", enc(&next));
    assert_eq!(alice.get(&events).await.ok(), json!({ "events": [] }));
}

async fn its_keys_are_shown_claimed_and_checked(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.room_with(&[&bob]).await;
    let mut since = bob.now().await;
    let (id, body) = left_by(&alice);
    alice.put(PATH, &body).await.ok();
    let changed =
        |sync: &Value| list(&sync["device_lists"]["changed"]).contains(&json!(alice.user_id())).then_some(());
    bob.sync_until(&mut since, changed).await;
    let shown = query(&bob, &[&alice]).await["device_keys"][alice.user_id()][&id].clone();
    assert_eq!(shown["dehydrated"], true);
    assert_eq!(shown["keys"], body["device_keys"]["keys"]);
    for expected in ["one", "last", "last"] {
        let wanted = json!({ "one_time_keys": { alice.user_id(): { &id: "signed_curve25519" } } });
        let keys = bob.post("/keys/claim", &wanted).await.ok();
        let key = &keys["one_time_keys"][alice.user_id()][&id][format!("signed_curve25519:{expected}")];
        assert!(key["key"].is_string(), "{expected}: {keys}");
    }
    alice.delete(PATH).await.ok();
    bob.sync_until(&mut since, changed).await;
    assert_eq!(query(&bob, &[&alice]).await["device_keys"][alice.user_id()][&id], Value::Null);
    drop(room);
    if is_reference() {
        return;
    }
    let (_, good) = left_by(&alice);
    let (_, other) = left_by(&bob);
    let mut wrong = Vec::new();
    for (field, value) in [
        ("device_id", json!("OTHER")),
        ("device_id", json!(alice.device_id())),
        ("device_data", json!("text")),
        ("device_data", json!({})),
        ("device_data", json!({ "algorithm": "a", "x": "x".repeat(300_000) })),
        ("device_keys", Value::Null),
        ("device_keys", other["device_keys"].clone()),
        ("one_time_keys", other["one_time_keys"].clone()),
        ("fallback_keys", other["fallback_keys"].clone()),
        ("initial_device_display_name", json!("x".repeat(100_000))),
    ] {
        let mut body = good.clone();
        body[field] = value;
        wrong.push(body);
    }
    for body in wrong {
        alice.put(PATH, &body).await.refused();
    }
    alice.get(PATH).await.err(404, "M_NOT_FOUND");
}

async fn it_goes_with_the_devices_of_its_owner(server: Homeserver) {
    let alice = server.register("alice").await;
    let id = leave(&alice).await;
    let auth = json!({
        "type": "m.login.password", "password": server.password(),
        "identifier": { "type": "m.id.user", "user": alice.user_id() },
    });
    alice.post("/delete_devices", &json!({ "devices": [id], "auth": auth })).await.ok();
    alice.get(PATH).await.err(404, "M_NOT_FOUND");
    leave(&alice).await;
    let other = server.login(alice.user_id()).await;
    other.post("/logout", &json!({})).await.ok();
    alice.get(PATH).await.ok();
    alice.post("/logout/all", &json!({})).await.ok();
    let again = server.login(alice.user_id()).await;
    again.get(PATH).await.err(404, "M_NOT_FOUND");
    leave(&again).await;
}
