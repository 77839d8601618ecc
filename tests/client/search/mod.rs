//! Finding messages by their words: what is found, what is not told, and that the index takes care of
//! itself.

mod finding;
mod index;
mod leaks;
mod pages;
mod size;

use harness::{Client, eventually};
use serde_json::{Value, json};

/// The answer to a search for `term`; `more` are further fields of `room_events`.
async fn search(client: &Client, term: &str, more: Value) -> Value {
    search_from(client, term, more, None).await
}

/// As [`search`], the page behind a token.
async fn search_from(client: &Client, term: &str, more: Value, from: Option<&str>) -> Value {
    let mut wanted = json!({ "search_term": term });
    for (key, value) in more.as_object().unwrap() {
        wanted[key] = value.clone();
    }
    let from = from.map(|from| format!("?next_batch={}", harness::enc(from))).unwrap_or_default();
    let body = json!({ "search_categories": { "room_events": wanted } });
    client.post(&format!("/search{from}"), &body).await.ok()["search_categories"]["room_events"].clone()
}

/// Ids of the results, in their order.
fn found(answer: &Value) -> Vec<String> {
    let results = answer["results"].as_array().unwrap();
    results.iter().map(|result| result["result"]["event_id"].as_str().unwrap().to_owned()).collect()
}

/// Searches until `count` results are there, and gives the answer.
async fn until_found(client: &Client, term: &str, count: usize) -> Value {
    let what = format!("{count} results for {term:?}");
    eventually(&what, async || {
        let answer = search(client, term, json!({ "order_by": "recent" })).await;
        (answer["count"] == count && found(&answer).len() == count.min(10)).then_some(answer)
    })
    .await
}

/// Checks that nothing is found, and nothing counted.
async fn finds_nothing(client: &Client, term: &str) {
    let answer = search(client, term, json!({ "include_state": true })).await;
    assert_eq!((&answer["count"], &answer["results"]), (&json!(0), &json!([])), "{term}: {answer}");
    assert_eq!(answer["state"], json!({}), "{answer}");
}

/// A word that no other test uses.
fn word(name: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{name}{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
