//! Limited timelines: what is left out is found through `/messages`, nothing is missed or doubled.

use harness::{Client, Homeserver, both_databases, enc, timeline};
use serde_json::{Value, json};

use crate::client::support::{Dice, ids, in_room, is_reference, list, state_event, sync_with, text};

both_databases!(
    a_limited_timeline_goes_on_through_messages_without_gap_or_doubling,
    the_first_timeline_goes_on_to_the_beginning_of_the_room,
    state_changed_in_the_gap_is_told_once,
    an_unlimited_timeline_tells_no_state_twice,
    random_syncs_and_pages_together_are_the_whole_room,
    messages_go_forward_from_a_sync_token,
    messages_stop_at_the_token_to,
    paging_ends_without_an_end_token,
);

/// Pages back from `from` until `to` or the beginning; oldest first.
async fn back(client: &Client, room: &str, from: &str, to: Option<&str>, limit: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut from = from.to_owned();
    let to = to.map(|to| format!("&to={}", enc(to))).unwrap_or_default();
    loop {
        let path = format!("messages?dir=b&limit={limit}&from={}{to}", enc(&from));
        let page = client.get(&in_room(room, &path)).await.ok();
        assert_eq!(page["start"], from, "start is from: {page}");
        found.extend(ids(&page["chunk"]));
        match page["end"].as_str() {
            Some(end) => from = end.to_owned(),
            None => break,
        }
    }
    found.reverse();
    found
}

fn limited(sync: &Value, room: &str) -> bool {
    sync["rooms"]["join"][room]["timeline"]["limited"].as_bool().unwrap_or_default()
}

async fn a_limited_timeline_goes_on_through_messages_without_gap_or_doubling(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let since = bob.now().await;
    let mut sent = Vec::new();
    for n in 0..25 {
        sent.push(alice.text(&room, &format!("{n}")).await);
    }
    for limit in [1, 4, 10, 24, 25, 26] {
        let filter = json!({ "room": { "timeline": { "limit": limit } } });
        let answer = sync_with(&bob, Some(&since), &filter, "").await;
        let told = ids(&answer["rooms"]["join"][&room]["timeline"]["events"]);
        assert_eq!(told, sent[25_usize.saturating_sub(limit)..]);
        assert_eq!(limited(&answer, &room), limit < 25, "limit {limit}");
        let prev_batch = text(&answer["rooms"]["join"][&room]["timeline"]["prev_batch"]);
        let mut all = back(&bob, &room, &prev_batch, Some(&since), 7).await;
        all.extend(told);
        assert_eq!(all, sent, "limit {limit}");
    }
}

async fn the_first_timeline_goes_on_to_the_beginning_of_the_room(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({ "name": "Room", "topic": "Topic" })).await;
    for n in 0..12 {
        alice.text(&room, &format!("{n}")).await;
    }
    let whole: Vec<_> = alice.whole_timeline(&room).await.iter().map(|e| text(&e["event_id"])).collect();
    for limit in [1, 10, 13, 50] {
        let filter = json!({ "room": { "timeline": { "limit": limit } } });
        let answer = sync_with(&alice, None, &filter, "").await;
        let told = &answer["rooms"]["join"][&room]["timeline"];
        let mut all = back(&alice, &room, &text(&told["prev_batch"]), None, 5).await;
        all.extend(ids(&told["events"]));
        assert_eq!(all, whole, "limit {limit}");
    }
}

async fn state_changed_in_the_gap_is_told_once(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let carol = server.register("carol").await;
    let room = alice.room_with(&[&bob]).await;
    let since = bob.now().await;
    alice.set_state(&room, "m.room.topic", "", &json!({ "topic": "first" })).await;
    let in_gap = alice.set_state(&room, "m.room.topic", "", &json!({ "topic": "second" })).await;
    alice.invite(&room, &carol).await;
    carol.join(&room).await;
    for n in 0..12 {
        alice.text(&room, &format!("{n}")).await;
    }
    let last = alice.set_state(&room, "m.room.topic", "", &json!({ "topic": "third" })).await;
    let answer = bob.sync(Some(&since), 0).await;
    let told = &answer["rooms"]["join"][&room];
    assert!(limited(&answer, &room));
    let state = &told["state"]["events"];
    assert_eq!(list(state).len(), 2, "the last topic before the timeline and carol: {state}");
    assert_eq!(state_event(state, "m.room.topic", "").unwrap()["event_id"], in_gap);
    assert_eq!(
        state_event(state, "m.room.member", carol.user_id()).unwrap()["content"]["membership"],
        "join"
    );
    assert_eq!(ids(&told["timeline"]["events"]).last(), Some(&last));
}

async fn an_unlimited_timeline_tells_no_state_twice(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let since = bob.now().await;
    let topic = alice.set_state(&room, "m.room.topic", "", &json!({ "topic": "new" })).await;
    let answer = bob.sync(Some(&since), 0).await;
    let told = &answer["rooms"]["join"][&room];
    assert_eq!(ids(&told["timeline"]["events"]), [topic]);
    assert!(list(&told["state"]["events"]).is_empty(), "{told}");
    assert!(!limited(&answer, &room));
}

async fn random_syncs_and_pages_together_are_the_whole_room(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let mut dice = Dice::new(7);
    let first = bob.sync(None, 0).await;
    let mut since = text(&first["next_batch"]);
    let mut all = ids(&first["rooms"]["join"][&room]["timeline"]["events"]);
    let prev_batch = text(&first["rooms"]["join"][&room]["timeline"]["prev_batch"]);
    let mut older = back(&bob, &room, &prev_batch, None, 3).await;
    older.extend(all);
    all = older;
    for _ in 0..12 {
        for n in 0..dice.below(9) {
            if dice.below(4) == 0 {
                alice.set_state(&room, "dev.kontor.test", &n.to_string(), &json!({ "n": n })).await;
            } else {
                alice.text(&room, &format!("{n}")).await;
            }
        }
        let filter = json!({ "room": { "timeline": { "limit": 1 + dice.below(6) } } });
        let answer = sync_with(&bob, Some(&since), &filter, "").await;
        let told = &answer["rooms"]["join"][&room]["timeline"];
        if limited(&answer, &room) {
            let prev_batch = text(&told["prev_batch"]);
            all.extend(back(&bob, &room, &prev_batch, Some(&since), 1 + dice.below(4)).await);
        }
        all.extend(ids(&told["events"]));
        since = text(&answer["next_batch"]);
    }
    let whole: Vec<_> = alice.whole_timeline(&room).await.iter().map(|e| text(&e["event_id"])).collect();
    assert_eq!(all, whole);
}

async fn messages_go_forward_from_a_sync_token(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let since = alice.now().await;
    let mut sent = Vec::new();
    for n in 0..7 {
        sent.push(alice.text(&room, &format!("{n}")).await);
    }
    let path = format!("messages?dir=f&limit=3&from={}", enc(&since));
    let page = alice.get(&in_room(&room, &path)).await.ok();
    assert_eq!(ids(&page["chunk"]), sent[..3]);
    let path = format!("messages?dir=f&limit=30&from={}", enc(&text(&page["end"])));
    let page = alice.get(&in_room(&room, &path)).await.ok();
    assert_eq!(ids(&page["chunk"]), sent[3..]);
    // And from the newest event back again.
    let now = alice.now().await;
    assert_eq!(back(&alice, &room, &now, Some(&since), 2).await, sent);
}

async fn messages_stop_at_the_token_to(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    alice.text(&room, "0").await;
    let low = alice.now().await;
    let inside = [alice.text(&room, "1").await, alice.text(&room, "2").await];
    let high = alice.now().await;
    alice.text(&room, "3").await;
    let path = format!("messages?dir=b&limit=50&from={}&to={}", enc(&high), enc(&low));
    assert_eq!(ids(&alice.get(&in_room(&room, &path)).await.ok()["chunk"]), [&*inside[1], &*inside[0]]);
    let path = format!("messages?dir=f&limit=50&from={}&to={}", enc(&low), enc(&high));
    assert_eq!(ids(&alice.get(&in_room(&room, &path)).await.ok()["chunk"]), inside);
}

async fn paging_ends_without_an_end_token(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let page = alice.get(&in_room(&room, "messages?dir=b&limit=100")).await.ok();
    assert!(!list(&page["chunk"]).is_empty());
    let mut page = page;
    if let Some(end) = page["end"].as_str() {
        let path = format!("messages?dir=b&limit=100&from={}", enc(end));
        page = alice.get(&in_room(&room, &path)).await.ok();
        assert!(list(&page["chunk"]).is_empty(), "{page}");
    }
    assert!(page.get("end").is_none(), "{page}");
    let quiet = alice.sync(None, 0).await;
    assert!(!timeline(&quiet, &room).is_empty());
}
