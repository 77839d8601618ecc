//! What happens to polls when their session ends: within a second they end too, and nothing that
//! came after the cut is in their answer.

use std::time::{Duration, Instant};

use harness::{Client, Homeserver, Response, both_databases, enc, full_tier};
use serde_json::json;

use crate::client::support::{is_reference, text};

both_databases!(
    the_poll_of_a_device_that_logged_out_ends_at_once,
    all_polls_end_when_all_sessions_end,
    a_deleted_device_polls_no_more,
    a_changed_password_ends_the_polls_of_the_other_devices_only,
    no_event_after_the_cut_is_in_any_answer,
);

/// The promise is a second; machines that are busy with other tests get more.
fn at_once() -> Duration {
    Duration::from_secs(if full_tier() { 1 } else { 5 })
}

fn poll(client: &Client, since: &str) -> tokio::task::JoinHandle<Response> {
    let (client, path) = (client.clone(), format!("/sync?timeout=30000&since={}", enc(since)));
    tokio::spawn(async move { client.get(&path).await })
}

async fn waiting(client: &Client) -> tokio::task::JoinHandle<Response> {
    let since = client.now().await;
    let poll = poll(client, &since);
    tokio::time::sleep(Duration::from_millis(300)).await;
    poll
}

async fn ends_at_once(poll: tokio::task::JoinHandle<Response>, cut: Instant) {
    let answer = poll.await.unwrap();
    answer.err(401, "M_UNKNOWN_TOKEN");
    assert!(cut.elapsed() < at_once(), "after {:?}", cut.elapsed());
}

async fn the_poll_of_a_device_that_logged_out_ends_at_once(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let poll = waiting(&alice).await;
    let cut = Instant::now();
    alice.post("/logout", &json!({})).await.ok();
    ends_at_once(poll, cut).await;
}

async fn all_polls_end_when_all_sessions_end(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let device = server.login(alice.user_id()).await;
    let polls = [waiting(&alice).await, waiting(&device).await];
    let cut = Instant::now();
    device.post("/logout/all", &json!({})).await.ok();
    for poll in polls {
        ends_at_once(poll, cut).await;
    }
}

async fn a_deleted_device_polls_no_more(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let device = server.login(alice.user_id()).await;
    let ended = waiting(&device).await;
    let cut = Instant::now();
    let auth = json!({
        "type": "m.login.password", "password": server.password(),
        "identifier": { "type": "m.id.user", "user": alice.user_id() },
    });
    let path = format!("/devices/{}", enc(device.device_id()));
    let delete = reqwest::Method::DELETE;
    alice.request(delete, &path, Some(&json!({ "auth": auth }))).await.ok();
    ends_at_once(ended, cut).await;
}

async fn a_changed_password_ends_the_polls_of_the_other_devices_only(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let other = server.login(alice.user_id()).await;
    let ended = waiting(&other).await;
    let stays = waiting(&alice).await;
    let auth = json!({
        "type": "m.login.password", "password": server.password(),
        "identifier": { "type": "m.id.user", "user": alice.user_id() },
    });
    let cut = Instant::now();
    alice
        .post("/account/password", &json!({ "auth": auth, "new_password": "a quite different one" }))
        .await
        .ok();
    ends_at_once(ended, cut).await;
    let room = alice.create_room(json!({})).await;
    let answer = stays.await.unwrap().ok();
    // Whichever comes first: the room, what belongs to it, or that the other device is gone.
    let told = ["account_data", "device_lists"].iter().any(|section| answer.get(section).is_some());
    assert!(answer["rooms"]["join"].get(&room).is_some() || told, "{answer}");
}

async fn no_event_after_the_cut_is_in_any_answer(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    for round in 0..10 {
        let device = server.login(bob.user_id()).await;
        let since = device.now().await;
        let poll = poll(&device, &since);
        let (token, path) = (device.token().to_owned(), format!("/sync?timeout=0&since={}", enc(&since)));
        let reader = tokio::spawn({
            let device = device.clone();
            async move {
                let mut answers = Vec::new();
                for _ in 0..10 {
                    answers.push(device.get(&path).await);
                }
                answers
            }
        });
        device.post("/logout", &json!({})).await.ok();
        alice.text(&room, &format!("AFTER {round}")).await;
        let mut answers = reader.await.unwrap();
        if !is_reference() {
            answers.push(poll.await.unwrap());
        }
        for answer in answers {
            let said = text(&json!(answer.json.to_string()));
            assert!(!said.contains(&format!("AFTER {round}")), "{token}: {answer}");
        }
    }
}
