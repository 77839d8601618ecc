//! Devices.

use harness::{Client, Homeserver, both_databases, enc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::support::{is_reference, list, text};

both_databases!(
    devices_are_listed_and_renamed,
    devices_are_removed_with_a_proof,
    several_devices_are_removed_at_once,
    devices_of_others_cannot_be_touched,
);

fn proof(server: &Homeserver, client: &Client) -> Value {
    json!({
        "type": "m.login.password", "password": server.password(),
        "identifier": { "type": "m.id.user", "user": client.user_id() },
    })
}

async fn devices_are_listed_and_renamed(server: Homeserver) {
    let alice = server.register("alice").await;
    let phone = server.login(alice.user_id()).await;
    let mut ids: Vec<_> = list(&alice.get("/devices").await.ok()["devices"])
        .iter()
        .map(|device| text(&device["device_id"]))
        .collect();
    ids.sort();
    let mut expected = [alice.device_id().to_owned(), phone.device_id().to_owned()];
    expected.sort();
    assert_eq!(ids, expected);
    let path = format!("/devices/{}", enc(phone.device_id()));
    alice.put(&path, &json!({ "display_name": "Phone 📱" })).await.ok();
    assert_eq!(phone.get(&path).await.ok()["display_name"], "Phone 📱");
    let who = alice.get(&path).await.ok();
    assert_eq!(who["device_id"], phone.device_id());
    alice.get("/devices/NOSUCH").await.err(404, "M_NOT_FOUND");
    alice.put("/devices/NOSUCH", &json!({ "display_name": "x" })).await.err(404, "M_NOT_FOUND");
    if !is_reference() {
        alice.put(&path, &json!({ "display_name": "x".repeat(100_000) })).await.refused();
        alice.put(&path, &json!({ "display_name": 5 })).await.refused();
    }
}

async fn devices_are_removed_with_a_proof(server: Homeserver) {
    let alice = server.register("alice").await;
    let phone = server.login(alice.user_id()).await;
    let path = format!("/devices/{}", enc(phone.device_id()));
    let asked = alice.request(Method::DELETE, &path, Some(&json!({}))).await;
    assert_eq!(asked.status, 401, "{asked}");
    assert_eq!(alice.request(Method::DELETE, &path, None).await.status, 401);
    phone.get("/account/whoami").await.ok();
    let mut auth = proof(&server, &alice);
    auth["session"] = asked.json["session"].clone();
    alice.request(Method::DELETE, &path, Some(&json!({ "auth": auth }))).await.ok();
    phone.get("/account/whoami").await.err(401, "M_UNKNOWN_TOKEN");
    alice.get(&path).await.err(404, "M_NOT_FOUND");
    // A proof for one thing is none for another.
    let again = server.login(alice.user_id()).await;
    let path = format!("/devices/{}", enc(again.device_id()));
    let used = json!({ "auth": { "session": asked.json["session"] } });
    let answer = alice.request(Method::DELETE, &path, Some(&used)).await;
    assert!(answer.status == 401 || is_reference(), "{answer}");
}

async fn several_devices_are_removed_at_once(server: Homeserver) {
    let alice = server.register("alice").await;
    let mut gone = Vec::new();
    for _ in 0..3 {
        gone.push(server.login(alice.user_id()).await);
    }
    let devices: Vec<_> = gone.iter().map(Client::device_id).collect();
    let asked = alice.post("/delete_devices", &json!({ "devices": devices })).await;
    assert_eq!(asked.status, 401, "{asked}");
    let body = json!({ "devices": devices, "auth": proof(&server, &alice) });
    alice.post("/delete_devices", &body).await.ok();
    for client in &gone {
        client.get("/account/whoami").await.err(401, "M_UNKNOWN_TOKEN");
    }
    assert_eq!(list(&alice.get("/devices").await.ok()["devices"]).len(), 1);
    for body in [json!({}), json!({ "devices": "X" }), json!({ "devices": [1] })] {
        let answer = alice.post("/delete_devices", &body).await;
        assert!(answer.status < 500, "{answer}");
    }
}

async fn devices_of_others_cannot_be_touched(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let path = format!("/devices/{}", enc(alice.device_id()));
    bob.get(&path).await.err(404, "M_NOT_FOUND");
    bob.put(&path, &json!({ "display_name": "mine now" })).await.err(404, "M_NOT_FOUND");
    let body = json!({ "auth": proof(&server, &bob) });
    bob.request(Method::DELETE, &path, Some(&body)).await;
    let body = json!({ "devices": [alice.device_id()], "auth": proof(&server, &bob) });
    bob.post("/delete_devices", &body).await;
    alice.get("/account/whoami").await.ok();
}
