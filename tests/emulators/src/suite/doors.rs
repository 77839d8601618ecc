//! Who may come in.

use super::World;
use serde_json::json;

pub async fn forged_stale_and_huge_calls_are_refused_and_nothing_is_stored(world: World) {
    for (how, allowed) in [
        ("signature", [401, 403]),
        ("unsigned", [401, 403]),
        ("stale", [401, 403]),
        ("changed", [401, 403]),
        ("garbage", [400, 400]),
        ("huge", [413, 413]),
    ] {
        let status = world.control("inject", json!({ "forge": how })).await["status"].as_u64();
        // One who sends too much may find the line cut before the answer.
        let cut = how == "huge" && status.is_none();
        assert!(cut || status.is_some_and(|status| allowed.contains(&status)), "{how}: {status:?}");
    }
    world.writes("a", "real", "real").await;
    world.shown_exactly("a", &["real"]).await;
    assert!(world.home.room("forged").is_none());
    assert_eq!(world.home.conversations(), 1);
}

pub async fn only_the_homeserver_may_hand_over_transactions(world: World) {
    let room = world.opened("a").await;
    let content = json!({ "msgtype": "m.text", "body": "forged" });
    let event = json!({
        "event_id": "$forged", "room_id": room, "sender": "@x:y", "type": "m.room.message", "content": content,
    });
    let url = format!("{}/_matrix/app/v1/transactions/forged", world.bridge());
    let body = json!({ "events": [event] });
    for token in ["", "wrong", crate::home::AS_TOKEN] {
        let answer = world.client().put(&url).bearer_auth(token).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 403);
    }
    for garbage in ["", "[]", "{", "{\"events\":1}"] {
        let request = world.client().put(&url).bearer_auth(crate::home::HS_TOKEN).body(garbage);
        assert_eq!(request.send().await.unwrap().status(), 400, "{garbage}");
    }
    // What is no event is passed over.
    let odd =
        json!({ "events": [null, 1, {}, { "room_id": room, "type": "m.room.message", "event_id": 7 }] });
    let request = world.client().put(&url).bearer_auth(crate::home::HS_TOKEN).json(&odd);
    assert_eq!(request.send().await.unwrap().status(), 200);
    world.home.says(&room, "real");
    world.sent_exactly("a", &["real"]).await;
    let dead = format!("{}/_bridge/v1/dead", world.bridge());
    assert_eq!(world.client().get(&dead).send().await.unwrap().status(), 403);
    let request = world.client().get(&dead).bearer_auth(crate::home::HS_TOKEN);
    assert_eq!(request.send().await.unwrap().status(), 200);
}
