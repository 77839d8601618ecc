//! Replacing rooms by ones of another version.

mod refused;
mod replaced;
mod settings;

use harness::{Client, Response, enc};
use serde_json::{Value, json};

/// Asks for the replacement of a room.
async fn ask(client: &Client, room: &str, body: Value) -> Response {
    client.post(&format!("/rooms/{}/upgrade", enc(room)), &body).await
}

/// Replaces a room; gives the new one.
async fn upgrade(client: &Client, room: &str, version: &str) -> String {
    let answer = ask(client, room, json!({ "new_version": version })).await.ok();
    answer["replacement_room"].as_str().expect("a new room").to_owned()
}

/// The content of a piece of state with the empty key.
async fn content(client: &Client, room: &str, kind: &str) -> Value {
    client.state(room, kind, "").await.ok()
}
