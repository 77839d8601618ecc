//! Locked accounts are served nothing and lose nothing.

use std::time::{Duration, Instant};

use harness::{Homeserver, both_databases, enc, full_tier};
use serde_json::json;

use super::{lock, path, suspend};
use crate::client::support::is_reference;

both_databases!(
    open_polls_of_a_locked_account_end_at_once_and_say_so,
    no_event_after_the_lock_is_in_any_answer,
    whoever_is_unlocked_goes_on_where_they_were,
    administrators_moderate_and_are_not_moderated,
    who_exists_is_told_to_administrators_only,
    a_lock_replaces_a_suspension,
);

/// The promise is a second; machines that are busy with other tests get more.
fn at_once() -> Duration {
    Duration::from_secs(if full_tier() { 1 } else { 5 })
}

async fn open_polls_of_a_locked_account_end_at_once_and_say_so(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let anna = server.register("anna").await;
    let since = anna.now().await;
    let (poller, poll_path) = (anna.clone(), format!("/sync?timeout=30000&since={}", enc(&since)));
    let poll = tokio::spawn(async move { poller.get(&poll_path).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let cut = Instant::now();
    lock(&admin, &anna, true).await;
    let told = poll.await.unwrap().err(401, "M_USER_LOCKED");
    assert!(cut.elapsed() < at_once(), "after {:?}", cut.elapsed());
    assert_eq!(told["soft_logout"], true, "the client keeps its keys: {told}");
    let login = json!({
        "type": "m.login.password", "password": server.password(),
        "identifier": { "type": "m.id.user", "user": anna.user_id() },
    });
    server.anonymous().post("/login", &login).await.err(401, "M_USER_LOCKED");
    lock(&admin, &anna, false).await;
}

async fn no_event_after_the_lock_is_in_any_answer(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let room = bob.room_with(&[&anna]).await;
    for round in 0..5 {
        let since = anna.now().await;
        let sync = format!("/sync?timeout=2000&since={}", enc(&since));
        let polls: Vec<_> = (0..4)
            .map(|_| {
                let (anna, sync) = (anna.clone(), sync.clone());
                tokio::spawn(async move { anna.get(&sync).await })
            })
            .collect();
        lock(&admin, &anna, true).await;
        bob.text(&room, &format!("AFTER {round}")).await;
        for poll in polls {
            let answer = poll.await.unwrap();
            assert!(!answer.json.to_string().contains(&format!("AFTER {round}")), "{answer}");
        }
        lock(&admin, &anna, false).await;
    }
}

async fn whoever_is_unlocked_goes_on_where_they_were(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let room = bob.room_with(&[&anna]).await;
    let mut since = anna.now().await;
    lock(&admin, &anna, true).await;
    let missed = bob.text(&room, "while you were away").await;
    anna.get("/joined_rooms").await.err(401, "M_USER_LOCKED");
    lock(&admin, &anna, false).await;
    anna.sync_until_event(&mut since, &room, &missed).await;
}

async fn administrators_moderate_and_are_not_moderated(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (admin, other) = (server.register_admin("admin").await, server.register_admin("other").await);
    let anna = server.register("anna").await;
    for (what, field) in [("lock", "locked"), ("suspend", "suspended")] {
        let on = json!({ field: true });
        let own = path(what, anna.user_id());
        anna.put(&own, &on).await.err(403, "M_FORBIDDEN");
        anna.get(&own).await.err(403, "M_FORBIDDEN");
        for admin_id in [admin.user_id(), other.user_id()] {
            admin.put(&path(what, admin_id), &on).await.err(403, "M_FORBIDDEN");
        }
        admin.get(&path(what, other.user_id())).await.err(403, "M_FORBIDDEN");
        assert_eq!(admin.get(&own).await.ok(), json!({ field: false }));
        assert_eq!(admin.put(&own, &on).await.ok(), on);
        assert_eq!(admin.put(&own, &on).await.ok(), on, "repeated");
        assert_eq!(admin.get(&own).await.ok(), on);
        admin.put(&own, &json!({ field: false })).await.ok();
        admin.put(&own, &json!({ field: "yes" })).await.refused();
        admin.put(&own, &json!({})).await.refused();
    }
    let capabilities = |answer: serde_json::Value| answer["capabilities"]["m.account_moderation"].clone();
    assert_eq!(capabilities(admin.get("/capabilities").await.ok()), json!({ "lock": true, "suspend": true }));
    assert!(capabilities(anna.get("/capabilities").await.ok()).is_null());
}

async fn who_exists_is_told_to_administrators_only(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (admin, anna) = (server.register_admin("admin").await, server.register("anna").await);
    for what in ["lock", "suspend"] {
        anna.get(&path(what, "@nobody-at-all:localhost")).await.err(403, "M_FORBIDDEN");
        anna.get(&path(what, anna.user_id())).await.err(403, "M_FORBIDDEN");
        admin.get(&path(what, "@nobody-at-all:localhost")).await.err(404, "M_NOT_FOUND");
        admin.get(&path(what, "@somebody:elsewhere.example")).await.err(400, "M_INVALID_PARAM");
        admin.get(&path(what, "nonsense")).await.err(400, "M_INVALID_PARAM");
    }
}

async fn a_lock_replaces_a_suspension(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (admin, anna) = (server.register_admin("admin").await, server.register("anna").await);
    suspend(&admin, &anna, true).await;
    lock(&admin, &anna, true).await;
    anna.get("/account/whoami").await.err(401, "M_USER_LOCKED");
    // Ending what is not there any more changes nothing.
    suspend(&admin, &anna, false).await;
    anna.get("/account/whoami").await.err(401, "M_USER_LOCKED");
    lock(&admin, &anna, false).await;
    anna.get("/account/whoami").await.ok();
}
