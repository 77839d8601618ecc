//! Refresh tokens.

use harness::{Client, Homeserver, both_databases};
use serde_json::{Value, json};

use crate::client::support::{is_reference, text};

both_databases!(
    a_refresh_token_gives_the_next_pair,
    a_used_refresh_token_is_refused_once_its_successor_was_used,
    a_lost_answer_can_be_asked_for_again,
    without_asking_there_is_no_refresh_token,
    logging_out_ends_the_refresh_token,
    forged_refresh_tokens_are_refused,
);

async fn login(server: &Homeserver, user: &Client) -> Value {
    let body = json!({
        "type": "m.login.password", "password": server.password(), "refresh_token": true,
        "identifier": { "type": "m.id.user", "user": user.user_id() },
    });
    server.anonymous().post("/login", &body).await.ok()
}

async fn refresh(server: &Homeserver, token: &str) -> harness::Response {
    server.anonymous().post("/refresh", &json!({ "refresh_token": token })).await
}

async fn works(server: &Homeserver, token: &str) -> harness::Response {
    server.request(reqwest::Method::GET, "/account/whoami", Some(token), None).await
}

async fn a_refresh_token_gives_the_next_pair(server: Homeserver) {
    let alice = server.register("alice").await;
    let first = login(&server, &alice).await;
    assert!(first["expires_in_ms"].as_i64().is_some_and(|life| life > 0), "{first}");
    let next = refresh(&server, &text(&first["refresh_token"])).await.ok();
    assert_ne!(next["access_token"], first["access_token"]);
    assert_ne!(next["refresh_token"], first["refresh_token"]);
    let who = works(&server, &text(&next["access_token"])).await.ok();
    assert_eq!((&who["user_id"], &who["device_id"]), (&first["user_id"], &first["device_id"]));
    let third = refresh(&server, &text(&next["refresh_token"])).await.ok();
    works(&server, &text(&third["access_token"])).await.ok();
}

async fn a_used_refresh_token_is_refused_once_its_successor_was_used(server: Homeserver) {
    let alice = server.register("alice").await;
    let first = login(&server, &alice).await;
    let next = refresh(&server, &text(&first["refresh_token"])).await.ok();
    works(&server, &text(&next["access_token"])).await.ok();
    // Whoever shows the old one now has stolen it.
    let stolen = refresh(&server, &text(&first["refresh_token"])).await;
    if is_reference() {
        assert!((400..500).contains(&stolen.status), "{stolen}");
    } else {
        stolen.err(401, "M_UNKNOWN_TOKEN");
    }
}

async fn a_lost_answer_can_be_asked_for_again(server: Homeserver) {
    let alice = server.register("alice").await;
    let first = login(&server, &alice).await;
    let token = text(&first["refresh_token"]);
    refresh(&server, &token).await.ok();
    let again = refresh(&server, &token).await.ok();
    works(&server, &text(&again["access_token"])).await.ok();
    let next = refresh(&server, &text(&again["refresh_token"])).await.ok();
    works(&server, &text(&next["access_token"])).await.ok();
}

async fn without_asking_there_is_no_refresh_token(server: Homeserver) {
    let alice = server.register("alice").await;
    let body = json!({
        "type": "m.login.password", "password": server.password(),
        "identifier": { "type": "m.id.user", "user": alice.user_id() },
    });
    let answer = server.anonymous().post("/login", &body).await.ok();
    assert!(answer.get("refresh_token").is_none() && answer.get("expires_in_ms").is_none(), "{answer}");
}

async fn logging_out_ends_the_refresh_token(server: Homeserver) {
    let alice = server.register("alice").await;
    let first = login(&server, &alice).await;
    let token = text(&first["access_token"]);
    server.request(reqwest::Method::POST, "/logout", Some(&token), Some(&json!({}))).await.ok();
    refresh(&server, &text(&first["refresh_token"])).await.refused();
}

async fn forged_refresh_tokens_are_refused(server: Homeserver) {
    for token in ["x", "", "🐢", &"x".repeat(5_000)] {
        let answer = refresh(&server, token).await;
        if is_reference() {
            assert!((400..500).contains(&answer.status), "{answer}");
        } else {
            answer.err(401, "M_UNKNOWN_TOKEN");
        }
    }
    for body in [json!({}), json!({ "refresh_token": 5 }), json!([])] {
        server.anonymous().post("/refresh", &body).await.refused();
    }
}
