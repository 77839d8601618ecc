//! Beside events: receipts, typing, presence, messages to devices, device lists, key counts.

use harness::{Client, Db, Homeserver, Server, both_databases, enc, on_each_database};
use serde_json::{Value, json};

use super::support::{Bridge, as_device, as_user, client_on, word};
use crate::client::encryption::keyring::Device;

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

/// Whether a transaction tells of a user in this part of the device lists.
fn listed(body: &Value, part: &str, user: &str) -> Option<()> {
    let list = body["org.matrix.msc3202.device_lists"][part].as_array()?;
    list.iter().any(|name| name == user).then_some(())
}

async fn changed_devices_and_key_counts_are_told_where_they_are_asked_for(server: Homeserver) {
    let more = json!({ "device_lists": true, "receive_ephemeral": true });
    let bridge = Bridge::open_with(&server, more).await;
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let ghost = bridge.ghost("ghost").await;
    let room = bridge.room(&anna, &ghost).await;
    bridge.door.until("anna shares a room", |body| listed(body, "changed", anna.user_id())).await;
    let before = bridge.door.taken().len();
    Device::published(&anna).await;
    Device::published(&bert).await;
    let later = || bridge.door.taken().split_off(before);
    let changed = || async { later().iter().find_map(|body| listed(body, "changed", anna.user_id())) };
    harness::eventually("anna's keys", changed).await;

    bridge.bot.put(&as_user("/devices/BRIDGE", &ghost), &json!({})).await;
    let device = Device::of(&client_on(&server, &ghost, bridge.bot.token(), "BRIDGE"));
    let keys = json!({
        "device_keys": device.keys(), "one_time_keys": device.one_time_keys("k", 3),
        "fallback_keys": { "signed_curve25519:f": device.fallback_key() },
    });
    bridge.bot.post(&as_device("/keys/upload", &ghost, "BRIDGE"), &keys).await.ok();
    let counted = |count: i64| {
        let ghost = ghost.clone();
        move |body: &Value| {
            let of = &body["org.matrix.msc3202.device_one_time_keys_count"][&ghost]["BRIDGE"];
            (of["signed_curve25519"] == count).then(|| body.clone())
        }
    };
    let body = bridge.door.until("three keys", counted(3)).await;
    let unused = &body["org.matrix.msc3202.device_unused_fallback_key_types"][&ghost]["BRIDGE"];
    assert_eq!(unused, &json!(["signed_curve25519"]));
    let wish = json!({ "one_time_keys": { &*ghost: { "BRIDGE": "signed_curve25519" } } });
    anna.post("/keys/claim", &wish).await.ok();
    bridge.door.until("one was claimed", counted(2)).await;

    anna.post(&format!("/rooms/{}/leave", enc(&room)), &json!({})).await.ok();
    bridge.door.until("anna shares no room any more", |body| listed(body, "left", anna.user_id())).await;
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
