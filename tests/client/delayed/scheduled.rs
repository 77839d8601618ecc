//! Events that wait for their time.

use std::time::{Duration, Instant};

use harness::{Db, Homeserver, Server, both_databases, enc, on_each_database};
use serde_json::json;

use super::{BASE, KIND, arrive, arrived, delay, delay_state, manage, name, one};
use crate::client::support::{in_room, list};

both_databases!(
    delayed_events_are_announced,
    a_delayed_message_comes_when_its_time_has_come,
    delayed_state_is_set_when_its_time_has_come,
    delayed_events_come_in_the_order_of_their_times,
    the_endpoint_of_its_own_delays_messages_and_state,
    a_repeated_request_delays_one_event,
    a_delayed_redaction_redacts,
    whoever_may_not_send_when_the_time_has_come_does_not,
    state_that_somebody_else_set_meanwhile_stays,
    times_that_cannot_be_waited_are_refused,
    nobody_delays_more_events_than_allowed,
);

on_each_database!(
    delayed_events_survive_a_restart,
    several_processes_send_an_event_once,
    none_are_announced_where_none_are_allowed
);

async fn delayed_events_are_announced(server: Homeserver) {
    let alice = server.register("alice").await;
    let versions = alice.get("/_matrix/client/versions").await.ok();
    assert_eq!(versions["unstable_features"]["org.matrix.msc4140"], true, "{versions}");
    let capabilities = alice.get("/capabilities").await.ok();
    let limits = &capabilities["capabilities"]["org.matrix.msc4140.delayed_events"];
    assert!(
        limits["max_delay_ms"].as_i64() > Some(0) && limits["max_scheduled"].as_i64() > Some(0),
        "{limits}"
    );
}

async fn a_delayed_message_comes_when_its_time_has_come(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let mut since = bob.now().await;
    let started = Instant::now();
    let id = name(delay(&alice, &room, "a", 700).await);
    assert!(arrived(&bob, &room).await.is_empty());
    let told = bob
        .sync_until(&mut since, |answer| {
            let events = list(&answer["rooms"]["join"][&room]["timeline"]["events"]);
            events.into_iter().find(|event| event["type"] == KIND)
        })
        .await;
    assert!(started.elapsed() >= Duration::from_millis(700), "it came too early");
    assert_eq!(told["sender"], alice.user_id());
    assert_eq!(told["content"], json!({ "body": "a" }));
    let settled = one(&alice, &id).await.ok();
    assert_eq!(settled["finalised"]["event_id"], told["event_id"], "{settled}");
    assert_eq!(arrived(&bob, &room).await.len(), 1);
}

async fn delayed_state_is_set_when_its_time_has_come(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    name(delay_state(&alice, &room, "left", 300, &json!({ "x": 1 })).await);
    alice.state(&room, KIND, "left").await.err(404, "M_NOT_FOUND");
    arrive(&alice, &room, 1).await;
    assert_eq!(alice.state(&room, KIND, "left").await.ok(), json!({ "x": 1 }));
    // What the state says already need not be said again.
    let id = name(delay_state(&alice, &room, "left", 60_000, &json!({ "x": 1 })).await);
    manage(&alice, &id, "send").await.ok();
    assert_eq!(arrived(&alice, &room).await.len(), 1);
    assert!(one(&alice, &id).await.ok()["finalised"]["event_id"].is_string());
}

async fn delayed_events_come_in_the_order_of_their_times(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    for (txn, after) in [("third", 900), ("first", 300), ("second", 600)] {
        name(delay(&alice, &room, txn, after).await);
    }
    let bodies: Vec<_> =
        arrive(&alice, &room, 3).await.iter().map(|content| content["body"].clone()).collect();
    assert_eq!(bodies, ["first", "second", "third"]);
}

async fn the_endpoint_of_its_own_delays_messages_and_state(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let path = |txn: &str| format!("{BASE}/rooms/{}/delayed_event/{KIND}/{txn}", enc(&room));
    let message = json!({ "delay": 60_000, "content": { "body": "a" } });
    let state = json!({ "delay_ms": 60_000, "state_key": "k", "content": { "body": "b" } });
    let message = name(alice.put(&path("a"), &message).await);
    let state = name(alice.put(&path("b"), &state).await);
    assert!(one(&alice, &message).await.ok().get("state_key").is_none());
    let told = one(&alice, &state).await.ok();
    assert_eq!(told["state_key"], "k", "{told}");
    assert_eq!((&told["delay"], &told["delay_ms"]), (&json!(60_000), &json!(60_000)), "{told}");
    manage(&alice, &state, "send").await.ok();
    assert_eq!(alice.state(&room, KIND, "k").await.ok(), json!({ "body": "b" }));
    assert_eq!(alice.put(&path("c"), &json!({ "content": {} })).await.refused(), "M_BAD_JSON");
}

async fn a_repeated_request_delays_one_event(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let first = name(delay(&alice, &room, "t", 60_000).await);
    assert_eq!(name(delay(&alice, &room, "t", 60_000).await), first);
    assert_ne!(name(delay(&alice, &room, "u", 60_000).await), first);
    // Another device means another request.
    let phone = server.login(alice.user_id()).await;
    assert_ne!(name(delay(&phone, &room, "t", 60_000).await), first);
}

async fn a_delayed_redaction_redacts(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let message = alice.text(&room, "for a moment").await;
    let path = format!("{BASE}/rooms/{}/delayed_event/m.room.redaction/t", enc(&room));
    let id = name(alice.put(&path, &json!({ "delay": 200, "content": { "redacts": message } })).await);
    let end = Instant::now() + Duration::from_secs(30);
    while one(&alice, &id).await.ok().get("finalised").is_none() {
        assert!(Instant::now() < end);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(alice.event(&room, &message).await.ok()["content"], json!({}));
}

async fn whoever_may_not_send_when_the_time_has_come_does_not(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let id = name(delay(&bob, &room, "t", 300).await);
    alice.kick(&room, &bob).await;
    let end = Instant::now() + Duration::from_secs(30);
    let settled = loop {
        let told = one(&bob, &id).await.ok();
        if told.get("finalised").is_some() {
            break told;
        }
        assert!(Instant::now() < end);
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(settled["finalised"]["error"]["errcode"], "M_FORBIDDEN", "{settled}");
    assert!(settled["finalised"].get("event_id").is_none(), "{settled}");
    assert!(arrived(&alice, &room).await.is_empty());
}

async fn state_that_somebody_else_set_meanwhile_stays(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let powers = json!({ "users": { alice.user_id(): 100, bob.user_id(): 100 } });
    // Creators of newer rooms have power without being named.
    let powers =
        if alice.state(&room, "m.room.power_levels", "").await.ok()["users"].get(alice.user_id()).is_some() {
            powers
        } else {
            json!({ "users": { bob.user_id(): 100 } })
        };
    alice.set_state(&room, "m.room.power_levels", "", &powers).await;
    let id = name(delay_state(&alice, &room, "k", 60_000, &json!({ "by": "alice" })).await);
    tokio::time::sleep(Duration::from_millis(5)).await;
    bob.set_state(&room, KIND, "k", &json!({ "by": "bob" })).await;
    manage(&alice, &id, "send").await.ok();
    assert_eq!(alice.state(&room, KIND, "k").await.ok(), json!({ "by": "bob" }));
    // One's own newer state does not matter: that is how calls are joined again.
    let id = name(delay_state(&bob, &room, "k", 60_000, &json!({ "by": "nobody" })).await);
    bob.set_state(&room, KIND, "k", &json!({ "by": "bob", "again": true })).await;
    manage(&bob, &id, "send").await.ok();
    assert_eq!(alice.state(&room, KIND, "k").await.ok(), json!({ "by": "nobody" }));
}

async fn times_that_cannot_be_waited_are_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    for bad in [0, -5] {
        delay(&alice, &room, "t", bad).await.err(400, "M_INVALID_PARAM");
    }
    let answer = delay(&alice, &room, "t", i64::MAX).await.err(400, "M_UNKNOWN");
    assert_eq!(answer["org.matrix.msc4140.errcode"], "M_MAX_DELAY_EXCEEDED", "{answer}");
    assert_eq!(answer["org.matrix.msc4140.max_delay"], 86_400_000, "{answer}");
    let tied = in_room(&room, &format!("send/{KIND}/t?org.matrix.msc4140.parent_delay_id=x"));
    alice.put(&tied, &json!({})).await.err(400, "M_INVALID_PARAM");
    let odd = in_room(&room, &format!("send/{KIND}/t?org.matrix.msc4140.delay=soon"));
    alice.put(&odd, &json!({})).await.err(400, "M_INVALID_PARAM");
    assert!(arrived(&alice, &room).await.is_empty());
}

async fn nobody_delays_more_events_than_allowed(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    for number in 0..100 {
        name(delay(&alice, &room, &number.to_string(), 60_000).await);
    }
    let refused = delay(&alice, &room, "one more", 60_000).await;
    assert!(refused.header("retry-after").is_some(), "{refused}");
    refused.err(429, "M_LIMIT_EXCEEDED");
    let listed = alice.get(&format!("{BASE}/delayed_events")).await.ok();
    let first = listed["delayed_events"][0]["delay_id"].as_str().unwrap_or_default().to_owned();
    manage(&alice, &first, "cancel").await.ok();
    name(delay(&alice, &room, "one more", 60_000).await);
}

async fn delayed_events_survive_a_restart(db: Db) {
    let mut own = Server::start(db);
    let alice = own.homeserver().register("alice").await;
    let room = alice.create_room(json!({})).await;
    let soon = name(delay(&alice, &room, "soon", 400).await);
    let late = name(delay(&alice, &room, "late", 60_000).await);
    own.restart();
    let alice = own.homeserver().client_like(&alice);
    let events = arrive(&alice, &room, 1).await;
    assert_eq!(events, [json!({ "body": "soon" })]);
    assert!(one(&alice, &soon).await.ok()["finalised"]["event_id"].is_string());
    let waiting = one(&alice, &late).await.ok();
    assert!(waiting.get("finalised").is_none(), "{waiting}");
    manage(&alice, &late, "send").await.ok();
    assert_eq!(arrived(&alice, &room).await.len(), 2);
}

async fn several_processes_send_an_event_once(db: Db) {
    // One process at a time serves from SQLite.
    if db == Db::Sqlite {
        return;
    }
    let first = Server::start(db);
    let second = first.peer("second");
    let alice = first.homeserver().register("alice").await;
    let there = second.homeserver().client_like(&alice);
    let room = alice.create_room(json!({})).await;
    for number in 0..10 {
        let client = if number % 2 == 0 { &alice } else { &there };
        name(delay(client, &room, &number.to_string(), 300 + number * 20).await);
    }
    arrive(&alice, &room, 10).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(arrived(&there, &room).await.len(), 10);
}

async fn none_are_announced_where_none_are_allowed(db: Db) {
    let server = Server::start_with(db, &[("delayed_events.per_user", 0.into())]);
    let alice = server.homeserver().register("alice").await;
    let room = alice.create_room(json!({})).await;
    let versions = alice.get("/_matrix/client/versions").await.ok();
    assert_eq!(versions["unstable_features"]["org.matrix.msc4140"], false, "{versions}");
    delay(&alice, &room, "t", 100).await.err(403, "M_FORBIDDEN");
    assert!(arrived(&alice, &room).await.is_empty());
}
