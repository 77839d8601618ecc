//! Which events are told: every kind of push rule.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

use super::support::Gateway;

both_databases!(
    own_messages_and_notices_are_not_told,
    a_mention_stands_out,
    a_muted_room_is_silent_but_for_mentions,
    keywords_senders_and_rooms_have_their_own_rules,
    the_master_rule_silences_everything,
    tweaks_are_those_of_the_first_rule_that_matches,
    hostile_patterns_hold_nobody_up,
);

async fn rule(client: &Client, kind: &str, id: &str, body: Value) {
    client.put(&format!("/pushrules/global/{kind}/{}", enc(id)), &body).await.ok();
}

/// Three people in a room: Anna writes, Bert is told.
async fn three(server: &Homeserver) -> (Client, Client, Client, String, Gateway) {
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let carl = server.register("carl").await;
    let gateway = Gateway::open().await;
    gateway.tell(&bert, None).await;
    let room = anna.room_with(&[&bert, &carl]).await;
    (anna, bert, carl, room, gateway)
}

async fn own_messages_and_notices_are_not_told(server: Homeserver) {
    let (anna, bert, _, room, gateway) = three(&server).await;
    let mine = bert.text(&room, "mine").await;
    let notice = anna.send(&room, "m.room.message", &json!({ "msgtype": "m.notice", "body": "x" })).await;
    let reaction = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": mine, "key": "+" } });
    let reaction = anna.send(&room, "m.reaction", &reaction).await;
    let topic = anna.set_state(&room, "m.room.topic", "", &json!({ "topic": "t" })).await;
    let heard = anna.text(&room, "heard").await;
    let told = gateway.told(&heard, bert.user_id()).await;
    assert_eq!(told["prio"], "low");
    for unheard in [mine, notice, reaction, topic] {
        assert!(!gateway.events().contains(&unheard));
    }
}

async fn a_mention_stands_out(server: Homeserver) {
    let (anna, bert, carl, room, gateway) = three(&server).await;
    let content =
        json!({ "msgtype": "m.text", "body": "you", "m.mentions": { "user_ids": [bert.user_id()] } });
    let told = gateway.told(&anna.send(&room, "m.room.message", &content).await, bert.user_id()).await;
    assert_eq!(told["devices"][0]["tweaks"], json!({ "sound": "default", "highlight": true }));
    let content = json!({ "msgtype": "m.text", "body": "all", "m.mentions": { "room": true } });
    let told = gateway.told(&anna.send(&room, "m.room.message", &content).await, bert.user_id()).await;
    assert_eq!(told["devices"][0]["tweaks"], json!({ "highlight": true }));
    // Carl may not call everybody.
    let told = gateway.told(&carl.send(&room, "m.room.message", &content).await, bert.user_id()).await;
    assert!(told["devices"][0].get("tweaks").is_none());
}

async fn a_muted_room_is_silent_but_for_mentions(server: Homeserver) {
    let (anna, bert, _, room, gateway) = three(&server).await;
    rule(&bert, "room", &room, json!({ "actions": [] })).await;
    let unheard = anna.text(&room, "unheard").await;
    let content = json!({ "msgtype": "m.text", "body": "x", "m.mentions": { "user_ids": [bert.user_id()] } });
    gateway.told(&anna.send(&room, "m.room.message", &content).await, bert.user_id()).await;
    assert!(!gateway.events().contains(&unheard));
}

async fn keywords_senders_and_rooms_have_their_own_rules(server: Homeserver) {
    let (anna, bert, carl, room, gateway) = three(&server).await;
    let quiet = json!({ "actions": [] });
    for id in [".m.rule.message", ".m.rule.encrypted"] {
        bert.put(&format!("/pushrules/global/underride/{id}/actions"), &quiet).await.ok();
    }
    rule(
        &bert,
        "content",
        "cake",
        json!({ "pattern": "ca?e", "actions": ["notify", { "set_tweak": "sound", "value": "bell" }] }),
    )
    .await;
    rule(&bert, "sender", carl.user_id(), json!({ "actions": ["notify"] })).await;
    let unheard = anna.text(&room, "pancakes").await;
    let told = gateway.told(&anna.text(&room, "The CAKE is here").await, bert.user_id()).await;
    assert_eq!(told["devices"][0]["tweaks"], json!({ "sound": "bell" }));
    gateway.told(&carl.text(&room, "it is me").await, bert.user_id()).await;
    rule(&bert, "room", &room, json!({ "actions": ["notify", { "set_tweak": "highlight" }] })).await;
    let told = gateway.told(&anna.text(&room, "anything").await, bert.user_id()).await;
    assert_eq!(told["devices"][0]["tweaks"], json!({ "highlight": true }));
    assert!(!gateway.events().contains(&unheard));
}

async fn the_master_rule_silences_everything(server: Homeserver) {
    let (anna, bert, carl, room, gateway) = three(&server).await;
    let master = "/pushrules/global/override/.m.rule.master/enabled";
    gateway.tell(&carl, None).await;
    bert.put(master, &json!({ "enabled": true })).await.ok();
    let unheard = anna.text(&room, "unheard").await;
    // Rules are asked a moment after the event; when Carl is told, Bert's were asked too.
    gateway.told(&unheard, carl.user_id()).await;
    bert.put(master, &json!({ "enabled": false })).await.ok();
    let heard = anna.text(&room, "heard").await;
    gateway.told(&heard, bert.user_id()).await;
    let told_bert = |event: &str| {
        let mut told = gateway.0.asked().into_iter().map(|asked| asked.json["notification"].clone());
        told.any(|told| told["event_id"] == event && told["devices"][0]["pushkey"] == bert.user_id())
    };
    assert!(told_bert(&heard) && !told_bert(&unheard));
}

async fn tweaks_are_those_of_the_first_rule_that_matches(server: Homeserver) {
    let (anna, bert, _, room, gateway) = three(&server).await;
    let loud = json!({ "actions": ["notify", { "set_tweak": "sound", "value": "horn" }, { "set_tweak": "org.x", "value": 7 }],
        "conditions": [{ "kind": "event_property_is", "key": "content.org\\.urgent", "value": true }] });
    rule(&bert, "override", "loud", loud).await;
    let content = json!({ "msgtype": "m.text", "body": "x", "org.urgent": true, "m.mentions": { "user_ids": [bert.user_id()] } });
    let told = gateway.told(&anna.send(&room, "m.room.message", &content).await, bert.user_id()).await;
    assert_eq!(told["devices"][0]["tweaks"], json!({ "sound": "horn", "org.x": 7 }));
}

async fn hostile_patterns_hold_nobody_up(server: Homeserver) {
    let (anna, bert, _, room, gateway) = three(&server).await;
    for index in 0..50 {
        let pattern = format!("{}b{index}", "*a?".repeat(40));
        rule(&bert, "content", &format!("k{index}"), json!({ "pattern": pattern, "actions": ["notify"] }))
            .await;
    }
    let began = std::time::Instant::now();
    let event = anna.text(&room, &"aa ".repeat(15_000)).await;
    gateway.told(&event, bert.user_id()).await;
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}
