//! Unread and highlight counts.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

use crate::client::support::{in_room, is_reference, sync_with};

both_databases!(
    messages_of_others_count_until_they_are_read,
    ones_own_messages_and_reactions_do_not_count,
    a_name_in_a_message_highlights,
    a_private_receipt_reads_too,
    threads_are_counted_apart_when_asked,
    a_receipt_without_a_thread_reads_all_threads,
    a_muted_room_counts_nothing,
    a_redacted_message_counts_no_more,
    sending_reads_what_came_before,
);

/// `(notifications, highlights)` of the whole room.
async fn unread(client: &Client, room: &str) -> (u64, u64) {
    counts(&client.sync(None, 0).await["rooms"]["join"][room]["unread_notifications"])
}

fn counts(value: &Value) -> (u64, u64) {
    let count = |name: &str| value[name].as_u64().unwrap_or_default();
    (count("notification_count"), count("highlight_count"))
}

async fn read(client: &Client, room: &str, kind: &str, event: &str, body: Value) {
    client.post(&in_room(room, &format!("receipt/{kind}/{}", enc(event))), &body).await.ok();
}

/// A room of three, so that no one-to-one rule holds, with all joins read.
async fn trio(server: &Homeserver) -> (Client, Client, String) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let third = server.register("third").await;
    let room = alice.room_with(&[&bob, &third]).await;
    let start = alice.text(&room, "start").await;
    read(&bob, &room, "m.read", &start, json!({})).await;
    (alice, bob, room)
}

async fn messages_of_others_count_until_they_are_read(server: Homeserver) {
    let (alice, bob, room) = trio(&server).await;
    assert_eq!(unread(&bob, &room).await, (0, 0));
    let first = alice.text(&room, "1").await;
    alice.text(&room, "2").await;
    let last = alice.text(&room, "3").await;
    assert_eq!(unread(&bob, &room).await, (3, 0));
    read(&bob, &room, "m.read", &first, json!({})).await;
    assert_eq!(unread(&bob, &room).await, (2, 0));
    let since = bob.now().await;
    read(&bob, &room, "m.read", &last, json!({})).await;
    assert_eq!(unread(&bob, &room).await, (0, 0));
    // The other devices of the reader learn it.
    let news = bob.sync(Some(&since), 0).await;
    assert_eq!(counts(&news["rooms"]["join"][&room]["unread_notifications"]), (0, 0), "{news}");
    assert!(news["rooms"]["join"].get(&room).is_some(), "{news}");
}

async fn ones_own_messages_and_reactions_do_not_count(server: Homeserver) {
    let (alice, bob, room) = trio(&server).await;
    let message = bob.text(&room, "mine").await;
    let relation = json!({ "rel_type": "m.annotation", "event_id": message, "key": "👍" });
    alice.send(&room, "m.reaction", &json!({ "m.relates_to": relation })).await;
    alice.set_state(&room, "m.room.topic", "", &json!({ "topic": "x" })).await;
    let notice = json!({ "msgtype": "m.notice", "body": "beep" });
    alice.send(&room, "m.room.message", &notice).await;
    assert_eq!(unread(&bob, &room).await, (0, 0));
}

async fn a_name_in_a_message_highlights(server: Homeserver) {
    let (alice, bob, room) = trio(&server).await;
    let mention = json!({
        "msgtype": "m.text", "body": "look", "m.mentions": { "user_ids": [bob.user_id()] },
    });
    alice.send(&room, "m.room.message", &mention).await;
    assert_eq!(unread(&bob, &room).await, (1, 1));
    let room_wide = json!({ "msgtype": "m.text", "body": "all", "m.mentions": { "room": true } });
    let last = alice.send(&room, "m.room.message", &room_wide).await;
    assert_eq!(unread(&bob, &room).await, (2, 2));
    read(&bob, &room, "m.read", &last, json!({})).await;
    assert_eq!(unread(&bob, &room).await, (0, 0));
    alice.put("/pushrules/global/content/word", &json!({ "actions": ["notify"], "pattern": "x" })).await.ok();
    let rule = json!({ "actions": ["notify", { "set_tweak": "highlight" }], "pattern": "invoice" });
    bob.put("/pushrules/global/content/dev.kontor.word", &rule).await.ok();
    alice.text(&room, "the Invoice is late").await;
    alice.text(&room, "invoices are late").await;
    assert_eq!(unread(&bob, &room).await, (2, 1));
}

async fn a_private_receipt_reads_too(server: Homeserver) {
    let (alice, bob, room) = trio(&server).await;
    let message = alice.text(&room, "1").await;
    assert_eq!(unread(&bob, &room).await, (1, 0));
    read(&bob, &room, "m.read.private", &message, json!({})).await;
    assert_eq!(unread(&bob, &room).await, (0, 0));
}

/// A message in the thread of `root`.
async fn reply(client: &Client, room: &str, root: &str, body: &str) -> String {
    let relation = json!({ "rel_type": "m.thread", "event_id": root });
    let content = json!({ "msgtype": "m.text", "body": body, "m.relates_to": relation });
    client.send(room, "m.room.message", &content).await
}

/// `(main, thread of root)`.
async fn by_thread(client: &Client, room: &str, root: &str) -> (u64, u64) {
    let filter = json!({ "room": { "timeline": { "unread_thread_notifications": true } } });
    let told = sync_with(client, None, &filter, "").await["rooms"]["join"][room].clone();
    let main = counts(&told["unread_notifications"]).0;
    (main, counts(&told["unread_thread_notifications"][root]).0)
}

async fn threads_are_counted_apart_when_asked(server: Homeserver) {
    let (alice, bob, room) = trio(&server).await;
    let root = alice.text(&room, "root").await;
    reply(&alice, &room, &root, "1").await;
    let second = reply(&alice, &room, &root, "2").await;
    assert_eq!(by_thread(&bob, &room, &root).await, (1, 2));
    assert_eq!(unread(&bob, &room).await, (3, 0));
    read(&bob, &room, "m.read", &root, json!({ "thread_id": "main" })).await;
    assert_eq!(by_thread(&bob, &room, &root).await, (0, 2));
    read(&bob, &room, "m.read", &second, json!({ "thread_id": root })).await;
    assert_eq!(by_thread(&bob, &room, &root).await, (0, 0));
    assert_eq!(unread(&bob, &room).await, (0, 0));
}

async fn a_receipt_without_a_thread_reads_all_threads(server: Homeserver) {
    let (alice, bob, room) = trio(&server).await;
    let root = alice.text(&room, "root").await;
    reply(&alice, &room, &root, "1").await;
    let last = alice.text(&room, "main again").await;
    reply(&alice, &room, &root, "2").await;
    assert_eq!(by_thread(&bob, &room, &root).await, (2, 2));
    read(&bob, &room, "m.read", &last, json!({})).await;
    assert_eq!(by_thread(&bob, &room, &root).await, (0, 1));
}

async fn a_muted_room_counts_nothing(server: Homeserver) {
    let (alice, bob, room) = trio(&server).await;
    let path = format!("/pushrules/global/override/{}", enc(&room));
    let rule = json!({
        "actions": [], "conditions": [{ "kind": "event_match", "key": "room_id", "pattern": room }],
    });
    bob.put(&path, &rule).await.ok();
    let muted = alice.text(&room, "1").await;
    assert_eq!(unread(&bob, &room).await, (0, 0));
    read(&bob, &room, "m.read", &muted, json!({})).await;
    bob.delete(&path).await.ok();
    alice.text(&room, "2").await;
    assert_eq!(unread(&bob, &room).await, (1, 0));
}

async fn a_redacted_message_counts_no_more(server: Homeserver) {
    let (alice, bob, room) = trio(&server).await;
    let message = alice.text(&room, "1").await;
    alice.text(&room, "2").await;
    assert_eq!(unread(&bob, &room).await, (2, 0));
    alice.redact(&room, &message).await;
    let after = unread(&bob, &room).await;
    assert_eq!(after, (1, 0));
}

async fn sending_reads_what_came_before(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (alice, bob, room) = trio(&server).await;
    alice.text(&room, "1").await;
    assert_eq!(unread(&bob, &room).await, (1, 0));
    bob.text(&room, "answer").await;
    assert_eq!(unread(&bob, &room).await, (0, 0));
}
