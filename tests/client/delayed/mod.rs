//! Delayed events (MSC4140), as clients of calls use them.

mod managed;
mod scheduled;

use std::time::{Duration, Instant};

use harness::{Client, Response, enc};
use serde_json::{Value, json};

use crate::client::support::{in_room, text};

/// Below it are the endpoints of the proposal.
const BASE: &str = "/_matrix/client/unstable/org.matrix.msc4140";
/// The event that the claims delay.
const KIND: &str = "dev.kontor.later";

/// Asks by the usual endpoint that a message be sent later.
async fn delay(client: &Client, room: &str, txn: &str, delay: i64) -> Response {
    let path = format!("send/{KIND}/{txn}?org.matrix.msc4140.delay={delay}");
    client.put(&in_room(room, &path), &json!({ "body": txn })).await
}

/// Asks by the usual endpoint that state be set later.
async fn delay_state(client: &Client, room: &str, key: &str, delay: i64, content: &Value) -> Response {
    let path = format!("state/{KIND}/{}?org.matrix.msc4140.delay={delay}", enc(key));
    client.put(&in_room(room, &path), content).await
}

/// The name that a delayed event was given.
#[track_caller]
fn name(answer: Response) -> String {
    let id = text(&answer.ok()["delay_id"]);
    assert!(id.len() >= 20, "a name that could be guessed: {id}");
    id
}

async fn manage(client: &Client, id: &str, action: &str) -> Response {
    client.post(&format!("{BASE}/delayed_events/{}/{action}", enc(id)), &json!({})).await
}

async fn one(client: &Client, id: &str) -> Response {
    client.get(&format!("{BASE}/delayed_events/{}", enc(id))).await
}

/// Contents of the delayed events that are in the room by now, oldest first.
async fn arrived(client: &Client, room: &str) -> Vec<Value> {
    let timeline = client.whole_timeline(room).await;
    timeline.into_iter().filter(|event| event["type"] == KIND).map(|event| event["content"].clone()).collect()
}

/// Waits until so many delayed events are in the room.
async fn arrive(client: &Client, room: &str, count: usize) -> Vec<Value> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let events = arrived(client, room).await;
        if events.len() >= count {
            return events;
        }
        assert!(Instant::now() < end, "{count} events expected, there are {events:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
