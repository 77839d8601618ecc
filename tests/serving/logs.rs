//! What stands in the log, and what never does.

use harness::{Db, Server, on_each_database};
use reqwest::Method;
use serde_json::json;

on_each_database!(the_log_contains_no_bodies_passwords_or_tokens);

const CANARIES: [&str; 5] = [
    "canary-of-a-body",
    "canary-of-a-topic",
    "canary-of-a-password",
    "canary-of-a-name",
    "canary-of-a-query",
];

async fn the_log_contains_no_bodies_passwords_or_tokens(db: Db) {
    let mut server = Server::start_with(db, &[("log.level", "trace".into())]);
    let home = server.homeserver();
    let alice = home.register("alice").await;
    let room = alice.public_room().await;
    alice.text(&room, CANARIES[0]).await;
    alice.set_state(&room, "m.room.topic", "", &json!({ "topic": CANARIES[1] })).await;
    let wrong = json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": alice.user_id() },
        "password": CANARIES[2],
    });
    home.anonymous().post("/login", &wrong).await.refused();
    // Malformed bodies must not be quoted either, and events may be refused.
    let torn = format!("{{\"msgtype\": \"m.text\", \"body\": \"{}\"", CANARIES[0]).into_bytes();
    let path = format!("/rooms/{}/send/m.room.message/torn", harness::enc(&room));
    alice.send_bytes(Method::PUT, &path, "application/json", torn).await.refused();
    let float = json!({ "msgtype": "m.text", "body": CANARIES[0], "weight": 1.5 });
    alice.send_txn(&room, "m.room.message", "float", &float).await.refused();
    let profile = format!("/profile/{}/displayname", harness::enc(alice.user_id()));
    alice.put(&profile, &json!({ "displayname": CANARIES[3] })).await.ok();
    alice.get(&format!("/account/whoami?access_token={}", CANARIES[4])).await;
    alice.now().await;
    server.terminate();

    let log = server.log();
    assert!(log.contains("DEBUG") || log.contains("TRACE"), "the log is not as talkative as asked: {log}");
    for secret in CANARIES.iter().chain(&[alice.token(), home.password(), home.shared_secret()]) {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} stands in the log: {line:?}");
    }
}
