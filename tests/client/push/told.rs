//! What a gateway is told.

use harness::{Homeserver, both_databases};
use serde_json::json;

use super::support::Gateway;

both_databases!(
    a_message_is_told_in_full,
    a_device_that_wants_ids_is_told_ids,
    an_invitation_is_told_to_the_one_who_is_invited,
    an_encrypted_message_is_told_as_it_is,
    who_left_or_came_later_is_told_nothing,
    ignored_people_make_no_noise,
    every_device_is_told,
);

async fn a_message_is_told_in_full(server: Homeserver) {
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let gateway = Gateway::open().await;
    gateway.tell(&bert, None).await;
    let room = anna.room_with(&[&bert]).await;
    anna.set_state(&room, "m.room.name", "", &json!({ "name": "Canteen" })).await;
    anna.put(&format!("/profile/{}/displayname", anna.user_id()), &json!({ "displayname": "Anna" }))
        .await
        .ok();
    let event = anna.text(&room, "Soup is ready").await;
    let told = gateway.told(&event, bert.user_id()).await;
    assert_eq!(told["room_id"], room.as_str());
    assert_eq!(told["type"], "m.room.message");
    assert_eq!(told["sender"], anna.user_id());
    assert_eq!(told["sender_display_name"], "Anna");
    assert_eq!(told["room_name"], "Canteen");
    assert_eq!(told["content"], json!({ "msgtype": "m.text", "body": "Soup is ready" }));
    assert_eq!(told["counts"], json!({ "unread": 1 }));
    // Two people in the room: the rule for such rooms makes a sound.
    assert_eq!(told["prio"], "high");
    let device = &told["devices"][0];
    assert_eq!(device["tweaks"], json!({ "sound": "default" }));
    assert_eq!(device["data"], json!({ "brand": "phone" }));
    assert_eq!(device["app_id"], "org.example.app");
    assert!(device["pushkey_ts"].as_i64().is_some_and(|ts| ts > 1_000_000_000 && ts < 100_000_000_000));
    assert_eq!(gateway.0.asked()[0].path, "/_matrix/push/v1/notify");
}

async fn a_device_that_wants_ids_is_told_ids(server: Homeserver) {
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let gateway = Gateway::open().await;
    gateway.tell(&bert, Some("event_id_only")).await;
    let room = anna.room_with(&[&bert]).await;
    let event = anna.text(&room, "a secret of the company").await;
    let told = gateway.told(&event, bert.user_id()).await;
    let mut keys: Vec<_> = told.as_object().unwrap().keys().cloned().collect();
    keys.sort();
    assert_eq!(keys, ["counts", "devices", "event_id", "prio", "room_id"]);
    assert_eq!(told["devices"][0]["data"], json!({ "brand": "phone", "format": "event_id_only" }));
    assert!(!gateway.0.asked().iter().any(|asked| asked.json.to_string().contains("secret")));
}

async fn an_invitation_is_told_to_the_one_who_is_invited(server: Homeserver) {
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let gateway = Gateway::open().await;
    gateway.tell(&bert, None).await;
    let room = anna.create_room(json!({ "preset": "private_chat", "name": "Garden" })).await;
    anna.invite(&room, &bert).await;
    let told = gateway
        .0
        .until("an invitation", |asked| {
            let told = asked.json["notification"].clone();
            (told["type"] == "m.room.member" && told["room_id"] == room.as_str()).then_some(told)
        })
        .await;
    assert_eq!((&told["user_is_target"], &told["counts"]["unread"]), (&json!(true), &json!(1)));
    assert_eq!(told["content"]["membership"], "invite");
    assert_eq!(told["devices"][0]["tweaks"], json!({ "sound": "default" }));
}

async fn an_encrypted_message_is_told_as_it_is(server: Homeserver) {
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let carl = server.register("carl").await;
    let gateway = Gateway::open().await;
    gateway.tell(&bert, None).await;
    let room = anna.room_with(&[&bert, &carl]).await;
    let content = json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AwgAEnACgA" });
    let event = anna.send(&room, "m.room.encrypted", &content).await;
    let told = gateway.told(&event, bert.user_id()).await;
    assert_eq!((&told["content"], &told["prio"]), (&content, &json!("high")));
}

async fn who_left_or_came_later_is_told_nothing(server: Homeserver) {
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let (carl, dora) = (server.register("carl").await, server.register("dora").await);
    let gateway = Gateway::open().await;
    for client in [&bert, &carl, &dora] {
        gateway.tell(client, None).await;
    }
    let room = anna.room_with(&[&bert, &carl]).await;
    let first = anna.text(&room, "first").await;
    gateway.told(&first, bert.user_id()).await;
    gateway.told(&first, carl.user_id()).await;
    carl.leave(&room).await;
    let second = anna.text(&room, "second").await;
    anna.invite(&room, &dora).await;
    dora.join(&room).await;
    let third = anna.text(&room, "third").await;
    gateway.told(&third, dora.user_id()).await;
    gateway.told(&third, bert.user_id()).await;
    let told_to = |key: &str| {
        let told = gateway.0.asked().into_iter().map(|asked| asked.json["notification"].clone());
        let told =
            told.filter(|told| told["devices"][0]["pushkey"] == key && told["type"] == "m.room.message");
        told.map(|told| told["event_id"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told_to(carl.user_id()), [first.clone()]);
    assert_eq!(told_to(dora.user_id()), [third.clone()]);
    assert_eq!(told_to(bert.user_id()), [first, second, third]);
    assert!(!gateway.events().is_empty() && told_to(anna.user_id()).is_empty());
}

async fn ignored_people_make_no_noise(server: Homeserver) {
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let carl = server.register("carl").await;
    let gateway = Gateway::open().await;
    gateway.tell(&bert, None).await;
    let room = anna.room_with(&[&bert, &carl]).await;
    let list = json!({ "ignored_users": { carl.user_id(): {} } });
    let path = format!("/user/{}/account_data/m.ignored_user_list", bert.user_id());
    bert.put(&path, &list).await.ok();
    let unheard = carl.text(&room, "can you hear me").await;
    let heard = anna.text(&room, "lunch").await;
    gateway.told(&heard, bert.user_id()).await;
    assert!(!gateway.events().contains(&unheard));
}

async fn every_device_is_told(server: Homeserver) {
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let tablet = server.login(bert.user_id()).await;
    let (gateway, other) = (Gateway::open().await, Gateway::open().await);
    gateway.set(&bert, "phone", None).await.ok();
    other.set(&tablet, "tablet", Some("event_id_only")).await.ok();
    let room = anna.room_with(&[&bert]).await;
    let event = anna.text(&room, "hello").await;
    assert_eq!(gateway.told(&event, "phone").await["content"]["body"], "hello");
    assert!(other.told(&event, "tablet").await.get("content").is_none());
}
