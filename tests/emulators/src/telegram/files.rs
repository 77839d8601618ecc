//! Files, pictures of people, and chats that are asked for.

use super::params::Params;
use super::state::{Inner, Stored, refusal};
use super::{Done, Shared};
use crate::faults::Kind;
use crate::serve::Said;
use serde_json::{Value, json};

/// What bots may fetch.
const LARGEST: u64 = 20 << 20;

impl Inner {
    /// Remembers a file; gives its id.
    pub fn store(&mut self, file: Stored) -> String {
        let id = format!("AgADfile{}", self.next_file);
        self.next_file += 1;
        self.files.insert(id.clone(), file);
        id
    }

    pub fn get_file(&mut self, params: &Params) -> Done {
        let id = params.text("file_id");
        let file = self.files.get(id).ok_or_else(|| refusal(400, "Bad Request: invalid file_id"))?;
        if file.size > LARGEST {
            return Err(refusal(400, "Bad Request: file is too big"));
        }
        Ok(json!({
            "file_id": id, "file_unique_id": format!("u{id}"), "file_size": file.size,
            "file_path": format!("documents/{id}"),
        }))
    }

    pub fn get_chat(&mut self, params: &Params) -> Done {
        let chat = params.int("chat_id").unwrap_or_default();
        if !self.groups.contains_key(&chat) && self.by_id(chat).is_none() {
            return Err(refusal(400, "Bad Request: chat not found"));
        }
        let mut said = self.chat_json(chat);
        said["accent_color_id"] = json!(1);
        said["max_reaction_count"] = json!(11);
        said["accepted_gift_types"] = json!({
            "unlimited_gifts": false, "limited_gifts": false, "unique_gifts": false,
            "premium_subscription": false, "gifts_from_channels": false,
        });
        Ok(said)
    }

    pub fn profile_photos(&mut self, params: &Params) -> Done {
        let user = params.int("user_id").unwrap_or_default();
        let user = self.by_id(user).ok_or_else(|| refusal(400, "Bad Request: user not found"))?;
        let size = |id: &String| json!([[{ "file_id": id, "file_unique_id": format!("u{id}"), "width": 160, "height": 160 }]]);
        let photos = user.photo.as_ref().map_or(json!([]), size);
        Ok(json!({ "total_count": photos.as_array().map_or(0, Vec::len), "photos": photos }))
    }
}

impl Shared {
    pub fn download(&self, path: &str) -> Said {
        if let Some(fault) = self.faults.take("file", "") {
            return match fault.kind {
                Kind::Status => Said::Json(u16::try_from(fault.value).unwrap_or(503), Value::Null),
                _ => Said::Cut,
            };
        }
        let inner = self.lock();
        let file = path.strip_prefix("documents/").and_then(|id| inner.files.get(id));
        match file {
            Some(file) => Said::Bytes("application/octet-stream".to_owned(), file.bytes.clone()),
            None => Said::Json(404, json!({ "ok": false, "error_code": 404, "description": "Not Found" })),
        }
    }
}
