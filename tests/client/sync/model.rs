//! A client that does no more than follow syncs knows the room as the server does, whatever happens
//! there and however much of it each answer leaves out.

use std::collections::BTreeMap;

use harness::{Client, Homeserver, both_databases, full_tier};
use serde_json::{Value, json};

use crate::client::support::{Dice, in_room, is_reference, list, sync_with, text};

both_databases!(
    a_client_that_follows_syncs_knows_the_state,
    a_client_that_follows_state_after_knows_the_state,
);

/// Ids of the state events that a client knows, by type and key.
type State = BTreeMap<(String, String), String>;

struct Follower {
    client: Client,
    after: bool,
    since: Option<String>,
    state: State,
}

fn learn(state: &mut State, events: &Value) {
    for event in list(events).iter().filter(|event| event.get("state_key").is_some()) {
        let key = (text(&event["type"]), text(&event["state_key"]));
        state.insert(key, text(&event["event_id"]));
    }
}

impl Follower {
    /// One sync, taken in as the specification says.
    async fn follow(&mut self, room: &str, limit: usize, full: bool) {
        let filter = json!({ "room": { "timeline": { "limit": limit } } });
        let mut more = String::new();
        if self.after {
            more += "&use_state_after=true";
        }
        if full {
            more += "&full_state=true";
        }
        let answer = sync_with(&self.client, self.since.as_deref(), &filter, &more).await;
        self.since = Some(text(&answer["next_batch"]));
        for section in ["join", "leave"] {
            let told = &answer["rooms"][section][room];
            if self.after {
                learn(&mut self.state, &told["state_after"]["events"]);
            } else {
                learn(&mut self.state, &told["state"]["events"]);
                learn(&mut self.state, &told["timeline"]["events"]);
            }
        }
    }

    async fn check(&self, room: &str, note: &str) {
        let answer = self.client.get(&in_room(room, "state")).await.ok();
        let mut known = State::new();
        learn(&mut known, &answer);
        assert_eq!(self.state, known, "{note}");
    }
}

async fn a_client_that_follows_syncs_knows_the_state(server: Homeserver) {
    follow_random_lives(&server, false).await;
}

async fn a_client_that_follows_state_after_knows_the_state(server: Homeserver) {
    // Not in the reference.
    if !is_reference() {
        follow_random_lives(&server, true).await;
    }
}

async fn follow_random_lives(server: &Homeserver, after: bool) {
    let owner = server.register("owner").await;
    let client = server.register("follower").await;
    let guest = server.register("guest").await;
    let (seeds, rounds) = if full_tier() { (60, 30) } else { (3, 15) };
    for seed in 0..seeds {
        let mut dice = Dice::new(seed);
        let room = owner.public_room().await;
        client.join(&room).await;
        let mut follower = Follower { client: client.clone(), after, since: None, state: State::new() };
        follower.follow(&room, 10, false).await;
        let mut joined = true;
        for round in 0..rounds {
            for _ in 0..dice.below(7) {
                happen(&mut dice, &owner, &guest, &room).await;
            }
            if dice.below(5) == 0 {
                let act = if joined { "leave" } else { "join" };
                client.post(&in_room(&room, act), &json!({})).await.ok();
                joined = !joined;
            }
            // Not after each round, so that whole stays and absences are skipped as well.
            if dice.below(3) > 0 {
                let full = dice.below(6) == 0 && joined;
                follower.follow(&room, 1 + dice.below(5), full).await;
                follower.check(&room, &format!("seed {seed}, round {round}, joined {joined}")).await;
            }
        }
    }
}

/// Something that changes the room, or does not.
async fn happen(dice: &mut Dice, owner: &Client, guest: &Client, room: &str) {
    let value = dice.below(1_000);
    match dice.below(6) {
        0 | 1 => {
            let key = dice.below(3).to_string();
            owner.set_state(room, "dev.kontor.test", &key, &json!({ "value": value })).await;
        }
        2 => {
            owner.set_state(room, "m.room.topic", "", &json!({ "topic": value.to_string() })).await;
        }
        3 => {
            let act = *dice.one_of(&["join", "leave"]);
            let answer = guest.post(&in_room(room, act), &json!({})).await;
            assert!(answer.status < 500, "{answer}");
        }
        _ => {
            owner.text(room, "said").await;
        }
    }
}
