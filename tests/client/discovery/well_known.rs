//! What the server says of itself: whom to ask for help, and what it can do.

use harness::{Db, Server, on_each_database};
use serde_json::json;

on_each_database!(
    people_to_ask_for_help_are_published_where_there_are_any,
    the_configured_version_of_rooms_is_announced_and_made,
    who_leaves_a_room_has_forgotten_it_where_the_configuration_says_so,
);

async fn people_to_ask_for_help_are_published_where_there_are_any(db: Db) {
    let server = Server::start(db);
    let nobody = server.homeserver().anonymous();
    nobody.get("/.well-known/matrix/support").await.err(404, "M_NOT_FOUND");
    nobody.get("/.well-known/matrix/policy_server").await.err(404, "M_NOT_FOUND");
    let contact = toml::toml! {
        role = "m.role.security"
        email_address = "security@company.example"
    };
    let contacts = toml::Value::Array(vec![toml::Value::Table(contact)]);
    let settings = [("support_contact", contacts), ("support_page", "https://company.example/help".into())];
    let server = Server::start_with(db, &settings);
    let told = server.homeserver().anonymous().get("/.well-known/matrix/support").await.ok();
    assert_eq!(
        told,
        json!({
            "contacts": [{ "role": "m.role.security", "email_address": "security@company.example" }],
            "support_page": "https://company.example/help",
        })
    );
}

async fn the_configured_version_of_rooms_is_announced_and_made(db: Db) {
    let server = Server::start_with(db, &[("rooms.default_version", "11".into())]);
    let alice = server.homeserver().register("alice").await;
    let told = alice.get("/capabilities").await.ok();
    assert_eq!(told["capabilities"]["m.room_versions"]["default"], "11");
    let room = alice.public_room().await;
    assert_eq!(alice.state(&room, "m.room.create", "").await.ok()["room_version"], "11");
}

async fn who_leaves_a_room_has_forgotten_it_where_the_configuration_says_so(db: Db) {
    let server = Server::start_with(db, &[("rooms.forget_on_leave", true.into())]);
    let home = server.homeserver();
    let (alice, bob) = (home.register("alice").await, home.register("bob").await);
    let told = alice.get("/capabilities").await.ok();
    assert_eq!(told["capabilities"]["m.forget_forced_upon_leave"], json!({ "enabled": true }));
    let (left, removed) = (alice.room_with(&[&bob]).await, alice.room_with(&[&bob]).await);
    let since = bob.now().await;
    bob.leave(&left).await;
    alice.kick(&removed, &bob).await;
    let news = bob.sync(Some(&since), 0).await;
    for room in [&left, &removed] {
        assert!(news["rooms"]["leave"][room].is_object(), "the leave is not told: {news}");
        bob.get(&crate::client::support::in_room(room, "messages?dir=b")).await.err(403, "M_FORBIDDEN");
    }
    let filter = json!({ "room": { "include_leave": true } });
    let whole = crate::client::support::sync_with(&bob, None, &filter, "").await;
    assert!(whole["rooms"]["leave"].is_null(), "{whole}");
    alice.invite(&left, &bob).await;
    bob.join(&left).await;
    bob.get(&crate::client::support::in_room(&left, "messages?dir=b")).await.ok();
}
