//! A client that does no more than follow sliding sync knows rooms, timelines and state as the
//! server does, whatever happens and however narrow its window is.

use std::collections::{BTreeMap, BTreeSet};

use harness::{Client, Homeserver, both_databases, full_tier};
use serde_json::{Value, json};

use super::Slider;
use crate::client::support::{Dice, in_room, list, text};

both_databases!(a_client_that_slides_knows_what_the_server_knows);

/// What a client knows of one room.
#[derive(Default)]
struct Known {
    joined: bool,
    state: BTreeMap<(String, String), String>,
    /// Newest last; without a gap.
    timeline: Vec<String>,
    name: Option<String>,
    members: i64,
    unread: i64,
}

struct Model {
    slider: Slider,
    rooms: BTreeMap<String, Known>,
}

impl Model {
    /// One request, taken in as the proposal says; sometimes its answer is lost first.
    async fn slide(&mut self, body: &Value, lost: bool) {
        if lost {
            self.slider.ask(body, 0).await.ok();
        }
        let me = self.slider.client.user_id().to_owned();
        let answer = self.slider.slide(body).await;
        for (room, told) in answer["rooms"].as_object().cloned().unwrap_or_default() {
            let known = self.rooms.entry(room).or_default();
            if told["initial"] == true {
                *known = Known::default();
            }
            if told.get("invite_state").is_some() {
                continue;
            }
            known.joined = true;
            learn(known, &told, &me);
        }
    }
}

fn learn(known: &mut Known, told: &Value, me: &str) {
    let timeline: Vec<String> =
        list(&told["timeline"]).iter().map(|event| text(&event["event_id"])).collect();
    if told["limited"] == true || told["unstable_expanded_timeline"] == true {
        known.timeline = timeline;
    } else {
        let fresh = timeline.into_iter().filter(|event| !known.timeline.contains(event)).collect::<Vec<_>>();
        known.timeline.extend(fresh);
    }
    for event in list(&told["required_state"]) {
        let key = (text(&event["type"]), text(&event["state_key"]));
        if key == ("m.room.member".to_owned(), me.to_owned()) {
            known.joined = event["content"]["membership"] == "join";
        }
        known.state.insert(key, text(&event["event_id"]));
    }
    if let Some(name) = told.as_object().and_then(|told| told.get("name")) {
        known.name = name.as_str().map(str::to_owned);
    }
    known.members = told["joined_count"].as_i64().unwrap_or(known.members);
    known.unread = told["notification_count"].as_i64().unwrap_or(known.unread);
}

async fn a_client_that_slides_knows_what_the_server_knows(server: Homeserver) {
    let owner = server.register("owner").await;
    let guest = server.register("guest").await;
    let (seeds, rounds) = if full_tier() { (30, 40) } else { (3, 15) };
    for seed in 0..seeds {
        let client = server.register("slider").await;
        let mut dice = Dice::new(seed);
        let mut rooms = Vec::new();
        for _ in 0..5 {
            let room = owner.public_room().await;
            client.join(&room).await;
            rooms.push(room);
        }
        let mut model = Model { slider: Slider::new(&client), rooms: BTreeMap::new() };
        for round in 0..rounds {
            for _ in 0..dice.below(6) {
                let room = dice.one_of(&rooms).clone();
                happen(&mut dice, &owner, &guest, &client, &room).await;
            }
            if dice.below(4) > 0 {
                let body = request(&mut dice, &rooms);
                model.slide(&body, dice.below(4) == 0).await;
            }
            if dice.below(3) == 0 {
                // With everything within reach the client must know all.
                let body = everything(1 + u32::try_from(dice.below(5)).unwrap());
                model.slide(&body, false).await;
                check(&model, &rooms, &format!("seed {seed}, round {round}")).await;
            }
        }
    }
}

fn everything(limit: u32) -> Value {
    super::list([0, 99], limit, json!([["*", "*"]]))
}

/// A narrow window, other limits, now and then a subscription.
fn request(dice: &mut Dice, rooms: &[String]) -> Value {
    let first = dice.below(3);
    let mut body = super::list(
        [u32::try_from(first).unwrap(), u32::try_from(first + dice.below(3)).unwrap()],
        1 + u32::try_from(dice.below(5)).unwrap(),
        json!([["*", "*"]]),
    );
    if dice.below(3) == 0 {
        let room = dice.one_of(rooms).clone();
        let limit = 1 + dice.below(8);
        body["room_subscriptions"] =
            json!({ room: { "timeline_limit": limit, "required_state": [["*", "*"]] } });
    }
    body
}

/// Compares with what the server says of everything.
async fn check(model: &Model, rooms: &[String], note: &str) {
    let client = &model.slider.client;
    let sync = client.sync(None, 0).await;
    let joined: BTreeSet<&String> =
        model.rooms.iter().filter(|(_, room)| room.joined).map(|(id, _)| id).collect();
    let really = sync["rooms"]["join"].as_object().cloned().unwrap_or_default();
    assert_eq!(joined, really.keys().collect(), "{note}");
    for room in rooms.iter().filter(|room| joined.contains(room)) {
        let known = &model.rooms[room];
        let state = list(&client.get(&in_room(room, "state")).await.ok());
        let state: BTreeMap<(String, String), String> = (state.iter())
            .map(|event| ((text(&event["type"]), text(&event["state_key"])), text(&event["event_id"])))
            .collect();
        assert_eq!(known.state, state, "{note}: state of {room}");
        let mut newest: Vec<String> =
            list(&client.get(&in_room(room, "messages?dir=b&limit=100")).await.ok()["chunk"])
                .iter()
                .map(|event| text(&event["event_id"]))
                .collect();
        newest.truncate(known.timeline.len());
        newest.reverse();
        assert_eq!(known.timeline, newest, "{note}: timeline of {room}");
        let name = state_name(client, room).await;
        assert_eq!(known.name, name, "{note}: name of {room}");
        let told = &really[room];
        assert_eq!(
            json!(known.members),
            told["summary"]["m.joined_member_count"],
            "{note}: members of {room}"
        );
        assert_eq!(json!(known.unread), told["unread_notifications"]["notification_count"], "{note}: {room}");
    }
}

async fn state_name(client: &Client, room: &str) -> Option<String> {
    let answer = client.state(room, "m.room.name", "").await;
    answer.json["name"].as_str().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// Something that changes the room, or the client's place in it, or does not.
async fn happen(dice: &mut Dice, owner: &Client, guest: &Client, client: &Client, room: &str) {
    let value = dice.below(1_000).to_string();
    match dice.below(9) {
        0 => drop(
            owner
                .set_state(room, "dev.kontor.test", &dice.below(3).to_string(), &json!({ "v": value }))
                .await,
        ),
        1 => drop(owner.set_state(room, "m.room.topic", "", &json!({ "topic": value })).await),
        2 => {
            let name = if dice.below(3) == 0 { json!({}) } else { json!({ "name": value }) };
            owner.set_state(room, "m.room.name", "", &name).await;
        }
        3 => {
            let act = *dice.one_of(&["join", "leave"]);
            let answer = guest.post(&in_room(room, act), &json!({})).await;
            assert!(answer.status < 500, "{answer}");
        }
        4 => {
            let act = *dice.one_of(&["join", "join", "leave"]);
            let answer = client.post(&in_room(room, act), &json!({})).await;
            assert!(answer.status < 500, "{answer}");
        }
        5 => {
            let answer = client.get(&in_room(room, "messages?dir=b&limit=1")).await;
            if let Some(event) = answer.json["chunk"][0]["event_id"].as_str() {
                let path = format!("receipt/m.read/{}", harness::enc(event));
                let answer = client.post(&in_room(room, &path), &json!({})).await;
                assert!(answer.status < 500, "{answer}");
            }
        }
        _ => drop(owner.text(room, "said").await),
    }
}
