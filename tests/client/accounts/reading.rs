//! Receipts, read markers and typing: who may send them and in which form.

use harness::{Homeserver, both_databases, enc};
use serde_json::json;

use crate::client::support::{in_room, is_reference};

both_databases!(
    receipts_are_for_members_and_real_events,
    read_markers_take_any_of_the_three,
    typing_is_for_members,
);

async fn receipts_are_for_members_and_real_events(server: Homeserver) {
    let alice = server.register("alice").await;
    let stranger = server.register("stranger").await;
    let room = alice.create_room(json!({})).await;
    let event = alice.text(&room, "x").await;
    let path = |kind: &str, event: &str| in_room(&room, &format!("receipt/{}/{}", enc(kind), enc(event)));
    for kind in ["m.read", "m.read.private", "m.fully_read"] {
        alice.post(&path(kind, &event), &json!({})).await.ok();
    }
    let without_body = alice.request(reqwest::Method::POST, &path("m.read", &event), None).await;
    assert!(without_body.status == 200 || is_reference(), "{without_body}");
    alice.post(&path("m.unheard_of", &event), &json!({})).await.refused();
    if !is_reference() {
        stranger.post(&path("m.read", &event), &json!({})).await.err(403, "M_FORBIDDEN");
        alice.post(&path("m.read", "$nothing"), &json!({})).await.refused();
        alice.post(&path("m.read", "nothing"), &json!({})).await.refused();
        let elsewhere = stranger.create_room(json!({})).await;
        let theirs = stranger.text(&elsewhere, "x").await;
        alice.post(&path("m.read", &theirs), &json!({})).await.refused();
    }
}

async fn read_markers_take_any_of_the_three(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let event = alice.text(&room, "x").await;
    let path = in_room(&room, "read_markers");
    for body in [
        json!({}),
        json!({ "m.fully_read": event }),
        json!({ "m.read": event }),
        json!({ "m.read.private": event }),
        json!({ "m.fully_read": event, "m.read": event, "m.read.private": event }),
    ] {
        alice.post(&path, &body).await.ok();
    }
    let marker = format!("/user/{}/rooms/{}/account_data/m.fully_read", enc(alice.user_id()), enc(&room));
    assert_eq!(alice.get(&marker).await.ok()["event_id"], event);
    if !is_reference() {
        alice.post(&path, &json!({ "m.read": 5 })).await.refused();
        alice.post(&path, &json!({ "m.fully_read": "nothing" })).await.refused();
    }
}

async fn typing_is_for_members(server: Homeserver) {
    let alice = server.register("alice").await;
    let stranger = server.register("stranger").await;
    let room = alice.create_room(json!({})).await;
    let path = |user: &str| in_room(&room, &format!("typing/{}", enc(user)));
    stranger
        .put(&path(stranger.user_id()), &json!({ "typing": true, "timeout": 1_000 }))
        .await
        .err(403, "M_FORBIDDEN");
    alice.put(&path(stranger.user_id()), &json!({ "typing": true, "timeout": 1_000 })).await.refused();
    for body in [json!({}), json!({ "typing": "yes" }), json!([])] {
        let answer = alice.put(&path(alice.user_id()), &body).await;
        assert!((400..500).contains(&answer.status) || is_reference(), "{answer}");
    }
    for timeout in [json!(null), json!(0), json!(100_000_000_000_i64)] {
        let answer = alice.put(&path(alice.user_id()), &json!({ "typing": true, "timeout": timeout })).await;
        assert!(answer.status < 500 || is_reference(), "{answer}");
    }
}
