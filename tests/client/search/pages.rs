//! Page after page, and results divided into groups.

use std::collections::BTreeSet;

use harness::{Homeserver, both_databases};
use serde_json::{Value, json};

use super::{found, search_from, until_found, word};

both_databases!(pages_tell_every_result_once, groups_are_told_and_paged_by_room_and_sender);

async fn pages_tell_every_result_once(server: Homeserver) {
    let alice = server.register("alice").await;
    let rooms = [alice.create_room(json!({})).await, alice.create_room(json!({})).await];
    let it = word("strona");
    let mut sent = Vec::new();
    for number in 0..25 {
        sent.push(alice.text(&rooms[number % 2], &format!("{it} {}", "x ".repeat(number % 4))).await);
    }
    until_found(&alice, &it, 25).await;
    for order in ["recent", "rank"] {
        let wish = json!({ "order_by": order, "filter": { "limit": 7 } });
        let mut pages: Vec<Vec<String>> = Vec::new();
        let mut ranks: Vec<f64> = Vec::new();
        let mut from: Option<String> = None;
        loop {
            let page = search_from(&alice, &it, wish.clone(), from.as_deref()).await;
            ranks.extend(page["results"].as_array().unwrap().iter().map(|r| r["rank"].as_f64().unwrap()));
            pages.push(found(&page));
            // What comes meanwhile neither is told on later pages nor moves them.
            alice.text(&rooms[0], &it).await;
            let Some(next) = page["next_batch"].as_str() else { break };
            from = Some(next.to_owned());
        }
        let all = pages.concat();
        if order == "recent" {
            assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [7, 7, 7, 4]);
            assert_eq!(all, sent.iter().rev().cloned().collect::<Vec<_>>());
        } else {
            let distinct: BTreeSet<_> = all.iter().collect();
            assert_eq!(distinct.len(), all.len(), "{all:?}");
            assert!(sent.iter().all(|event| distinct.contains(event)));
            assert!(ranks.is_sorted_by(|a, b| a >= b), "{ranks:?}");
        }
    }
}

async fn groups_are_told_and_paged_by_room_and_sender(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let (one, two) = (alice.room_with(&[&bob]).await, alice.room_with(&[&bob]).await);
    let it = word("podzial");
    let mut by_room: [Vec<String>; 2] = Default::default();
    let mut by_sender: [Vec<String>; 2] = Default::default();
    for number in 0..12_usize {
        let (room, sender) = (usize::from(number % 3 == 0), number % 2);
        let client = [&alice, &bob][sender];
        let event = client.text([&one, &two][room], &format!("{it} nr {number}")).await;
        by_room[room].insert(0, event.clone());
        by_sender[sender].insert(0, event);
    }
    until_found(&alice, &it, 12).await;
    let wish = |group: &str| json!({ "order_by": "recent", "filter": { "limit": 4 }, "groupings": { "group_by": [{ "key": group }] } });
    for (key, names, expected) in [
        ("room_id", [one.as_str(), two.as_str()], &by_room),
        ("sender", [alice.user_id(), bob.user_id()], &by_sender),
    ] {
        let first = search_from(&alice, &it, wish(key), None).await;
        let groups = first["groups"][key].as_object().unwrap();
        assert_eq!(groups.len(), 2, "{first}");
        let orders: BTreeSet<i64> = groups.values().map(|group| group["order"].as_i64().unwrap()).collect();
        assert_eq!(orders, BTreeSet::from([1, 2]));
        for (name, expected) in names.iter().zip(expected) {
            let group = &groups[*name];
            let mut seen: Vec<String> =
                group["results"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().into()).collect();
            let mut from = group["next_batch"].as_str().map(str::to_owned);
            while let Some(token) = from {
                let page: Value = search_from(&alice, &it, wish(key), Some(&token)).await;
                assert_eq!(page["count"], expected.len());
                seen.extend(found(&page));
                from = page["next_batch"].as_str().map(str::to_owned);
            }
            assert_eq!(&seen, expected, "{key} {name}");
        }
    }
}
