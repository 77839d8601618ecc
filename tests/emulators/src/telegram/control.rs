//! The control API: what customers, the company's owner and the network itself do.
//!
//! `inject` knows the words of all emulators (`text`, `file`, `edit`, `react`, `delete`, and whatever else is
//! content of an unknown kind), and besides: `{"update": {…}}` as it is; `content` for any message;
//! `"by": "owner"` for what the owner types on the phone; `"group": -100…` for a group; `block`, `unblock`,
//! `start`, `press`, and `connection` with `enabled` and `rights`.

use super::Shared;
use super::state::{CONNECTION, Connection, Inner, Nature, OWNER_ID, Stored, bot, owner};
use crate::faults::Fault;
use crate::serve::{Asked, Said};
use serde_json::{Value, json};

impl Shared {
    pub async fn control(&self, what: &str, asked: &Asked) -> Said {
        let body = asked.json();
        match what {
            "setup" => {
                self.setup(&body);
                Said::ok(json!({}))
            }
            "inject" => Said::ok(self.inject(body).await),
            "fault" => match serde_json::from_value::<Fault>(body) {
                Ok(fault) => {
                    self.faults.add(fault);
                    Said::ok(json!({}))
                }
                Err(error) => Said::Json(400, json!({ "error": error.to_string() })),
            },
            "clock" => {
                let mut inner = self.lock();
                inner.ahead += body["advance_ms"].as_i64().unwrap_or(0);
                Said::ok(json!({ "now": inner.now() }))
            }
            "sent" => Said::ok(json!({ "sent": self.lock().sent })),
            "chat" => {
                let name = body["box"].as_str().unwrap_or_default().to_owned();
                Said::ok(self.lock().chat_shown(&name))
            }
            "sent_after" => {
                let after = usize::try_from(body["after"].as_i64().unwrap_or(0)).unwrap_or(0);
                Said::ok(json!({ "events": self.sent_after(after).await }))
            }
            "pending" => Said::ok(json!({ "pending": self.lock().updates.len() })),
            "calls" => Said::ok(json!({ "calls": self.lock().calls })),
            _ => Said::Json(404, json!({})),
        }
    }

    /// What was sent after so many, numbered; waits for it a while.
    async fn sent_after(&self, after: usize) -> Vec<Value> {
        for _ in 0..5000 {
            let new: Vec<Value> = {
                let inner = self.lock();
                let new = inner.sent.iter().enumerate().skip(after);
                new.map(|(index, sent)| json!({ "seq": index + 1, "text": sent["text"].as_str().unwrap_or_default() })).collect()
            };
            if !new.is_empty() {
                return new;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        Vec::new()
    }

    pub fn setup(&self, body: &Value) {
        let mut inner = self.lock();
        if let Some(url) = body["hook_url"].as_str() {
            inner.deliver_to = url.to_owned();
        }
        if let Some(valid) = body["token_valid"].as_bool() {
            inner.token_valid = valid;
        }
        if let Some(closed) = body["closed"].as_array() {
            inner.closed = closed.iter().filter_map(|lane| lane.as_str().map(str::to_owned)).collect();
        }
        if let Some(file) = body["file"].as_str() {
            let bytes: bytes::Bytes = body["contents"].as_str().unwrap_or_default().to_owned().into();
            let size = body["size"].as_u64().unwrap_or(bytes.len() as u64);
            inner.files.insert(file.to_owned(), Stored { bytes, media_type: "image/png".to_owned(), size });
        }
        if let (Some(name), Some(photo)) = (body["photo_of"].as_str(), body["photo"].as_str()) {
            inner.user(name).photo = Some(photo.to_owned());
        }
        if let (Some(name), Some(new)) = (body["rename"].as_str(), body["to"].as_str()) {
            inner.user(name).name = new.to_owned();
        }
        drop(inner);
        self.news.notify_waiters();
    }

    pub async fn inject(&self, item: Value) -> Value {
        if let Some(how) = item["forge"].as_str() {
            return self.forge(how).await;
        }
        let told = self.lock().inject(&item);
        self.news.notify_waiters();
        told
    }

    /// What Telegram never sends; gives the status that it was answered with.
    async fn forge(&self, how: &str) -> Value {
        // Before the bot said where, there is no hook to forge calls of.
        let mut tries = 0;
        while self.lock().webhook.url.is_empty() && tries < 200 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            tries += 1;
        }
        let (url, secret) = {
            let inner = self.lock();
            let url = if inner.deliver_to.is_empty() { &inner.webhook.url } else { &inner.deliver_to };
            (url.clone(), inner.webhook.secret.clone())
        };
        let from = json!({ "id": 1, "is_bot": false, "first_name": "forged" });
        let chat = json!({ "id": 1, "type": "private", "first_name": "forged" });
        let message = json!({ "message_id": 1, "date": 1, "chat": chat, "from": from, "text": "forged" });
        let body = json!({ "update_id": 1, "message": message }).to_string();
        let status = match how {
            "signature" => self.post_as(&url, "another-secret", body).await,
            "unsigned" => self.post_as(&url, "", body).await,
            "stale" => self.post_as(&url, &secret.to_ascii_uppercase(), body).await,
            "changed" => self.post_as(&url, &format!("{secret}A"), body).await,
            "garbage" => self.post_as(&url, &secret, "{".to_owned()).await,
            _ => self.post_as(&url, &secret, "x".repeat(3 << 20)).await,
        };
        json!({ "status": status })
    }
}

/// Whose chat an item is about.
struct Place {
    name: String,
    key: (i64, i64),
    business: bool,
}

impl Inner {
    fn place(&mut self, item: &Value) -> Place {
        let name = item["box"].as_str().unwrap_or("oksana").to_owned();
        let business = item["business"].as_bool().unwrap_or(self.nature == Nature::Business);
        if let Some(group) = item["group"].as_i64() {
            let title = item["title"].as_str().unwrap_or("VIP");
            let chat = json!({ "id": group, "type": "supergroup", "title": title });
            self.groups.entry(group).or_insert(chat);
            return Place { name, key: (0, group), business: false };
        }
        let user = self.user(&name);
        if !business {
            user.started = true;
        }
        let key = (if business { OWNER_ID } else { 0 }, user.id);
        Place { name, key, business }
    }

    /// The message id of a name of the control API; what is a number is one already.
    fn id_of(&mut self, place: &Place, name: &str) -> i64 {
        if let Ok(id) = name.parse() {
            return id;
        }
        let known = (place.name.clone(), name.to_owned());
        if let Some(id) = self.named.get(&known) {
            return *id;
        }
        let chat = self.chats.entry(place.key).or_default();
        chat.last = chat.last.max(self.first_message) + 1;
        let id = chat.last;
        self.named.insert(known, id);
        id
    }

    /// The message before its content.
    fn base(&mut self, place: &Place, id: i64, item: &Value) -> Value {
        let from = match item["by"].as_str() {
            Some("owner" | "bot") => owner(OWNER_ID),
            _ => self.user(&place.name).json(),
        };
        let at = item["at"].as_i64().unwrap_or_else(|| self.now());
        let mut message =
            json!({ "message_id": id, "date": at / 1000, "chat": self.chat_json(place.key.1), "from": from });
        if item["by"] == "bot" {
            message["sender_business_bot"] = bot();
        }
        if place.business {
            message["business_connection_id"] = json!(item["connection"].as_str().unwrap_or(CONNECTION));
        }
        message
    }

    pub fn inject(&mut self, item: &Value) -> Value {
        if let Some(update) = item.get("update") {
            return self.raw(update.clone());
        }
        let place = self.place(item);
        let id = item["id"].as_str().unwrap_or_default().to_owned();
        let known = (place.name.clone(), id.clone());
        if let Some(update) = self.told.get(&known).cloned() {
            // The very same thing, told anew.
            let now = self.now();
            self.updates.push_back((now, update.clone()));
            return update;
        }
        let update = self.happen(&place, &id, item);
        if !update.is_null() && !id.is_empty() {
            self.told.insert(known, update.clone());
        }
        update
    }

    /// An update as it is; it gets a number when it has none.
    fn raw(&mut self, mut update: Value) -> Value {
        let next = self.next_update;
        self.next_update = update["update_id"].as_i64().unwrap_or(next).max(next) + 1;
        if update["update_id"].is_null() {
            update["update_id"] = json!(next);
        }
        let now = self.now();
        for kind in ["message", "business_message"] {
            let (Some(chat), Some(from)) =
                (update[kind]["chat"]["id"].as_i64(), update[kind]["from"]["id"].as_i64())
            else {
                continue;
            };
            let name = update[kind]["from"]["first_name"].as_str().unwrap_or("Oksana").to_owned();
            if chat == from {
                let user = self.user(&from.to_string());
                (user.name, user.started) = (name, user.started || kind == "message");
            }
            let id = update[kind]["message_id"].as_i64().unwrap_or_default();
            let key = (if kind == "message" { 0 } else { OWNER_ID }, chat);
            let chat = self.chats.entry(key).or_default();
            (chat.last, chat.heard) = (chat.last.max(id), now);
            chat.messages.insert(id, update[kind].clone());
        }
        self.updates.push_back((now, update.clone()));
        update
    }

    fn happen(&mut self, place: &Place, id: &str, item: &Value) -> Value {
        let kind = item["type"].as_str().unwrap_or_default();
        let of = item["of"].as_str().unwrap_or_default();
        match kind {
            // Telegram never tells how far a message got.
            "receipt" => Value::Null,
            "edit" => {
                let target = self.id_of(place, of);
                let mut message = self.base(place, target, item);
                message["edit_date"] = json!(self.now() / 1000);
                message["text"] = item["text"].clone();
                if let Some(chat) = self.chats.get_mut(&place.key) {
                    chat.messages.insert(target, message.clone());
                }
                self.tell(if place.business { "edited_business_message" } else { "edited_message" }, message)
            }
            "delete" => {
                let target = self.id_of(place, of);
                let what = json!({
                    "business_connection_id": CONNECTION, "chat": self.chat_json(place.key.1),
                    "message_ids": [target],
                });
                self.tell("deleted_business_messages", what)
            }
            "react" => {
                let (target, key) = (self.id_of(place, of), item["key"].as_str().unwrap_or_default());
                let new = if key.is_empty() { json!([]) } else { json!([{ "type": "emoji", "emoji": key }]) };
                let what = json!({
                    "chat": self.chat_json(place.key.1), "message_id": target,
                    "user": self.user(&place.name).json(), "date": self.now() / 1000,
                    "old_reaction": [], "new_reaction": new,
                });
                self.tell("message_reaction", what)
            }
            "press" => {
                let target = self.id_of(place, of);
                let mut message = self.base(place, target, item);
                message["from"] = bot();
                message["text"] = json!("Wybierz");
                let known = self.chats.get(&place.key).and_then(|chat| chat.messages.get(&target));
                if let Some(known) = known {
                    message["text"] = known["text"].clone();
                    message["reply_markup"] = known["reply_markup"].clone();
                }
                let what = json!({
                    "id": format!("query-{id}"), "from": self.user(&place.name).json(), "message": message,
                    "chat_instance": "-1234", "data": item["data"],
                });
                self.tell("callback_query", what)
            }
            "block" | "unblock" => self.block(place, kind == "block"),
            "connection" => self.connect(item),
            "x_update" => self.tell("x_hologram", json!({ "chat": self.chat_json(place.key.1) })),
            _ => self.write(place, id, item),
        }
    }

    /// Somebody writes.
    fn write(&mut self, place: &Place, id: &str, item: &Value) -> Value {
        let number = self.id_of(place, id);
        let mut message = self.base(place, number, item);
        match item["type"].as_str().unwrap_or_default() {
            "text" => message["text"] = item["text"].clone(),
            "start" => {
                message["text"] = json!(format!("/start {}", item["text"].as_str().unwrap_or_default()));
                message["entities"] = json!([{ "type": "bot_command", "offset": 0, "length": 6 }]);
            }
            "file" => {
                let file = item["file"].as_str().unwrap_or_default();
                let size = self.files.get(file).map(|file| file.size);
                message["document"] = json!({
                    "file_id": file, "file_unique_id": format!("u{file}"), "file_name": item["name"],
                    "mime_type": "image/png", "file_size": size,
                });
            }
            "message" => {}
            "share" => {
                let own = self.own_number(&place.name);
                message["contact"] = own["contact"].clone();
            }
            "broken" => message["message_id"] = json!("broken"),
            other => message[other] = json!({}),
        }
        for (name, value) in item["content"].as_object().cloned().unwrap_or_default() {
            message[name] = value;
        }
        let now = self.now();
        let chat = self.chats.entry(place.key).or_default();
        chat.messages.insert(number, message.clone());
        if item["by"].is_null() {
            chat.heard = now;
        }
        self.tell(if place.business { "business_message" } else { "message" }, message)
    }

    fn block(&mut self, place: &Place, blocked: bool) -> Value {
        let (was, is) = if blocked { ("member", "kicked") } else { ("kicked", "member") };
        let mut new = json!({ "user": bot(), "status": is });
        if blocked {
            new["until_date"] = json!(0);
        }
        let user = self.user(&place.name);
        user.blocked = blocked;
        let from = user.json();
        let what = json!({
            "chat": self.chat_json(place.key.1), "from": from, "date": self.now() / 1000,
            "old_chat_member": { "user": bot(), "status": was }, "new_chat_member": new,
        });
        self.tell("my_chat_member", what)
    }

    /// The owner connects the bot, changes what it may, or disconnects it. A new id is a new connection.
    fn connect(&mut self, item: &Value) -> Value {
        let id = item["connection"].as_str().unwrap_or(CONNECTION).to_owned();
        let old = self.connections.get(&id).cloned();
        let rights = match &item["rights"] {
            Value::Null => old.map(|old| old.rights).unwrap_or_default(),
            rights => rights.clone(),
        };
        let enabled = item["enabled"].as_bool().unwrap_or(true);
        if id != CONNECTION {
            // Connected anew: the old id is worth nothing any more.
            self.connections.retain(|_, connection| connection.owner != OWNER_ID);
        }
        let connection = Connection { id: id.clone(), owner: OWNER_ID, enabled, rights };
        let said = connection.json();
        self.connections.insert(id, connection);
        self.tell("business_connection", said)
    }
}
