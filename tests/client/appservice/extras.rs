//! Beside events: receipts, typing, presence, messages to devices, device lists, key counts.

use harness::{Client, Db, Homeserver, Server, both_databases, enc, on_each_database};
use serde_json::{Value, json};

use super::support::{Bridge, as_device, as_user, word};

both_databases!(
    who_reads_and_types_is_told_where_it_is_asked_for,
    private_receipts_are_told_of_own_users_only,
    messages_to_devices_of_own_users_are_told_and_taken_along,
    changed_devices_and_key_counts_are_told_where_they_are_asked_for,
    without_being_asked_for_nothing_of_it_is_told,
);

on_each_database!(who_is_online_is_told_where_people_share_a_room);

/// The first event of this type in a transaction's list.
fn passing(body: &Value, kind: &str, room: &str) -> Option<Value> {
    let list = body["ephemeral"].as_array()?;
    list.iter().find(|event| event["type"] == kind && event["room_id"] == room).cloned()
}

async fn read(client: &Client, room: &str, kind: &str, event: &str) {
    let path = format!("/rooms/{}/receipt/{kind}/{}", enc(room), enc(event));
    client.post(&path, &json!({})).await.ok();
}

async fn type_in(client: &Client, room: &str, typing: bool) {
    let path = format!("/rooms/{}/typing/{}", enc(room), enc(client.user_id()));
    client.put(&path, &json!({ "typing": typing, "timeout": 20_000 })).await.ok();
}

async fn who_reads_and_types_is_told_where_it_is_asked_for(server: Homeserver) {
    let bridge = Bridge::open_with(&server, json!({ "receive_ephemeral": true })).await;
    let anna = server.register("anna").await;
    let ghost = bridge.ghost("ghost").await;
    let room = bridge.room(&anna, &ghost).await;
    let (secret, event) = (anna.room_with(&[]).await, bridge.say(&ghost, &room, "x").await);
    let hidden = anna.text(&secret, "x").await;
    read(&anna, &secret, "m.read", &hidden).await;
    type_in(&anna, &secret, true).await;
    type_in(&anna, &room, true).await;
    let typing = |body: &Value| {
        passing(body, "m.typing", &room)
            .filter(|event| event["content"]["user_ids"] == json!([anna.user_id()]))
    };
    bridge.door.until("somebody types", typing).await;
    read(&anna, &room, "m.read", &event).await;
    let receipt = |body: &Value| passing(body, "m.receipt", &room);
    let told = bridge.door.until("a receipt", receipt).await;
    assert!(told["content"][&event]["m.read"][anna.user_id()]["ts"].is_i64(), "{told}");
    type_in(&anna, &room, false).await;
    let still = |body: &Value| {
        passing(body, "m.typing", &room).filter(|event| event["content"]["user_ids"] == json!([]))
    };
    bridge.door.until("nobody types", still).await;
    let all = json!(bridge.door.taken()).to_string();
    assert!(!all.contains(&secret), "nothing of other rooms");
    bridge.close().await;
}

async fn private_receipts_are_told_of_own_users_only(server: Homeserver) {
    let bridge = Bridge::open_with(&server, json!({ "receive_ephemeral": true })).await;
    let anna = server.register("anna").await;
    let ghost = bridge.ghost("ghost").await;
    let room = bridge.room(&anna, &ghost).await;
    let event = anna.text(&room, "x").await;
    read(&anna, &room, "m.read.private", &event).await;
    let path = format!("/rooms/{}/receipt/m.read.private/{}", enc(&room), enc(&event));
    bridge.bot.post(&as_user(&path, &ghost), &json!({})).await.ok();
    let told = bridge.door.until("its own receipt", |body| passing(body, "m.receipt", &room)).await;
    assert!(told["content"][&event]["m.read.private"].get(&ghost).is_some(), "{told}");
    bridge.door.told(&anna.text(&room, "y").await).await;
    let all = json!(bridge.door.taken()).to_string();
    assert!(!all.contains(&format!("\"m.read.private\":{{\"{}", anna.user_id())), "{all}");
    bridge.close().await;
}

async fn messages_to_devices_of_own_users_are_told_and_taken_along(server: Homeserver) {
    let bridge = Bridge::open_with(&server, json!({ "receive_ephemeral": true })).await;
    let anna = server.register("anna").await;
    let ghost = bridge.ghost("ghost").await;
    bridge.bot.put(&as_user("/devices/BRIDGE", &ghost), &json!({})).await;
    let send = async |n: i64| {
        let path = format!("/sendToDevice/org.example.kind/{}", word());
        let messages =
            json!({ &*ghost: { "BRIDGE": { "n": n } }, anna.user_id(): { anna.device_id(): { "n": n } } });
        anna.put(&path, &json!({ "messages": messages })).await.ok();
    };
    bridge.door.refuse(Some(503));
    for n in 0..5 {
        send(n).await;
    }
    bridge.door.refuse(None);
    let key = "de.sorunome.msc2409.to_device";
    let all = async || -> Vec<Value> {
        bridge
            .door
            .taken()
            .iter()
            .flat_map(|body| body[key].as_array().cloned().unwrap_or_default())
            .collect()
    };
    let told =
        harness::eventually("five messages", || async { Some(all().await).filter(|all| all.len() >= 5) })
            .await;
    let numbers: Vec<_> = told.iter().map(|message| message["content"]["n"].clone()).collect();
    assert_eq!(json!(numbers), json!([0, 1, 2, 3, 4]));
    assert_eq!((&told[0]["to_user_id"], &told[0]["to_device_id"]), (&json!(ghost), &json!("BRIDGE")));
    assert_eq!((&told[0]["sender"], &told[0]["type"]), (&json!(anna.user_id()), &json!("org.example.kind")));
    let sync = bridge.bot.get(&as_device("/sync", &ghost, "BRIDGE")).await.ok();
    assert_eq!(sync["to_device"]["events"].as_array().map_or(0, Vec::len), 0, "they were handed over");
    bridge.close().await;
}

/// A device's keys as clients upload them are checked by the server; one-time keys that are not signed
/// are enough to be counted.
async fn changed_devices_and_key_counts_are_told_where_they_are_asked_for(server: Homeserver) {
    let bridge = Bridge::open_with(&server, json!({ "device_lists": true, "receive_ephemeral": true })).await;
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let ghost = bridge.ghost("ghost").await;
    let room = bridge.room(&anna, &ghost).await;
    let lists = |body: &Value, part: &str, user: &str| {
        let list = body["org.matrix.msc3202.device_lists"][part].as_array()?;
        list.iter().any(|name| name == user).then_some(())
    };
    bridge.door.until("anna shares a room", |body| lists(body, "changed", anna.user_id())).await;
    let before = bridge.door.taken().len();
    server.client_like(&anna);
    server.login(anna.user_id()).await;
    let changed = || async {
        bridge.door.taken().iter().skip(before).find_map(|body| lists(body, "changed", anna.user_id()))
    };
    harness::eventually("a new device of anna's", changed).await;
    server.login(bert.user_id()).await;
    let path = format!("/rooms/{}/leave", enc(&room));
    anna.post(&path, &json!({})).await.ok();
    bridge.door.until("anna shares no room any more", |body| lists(body, "left", anna.user_id())).await;
    let all = json!(bridge.door.taken()).to_string();
    assert!(!all.contains(bert.user_id()), "people in other rooms are nothing to it");
    bridge.close().await;
}

async fn without_being_asked_for_nothing_of_it_is_told(server: Homeserver) {
    let (bridge, anna) = (Bridge::open(&server).await, server.register("anna").await);
    let ghost = bridge.ghost("ghost").await;
    let room = bridge.room(&anna, &ghost).await;
    bridge.bot.put(&as_user("/devices/BRIDGE", &ghost), &json!({})).await;
    let event = bridge.say(&ghost, &room, "x").await;
    type_in(&anna, &room, true).await;
    read(&anna, &room, "m.read", &event).await;
    server.login(anna.user_id()).await;
    let path = format!("/sendToDevice/org.example.kind/{}", word());
    anna.put(&path, &json!({ "messages": { &*ghost: { "BRIDGE": {} } } })).await.ok();
    bridge.door.told(&anna.text(&room, "y").await).await;
    for body in bridge.door.taken() {
        let keys: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["events"]);
    }
    let sync = bridge.bot.get(&as_device("/sync", &ghost, "BRIDGE")).await.ok();
    assert_eq!(sync["to_device"]["events"].as_array().map_or(0, Vec::len), 1, "it picks them up itself");
    bridge.close().await;
}

async fn who_is_online_is_told_where_people_share_a_room(db: Db) {
    let process = Server::start_with(db, &[("presence.enabled", true.into())]);
    let server = process.homeserver();
    let bridge = Bridge::open_with(&server, json!({ "receive_ephemeral": true })).await;
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let ghost = bridge.ghost("ghost").await;
    let room = bridge.room(&anna, &ghost).await;
    let say = json!({ "presence": "online", "status_msg": "at the fair" });
    for client in [&bert, &anna] {
        client.put(&format!("/presence/{}/status", enc(client.user_id())), &say).await.ok();
    }
    anna.text(&room, "x").await;
    let online = |body: &Value| {
        let list = body["ephemeral"].as_array()?;
        let of = |event: &&Value| event["type"] == "m.presence" && event["sender"] == anna.user_id();
        list.iter().find(of).map(|event| event["content"].clone())
    };
    let content = bridge.door.until("anna's presence", online).await;
    assert_eq!(content["status_msg"], "at the fair");
    assert!(!json!(bridge.door.taken()).to_string().contains(bert.user_id()));
}
