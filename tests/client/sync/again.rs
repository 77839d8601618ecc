//! `sync.response_cache_seconds`: a client that asks again for an answer that it did not get is given
//! the same one for a while.

use harness::{Client, Db, Server, enc, eventually, on_each_database};
use serde_json::{Value, json};

use crate::client::support::text;

on_each_database!(
    the_same_question_has_the_same_answer,
    it_has_another_one_after_a_while,
    without_the_setting_every_answer_is_new,
    nobody_is_given_what_another_session_was_told,
    a_session_that_ended_is_given_nothing_again,
    a_client_that_was_told_nothing_waits_on,
);

fn with(db: Db, seconds: i64) -> Server {
    Server::start_with(db, &[("sync.response_cache_seconds", seconds.into())])
}

async fn ask(client: &Client, since: Option<&str>) -> Value {
    client.sync(since, 0).await
}

async fn the_same_question_has_the_same_answer(db: Db) {
    let server = with(db, 60);
    let home = server.homeserver();
    let (alice, bob) = (home.register("alice").await, home.register("bob").await);
    let room = alice.room_with(&[&bob]).await;
    let first = ask(&alice, None).await;
    bob.text(&room, "one").await;
    assert_eq!(ask(&alice, None).await, first, "a first answer is given again");
    let since = text(&first["next_batch"]);
    let news = ask(&alice, Some(&since)).await;
    bob.text(&room, "two").await;
    assert_eq!(ask(&alice, Some(&since)).await, news, "and so is a later one");
    // How long the client would wait is no part of what it asks.
    assert_eq!(alice.sync(Some(&since), 1_000).await, news);
    let other = format!("/sync?timeout=0&since={}&filter=%7B%7D", enc(&since));
    assert_ne!(alice.get(&other).await.ok(), news, "another filter is another question");
    let next = ask(&alice, Some(&text(&news["next_batch"]))).await;
    let told = &next["rooms"]["join"][&room]["timeline"]["events"][0]["content"]["body"];
    assert_eq!(told, "two", "nothing is lost: {next}");
}

async fn it_has_another_one_after_a_while(db: Db) {
    let server = with(db, 1);
    let alice = server.homeserver().register("alice").await;
    let room = alice.create_room(json!({})).await;
    let first = ask(&alice, None).await;
    alice.text(&room, "later").await;
    eventually("another answer", || async { (ask(&alice, None).await != first).then_some(()) }).await;
}

async fn without_the_setting_every_answer_is_new(db: Db) {
    let server = Server::start(db);
    let alice = server.homeserver().register("alice").await;
    let room = alice.create_room(json!({})).await;
    let since = alice.now().await;
    alice.text(&room, "one").await;
    let news = ask(&alice, Some(&since)).await;
    alice.text(&room, "two").await;
    assert_ne!(ask(&alice, Some(&since)).await, news);
}

async fn nobody_is_given_what_another_session_was_told(db: Db) {
    let server = with(db, 60);
    let home = server.homeserver();
    let (alice, bob) = (home.register("alice").await, home.register("bob").await);
    let room = alice.room_with(&[&bob]).await;
    let since = alice.now().await;
    alice.text(&room, "one").await;
    ask(&alice, Some(&since)).await;
    alice.text(&room, "two").await;
    let phone = home.login(alice.user_id()).await;
    for other in [&bob, &phone] {
        let told = ask(other, Some(&since)).await;
        let events = told["rooms"]["join"][&room]["timeline"]["events"].as_array().cloned();
        assert_eq!(events.unwrap_or_default().len(), 2, "{told}");
    }
}

async fn a_session_that_ended_is_given_nothing_again(db: Db) {
    let server = with(db, 60);
    let home = server.homeserver();
    let alice = home.register("alice").await;
    let phone = home.login(alice.user_id()).await;
    alice.create_room(json!({})).await;
    for client in [&alice, &phone] {
        ask(client, None).await;
    }
    alice.post("/logout/all", &json!({})).await.ok();
    for client in [&alice, &phone] {
        client.get("/sync?timeout=0").await.err(401, "M_UNKNOWN_TOKEN");
    }
}

async fn a_client_that_was_told_nothing_waits_on(db: Db) {
    let server = with(db, 60);
    let alice = server.homeserver().register("alice").await;
    let room = alice.create_room(json!({})).await;
    let since = alice.now().await;
    // One's own coming may still be told: the client goes on until it is told nothing.
    let quiet = text(&ask(&alice, Some(&since)).await["next_batch"]);
    let nothing = ask(&alice, Some(&quiet)).await;
    assert!(nothing["rooms"].is_null(), "{nothing}");
    alice.text(&room, "one").await;
    let told = ask(&alice, Some(&quiet)).await;
    assert!(told["rooms"]["join"][&room].is_object(), "{told}");
}
