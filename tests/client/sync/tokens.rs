//! Tokens of `/sync` and `/messages`.

use harness::{Homeserver, both_databases, enc};
use serde_json::json;

use crate::client::support::{ids, in_room, is_reference, text};

both_databases!(
    a_token_may_be_used_twice,
    old_tokens_stay_good,
    forged_sync_tokens_are_refused,
    tokens_from_the_future_are_refused,
    forged_page_tokens_are_refused,
    a_token_is_good_for_all_devices_and_filters,
);

async fn a_token_may_be_used_twice(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let since = alice.now().await;
    let event = alice.text(&room, "x").await;
    for _ in 0..2 {
        let answer = alice.sync(Some(&since), 0).await;
        assert_eq!(ids(&answer["rooms"]["join"][&room]["timeline"]["events"]), [&*event]);
    }
}

async fn old_tokens_stay_good(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let mut tokens = Vec::new();
    let mut sent = Vec::new();
    for n in 0..6 {
        tokens.push(alice.now().await);
        sent.push(alice.text(&room, &format!("{n}")).await);
    }
    for (n, token) in tokens.iter().enumerate() {
        let answer = alice.sync(Some(token), 0).await;
        assert_eq!(ids(&answer["rooms"]["join"][&room]["timeline"]["events"]), sent[n..]);
    }
}

async fn forged_sync_tokens_are_refused(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    for token in [
        "x",
        "s",
        "s1",
        "s1_",
        "s1_1",
        "s1_-1_0_0",
        "s1_1_1_1_1_1_1",
        "s2_1_1_1",
        "s1_99999999999999999999999_0_0",
        "s1_9223372036854775808_0_0",
        "s1_1_99999999999999999999999_0",
        "s1_0x10_0_0",
        "t1_5",
        "../../etc/passwd",
        "' OR 1=1 --",
        "s1_1_1_1\u{0}",
        "☃",
        "-1",
        "0",
        "null",
    ] {
        let answer = alice.get(&format!("/sync?since={}", enc(token))).await;
        assert_eq!(answer.status, 400, "{token}: {answer}");
        answer.refused();
    }
    let long = "s1_1".repeat(2_000);
    alice.get(&format!("/sync?since={long}")).await.refused();
    let bad_timeout = ["-1", "soon", "1.5", "99999999999999999999999999"];
    for timeout in bad_timeout {
        let answer = alice.get(&format!("/sync?timeout={timeout}")).await;
        assert!(answer.status < 500, "{timeout}: {answer}");
    }
}

async fn tokens_from_the_future_are_refused(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let now = alice.now().await;
    let position = |add: i64| {
        let mut parts: Vec<_> = now.split('_').map(str::to_owned).collect();
        parts[1] = (parts[1].parse::<i64>().unwrap() + add).to_string();
        parts.join("_")
    };
    for add in [1_000_000, 1_000_000_000_000] {
        alice.get(&format!("/sync?since={}", enc(&position(add)))).await.err(400, "M_INVALID_PARAM");
        let path = format!("messages?dir=b&from={}", enc(&position(add)));
        alice.get(&in_room(&room, &path)).await.err(400, "M_INVALID_PARAM");
        let path = format!("members?at={}", enc(&position(add)));
        alice.get(&in_room(&room, &path)).await.err(400, "M_INVALID_PARAM");
    }
}

async fn forged_page_tokens_are_refused(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    for token in ["x", "t1_", "t1_x", "t1_1_2_3", "t2_1", "t1_99999999999999999999999", "s1_1", "☃", "1"] {
        for part in ["from", "to"] {
            for dir in ["b", "f"] {
                let path = format!("messages?dir={dir}&{part}={}", enc(token));
                let answer = alice.get(&in_room(&room, &path)).await;
                assert!(answer.status == 400, "{token}: {answer}");
            }
        }
    }
}

async fn a_token_is_good_for_all_devices_and_filters(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let since = alice.now().await;
    let event = alice.text(&room, "x").await;
    let device = server.login(alice.user_id()).await;
    let answer = device.sync(Some(&since), 0).await;
    assert_eq!(ids(&answer["rooms"]["join"][&room]["timeline"]["events"]), [&*event]);
    let next = text(&answer["next_batch"]);
    let filter = enc(&json!({ "room": { "timeline": { "limit": 1 } } }).to_string());
    alice.get(&format!("/sync?since={}&filter={filter}", enc(&next))).await.ok();
}
