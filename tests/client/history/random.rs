//! Random lives of a room, every door held against the oracle.

use harness::{Client, Homeserver, both_databases, full_tier};
use serde_json::{Value, json};

use super::doors;
use super::oracle::Story;
use crate::client::support::{Dice, ids, in_room, is_reference, room_showing};

both_databases!(every_door_keeps_the_rule_in_random_rooms);

const SETTINGS: [&str; 4] = ["world_readable", "shared", "invited", "joined"];

/// A room, its owner who never leaves, and people who come and go.
struct Life {
    dice: Dice,
    owner: Client,
    people: Vec<Client>,
    room: String,
    messages: Vec<String>,
    /// Where each of the people last synced to, and all event ids they were told since the start.
    tokens: Vec<String>,
    told: Vec<Vec<String>>,
}

async fn every_door_keeps_the_rule_in_random_rooms(server: Homeserver) {
    // The reference shows people their own memberships whatever the setting; the rest agrees.
    if is_reference() {
        return;
    }
    let owner = server.register("owner").await;
    let mut people = Vec::new();
    for name in ["ada", "ben", "cid"] {
        people.push(server.register(name).await);
    }
    let (seeds, steps) = if full_tier() { (50, 50) } else { (6, 30) };
    for seed in 0..seeds {
        let mut life = Life::begin(seed, &owner, &people).await;
        for _ in 0..steps {
            life.step().await;
        }
        life.check(seed).await;
    }
}

impl Life {
    async fn begin(seed: u64, owner: &Client, people: &[Client]) -> Self {
        let mut dice = Dice::new(seed);
        let room = room_showing(owner, SETTINGS[dice.below(4)]).await;
        let mut tokens = Vec::new();
        for person in people {
            tokens.push(person.now().await);
        }
        let (owner, people) = (owner.clone(), people.to_vec());
        let told = vec![Vec::new(); people.len()];
        Self { dice, owner, people, room, messages: Vec::new(), tokens, told }
    }

    /// Something happens; tries that the rules refuse are part of life.
    async fn step(&mut self) {
        let index = self.dice.below(self.people.len());
        let person = self.people[index].clone();
        let body = json!({ "user_id": person.user_id() });
        match self.dice.below(16) {
            0 | 1 => self.act(true, &person, "invite", &body).await,
            2..=4 => self.act(false, &person, "join", &json!({})).await,
            5 => self.act(false, &person, "leave", &json!({})).await,
            6 => self.act(true, &person, "kick", &body).await,
            7 => self.act(true, &person, "ban", &body).await,
            8 => self.act(true, &person, "unban", &body).await,
            9 => {
                let setting = *self.dice.one_of(&SETTINGS);
                self.set("m.room.history_visibility", &json!({ "history_visibility": setting })).await;
            }
            10 => {
                let number = self.dice.below(1_000);
                self.set("m.room.topic", &json!({ "topic": format!("topic {number}") })).await;
            }
            11 => {
                let rule = *self.dice.one_of(&["public", "invite"]);
                self.set("m.room.join_rules", &json!({ "join_rule": rule })).await;
            }
            12 => self.redact().await,
            13 => self.sync(index).await,
            _ => {
                let message = self.owner.text(&self.room, "said").await;
                self.messages.push(message);
            }
        }
    }

    async fn act(&self, by_owner: bool, person: &Client, act: &str, body: &Value) {
        let who = if by_owner { &self.owner } else { person };
        let answer = who.post(&in_room(&self.room, act), body).await;
        assert!(answer.status < 500, "{answer}");
    }

    async fn set(&self, kind: &str, content: &Value) {
        self.owner.set_state(&self.room, kind, "", content).await;
    }

    async fn redact(&mut self) {
        if !self.messages.is_empty() {
            let index = self.dice.below(self.messages.len());
            let message = self.messages.swap_remove(index);
            self.owner.redact(&self.room, &message).await;
        }
    }

    async fn sync(&mut self, index: usize) {
        let answer = self.people[index].sync(Some(&self.tokens[index]), 0).await;
        self.tokens[index] = answer["next_batch"].as_str().expect("a token").to_owned();
        for section in ["join", "leave"] {
            let told = ids(&answer["rooms"][section][&self.room]["timeline"]["events"]);
            self.told[index].extend(told);
        }
    }

    async fn check(&mut self, seed: u64) {
        for index in 0..self.people.len() {
            self.sync(index).await;
        }
        let story = Story::of(&self.owner, &self.room).await;
        for (person, told) in self.people.iter().zip(&self.told) {
            let note = format!("seed {seed}, {}", person.localpart());
            doors::all_keep_the_rule(person, &self.room, &story, &note).await;
            let visible = story.visible(person.user_id());
            for (place, id) in told.iter().enumerate() {
                assert!(visible.contains(id), "{note}: sync told {id}");
                // After a return the timeline of a fresh room may begin before the absence.
                let again = told[..place].iter().filter(|other| *other == id).count();
                assert!(again <= 3, "{note}: sync told {id} {again} times");
            }
        }
    }
}
