//! Messages that are no text: files with their captions, albums, places, contacts.

use super::params::{Params, Sent};
use super::state::{Inner, Stored, refusal};
use super::{Done, Refused, check};
use serde_json::{Value, json};

/// What bots may send, bytes.
const LARGEST: usize = 50 << 20;
const LARGEST_PHOTO: usize = 10 << 20;

/// A kind of message, by the field that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    File(&'static str),
    Location,
    Venue,
    Contact,
}

pub(super) fn of_method(method: &str) -> Option<Media> {
    Some(match method {
        "sendphoto" => Media::File("photo"),
        "senddocument" => Media::File("document"),
        "sendvideo" => Media::File("video"),
        "sendaudio" => Media::File("audio"),
        "sendvoice" => Media::File("voice"),
        "sendanimation" => Media::File("animation"),
        "sendvideonote" => Media::File("video_note"),
        "sendsticker" => Media::File("sticker"),
        "sendlocation" => Media::Location,
        "sendvenue" => Media::Venue,
        "sendcontact" => Media::Contact,
        _ => return None,
    })
}

/// A file's place in a message.
fn described(field: &str, id: &str, file: &Stored, name: &str, params: &Params) -> Value {
    let mut said = json!({ "file_id": id, "file_unique_id": format!("u{id}"), "file_size": file.size });
    let mut set = |name: &str, value: Value| said[name] = value;
    if matches!(field, "document" | "video" | "audio" | "animation") {
        set("file_name", json!(name));
    }
    if !matches!(field, "photo" | "sticker" | "video_note") {
        set("mime_type", json!(file.media_type));
    }
    if matches!(field, "video" | "animation" | "photo" | "sticker") {
        set("width", json!(params.int("width").unwrap_or(320)));
        set("height", json!(params.int("height").unwrap_or(240)));
    }
    if matches!(field, "video" | "audio" | "voice" | "animation" | "video_note") {
        set("duration", json!(params.int("duration").unwrap_or(0)));
    }
    match field {
        "video_note" => set("length", json!(384)),
        "sticker" => {
            set("type", json!("regular"));
            set("is_animated", json!(false));
            set("is_video", json!(false));
        }
        "photo" => return json!([said]),
        _ => {}
    }
    said
}

impl Inner {
    /// The file of a parameter: sent along, or known by its id.
    fn file_of(
        &mut self,
        field: &str,
        value: &str,
        params: &Params,
    ) -> Result<(String, Stored, String), Refused> {
        let attached = value.strip_prefix("attach://").unwrap_or(field);
        if let Some(Sent { name, media_type, bytes }) = params.files.get(attached).cloned() {
            if bytes.is_empty() {
                return Err(refusal(400, "Bad Request: file must be non-empty"));
            }
            if bytes.len() > LARGEST {
                return Err(refusal(413, "Request Entity Too Large"));
            }
            if field == "photo" && bytes.len() > LARGEST_PHOTO {
                return Err(refusal(400, "Bad Request: file is too big"));
            }
            if field == "photo" && bytes.starts_with(b"not a picture") {
                return Err(refusal(400, "Bad Request: IMAGE_PROCESS_FAILED"));
            }
            let stored = Stored { size: bytes.len() as u64, bytes, media_type };
            let id = self.store(stored.clone());
            return Ok((id, stored, name));
        }
        if value.starts_with("http") {
            // The real one fetches it; nobody who is behind a firewall should rely on that.
            return Err(refusal(400, "Bad Request: failed to get HTTP URL content"));
        }
        match self.files.get(value) {
            Some(stored) => Ok((value.to_owned(), stored.clone(), String::new())),
            None if value.is_empty() => {
                Err(refusal(400, &format!("Bad Request: there is no {field} in the request")))
            }
            None => Err(refusal(400, "Bad Request: wrong file identifier/HTTP URL specified")),
        }
    }

    pub fn send_media(&mut self, kind: Media, params: &Params) -> Done {
        let (key, mut message) = self.begin(params)?;
        let told = match kind {
            Media::File(field) => {
                let caption = check::text(
                    params.text("caption"),
                    &params.json("caption_entities"),
                    check::LONGEST_CAPTION,
                    "message caption is too long",
                )?;
                let (id, stored, name) = self.file_of(field, params.text(field), params)?;
                message[field] = described(field, &id, &stored, &name, params);
                if field == "animation" {
                    message["document"] = message[field].clone();
                }
                set_caption(&mut message, &caption);
                json!({
                    "type": "file", "kind": field, "name": name, "media_type": stored.media_type,
                    "contents": String::from_utf8_lossy(&stored.bytes), "caption": caption["text"],
                })
            }
            Media::Location | Media::Venue => {
                let (Some(latitude), Some(longitude)) = (params.float("latitude"), params.float("longitude"))
                else {
                    return Err(refusal(400, "Bad Request: LATITUDE_INVALID"));
                };
                let place = json!({ "latitude": latitude, "longitude": longitude });
                message["location"] = place.clone();
                if kind == Media::Venue {
                    message["venue"] = json!({ "location": place, "title": params.text("title"), "address": params.text("address") });
                }
                json!({ "type": "location", "latitude": latitude, "longitude": longitude })
            }
            Media::Contact => {
                let phone = params.text("phone_number");
                message["contact"] =
                    json!({ "phone_number": phone, "first_name": params.text("first_name") });
                json!({ "type": "contact", "phone": phone })
            }
        };
        self.count(key)?;
        Ok(self.finish(key, message, told))
    }

    pub fn send_group(&mut self, params: &Params) -> Done {
        let (key, base) = self.begin(params)?;
        let all = params.json("media").as_array().cloned().unwrap_or_default();
        if !(2..=10).contains(&all.len()) {
            return Err(refusal(400, "Bad Request: expected a list of 2-10 media"));
        }
        self.next_file += 1;
        let group = format!("1387{:04}", self.next_file);
        let mut messages = Vec::new();
        for one in &all {
            let kind = one["type"].as_str().unwrap_or_default();
            let field = ["photo", "video", "document", "audio"].into_iter().find(|field| *field == kind);
            let field = field.ok_or_else(|| refusal(400, "Bad Request: can't parse InputMedia"))?;
            let entities = &one["caption_entities"];
            let caption = one["caption"].as_str().unwrap_or_default();
            let caption =
                check::text(caption, entities, check::LONGEST_CAPTION, "message caption is too long")?;
            let value = one["media"].as_str().unwrap_or_default();
            let (id, stored, name) = self.file_of(field, value, params)?;
            let mut message = base.clone();
            message["media_group_id"] = json!(group);
            message[field] = described(field, &id, &stored, &name, params);
            set_caption(&mut message, &caption);
            messages.push((
                message,
                json!({
                    "type": "file", "kind": field, "name": name, "media_type": stored.media_type,
                    "contents": String::from_utf8_lossy(&stored.bytes), "caption": caption["text"],
                }),
            ));
        }
        for _ in &messages {
            self.count(key)?;
        }
        let sent = messages.into_iter().map(|(message, told)| self.finish(key, message, told));
        Ok(Value::Array(sent.collect()))
    }
}

fn set_caption(message: &mut Value, caption: &Value) {
    if caption["text"].as_str().is_some_and(|text| !text.is_empty()) {
        message["caption"] = caption["text"].clone();
        if !caption["entities"].is_null() {
            message["caption_entities"] = caption["entities"].clone();
        }
    }
}
