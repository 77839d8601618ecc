//! "Zapłaciłem": what was paid stands beside the chat.

use std::time::{Duration, Instant};

use harness::{Client, Db, Server, enc, eventually, on_each_database};
use serde_json::{Value, json};

use super::shop::{Shop, known, now, order};
use crate::client::conversations::support::{Channel, Talk, word};

on_each_database!(
    a_payment_stands_beside_the_chat_within_two_seconds,
    a_payment_is_told_once_whatever_crashes,
);

/// The limit.
const LIMIT: Duration = Duration::from_secs(2);

/// What the company said backstage with these words.
async fn told(client: &Client, talk: &Talk, part: &str) -> Vec<Value> {
    let timeline = client.whole_timeline(&talk.backstage).await;
    let about = |event: &Value| {
        event["content"]["msgtype"] == "m.notice"
            && event["content"]["body"].as_str().is_some_and(|body| body.contains(part))
    };
    timeline.into_iter().filter(about).collect()
}

async fn a_payment_stands_beside_the_chat_within_two_seconds(db: Db) {
    let process = Server::start(db);
    let server = process.homeserver();
    let anna = server.register("anna").await;
    let channel = Channel::open_with(&server, &[&anna], json!({ "language": "pl" })).await;
    let customer = word();
    let talk = known(&channel, &customer).await;
    let shop = Shop::open(&channel.admin, "kontor", json!({})).await;
    let email = format!("{customer}@example.com");
    shop.order(&order("727", "created", now() - 5_000, &email)).await;
    channel.say(&talk, "Zapłaciłem").await;
    let mut since = anna.now().await;
    let asked = Instant::now();
    shop.order(&order("727", "paid", now(), &email)).await;
    let body = anna
        .sync_until(&mut since, |sync| {
            let events = harness::timeline(sync, &talk.backstage);
            events.iter().find_map(|event| event["content"]["body"].as_str().map(str::to_owned))
        })
        .await;
    let waited = asked.elapsed();
    assert!(waited < LIMIT, "it took {waited:?}");
    for part in ["Wpłynęła płatność: 129,00 PLN", "zamówienie 727", "BLIK", "Sklep"] {
        assert!(body.contains(part), "{part}: {body}");
    }
    // Told again and again, it is said once; the customer reads none of it.
    for _ in 0..3 {
        shop.order(&order("727", "paid", now(), &email)).await;
    }
    let command = anna.text(&talk.backstage, "!karta").await;
    let card = told(&anna, &talk, "Wpłacono łącznie").await;
    let card =
        card.iter().find(|event| event["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == *command);
    let card = card.unwrap()["content"]["body"].as_str().unwrap().to_owned();
    for part in [
        "Wpłacono łącznie: 129,00 PLN",
        "Zamówienia\n• 727 · 129,00 PLN · opłacone",
        "1× Buty",
        "Płatności",
        "Sklep, ",
    ] {
        assert!(card.contains(part), "{part}: {card}");
    }
    assert_eq!(told(&anna, &talk, "Wpłynęła płatność").await.len(), 1);
    let room = anna.get(&format!("/rooms/{}/messages?dir=b&limit=100", enc(&talk.room))).await.ok();
    assert!(!room.to_string().contains("Wpłynęła"), "{room}");
    channel.close().await;
}

async fn a_payment_is_told_once_whatever_crashes(db: Db) {
    let mut process = Server::start(db);
    let server = process.homeserver();
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let customer = word();
    let talk = known(&channel, &customer).await;
    let shop = Shop::open(&channel.admin, "kontor", json!({})).await;
    let email = format!("{customer}@example.com");
    // What was answered is kept.
    shop.order(&order("1", "paid", now(), &email)).await;
    process.kill_and_start_again();
    shop.order(&order("1", "paid", now(), &email)).await;
    let said = || async {
        let said = told(&anna, &talk, "129").await;
        (!said.is_empty()).then_some(said.len())
    };
    assert_eq!(eventually("it is told", said).await, 1);
    shop.order(&order("1", "refunded", now() + 1, &email)).await;
    let both = || async { (told(&anna, &talk, "129").await.len() == 2).then_some(()) };
    eventually("the refund is told", both).await;
    channel.close().await;
}
