//! Finding rooms and moments in them: spaces, summaries, the room directory, dates, looking in.

mod dates;
mod directory;
mod looking_in;
mod spaces;
mod summary;
mod well_known;

use harness::Client;
use serde_json::{Value, json};

/// A space with a name, made with further fields of the request.
async fn space(owner: &Client, name: &str, more: Value) -> String {
    let mut request =
        json!({ "name": name, "preset": "public_chat", "creation_content": { "type": "m.space" } });
    if let (Some(request), Some(more)) = (request.as_object_mut(), more.as_object()) {
        request.extend(more.clone());
    }
    owner.create_room(request).await
}

/// Puts a child into a space; `more` is further content of the event.
async fn put_in(owner: &Client, space: &str, child: &str, more: Value) {
    let mut content = json!({ "via": ["localhost"] });
    if let (Some(content), Some(more)) = (content.as_object_mut(), more.as_object()) {
        content.extend(more.clone());
    }
    owner.set_state(space, "m.space.child", child, &content).await;
}
