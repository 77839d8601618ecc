//! The company's own account: who wrote what, what the bot may do, and until when.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code: failing loudly is its purpose"
)]

#[allow(dead_code, reason = "each test uses what it needs")]
mod support;

use kontor_bridge_kit::{Channel as _, Policy, Whom};
use kontor_emulators::faults::Kind;
use kontor_emulators::telegram::{BOT_ID, OWNER_ID, TOKEN};
use kontor_model::Language;
use serde_json::json;
use support::{Nature, called, event, message, sent, world};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_customer_the_owner_and_the_bot_are_told_apart() {
    let world = world(Nature::Business, false).await;
    let room = world.opened("a").await;
    world.home.says(&room, "Rezerwuję");
    world.sent_exactly("a", &["Rezerwuję"]).await;
    world
        .inject(json!({ "id": "o1", "box": "a", "by": "owner", "type": "text", "text": "Tak, jest." }))
        .await;
    let typed = message(&world, "a", "Sklep: Tak, jest.").await;
    assert_eq!(typed["sender"], kontor_emulators::home::BOT);
    world
        .inject(json!({ "id": "o2", "box": "a", "by": "owner", "type": "message",
            "content": { "text": "Czynne 9-17", "is_from_offline": true } }))
        .await;
    let automatic = message(&world, "a", "automatyczna odpowiedź: Czynne 9-17").await;
    assert_eq!(automatic["content"]["msgtype"], "m.notice");
    // Its own echo came back and was shown to nobody.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    world.shown_exactly("a", &["hello"]).await;
    let echoes = world.events("a").into_iter().filter(|event| event["content"]["body"] == "Sklep: Rezerwuję");
    assert_eq!(echoes.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_unknown_fate_is_resolved_by_its_echo_and_can_be_changed_then() {
    let world = world(Nature::Business, false).await;
    let room = world.opened("a").await;
    world.fault("send", Kind::DropAfter, 1, 502).await;
    let content = json!({ "msgtype": "m.text", "body": "- a\n- b", "format": "org.matrix.custom.html",
        "formatted_body": "<ul><li>a</li><li>b</li></ul>" });
    let said = world.home.act(&room, "m.room.message", content);
    world
        .until("it is resolved", || async { world.rungs("a", &said).pop().filter(|rung| rung == "accepted") })
        .await;
    assert!(world.notices("a", "uncertain").is_empty());
    world.sent_exactly("a", &["• a\n• b"]).await;
    // The echo brought the number with which it can be taken back.
    world.home.redacts(&room, &said);
    let sent = sent(&world, "a", 2).await;
    assert_eq!((&sent[1]["type"], &sent[1]["of"]), (&json!("delete"), &sent[0]["remote"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_and_typing_are_shown_to_the_customer() {
    let world = world(Nature::Business, false).await;
    let room = world.opened("a").await;
    let shown = message(&world, "a", "hello").await;
    let id = shown["event_id"].as_str().unwrap();
    let receipt = json!({ "type": "m.receipt", "room_id": room, "content": { id: { "m.read": { "@anna:stand.in": { "ts": 1 } } } } });
    let typing =
        json!({ "type": "m.typing", "room_id": room, "content": { "user_ids": ["@anna:stand.in"] } });
    let body = json!({ "events": [], "ephemeral": [receipt, typing] });
    // What is read is known a moment after it is shown.
    let mut number = 0;
    while !world.control("calls", json!({})).await.to_string().contains("readbusinessmessage") {
        number += 1;
        assert!(number < 100, "it is never marked as read");
        let url = format!("{}/_matrix/app/v1/transactions/eph{number}", world.bridge());
        let token = kontor_emulators::home::HS_TOKEN;
        let answer = world.client().put(url).bearer_auth(token).json(&body).send().await;
        assert_eq!(answer.unwrap().status(), 200);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(called(&world, "readbusinessmessage").await["message_id"], 1);
    assert_eq!(called(&world, "sendchataction").await["action"], "typing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_ends_or_changes_is_told_and_a_new_one_is_used() {
    let world = world(Nature::Business, false).await;
    let room = world.opened("a").await;
    world.inject(json!({ "box": "a", "type": "connection", "enabled": false })).await;
    world.writes("b", "x", "sync").await;
    message(&world, "b", "sync").await;
    world.home.says(&room, "one");
    let said = message(&world, "a", "kanał jest rozłączony").await;
    assert!(said["content"]["body"].as_str().unwrap().contains("odłączony od konta Telegram"), "{said}");
    let account = format!("business:{OWNER_ID}");
    let told = async |state: &str| {
        let is = |report: &serde_json::Value| {
            report["accounts"][0]["account"] == *account && report["accounts"][0]["state"] == state
        };
        world
            .until("the homeserver is told of the account", || async {
                world.home.health().iter().any(is).then_some(())
            })
            .await;
    };
    told("disconnected").await;
    let only_reading = json!({ "can_read_messages": true });
    world.inject(json!({ "box": "a", "type": "connection", "enabled": true, "rights": only_reading })).await;
    world.writes("b", "y", "sync 2").await;
    message(&world, "b", "sync 2").await;
    world.home.says(&room, "two");
    message(&world, "a", "nie ma prawa pisać").await;
    told("read_only").await;
    // Connected anew, the connection has another id; the conversation stays the same.
    let all = json!({ "can_reply": true, "can_read_messages": true, "can_delete_sent_messages": true });
    world.inject(json!({ "box": "a", "type": "connection", "connection": "bc_new", "rights": all })).await;
    world
        .inject(json!({ "id": "z", "box": "a", "type": "text", "text": "znowu", "connection": "bc_new" }))
        .await;
    message(&world, "a", "znowu").await;
    world.home.says(&room, "three");
    world.sent_exactly("a", &["three"]).await;
    told("connected").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_with_an_account_of_which_nobody_told_is_opened_by_asking() {
    // The bridge is newer than the connection: nobody told it of that.
    let world = world(Nature::Business, false).await;
    world.writes("a", "m", "pierwsza").await;
    message(&world, "a", "pierwsza").await;
    // A connection that is gone: what came by it is shown all the same.
    world
        .inject(
            json!({ "id": "g", "box": "c", "type": "text", "text": "po czasie", "connection": "bc_gone" }),
        )
        .await;
    message(&world, "c", "po czasie").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_phone_button_is_not_for_the_companys_account() {
    let world = world(Nature::Business, false).await;
    let room = world.opened("a").await;
    world.home.says(&room, "!telefon");
    message(&world, "a", "tylko w rozmowach z botem").await;
    assert!(world.sent("a").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_customer_takes_back_is_taken_out_of_the_room() {
    let world = world(Nature::Business, false).await;
    world.writes("a", "m1", "pomyłka").await;
    message(&world, "a", "pomyłka").await;
    world.inject(json!({ "id": "d", "box": "a", "type": "delete", "of": "m1" })).await;
    event(&world, "a", "the deletion", |event| event["type"] == "m.room.redaction").await;
}

#[test]
fn the_window_is_closed_a_day_after_the_customer_wrote() {
    let settings = json!({ "token": TOKEN });
    let channel = kontor_bridge_telegram::Telegram::new(serde_json::from_value(settings).unwrap()).unwrap();
    let whom = |owner: &str, last: i64| Whom {
        lane: format!("tg:{BOT_ID}:{owner}:5"),
        account: String::new(),
        id_type: String::new(),
        external_id: String::new(),
        language: Language::Polish,
        last_customer_at: last,
    };
    let (day, owner) = (86_400_000, OWNER_ID.to_string());
    assert_eq!(channel.policy(&whom(&owner, 1000), 1000 + day), Policy::Open);
    let Policy::Closed(failure) = channel.policy(&whom(&owner, 1000), 1001 + day) else {
        panic!("still open")
    };
    assert!(failure.text.contains("24 godziny"), "{failure:?}");
    assert_eq!(channel.policy(&whom("-", 1000), 1000 + 9 * day), Policy::Open, "bots have no window");
}
