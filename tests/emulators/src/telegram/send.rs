//! What the bot sends: texts, places, contacts and files, each with the checks of the real one.

use super::media;
use super::params::Params;
use super::state::{BOT_ID, Inner, bot, owner, refusal};
use super::{Done, Refused, check};
use serde_json::{Value, json};

impl Inner {
    /// Everything that is about a chat.
    pub fn act(&mut self, method: &str, params: &Params) -> Done {
        match method {
            "sendmessage" => self.send_message(params),
            "sendmediagroup" => self.send_group(params),
            "sendchataction" => {
                self.target(params)?;
                self.called(method, params)
            }
            "editmessagetext" => self.edit_text(params),
            "editmessagecaption" => self.edit_caption(params),
            "editmessagemedia" | "editmessagereplymarkup" => self.edit_other(params),
            "deletemessage" => self.delete(params),
            "deletemessages" => self.delete_many(params),
            "deletebusinessmessages" => self.delete_business(params),
            "readbusinessmessage" => self.read_business(params),
            "setmessagereaction" => self.react(params),
            "answercallbackquery" => self.answer_button(params),
            "copymessage" | "forwardmessage" => Err(refusal(400, "Bad Request: message to copy not found")),
            _ => match media::of_method(method) {
                Some(kind) => self.send_media(kind, params),
                None => Err(refusal(404, "Not Found")),
            },
        }
    }

    /// Checks what all messages have in common; gives the message before its content.
    pub fn begin(&mut self, params: &Params) -> Result<((i64, i64), Value), Refused> {
        let key = self.target(params)?;
        self.allowed_in(key, params, "can_reply")?;
        let markup = params.json("reply_markup");
        // Telegram's own words for this are not known.
        if key.0 != 0 && (!markup["keyboard"].is_null() || !markup["remove_keyboard"].is_null()) {
            return Err(refusal(
                400,
                "Bad Request: reply keyboards can't be sent on behalf of a business account",
            ));
        }
        let mut base = json!({ "date": self.now() / 1000, "chat": self.chat_json(key.1) });
        let connection = params.text("business_connection_id");
        if key.0 == 0 {
            base["from"] = bot();
        } else {
            base["from"] = owner(key.0);
            base["sender_business_bot"] = bot();
            base["business_connection_id"] = json!(connection);
        }
        let reply = params.json("reply_parameters");
        if let Some(target) = reply["message_id"].as_i64() {
            let found = self.chats.get(&key).and_then(|chat| chat.messages.get(&target)).cloned();
            match found {
                Some(mut message) => {
                    if let Some(fields) = message.as_object_mut() {
                        fields.remove("reply_to_message");
                    }
                    base["reply_to_message"] = message;
                }
                None if reply["allow_sending_without_reply"] == true || key.0 != 0 => {}
                None => return Err(refusal(400, "Bad Request: message to be replied not found")),
            }
        }
        if !markup["inline_keyboard"].is_null() {
            base["reply_markup"] = markup;
        }
        Ok((key, base))
    }

    /// Puts a message into its chat, tells the company's account of it, and writes down what was sent.
    pub fn finish(&mut self, key: (i64, i64), mut message: Value, mut told: Value) -> Value {
        let chat = self.chats.entry(key).or_default();
        chat.last = chat.last.max(self.first_message) + 1;
        let id = chat.last;
        message["message_id"] = json!(id);
        chat.messages.insert(id, message.clone());
        told["box"] = json!(self.box_of(key.1));
        told["remote"] = json!(id.to_string());
        told["key"] = json!(id.to_string());
        told["business"] = json!(key.0 != 0);
        if let Some(reply) = message.pointer("/reply_to_message/message_id") {
            told["reply_to"] = reply.clone();
        }
        self.sent.push(told);
        if key.0 != 0 {
            self.tell("business_message", message.clone());
        }
        message
    }

    fn send_message(&mut self, params: &Params) -> Done {
        let (key, mut message) = self.begin(params)?;
        let raw = params.text("text");
        let raw = match params.text("parse_mode").to_ascii_lowercase().as_str() {
            "" => raw.to_owned(),
            "html" => check::html(raw)?,
            _ => return Err(refusal(400, "Bad Request: unsupported parse_mode")),
        };
        if raw.trim().is_empty() {
            return Err(refusal(400, "Bad Request: message text is empty"));
        }
        let said = check::text(&raw, &params.json("entities"), check::LONGEST_TEXT, "message is too long")?;
        self.count(key)?;
        let mut told = json!({ "type": "text", "text": said["text"], "entities": said["entities"] });
        told["markup"] = params.json("reply_markup");
        for (name, value) in said.as_object().cloned().unwrap_or_default() {
            message[name] = value;
        }
        Ok(self.finish(key, message, told))
    }

    pub fn react(&mut self, params: &Params) -> Done {
        let key = self.target(params)?;
        let reactions = params.json("reaction");
        let one = reactions.as_array().and_then(|all| all.first()).cloned().unwrap_or_default();
        let emoji = one["emoji"].as_str().unwrap_or_default().to_owned();
        if !emoji.is_empty() && !REACTIONS.contains(&emoji.as_str()) {
            return Err(refusal(400, "Bad Request: REACTION_INVALID"));
        }
        let id = params.int("message_id").unwrap_or_default();
        let chat = self.chats.entry(key).or_default();
        if !chat.messages.contains_key(&id) {
            return Err(refusal(400, "Bad Request: message to react not found"));
        }
        chat.reactions.insert(id, reactions);
        self.sent.push(json!({
            "box": self.box_of(key.1), "type": "react", "of": id.to_string(), "emoji": emoji,
        }));
        Ok(json!(true))
    }

    fn answer_button(&mut self, params: &Params) -> Done {
        if params.text("callback_query_id").is_empty() {
            let text = "Bad Request: query is too old and response timeout expired or query ID is invalid";
            return Err(refusal(400, text));
        }
        self.called("answercallbackquery", params)
    }

    /// Whether a message is the bot's own.
    pub fn is_own(message: &Value) -> bool {
        message["from"]["id"] == BOT_ID || message["sender_business_bot"]["id"] == BOT_ID
    }
}

/// Some of the emoji that people may react with.
const REACTIONS: [&str; 20] = [
    "👍", "👎", "❤", "🔥", "🥰", "👏", "😁", "🤔", "🤯", "😱", "🤬", "😢", "🎉", "🤩", "🙏", "👌", "💯",
    "🤣", "🤝", "👀",
];
