//! Account data: bounds, and what other families of endpoints keep for themselves.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::json;

both_databases!(
    account_data_is_overwritten_and_may_hold_anything,
    account_data_has_bounds,
    account_data_of_rooms_does_not_need_membership_of_others,
    tags_are_sane,
);

fn data(client: &Client, kind: &str) -> String {
    format!("/user/{}/account_data/{}", enc(client.user_id()), enc(kind))
}

async fn account_data_is_overwritten_and_may_hold_anything(server: Homeserver) {
    let alice = server.register("alice").await;
    for content in [
        json!({ "a": 1 }),
        json!({ "fraction": 0.125, "deep": { "list": [null, { "x": "żółw 🐢" }] } }),
        json!({}),
    ] {
        alice.put(&data(&alice, "dev.kontor.test"), &content).await.ok();
        assert_eq!(alice.get(&data(&alice, "dev.kontor.test")).await.ok(), content);
    }
    // People who chat privately: clients keep this list.
    let direct = json!({ "@bob:localhost": ["!room:localhost"] });
    alice.put(&data(&alice, "m.direct"), &direct).await.ok();
    assert_eq!(alice.get(&data(&alice, "m.direct")).await.ok(), direct);
}

async fn account_data_has_bounds(server: Homeserver) {
    if crate::client::support::is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    for body in ["[]", "5", "\"x\"", "null", "{"] {
        let path = data(&alice, "dev.kontor.test");
        alice.send_bytes(reqwest::Method::PUT, &path, "application/json", body.into()).await.refused();
    }
    alice.put(&data(&alice, &"x".repeat(300)), &json!({})).await.refused();
    alice.put(&data(&alice, "m.fully_read"), &json!({ "event_id": "$x" })).await.refused();
    let huge = json!({ "x": "x".repeat(3_000_000) });
    alice.put(&data(&alice, "dev.kontor.test"), &huge).await.refused();
}

async fn account_data_of_rooms_does_not_need_membership_of_others(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let path = |client: &Client| {
        format!("/user/{}/rooms/{}/account_data/dev.kontor.test", enc(client.user_id()), enc(&room))
    };
    alice.put(&path(&alice), &json!({ "of": "alice" })).await.ok();
    bob.get(&path(&bob)).await.err(404, "M_NOT_FOUND");
    bob.get(&path(&alice)).await.err(403, "M_FORBIDDEN");
    let answer = bob.sync(None, 0).await;
    assert!(!answer.to_string().contains("dev.kontor.test"), "{answer}");
}

async fn tags_are_sane(server: Homeserver) {
    if crate::client::support::is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.create_room(json!({})).await;
    let tags = format!("/user/{}/rooms/{}/tags", enc(alice.user_id()), enc(&room));
    assert_eq!(alice.get(&tags).await.ok()["tags"], json!({}));
    for body in [json!([]), json!({ "order": "first" }), json!({ "order": 5 })] {
        let answer = alice.put(&format!("{tags}/u.x"), &body).await;
        assert!(answer.status < 500, "{answer}");
    }
    alice.put(&format!("{tags}/{}", "u".repeat(300)), &json!({})).await.refused();
    bob.get(&tags).await.err(403, "M_FORBIDDEN");
    bob.put(&format!("{tags}/u.y"), &json!({})).await.err(403, "M_FORBIDDEN");
    alice.delete(&format!("{tags}/u.never")).await.ok();
}
