//! What relates to events: told with them, in pages, in threads, and as notifications.

mod bundled;
mod format;
mod notifications;
mod pages;
mod threads;

use harness::{Client, enc};
use serde_json::{Value, json};

use crate::client::support::in_room;

/// A message that relates to another event.
async fn relate(
    client: &Client,
    room: &str,
    kind: &str,
    rel_type: &str,
    parent: &str,
    more: Value,
) -> String {
    let mut content = json!({ "msgtype": "m.text", "body": "x" });
    for (key, value) in more.as_object().into_iter().flatten() {
        content[key] = value.clone();
    }
    content["m.relates_to"] = json!({ "rel_type": rel_type, "event_id": parent });
    client.send(room, kind, &content).await
}

/// A message in a thread.
async fn reply(client: &Client, room: &str, root: &str, body: &str) -> String {
    relate(client, room, "m.room.message", "m.thread", root, json!({ "body": body })).await
}

/// An edit.
async fn edit(client: &Client, room: &str, parent: &str, body: &str) -> String {
    let new = json!({ "m.new_content": { "msgtype": "m.text", "body": body }, "body": format!("* {body}") });
    relate(client, room, "m.room.message", "m.replace", parent, new).await
}

/// `m.relations` of an event as a client asks for it.
async fn relations_of(client: &Client, room: &str, event: &str) -> Value {
    client.event(room, event).await.ok()["unsigned"]["m.relations"].clone()
}

/// An answer of the relations endpoint; `rest` begins with `/` or `?`.
async fn related(client: &Client, room: &str, event: &str, rest: &str) -> harness::Response {
    let path = in_room(room, &format!("relations/{}{rest}", enc(event)));
    client.get(&format!("/_matrix/client/v1{path}")).await
}

/// Ignores these users, and nobody else.
async fn ignore(client: &Client, users: &[&Client]) {
    let ignored: serde_json::Map<_, _> =
        users.iter().map(|user| (user.user_id().to_owned(), json!({}))).collect();
    let path = format!("/user/{}/account_data/m.ignored_user_list", enc(client.user_id()));
    client.put(&path, &json!({ "ignored_users": ignored })).await.ok();
}
