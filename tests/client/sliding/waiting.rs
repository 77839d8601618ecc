//! Long polls of sliding sync.

use std::time::{Duration, Instant};

use harness::{Homeserver, both_databases, enc};
use serde_json::{Value, json};

use super::{Slider, list, rooms, sorted};
use crate::client::support::{ids, in_room};

both_databases!(
    without_news_a_poll_waits_as_long_as_asked,
    a_waiting_poll_wakes_at_once,
    what_is_out_of_reach_wakes_nobody,
    a_first_request_never_waits,
    an_ended_session_ends_its_poll,
);

fn poll(
    slider: &Slider,
    body: &Value,
    timeout_ms: u32,
) -> tokio::task::JoinHandle<(Slider, Value, Duration)> {
    let (mut slider, body) = (slider.clone(), body.clone());
    tokio::spawn(async move {
        let begun = Instant::now();
        let answer = slider.wait(&body, timeout_ms).await;
        (slider, answer, begun.elapsed())
    })
}

/// Waits until the server has the poll: it answers requests of the same client in the meantime.
async fn settle(slider: &Slider) {
    slider.client.get("/account/whoami").await.ok();
    tokio::time::sleep(Duration::from_millis(200)).await;
}

fn everything() -> Value {
    let mut body = list([0, 99], 5, json!([]));
    body["extensions"] = json!({ "account_data": { "enabled": true }, "receipts": { "enabled": true },
        "typing": { "enabled": true }, "to_device": { "enabled": true }, "e2ee": { "enabled": true } });
    body
}

async fn without_news_a_poll_waits_as_long_as_asked(server: Homeserver) {
    let alice = server.register("alice").await;
    alice.create_room(json!({})).await;
    let mut slider = Slider::new(&alice);
    slider.slide(&everything()).await;
    let (after, answer, took) = poll(&slider, &everything(), 700).await.unwrap();
    assert!(took >= Duration::from_millis(650) && rooms(&answer).is_empty(), "{took:?} {answer}");
    let (_, _, took) = poll(&after, &everything(), 0).await.unwrap();
    assert!(took < Duration::from_millis(600), "{took:?}");
}

async fn a_waiting_poll_wakes_at_once(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let other = alice.create_room(json!({})).await;
    let event = alice.text(&room, "x").await;
    let data = format!("/user/{}/account_data/dev.kontor.test", enc(bob.user_id()));
    let tag = format!("/user/{}/rooms/{}/tags/u.x", enc(bob.user_id()), enc(&room));
    let typing = in_room(&room, &format!("typing/{}", enc(alice.user_id())));
    let receipt = in_room(&room, &format!("receipt/m.read/{}", enc(&event)));
    let mut slider = Slider::new(&bob);
    slider.slide(&everything()).await;
    for what in ["message", "receipt", "typing", "invite", "account data", "tag", "own receipt"] {
        slider.slide(&everything()).await;
        let polling = poll(&slider, &everything(), 20_000);
        settle(&slider).await;
        let begun = Instant::now();
        match what {
            "message" => drop(alice.text(&room, "wake up").await),
            "receipt" => drop(alice.post(&receipt, &json!({})).await.ok()),
            "typing" => drop(alice.put(&typing, &json!({ "typing": true, "timeout": 60_000 })).await.ok()),
            "invite" => alice.invite(&other, &bob).await,
            "account data" => drop(bob.put(&data, &json!({ "n": 1 })).await.ok()),
            "tag" => drop(bob.put(&tag, &json!({})).await.ok()),
            _ => drop(bob.post(&receipt, &json!({})).await.ok()),
        }
        let (after, answer, _) = polling.await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(5), "{what} took {:?}", begun.elapsed());
        let news = match what {
            "message" => !ids(&answer["rooms"][&room]["timeline"]).is_empty(),
            "receipt" => answer["extensions"]["receipts"]["rooms"][&room].is_object(),
            "typing" => answer["extensions"]["typing"]["rooms"][&room].is_object(),
            "invite" => answer["rooms"][&other]["invite_state"].is_array(),
            "account data" => answer["extensions"]["account_data"]["global"][0]["content"]["n"] == 1,
            "tag" => answer["extensions"]["account_data"]["rooms"][&room][0]["type"] == "m.tag",
            _ => answer["rooms"][&room]["notification_count"].is_i64(),
        };
        assert!(news, "{what}: {answer}");
        slider = after;
    }
}

async fn what_is_out_of_reach_wakes_nobody(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let left = alice.room_with(&[&bob]).await;
    bob.leave(&left).await;
    let mine = bob.create_room(json!({})).await;
    let mut slider = Slider::new(&bob);
    slider.slide(&everything()).await;
    let polling = poll(&slider, &everything(), 1_500);
    settle(&slider).await;
    alice.text(&left, "not for bob").await;
    let (mut after, answer, took) = polling.await.unwrap();
    assert!(took >= Duration::from_millis(1_400), "woken after {took:?} by {answer}");
    bob.text(&mine, "x").await;
    assert_eq!(rooms(&after.slide(&everything()).await), sorted(&[&mine]));
}

async fn a_first_request_never_waits(server: Homeserver) {
    let alice = server.register("alice").await;
    let begun = Instant::now();
    Slider::new(&alice).wait(&everything(), 30_000).await;
    assert!(begun.elapsed() < Duration::from_secs(10));
}

async fn an_ended_session_ends_its_poll(server: Homeserver) {
    let alice = server.register("alice").await;
    alice.create_room(json!({})).await;
    let mut slider = Slider::new(&alice);
    slider.slide(&everything()).await;
    let polling = {
        let slider = slider.clone();
        tokio::spawn(async move { slider.ask(&everything(), 20_000).await })
    };
    settle(&slider).await;
    let begun = Instant::now();
    alice.post("/logout", &json!({})).await.ok();
    let answer = polling.await.unwrap();
    assert_eq!((answer.status, answer.json["errcode"].clone()), (401, json!("M_UNKNOWN_TOKEN")));
    assert!(begun.elapsed() < Duration::from_secs(5));
}
