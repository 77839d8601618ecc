//! Events that wait, restarted, cancelled, sent at once and looked up.

use harness::{Homeserver, both_databases, enc};
use serde_json::{Value, json};

use super::{BASE, arrive, arrived, delay, manage, name, one};
use crate::client::support::{list, text};

both_databases!(
    a_cancelled_event_never_comes,
    an_event_that_is_sent_at_once_comes_once,
    a_restarted_event_waits_again,
    an_action_can_stand_in_the_body,
    whoever_knows_the_name_may_manage_an_event_without_an_account,
    what_is_over_is_not_there_any_more,
    an_event_that_cannot_be_sent_now_goes_on_waiting,
    only_the_sender_looks_events_up,
);

async fn a_cancelled_event_never_comes(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let cancelled = name(delay(&alice, &room, "cancelled", 3_000).await);
    name(delay(&alice, &room, "kept", 3_300).await);
    manage(&alice, &cancelled, "cancel").await.ok();
    assert_eq!(arrive(&alice, &room, 1).await, [json!({ "body": "kept" })]);
    let told = one(&alice, &cancelled).await.ok();
    assert!(told["finalised"]["finalised_ts"].is_i64(), "{told}");
    assert!(told["finalised"].get("event_id").is_none(), "{told}");
}

async fn an_event_that_is_sent_at_once_comes_once(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let id = name(delay(&alice, &room, "now", 60_000).await);
    manage(&alice, &id, "send").await.ok();
    assert_eq!(arrived(&alice, &room).await, [json!({ "body": "now" })]);
    // To repeat a request that succeeded is no mistake.
    manage(&alice, &id, "send").await.ok();
    assert_eq!(arrived(&alice, &room).await.len(), 1);
}

async fn a_restarted_event_waits_again(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let id = name(delay(&alice, &room, "later", 60_000).await);
    let before = one(&alice, &id).await.ok()["delayed_since_ts"].as_i64();
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    manage(&alice, &id, "restart").await.ok();
    assert!(one(&alice, &id).await.ok()["delayed_since_ts"].as_i64() > before);
    // Restarted again and again it never comes.
    let id = name(delay(&alice, &room, "never", 1_500).await);
    for _ in 0..6 {
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        manage(&alice, &id, "restart").await.ok();
    }
    assert!(arrived(&alice, &room).await.is_empty());
    assert_eq!(arrive(&alice, &room, 1).await, [json!({ "body": "never" })]);
}

async fn an_action_can_stand_in_the_body(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let id = name(delay(&alice, &room, "t", 60_000).await);
    let path = format!("{BASE}/delayed_events/{id}");
    alice.post(&path, &json!({ "action": "restart" })).await.ok();
    alice.post(&path, &json!({ "action": "send" })).await.ok();
    assert_eq!(arrived(&alice, &room).await.len(), 1);
    alice.post(&path, &json!({ "action": "forget" })).await.err(400, "M_INVALID_PARAM");
    alice.post(&path, &json!({})).await.err(400, "M_BAD_JSON");
}

async fn whoever_knows_the_name_may_manage_an_event_without_an_account(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let id = name(delay(&alice, &room, "t", 60_000).await);
    let nobody = server.anonymous();
    let path = |action: &str| format!("{BASE}/delayed_events/{id}/{action}");
    for action in ["restart", "send"] {
        let url = server.url(&path(action));
        let answer = server.http().post(&url).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{action}");
    }
    assert_eq!(arrived(&alice, &room).await.len(), 1);
    manage(&nobody, "a-name-that-nobody-was-given", "send").await;
}

async fn what_is_over_is_not_there_any_more(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let sent = name(delay(&alice, &room, "sent", 60_000).await);
    manage(&alice, &sent, "send").await.ok();
    let cancelled = name(delay(&alice, &room, "cancelled", 60_000).await);
    manage(&alice, &cancelled, "cancel").await.ok();
    for (id, action) in [(&sent, "restart"), (&sent, "cancel"), (&cancelled, "restart"), (&cancelled, "send")]
    {
        manage(&alice, id, action).await.err(404, "M_NOT_FOUND");
    }
    for action in ["restart", "cancel", "send"] {
        manage(&alice, "a-name-that-nobody-was-given", action).await.err(404, "M_NOT_FOUND");
    }
}

async fn an_event_that_cannot_be_sent_now_goes_on_waiting(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let id = name(delay(&bob, &room, "t", 60_000).await);
    alice.kick(&room, &bob).await;
    manage(&bob, &id, "send").await.err(403, "M_FORBIDDEN");
    assert!(one(&bob, &id).await.ok().get("finalised").is_none());
    alice.invite(&room, &bob).await;
    bob.join(&room).await;
    manage(&bob, &id, "send").await.ok();
    assert_eq!(arrived(&alice, &room).await.len(), 1);
}

async fn only_the_sender_looks_events_up(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let second = name(delay(&alice, &room, "second", 60_000).await);
    let first = name(delay(&alice, &room, "first", 30_000).await);
    let over = name(delay(&alice, &room, "over", 60_000).await);
    manage(&alice, &over, "cancel").await.ok();
    let listed = alice.get(&format!("{BASE}/delayed_events")).await.ok();
    let ids = |events: &Value| list(events).iter().map(|event| text(&event["delay_id"])).collect::<Vec<_>>();
    assert_eq!(ids(&listed["delayed_events"]), [first.clone(), second.clone()]);
    assert_eq!(ids(&listed["finalised"]), [over]);
    let told = &listed["delayed_events"][0];
    assert_eq!((&told["room_id"], &told["content"]["body"]), (&json!(room), &json!("first")), "{told}");
    assert_eq!(one(&alice, &first).await.ok(), *told);
    one(&bob, &first).await.err(404, "M_NOT_FOUND");
    assert_eq!(bob.get(&format!("{BASE}/delayed_events")).await.ok()["delayed_events"], json!([]));
    server
        .anonymous()
        .get(&format!("{BASE}/delayed_events/{}", enc(&first)))
        .await
        .err(401, "M_MISSING_TOKEN");
}
