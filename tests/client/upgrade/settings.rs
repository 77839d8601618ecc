//! What people set for a room goes along when they follow it.

use super::upgrade;
use crate::client::support::list;
use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

both_databases!(
    tags_direct_chats_and_push_rules_go_along,
    a_room_that_only_claims_to_replace_another_brings_nothing,
);

fn own(client: &Client, rest: &str) -> String {
    format!("/user/{}/{rest}", enc(client.user_id()))
}

async fn set_up(client: &Client, room: &str, friend: &Client) {
    let tag = own(client, &format!("rooms/{}/tags/m.favourite", enc(room)));
    client.put(&tag, &json!({ "order": 0.5 })).await.ok();
    let direct = json!({ friend.user_id(): [room] });
    client.put(&own(client, "account_data/m.direct"), &direct).await.ok();
    let rule = json!({ "actions": ["notify"] });
    client.put(&format!("/pushrules/global/room/{}", enc(room)), &rule).await.ok();
    let silence = json!({ "actions": [], "conditions": [{ "kind": "event_match", "key": "room_id", "pattern": room }] });
    client.put(&format!("/pushrules/global/override/{}", enc(room)), &silence).await.ok();
}

async fn rules(client: &Client, kind: &str, room: &str) -> Vec<Value> {
    let rules = client.get("/pushrules/").await.ok();
    list(&rules["global"][kind]).into_iter().filter(|rule| rule["rule_id"] == room).collect()
}

async fn tags_direct_chats_and_push_rules_go_along(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let old = alice.create_room(json!({ "preset": "public_chat" })).await;
    bob.join(&old).await;
    set_up(&alice, &old, &bob).await;
    set_up(&bob, &old, &alice).await;
    let new = upgrade(&alice, &old, "12").await;
    bob.join(&new).await;
    for (client, friend) in [(&alice, &bob), (&bob, &alice)] {
        let tags = client.get(&own(client, &format!("rooms/{}/tags", enc(&new)))).await.ok();
        assert_eq!(tags["tags"]["m.favourite"], json!({ "order": 0.5 }));
        let direct = client.get(&own(client, "account_data/m.direct")).await.ok();
        assert_eq!(direct, json!({ friend.user_id(): [old, new] }));
        assert_eq!(rules(client, "room", &new).await.len(), 1);
        let silence = rules(client, "override", &new).await;
        assert_eq!(silence[0]["conditions"][0]["pattern"], new);
    }
}

async fn a_room_that_only_claims_to_replace_another_brings_nothing(server: Homeserver) {
    let (alice, eve) = (server.register("alice").await, server.register("eve").await);
    let old = eve.create_room(json!({ "preset": "public_chat" })).await;
    alice.join(&old).await;
    set_up(&alice, &old, &eve).await;
    let claim = json!({ "predecessor": { "room_id": old } });
    let new = eve.create_room(json!({ "preset": "public_chat", "creation_content": claim })).await;
    alice.join(&new).await;
    let tags = alice.get(&own(&alice, &format!("rooms/{}/tags", enc(&new)))).await.ok();
    assert_eq!(tags["tags"], json!({}));
    assert!(rules(&alice, "room", &new).await.is_empty());
}
