//! Who is online.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use harness::{Client, Db, Homeserver, Server, both_databases, enc, on_each_database};
use serde_json::{Value, json};

use crate::client::support::{is_reference, list, sync_with};

both_databases!(without_presence_everybody_is_offline_and_nothing_happens);

on_each_database!(
    those_who_share_a_room_see_who_is_online,
    strangers_see_nothing,
    no_poll_ends_for_presence_alone,
    a_client_may_hide_or_say_something,
    filters_leave_presence_out,
    presence_of_others_cannot_be_set,
);

/// The long-lived server of that database that tells who is online.
fn server(db: Db) -> Homeserver {
    static SQLITE: OnceLock<Server> = OnceLock::new();
    static POSTGRES: OnceLock<Server> = OnceLock::new();
    let start = || Server::start_with(db, &[("presence.enabled", true.into())]);
    let server = match db {
        Db::Sqlite => SQLITE.get_or_init(start),
        Db::Postgres => POSTGRES.get_or_init(start),
    };
    server.homeserver()
}

fn path(user: &str) -> String {
    format!("/presence/{}/status", enc(user))
}

/// What a sync says of somebody's presence, newest first.
fn told(sync: &Value, of: &Client) -> Option<Value> {
    let events = list(&sync["presence"]["events"]);
    let mine = events.into_iter().filter(|event| event["sender"] == of.user_id());
    mine.map(|event| event["content"].clone()).next_back()
}

async fn without_presence_everybody_is_offline_and_nothing_happens(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    bob.room_with(&[&anna]).await;
    anna.put(&path(anna.user_id()), &json!({ "presence": "online", "status_msg": "here" })).await.ok();
    assert_eq!(bob.get(&path(anna.user_id())).await.ok(), json!({ "presence": "offline" }));
    let sync = bob.sync(None, 0).await;
    assert!(sync.get("presence").is_none(), "{sync}");
    anna.put(&path(anna.user_id()), &json!({ "presence": "busy" })).await.refused();
}

async fn those_who_share_a_room_see_who_is_online(db: Db) {
    let server = server(db);
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    bob.room_with(&[&anna]).await;
    let since = bob.now().await;
    anna.sync(None, 0).await;
    let seen = bob.get(&path(anna.user_id())).await.ok();
    assert_eq!(seen["presence"], "online", "{seen}");
    assert!(seen["last_active_ago"].as_i64().is_some_and(|ago| ago < 60_000), "{seen}");
    let news = bob.sync(Some(&since), 0).await;
    assert_eq!(told(&news, &anna).unwrap_or_default()["presence"], "online", "{news}");
    let next = news["next_batch"].as_str().unwrap();
    let again = bob.sync(Some(next), 0).await;
    assert!(told(&again, &anna).is_none(), "told twice: {again}");
    let first = bob.sync(None, 0).await;
    assert_eq!(told(&first, &anna).unwrap_or_default()["presence"], "online", "{first}");
}

async fn strangers_see_nothing(db: Db) {
    let server = server(db);
    let (anna, eve) = (server.register("anna").await, server.register("eve").await);
    anna.sync(None, 0).await;
    anna.put(&path(anna.user_id()), &json!({ "presence": "online", "status_msg": "secret" })).await.ok();
    eve.get(&path(anna.user_id())).await.err(403, "M_FORBIDDEN");
    eve.get(&path("@nobody-at-all:localhost")).await.err(403, "M_FORBIDDEN");
    let sync = eve.sync(None, 0).await;
    assert!(told(&sync, &anna).is_none(), "{sync}");
    server.anonymous().get(&path(anna.user_id())).await.err(401, "M_MISSING_TOKEN");
}

async fn no_poll_ends_for_presence_alone(db: Db) {
    let server = server(db);
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let room = bob.room_with(&[&anna]).await;
    let since = bob.now().await;
    let began = Instant::now();
    let poll = bob.clone();
    let path_of_poll = format!("/sync?timeout=3000&since={}", enc(&since));
    let poll = tokio::spawn(async move { poll.get(&path_of_poll).await.ok() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    anna.put(&path(anna.user_id()), &json!({ "presence": "unavailable", "status_msg": "lunch" })).await.ok();
    let answer = poll.await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(2_900), "it ended after {:?}", began.elapsed());
    assert_eq!(told(&answer, &anna).unwrap_or_default()["status_msg"], "lunch", "{answer}");
    assert!(answer["rooms"]["join"].get(&room).is_none(), "{answer}");
}

async fn a_client_may_hide_or_say_something(db: Db) {
    let server = server(db);
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    bob.room_with(&[&anna]).await;
    anna.get("/sync?timeout=0&set_presence=offline").await.ok();
    assert_eq!(bob.get(&path(anna.user_id())).await.ok()["presence"], "offline");
    anna.get("/sync?timeout=0&set_presence=unavailable").await.ok();
    assert_eq!(bob.get(&path(anna.user_id())).await.ok()["presence"], "unavailable");
    anna.put(&path(anna.user_id()), &json!({ "presence": "online", "status_msg": "back" })).await.ok();
    let seen = bob.get(&path(anna.user_id())).await.ok();
    assert_eq!((&seen["presence"], &seen["status_msg"]), (&json!("online"), &json!("back")));
    anna.get("/sync?timeout=0&set_presence=nonsense").await.refused();
    let long = json!({ "presence": "online", "status_msg": "x".repeat(10_000) });
    anna.put(&path(anna.user_id()), &long).await.refused();
}

async fn filters_leave_presence_out(db: Db) {
    let server = server(db);
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    bob.room_with(&[&anna]).await;
    anna.sync(None, 0).await;
    for filter in [
        json!({ "presence": { "types": [] } }),
        json!({ "presence": { "not_types": ["m.*"] } }),
        json!({ "presence": { "not_senders": [anna.user_id()] } }),
    ] {
        let sync = sync_with(&bob, None, &filter, "").await;
        assert!(told(&sync, &anna).is_none(), "{sync}");
    }
}

async fn presence_of_others_cannot_be_set(db: Db) {
    let server = server(db);
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    bob.room_with(&[&anna]).await;
    bob.put(&path(anna.user_id()), &json!({ "presence": "offline" })).await.err(403, "M_FORBIDDEN");
}
