//! Long polls: they wait when there is nothing, and wake at once when there is something.

use std::time::{Duration, Instant};

use harness::{Client, Homeserver, both_databases, enc, timeline};
use serde_json::{Value, json};

use crate::client::support::{in_room, is_reference, text};

both_databases!(
    without_news_a_sync_waits_as_long_as_asked,
    with_news_a_sync_does_not_wait,
    a_waiting_sync_wakes_at_once,
    what_does_not_concern_the_reader_wakes_nobody,
    a_first_sync_never_waits,
    many_waiting_devices_are_all_woken,
);

/// A poll in the background: the answer and how long it took.
fn poll(client: &Client, since: &str, timeout_ms: u32) -> tokio::task::JoinHandle<(Value, Duration)> {
    let (client, since) = (client.clone(), since.to_owned());
    tokio::spawn(async move {
        let begun = Instant::now();
        let answer = client.sync(Some(&since), timeout_ms).await;
        (answer, begun.elapsed())
    })
}

/// Waits until the server has the poll: it answers requests of the same client in the meantime.
async fn settle(client: &Client) {
    client.get("/account/whoami").await.ok();
    tokio::time::sleep(Duration::from_millis(200)).await;
}

async fn without_news_a_sync_waits_as_long_as_asked(server: Homeserver) {
    let alice = server.register("alice").await;
    alice.create_room(json!({})).await;
    let since = alice.now().await;
    let (answer, took) = poll(&alice, &since, 700).await.unwrap();
    assert!(took >= Duration::from_millis(650), "{took:?}");
    assert!(answer["rooms"].as_object().is_none_or(|rooms| rooms.values().all(is_empty)), "{answer}");
    let (_, took) = poll(&alice, &since, 0).await.unwrap();
    assert!(took < Duration::from_millis(600), "{took:?}");
    let begun = Instant::now();
    alice.get(&format!("/sync?since={}", enc(&since))).await.ok();
    assert!(begun.elapsed() < Duration::from_millis(600), "no timeout means no wait");
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_none_or(serde_json::Map::is_empty)
}

async fn with_news_a_sync_does_not_wait(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let since = alice.now().await;
    let event = alice.text(&room, "x").await;
    let (answer, took) = poll(&alice, &since, 20_000).await.unwrap();
    assert_eq!(timeline(&answer, &room)[0]["event_id"], event);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

async fn a_waiting_sync_wakes_at_once(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let other = alice.create_room(json!({})).await;
    let event = alice.text(&room, "x").await;
    let data = format!("/user/{}/account_data/dev.kontor.test", enc(bob.user_id()));
    let typing = in_room(&room, &format!("typing/{}", enc(alice.user_id())));
    let receipt = in_room(&room, &format!("receipt/m.read/{}", enc(&event)));
    for what in ["message", "receipt", "typing", "invite", "account data", "tag"] {
        let since = bob.now().await;
        let polling = poll(&bob, &since, 20_000);
        settle(&bob).await;
        let begun = Instant::now();
        match what {
            "message" => drop(alice.text(&room, "wake up").await),
            "receipt" => drop(alice.post(&receipt, &json!({})).await.ok()),
            "typing" => drop(alice.put(&typing, &json!({ "typing": true, "timeout": 60_000 })).await.ok()),
            "invite" => alice.invite(&other, &bob).await,
            "account data" => drop(bob.put(&data, &json!({ "n": 1 })).await.ok()),
            _ => {
                let tags = format!("/user/{}/rooms/{}/tags/u.x", enc(bob.user_id()), enc(&room));
                bob.put(&tags, &json!({})).await.ok();
            }
        }
        let (answer, _) = polling.await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(5), "{what} took {:?}", begun.elapsed());
        assert_ne!(answer["next_batch"], since, "{what}: {answer}");
        let empty = is_empty(&answer["rooms"]) && is_empty(&answer["account_data"]);
        assert!(!empty, "woken for nothing by {what}: {answer}");
    }
}

async fn what_does_not_concern_the_reader_wakes_nobody(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let mine = bob.create_room(json!({})).await;
    let left = alice.room_with(&[&bob]).await;
    bob.leave(&left).await;
    let since = bob.now().await;
    let polling = poll(&bob, &since, 1_500);
    settle(&bob).await;
    alice.text(&left, "not for bob").await;
    let data = format!("/user/{}/account_data/dev.kontor.test", enc(alice.user_id()));
    alice.put(&data, &json!({})).await.ok();
    let (answer, took) = polling.await.unwrap();
    assert!(took >= Duration::from_millis(1_400), "woken after {took:?} by {answer}");
    let event = bob.text(&mine, "x").await;
    let answer = bob.sync(Some(&text(&answer["next_batch"])), 0).await;
    assert_eq!(timeline(&answer, &mine)[0]["event_id"], event);
}

async fn a_first_sync_never_waits(server: Homeserver) {
    let alice = server.register("alice").await;
    let begun = Instant::now();
    alice.sync(None, 30_000).await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    let since = alice.now().await;
    let path = format!("/sync?full_state=true&timeout=30000&since={}", enc(&since));
    alice.get(&path).await.ok();
    assert!(begun.elapsed() < Duration::from_secs(20));
}

async fn many_waiting_devices_are_all_woken(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let mut polls = Vec::new();
    for _ in 0..20 {
        let device = server.login(bob.user_id()).await;
        let since = device.now().await;
        polls.push((device.clone(), poll(&device, &since, 20_000)));
    }
    settle(&bob).await;
    let event = alice.text(&room, "all of you").await;
    for (device, polling) in polls {
        let (answer, _) = polling.await.unwrap();
        // A device that polled early may have been woken by nothing but this.
        let told = timeline(&answer, &room);
        assert_eq!(
            told.last().map(|seen| text(&seen["event_id"])),
            Some(event.clone()),
            "{}",
            device.device_id()
        );
    }
}
