//! Contents of events that say what came from the network.

use super::part::Spot;
use crate::channel::{Body, FileKind};
use crate::{html, json, text};
use serde_json::{Value, json};

/// The content of an event without what it relates to, and without its origin.
pub(super) fn of(body: &Body) -> Value {
    match body {
        Body::Text { text, html } => {
            let mut content = json!({ "msgtype": "m.text", "body": text });
            if let Some(clean) = html.as_deref().map(html::clean) {
                json::set(&mut content, "format", json!("org.matrix.custom.html"));
                json::set(&mut content, "formatted_body", json!(clean));
            }
            content
        }
        Body::File(file) => json!({
            "msgtype": "m.text",
            "body": with_caption(text::loading(&file.name), file.caption.as_deref()),
            "dev.kontor.file": { "state": "loading", "name": file.name, "size": file.size },
        }),
        Body::Place { latitude, longitude, text } => json!({
            "msgtype": "m.location",
            "body": text,
            "geo_uri": format!("geo:{latitude},{longitude}"),
        }),
    }
}

fn with_caption(body: String, caption: Option<&str>) -> String {
    match caption {
        Some(caption) => format!("{body}\n{caption}"),
        None => body,
    }
}

/// Where an event comes from: by this links can be made again from rooms alone.
pub(super) fn origin(content: &mut Value, channel: &str, spot: &Spot<'_>, remote: Option<&str>) {
    let mut origin = json!({ "channel": channel, "key": spot.taken.item.key, "part": spot.index });
    if let Some(remote) = remote {
        json::set(&mut origin, "id", json!(remote));
    }
    json::set(content, "dev.kontor.remote", origin);
}

/// As an answer to an event.
pub(super) fn in_reply_to(content: &mut Value, event_id: &str) {
    json::set(content, "m.relates_to", json!({ "m.in_reply_to": { "event_id": event_id } }));
}

/// As an answer to something that is not known here.
pub(super) fn quoting(content: &mut Value, quote: &str) {
    let quoted: String = quote.lines().map(|line| format!("> {line}\n")).collect();
    let body = json::text(content, "body").to_owned();
    if content.get("formatted_body").is_some() {
        let html = json::text(content, "formatted_body");
        let html = format!("<blockquote>{}</blockquote>{html}", crate::html::escape(quote));
        json::set(content, "formatted_body", json!(html));
    }
    json::set(content, "body", json!(format!("{quoted}\n{body}")));
}

/// As a change of an event.
pub(crate) fn replacing(content: Value, event_id: &str) -> Value {
    let mut whole = content.clone();
    let shown = format!("* {}", json::text(&content, "body"));
    json::set(&mut whole, "body", json!(shown));
    json::set(&mut whole, "m.new_content", content);
    json::set(&mut whole, "m.relates_to", json!({ "rel_type": "m.replace", "event_id": event_id }));
    whole
}

/// The `msgtype` of a file.
pub(crate) fn file_type(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Image => "m.image",
        FileKind::Audio | FileKind::Voice => "m.audio",
        FileKind::Video => "m.video",
        FileKind::File => "m.file",
    }
}
