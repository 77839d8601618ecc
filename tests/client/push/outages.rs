//! Gateways that fail, servers that end, and addresses that nobody may be sent to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use harness::{Db, Homeserver, Server, both_databases, eventually, on_each_database};
use serde_json::json;

use super::support::{Gateway, notification};
use crate::client::website::Reply;

both_databases!(
    a_gateway_that_fails_is_asked_again,
    after_an_outage_only_the_newest_of_each_room_is_told,
    a_gateway_that_never_answers_delays_nobody_else,
    what_was_redacted_or_read_meanwhile_is_not_told,
);

on_each_database!(
    what_was_not_delivered_is_told_after_a_restart,
    what_was_not_delivered_is_told_after_a_crash,
    denied_ranges_are_not_told_anything,
    one_of_several_processes_tells,
);

async fn a_gateway_that_fails_is_asked_again(server: Homeserver) {
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let gateway = Gateway::open().await;
    let room = anna.room_with(&[&bert]).await;
    gateway.tell(&bert, None).await;
    let tries = AtomicUsize::new(0);
    gateway.0.say(move |asked| {
        let message = notification(asked)["type"] == "m.room.message";
        Reply::status(if message && tries.fetch_add(1, Ordering::SeqCst) < 2 { 500 } else { 200 })
    });
    let event = anna.text(&room, "x").await;
    let told = || gateway.events().iter().filter(|told| **told == event).count();
    eventually("three tries", || async { (told() == 3).then_some(()) }).await;
    gateway.told(&anna.text(&room, "y").await, bert.user_id()).await;
    assert_eq!(told(), 3, "once it was taken it is not told again");
}

async fn after_an_outage_only_the_newest_of_each_room_is_told(server: Homeserver) {
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let gateway = Gateway::open().await;
    let (first, second) = (anna.room_with(&[&bert]).await, anna.room_with(&[&bert]).await);
    gateway.tell(&bert, None).await;
    gateway.0.say(|_| Reply::status(503));
    gateway.told(&anna.text(&first, "0").await, bert.user_id()).await;
    let mut newest = Vec::new();
    for room in [&first, &second] {
        for text in ["1", "2", "3", "4", "5"] {
            newest.push(anna.text(room, text).await);
        }
    }
    let (older, newer) = (newest[0].clone(), [newest[4].clone(), newest[9].clone()]);
    let outage = gateway.events().len();
    gateway.0.say(|_| Reply::status(200));
    for event in &newer {
        gateway.told(event, bert.user_id()).await;
    }
    let told = gateway.events().split_off(outage);
    assert!(!told.contains(&older) && told.len() <= 4, "{told:?}");
}

async fn a_gateway_that_never_answers_delays_nobody_else(server: Homeserver) {
    let anna = server.register("anna").await;
    let good = Gateway::open().await;
    // Connections are taken and never answered.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/_matrix/push/v1/notify", silent.local_addr().expect("bound"));
    let mut members = Vec::new();
    for index in 0..6 {
        let member = server.register("member").await;
        if index % 2 == 0 {
            for key in 0..20 {
                let pusher = super::support::pusher(&url, &format!("{}{key}", member.user_id()), None);
                member.post("/pushers/set", &pusher).await.ok();
            }
        } else {
            good.tell(&member, None).await;
        }
        members.push(member);
    }
    let room = anna.room_with(&members.iter().collect::<Vec<_>>()).await;
    let began = std::time::Instant::now();
    for _ in 0..3 {
        let event = anna.text(&room, "x").await;
        for member in members.iter().skip(1).step_by(2) {
            good.told(&event, member.user_id()).await;
        }
    }
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

async fn what_was_redacted_or_read_meanwhile_is_not_told(server: Homeserver) {
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let gateway = Gateway::open().await;
    let (first, second) = (anna.room_with(&[&bert]).await, anna.room_with(&[&bert]).await);
    gateway.tell(&bert, None).await;
    gateway.0.say(|_| Reply::status(503));
    let redacted = anna.text(&first, "a slip of the tongue").await;
    let read = anna.text(&second, "read elsewhere").await;
    gateway.told(&redacted, bert.user_id()).await;
    anna.redact(&first, &redacted).await;
    bert.post(
        &format!("/rooms/{}/receipt/m.read/{}", harness::enc(&second), harness::enc(&read)),
        &json!({}),
    )
    .await
    .ok();
    let outage = gateway.0.asked().len();
    gateway.0.say(|_| Reply::status(200));
    gateway.badge(0).await;
    let later = gateway.0.asked().split_off(outage);
    let content = later.iter().map(notification).find(|told| told.get("event_id").is_some());
    assert_eq!(content, None);
}

async fn what_was_not_delivered_is_told_after_a_restart(db: Db) {
    undelivered(db, Server::restart).await;
}

async fn what_was_not_delivered_is_told_after_a_crash(db: Db) {
    undelivered(db, Server::kill_and_start_again).await;
}

async fn undelivered(db: Db, again: fn(&mut Server)) {
    let mut server = Server::start(db);
    let house = server.homeserver();
    let (anna, bert) = (house.register("anna").await, house.register("bert").await);
    let (dead, good) = (Gateway::open().await, Gateway::open().await);
    let room = anna.room_with(&[&bert]).await;
    dead.set(&bert, "dead", None).await.ok();
    good.set(&bert, "good", None).await.ok();
    dead.0.say(|_| Reply::status(500));
    let event = anna.text(&room, "did you get this").await;
    good.told(&event, "good").await;
    dead.told(&event, "dead").await;
    // Whether it is noted as owed or not yet looked at is a matter of chance, and must not matter.
    let last = anna.text(&room, "and this").await;
    again(&mut server);
    dead.0.say(|_| Reply::status(200));
    dead.told(&last, "dead").await;
    good.told(&last, "good").await;
}

async fn denied_ranges_are_not_told_anything(db: Db) {
    let denied = toml::Value::from(vec!["127.0.0.0/8", "::1/128"]);
    let server = Server::start_with(db, &[("outbound.denied_ip_ranges", denied)]);
    let house = server.homeserver();
    let (anna, bert) = (house.register("anna").await, house.register("bert").await);
    let gateway = Gateway::open().await;
    gateway.tell(&bert, None).await;
    let mut named = super::support::pusher(&gateway.url().replace("127.0.0.1", "localhost"), "named", None);
    named["app_id"] = "by.name".into();
    bert.post("/pushers/set", &named).await.ok();
    let room = anna.room_with(&[&bert]).await;
    anna.text(&room, "x").await;
    eventually("two refusals in the log", || async {
        (server.log().matches("A push gateway takes nothing").count() >= 2).then_some(())
    })
    .await;
    assert!(gateway.0.asked().is_empty());
}

async fn one_of_several_processes_tells(db: Db) {
    if db == Db::Sqlite {
        return;
    }
    let first = Server::start(db);
    let mut second = first.peer("b");
    let house = first.homeserver();
    let (anna, bert) = (house.register("anna").await, house.register("bert").await);
    let gateway = Gateway::open().await;
    let room = anna.room_with(&[&bert]).await;
    gateway.tell(&bert, None).await;
    let there = second.homeserver().client_like(&anna);
    let mut sent = Vec::new();
    for index in 0..10 {
        let writer = if index % 2 == 0 { &anna } else { &there };
        sent.push(writer.text(&room, "x").await);
        gateway.told(&sent[index], bert.user_id()).await;
    }
    assert_eq!(gateway.events(), sent);
    // Whichever leads, the other goes on.
    second.terminate();
    gateway.told(&anna.text(&room, "y").await, bert.user_id()).await;
}
