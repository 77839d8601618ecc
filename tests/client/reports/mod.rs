//! What people report to the administrators.

use std::process::Command;

use crate::client::support::{in_room, list};
use harness::{Client, Db, Homeserver, Server, both_databases, enc, on_each_database, program};
use serde_json::{Value, json};

both_databases!(
    an_event_is_reported_by_those_who_see_it,
    a_report_of_an_event_says_nothing_about_what_exists,
    a_room_is_reported_from_outside_too,
    a_person_is_reported_without_a_common_room,
    a_report_needs_a_reason_which_may_be_blank,
    reporting_the_same_again_replaces_the_report,
    only_administrators_read_reports,
    reports_come_page_by_page_newest_first,
);
on_each_database!(reports_are_listed_on_a_terminal, too_many_reports_are_refused);

const REPORTS: &str = "/_kontor/admin/v1/reports";

async fn reports(admin: &Client, of: &Client) -> Vec<Value> {
    let all = list(&admin.get(&format!("{REPORTS}?limit=1000")).await.ok()["reports"]);
    all.into_iter().filter(|report| report["reporter"] == of.user_id()).collect()
}

async fn an_event_is_reported_by_those_who_see_it(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let root = server.register_admin("root").await;
    let room = alice.room_with(&[&bob]).await;
    let event = alice.text(&room, "rude").await;
    let path = in_room(&room, &format!("report/{}", enc(&event)));
    assert_eq!(bob.post(&path, &json!({ "reason": "it is rude" })).await.ok(), json!({}));
    let kept = reports(&root, &bob).await;
    assert_eq!(kept.len(), 1);
    for (field, value) in [
        ("kind", "event"),
        ("target", event.as_str()),
        ("room_id", room.as_str()),
        ("sender", alice.user_id()),
        ("reason", "it is rude"),
    ] {
        assert_eq!(kept[0][field], value);
    }
    assert!(kept[0]["ts"].as_i64() > Some(0));
    bob.post(&path, &json!({})).await.ok();
}

async fn a_report_of_an_event_says_nothing_about_what_exists(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let root = server.register_admin("root").await;
    let room = alice.create_room(json!({ "preset": "private_chat" })).await;
    let event = alice.text(&room, "secret").await;
    let report = async |room: &str, event: &str| {
        let path = in_room(room, &format!("report/{}", enc(event)));
        bob.post(&path, &json!({ "reason": "x" })).await.err(404, "M_NOT_FOUND")
    };
    let outside = report(&room, &event).await;
    assert_eq!(outside, report(&room, "$nothing").await);
    assert_eq!(outside, report("!nothing:localhost", &event).await);
    alice.invite(&room, &bob).await;
    bob.join(&room).await;
    bob.leave(&room).await;
    assert_eq!(outside, report(&room, &event).await, "who left may not report");
    assert!(reports(&root, &bob).await.is_empty());
}

async fn a_room_is_reported_from_outside_too(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let root = server.register_admin("root").await;
    let room = alice.create_room(json!({ "preset": "private_chat" })).await;
    let body = json!({ "reason": "what a room" });
    let known = bob.post(&in_room(&room, "report"), &body).await.ok();
    let absent = bob.post(&in_room("!nothing:localhost", "report"), &body).await.ok();
    assert_eq!(known, absent, "the two can be told apart");
    let kept = reports(&root, &bob).await;
    assert_eq!((kept.len(), &kept[0]["target"], &kept[0]["kind"]), (1, &json!(room), &json!("room")));
}

async fn a_person_is_reported_without_a_common_room(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let root = server.register_admin("root").await;
    let path = |user: &str| format!("/users/{}/report", enc(user));
    let known = bob.post(&path(alice.user_id()), &json!({ "reason": "rude" })).await.ok();
    let absent = bob.post(&path("@nobody-at-all:localhost"), &json!({ "reason": "rude" })).await.ok();
    assert_eq!(known, absent);
    let kept = reports(&root, &bob).await;
    assert_eq!((kept.len(), &kept[0]["target"]), (1, &json!(alice.user_id())));
    bob.post(&path("nonsense"), &json!({ "reason": "x" })).await.err(400, "M_INVALID_PARAM");
}

async fn a_report_needs_a_reason_which_may_be_blank(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.public_room().await;
    alice.post(&in_room(&room, "report"), &json!({})).await.err(400, "M_BAD_JSON");
    alice.post(&in_room(&room, "report"), &json!({ "reason": 7 })).await.err(400, "M_BAD_JSON");
    alice.post(&in_room(&room, "report"), &json!({ "reason": "" })).await.ok();
    let long = json!({ "reason": "x".repeat(5_000) });
    alice.post(&in_room(&room, "report"), &long).await.err(400, "M_INVALID_PARAM");
    alice.post(&in_room(&room, "report"), &json!({ "reason": "\u{0}" })).await.err(400, "M_INVALID_PARAM");
}

async fn reporting_the_same_again_replaces_the_report(server: Homeserver) {
    let (alice, root) = (server.register("alice").await, server.register_admin("root").await);
    let room = alice.public_room().await;
    for reason in ["first", "second"] {
        alice.post(&in_room(&room, "report"), &json!({ "reason": reason })).await.ok();
    }
    let kept = reports(&root, &alice).await;
    assert_eq!((kept.len(), &kept[0]["reason"]), (1, &json!("second")));
}

async fn only_administrators_read_reports(server: Homeserver) {
    let alice = server.register("alice").await;
    alice.get(REPORTS).await.err(403, "M_FORBIDDEN");
    server.anonymous().get(REPORTS).await.err(401, "M_MISSING_TOKEN");
}

async fn reports_come_page_by_page_newest_first(server: Homeserver) {
    let (alice, root) = (server.register("alice").await, server.register_admin("root").await);
    let mut reported = Vec::new();
    for _ in 0..3 {
        let room = alice.public_room().await;
        alice.post(&in_room(&room, "report"), &json!({ "reason": "x" })).await.ok();
        reported.push(room);
    }
    reported.reverse();
    let (mut found, mut from) = (Vec::new(), String::new());
    while found.len() < 3 {
        let page = root.get(&format!("{REPORTS}?limit=1{from}")).await.ok();
        let of_alice = list(&page["reports"]).into_iter().filter(|r| r["reporter"] == alice.user_id());
        found.extend(of_alice.map(|report| report["target"].as_str().unwrap_or_default().to_owned()));
        from = format!("&from={}", page["next"].as_str().unwrap_or("0"));
    }
    assert_eq!(found, reported);
    root.get(&format!("{REPORTS}?from=nonsense")).await.err(400, "M_INVALID_PARAM");
    root.get(&format!("{REPORTS}?limit=0")).await.err(400, "M_INVALID_PARAM");
}

async fn reports_are_listed_on_a_terminal(db: Db) {
    let server = Server::start(db);
    let home = server.homeserver();
    let (alice, root) = (home.register("alice").await, home.register_admin("root").await);
    let room = alice.public_room().await;
    alice.post(&in_room(&room, "report"), &json!({ "reason": "bad\u{1b}[2J\nroom" })).await.ok();
    let list = |words: &[&str], token: &str| {
        let mut command = Command::new(program("kontorctl"));
        command.args(["--url", home.base_url(), "--lang", "en", "report", "list"]).args(words);
        command.env("KONTORCTL_TOKEN", token).output().expect("kontorctl runs")
    };
    let table = String::from_utf8(list(&[], root.token()).stdout).expect("text");
    assert!(table.contains(&room) && table.contains("bad [2J room"), "{table}");
    let json: Value = serde_json::from_slice(&list(&["-o", "json"], root.token()).stdout).expect("JSON");
    assert_eq!(json["reports"][0]["target"], room);
    assert_eq!(list(&[], alice.token()).status.code(), Some(4));
}

async fn too_many_reports_are_refused(db: Db) {
    let server = Server::start_with(db, &[("rate_limits.enabled", true.into())]);
    let home = server.homeserver();
    let alice = home.register("alice").await;
    let people: Vec<String> = (0..51).map(|number| format!("@p{number}:localhost")).collect();
    for person in &people {
        let localpart = person.trim_start_matches('@').split(':').next().unwrap_or_default();
        home.register_exactly(localpart, false).await;
    }
    let report = async |person: &str| {
        alice.post(&format!("/users/{}/report", enc(person)), &json!({ "reason": "" })).await
    };
    for person in people.iter().take(50) {
        report(person).await.ok();
    }
    report(&people[50]).await.err(429, "M_LIMIT_EXCEEDED");
}
