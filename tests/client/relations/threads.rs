//! The threads of a room.

use harness::{Client, Homeserver, Response, both_databases, enc};
use serde_json::{Value, json};

use super::{ignore, relate, reply};
use crate::client::support::{bring_in, ids, in_room, room_showing, sync_with, text};

both_databases!(
    threads_are_listed_by_their_newest_event,
    threads_come_in_pages,
    threads_in_which_one_took_part_can_be_listed_alone,
    a_thread_of_an_ignored_users_message_has_no_content,
    threads_that_a_reader_may_not_see_are_not_listed,
    a_thread_cannot_begin_at_an_event_that_relates_to_another,
    threads_and_their_unread_counts_agree,
    nonsense_about_threads_is_refused,
);

async fn threads(client: &Client, room: &str, rest: &str) -> Response {
    client.get(&format!("/_matrix/client/v1{}", in_room(room, &format!("threads{rest}")))).await
}

async fn threads_are_listed_by_their_newest_event(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let first = alice.text(&room, "first").await;
    let second = alice.text(&room, "second").await;
    alice.text(&room, "no thread").await;
    reply(&alice, &room, &first, "1").await;
    reply(&alice, &room, &second, "2").await;
    let listed = threads(&alice, &room, "").await.ok();
    assert_eq!(ids(&listed["chunk"]), [second.clone(), first.clone()]);
    let last = reply(&alice, &room, &first, "3").await;
    let listed = threads(&alice, &room, "?include=all").await.ok();
    assert_eq!(ids(&listed["chunk"]), [first, second]);
    let thread = &listed["chunk"][0]["unsigned"]["m.relations"]["m.thread"];
    assert_eq!(thread["latest_event"]["event_id"], last, "{listed}");
    assert_eq!(thread["count"], 2, "{listed}");
    assert!(listed.get("next_batch").is_none(), "{listed}");
}

async fn threads_come_in_pages(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let mut roots = Vec::new();
    for number in 0..5 {
        let root = alice.text(&room, &number.to_string()).await;
        reply(&alice, &room, &root, "x").await;
        roots.insert(0, root);
    }
    let (mut seen, mut from) = (Vec::new(), String::new());
    loop {
        let page = threads(&alice, &room, &format!("?limit=2{from}")).await.ok();
        seen.extend(ids(&page["chunk"]));
        match page["next_batch"].as_str() {
            Some(next) => from = format!("&from={}", enc(next)),
            None => break,
        }
    }
    assert_eq!(seen, roots);
}

async fn threads_in_which_one_took_part_can_be_listed_alone(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let began = bob.text(&room, "bob began").await;
    reply(&alice, &room, &began, "1").await;
    let wrote = alice.text(&room, "bob wrote").await;
    reply(&bob, &room, &wrote, "1").await;
    let neither = alice.text(&room, "without bob").await;
    reply(&alice, &room, &neither, "1").await;
    let of =
        async |client: &Client| ids(&threads(client, &room, "?include=participated").await.ok()["chunk"]);
    assert_eq!(of(&bob).await, [wrote.clone(), began.clone()]);
    assert_eq!(of(&alice).await, [neither, wrote, began]);
}

async fn a_thread_of_an_ignored_users_message_has_no_content(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let root = bob.text(&room, "secret").await;
    let answer = reply(&alice, &room, &root, "1").await;
    reply(&bob, &room, &root, "2").await;
    ignore(&alice, &[&bob]).await;
    let listed = threads(&alice, &room, "").await.ok();
    assert_eq!(ids(&listed["chunk"]), [root], "{listed}");
    let told = &listed["chunk"][0];
    assert_eq!(told["content"], json!({}), "{told}");
    let thread = &told["unsigned"]["m.relations"]["m.thread"];
    assert_eq!((&thread["count"], &thread["latest_event"]["event_id"]), (&json!(1), &json!(answer)));
}

async fn threads_that_a_reader_may_not_see_are_not_listed(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = room_showing(&alice, "joined").await;
    let hidden = alice.text(&room, "before").await;
    bring_in(&alice, &room, &bob).await;
    reply(&alice, &room, &hidden, "1").await;
    let root = alice.text(&room, "after").await;
    reply(&alice, &room, &root, "1").await;
    assert_eq!(ids(&threads(&bob, &room, "").await.ok()["chunk"]), [root]);
    let mallory = server.register("mallory").await;
    threads(&mallory, &room, "").await.err(403, "M_FORBIDDEN");
}

async fn a_thread_cannot_begin_at_an_event_that_relates_to_another(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let root = alice.text(&room, "root").await;
    let answer = reply(&alice, &room, &root, "1").await;
    let note = relate(&alice, &room, "dev.kontor.note", "m.reference", &root, json!({})).await;
    for target in [answer, note] {
        let relation = json!({ "rel_type": "m.thread", "event_id": target });
        let content = json!({ "msgtype": "m.text", "body": "x", "m.relates_to": relation });
        alice.send_txn(&room, "m.room.message", "t", &content).await.err(400, "M_UNKNOWN");
    }
}

async fn threads_and_their_unread_counts_agree(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let third = server.register("third").await;
    let room = alice.room_with(&[&bob, &third]).await;
    let root = alice.text(&room, "root").await;
    reply(&alice, &room, &root, "1").await;
    let last = reply(&alice, &room, &root, "2").await;
    let filter = json!({ "room": { "timeline": { "unread_thread_notifications": true } } });
    let unread = async || -> Value {
        sync_with(&bob, None, &filter, "").await["rooms"]["join"][&room]["unread_thread_notifications"]
            .clone()
    };
    let listed = threads(&bob, &room, "").await.ok();
    let told = text(&listed["chunk"][0]["event_id"]);
    assert_eq!(unread().await[&told]["notification_count"], 2);
    let read = in_room(&room, &format!("receipt/m.read/{}", enc(&last)));
    bob.post(&read, &json!({ "thread_id": told })).await.ok();
    assert_eq!(unread().await[&told], Value::Null);
}

async fn nonsense_about_threads_is_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    for bad in ["?include=some", "?from=x", "?limit=0", "?from=t1_99999999999"] {
        threads(&alice, &room, bad).await.err(400, "M_INVALID_PARAM");
    }
}
