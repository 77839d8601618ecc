//! Suspended accounts read and do nothing that others would see.

use std::time::Duration;

use harness::{Homeserver, both_databases, enc};
use reqwest::Method;
use serde_json::json;

use super::{password, suspend};
use crate::client::support::{in_room, is_reference};

both_databases!(
    the_suspended_do_nothing_that_others_would_see,
    the_suspended_read_leave_and_log_in_and_out,
    the_suspended_take_back_their_own_words_only,
    a_suspension_ends_no_session_and_no_poll_for_good,
    the_suspended_keep_their_addresses,
);

const SUSPENDED: &str = "M_USER_SUSPENDED";

async fn the_suspended_do_nothing_that_others_would_see(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let room = anna.room_with(&[&bob]).await;
    let (public, invited) = (bob.public_room().await, bob.create_room(json!({})).await);
    bob.invite(&invited, &anna).await;
    suspend(&admin, &anna, true).await;
    let message = json!({ "msgtype": "m.text", "body": "no" });
    let me = enc(anna.user_id());
    let invite = json!({ "user_id": server.register("carl").await.user_id() });
    for (method, path, body) in [
        (Method::PUT, in_room(&room, "send/m.room.message/1"), message.clone()),
        (Method::PUT, in_room(&room, "send/m.reaction/2"), json!({})),
        (Method::PUT, in_room(&room, "state/m.room.name"), json!({ "name": "no" })),
        (Method::PUT, in_room(&room, "state/m.room.name/"), json!({ "name": "no" })),
        (Method::PUT, in_room(&room, &format!("state/m.room.member/{me}")), json!({ "membership": "join" })),
        (Method::POST, "/createRoom".to_owned(), json!({})),
        (Method::POST, format!("/join/{}", enc(&public)), json!({})),
        (Method::POST, in_room(&invited, "join"), json!({})),
        (Method::POST, format!("/knock/{}", enc(&public)), json!({})),
        (Method::POST, in_room(&room, "invite"), invite),
        (Method::POST, in_room(&room, "kick"), json!({ "user_id": bob.user_id() })),
        (Method::PUT, format!("/profile/{me}/displayname"), json!({ "displayname": "no" })),
        (Method::PUT, format!("/profile/{me}/avatar_url"), json!({ "avatar_url": "mxc://a/b" })),
        (Method::DELETE, format!("/profile/{me}/displayname"), json!({})),
    ] {
        anna.request(method, &path, Some(&body)).await.err(403, SUSPENDED);
    }
    suspend(&admin, &anna, false).await;
    anna.send_txn(&room, "m.room.message", "3", &message).await.ok();
    anna.join(&public).await;
}

async fn the_suspended_read_leave_and_log_in_and_out(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let room = bob.room_with(&[&anna]).await;
    let invited = bob.create_room(json!({})).await;
    bob.invite(&invited, &anna).await;
    let mut since = anna.now().await;
    suspend(&admin, &anna, true).await;
    let news = bob.text(&room, "you still read this").await;
    anna.sync_until_event(&mut since, &room, &news).await;
    assert!(anna.whole_timeline(&room).await.iter().any(|event| event["event_id"] == news));
    anna.post(&in_room(&room, &format!("receipt/m.read/{}", enc(&news))), &json!({})).await.ok();
    anna.put(&format!("/user/{}/account_data/my.notes", enc(anna.user_id())), &json!({})).await.ok();
    anna.get(&format!("/profile/{}", enc(bob.user_id()))).await.ok();
    anna.leave(&invited).await;
    anna.leave(&room).await;
    let device = server.login(anna.user_id()).await;
    device.get("/account/whoami").await.ok();
    let remove = json!({ "auth": password(&anna) });
    let path = format!("/devices/{}", enc(device.device_id()));
    anna.request(Method::DELETE, &path, Some(&remove)).await.ok();
    anna.post("/logout", &json!({})).await.ok();
}

async fn the_suspended_take_back_their_own_words_only(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let room = anna.room_with(&[&bob]).await;
    let (mine, theirs) = (anna.text(&room, "mine").await, bob.text(&room, "theirs").await);
    let also_mine = anna.text(&room, "also mine").await;
    suspend(&admin, &anna, true).await;
    anna.redact(&room, &mine).await;
    let redact = in_room(&room, &format!("redact/{}/x1", enc(&theirs)));
    anna.put(&redact, &json!({})).await.err(403, SUSPENDED);
    let by_sending = json!({ "redacts": also_mine });
    anna.send_txn(&room, "m.room.redaction", "x2", &by_sending).await.ok();
    let by_sending = json!({ "redacts": theirs });
    anna.send_txn(&room, "m.room.redaction", "x3", &by_sending).await.err(403, SUSPENDED);
    assert_eq!(bob.event(&room, &theirs).await.ok()["content"]["body"], "theirs");
}

async fn a_suspension_ends_no_session_and_no_poll_for_good(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let room = bob.room_with(&[&anna]).await;
    let since = anna.now().await;
    let (poller, path) = (anna.clone(), format!("/sync?timeout=30000&since={}", enc(&since)));
    let poll = tokio::spawn(async move { poller.get(&path).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    suspend(&admin, &anna, true).await;
    suspend(&admin, &anna, false).await;
    bob.text(&room, "hello").await;
    let answer = poll.await.unwrap();
    assert_eq!(answer.status, 200, "{answer}");
}

async fn the_suspended_keep_their_addresses(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (admin, anna) = (server.register_admin("admin").await, server.register("anna").await);
    suspend(&admin, &anna, true).await;
    let body = json!({ "medium": "email", "address": "a@b.example" });
    anna.post("/account/3pid/delete", &body).await.err(403, SUSPENDED);
    anna.get("/account/3pid").await.ok();
}
