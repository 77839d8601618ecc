//! What a message of Telegram's contains, in the kit's words. Pure.

use crate::config::Settings;
use crate::entities::to_html;
use crate::words;
use kontor_bridge_kit::{Body, File, FileKind, html};
use kontor_model::Language;
use serde_json::Value;

/// What a message contains.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// This.
    Body(Body),
    /// The customer's own phone number, which Telegram vouches for.
    OwnPhone(String),
    /// `/start`, with what the link said.
    Start(Option<String>),
    /// Something that people should know of and that cannot be shown.
    Unknown(String),
    /// What happens in a chat and says nothing.
    Nothing,
}

/// Fields that belong to every message, or tell what happened in the chat.
const NO_CONTENT: [&str; 58] = [
    "message_id",
    "message_thread_id",
    "direct_messages_topic",
    "from",
    "sender_chat",
    "sender_boost_count",
    "sender_business_bot",
    "sender_tag",
    "date",
    "business_connection_id",
    "chat",
    "forward_origin",
    "forward_from",
    "forward_from_chat",
    "forward_date",
    "is_topic_message",
    "is_automatic_forward",
    "reply_to_message",
    "external_reply",
    "quote",
    "reply_to_story",
    "reply_to_checklist_task_id",
    "via_bot",
    "edit_date",
    "has_protected_content",
    "is_from_offline",
    "is_paid_post",
    "media_group_id",
    "author_signature",
    "paid_star_count",
    "entities",
    "link_preview_options",
    "suggested_post_info",
    "effect_id",
    "caption",
    "caption_entities",
    "show_caption_above_media",
    "has_media_spoiler",
    "reply_markup",
    "new_chat_members",
    "left_chat_member",
    "new_chat_title",
    "new_chat_photo",
    "delete_chat_photo",
    "group_chat_created",
    "supergroup_chat_created",
    "channel_chat_created",
    "message_auto_delete_timer_changed",
    "migrate_to_chat_id",
    "migrate_from_chat_id",
    "pinned_message",
    "connected_website",
    "write_access_allowed",
    "chat_background_set",
    "boost_added",
    "forum_topic_created",
    "forum_topic_edited",
    "chat_owner_changed",
];

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// What a message contains.
pub fn of(message: &Value, settings: &Settings) -> Content {
    let language = settings.language;
    if let Some(said) = message.get("text").and_then(Value::as_str) {
        return written(said, message.get("entities").unwrap_or(&Value::Null));
    }
    if let Some(file) = file(message, settings) {
        return Content::Body(file);
    }
    if let Some(place) = place(message) {
        return Content::Body(place);
    }
    if let Some(contact) = message.get("contact") {
        return contact_of(message, contact);
    }
    if let Some(dice) = message.get("dice") {
        let value = dice.get("value").and_then(Value::as_i64).unwrap_or_default();
        return Content::Body(Body::text(format!("{} {value}", text(dice, "emoji"))));
    }
    if let Some(poll) = message.get("poll") {
        let options = poll.get("options").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let lines: String = options.iter().map(|option| format!("\n• {}", text(option, "text"))).collect();
        return Content::Body(Body::text(format!("📊 {}{lines}", text(poll, "question"))));
    }
    let fields = message.as_object().into_iter().flatten();
    let unknown = fields.map(|(name, _)| name.as_str()).find(|name| !NO_CONTENT.contains(name));
    match unknown {
        Some(name) => Content::Unknown(words::content(language, name)),
        None if message.get("caption").is_some() => Content::Body(Body::text(text(message, "caption"))),
        None if happened(message) => Content::Nothing,
        None => Content::Unknown(words::content(language, "message")),
    }
}

/// Whether a message only tells what happened in its chat.
fn happened(message: &Value) -> bool {
    let begins = NO_CONTENT.iter().position(|name| *name == "new_chat_members").unwrap_or(0);
    NO_CONTENT.iter().skip(begins).any(|name| message.get(*name).is_some())
}

fn written(said: &str, entities: &Value) -> Content {
    let command = entities.get(0).is_some_and(|first| {
        text(first, "type") == "bot_command" && first.get("offset").and_then(Value::as_u64) == Some(0)
    });
    let (first, rest) = said.split_once(' ').unwrap_or((said, ""));
    if command && (first == "/start" || first.starts_with("/start@")) {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let payload = Some(rest.trim()).filter(|rest| !rest.is_empty() && rest.len() <= 64);
        return Content::Start(payload.filter(|rest| rest.chars().all(plain)).map(str::to_owned));
    }
    Content::Body(Body::Text { text: said.to_owned(), html: to_html(said, entities) })
}

fn place(message: &Value) -> Option<Body> {
    let location = message.get("location")?;
    let degrees = |field: &str| location.get(field).and_then(Value::as_f64);
    let (latitude, longitude) = (degrees("latitude")?, degrees("longitude")?);
    let text = match message.get("venue") {
        Some(venue) => format!("📍 {}, {}", text(venue, "title"), text(venue, "address")),
        None => format!("📍 {latitude}, {longitude}"),
    };
    Some(Body::Place { latitude, longitude, text })
}

/// A phone number as Telegram gives it: always international, with or without its plus.
fn phone(contact: &Value) -> String {
    let digits: String = text(contact, "phone_number").chars().filter(char::is_ascii_digit).collect();
    format!("+{digits}")
}

fn contact_of(message: &Value, contact: &Value) -> Content {
    let own = contact.get("user_id").and_then(Value::as_i64);
    let from = message.pointer("/from/id").and_then(Value::as_i64);
    let phone = phone(contact);
    // Anybody can pass on anybody's card; only one's own has one's own id.
    if own.is_some() && own == from && phone.len() > 5 {
        return Content::OwnPhone(phone);
    }
    let name = [text(contact, "first_name"), text(contact, "last_name")].join(" ");
    Content::Body(Body::text(format!("👤 {} {phone}", name.trim())))
}

/// How files of a field are shown.
struct Shape {
    field: &'static str,
    kind: FileKind,
    media_type: &'static str,
    extension: &'static str,
}

const fn shape(
    field: &'static str,
    kind: FileKind,
    media_type: &'static str,
    extension: &'static str,
) -> Shape {
    Shape { field, kind, media_type, extension }
}

/// An animation is a document as well, and a live photo a photo: the first that fits counts.
const SHAPES: [Shape; 8] = [
    shape("animation", FileKind::Video, "video/mp4", "mp4"),
    shape("live_photo", FileKind::Video, "video/mp4", "mp4"),
    shape("photo", FileKind::Image, "image/jpeg", "jpg"),
    shape("video", FileKind::Video, "video/mp4", "mp4"),
    shape("video_note", FileKind::Video, "video/mp4", "mp4"),
    shape("voice", FileKind::Voice, "audio/ogg", "ogg"),
    shape("audio", FileKind::Audio, "audio/mpeg", "mp3"),
    shape("document", FileKind::File, "", "bin"),
];

fn file(message: &Value, settings: &Settings) -> Option<Body> {
    let found = SHAPES.iter().find_map(|shape| Some((shape, message.get(shape.field)?)));
    let (shape, held) = match found {
        Some(found) => found,
        None => return sticker(message.get("sticker")?, message, settings),
    };
    // Of a photo's sizes the last is the largest.
    let held = held.as_array().map_or(Some(held), |sizes| sizes.last())?;
    let media_type = Some(text(held, "mime_type")).filter(|kind| !kind.is_empty());
    let media_type = media_type.unwrap_or(shape.media_type);
    let number = message.get("message_id").and_then(Value::as_i64).unwrap_or_default();
    let name = Some(text(held, "file_name").to_owned()).filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| format!("{}_{number}.{}", shape.field, shape.extension));
    let kind = match shape.kind {
        FileKind::File => FileKind::of(media_type),
        kind => kind,
    };
    let caption = Some(text(message, "caption").to_owned()).filter(|caption| !caption.is_empty());
    Some(fetched(held, name, media_type, kind, caption, settings))
}

/// A file to fetch, or, where Telegram does not give it to bots, what there is to say about it.
fn fetched(
    held: &Value,
    name: String,
    media_type: &str,
    kind: FileKind,
    caption: Option<String>,
    settings: &Settings,
) -> Body {
    let size = held.get("file_size").and_then(Value::as_u64);
    if let Some(size) = size.filter(|size| *size > settings.largest_file()) {
        let said = words::too_large(settings.language, &name, size, settings.largest_file_mb);
        return Body::text(caption.map_or(said.clone(), |caption| format!("{said}\n{caption}")));
    }
    let locator = format!("file:{}", text(held, "file_id"));
    Body::File(File { locator, name, media_type: media_type.to_owned(), size, kind, caption })
}

/// Still ones are pictures and moving ones films; drawn ones are shown by their thumbnail, or their emoji.
fn sticker(sticker: &Value, message: &Value, settings: &Settings) -> Option<Body> {
    let flag = |name: &str| sticker.get(name).and_then(Value::as_bool) == Some(true);
    let number = message.get("message_id").and_then(Value::as_i64).unwrap_or_default();
    let emoji = Some(text(sticker, "emoji").to_owned()).filter(|emoji| !emoji.is_empty());
    let name = |extension: &str| format!("sticker_{number}.{extension}");
    Some(match (flag("is_animated"), flag("is_video"), sticker.get("thumbnail")) {
        (false, false, _) => fetched(sticker, name("webp"), "image/webp", FileKind::Image, emoji, settings),
        (_, true, _) => fetched(sticker, name("webm"), "video/webm", FileKind::Video, emoji, settings),
        (_, _, Some(small)) => fetched(small, name("webp"), "image/webp", FileKind::Image, emoji, settings),
        _ => {
            let called = words::content(settings.language, "sticker");
            Body::text(emoji.map_or(called.clone(), |emoji| format!("{emoji} ({called})")))
        }
    })
}

/// Puts a line before what was said: whose words they are, or who says them.
pub fn headed(body: Body, head: &str) -> Body {
    match body {
        Body::Text { text, html } => Body::Text {
            text: format!("{head}\n{text}"),
            html: html.map(|said| format!("{}<br>{said}", html::escape(head))),
        },
        Body::File(file) => {
            let caption = Some(file.caption.map_or(head.to_owned(), |caption| format!("{head}\n{caption}")));
            Body::File(File { caption, ..file })
        }
        Body::Place { latitude, longitude, text } => {
            Body::Place { latitude, longitude, text: format!("{head}\n{text}") }
        }
    }
}

/// Puts a quote before what was said.
pub fn quoting(body: Body, quote: &str) -> Body {
    match body {
        Body::Text { text, html } => {
            let quoted: String = quote.lines().map(|line| format!("> {line}\n")).collect();
            let said = html.unwrap_or_else(|| html::escape(&text).replace('\n', "<br>"));
            let html = format!("<blockquote>{}</blockquote>{said}", html::escape(quote));
            Body::Text { text: format!("{quoted}\n{text}"), html: Some(html) }
        }
        other => headed(other, &format!("> {quote}")),
    }
}

/// Who wrote something first.
pub fn origin(message: &Value, language: Language) -> Option<String> {
    let origin = message.get("forward_origin")?;
    let name = ["/sender_user_name", "/sender_user/first_name", "/sender_chat/title", "/chat/title"];
    let name = name.iter().find_map(|path| origin.pointer(path).and_then(Value::as_str));
    Some(words::forwarded(language, name.unwrap_or("?")))
}
