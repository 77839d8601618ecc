//! Unread counts and the order of activity.

use harness::{Homeserver, both_databases, enc};
use serde_json::json;

use super::{Slider, list, rooms, sorted};
use crate::client::support::in_room;

both_databases!(unread_counts_are_told, reading_on_is_told_as_counts, bump_stamps_grow_with_messages_only);

async fn unread_counts_are_told(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let mut slider = Slider::new(&bob);
    let body = list([0, 9], 5, json!([]));
    alice.text(&room, "one").await;
    let told = &slider.slide(&body).await["rooms"][&room];
    assert_eq!((told["notification_count"].clone(), told["highlight_count"].clone()), (json!(1), json!(0)));
    alice.text(&room, &format!("{}: two", bob.localpart())).await;
    let told = &slider.slide(&body).await["rooms"][&room];
    let sync = bob.sync(None, 0).await;
    let counts = &sync["rooms"]["join"][&room]["unread_notifications"];
    assert_eq!(told["notification_count"], counts["notification_count"]);
    assert_eq!(told["highlight_count"], counts["highlight_count"]);
    assert_eq!(told["notification_count"], 2);
}

async fn reading_on_is_told_as_counts(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    let event = alice.text(&room, "one").await;
    let mut slider = Slider::new(&bob);
    let body = list([0, 9], 5, json!([]));
    slider.slide(&body).await;
    for kind in ["m.read", "m.read.private"] {
        let event = if kind == "m.read" { event.clone() } else { alice.text(&room, "more").await };
        slider.slide(&body).await;
        bob.post(&in_room(&room, &format!("receipt/{kind}/{}", enc(&event))), &json!({})).await.ok();
        let answer = slider.slide(&body).await;
        let told = &answer["rooms"][&room];
        assert_eq!(told["notification_count"], 0, "{kind}: {answer}");
        assert!(told.get("timeline").is_none() && told.get("initial").is_none(), "{told}");
    }
    assert!(rooms(&slider.slide(&body).await).is_empty());
}

async fn bump_stamps_grow_with_messages_only(server: Homeserver) {
    let alice = server.register("alice").await;
    let quiet = alice.create_room(json!({})).await;
    let loud = alice.create_room(json!({})).await;
    let body = list([0, 9], 1, json!([]));
    let mut slider = Slider::new(&alice);
    let first = slider.slide(&body).await;
    let stamp = |answer: &serde_json::Value, room: &str| answer["rooms"][room]["bump_stamp"].as_i64();
    let before = stamp(&first, &quiet).expect("a stamp");
    alice.text(&loud, "x").await;
    alice.set_state(&quiet, "m.room.topic", "", &json!({ "topic": "t" })).await;
    let second = slider.slide(&body).await;
    assert_eq!(rooms(&second), sorted(&[&quiet, &loud]));
    assert!(stamp(&second, &quiet).is_none_or(|stamp| stamp == before), "{second}");
    assert!(stamp(&second, &loud) > stamp(&first, &loud));
    let again = Slider::new(&alice).slide(&body).await;
    assert_eq!(stamp(&again, &quiet), Some(before));
    assert_eq!(stamp(&again, &loud), stamp(&second, &loud));
}
