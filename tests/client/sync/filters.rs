//! Filters of `/sync` and `/messages`.

use harness::{Client, Homeserver, both_databases, enc, timeline};
use serde_json::{Value, json};

use crate::client::support::{ids, in_room, is_reference, keys, list, sync_with, text};

both_databases!(
    types_and_senders_choose_the_timeline,
    types_choose_the_state,
    rooms_are_chosen_and_excluded,
    contains_url_chooses_events_with_files,
    event_fields_cut_events_down,
    ephemeral_and_account_data_are_chosen_by_type,
    a_stored_filter_works_like_a_written_one,
    a_filter_that_lets_nothing_through_still_moves_the_token,
    filtered_timelines_go_on_without_gap_through_messages,
    messages_and_context_are_filtered,
    malformed_filters_are_refused,
);

async fn told(client: &Client, room: &str, timeline: Value) -> Vec<String> {
    let filter = json!({ "room": { "timeline": timeline } });
    ids(&sync_with(client, None, &filter, "").await["rooms"]["join"][room]["timeline"]["events"])
}

async fn types_and_senders_choose_the_timeline(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let text = alice.text(&room, "text").await;
    let other = alice.send(&room, "dev.kontor.other", &json!({})).await;
    let third = bob.send(&room, "dev.kontor.third", &json!({})).await;
    let (a, b) = (alice.user_id(), bob.user_id());
    for (filter, expected) in [
        (json!({ "types": ["m.room.message"] }), vec![&text]),
        (json!({ "types": ["dev.kontor.*"] }), vec![&other, &third]),
        (json!({ "types": ["dev.kontor.*"], "not_types": ["dev.kontor.t*"] }), vec![&other]),
        (json!({ "types": ["dev.kontor.*"], "senders": [b] }), vec![&third]),
        (json!({ "types": ["dev.kontor.*", "m.room.message"], "not_senders": [a] }), vec![&third]),
        (json!({ "not_types": ["m.room.*"], "senders": [a] }), vec![&other]),
        (json!({ "types": [] }), vec![]),
        (json!({ "senders": [] }), vec![]),
        (json!({ "senders": [a], "not_senders": [a] }), vec![]),
        (json!({ "types": ["m.room.message"], "rooms": [room] }), vec![&text]),
        (json!({ "types": ["m.room.message"], "not_rooms": [room] }), vec![]),
        (json!({ "types": ["m.room.message"], "rooms": [] }), vec![]),
    ] {
        let expected: Vec<_> = expected.into_iter().cloned().collect();
        assert_eq!(self::told(&alice, &room, filter.clone()).await, expected, "{filter}");
    }
}

async fn types_choose_the_state(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({ "name": "Room", "topic": "Topic" })).await;
    alice.text(&room, "hello").await;
    let of = |filter: Value| {
        let (alice, room) = (alice.clone(), room.clone());
        async move {
            let filter = json!({ "room": { "timeline": { "limit": 1 }, "state": filter } });
            let answer = sync_with(&alice, None, &filter, "").await;
            let keys = keys(&answer["rooms"]["join"][&room]["state"]["events"]);
            keys.into_iter().map(|(kind, _)| kind).collect::<Vec<_>>()
        }
    };
    assert_eq!(
        of(json!({ "types": ["m.room.name", "m.room.topic"] })).await,
        ["m.room.name", "m.room.topic"]
    );
    assert!(of(json!({ "types": [] })).await.is_empty());
    let without = of(json!({ "not_types": ["m.room.name"] })).await;
    assert!(!without.contains(&"m.room.name".to_owned()) && without.contains(&"m.room.topic".to_owned()));
}

async fn rooms_are_chosen_and_excluded(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let one = alice.create_room(json!({})).await;
    let two = alice.create_room(json!({})).await;
    let since = alice.now().await;
    alice.text(&one, "1").await;
    alice.text(&two, "2").await;
    for (filter, expected) in [
        (json!({ "rooms": [one] }), vec![&one]),
        (json!({ "not_rooms": [one] }), vec![&two]),
        (json!({ "rooms": [one], "not_rooms": [one] }), vec![]),
        (json!({ "rooms": [] }), vec![]),
    ] {
        for since in [None, Some(since.as_str())] {
            let answer = sync_with(&alice, since, &json!({ "room": filter }), "").await;
            let rooms = answer["rooms"]["join"].as_object().cloned().unwrap_or_default();
            let rooms: Vec<_> = rooms.keys().collect();
            assert_eq!(rooms, expected, "{filter}");
        }
    }
}

async fn contains_url_chooses_events_with_files(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let image = json!({ "msgtype": "m.image", "body": "x", "url": "mxc://localhost/abc" });
    let file = alice.send(&room, "m.room.message", &image).await;
    let nested =
        json!({ "msgtype": "m.text", "body": "\"url\":\"x\"", "info": { "url": "mxc://localhost/x" } });
    let plain = alice.send(&room, "m.room.message", &nested).await;
    let number =
        alice.send(&room, "m.room.message", &json!({ "msgtype": "m.text", "body": "x", "url": 1 })).await;
    let only = told(&alice, &room, json!({ "types": ["m.room.message"], "contains_url": true })).await;
    assert_eq!(only, [file]);
    let others = told(&alice, &room, json!({ "types": ["m.room.message"], "contains_url": false })).await;
    assert_eq!(others, [plain, number]);
}

async fn event_fields_cut_events_down(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    alice
        .send(
            &room,
            "m.room.message",
            &json!({ "msgtype": "m.text", "body": "x", "a.b": 1, "deep": { "c": 2, "d": 3 } }),
        )
        .await;
    let filter = json!({
        "event_fields": ["type", "content.body", "content.deep.c", "content.a\\.b"],
        "room": { "timeline": { "types": ["m.room.message"] } },
    });
    let answer = sync_with(&alice, None, &filter, "").await;
    let event = timeline(&answer, &room).pop().unwrap();
    assert_eq!(event["type"], "m.room.message");
    assert_eq!(event["content"], json!({ "body": "x", "a.b": 1, "deep": { "c": 2 } }), "{event}");
    assert!(event.get("sender").is_none(), "{event}");
}

async fn ephemeral_and_account_data_are_chosen_by_type(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let event = alice.text(&room, "x").await;
    alice.post(&in_room(&room, &format!("receipt/m.read/{}", enc(&event))), &json!({})).await.ok();
    let data = |kind: &str| format!("/user/{}/account_data/{kind}", enc(alice.user_id()));
    let in_this =
        |kind: &str| format!("/user/{}/rooms/{}/account_data/{kind}", enc(alice.user_id()), enc(&room));
    for kind in ["dev.kontor.one", "dev.kontor.two"] {
        alice.put(&data(kind), &json!({ "n": 1 })).await.ok();
        alice.put(&in_this(kind), &json!({ "n": 1 })).await.ok();
    }
    let filter = json!({
        "account_data": { "types": ["dev.kontor.one"] },
        "room": { "account_data": { "not_types": ["dev.kontor.one"] }, "ephemeral": { "types": [] } },
    });
    let answer = sync_with(&alice, None, &filter, "").await;
    let kinds = |events: &Value| list(events).iter().map(|event| text(&event["type"])).collect::<Vec<_>>();
    assert_eq!(kinds(&answer["account_data"]["events"]), ["dev.kontor.one"]);
    let told = &answer["rooms"]["join"][&room];
    assert_eq!(kinds(&told["account_data"]["events"]), ["dev.kontor.two"]);
    assert!(kinds(&told["ephemeral"]["events"]).is_empty(), "{told}");
    let filter = json!({ "room": { "ephemeral": { "not_types": ["m.typing"] } } });
    let told = sync_with(&alice, None, &filter, "").await["rooms"]["join"][&room].clone();
    assert_eq!(kinds(&told["ephemeral"]["events"]), ["m.receipt"]);
}

async fn a_stored_filter_works_like_a_written_one(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let sent = alice.text(&room, "x").await;
    let filter = json!({ "room": { "timeline": { "types": ["m.room.message"] } } });
    let stored = alice.post(&format!("/user/{}/filter", enc(alice.user_id())), &filter).await.ok();
    let id = text(&stored["filter_id"]);
    assert!(!id.starts_with('{'), "{id}");
    let answer = alice.get(&format!("/sync?filter={}", enc(&id))).await.ok();
    assert_eq!(ids(&answer["rooms"]["join"][&room]["timeline"]["events"]), [sent]);
    let read = alice.get(&format!("/user/{}/filter/{}", enc(alice.user_id()), enc(&id))).await.ok();
    assert_eq!(read, filter);
    let bob = server.register("bob").await;
    bob.get(&format!("/user/{}/filter/{}", enc(alice.user_id()), enc(&id))).await.err(403, "M_FORBIDDEN");
    alice.get(&format!("/user/{}/filter/4711", enc(alice.user_id()))).await.err(404, "M_NOT_FOUND");
    alice.get("/sync?filter=4711").await.refused();
}

async fn a_filter_that_lets_nothing_through_still_moves_the_token(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let since = alice.now().await;
    alice.text(&room, "hidden").await;
    let filter = json!({ "room": { "timeline": { "types": ["dev.kontor.none"] } } });
    let answer = sync_with(&alice, Some(&since), &filter, "").await;
    let next = text(&answer["next_batch"]);
    assert_ne!(next, since);
    let shown = alice.text(&room, "shown").await;
    let answer = alice.sync(Some(&next), 0).await;
    assert_eq!(ids(&answer["rooms"]["join"][&room]["timeline"]["events"]), [shown]);
}

async fn filtered_timelines_go_on_without_gap_through_messages(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let mut wanted = Vec::new();
    for n in 0..40 {
        if n % 4 == 0 {
            wanted.push(alice.text(&room, &format!("{n}")).await);
        } else {
            alice.send(&room, "dev.kontor.noise", &json!({})).await;
        }
    }
    let events = json!({ "types": ["m.room.message"], "limit": 3 });
    let answer = sync_with(&alice, None, &json!({ "room": { "timeline": events } }), "").await;
    let told = &answer["rooms"]["join"][&room]["timeline"];
    let mut found = ids(&told["events"]);
    assert_eq!(found, wanted[wanted.len() - 3..]);
    assert_eq!(told["limited"], true);
    let mut from = text(&told["prev_batch"]);
    let filter = enc(&json!({ "types": ["m.room.message"] }).to_string());
    loop {
        let path = format!("messages?dir=b&limit=3&filter={filter}&from={}", enc(&from));
        let page = alice.get(&in_room(&room, &path)).await.ok();
        for id in ids(&page["chunk"]) {
            found.insert(0, id);
        }
        let Some(end) = page["end"].as_str() else { break };
        from = end.to_owned();
    }
    assert_eq!(found, wanted);
}

async fn messages_and_context_are_filtered(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let first = alice.text(&room, "a").await;
    let middle = bob.text(&room, "b").await;
    let last = alice.text(&room, "c").await;
    let filter = |filter: Value| enc(&filter.to_string());
    let by_alice = filter(json!({ "senders": [alice.user_id()], "types": ["m.room.message"] }));
    let page = alice.get(&in_room(&room, &format!("messages?dir=b&limit=50&filter={by_alice}"))).await.ok();
    assert_eq!(ids(&page["chunk"]), [&*last, &*first]);
    let path = format!("context/{}?limit=20&filter={by_alice}", enc(&middle));
    let context = alice.get(&in_room(&room, &path)).await.ok();
    assert_eq!(context["event"]["event_id"], middle, "the event itself is not filtered");
    assert_eq!(ids(&context["events_before"]), [&*first]);
    assert_eq!(ids(&context["events_after"]), [&*last]);
    let elsewhere = filter(json!({ "not_rooms": [room] }));
    let page = alice.get(&in_room(&room, &format!("messages?dir=b&limit=50&filter={elsewhere}"))).await.ok();
    assert!(list(&page["chunk"]).is_empty(), "{page}");
}

async fn malformed_filters_are_refused(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let path = format!("/user/{}/filter", enc(alice.user_id()));
    for bad in [
        json!([]),
        json!({ "room": 1 }),
        json!({ "room": { "timeline": { "types": "m.room.message" } } }),
        json!({ "room": { "timeline": { "limit": "ten" } } }),
        json!({ "room": { "rooms": ["not a room"] } }),
        json!({ "room": { "timeline": { "senders": ["not a user"] } } }),
    ] {
        alice.post(&path, &bad).await.refused();
        if bad.is_object() {
            alice.get(&format!("/sync?filter={}", enc(&bad.to_string()))).await.refused();
        }
    }
    alice.get("/sync?filter=%7B").await.refused();
    alice.get(&in_room(&room, "messages?dir=b&filter=%7B")).await.refused();
    alice.get(&in_room(&room, "messages?dir=b&filter=%5B1%5D")).await.refused();
    alice.get(&in_room(&room, "messages?dir=sideways")).await.refused();
    alice.get(&in_room(&room, "messages?dir=b&limit=many")).await.refused();
    alice.get(&in_room(&room, "messages?dir=b&limit=-1")).await.refused();
}
