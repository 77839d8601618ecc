//! Connections: tokens, lost answers, several at once, unknown ones, other processes.

use std::time::Instant;

use harness::{DEADLINE, Db, Homeserver, Server, both_databases, on_each_database, run_claim};
use serde_json::{Value, json};

use super::{Slider, list, rooms, sorted};
use crate::client::support::ids;

both_databases!(
    only_news_are_told,
    a_lost_answer_is_told_again,
    connections_do_not_disturb_one_another,
    unknown_connections_must_begin_anew,
    the_transaction_id_comes_back,
    requests_that_overtake_one_another_do_no_harm,
);
on_each_database!(a_connection_survives_a_restart);

async fn only_news_are_told(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let other = alice.create_room(json!({})).await;
    let body = list([0, 9], 5, json!([["*", "*"]]));
    let mut slider = Slider::new(&alice);
    assert_eq!(rooms(&slider.slide(&body).await), sorted(&[&room, &other]));
    for _ in 0..3 {
        assert!(rooms(&slider.slide(&body).await).is_empty());
    }
    for n in 0..3 {
        let event = alice.text(&room, &n.to_string()).await;
        let answer = slider.slide(&body).await;
        assert_eq!(rooms(&answer), sorted(&[&room]));
        let told = &answer["rooms"][&room];
        assert_eq!((ids(&told["timeline"]), told.get("required_state")), (vec![event], None));
    }
}

async fn a_lost_answer_is_told_again(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let body = list([0, 0], 5, json!([["m.room.topic", ""]]));
    let mut slider = Slider::new(&alice);
    slider.slide(&body).await;
    let event = alice.set_state(&room, "m.room.topic", "", &json!({ "topic": "t" })).await;
    let lower = alice.create_room(json!({})).await;
    let everything = list([0, 9], 5, json!([["m.room.topic", ""]]));
    let mut lost = Vec::new();
    for _ in 0..4 {
        lost.push(slider.ask(&everything, 0).await.ok());
    }
    for answer in &lost {
        assert_eq!(rooms(answer), sorted(&[&room, &lower]));
        assert_eq!(ids(&answer["rooms"][&room]["required_state"]), [event.clone()]);
        assert_eq!(answer["rooms"][&lower]["initial"], true);
    }
    let taken = slider.slide(&everything).await;
    assert_eq!(rooms(&taken), sorted(&[&room, &lower]));
    assert!(rooms(&slider.slide(&everything).await).is_empty());
}

async fn requests_that_overtake_one_another_do_no_harm(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let body = list([0, 9], 5, json!([]));
    let mut slider = Slider::new(&alice);
    slider.slide(&body).await;
    // A poll that the client gave up goes on waiting while the next request is answered.
    let waiting = slider.clone();
    let poll_body = body.clone();
    let given_up = tokio::spawn(async move { waiting.ask(&poll_body, 2_000).await.ok() });
    let mut wider = body.clone();
    wider["room_subscriptions"] = json!({ &room: { "timeline_limit": 20, "required_state": [["*", "*"]] } });
    let answer = slider.slide(&wider).await;
    assert_eq!(rooms(&answer), sorted(&[&room]));
    let event = alice.text(&room, "x").await;
    given_up.await.unwrap();
    let answer = slider.slide(&wider).await;
    assert_eq!(ids(&answer["rooms"][&room]["timeline"]), [event], "{answer}");
}

async fn connections_do_not_disturb_one_another(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let body = |conn: &str| {
        let mut body = list([0, 9], 5, json!([]));
        body["conn_id"] = json!(conn);
        body
    };
    let (mut first, mut second) = (Slider::new(&alice), Slider::new(&alice));
    assert_eq!(rooms(&first.slide(&body("one")).await), sorted(&[&room]));
    assert_eq!(rooms(&second.slide(&body("two")).await), sorted(&[&room]));
    let event = alice.text(&room, "x").await;
    for (slider, conn) in [(&mut first, "one"), (&mut second, "two")] {
        let answer = slider.slide(&body(conn)).await;
        assert_eq!(ids(&answer["rooms"][&room]["timeline"]), [event.clone()]);
    }
    // The token of one is of no use to the other, nor to another device.
    let stolen = Slider { pos: first.pos.clone(), client: alice.clone() };
    assert_eq!(stolen.ask(&body("two"), 0).await.json["errcode"], "M_UNKNOWN_POS");
    let device = server.login(alice.user_id()).await;
    let stolen = Slider { pos: first.pos.clone(), client: device };
    assert_eq!(stolen.ask(&body("one"), 0).await.json["errcode"], "M_UNKNOWN_POS");
    assert!(rooms(&first.slide(&body("one")).await).is_empty());
}

async fn unknown_connections_must_begin_anew(server: Homeserver) {
    let alice = server.register("alice").await;
    let body = list([0, 9], 5, json!([]));
    let newest = {
        let mut slider = Slider::new(&alice);
        slider.slide(&body).await;
        slider.pos.unwrap()
    };
    let ahead = newest.split('_').enumerate().map(|(n, part)| if n == 2 { "999999999999" } else { part });
    let ahead = ahead.collect::<Vec<_>>().join("_");
    for pos in ["x", "k1_", "k1_999999999_1_0_1", "s1_1_0_1", "k1_-1_1_1_1", "0", &ahead] {
        let slider = Slider { client: alice.clone(), pos: Some(pos.to_owned()) };
        let answer = slider.ask(&body, 0).await;
        assert_eq!((answer.status, answer.json["errcode"].clone()), (400, json!("M_UNKNOWN_POS")), "{pos}");
    }
}

async fn the_transaction_id_comes_back(server: Homeserver) {
    let alice = server.register("alice").await;
    let mut slider = Slider::new(&alice);
    assert_eq!(slider.slide(&json!({ "txn_id": "abc" })).await["txn_id"], "abc");
    assert!(slider.slide(&json!({})).await.get("txn_id").is_none());
}

async fn a_connection_survives_a_restart(db: Db) {
    let mut server = Server::start(db);
    let alice = server.homeserver().register("alice").await;
    let room = alice.create_room(json!({})).await;
    let body = list([0, 9], 5, json!([["m.room.create", ""]]));
    let mut slider = Slider::new(&alice);
    slider.slide(&body).await;
    server.restart();
    slider.client = server.homeserver().client_like(&alice);
    let event = slider.client.text(&room, "x").await;
    let answer = slider.slide(&body).await;
    let told = &answer["rooms"][&room];
    assert_eq!((ids(&told["timeline"]), told.get("initial")), (vec![event], None), "{answer}");
    assert!(rooms(&slider.slide(&body).await).is_empty());
}

#[test]
fn any_process_goes_on_with_a_connection() {
    run_claim(each_request_goes_to_another_process, Db::Postgres);
}

async fn each_request_goes_to_another_process(db: Db) {
    let first = Server::start(db);
    let second = first.peer("b");
    let doors = [first.homeserver(), second.homeserver()];
    let alice = doors[0].register("alice").await;
    let room = alice.create_room(json!({})).await;
    let mut slider = Slider::new(&alice);
    let mut seen: Vec<String> = Vec::new();
    for n in 0..10_u32 {
        slider.client = doors[(n % 2) as usize].client_like(&alice);
        // Each asks for more, so that each answer changes what is remembered.
        let body = list([0, 9], n + 1, json!([["m.room.create", ""], ["dev.kontor.test", n.to_string()]]));
        let event = alice.text(&room, &n.to_string()).await;
        let begun = Instant::now();
        let told = loop {
            let answer: Value = slider.slide(&body).await;
            let timeline = ids(&answer["rooms"][&room]["timeline"]);
            let is_first = n == 0 && seen.is_empty();
            assert_eq!(answer["rooms"][&room].get("initial").is_some(), is_first, "{answer}");
            if !timeline.is_empty() {
                break timeline;
            }
            assert!(begun.elapsed() < DEADLINE, "the message was not told");
        };
        assert_eq!(told.last(), Some(&event));
        seen.extend(told);
    }
}
