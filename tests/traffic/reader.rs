//! A client that syncs all along and notes what it sees, filling the gaps that a limited timeline
//! leaves as the specification says: `/messages` from `prev_batch` back to its last token.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use harness::{Client, enc};
use reqwest::Method;
use serde_json::Value;

use super::{Acknowledged, PATIENCE, messages};

/// Timelines of one reader: seldom limited, or nearly always.
#[derive(Debug, Clone, Copy)]
pub enum Steps {
    Large,
    Small,
}

impl Steps {
    fn filter(self) -> String {
        let limit = match self {
            Self::Large => 500,
            Self::Small => 3,
        };
        format!(r#"{{"room":{{"timeline":{{"limit":{limit}}},"state":{{"lazy_load_members":true}}}}}}"#)
    }
}

pub struct Reader {
    /// The same account through each server, used in turn.
    clients: Vec<Client>,
    turn: usize,
    filter: String,
    since: String,
    /// (event id, body) per room, in the order of arrival.
    seen: HashMap<String, Vec<(String, String)>>,
}

impl Reader {
    pub async fn start(clients: Vec<Client>, rooms: Vec<String>, steps: Steps) -> Self {
        let since = clients[0].now().await;
        let seen = rooms.into_iter().map(|room| (room, Vec::new())).collect();
        Self { clients, turn: 0, filter: enc(&steps.filter()), since, seen }
    }

    /// One who saw these messages, to test the comparison with.
    pub fn planted(room: &str, seen: Vec<(String, String)>) -> Self {
        let seen = [(room.to_owned(), seen)].into();
        Self { clients: vec![], turn: 0, filter: String::new(), since: String::new(), seen }
    }

    /// Syncs until `enough` is said and everything acknowledged was seen, or too much time has
    /// passed after that.
    pub async fn run(mut self, enough: Arc<AtomicBool>, acknowledged: Arc<Mutex<Vec<Acknowledged>>>) -> Self {
        let mut since_enough = None;
        loop {
            self.step().await;
            if enough.load(Ordering::Relaxed) {
                let begun = *since_enough.get_or_insert_with(Instant::now);
                let wanted = acknowledged.lock().unwrap().len();
                let count: usize = self.seen.values().map(Vec::len).sum();
                // Senders may still be at their last messages when enough is said.
                let quiet = begun.elapsed() > Duration::from_secs(1);
                if (quiet && count >= wanted) || begun.elapsed() > PATIENCE {
                    return self;
                }
            }
        }
    }

    async fn step(&mut self) {
        self.turn += 1;
        let client = self.clients[self.turn % self.clients.len()].clone();
        let path = format!("/sync?timeout=1000&since={}&filter={}", enc(&self.since), self.filter);
        let Some(answer) = ask(&client, &path).await else { return };
        let next = answer["next_batch"].as_str().expect("next_batch").to_owned();
        let mut new = Vec::new();
        for room in self.seen.keys() {
            let timeline = &answer["rooms"]["join"][room]["timeline"];
            let mut events = Vec::new();
            if timeline["limited"] == true {
                let Some(gap) = fill(&client, room, timeline, &self.since).await else { return };
                events = gap;
            }
            events.extend(timeline["events"].as_array().cloned().unwrap_or_default());
            new.push((room.clone(), messages(&events)));
        }
        for (room, messages) in new {
            self.seen.entry(room).or_default().extend(messages);
        }
        self.since = next;
    }

    /// Fails unless this reader saw exactly the messages that are `there`, in that order.
    pub fn compare(&self, room: &str, there: &[(String, String)]) {
        let seen = &self.seen[room];
        let differs = seen.iter().zip(there).position(|(seen, there)| seen != there);
        if let Some(at) = differs {
            let around = at.saturating_sub(2);
            let window = |all: &[(String, String)]| all[around..all.len().min(at + 4)].to_vec();
            panic!("{room} differs at message {at}: seen {:?}, there {:?}", window(seen), window(there));
        }
        assert_eq!(seen.len(), there.len(), "{room}: a reader saw another number of messages");
    }
}

/// The body of a 200; `None` while the server is gone or not able.
async fn ask(client: &Client, path: &str) -> Option<Value> {
    match client.try_request(Method::GET, path, None).await {
        Some(answer) if answer.status == 200 => Some(answer.json),
        Some(answer) if answer.status < 500 && answer.status != 429 => panic!("refused: {answer}"),
        _ => {
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

async fn fill(client: &Client, room: &str, timeline: &Value, since: &str) -> Option<Vec<Value>> {
    let mut events = Vec::new();
    let mut from = timeline["prev_batch"].as_str().expect("prev_batch").to_owned();
    loop {
        let (room, start, end) = (enc(room), enc(&from), enc(since));
        let path = format!("/rooms/{room}/messages?dir=b&limit=500&from={start}&to={end}");
        let page = ask(client, &path).await?;
        let chunk = page["chunk"].as_array().cloned().unwrap_or_default();
        let empty = chunk.is_empty();
        events.extend(chunk);
        match page["end"].as_str() {
            Some(end) if !empty => from = end.to_owned(),
            _ => break,
        }
    }
    events.reverse();
    Some(events)
}
