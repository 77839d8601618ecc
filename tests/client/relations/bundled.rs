//! Aggregations that are told with events.

use harness::{Homeserver, both_databases, enc};
use serde_json::{Value, json};

use super::{edit, ignore, relate, related, relations_of, reply};
use crate::client::support::{bring_in, ids, in_room, list, room_showing, sync_with, text};

both_databases!(
    the_newest_edit_is_told_with_its_event,
    only_valid_edits_are_told,
    a_redacted_edit_gives_way_to_the_one_before,
    a_redacted_event_has_no_edits,
    a_thread_tells_its_newest_event_its_length_and_who_took_part,
    the_newest_event_of_a_thread_is_told_with_its_edit,
    references_are_told_by_their_ids,
    every_answer_that_carries_events_tells_what_relates_to_them,
    events_of_ignored_users_are_not_counted,
    redacted_events_are_not_counted,
    what_a_reader_may_not_see_is_not_counted,
    relations_of_other_rooms_are_ignored,
    state_has_no_relations,
);

async fn the_newest_edit_is_told_with_its_event(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let message = alice.text(&room, "one").await;
    edit(&alice, &room, &message, "two").await;
    let last = edit(&alice, &room, &message, "three").await;
    let told = alice.event(&room, &message).await.ok();
    let replace = &told["unsigned"]["m.relations"]["m.replace"];
    assert_eq!(replace["event_id"], last, "{told}");
    assert_eq!(replace["content"]["m.new_content"]["body"], "three");
    assert_eq!(replace["sender"], alice.user_id());
    assert_eq!(replace["type"], "m.room.message");
    assert!(replace["origin_server_ts"].is_i64());
    // The event itself stays as it was.
    assert_eq!(told["content"]["body"], "one");
}

async fn only_valid_edits_are_told(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let message = alice.text(&room, "one").await;
    // Of somebody else, of another type, without new content, of an edit.
    edit(&bob, &room, &message, "bob's").await;
    let new = json!({ "m.new_content": { "body": "y" } });
    relate(&alice, &room, "dev.kontor.other", "m.replace", &message, new).await;
    relate(&alice, &room, "m.room.message", "m.replace", &message, json!({})).await;
    assert_eq!(relations_of(&alice, &room, &message).await, Value::Null);
    let valid = edit(&alice, &room, &message, "two").await;
    edit(&alice, &room, &valid, "edit of an edit").await;
    assert_eq!(relations_of(&alice, &room, &message).await["m.replace"]["event_id"], valid);
    assert_eq!(relations_of(&alice, &room, &valid).await, Value::Null);
    // What is encrypted has its new content inside.
    let secret = json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x" });
    let encrypted = alice.send(&room, "m.room.encrypted", &secret).await;
    let change = relate(&alice, &room, "m.room.encrypted", "m.replace", &encrypted, secret).await;
    assert_eq!(relations_of(&alice, &room, &encrypted).await["m.replace"]["event_id"], change);
}

async fn a_redacted_edit_gives_way_to_the_one_before(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let message = alice.text(&room, "one").await;
    let first = edit(&alice, &room, &message, "two").await;
    let second = edit(&alice, &room, &message, "three").await;
    alice.redact(&room, &second).await;
    assert_eq!(relations_of(&alice, &room, &message).await["m.replace"]["event_id"], first);
    alice.redact(&room, &first).await;
    assert_eq!(relations_of(&alice, &room, &message).await, Value::Null);
}

async fn a_redacted_event_has_no_edits(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let message = alice.text(&room, "one").await;
    edit(&alice, &room, &message, "two").await;
    reply(&alice, &room, &message, "in the thread").await;
    alice.redact(&room, &message).await;
    let told = relations_of(&alice, &room, &message).await;
    assert_eq!(told["m.replace"], Value::Null, "{told}");
    assert_eq!(told["m.thread"]["count"], 1, "{told}");
}

async fn a_thread_tells_its_newest_event_its_length_and_who_took_part(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let third = server.register("third").await;
    let room = alice.room_with(&[&bob, &third]).await;
    let root = alice.text(&room, "root").await;
    reply(&bob, &room, &root, "1").await;
    let last = reply(&bob, &room, &root, "2").await;
    for (reader, part) in [(&alice, true), (&bob, true), (&third, false)] {
        let thread = relations_of(reader, &room, &root).await["m.thread"].clone();
        assert_eq!(thread["count"], 2, "{thread}");
        assert_eq!(thread["current_user_participated"], part, "{thread}");
        assert_eq!(thread["latest_event"]["event_id"], last, "{thread}");
        assert_eq!(thread["latest_event"]["room_id"], room, "{thread}");
        assert_eq!(thread["latest_event"]["content"]["body"], "2", "{thread}");
    }
}

async fn the_newest_event_of_a_thread_is_told_with_its_edit(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let root = alice.text(&room, "root").await;
    let last = reply(&alice, &room, &root, "1").await;
    let change = edit(&alice, &room, &last, "one").await;
    let latest = relations_of(&alice, &room, &root).await["m.thread"]["latest_event"].clone();
    assert_eq!(latest["unsigned"]["m.relations"]["m.replace"]["event_id"], change, "{latest}");
}

async fn references_are_told_by_their_ids(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let message = alice.text(&room, "one").await;
    let mut sent = Vec::new();
    for _ in 0..3 {
        let id = relate(&alice, &room, "dev.kontor.note", "m.reference", &message, json!({})).await;
        sent.push(json!({ "event_id": id }));
    }
    let told = relations_of(&alice, &room, &message).await;
    assert_eq!(told, json!({ "m.reference": { "chunk": sent } }));
}

async fn every_answer_that_carries_events_tells_what_relates_to_them(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let message = alice.text(&room, "one").await;
    let change = edit(&alice, &room, &message, "two").await;
    let since = alice.now().await;
    let of = |events: Value| {
        let found = list(&events).into_iter().find(|event| event["event_id"] == message);
        text(&found.unwrap_or_default()["unsigned"]["m.relations"]["m.replace"]["event_id"])
    };
    let context = alice.get(&in_room(&room, &format!("context/{}", enc(&message)))).await.ok();
    assert_eq!(context["event"]["unsigned"]["m.relations"]["m.replace"]["event_id"], change);
    let around = alice.get(&in_room(&room, &format!("context/{}", enc(&change)))).await.ok();
    assert_eq!(of(around["events_before"].clone()), change);
    let page = alice.get(&in_room(&room, "messages?dir=b")).await.ok();
    assert_eq!(of(page["chunk"].clone()), change);
    let first = alice.sync(None, 0).await;
    assert_eq!(of(first["rooms"]["join"][&room]["timeline"]["events"].clone()), change);
    // A gap: what happened since is told with the relations.
    let root = alice.text(&room, "root").await;
    let last = reply(&alice, &room, &root, "1").await;
    let filter = json!({ "room": { "timeline": { "limit": 2 } } });
    alice.text(&room, "fill").await;
    let filter_all = json!({ "room": { "timeline": { "limit": 3 } } });
    for filter in [filter_all, filter] {
        let news = sync_with(&alice, Some(&since), &filter, "").await;
        let events = news["rooms"]["join"][&room]["timeline"]["events"].clone();
        if let Some(told) = list(&events).into_iter().find(|event| event["event_id"] == root) {
            let thread = &told["unsigned"]["m.relations"]["m.thread"];
            assert_eq!(thread["latest_event"]["event_id"], last, "{told}");
        }
    }
    // Answers to what relates tell it as well.
    let answer = reply(&alice, &room, &root, "2").await;
    let change = edit(&alice, &room, &answer, "two").await;
    let page = related(&alice, &room, &root, "/m.thread").await.ok();
    assert_eq!(page["chunk"][0]["unsigned"]["m.relations"]["m.replace"]["event_id"], change, "{page}");
}

async fn events_of_ignored_users_are_not_counted(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let root = alice.text(&room, "root").await;
    let kept = reply(&alice, &room, &root, "1").await;
    let ignored = reply(&bob, &room, &root, "2").await;
    relate(&bob, &room, "dev.kontor.note", "m.reference", &root, json!({})).await;
    assert_eq!(relations_of(&alice, &room, &root).await["m.thread"]["count"], 2);
    ignore(&alice, &[&bob]).await;
    let told = relations_of(&alice, &room, &root).await;
    assert_eq!(told["m.thread"]["count"], 1, "{told}");
    assert_eq!(told["m.thread"]["latest_event"]["event_id"], kept, "{told}");
    assert_eq!(told["m.reference"], Value::Null, "{told}");
    let page = related(&alice, &room, &root, "").await.ok();
    assert_eq!(ids(&page["chunk"]), [kept.clone()], "{page}");
    ignore(&alice, &[]).await;
    assert_eq!(relations_of(&alice, &room, &root).await["m.thread"]["latest_event"]["event_id"], ignored);
}

async fn redacted_events_are_not_counted(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let root = alice.text(&room, "root").await;
    let first = reply(&alice, &room, &root, "1").await;
    let second = reply(&alice, &room, &root, "2").await;
    alice.redact(&room, &second).await;
    let thread = relations_of(&alice, &room, &root).await["m.thread"].clone();
    assert_eq!((&thread["count"], &thread["latest_event"]["event_id"]), (&json!(1), &json!(first)));
    assert_eq!(ids(&related(&alice, &room, &root, "").await.ok()["chunk"]), [first.clone()]);
    alice.redact(&room, &first).await;
    assert_eq!(relations_of(&alice, &room, &root).await, Value::Null);
}

async fn what_a_reader_may_not_see_is_not_counted(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = room_showing(&alice, "joined").await;
    let before = alice.text(&room, "before").await;
    bring_in(&alice, &room, &bob).await;
    let root = alice.text(&room, "root").await;
    reply(&alice, &room, &root, "1").await;
    let seen = reply(&alice, &room, &root, "2").await;
    alice.kick(&room, &bob).await;
    reply(&alice, &room, &root, "3").await;
    edit(&alice, &room, &root, "changed").await;
    reply(&alice, &room, &before, "to what bob cannot see").await;
    let told = relations_of(&bob, &room, &root).await;
    assert_eq!(told["m.thread"]["count"], 2, "{told}");
    assert_eq!(told["m.thread"]["latest_event"]["event_id"], seen, "{told}");
    assert_eq!(told["m.replace"], Value::Null, "{told}");
    let page = related(&bob, &room, &root, "").await.ok();
    assert_eq!(list(&page["chunk"]).len(), 2, "{page}");
    related(&bob, &room, &before, "").await.err(404, "M_NOT_FOUND");
    assert_eq!(relations_of(&alice, &room, &root).await["m.thread"]["count"], 3);
}

async fn relations_of_other_rooms_are_ignored(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let other = alice.create_room(json!({})).await;
    let message = alice.text(&room, "one").await;
    edit(&alice, &other, &message, "two").await;
    relate(&alice, &other, "dev.kontor.note", "m.reference", &message, json!({})).await;
    assert_eq!(relations_of(&alice, &room, &message).await, Value::Null);
    assert_eq!(list(&related(&alice, &room, &message, "").await.ok()["chunk"]).len(), 0);
    related(&alice, &other, &message, "").await.err(404, "M_NOT_FOUND");
}

async fn state_has_no_relations(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let topic = alice.set_state(&room, "m.room.topic", "", &json!({ "topic": "x" })).await;
    relate(&alice, &room, "dev.kontor.note", "m.reference", &topic, json!({})).await;
    assert_eq!(relations_of(&alice, &room, &topic).await, Value::Null);
    // They can be asked for.
    assert_eq!(list(&related(&alice, &room, &topic, "").await.ok()["chunk"]).len(), 1);
}
