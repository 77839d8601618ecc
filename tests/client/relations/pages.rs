//! Pages of what relates to an event.

use harness::{Homeserver, both_databases, enc};
use serde_json::json;

use super::{edit, relate, related, reply};
use crate::client::support::{ids, text};

both_databases!(
    relations_come_newest_first_in_pages,
    relations_come_oldest_first_when_asked,
    relations_are_chosen_by_type_and_event_type,
    indirect_relations_come_when_asked,
    pages_end_where_asked,
    strangers_learn_of_no_relations,
    nonsense_is_refused,
);

async fn relations_come_newest_first_in_pages(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let root = alice.text(&room, "root").await;
    let mut sent = Vec::new();
    for number in 0..7 {
        sent.push(reply(&alice, &room, &root, &number.to_string()).await);
    }
    sent.reverse();
    let (mut seen, mut from) = (Vec::new(), String::new());
    loop {
        let page = related(&alice, &room, &root, &format!("?limit=3{from}")).await.ok();
        assert_eq!(page.get("prev_batch").is_some(), !from.is_empty(), "{page}");
        assert!(page.get("recursion_depth").is_none(), "{page}");
        seen.extend(ids(&page["chunk"]));
        match page["next_batch"].as_str() {
            Some(next) => from = format!("&from={}", enc(next)),
            None => break,
        }
    }
    assert_eq!(seen, sent);
}

async fn relations_come_oldest_first_when_asked(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let root = alice.text(&room, "root").await;
    let mut sent = Vec::new();
    for number in 0..5 {
        sent.push(reply(&alice, &room, &root, &number.to_string()).await);
    }
    let first = related(&alice, &room, &root, "?dir=f&limit=3").await.ok();
    assert_eq!(ids(&first["chunk"]), sent[..3]);
    let from = text(&first["next_batch"]);
    let second = related(&alice, &room, &root, &format!("?dir=f&limit=3&from={}", enc(&from))).await.ok();
    assert_eq!(ids(&second["chunk"]), sent[3..]);
    assert!(second.get("next_batch").is_none(), "{second}");
}

async fn relations_are_chosen_by_type_and_event_type(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let root = alice.text(&room, "root").await;
    let answer = reply(&alice, &room, &root, "1").await;
    let change = edit(&alice, &room, &root, "changed").await;
    let note = relate(&alice, &room, "dev.kontor.note", "m.thread", &root, json!({})).await;
    let of = async |rest: &str| ids(&related(&alice, &room, &root, rest).await.ok()["chunk"]);
    assert_eq!(of("").await, [note.clone(), change.clone(), answer.clone()]);
    assert_eq!(of("/m.thread").await, [note.clone(), answer.clone()]);
    assert_eq!(of("/m.thread/m.room.message").await, [answer]);
    assert_eq!(of("/m.replace").await, [change]);
    assert!(of("/m.annotation").await.is_empty());
    assert!(of("/m.replace/dev.kontor.note").await.is_empty());
}

async fn indirect_relations_come_when_asked(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let root = alice.text(&room, "root").await;
    let answer = reply(&alice, &room, &root, "1").await;
    let change = edit(&alice, &room, &answer, "one").await;
    let noted = relate(&alice, &room, "dev.kontor.note", "m.reference", &change, json!({})).await;
    let page = related(&alice, &room, &root, "?recurse=true").await.ok();
    assert_eq!(ids(&page["chunk"]), [noted, change, answer.clone()]);
    assert!(page["recursion_depth"].as_i64() >= Some(3), "{page}");
    let direct = related(&alice, &room, &root, "?recurse=false").await.ok();
    assert_eq!(ids(&direct["chunk"]), [answer.clone()]);
    // The types hold for what stands between as well.
    let threads = related(&alice, &room, &root, "/m.thread?recurse=true").await.ok();
    assert_eq!(ids(&threads["chunk"]), [answer]);
}

async fn pages_end_where_asked(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let root = alice.text(&room, "root").await;
    let first = reply(&alice, &room, &root, "1").await;
    let between = alice.now().await;
    let second = reply(&alice, &room, &root, "2").await;
    let to = related(&alice, &room, &root, &format!("?to={}", enc(&between))).await.ok();
    assert_eq!(ids(&to["chunk"]), [second]);
    let from = related(&alice, &room, &root, &format!("?from={}", enc(&between))).await.ok();
    assert_eq!(ids(&from["chunk"]), [first]);
}

async fn strangers_learn_of_no_relations(server: Homeserver) {
    let alice = server.register("alice").await;
    let mallory = server.register("mallory").await;
    let room = alice.create_room(json!({})).await;
    let root = alice.text(&room, "root").await;
    reply(&alice, &room, &root, "1").await;
    related(&mallory, &room, &root, "").await.err(404, "M_NOT_FOUND");
    related(&alice, &room, "$nothing", "").await.err(404, "M_NOT_FOUND");
    related(&server.anonymous(), &room, &root, "").await.err(401, "M_MISSING_TOKEN");
}

async fn nonsense_is_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let root = alice.text(&room, "root").await;
    for bad in ["?from=x", "?to=t1_99999999999", "?dir=x"] {
        related(&alice, &room, &root, bad).await.err(400, "M_INVALID_PARAM");
    }
    for bad in ["?limit=x", "?recurse=5"] {
        assert_eq!(related(&alice, &room, &root, bad).await.status, 400, "{bad}");
    }
}
