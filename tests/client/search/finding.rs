//! What is found, and how it is told.

use std::time::{Duration, Instant};

use harness::{Homeserver, both_databases, enc};
use serde_json::json;

use super::{finds_nothing, found, search, until_found, word};
use crate::client::support::ids;

both_databases!(
    a_message_is_found_soon_after_it_was_sent,
    accents_capitals_and_endings_do_not_matter,
    all_words_must_stand_in_a_message,
    names_and_topics_are_found_by_their_keys,
    filters_choose_rooms_senders_and_kinds,
    edits_are_found_by_their_newest_text,
    redacted_messages_are_not_found,
    encrypted_events_are_not_found,
    results_come_with_what_stands_around_them,
    results_come_with_the_state_of_their_rooms,
    the_message_that_says_it_best_comes_first,
    a_replaced_room_is_searched_with_its_successor,
    odd_requests_are_refused,
);

async fn a_message_is_found_soon_after_it_was_sent(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let (early, late) = (word("frueh"), word("spaet"));
    alice.text(&room, &early).await;
    until_found(&alice, &early, 1).await;
    let sent = Instant::now();
    let event = alice.text(&room, &format!("Etwas {late} am Abend")).await;
    let answer = until_found(&bob, &late, 1).await;
    // A second, with room for two busy cores.
    assert!(sent.elapsed() < Duration::from_secs(5), "{:?}", sent.elapsed());
    let result = &answer["results"][0];
    assert_eq!((&result["result"]["event_id"], &result["result"]["room_id"]), (&json!(event), &json!(room)));
    assert_eq!(result["result"]["content"]["body"], format!("Etwas {late} am Abend"));
    assert!(result.get("context").is_none() && answer.get("state").is_none(), "{answer}");
    assert_eq!(answer["highlights"], json!([late]));
}

async fn accents_capitals_and_endings_do_not_matter(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let polish = alice.text(&room, "Zażółć GĘŚLĄ jaźń, umowę podpisano").await;
    let ukrainian = alice.text(&room, "Ґанок їжака, М’ята й єдність").await;
    until_found(&alice, "podpisano", 1).await;
    until_found(&alice, "їжака", 1).await;
    for term in ["zażółć", "zazolc", "ZAZOLC gesla", "jazn", "umow", "Umowę PODPISANO", "gęślą jaźń"]
    {
        assert_eq!(found(&search(&alice, term, json!({})).await), [polish.clone()], "{term}");
    }
    for term in ["ганок", "ҐАНОК", "іжак", "мята", "м'ята", "єдність", "ЕДНІСТЬ"]
    {
        assert_eq!(found(&search(&alice, term, json!({})).await), [ukrainian.clone()], "{term}");
    }
    for term in ["azolc", "ołć", "gesla umowa ganok", "ja", ""] {
        assert_eq!(search(&alice, term, json!({})).await["count"], 0, "{term}");
    }
    let highlights = &search(&alice, "zazolc gesl", json!({})).await["highlights"];
    for shown in ["zażółć", "gęślą"] {
        assert!(highlights.as_array().unwrap().contains(&json!(shown)), "{highlights}");
    }
}

async fn all_words_must_stand_in_a_message(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let (a, b) = (word("jeden"), word("dwa"));
    let both = alice.text(&room, &format!("{a} oraz {b}")).await;
    alice.text(&room, &a).await;
    alice.text(&room, &b).await;
    until_found(&alice, &a, 2).await;
    until_found(&alice, &b, 2).await;
    for term in [format!("{a} {b}"), format!("{b}, {a}!"), format!("\"{a}\" oraz ({b})")] {
        assert_eq!(found(&search(&alice, &term, json!({})).await), [both.clone()], "{term}");
    }
}

async fn names_and_topics_are_found_by_their_keys(server: Homeserver) {
    let alice = server.register("alice").await;
    let it = word("klucz");
    let room =
        alice.create_room(json!({ "name": format!("Name {it}"), "topic": format!("Topic {it}") })).await;
    let message = alice.text(&room, &format!("Message {it}")).await;
    until_found(&alice, &it, 3).await;
    for (keys, kinds) in [
        (json!(["content.body"]), vec!["m.room.message"]),
        (json!(["content.name"]), vec!["m.room.name"]),
        (json!(["content.topic"]), vec!["m.room.topic"]),
        (json!(["content.body", "content.topic"]), vec!["m.room.message", "m.room.topic"]),
    ] {
        let answer = search(&alice, &it, json!({ "keys": keys, "order_by": "recent" })).await;
        let results = answer["results"].as_array().unwrap().iter();
        let found: Vec<_> = results.map(|result| result["result"]["type"].as_str().unwrap()).collect();
        assert_eq!((found, &answer["count"]), (kinds.clone(), &json!(kinds.len())), "{keys}");
    }
    // The state event that set a name before is a result as well, with its own text.
    alice.set_state(&room, "m.room.name", "", &json!({ "name": "other" })).await;
    let answer = search(&alice, &it, json!({ "keys": ["content.name"] })).await;
    assert_eq!(answer["count"], 1, "{answer}");
    assert!(found(&search(&alice, &it, json!({})).await).contains(&message));
}

async fn filters_choose_rooms_senders_and_kinds(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let it = word("filtr");
    let (one, two) = (alice.room_with(&[&bob]).await, alice.room_with(&[&bob]).await);
    let mine = alice.text(&one, &it).await;
    let theirs = bob.text(&one, &it).await;
    let other = bob.text(&two, &it).await;
    let file = json!({ "msgtype": "m.file", "body": it, "url": "mxc://localhost/abc" });
    let file = alice.send(&two, "m.room.message", &file).await;
    until_found(&alice, &it, 4).await;
    for (filter, expected) in [
        (json!({ "rooms": [one] }), vec![&theirs, &mine]),
        (json!({ "not_rooms": [one] }), vec![&file, &other]),
        (json!({ "rooms": [] }), vec![]),
        (json!({ "senders": [bob.user_id()] }), vec![&other, &theirs]),
        (json!({ "senders": ["@nobody:localhost"] }), vec![]),
        (json!({ "not_senders": [bob.user_id()] }), vec![&file, &mine]),
        (json!({ "types": ["m.room.m*"], "contains_url": true }), vec![&file]),
        (json!({ "contains_url": false, "rooms": [two] }), vec![&other]),
        (json!({ "not_types": ["m.room.message"] }), vec![]),
        (json!({ "types": ["m.room.name"] }), vec![]),
        (json!({ "rooms": ["!elsewhere:localhost"] }), vec![]),
    ] {
        let answer = search(&alice, &it, json!({ "filter": filter, "order_by": "recent" })).await;
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        assert_eq!(
            (found(&answer), &answer["count"]),
            (expected.clone(), &json!(expected.len())),
            "{filter}"
        );
    }
    let answer = search(&alice, &it, json!({ "filter": { "limit": 1 }, "order_by": "recent" })).await;
    assert_eq!((found(&answer), &answer["count"]), (vec![file], &json!(4)));
}

async fn edits_are_found_by_their_newest_text(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let (old, new, newest) = (word("stare"), word("nowe"), word("najnowsze"));
    let message = alice.text(&room, &old).await;
    let edit = async |by: &harness::Client, text: &str| {
        by.send(
            &room,
            "m.room.message",
            &json!({
                "msgtype": "m.text", "body": format!("* {text}"),
                "m.new_content": { "msgtype": "m.text", "body": text },
                "m.relates_to": { "rel_type": "m.replace", "event_id": message },
            }),
        )
        .await
    };
    until_found(&alice, &old, 1).await;
    edit(&alice, &new).await;
    assert_eq!(found(&until_found(&bob, &new, 1).await), [message.clone()]);
    finds_nothing(&bob, &old).await;
    let last = edit(&alice, &newest).await;
    assert_eq!(found(&until_found(&bob, &newest, 1).await), [message.clone()]);
    finds_nothing(&bob, &new).await;
    let forged = word("podrobione");
    edit(&bob, &forged).await;
    // Without the last edit the one before it stands again.
    alice.redact(&room, &last).await;
    assert_eq!(found(&until_found(&bob, &new, 1).await), [message.clone()]);
    finds_nothing(&bob, &newest).await;
    finds_nothing(&bob, &forged).await;
    alice.redact(&room, &message).await;
    until_found(&bob, &new, 0).await;
    finds_nothing(&bob, &old).await;
}

async fn redacted_messages_are_not_found(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let it = word("usuniete");
    let gone = alice.text(&room, &format!("{it} tajne")).await;
    let stays = alice.text(&room, &it).await;
    until_found(&alice, &it, 2).await;
    alice.redact(&room, &gone).await;
    for order in ["rank", "recent"] {
        // At once, even before the index knows.
        let answer = search(&alice, &it, json!({ "order_by": order })).await;
        assert_eq!((found(&answer), &answer["count"]), (vec![stays.clone()], &json!(1)), "{answer}");
    }
    let answer = until_found(&alice, &it, 1).await;
    assert!(!answer.to_string().contains("tajne"), "{answer}");
}

async fn encrypted_events_are_not_found(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let it = word("szyfr");
    let content = json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": it, "body": it });
    alice.send(&room, "m.room.encrypted", &content).await;
    let odd = json!({ "msgtype": "m.text", "body": { "text": it } });
    alice.send(&room, "m.room.message", &odd).await;
    let after = word("potem");
    alice.text(&room, &after).await;
    until_found(&alice, &after, 1).await;
    finds_nothing(&alice, &it).await;
}

async fn results_come_with_what_stands_around_them(server: Homeserver) {
    let alice = server.register("alice").await;
    let path = format!("/profile/{}/displayname", enc(alice.user_id()));
    alice.put(&path, &json!({ "displayname": "Alice Before" })).await.ok();
    let room = alice.create_room(json!({})).await;
    let it = word("srodek");
    let mut events = Vec::new();
    for number in 0..15 {
        let text = if number == 3 || number == 9 { format!("{it} {number}") } else { format!("nr {number}") };
        events.push(alice.text(&room, &text).await);
    }
    until_found(&alice, &it, 2).await;
    alice.put(&path, &json!({ "displayname": "Alice After" })).await.ok();
    let wish = json!({ "event_context": { "before_limit": 2, "after_limit": 3, "include_profile": true }, "order_by": "recent" });
    let answer = search(&alice, &it, wish).await;
    assert_eq!(found(&answer), [events[9].clone(), events[3].clone()]);
    for (result, at) in [(&answer["results"][0], 9), (&answer["results"][1], 3)] {
        let context = &result["context"];
        assert_eq!(ids(&context["events_before"]), [events[at - 1].clone(), events[at - 2].clone()]);
        assert_eq!(ids(&context["events_after"]), events[at + 1..at + 4]);
        assert_eq!(context["profile_info"][alice.user_id()]["displayname"], "Alice Before", "{context}");
        let (start, end) = (context["start"].as_str().unwrap(), context["end"].as_str().unwrap());
        let back = format!("/rooms/{}/messages?dir=b&limit=1&from={}", enc(&room), enc(start));
        let on = format!("/rooms/{}/messages?dir=f&limit=1&from={}", enc(&room), enc(end));
        assert_eq!(ids(&alice.get(&on).await.ok()["chunk"]), events[at + 4..=at + 4]);
        let before = ids(&alice.get(&back).await.ok()["chunk"]);
        assert!(at < 4 || before == events[at - 3..=at - 3], "{before:?}");
    }
    let wish = json!({ "event_context": {} });
    let answer = search(&alice, &format!("{it} 9"), wish).await;
    let context = &answer["results"][0]["context"];
    assert_eq!((ids(&context["events_before"]).len(), ids(&context["events_after"]).len()), (5, 5));
    assert!(context.get("profile_info").is_none(), "{context}");
}

async fn results_come_with_the_state_of_their_rooms(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let it = word("stan");
    bob.text(&room, &it).await;
    alice.set_state(&room, "m.room.topic", "", &json!({ "topic": "before" })).await;
    until_found(&bob, &it, 1).await;
    bob.leave(&room).await;
    alice.set_state(&room, "m.room.topic", "", &json!({ "topic": "after" })).await;
    for (client, topic) in [(&alice, "after"), (&bob, "before")] {
        let answer = search(client, &it, json!({ "include_state": true })).await;
        let state = answer["state"][&room].as_array().unwrap();
        let topics: Vec<_> = state.iter().filter(|event| event["type"] == "m.room.topic").collect();
        assert_eq!((topics.len(), &topics[0]["content"]["topic"]), (1, &json!(topic)), "{answer}");
        assert!(state.iter().any(|event| event["type"] == "m.room.create"));
    }
}

async fn the_message_that_says_it_best_comes_first(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let it = word("faktura");
    let short = alice.text(&room, &format!("{it} zapłacona")).await;
    let long = alice.text(&room, &format!("{it} {}", "jest jednym z wielu słów ".repeat(10))).await;
    let longer_word = alice.text(&room, &format!("{it}mi zapłacona")).await;
    let answer = until_found(&alice, &it, 3).await;
    assert_eq!(found(&answer), [longer_word.clone(), long.clone(), short.clone()], "the newest first");
    let answer = search(&alice, &it, json!({})).await;
    assert_eq!(found(&answer), [short, longer_word, long]);
    let ranks: Vec<f64> =
        answer["results"].as_array().unwrap().iter().map(|result| result["rank"].as_f64().unwrap()).collect();
    assert!(ranks.is_sorted_by(|a, b| a > b) && ranks[2] > 0.0, "{ranks:?}");
}

async fn a_replaced_room_is_searched_with_its_successor(server: Homeserver) {
    let alice = server.register("alice").await;
    let old = alice.create_room(json!({ "room_version": "11" })).await;
    let it = word("dawno");
    let before = alice.text(&old, &it).await;
    let upgraded =
        alice.post(&format!("/rooms/{}/upgrade", enc(&old)), &json!({ "new_version": "12" })).await;
    let new = upgraded.ok()["replacement_room"].as_str().unwrap().to_owned();
    let after = alice.text(&new, &it).await;
    until_found(&alice, &it, 2).await;
    for (rooms, expected) in [(json!([new]), vec![after, before.clone()]), (json!([old]), vec![before])] {
        let answer = search(&alice, &it, json!({ "filter": { "rooms": rooms }, "order_by": "recent" })).await;
        assert_eq!(found(&answer), expected, "{rooms}");
    }
}

async fn odd_requests_are_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    let post = async |wanted: serde_json::Value| {
        alice.post("/search", &json!({ "search_categories": { "room_events": wanted } })).await
    };
    post(json!({})).await.refused();
    post(json!({ "search_term": 5 })).await.refused();
    post(json!({ "search_term": "x", "order_by": "colour" })).await.err(400, "M_INVALID_PARAM");
    post(json!({ "search_term": "x", "keys": ["content.other"] })).await.err(400, "M_INVALID_PARAM");
    post(json!({ "search_term": "x", "filter": { "rooms": [5] } })).await.refused();
    post(json!({ "search_term": "x", "groupings": { "group_by": [{ "key": "day" }] } })).await.refused();
    post(json!({ "search_term": "x".repeat(5_000) })).await.err(400, "M_INVALID_PARAM");
    let good = json!({ "search_categories": { "room_events": { "search_term": "x" } } });
    for token in ["forged", "q1_1_2", "q1_1_2_3_z4"] {
        alice.post(&format!("/search?next_batch={token}"), &good).await.err(400, "M_INVALID_PARAM");
    }
    alice.post("/search", &json!({})).await.refused();
    let none = alice.post("/search", &json!({ "search_categories": {} })).await.ok();
    assert_eq!(none, json!({ "search_categories": {} }));
    server.anonymous().post("/search", &good).await.err(401, "M_MISSING_TOKEN");
    for term in ["\" OR 1=1 --", "%_*?[", "a\u{0}b", "#s1 #n", "NEAR(a b)", "'", "&|!<->", "\u{202e}\u{feff}"]
    {
        assert_eq!(search(&alice, term, json!({})).await["count"], 0, "{term:?}");
    }
}
