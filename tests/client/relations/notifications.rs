//! The list of notifications.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

use super::{ignore, reply};
use crate::client::support::{in_room, list, text};

both_databases!(
    notifications_are_what_others_said_newest_first,
    notifications_come_in_pages,
    highlights_can_be_listed_alone,
    receipts_mark_notifications_as_read,
    notifications_follow_push_rules,
    notifications_and_unread_counts_agree,
    what_one_may_not_see_notifies_nobody,
    forged_tokens_of_notifications_are_refused,
);

async fn notified(client: &Client, rest: &str) -> Value {
    client.get(&format!("/notifications{rest}")).await.ok()
}

/// Ids of the events of a page.
fn events(page: &Value) -> Vec<String> {
    list(&page["notifications"]).iter().map(|told| text(&told["event"]["event_id"])).collect()
}

/// A room of three, so that no one-to-one rule holds.
async fn trio(server: &Homeserver) -> (Client, Client, String) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let third = server.register("third").await;
    let room = alice.room_with(&[&bob, &third]).await;
    (alice, bob, room)
}

fn mention(user: &Client) -> Value {
    json!({ "msgtype": "m.text", "body": "look", "m.mentions": { "user_ids": [user.user_id()] } })
}

async fn notifications_are_what_others_said_newest_first(server: Homeserver) {
    let (alice, bob, room) = trio(&server).await;
    let other = alice.room_with(&[&bob]).await;
    let first = alice.text(&room, "1").await;
    let second = alice.text(&other, "2").await;
    bob.text(&other, "my own").await;
    alice.send(&room, "m.reaction", &json!({})).await;
    alice.set_state(&room, "m.room.topic", "", &json!({ "topic": "x" })).await;
    let third = alice.text(&room, "3").await;
    let page = notified(&bob, "").await;
    assert_eq!(events(&page), [third.clone(), second.clone(), first], "{page}");
    let newest = &page["notifications"][0];
    assert_eq!(newest["room_id"], room, "{newest}");
    assert_eq!(newest["event"]["content"]["body"], "3", "{newest}");
    assert_eq!(newest["actions"], json!(["notify"]), "{newest}");
    assert!(newest["ts"].is_i64(), "{newest}");
    assert_eq!(newest["read"], false, "{newest}");
    assert!(page.get("next_token").is_none(), "{page}");
    alice.redact(&room, &third).await;
    assert_eq!(events(&notified(&bob, "").await)[0], second);
}

async fn notifications_come_in_pages(server: Homeserver) {
    let (alice, bob, room) = trio(&server).await;
    let other = alice.room_with(&[&bob]).await;
    let mut sent = Vec::new();
    for number in 0..9 {
        let room = if number % 3 == 0 { &other } else { &room };
        let content =
            if number % 2 == 0 { mention(&bob) } else { json!({ "msgtype": "m.text", "body": "x" }) };
        sent.insert(0, alice.send(room, "m.room.message", &content).await);
    }
    let (mut seen, mut from) = (Vec::new(), String::new());
    loop {
        let page = notified(&bob, &format!("?limit=4{from}")).await;
        assert!(list(&page["notifications"]).len() <= 4, "{page}");
        seen.extend(events(&page));
        match page["next_token"].as_str() {
            Some(next) => from = format!("&from={}", enc(next)),
            None => break,
        }
    }
    assert_eq!(seen, sent);
}

async fn highlights_can_be_listed_alone(server: Homeserver) {
    let (alice, bob, room) = trio(&server).await;
    alice.text(&room, "plain").await;
    let named = alice.send(&room, "m.room.message", &mention(&bob)).await;
    alice.text(&room, "plain again").await;
    let all = json!({ "msgtype": "m.text", "body": "all", "m.mentions": { "room": true } });
    let whole = alice.send(&room, "m.room.message", &all).await;
    let page = notified(&bob, "?only=highlight").await;
    assert_eq!(events(&page), [whole, named], "{page}");
    for told in list(&page["notifications"]) {
        assert_eq!(told["actions"], json!(["notify", { "set_tweak": "highlight" }]), "{told}");
    }
    assert_eq!(events(&notified(&bob, "").await).len(), 4);
}

async fn receipts_mark_notifications_as_read(server: Homeserver) {
    let (alice, bob, room) = trio(&server).await;
    let root = alice.text(&room, "root").await;
    let answer = reply(&alice, &room, &root, "1").await;
    let last = alice.text(&room, "last").await;
    let read = async || -> Vec<(String, bool)> {
        let page = notified(&bob, "").await;
        list(&page["notifications"])
            .iter()
            .map(|told| (text(&told["event"]["event_id"]), told["read"] == true))
            .collect()
    };
    let path = |event: &str| in_room(&room, &format!("receipt/m.read/{}", enc(event)));
    bob.post(&path(&last), &json!({ "thread_id": "main" })).await.ok();
    assert_eq!(read().await, [(last.clone(), true), (answer.clone(), false), (root.clone(), true)]);
    bob.post(&path(&answer), &json!({ "thread_id": root })).await.ok();
    assert_eq!(read().await, [(last, true), (answer, true), (root, true)]);
    let new = alice.text(&room, "new").await;
    assert_eq!(read().await[0], (new.clone(), false));
    bob.post(&path(&new), &json!({})).await.ok();
    assert_eq!(read().await[0], (new, true));
}

async fn notifications_follow_push_rules(server: Homeserver) {
    let (alice, bob, room) = trio(&server).await;
    let path = format!("/pushrules/global/override/{}", enc(&room));
    let condition = json!([{ "kind": "event_match", "key": "room_id", "pattern": room }]);
    bob.put(&path, &json!({ "actions": [], "conditions": condition })).await.ok();
    alice.text(&room, "muted").await;
    assert!(events(&notified(&bob, "").await).is_empty());
    bob.delete(&path).await.ok();
    bob.put(&format!("/pushrules/global/room/{}", enc(&room)), &json!({ "actions": [] })).await.ok();
    alice.text(&room, "mentions only").await;
    let named = alice.send(&room, "m.room.message", &mention(&bob)).await;
    assert_eq!(events(&notified(&bob, "").await), [named.clone()]);
    let rule = json!({ "actions": ["notify"], "pattern": "invoice" });
    bob.put("/pushrules/global/content/dev.kontor.word", &rule).await.ok();
    let word = alice.text(&room, "the invoice").await;
    assert_eq!(events(&notified(&bob, "").await)[0], word);
}

async fn notifications_and_unread_counts_agree(server: Homeserver) {
    let (alice, bob, room) = trio(&server).await;
    let start = alice.text(&room, "start").await;
    bob.post(&in_room(&room, &format!("receipt/m.read/{}", enc(&start))), &json!({})).await.ok();
    let root = alice.text(&room, "root").await;
    reply(&alice, &room, &root, "1").await;
    alice.send(&room, "m.room.message", &mention(&bob)).await;
    let unread = bob.sync(None, 0).await["rooms"]["join"][&room]["unread_notifications"].clone();
    let page = notified(&bob, "").await;
    let open: Vec<_> =
        list(&page["notifications"]).into_iter().filter(|told| told["read"] == false).collect();
    assert_eq!(unread["notification_count"], open.len());
    let loud =
        open.iter().filter(|told| told["actions"].as_array().is_some_and(|list| list.len() > 1)).count();
    assert_eq!(unread["highlight_count"], loud);
}

async fn what_one_may_not_see_notifies_nobody(server: Homeserver) {
    let (alice, bob, room) = trio(&server).await;
    let third = server.register("fourth").await;
    alice.invite(&room, &third).await;
    third.join(&room).await;
    let heard = alice.text(&room, "1").await;
    third.text(&room, "from somebody whom bob ignores").await;
    ignore(&bob, &[&third]).await;
    assert_eq!(events(&notified(&bob, "").await), [heard]);
    // What was said before one came does not notify.
    let late = server.register("late").await;
    alice.invite(&room, &late).await;
    late.join(&room).await;
    assert!(events(&notified(&late, "").await).is_empty());
    alice.kick(&room, &bob).await;
    alice.send(&room, "m.room.message", &mention(&bob)).await;
    assert!(!notified(&bob, "").await.to_string().contains("look"));
}

async fn forged_tokens_of_notifications_are_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    for bad in ["?from=x", "?from=t1_99999999999", "?limit=x"] {
        alice.get(&format!("/notifications{bad}")).await.err(400, "M_INVALID_PARAM");
    }
    server.anonymous().get("/notifications").await.err(401, "M_MISSING_TOKEN");
}
