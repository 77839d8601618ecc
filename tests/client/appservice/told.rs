//! What application services are told of rooms.

use harness::{Homeserver, both_databases, enc};
use serde_json::{Value, json};

use super::support::{Bridge, Door, word};

both_databases!(
    a_service_is_told_what_happens_in_its_users_rooms_in_order_and_once,
    a_service_is_told_nothing_of_other_rooms,
    a_service_is_told_of_rooms_by_alias_and_by_id,
    what_a_service_is_told_carries_its_room_and_its_token_and_nothing_of_readers,
    many_events_come_in_transactions_of_at_most_a_hundred,
    a_service_that_wants_to_hear_nothing_is_told_nothing,
    each_of_several_services_is_told_its_own,
);

async fn a_service_is_told_what_happens_in_its_users_rooms_in_order_and_once(server: Homeserver) {
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let ghost = bridge.ghost("ghost").await;
    let room = bridge.room(&anna, &ghost).await;
    let mut said = Vec::new();
    for n in 0..10 {
        said.push(anna.text(&room, &format!("{n}")).await);
        said.push(bridge.say(&ghost, &room, &format!("{n} too")).await);
    }
    let last = anna.set_state(&room, "m.room.topic", "", &json!({ "topic": "chairs" })).await;
    said.push(last.clone());
    bridge.door.told(&last).await;
    let ids = bridge.door.ids();
    let messages: Vec<_> = ids.iter().filter(|id| said.contains(id)).cloned().collect();
    assert_eq!(messages, said, "in the order in which they came");
    let member = |event: &&Value| event["type"] == "m.room.member" && event["state_key"] == ghost.as_str();
    let memberships: Vec<_> = bridge
        .door
        .events()
        .iter()
        .filter(member)
        .map(|event| event["content"]["membership"].clone())
        .collect();
    assert_eq!(memberships, [json!("invite"), json!("join")]);
    bridge.close().await;
}

async fn a_service_is_told_nothing_of_other_rooms(server: Homeserver) {
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let ghost = bridge.ghost("ghost").await;
    let (room, secret) = (bridge.room(&anna, &ghost).await, anna.room_with(&[]).await);
    let hidden = anna.text(&secret, "not for bridges").await;
    bridge
        .bot
        .post(&super::support::as_user(&format!("/rooms/{}/leave", enc(&room)), &ghost), &json!({}))
        .await
        .ok();
    let later = anna.text(&room, "they are gone").await;
    let other = bridge.room(&anna, &ghost).await;
    bridge.door.told(&anna.text(&other, "here again").await).await;
    let ids = bridge.door.ids();
    assert!(!ids.contains(&hidden), "nobody of it is in that room");
    assert!(!ids.contains(&later), "nobody of it is there any more");
    let left = bridge.door.events().into_iter().any(|event| event["content"]["membership"] == "leave");
    assert!(left, "its own user's leave is told");
    bridge.close().await;
}

async fn a_service_is_told_of_rooms_by_alias_and_by_id(server: Homeserver) {
    let anna = server.register("anna").await;
    let (by_id, name) = (anna.room_with(&[]).await, word());
    let pattern = by_id.replace('.', "\\.").replace('$', "\\$");
    let namespaces = json!({
        "rooms": [{ "regex": pattern }], "aliases": [{ "regex": format!("#{name}.*") }],
    });
    let bridge = Bridge::open_with(&server, json!({ "namespaces": namespaces })).await;
    bridge.door.told(&anna.text(&by_id, "watched").await).await;
    let room = anna.create_room(json!({ "preset": "private_chat" })).await;
    let before = anna.text(&room, "not yet").await;
    let path = format!("/directory/room/{}", enc(&format!("#{name}:localhost")));
    anna.put(&path, &json!({ "room_id": room })).await.ok();
    bridge.door.told(&anna.text(&room, "now").await).await;
    assert!(!bridge.door.ids().contains(&before));
    anna.delete(&path).await.ok();
    let after = anna.text(&room, "no more").await;
    bridge.door.told(&anna.text(&by_id, "still").await).await;
    assert!(!bridge.door.ids().contains(&after));
    bridge.close().await;
}

async fn what_a_service_is_told_carries_its_room_and_its_token_and_nothing_of_readers(server: Homeserver) {
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let ghost = bridge.ghost("ghost").await;
    let room = bridge.room(&anna, &ghost).await;
    anna.set_state(&room, "m.room.name", "", &json!({ "name": "One" })).await;
    let renamed = anna.set_state(&room, "m.room.name", "", &json!({ "name": "Two" })).await;
    let event = bridge.door.told(&renamed).await;
    assert_eq!(event["room_id"], room.as_str());
    assert_eq!(event["unsigned"]["prev_content"], json!({ "name": "One" }));
    assert!(event["unsigned"]["age"].is_i64() && event["origin_server_ts"].is_i64());
    let said = bridge.door.told(&anna.text(&room, "x").await).await;
    assert_eq!(said["unsigned"].get("transaction_id"), None, "that is the sender's alone");
    let redacted = said["event_id"].as_str().unwrap_or_default().to_owned();
    let redaction = bridge.door.told(&anna.redact(&room, &redacted).await).await;
    assert_eq!(redaction["redacts"], redacted.as_str());
    for asked in bridge.door.site.asked() {
        let head = asked.head.to_lowercase();
        let proof = format!("authorization: bearer {}", bridge.hs_token.to_lowercase());
        assert!(head.starts_with("put ") && head.contains(&proof), "{head}");
    }
    bridge.close().await;
}

async fn many_events_come_in_transactions_of_at_most_a_hundred(server: Homeserver) {
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let ghost = bridge.ghost("ghost").await;
    let room = bridge.room(&anna, &ghost).await;
    bridge.door.told(&anna.text(&room, "before").await).await;
    bridge.door.refuse(Some(503));
    let mut said = Vec::new();
    for n in 0..250 {
        said.push(anna.text(&room, &format!("{n}")).await);
    }
    bridge.door.refuse(None);
    bridge.door.told(&said[249]).await;
    let ids = bridge.door.ids();
    assert!(ids.ends_with(&said), "all of them, in order");
    let sizes: Vec<usize> =
        bridge.door.taken().iter().map(|body| body["events"].as_array().map_or(0, Vec::len)).collect();
    assert!(sizes.iter().all(|size| *size <= 100), "{sizes:?}");
    bridge.close().await;
}

async fn a_service_that_wants_to_hear_nothing_is_told_nothing(server: Homeserver) {
    let silent = Bridge::open_with(&server, json!({ "url": null })).await;
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let (ghost, other) = (silent.ghost("ghost").await, bridge.ghost("ghost").await);
    let room = silent.room(&anna, &ghost).await;
    anna.post(&format!("/rooms/{}/invite", enc(&room)), &json!({ "user_id": other })).await.ok();
    bridge.join(&other, &room).await;
    bridge.door.told(&anna.text(&room, "x").await).await;
    assert!(silent.door.site.asked().is_empty());
    silent.close().await;
    bridge.close().await;
}

async fn each_of_several_services_is_told_its_own(server: Homeserver) {
    let anna = server.register("anna").await;
    let mut bridges = Vec::new();
    for _ in 0..4 {
        bridges.push(Bridge::open(&server).await);
    }
    let mut rooms = Vec::new();
    for bridge in &bridges {
        let ghost = bridge.ghost("ghost").await;
        rooms.push(bridge.room(&anna, &ghost).await);
    }
    let mut said = Vec::new();
    for n in 0..5 {
        for room in &rooms {
            said.push(anna.text(room, &format!("{n}")).await);
        }
    }
    for (index, bridge) in bridges.iter().enumerate() {
        let own: Vec<String> = said.iter().skip(index).step_by(4).cloned().collect();
        bridge.door.told(&own[4]).await;
        let ids = bridge.door.ids();
        let messages: Vec<_> = ids.into_iter().filter(|id| said.contains(id)).collect();
        assert_eq!(messages, own);
    }
    let doors: Vec<&Door> = bridges.iter().map(|bridge| &bridge.door).collect();
    assert!(doors.iter().all(|door| door.taken().iter().all(|body| body.get("ephemeral").is_none())));
    for bridge in bridges {
        bridge.close().await;
    }
}
