//! The page on which a person is a customer, and what it is told: people, and what was said in a chat.

use super::state::{BOT_ID, Inner};
use serde_json::{Value, json};

/// The page.
pub(super) const PAGE: &str = include_str!("page.html");
/// Messages of a chat that the page shows.
const SHOWN: usize = 200;

/// Customers that are there from the beginning of a demonstration: box, name and telephone number.
pub(super) const PEOPLE: [(&str, &str, &str); 3] = [
    ("oksana", "Oksana Petrenko", "+48601234567"),
    ("marek", "Marek Zieliński", "+48602345678"),
    ("olena", "Олена Бондар", "+380501234567"),
];

impl Inner {
    /// Somebody's chat with the bot.
    pub fn chat_shown(&mut self, name: &str) -> Value {
        let people: Vec<Value> =
            self.users.iter().map(|(name, user)| json!({ "box": name, "name": user.name })).collect();
        let Some(id) = self.users.iter().find(|(known, _)| known == name).map(|(_, user)| user.id) else {
            return json!({ "people": people, "messages": [] });
        };
        let chat = self.chats.get(&(0, id));
        let messages = chat.into_iter().flat_map(|chat| {
            let rest = chat.messages.len().saturating_sub(SHOWN);
            chat.messages
                .iter()
                .skip(rest)
                .map(|(number, message)| shown(*number, message, chat.reactions.get(number)))
        });
        let messages: Vec<Value> = messages.collect();
        json!({ "people": people, "messages": messages, "asks_phone": self.asks_phone(name) })
    }

    /// Whether the bot asks for the telephone number by its keyboard.
    fn asks_phone(&self, name: &str) -> bool {
        let markups = self.sent.iter().rev().filter(|sent| sent["box"] == name).map(|sent| &sent["markup"]);
        let last = markups.into_iter().find(|markup| markup.is_object());
        let asks = last.is_some_and(|markup| markup["keyboard"][0][0]["request_contact"] == true);
        let since = self.sent.iter().rev().find(|sent| sent["box"] == name && sent["markup"].is_object());
        let since = since.and_then(|sent| sent["remote"].as_str()?.parse::<i64>().ok()).unwrap_or(0);
        let id = self.users.iter().find(|(known, _)| known == name).map_or(0, |(_, user)| user.id);
        let shared = self.chats.get(&(0, id)).is_some_and(|chat| {
            chat.messages.range(since..).any(|(_, message)| message["contact"]["user_id"] == id)
        });
        asks && !shared
    }

    /// The content of somebody's own number.
    pub fn own_number(&mut self, name: &str) -> Value {
        let phone =
            PEOPLE.iter().find(|(known, ..)| *known == name).map_or("+48600000000", |(_, _, phone)| phone);
        let user = self.user(name).clone();
        json!({ "contact": { "phone_number": phone, "first_name": user.name, "user_id": user.id } })
    }
}

fn shown(id: i64, message: &Value, reaction: Option<&Value>) -> Value {
    let text = ["text", "caption"].iter().find_map(|field| message[*field].as_str());
    let kinds = ["photo", "video", "voice", "audio", "animation", "sticker", "document", "location"];
    let kind = kinds.iter().find(|kind| !message[**kind].is_null());
    let phone = message["contact"]["phone_number"].as_str().map(|phone| format!("📱 {phone}"));
    let text = match (kind, text) {
        (Some(kind), text) => format!("[{kind}] {}", text.unwrap_or_default()),
        (None, text) => text.map(str::to_owned).or(phone).unwrap_or_default(),
    };
    json!({
        "id": id, "at": message["date"], "text": text,
        "mine": message["from"]["id"] != BOT_ID,
        "reply": message["reply_to_message"]["text"],
        "buttons": message["reply_markup"]["inline_keyboard"],
        "reaction": reaction.and_then(|all| all[0]["emoji"].as_str()),
    })
}
