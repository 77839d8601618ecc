//! Receipts, typing, account data and tags in `/sync`.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

use crate::client::support::{in_room, list, text};

both_databases!(
    a_receipt_reaches_the_other_members,
    a_private_receipt_is_told_to_nobody_else,
    receipts_of_threads_stand_beside_each_other,
    typing_begins_and_ends,
    account_data_reaches_the_other_devices_only_of_its_owner,
    tags_come_as_account_data_of_the_room,
    changed_push_rules_are_told,
    read_markers_are_told_to_their_owner,
);

/// The content of an ephemeral or account data event of this type.
fn content(events: &Value, kind: &str) -> Option<Value> {
    list(events).into_iter().find(|event| event["type"] == kind).map(|event| event["content"].clone())
}

async fn told(client: &Client, since: &mut String, room: &str) -> Value {
    let answer = client.sync(Some(since), 0).await;
    *since = text(&answer["next_batch"]);
    answer["rooms"]["join"][room].clone()
}

async fn receipt(client: &Client, room: &str, kind: &str, event: &str, body: &Value) {
    client.post(&in_room(room, &format!("receipt/{kind}/{}", enc(event))), body).await.ok();
}

async fn a_receipt_reaches_the_other_members(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.room_with(&[&bob]).await;
    let first = alice.text(&room, "1").await;
    let second = alice.text(&room, "2").await;
    let mut since = alice.now().await;
    receipt(&bob, &room, "m.read", &first, &json!({})).await;
    let news = told(&alice, &mut since, &room).await;
    let receipts = content(&news["ephemeral"]["events"], "m.receipt").unwrap();
    assert!(receipts[&first]["m.read"][bob.user_id()]["ts"].as_u64().is_some(), "{receipts}");
    assert!(list(&news["timeline"]["events"]).is_empty());
    receipt(&bob, &room, "m.read", &second, &json!({})).await;
    let news = told(&alice, &mut since, &room).await;
    let receipts = content(&news["ephemeral"]["events"], "m.receipt").unwrap();
    assert_eq!(receipts.as_object().unwrap().keys().collect::<Vec<_>>(), [&second]);
    assert!(told(&alice, &mut since, &room).await.is_null(), "told twice");
    // A receipt never moves back.
    receipt(&bob, &room, "m.read", &first, &json!({})).await;
    let first_sync = alice.sync(None, 0).await;
    let receipts = content(&first_sync["rooms"]["join"][&room]["ephemeral"]["events"], "m.receipt").unwrap();
    assert!(receipts[&second]["m.read"].get(bob.user_id()).is_some(), "{receipts}");
    assert!(receipts[&first]["m.read"].get(bob.user_id()).is_none(), "{receipts}");
}

async fn a_private_receipt_is_told_to_nobody_else(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.room_with(&[&bob]).await;
    let event = alice.text(&room, "1").await;
    let mut alices = alice.now().await;
    let mut bobs = bob.now().await;
    receipt(&bob, &room, "m.read.private", &event, &json!({})).await;
    assert!(told(&alice, &mut alices, &room).await.is_null());
    let news = told(&bob, &mut bobs, &room).await;
    let receipts = content(&news["ephemeral"]["events"], "m.receipt").unwrap();
    assert!(receipts[&event]["m.read.private"].get(bob.user_id()).is_some(), "{receipts}");
    let first = alice.sync(None, 0).await;
    assert!(!first.to_string().contains("m.read.private"), "{first}");
}

async fn receipts_of_threads_stand_beside_each_other(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.room_with(&[&bob]).await;
    let root = alice.text(&room, "root").await;
    let relation = json!({ "rel_type": "m.thread", "event_id": root });
    let reply = json!({ "msgtype": "m.text", "body": "reply", "m.relates_to": relation });
    let reply = alice.send(&room, "m.room.message", &reply).await;
    let mut since = alice.now().await;
    receipt(&bob, &room, "m.read", &root, &json!({ "thread_id": "main" })).await;
    receipt(&bob, &room, "m.read", &reply, &json!({ "thread_id": root })).await;
    let news = told(&alice, &mut since, &room).await;
    let receipts = content(&news["ephemeral"]["events"], "m.receipt").unwrap();
    assert_eq!(receipts[&root]["m.read"][bob.user_id()]["thread_id"], "main", "{receipts}");
    assert_eq!(receipts[&reply]["m.read"][bob.user_id()]["thread_id"], root, "{receipts}");
    for bad in [json!({ "thread_id": "" }), json!({ "thread_id": 1 })] {
        let path = in_room(&room, &format!("receipt/m.read/{}", enc(&reply)));
        bob.post(&path, &bad).await.refused();
    }
}

async fn typing_begins_and_ends(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.room_with(&[&bob]).await;
    let mut since = alice.now().await;
    let path = in_room(&room, &format!("typing/{}", enc(bob.user_id())));
    bob.put(&path, &json!({ "typing": true, "timeout": 30_000 })).await.ok();
    let who = |answer: &Value| content(&answer["rooms"]["join"][&room]["ephemeral"]["events"], "m.typing");
    let typing = alice.sync_until(&mut since, who).await;
    assert_eq!(typing["user_ids"], json!([bob.user_id()]));
    bob.put(&path, &json!({ "typing": false })).await.ok();
    assert_eq!(alice.sync_until(&mut since, who).await["user_ids"], json!([]));
    // It ends by itself too.
    bob.put(&path, &json!({ "typing": true, "timeout": 300 })).await.ok();
    assert_eq!(alice.sync_until(&mut since, who).await["user_ids"], json!([bob.user_id()]));
    assert_eq!(alice.sync_until(&mut since, who).await["user_ids"], json!([]));
    let alices = in_room(&room, &format!("typing/{}", enc(alice.user_id())));
    bob.put(&alices, &json!({ "typing": true })).await.refused();
}

async fn account_data_reaches_the_other_devices_only_of_its_owner(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.room_with(&[&bob]).await;
    let device = server.login(alice.user_id()).await;
    let (since, bobs) = (device.now().await, bob.now().await);
    let base = format!("/user/{}", enc(alice.user_id()));
    let global = format!("{base}/account_data/dev.kontor.test");
    let of_room = format!("{base}/rooms/{}/account_data/dev.kontor.test", enc(&room));
    alice.put(&global, &json!({ "n": 1 })).await.ok();
    alice.put(&of_room, &json!({ "n": 2 })).await.ok();
    let answer = device.sync(Some(&since), 0).await;
    assert_eq!(content(&answer["account_data"]["events"], "dev.kontor.test").unwrap()["n"], 1);
    let in_room = &answer["rooms"]["join"][&room]["account_data"]["events"];
    assert_eq!(content(in_room, "dev.kontor.test").unwrap()["n"], 2);
    assert_eq!(alice.get(&global).await.ok()["n"], 1);
    assert_eq!(device.get(&of_room).await.ok()["n"], 2);
    assert!(!bob.sync(Some(&bobs), 0).await.to_string().contains("dev.kontor.test"));
    bob.get(&global).await.err(403, "M_FORBIDDEN");
    bob.put(&of_room, &json!({})).await.err(403, "M_FORBIDDEN");
    alice.get(&format!("{base}/account_data/dev.kontor.nothing")).await.err(404, "M_NOT_FOUND");
    // What the server keeps elsewhere is not written here.
    alice.put(&format!("{base}/account_data/m.push_rules"), &json!({})).await.refused();
    alice.put(&format!("{base}/rooms/{}/account_data/m.fully_read", enc(&room)), &json!({})).await.refused();
}

async fn tags_come_as_account_data_of_the_room(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let mut since = alice.now().await;
    let tags = format!("/user/{}/rooms/{}/tags", enc(alice.user_id()), enc(&room));
    alice.put(&format!("{tags}/m.favourite"), &json!({ "order": 0.25 })).await.ok();
    alice.put(&format!("{tags}/u.work"), &json!({})).await.ok();
    let news = told(&alice, &mut since, &room).await;
    let tagged = content(&news["account_data"]["events"], "m.tag").unwrap();
    assert_eq!(tagged["tags"], json!({ "m.favourite": { "order": 0.25 }, "u.work": {} }));
    assert_eq!(alice.get(&tags).await.ok()["tags"], tagged["tags"]);
    alice.delete(&format!("{tags}/m.favourite")).await.ok();
    let news = told(&alice, &mut since, &room).await;
    assert_eq!(content(&news["account_data"]["events"], "m.tag").unwrap()["tags"], json!({ "u.work": {} }));
}

async fn changed_push_rules_are_told(server: Homeserver) {
    let alice = server.register("alice").await;
    let since = alice.now().await;
    let rule = json!({ "actions": ["notify"], "pattern": "kontor" });
    alice.put("/pushrules/global/content/dev.kontor.word", &rule).await.ok();
    let answer = alice.sync(Some(&since), 0).await;
    let rules = content(&answer["account_data"]["events"], "m.push_rules").unwrap();
    let own = list(&rules["global"]["content"]).into_iter().find(|rule| rule["rule_id"] == "dev.kontor.word");
    assert_eq!(own.unwrap()["pattern"], "kontor");
}

async fn read_markers_are_told_to_their_owner(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.room_with(&[&bob]).await;
    let event = bob.text(&room, "x").await;
    let mut since = alice.now().await;
    let mut bobs = bob.now().await;
    let markers = json!({ "m.fully_read": event, "m.read": event });
    alice.post(&in_room(&room, "read_markers"), &markers).await.ok();
    let news = told(&alice, &mut since, &room).await;
    assert_eq!(content(&news["account_data"]["events"], "m.fully_read").unwrap()["event_id"], event);
    let seen = told(&bob, &mut bobs, &room).await;
    let receipts = content(&seen["ephemeral"]["events"], "m.receipt").unwrap();
    assert!(receipts[&event]["m.read"].get(alice.user_id()).is_some(), "{receipts}");
    assert!(content(&seen["account_data"]["events"], "m.fully_read").is_none(), "{seen}");
}
