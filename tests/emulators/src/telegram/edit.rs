//! What the bot does to messages that are there: changing, deleting, marking as read.

use super::params::Params;
use super::state::{Inner, refusal};
use super::{Done, Refused, check};
use serde_json::{Value, json};

const TWO_DAYS: i64 = 2 * 86_400;

impl Inner {
    /// A message of the bot's own that it wants to change.
    fn editable(&mut self, params: &Params) -> Result<((i64, i64), i64, Value), Refused> {
        let key = self.target(params)?;
        self.allowed_in(key, params, "can_reply")?;
        let id = params.int("message_id").unwrap_or_default();
        let message = self.chats.get(&key).and_then(|chat| chat.messages.get(&id)).cloned();
        let message = message.ok_or_else(|| refusal(400, "Bad Request: message to edit not found"))?;
        if key.0 == 0 && !Self::is_own(&message) {
            return Err(refusal(400, "Bad Request: message can't be edited"));
        }
        Ok((key, id, message))
    }

    fn edited(&mut self, key: (i64, i64), id: i64, mut message: Value, text: Value) -> Done {
        message["edit_date"] = json!(self.now() / 1000);
        self.chats.entry(key).or_default().messages.insert(id, message.clone());
        self.sent.push(json!({
            "box": self.box_of(key.1), "type": "edit", "of": id.to_string(), "text": text,
            "remote": id.to_string(), "entities": message["entities"],
        }));
        Ok(message)
    }

    pub fn edit_text(&mut self, params: &Params) -> Done {
        let (key, id, mut message) = self.editable(params)?;
        let raw = params.text("text");
        if raw.trim().is_empty() {
            return Err(refusal(400, "Bad Request: message text is empty"));
        }
        if message["text"].is_null() {
            return Err(refusal(400, "Bad Request: there is no text in the message to edit"));
        }
        let said = check::text(raw, &params.json("entities"), check::LONGEST_TEXT, "MESSAGE_TOO_LONG")?;
        if said["text"] == message["text"] && said["entities"] == message["entities"] {
            return Err(refusal(400, NOT_MODIFIED));
        }
        message["text"] = said["text"].clone();
        message["entities"] = said["entities"].clone();
        if let Some(fields) = message.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        self.edited(key, id, message, said["text"].clone())
    }

    pub fn edit_caption(&mut self, params: &Params) -> Done {
        let (key, id, mut message) = self.editable(params)?;
        if !message["text"].is_null() {
            return Err(refusal(400, "Bad Request: there is no caption in the message to edit"));
        }
        let entities = params.json("caption_entities");
        let long = "message caption is too long";
        let said = check::text(params.text("caption"), &entities, check::LONGEST_CAPTION, long)?;
        if said["text"] == message["caption"] {
            return Err(refusal(400, NOT_MODIFIED));
        }
        message["caption"] = said["text"].clone();
        self.edited(key, id, message, said["text"].clone())
    }

    pub fn edit_other(&mut self, params: &Params) -> Done {
        let (key, id, message) = self.editable(params)?;
        self.edited(key, id, message, Value::Null)
    }

    /// Takes a message away. Gives false when it is not there.
    fn remove(&mut self, key: (i64, i64), id: i64) -> bool {
        let there = self.chats.get_mut(&key).and_then(|chat| chat.messages.remove(&id)).is_some();
        if there {
            self.sent.push(json!({ "box": self.box_of(key.1), "type": "delete", "of": id.to_string() }));
        }
        there
    }

    pub fn delete(&mut self, params: &Params) -> Done {
        let key = self.target(params)?;
        let id = params.int("message_id").unwrap_or_default();
        let message = self.chats.get(&key).and_then(|chat| chat.messages.get(&id));
        let message = message.ok_or_else(|| refusal(400, "Bad Request: message to delete not found"))?;
        let old = self.now() / 1000 - message["date"].as_i64().unwrap_or_default() > TWO_DAYS;
        if old {
            return Err(refusal(400, "Bad Request: message can't be deleted for everyone"));
        }
        Ok(json!(self.remove(key, id)))
    }

    pub fn delete_many(&mut self, params: &Params) -> Done {
        let key = self.target(params)?;
        for id in Self::ids(params)? {
            self.remove(key, id);
        }
        Ok(json!(true))
    }

    fn ids(params: &Params) -> Result<Vec<i64>, Refused> {
        let all = params.json("message_ids");
        let ids: Vec<i64> = all.as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
        if !(1..=100).contains(&ids.len()) {
            return Err(refusal(400, "Bad Request: message identifiers are not specified"));
        }
        Ok(ids)
    }

    pub fn delete_business(&mut self, params: &Params) -> Done {
        let connection = self.connections.get(params.text("business_connection_id"));
        let connection =
            connection.ok_or_else(|| refusal(400, "Bad Request: business connection not found"))?.clone();
        if !connection.may("can_delete_sent_messages") && !connection.may("can_delete_all_messages") {
            return Err(refusal(403, "Forbidden: BUSINESS_CONNECTION_NOT_ALLOWED"));
        }
        for id in Self::ids(params)? {
            let holds = |key: &&(i64, i64)| key.0 == connection.owner;
            let mut keys = self.chats.keys().filter(holds).copied().collect::<Vec<_>>().into_iter();
            let found = keys.find(|key| self.chats[key].messages.contains_key(&id));
            let Some(key) = found else {
                return Err(refusal(400, "Bad Request: message to delete not found"));
            };
            let own = Self::is_own(&self.chats[&key].messages[&id]);
            if !own && !connection.may("can_delete_all_messages") {
                return Err(refusal(400, "Bad Request: message can't be deleted"));
            }
            self.remove(key, id);
        }
        Ok(json!(true))
    }

    pub fn read_business(&mut self, params: &Params) -> Done {
        let key = self.target(params)?;
        self.allowed_in(key, params, "can_read_messages")?;
        let id = params.int("message_id").unwrap_or_default();
        if !self.chats.get(&key).is_some_and(|chat| chat.messages.contains_key(&id)) {
            return Err(refusal(400, "Bad Request: message not found"));
        }
        self.called("readbusinessmessage", params)
    }
}

const NOT_MODIFIED: &str = "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message";
