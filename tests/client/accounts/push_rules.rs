//! The endpoints of push rules.

use harness::{Homeserver, both_databases, enc};
use serde_json::json;

use crate::client::support::{is_reference, list, text};

both_databases!(
    the_usual_rules_are_those_of_the_specification,
    a_rule_is_made_changed_and_removed,
    rules_are_put_before_and_after_each_other,
    the_usual_rules_can_be_switched_but_not_removed,
    malformed_rules_are_refused,
);

async fn the_usual_rules_are_those_of_the_specification(server: Homeserver) {
    let alice = server.register("alice").await;
    let rules = alice.get("/pushrules/").await.ok();
    let ids = |kind: &str| {
        list(&rules["global"][kind]).iter().map(|rule| text(&rule["rule_id"])).collect::<Vec<_>>()
    };
    let overrides = ids("override");
    for id in [
        ".m.rule.master",
        ".m.rule.suppress_notices",
        ".m.rule.invite_for_me",
        ".m.rule.member_event",
        ".m.rule.is_user_mention",
        ".m.rule.is_room_mention",
        ".m.rule.tombstone",
        ".m.rule.reaction",
        ".m.rule.room.server_acl",
    ] {
        assert!(overrides.contains(&id.to_owned()), "{id} is not in {overrides:?}");
    }
    assert_eq!(overrides[0], ".m.rule.master");
    let underrides = ids("underride");
    for id in [
        ".m.rule.call",
        ".m.rule.encrypted_room_one_to_one",
        ".m.rule.room_one_to_one",
        ".m.rule.message",
        ".m.rule.encrypted",
    ] {
        assert!(underrides.contains(&id.to_owned()), "{id} is not in {underrides:?}");
    }
    let one = alice.get("/pushrules/global/underride/.m.rule.message").await.ok();
    assert_eq!((&one["default"], &one["enabled"]), (&json!(true), &json!(true)));
    assert_eq!(alice.get("/pushrules/global/").await.ok(), rules["global"]);
}

async fn a_rule_is_made_changed_and_removed(server: Homeserver) {
    let alice = server.register("alice").await;
    let path = "/pushrules/global/content/dev.kontor.word";
    alice.get(path).await.err(404, "M_NOT_FOUND");
    alice.put(path, &json!({ "actions": ["notify"], "pattern": "invoice" })).await.ok();
    let rule = alice.get(path).await.ok();
    assert_eq!((&rule["pattern"], &rule["enabled"]), (&json!("invoice"), &json!(true)));
    assert_eq!(rule["default"], false);
    alice.put(&format!("{path}/enabled"), &json!({ "enabled": false })).await.ok();
    assert_eq!(alice.get(&format!("{path}/enabled")).await.ok(), json!({ "enabled": false }));
    let actions = json!({ "actions": ["notify", { "set_tweak": "highlight" }] });
    alice.put(&format!("{path}/actions"), &actions).await.ok();
    assert_eq!(alice.get(&format!("{path}/actions")).await.ok(), actions);
    alice.delete(path).await.ok();
    alice.get(path).await.err(404, "M_NOT_FOUND");
    alice.delete(path).await.err(404, "M_NOT_FOUND");
    let room = alice.create_room(json!({})).await;
    let path = format!("/pushrules/global/room/{}", enc(&room));
    alice.put(&path, &json!({ "actions": [] })).await.ok();
    assert_eq!(alice.get(&path).await.ok()["rule_id"], room);
}

async fn rules_are_put_before_and_after_each_other(server: Homeserver) {
    let alice = server.register("alice").await;
    let body = json!({ "actions": ["notify"], "pattern": "x" });
    let path = |id: &str| format!("/pushrules/global/content/{id}");
    alice.put(&path("one"), &body).await.ok();
    alice.put(&path("two"), &body).await.ok();
    alice.put(&format!("{}?after=two", path("three")), &body).await.ok();
    alice.put(&format!("{}?before=one", path("four")), &body).await.ok();
    let rules = alice.get("/pushrules/").await.ok();
    let own: Vec<_> = list(&rules["global"]["content"])
        .iter()
        .map(|rule| text(&rule["rule_id"]))
        .filter(|id| !id.starts_with('.'))
        .collect();
    // New rules go to the top.
    assert_eq!(own, ["two", "three", "four", "one"]);
    alice.put(&format!("{}?before=nothing", path("five")), &body).await.refused();
}

async fn the_usual_rules_can_be_switched_but_not_removed(server: Homeserver) {
    let alice = server.register("alice").await;
    let path = "/pushrules/global/override/.m.rule.master";
    alice.put(&format!("{path}/enabled"), &json!({ "enabled": true })).await.ok();
    assert_eq!(alice.get(path).await.ok()["enabled"], true);
    alice.delete(path).await.refused();
    alice.put(path, &json!({ "actions": ["notify"], "conditions": [] })).await.refused();
    alice
        .put("/pushrules/global/override/.dev.own", &json!({ "actions": [], "conditions": [] }))
        .await
        .refused();
    let actions = json!({ "actions": [] });
    alice.put("/pushrules/global/underride/.m.rule.message/actions", &actions).await.ok();
    assert_eq!(alice.get("/pushrules/global/underride/.m.rule.message/actions").await.ok(), actions);
}

async fn malformed_rules_are_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    for (kind, body) in [
        ("content", json!({ "actions": ["notify"] })),
        ("content", json!({ "pattern": "x" })),
        ("content", json!({ "actions": "notify", "pattern": "x" })),
        ("content", json!({ "actions": ["notify"], "pattern": 5 })),
        ("override", json!({ "actions": ["notify"], "conditions": "x" })),
        ("override", json!([])),
        ("elsewhere", json!({ "actions": ["notify"], "pattern": "x" })),
    ] {
        let answer = alice.put(&format!("/pushrules/global/{kind}/dev.kontor.x"), &body).await;
        if !is_reference() {
            answer.refused();
        }
    }
    alice.get("/pushrules/device/x/").await.refused();
    alice.get("/pushrules/global/elsewhere/x").await.refused();
    let enabled = "/pushrules/global/override/.m.rule.master/enabled";
    alice.put(enabled, &json!({ "enabled": "yes" })).await.refused();
    let many = json!({ "actions": ["notify"], "pattern": "x".repeat(70_000) });
    let answer = alice.put("/pushrules/global/content/dev.kontor.x", &many).await;
    assert!(answer.status < 500, "{answer}");
}
