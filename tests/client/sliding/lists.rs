//! Lists: order, ranges, counts, and rooms that leave them.

use harness::{Homeserver, both_databases};
use serde_json::json;

use super::{PATH, Slider, list, rooms, sorted};
use crate::client::support::{ids, state_event};

both_databases!(
    the_server_announces_sliding_sync,
    a_list_tells_the_most_recent_rooms_and_how_many_there_are,
    a_growing_range_tells_only_the_rooms_that_come_in,
    several_ranges_and_lists_are_told_together,
    a_room_with_news_comes_into_the_range,
    left_rooms_are_told_once_and_kicks_stay,
    requests_out_of_bounds_are_refused,
);

async fn the_server_announces_sliding_sync(server: Homeserver) {
    let versions = server.anonymous().get("/_matrix/client/versions").await.ok();
    assert_eq!(versions["unstable_features"]["org.matrix.simplified_msc3575"], true);
}

async fn a_list_tells_the_most_recent_rooms_and_how_many_there_are(server: Homeserver) {
    let alice = server.register("alice").await;
    let a = alice.create_room(json!({ "name": "A" })).await;
    let b = alice.create_room(json!({ "name": "B" })).await;
    let c = alice.create_room(json!({ "name": "C" })).await;
    let newest = alice.text(&a, "up").await;
    let mut slider = Slider::new(&alice);
    let answer = slider.slide(&list([0, 1], 1, json!([]))).await;
    assert_eq!(rooms(&answer), sorted(&[&a, &c]), "{answer}");
    assert_eq!(answer["lists"]["all"]["count"], 3);
    assert_eq!(answer["rooms"][&a]["initial"], true);
    assert_eq!(answer["rooms"][&a]["name"], "A");
    assert_eq!(ids(&answer["rooms"][&a]["timeline"]), [newest]);
    let stamp = |room: &str| answer["rooms"][room]["bump_stamp"].as_i64().unwrap();
    assert!(stamp(&a) > stamp(&c));
    let _ = b;
}

async fn a_growing_range_tells_only_the_rooms_that_come_in(server: Homeserver) {
    let alice = server.register("alice").await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(alice.create_room(json!({})).await);
    }
    let mut slider = Slider::new(&alice);
    let first = slider.slide(&list([0, 1], 1, json!([]))).await;
    assert_eq!(rooms(&first), sorted(&[&made[4], &made[3]]));
    let second = slider.slide(&list([0, 3], 1, json!([]))).await;
    assert_eq!(rooms(&second), sorted(&[&made[2], &made[1]]));
    let third = slider.slide(&list([0, 99], 1, json!([]))).await;
    assert_eq!(rooms(&third), sorted(&[&made[0]]));
    assert_eq!(third["lists"]["all"]["count"], 5);
    // A smaller range forgets nothing.
    assert!(rooms(&slider.slide(&list([0, 0], 1, json!([]))).await).is_empty());
    let event = alice.text(&made[4], "x").await;
    let fifth = slider.slide(&list([0, 99], 1, json!([]))).await;
    assert_eq!(rooms(&fifth), sorted(&[&made[4]]));
    assert!(fifth["rooms"][&made[4]].get("initial").is_none(), "{fifth}");
    assert_eq!(ids(&fifth["rooms"][&made[4]]["timeline"]), [event]);
}

async fn several_ranges_and_lists_are_told_together(server: Homeserver) {
    let alice = server.register("alice").await;
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(alice.create_room(json!({})).await);
    }
    let body = json!({ "lists": {
        "ends": { "ranges": [[0, 0], [3, 3]], "timeline_limit": 1, "required_state": [["m.room.create", ""]] },
        "first": { "range": [0, 0], "timeline_limit": 3, "required_state": [["m.room.member", "$ME"]] },
        "none": { "ranges": [], "timeline_limit": 1 },
    } });
    let answer = Slider::new(&alice).slide(&body).await;
    assert_eq!(rooms(&answer), sorted(&[&made[3], &made[0]]));
    // What any list wants is told.
    let both = &answer["rooms"][&made[3]];
    assert_eq!(both["timeline"].as_array().unwrap().len(), 3);
    assert!(state_event(&both["required_state"], "m.room.create", "").is_some());
    assert!(state_event(&both["required_state"], "m.room.member", alice.user_id()).is_some());
    let one = &answer["rooms"][&made[0]];
    assert_eq!(one["timeline"].as_array().unwrap().len(), 1);
    assert!(state_event(&one["required_state"], "m.room.member", alice.user_id()).is_none());
    assert_eq!(answer["lists"]["none"]["count"], 4);
}

async fn a_room_with_news_comes_into_the_range(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let old = alice.room_with(&[&bob]).await;
    let new = alice.room_with(&[&bob]).await;
    let body = list([0, 0], 10, json!([]));
    let mut slider = Slider::new(&bob);
    assert_eq!(rooms(&slider.slide(&body).await), sorted(&[&new]));
    let event = alice.text(&old, "hello").await;
    let answer = slider.slide(&body).await;
    assert_eq!(rooms(&answer), sorted(&[&old]));
    let told = &answer["rooms"][&old];
    assert_eq!((told["initial"].clone(), told["num_live"].clone()), (json!(true), json!(1)), "{told}");
    assert_eq!(ids(&told["timeline"]).last(), Some(&event));
    // The room that was pushed out comes back with what it missed.
    let first = alice.text(&new, "one").await;
    let second = alice.text(&old, "two").await;
    let answer = slider.slide(&body).await;
    assert_eq!(ids(&answer["rooms"][&old]["timeline"]), [second]);
    let answer = slider.slide(&list([0, 1], 10, json!([]))).await;
    assert_eq!(rooms(&answer), sorted(&[&new]));
    let told = &answer["rooms"][&new];
    assert_eq!(ids(&told["timeline"]), [first]);
    assert!(told.get("initial").is_none() && told["limited"] == false, "{told}");
}

async fn left_rooms_are_told_once_and_kicks_stay(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let left = alice.room_with(&[&bob]).await;
    let kicked = alice.room_with(&[&bob]).await;
    let long_left = alice.room_with(&[&bob]).await;
    bob.leave(&long_left).await;
    let body = list([0, 99], 10, json!([["m.room.member", "$ME"]]));
    let mut slider = Slider::new(&bob);
    assert_eq!(rooms(&slider.slide(&body).await), sorted(&[&left, &kicked]));
    bob.leave(&left).await;
    alice.kick(&kicked, &bob).await;
    alice.text(&kicked, "not for bob").await;
    let answer = slider.slide(&body).await;
    assert_eq!(rooms(&answer), sorted(&[&left, &kicked]));
    for room in [&left, &kicked] {
        let told = &answer["rooms"][room];
        let own = state_event(&told["required_state"], "m.room.member", bob.user_id()).expect("the leave");
        assert_eq!(own["content"]["membership"], "leave");
        let timeline = ids(&told["timeline"]);
        assert_eq!(timeline, [own["event_id"].as_str().unwrap()], "{told}");
    }
    let answer = slider.slide(&body).await;
    assert!(rooms(&answer).is_empty(), "{answer}");
    // Who was kicked may not have seen it: a new connection is told.
    let anew = Slider::new(&bob).slide(&body).await;
    assert_eq!(rooms(&anew), sorted(&[&kicked]));
    assert_eq!(anew["lists"]["all"]["count"], 1);
    let own = state_event(&anew["rooms"][&kicked]["required_state"], "m.room.member", bob.user_id());
    assert_eq!(own.expect("the kick")["content"]["membership"], "leave");
    assert!(!anew.to_string().contains("not for bob"));
    // Coming back, everything is told again.
    alice.invite(&kicked, &bob).await;
    bob.join(&kicked).await;
    let back = slider.slide(&body).await;
    assert_eq!(rooms(&back), sorted(&[&kicked]));
    assert_eq!(back["rooms"][&kicked]["initial"], true, "{back}");
}

async fn requests_out_of_bounds_are_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    let many = |n: usize| (0..n).map(|i| (i.to_string(), json!({}))).collect::<serde_json::Map<_, _>>();
    for body in [
        json!({ "lists": { "all": { "ranges": [[2, 1]] } } }),
        json!({ "lists": many(101) }),
        json!({ "room_subscriptions": many(501) }),
        json!({ "conn_id": "x".repeat(300) }),
        json!({ "lists": { "all": { "ranges": [[-1, 1]] } } }),
        json!({ "lists": { "all": { "ranges": [[0, 1]], "required_state": [["a"]] } } }),
        json!({ "lists": { "all": { "ranges": [[0, 1]], "required_state": vec![["a", "b"]; 201] } } }),
        json!({ "extensions": { "to_device": { "enabled": true, "since": "x" } } }),
    ] {
        let answer = alice.post(PATH, &body).await;
        assert_eq!(answer.status, 400, "{body}: {answer}");
    }
    let answer = alice.post(&format!("{PATH}?set_presence=asleep"), &json!({})).await;
    assert_eq!(answer.status, 400, "{answer}");
    alice.post(&format!("{PATH}?set_presence=offline&timeout=0"), &json!({})).await.ok();
    let stranger = server.anonymous().post(PATH, &json!({})).await;
    assert_eq!(stranger.status, 401, "{stranger}");
}
