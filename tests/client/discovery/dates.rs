//! The event that is closest to a date.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::json;

both_databases!(
    the_closest_event_on_either_side_of_a_date_is_found,
    only_events_that_the_reader_may_see_are_found,
    messages_of_ignored_users_are_passed_over,
    strangers_learn_nothing_of_a_room_by_dates,
    a_date_needs_a_number_and_a_direction,
);

fn at(room: &str, ts: i64, dir: &str) -> String {
    format!("/_matrix/client/v1/rooms/{}/timestamp_to_event?ts={ts}&dir={dir}", enc(room))
}

async fn time_of(client: &Client, room: &str, event: &str) -> i64 {
    client.event(room, event).await.ok()["origin_server_ts"].as_i64().expect("a time")
}

/// Two messages whose times differ, and the second one's time.
async fn two_messages(client: &Client, room: &str) -> (String, String, i64) {
    let first = client.text(room, "first").await;
    let before = time_of(client, room, &first).await;
    loop {
        let second = client.text(room, "second").await;
        let ts = time_of(client, room, &second).await;
        if ts > before {
            return (first, second, ts);
        }
        client.redact(room, &second).await;
    }
}

async fn the_closest_event_on_either_side_of_a_date_is_found(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.public_room().await;
    let (_, second, ts) = two_messages(&alice, &room).await;
    let found = alice.get(&at(&room, ts, "f")).await.ok();
    assert_eq!((&found["event_id"], &found["origin_server_ts"]), (&json!(second), &json!(ts)));
    let earlier = alice.get(&at(&room, ts - 1, "b")).await.ok();
    assert_ne!(earlier["event_id"], second);
    assert!(earlier["origin_server_ts"].as_i64() < Some(ts));
    let create = alice.get(&at(&room, 0, "f")).await.ok();
    let event = alice.event(&room, create["event_id"].as_str().unwrap_or_default()).await.ok();
    assert_eq!(event["type"], "m.room.create");
    alice.get(&at(&room, 0, "b")).await.err(404, "M_NOT_FOUND");
    alice.get(&at(&room, i64::MAX, "f")).await.err(404, "M_NOT_FOUND");
    let unstable = at(&room, ts, "f").replace("/v1/", "/unstable/org.matrix.msc3030/");
    assert_eq!(alice.get(&unstable).await.ok()["event_id"], second);
}

async fn only_events_that_the_reader_may_see_are_found(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let joined =
        json!({ "type": "m.room.history_visibility", "content": { "history_visibility": "joined" } });
    let room = alice.create_room(json!({ "preset": "public_chat", "initial_state": [joined] })).await;
    let hidden = alice.text(&room, "before").await;
    let date = time_of(&alice, &room, &hidden).await;
    assert_eq!(alice.get(&at(&room, date, "f")).await.ok()["event_id"], hidden);
    bob.join(&room).await;
    let found = bob.get(&at(&room, date, "f")).await.ok();
    let event = bob.event(&room, found["event_id"].as_str().unwrap_or_default()).await.ok();
    assert_eq!((&event["type"], &event["state_key"]), (&json!("m.room.member"), &json!(bob.user_id())));
    bob.leave(&room).await;
    let after = alice.text(&room, "after").await;
    let found = bob.get(&at(&room, i64::MAX, "b")).await.ok();
    assert_ne!(found["event_id"], after);
    let event = bob.event(&room, found["event_id"].as_str().unwrap_or_default()).await.ok();
    assert_eq!(event["content"]["membership"], "leave");
}

async fn messages_of_ignored_users_are_passed_over(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.room_with(&[&bob]).await;
    let shown = alice.text(&room, "shown").await;
    for number in 0..3 {
        bob.text(&room, &format!("hidden {number}")).await;
    }
    let path = format!("/user/{}/account_data/m.ignored_user_list", enc(alice.user_id()));
    alice.put(&path, &json!({ "ignored_users": { bob.user_id(): {} } })).await.ok();
    assert_eq!(alice.get(&at(&room, i64::MAX, "b")).await.ok()["event_id"], shown);
}

async fn strangers_learn_nothing_of_a_room_by_dates(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({ "preset": "private_chat" })).await;
    let closed = bob.get(&at(&room, 0, "f")).await.err(403, "M_FORBIDDEN");
    let absent = bob.get(&at("!nothing:localhost", 0, "f")).await.err(403, "M_FORBIDDEN");
    assert_eq!(closed, absent);
}

async fn a_date_needs_a_number_and_a_direction(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.public_room().await;
    let path = |query: &str| format!("/_matrix/client/v1/rooms/{}/timestamp_to_event?{query}", enc(&room));
    alice.get(&path("dir=f")).await.err(400, "M_MISSING_PARAM");
    alice.get(&path("ts=1")).await.err(400, "M_MISSING_PARAM");
    alice.get(&path("ts=today&dir=f")).await.err(400, "M_INVALID_PARAM");
    alice.get(&path("ts=1&dir=up")).await.err(400, "M_INVALID_PARAM");
}
