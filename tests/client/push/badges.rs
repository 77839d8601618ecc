//! The number on the application's icon: conversations with something unread.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::json;

use super::support::Gateway;

both_databases!(
    the_badge_counts_conversations,
    reading_everything_clears_the_badge,
    answering_clears_the_badge,
    a_private_receipt_clears_the_badge,
);

async fn read(client: &Client, room: &str, kind: &str, event: &str) {
    client.post(&format!("/rooms/{}/receipt/{kind}/{}", enc(room), enc(event)), &json!({})).await.ok();
}

async fn the_badge_counts_conversations(server: Homeserver) {
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let gateway = Gateway::open().await;
    let (first, second) = (anna.room_with(&[&bert]).await, anna.room_with(&[&bert]).await);
    gateway.tell(&bert, None).await;
    for (room, unread) in [(&first, 1), (&first, 1), (&second, 2), (&first, 2)] {
        let told = gateway.told(&anna.text(room, "x").await, bert.user_id()).await;
        assert_eq!(told["counts"]["unread"], unread);
    }
    anna.create_room(json!({ "invite": [bert.user_id()] })).await;
    gateway
        .0
        .until("an invitation", |asked| (asked.json["notification"]["counts"]["unread"] == 3).then_some(()))
        .await;
}

async fn reading_everything_clears_the_badge(server: Homeserver) {
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let gateway = Gateway::open().await;
    let (first, second) = (anna.room_with(&[&bert]).await, anna.room_with(&[&bert]).await);
    gateway.tell(&bert, Some("event_id_only")).await;
    let one = anna.text(&first, "x").await;
    let two = anna.text(&second, "x").await;
    gateway.told(&two, bert.user_id()).await;
    read(&bert, &first, "m.read", &one).await;
    let told = gateway.badge(1).await;
    assert_eq!((&told["prio"], told.get("room_id")), (&json!("low"), None));
    read(&bert, &second, "m.read", &two).await;
    gateway.badge(0).await;
    // Nothing more to say when what is read was read.
    let before = gateway.0.asked().len();
    read(&bert, &second, "m.read.private", &two).await;
    let told = gateway.told(&anna.text(&first, "y").await, bert.user_id()).await;
    assert_eq!((told["counts"]["unread"].clone(), gateway.0.asked().len()), (json!(1), before + 1));
}

async fn answering_clears_the_badge(server: Homeserver) {
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let gateway = Gateway::open().await;
    let room = anna.room_with(&[&bert]).await;
    gateway.tell(&bert, None).await;
    gateway.told(&anna.text(&room, "x").await, bert.user_id()).await;
    bert.text(&room, "seen").await;
    gateway.badge(0).await;
}

async fn a_private_receipt_clears_the_badge(server: Homeserver) {
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let gateway = Gateway::open().await;
    let room = anna.room_with(&[&bert]).await;
    gateway.tell(&bert, None).await;
    let event = anna.text(&room, "x").await;
    gateway.told(&event, bert.user_id()).await;
    read(&bert, &room, "m.read.private", &event).await;
    gateway.badge(0).await;
}
