//! Claims about simplified sliding sync (MSC4186).

mod connection;
mod extensions;
mod filters;
mod lists;
mod model;
mod news;
mod rooms;
mod state;
mod waiting;

use harness::{Client, Response, enc};
use serde_json::{Value, json};

use super::support::text;

const PATH: &str = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync";

/// A device that follows sliding sync.
#[derive(Clone)]
struct Slider {
    client: Client,
    pos: Option<String>,
}

impl Slider {
    fn new(client: &Client) -> Self {
        Self { client: client.clone(), pos: None }
    }

    /// One request from where the device stands, whatever comes of it; the device stays there.
    async fn ask(&self, body: &Value, timeout_ms: u32) -> Response {
        let pos = self.pos.as_ref().map(|pos| format!("&pos={}", enc(pos))).unwrap_or_default();
        self.client.post(&format!("{PATH}?timeout={timeout_ms}{pos}"), body).await
    }

    /// One request that the device takes in.
    async fn slide(&mut self, body: &Value) -> Value {
        self.wait(body, 0).await
    }

    /// As [`Self::slide`], waiting for news.
    async fn wait(&mut self, body: &Value, timeout_ms: u32) -> Value {
        let answer = self.ask(body, timeout_ms).await.ok();
        self.pos = Some(text(&answer["pos"]));
        answer
    }
}

/// A request for one list.
fn list(range: [u32; 2], limit: u32, state: Value) -> Value {
    json!({ "lists": { "all": { "ranges": [range], "timeline_limit": limit, "required_state": state } } })
}

/// Ids of the rooms of an answer, sorted.
fn rooms(answer: &Value) -> Vec<String> {
    let mut rooms: Vec<String> =
        answer["rooms"].as_object().map(|rooms| rooms.keys().cloned().collect()).unwrap_or_default();
    rooms.sort();
    rooms
}

/// These rooms, sorted.
fn sorted(rooms: &[&String]) -> Vec<String> {
    let mut rooms: Vec<String> = rooms.iter().map(|room| (*room).clone()).collect();
    rooms.sort();
    rooms
}
