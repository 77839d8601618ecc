//! Required state: what is named, wildcards, `$ME`, `$LAZY`, and what becomes of it.

use harness::{Client, Homeserver, both_databases};
use serde_json::{Value, json};

use super::{Slider, list};
use crate::client::support::{bring_in, ids, keys, state_event};

both_databases!(
    only_the_named_state_is_told,
    wildcards_stand_for_types_and_keys,
    lazy_members_are_those_whose_events_are_told,
    changes_of_state_are_told_once,
    more_state_is_told_when_it_is_asked_for,
    members_come_and_go_without_gaps,
);

async fn told(client: &Client, room: &str, state: Value) -> Vec<(String, String)> {
    let answer = Slider::new(client).slide(&list([0, 9], 1, state)).await;
    keys(&answer["rooms"][room]["required_state"])
}

fn key(kind: &str, key: &str) -> (String, String) {
    (kind.to_owned(), key.to_owned())
}

async fn only_the_named_state_is_told(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    alice.set_state(&room, "m.room.name", "", &json!({ "name": "x" })).await;
    assert!(told(&alice, &room, json!([])).await.is_empty());
    assert_eq!(told(&alice, &room, json!([["m.room.name", ""]])).await, [key("m.room.name", "")]);
    assert!(told(&alice, &room, json!([["m.room.name", "other"]])).await.is_empty());
    let me = told(&alice, &room, json!([["m.room.member", "$ME"]])).await;
    assert_eq!(me, [key("m.room.member", alice.user_id())]);
    let one = told(&alice, &room, json!([["m.room.member", bob.user_id()]])).await;
    assert_eq!(one, [key("m.room.member", bob.user_id())]);
}

async fn wildcards_stand_for_types_and_keys(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.room_with(&[&bob]).await;
    for (kind, of) in [("dev.kontor.a", "1"), ("dev.kontor.a", "2"), ("dev.kontor.b", "1")] {
        alice.set_state(&room, kind, of, &json!({ "x": 1 })).await;
    }
    let a = told(&alice, &room, json!([["dev.kontor.a", "*"]])).await;
    assert_eq!(a, [key("dev.kontor.a", "1"), key("dev.kontor.a", "2")]);
    let ones = told(&alice, &room, json!([["*", "1"]])).await;
    assert_eq!(ones, [key("dev.kontor.a", "1"), key("dev.kontor.b", "1")]);
    let members = told(&alice, &room, json!([["m.room.member", "*"]])).await;
    assert_eq!(members.len(), 2);
    let all = told(&alice, &room, json!([["*", "*"]])).await;
    let state = alice.get(&crate::client::support::in_room(&room, "state")).await.ok();
    assert_eq!(all, keys(&state));
    let lazy = told(&alice, &room, json!([["*", "*"], ["m.room.member", "$LAZY"]])).await;
    assert_eq!(lazy.len(), all.len() - 1, "bob said nothing: {lazy:?}");
}

async fn lazy_members_are_those_whose_events_are_told(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let carol = server.register("carol").await;
    let room = alice.room_with(&[&bob, &carol]).await;
    alice.text(&room, "only alice").await;
    let body = list([0, 9], 1, json!([["m.room.member", "$LAZY"]]));
    let mut slider = Slider::new(&carol);
    let member = |client: &Client| key("m.room.member", client.user_id());
    let answer = slider.slide(&body).await;
    assert_eq!(keys(&answer["rooms"][&room]["required_state"]), [member(&alice)]);
    bob.text(&room, "now bob").await;
    let answer = slider.slide(&body).await;
    assert_eq!(keys(&answer["rooms"][&room]["required_state"]), [member(&bob)]);
    // Those whom the client has are not told again, until a gap.
    bob.text(&room, "bob again").await;
    let answer = slider.slide(&body).await;
    assert!(keys(&answer["rooms"][&room]["required_state"]).is_empty(), "{answer}");
    alice.text(&room, "1").await;
    bob.text(&room, "2").await;
    let answer = slider.slide(&body).await;
    assert_eq!(answer["rooms"][&room]["limited"], true);
    assert_eq!(keys(&answer["rooms"][&room]["required_state"]), [member(&bob)]);
}

async fn changes_of_state_are_told_once(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({ "name": "old" })).await;
    let body = list([0, 9], 1, json!([["m.room.topic", ""], ["m.room.name", ""]]));
    let mut slider = Slider::new(&alice);
    let answer = slider.slide(&body).await;
    assert_eq!(answer["rooms"][&room]["name"], "old");
    let topic = alice.set_state(&room, "m.room.topic", "", &json!({ "topic": "t" })).await;
    alice.set_state(&room, "dev.kontor.unasked", "", &json!({})).await;
    let answer = slider.slide(&body).await;
    let told = &answer["rooms"][&room];
    // Behind a gap of the timeline as well.
    assert_eq!((ids(&told["required_state"]), told["limited"].clone()), (vec![topic], json!(true)), "{told}");
    assert!(told.get("name").is_none() && told.get("initial").is_none(), "{told}");
    alice.set_state(&room, "m.room.name", "", &json!({ "name": "new" })).await;
    alice.set_state(&room, "m.room.avatar", "", &json!({ "url": "mxc://localhost/a" })).await;
    let answer = slider.slide(&body).await;
    assert_eq!(answer["rooms"][&room]["name"], "new");
    assert_eq!(answer["rooms"][&room]["avatar"], "mxc://localhost/a");
    alice.set_state(&room, "m.room.name", "", &json!({})).await;
    alice.set_state(&room, "m.room.avatar", "", &json!({})).await;
    let told = &slider.slide(&body).await["rooms"][&room];
    let null = |field: &str| told.as_object().unwrap().get(field).is_some_and(Value::is_null);
    assert!(null("name") && null("avatar"), "{told}");
    assert!(slider.slide(&body).await["rooms"].as_object().unwrap().is_empty());
}

async fn more_state_is_told_when_it_is_asked_for(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({ "name": "x", "topic": "t" })).await;
    let mut slider = Slider::new(&alice);
    slider.slide(&list([0, 9], 1, json!([["m.room.name", ""]]))).await;
    let more = list([0, 9], 1, json!([["m.room.name", ""], ["m.room.topic", ""]]));
    let answer = slider.slide(&more).await;
    assert_eq!(keys(&answer["rooms"][&room]["required_state"]), [key("m.room.topic", "")]);
    assert!(slider.slide(&more).await["rooms"].as_object().unwrap().is_empty());
    let less = list([0, 9], 1, json!([["m.room.name", ""]]));
    assert!(slider.slide(&less).await["rooms"].as_object().unwrap().is_empty());
    // Through a subscription beside the list.
    let mut both = less.clone();
    both["room_subscriptions"] = json!({ &room: { "timeline_limit": 1, "required_state": [["*", "*"]] } });
    let answer = slider.slide(&both).await;
    let told = &answer["rooms"][&room]["required_state"];
    assert!(state_event(told, "m.room.create", "").is_some(), "{answer}");
    assert!(state_event(told, "m.room.name", "").is_none(), "known already: {answer}");
}

async fn members_come_and_go_without_gaps(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.public_room().await;
    let body = list([0, 9], 10, json!([["m.room.member", "$LAZY"]]));
    let mut slider = Slider::new(&alice);
    let first = slider.slide(&body).await;
    assert_eq!(first["rooms"][&room]["joined_count"], 1);
    bring_in(&alice, &room, &bob).await;
    let answer = slider.slide(&body).await;
    let told = &answer["rooms"][&room];
    assert!(state_event(&told["required_state"], "m.room.member", bob.user_id()).is_some(), "{told}");
    assert_eq!((told["joined_count"].clone(), told["invited_count"].clone()), (json!(2), json!(0)));
    assert_eq!(told["heroes"][0]["user_id"], bob.user_id());
    bob.leave(&room).await;
    let answer = slider.slide(&body).await;
    let told = &answer["rooms"][&room];
    let member = state_event(&told["required_state"], "m.room.member", bob.user_id()).expect("the leave");
    assert_eq!(
        (member["content"]["membership"].clone(), told["joined_count"].clone()),
        (json!("leave"), json!(1))
    );
}
