//! What redactions hide in customers' rooms is kept for those who answer for it.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::json;

use super::support::{Channel, Talk, word};
use crate::client::support::{is_reference, text};

both_databases!(redactions_hide_and_do_not_destroy, edits_are_told_together_with_what_they_replaced,);

fn versions(talk: &Talk, event: &str) -> String {
    talk.path(&format!("/versions?event_id={}", enc(event)))
}

/// Everything that a client may ask of a room.
async fn everything(client: &Client, talk: &Talk, event: &str) -> String {
    let room = enc(&talk.room);
    let mut seen = json!(client.whole_timeline(&talk.room).await).to_string();
    let event = enc(event);
    for path in [
        format!("/rooms/{room}/event/{event}"),
        format!("/rooms/{room}/context/{event}?limit=100"),
        format!("/rooms/{room}/state"),
        format!("/_matrix/client/v1/rooms/{room}/relations/{event}"),
        format!("/_matrix/client/v1/rooms/{room}/threads"),
        format!("/rooms/{room}/event/{event}?fi.mau.msc2815.include_unredacted_content=true"),
        "/sync?timeout=0".to_owned(),
        "/notifications".to_owned(),
    ] {
        seen.push_str(&client.get(&path).await.json.to_string());
    }
    let search = json!({ "search_categories": { "room_events": { "search_term": "original" } } });
    seen.push_str(&client.post("/search", &search).await.json.to_string());
    seen
}

async fn redactions_hide_and_do_not_destroy(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, eve) = (server.register("anna").await, server.register("eve").await);
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    let mut hidden = Vec::new();
    for n in 0..25 {
        let words = format!("original {n} of {}", talk.id);
        // 20 by staff, of their own words and of the customer's; 5 taken back by the customer.
        let by_customer = n >= 20;
        let event = match n % 2 == 0 || by_customer {
            true => channel.say(&talk, &words).await,
            false => anna.text(&talk.room, &words).await,
        };
        if by_customer {
            let path = format!("/rooms/{}/redact/{}/{}", enc(&talk.room), enc(&event), word());
            channel.bot.put(&channel.as_customer(&talk, &path), &json!({})).await.ok();
        } else {
            anna.redact(&talk.room, &event).await;
        }
        hidden.push((event, words));
    }
    let seen = everything(&anna, &talk, &hidden[0].0).await;
    assert!(!seen.contains("original 0 of"), "it is hidden from clients: {seen}");
    for (event, words) in &hidden {
        assert!(!seen.contains(words.as_str()));
        let told = anna.get(&versions(&talk, event)).await.ok();
        assert_eq!(told["versions"][0]["content"]["body"], json!(words), "{told}");
        assert!(told["versions"][0]["redacted_ts"].is_i64());
        assert_eq!(told["versions"].as_array().unwrap().len(), 1);
    }
    let (event, words) = &hidden[3];
    assert_eq!(
        channel.admin.get(&versions(&talk, event)).await.ok()["versions"][0]["content"]["body"],
        json!(words)
    );
    eve.get(&versions(&talk, event)).await.err(404, "M_NOT_FOUND");
    channel.bot.get(&versions(&talk, event)).await.err(403, "M_FORBIDDEN");
    anna.get(&versions(&talk, "$nothing")).await.err(404, "M_NOT_FOUND");
    // A colleague who sees the conversation, but does not answer for it.
    let card = format!("/_kontor/contacts/v1/contacts/{}", talk.contact);
    let version = channel.admin.get(&card).await.ok()["version"].clone();
    patch(&channel.admin, &card, &version.to_string(), &json!({ "visibility": "all" })).await.ok();
    talk.seen_by(&eve).await;
    eve.get(&versions(&talk, event)).await.err(403, "M_FORBIDDEN");
    channel.close().await;
}

/// A change of a card that was read at a version.
pub(super) async fn patch(
    client: &Client,
    path: &str,
    version: &str,
    body: &serde_json::Value,
) -> harness::Response {
    client.patch_if(path, version, body).await
}

async fn edits_are_told_together_with_what_they_replaced(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = channel.talk(&word()).await;
    let event = anna.text(&talk.room, "one").await;
    let edit = json!({ "msgtype": "m.text", "body": "* two", "m.new_content": { "msgtype": "m.text", "body": "two" },
        "m.relates_to": { "rel_type": "m.replace", "event_id": event } });
    let edited = anna.send(&talk.room, "m.room.message", &edit).await;
    anna.redact(&talk.room, &edited).await;
    let told = anna.get(&versions(&talk, &event)).await.ok();
    let bodies: Vec<String> = told["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| text(&version["content"]["body"]))
        .collect();
    assert_eq!(bodies, ["one", "* two"]);
    assert!(
        told["versions"][0].get("redacted_ts").is_none()
            && told["versions"][1]["redacted_by"] == anna.user_id()
    );
    channel.close().await;
}
