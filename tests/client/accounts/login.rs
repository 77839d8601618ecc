//! Logging in.

use harness::{Homeserver, both_databases};
use serde_json::{Value, json};

use crate::client::support::{is_reference, list, text};

both_databases!(
    the_flows_name_password_and_token,
    every_way_to_name_oneself_works,
    a_wrong_password_and_an_unknown_user_look_the_same,
    a_login_chooses_its_device,
    a_login_without_a_device_gets_one,
    a_login_token_is_good_once,
    a_login_token_needs_a_proof,
    malformed_logins_are_refused,
    who_one_is_is_told,
    discovery_names_this_server,
);

fn password_login(identifier: Value, password: &str) -> Value {
    json!({ "type": "m.login.password", "identifier": identifier, "password": password })
}

async fn the_flows_name_password_and_token(server: Homeserver) {
    let flows = server.anonymous().get("/login").await.ok();
    let kinds: Vec<_> = list(&flows["flows"]).iter().map(|flow| text(&flow["type"])).collect();
    assert!(kinds.contains(&"m.login.password".to_owned()), "{flows}");
    if !is_reference() {
        let token = list(&flows["flows"]).into_iter().find(|flow| flow["type"] == "m.login.token");
        assert_eq!(token.unwrap()["get_login_token"], true);
    }
}

async fn every_way_to_name_oneself_works(server: Homeserver) {
    let alice = server.register("alice").await;
    let (id, local) = (alice.user_id(), alice.localpart());
    let identifier = |user: &str| json!({ "type": "m.id.user", "user": user });
    for body in [
        password_login(identifier(id), server.password()),
        password_login(identifier(local), server.password()),
        json!({ "type": "m.login.password", "user": local, "password": server.password() }),
        json!({ "type": "m.login.password", "user": id, "password": server.password() }),
    ] {
        for path in ["/login", "/_matrix/client/r0/login"] {
            let answer = server.anonymous().post(path, &body).await.ok();
            assert_eq!(answer["user_id"], id, "{body}");
            assert!(!text(&answer["access_token"]).is_empty() && !text(&answer["device_id"]).is_empty());
        }
    }
    // Capitals in the name are a common slip of phone keyboards.
    let shouted = password_login(identifier(&local.to_uppercase()), server.password());
    server.anonymous().post("/login", &shouted).await.ok();
}

async fn a_wrong_password_and_an_unknown_user_look_the_same(server: Homeserver) {
    let alice = server.register("alice").await;
    let identifier = |user: &str| json!({ "type": "m.id.user", "user": user });
    let wrong = password_login(identifier(alice.localpart()), "wrong");
    let wrong = server.anonymous().post("/login", &wrong).await.err(403, "M_FORBIDDEN");
    for user in ["nobody-has-this-name", "@nobody:localhost", "@nobody:elsewhere.example", "with space", ""] {
        let body = password_login(identifier(user), "wrong");
        let answer = server.anonymous().post("/login", &body).await;
        if !is_reference() {
            assert_eq!(answer.err(403, "M_FORBIDDEN"), wrong, "{user}");
        }
    }
    for identifier in [
        json!({ "type": "m.id.thirdparty", "medium": "email", "address": "a@example.org" }),
        json!({ "type": "m.id.phone", "country": "PL", "phone": "123456789" }),
    ] {
        let answer = server.anonymous().post("/login", &password_login(identifier, "wrong")).await;
        if !is_reference() {
            answer.err(403, "M_FORBIDDEN");
        }
    }
}

async fn a_login_chooses_its_device(server: Homeserver) {
    let alice = server.register("alice").await;
    let mut body = password_login(json!({ "type": "m.id.user", "user": alice.user_id() }), server.password());
    body["device_id"] = json!("MYDEVICE");
    body["initial_device_display_name"] = json!("My phone");
    let first = server.signed_in(server.anonymous().post("/login", &body).await);
    assert_eq!(first.device_id(), "MYDEVICE");
    let device = first.get("/devices/MYDEVICE").await.ok();
    assert_eq!(device["display_name"], "My phone");
    // The same device again: the old token ends.
    let second = server.signed_in(server.anonymous().post("/login", &body).await);
    if !is_reference() {
        first.get("/account/whoami").await.err(401, "M_UNKNOWN_TOKEN");
    }
    assert_eq!(second.get("/account/whoami").await.ok()["device_id"], "MYDEVICE");
    alice.get("/account/whoami").await.ok();
}

async fn a_login_without_a_device_gets_one(server: Homeserver) {
    let alice = server.register("alice").await;
    let (one, two) = (server.login(alice.user_id()).await, server.login(alice.user_id()).await);
    assert_ne!(one.device_id(), two.device_id());
    assert_ne!(one.token(), two.token());
    let devices = list(&alice.get("/devices").await.ok()["devices"]);
    assert_eq!(devices.len(), 3);
}

async fn a_login_token_is_good_once(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let proof = json!({
        "type": "m.login.password", "password": server.password(),
        "identifier": { "type": "m.id.user", "user": alice.user_id() },
    });
    let path = "/_matrix/client/v1/login/get_token";
    let made = alice.post(path, &json!({ "auth": proof })).await.ok();
    assert!(made["expires_in_ms"].as_i64().is_some_and(|life| life > 0), "{made}");
    let login = json!({ "type": "m.login.token", "token": made["login_token"] });
    let phone = server.signed_in(server.anonymous().post("/login", &login).await);
    assert_eq!(phone.user_id(), alice.user_id());
    assert_ne!(phone.device_id(), alice.device_id());
    server.anonymous().post("/login", &login).await.err(403, "M_FORBIDDEN");
    let forged = json!({ "type": "m.login.token", "token": "forged" });
    server.anonymous().post("/login", &forged).await.err(403, "M_FORBIDDEN");
    // Of ten at once, one gets in.
    let made = alice.post(path, &json!({ "auth": proof })).await.ok();
    let login = json!({ "type": "m.login.token", "token": made["login_token"] });
    let anonymous = server.anonymous();
    let tries = futures_util::future::join_all((0..10).map(|_| anonymous.post("/login", &login))).await;
    assert_eq!(tries.iter().filter(|answer| answer.status == 200).count(), 1);
}

async fn a_login_token_needs_a_proof(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let path = "/_matrix/client/v1/login/get_token";
    let asked = alice.post(path, &json!({})).await;
    assert_eq!(asked.status, 401, "{asked}");
    assert_eq!(asked.json["flows"], json!([{ "stages": ["m.login.password"] }]), "{asked}");
    let wrong = json!({
        "type": "m.login.password", "password": "wrong", "session": asked.json["session"],
        "identifier": { "type": "m.id.user", "user": alice.user_id() },
    });
    let answer = alice.post(path, &json!({ "auth": wrong })).await;
    assert_eq!(answer.status, 401, "{answer}");
    assert_eq!(answer.json["errcode"], "M_FORBIDDEN", "{answer}");
}

async fn malformed_logins_are_refused(server: Homeserver) {
    let anonymous = server.anonymous();
    for body in [
        json!({}),
        json!([]),
        json!({ "type": 1 }),
        json!({ "type": "m.login.unheard_of" }),
        json!({ "type": "m.login.password" }),
        json!({ "type": "m.login.password", "identifier": "alice", "password": "x" }),
        json!({ "type": "m.login.password", "identifier": { "type": "m.id.user" }, "password": "x" }),
        json!({ "type": "m.login.password", "identifier": { "type": "m.id.soul", "user": "x" }, "password": "x" }),
        json!({ "type": "m.login.password", "user": "x", "password": 5 }),
        json!({ "type": "m.login.password", "user": "x", "password": "x".repeat(100_000) }),
        json!({ "type": "m.login.token" }),
        json!({ "type": "m.login.token", "token": 5 }),
    ] {
        let answer = anonymous.post("/login", &body).await;
        if !is_reference() {
            answer.refused();
        }
    }
}

async fn who_one_is_is_told(server: Homeserver) {
    let alice = server.register("alice").await;
    let answer = alice.get("/account/whoami").await.ok();
    assert_eq!(answer["user_id"], alice.user_id());
    assert_eq!(answer["device_id"], alice.device_id());
    assert_ne!(answer["is_guest"], true);
    // The deprecated place of the token.
    let path = format!("/account/whoami?access_token={}", alice.token());
    assert_eq!(server.anonymous().get(&path).await.ok()["user_id"], alice.user_id());
}

async fn discovery_names_this_server(server: Homeserver) {
    let anonymous = server.anonymous();
    let versions = anonymous.get("/_matrix/client/versions").await.ok();
    assert!(list(&versions["versions"]).contains(&json!("v1.11")), "{versions}");
    if !is_reference() {
        let known = server.http().get(format!("{}/.well-known/matrix/client", server.base_url()));
        let known = known.send().await.unwrap();
        assert_eq!(known.headers()["access-control-allow-origin"], "*");
        let known: Value = serde_json::from_slice(&known.bytes().await.unwrap()).unwrap();
        let url = text(&known["m.homeserver"]["base_url"]);
        assert_eq!(url.trim_end_matches('/'), server.base_url());
    }
    anonymous.get("/capabilities").await.err(401, "M_MISSING_TOKEN");
}
