//! What an item of the inbox says. Pure: everything that it needs stands in the item.

use crate::config::Settings;
use crate::content::{self, Content};
use crate::words;
use kontor_bridge_kit::{Body, Claim, Item, Message, Part, Party, Profile, Source, Trust};
use kontor_model::{Error, Language, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Longest part of an answered message that is repeated, characters.
const LONGEST_QUOTE: usize = 300;

/// An item: an update, and what was known when it came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Raw {
    /// The update as Telegram told it.
    pub update: Value,
    /// The chat by its first number: a group that became a supergroup has another one since.
    pub chat: i64,
    /// The company's account that was written to; none when it was the bot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<i64>,
    /// The bot.
    pub bot: i64,
    /// Whether the customer has another name than before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renamed: bool,
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, path: &str) -> Option<i64> {
    value.pointer(path).and_then(Value::as_i64)
}

/// First and last name.
pub fn name_of(person: &Value) -> String {
    let whole = format!("{} {}", text(person, "/first_name"), text(person, "/last_name"));
    whole.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Raw {
    fn is_group(&self) -> bool {
        self.chat < 0
    }

    /// Who the customer is. In a group that is the group.
    fn profile(&self, chat: &Value, from: &Value) -> Profile {
        let account = self.owner.map(|owner| format!("business:{owner}")).unwrap_or_default();
        let external_id = self.chat.to_string();
        if self.is_group() {
            let title = Some(text(chat, "/title").to_owned()).filter(|title| !title.is_empty());
            let id_type = "telegram_group".to_owned();
            return Profile { account, id_type, external_id, display_name: title, ..Profile::default() };
        }
        // Of a private chat the chat itself says who the customer is, whoever wrote.
        let person = if number(from, "/id") == number(chat, "/id") { from } else { chat };
        let name = name_of(person);
        let mut claims = Vec::new();
        let mut claim = |kind: &str, value: &str| {
            if !value.is_empty() {
                let (kind, value) = (kind.to_owned(), value.to_owned());
                claims.push(Claim { kind, value, trust: Trust::Platform, source: Source::Network });
            }
        };
        claim("name", &name);
        claim("telegram_username", text(person, "/username"));
        Profile {
            account,
            id_type: "telegram_user".to_owned(),
            avatar: Some(format!("person:{external_id}")),
            external_id,
            display_name: Some(name).filter(|name| !name.is_empty()),
            language: Language::of(text(person, "/language_code").get(..2).unwrap_or_default()),
            claims,
            context: Map::new(),
        }
    }

    /// Who wrote a message.
    fn party(&self, message: &Value) -> Party {
        if number(message, "/sender_business_bot/id") == Some(self.bot) {
            return Party::Echo { ours: None };
        }
        let from = number(message, "/from/id");
        if self.owner.is_some() && from == self.owner {
            let name = Some(name_of(message.get("from").unwrap_or(&Value::Null)));
            return Party::Company { name: name.filter(|name| !name.is_empty()) };
        }
        Party::Customer
    }
}

/// What an item says.
///
/// # Errors
/// `BadJson` when it is not what Telegram is known to tell.
pub fn parse(item: &Item, settings: &Settings) -> Result<Vec<Part>> {
    let bad = |error| Error::bad_json("an item that is none").because(error);
    let raw: Raw = serde_json::from_slice(&item.raw).map_err(bad)?;
    let update = &raw.update;
    let told = |kinds: &[&str]| kinds.iter().find_map(|kind| update.get(*kind));
    if let Some(message) = told(&["message", "business_message"]) {
        return written(&raw, message, settings);
    }
    if let Some(message) = told(&["edited_message", "edited_business_message"]) {
        return changed(&raw, message, settings);
    }
    if let Some(gone) = told(&["deleted_business_messages"]) {
        let ids = gone.get("message_ids").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let part = |id: &Value| Part::Delete { remote: id.to_string(), party: Party::Customer };
        return Ok(ids.iter().map(part).collect());
    }
    if let Some(query) = told(&["callback_query"]) {
        return Ok(vec![pressed(&raw, query, settings)]);
    }
    if let Some(reaction) = told(&["message_reaction"]) {
        return Ok(vec![reacted(reaction)]);
    }
    if let Some(member) = told(&["my_chat_member"]) {
        return Ok(vec![blocked(&raw, member, settings)]);
    }
    // Something new that has a chat: people should know that there was something.
    let what = update.as_object().and_then(|fields| fields.keys().find(|name| *name != "update_id"));
    let what = what.cloned().unwrap_or_default();
    Ok(vec![Part::Unsupported { remote: None, what, from: None }])
}

/// The message's number: without it nothing could be said about it later.
fn id_of(message: &Value) -> Result<String> {
    let id = number(message, "/message_id");
    id.map(|id| id.to_string()).ok_or_else(|| Error::bad_json("a message without number"))
}

/// What a message says, with its heads: who says it in a group, whose words it is, what it answers.
fn said(raw: &Raw, message: &Value, body: Body, settings: &Settings) -> Body {
    let mut body = body;
    if let Some(head) = content::origin(message, settings.language) {
        body = content::headed(body, &head);
    }
    // What the customer chose to quote is shown, also where the whole message is known.
    if let Some(quote) = message.pointer("/quote/text").and_then(Value::as_str) {
        body = content::quoting(body, quote);
    }
    if raw.is_group() {
        let name = name_of(message.get("from").unwrap_or(&Value::Null));
        body = content::headed(body, &format!("{name}:"));
    }
    body
}

fn written(raw: &Raw, message: &Value, settings: &Settings) -> Result<Vec<Part>> {
    let remote = id_of(message)?;
    let null = Value::Null;
    let (chat, from) = (message.get("chat").unwrap_or(&null), message.get("from").unwrap_or(&null));
    let profile = raw.profile(chat, from);
    let party = raw.party(message);
    let mut parts = Vec::new();
    let mut claims = Vec::new();
    let body = match content::of(message, settings) {
        Content::Nothing => return Ok(vec![Part::Ignore]),
        Content::Unknown(what) if matches!(party, Party::Echo { .. }) => {
            return Ok(vec![Part::Unsupported { remote: Some(remote), what, from: None }]);
        }
        Content::Unknown(what) => {
            return Ok(vec![Part::Unsupported { remote: Some(remote), what, from: Some(profile) }]);
        }
        Content::Start(None) => return Ok(vec![Part::Ignore]),
        Content::Start(Some(payload)) => return Ok(vec![Part::Profile(linked(profile, payload))]),
        Content::OwnPhone(phone) => {
            let body = Body::text(words::own_phone(settings.language, &phone));
            claims.push(Claim {
                kind: "phone".to_owned(),
                value: phone,
                trust: Trust::Proven,
                source: Source::Network,
            });
            body
        }
        Content::Body(body) => body,
    };
    if message.get("is_from_offline") == Some(&Value::Bool(true)) && party != Party::Customer {
        // Nobody typed it: the account answers by itself.
        let text = match &body {
            Body::Text { text, .. } => words::automatic(settings.language, text),
            _ => words::automatic(settings.language, "…"),
        };
        return Ok(vec![Part::Notice { text, facts: Map::new(), from: Some(profile) }]);
    }
    let answered = message.get("reply_to_message");
    let reply_to = answered.and_then(|answered| number(answered, "/message_id")).map(|id| id.to_string());
    let quoted = message.get("quote").is_some();
    let quote = answered.filter(|_| !quoted).and_then(|answered| {
        let text = [text(answered, "/text"), text(answered, "/caption")].concat();
        Some(text.chars().take(LONGEST_QUOTE).collect::<String>()).filter(|text| !text.is_empty())
    });
    if raw.renamed {
        parts.push(Part::Profile(profile.clone()));
    }
    let body = if let Party::Echo { .. } = party { body } else { said(raw, message, body, settings) };
    parts.push(Part::Message(Message { remote, party, body, reply_to, quote, from: profile.clone() }));
    if !claims.is_empty() {
        parts.push(Part::Profile(Profile { claims, avatar: None, ..profile }));
    }
    Ok(parts)
}

/// What a link of the company's said when it was followed: the card that it was made for.
fn linked(mut profile: Profile, payload: String) -> Profile {
    profile.context.insert("start".to_owned(), json!(payload));
    profile.claims.push(Claim {
        kind: "link_code".to_owned(),
        value: payload,
        trust: Trust::Platform,
        source: Source::Network,
    });
    profile
}

fn changed(raw: &Raw, message: &Value, settings: &Settings) -> Result<Vec<Part>> {
    let remote = id_of(message)?;
    let party = raw.party(message);
    if matches!(party, Party::Echo { .. }) {
        return Ok(vec![Part::Ignore]);
    }
    let Content::Body(body) = content::of(message, settings) else { return Ok(vec![Part::Ignore]) };
    Ok(vec![Part::Edit { remote, party, body: said(raw, message, body, settings) }])
}

/// A button below a message of ours was pressed: its label says more than what it carries.
fn pressed(raw: &Raw, query: &Value, settings: &Settings) -> Part {
    let data = text(query, "/data");
    let rows = query.pointer("/message/reply_markup/inline_keyboard").and_then(Value::as_array);
    let mut buttons = rows.into_iter().flatten().filter_map(Value::as_array).flatten();
    let button = buttons.find(|button| text(button, "/callback_data") == data);
    let label = button.map(|button| text(button, "/text")).filter(|label| !label.is_empty());
    let from = query.get("from").unwrap_or(&Value::Null);
    let chat = query.pointer("/message/chat").unwrap_or(from);
    let body = Body::text(words::pressed(settings.language, label.unwrap_or(data)));
    let body = if raw.is_group() { content::headed(body, &format!("{}:", name_of(from))) } else { body };
    Part::Message(Message {
        remote: format!("q{}", text(query, "/id")),
        party: Party::Customer,
        body,
        reply_to: number(query, "/message/message_id").map(|id| id.to_string()),
        quote: None,
        from: raw.profile(chat, from),
    })
}

fn reacted(reaction: &Value) -> Part {
    let Some(remote) = number(reaction, "/message_id") else { return Part::Ignore };
    let new = reaction.get("new_reaction").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let emoji = new.iter().map(|one| text(one, "/emoji")).find(|emoji| !emoji.is_empty());
    // Somebody's own emoji has no letter of its own.
    let key = emoji.unwrap_or(if new.is_empty() { "" } else { "⭐" });
    Part::Reaction { remote: remote.to_string(), party: Party::Customer, key: key.to_owned() }
}

fn blocked(raw: &Raw, member: &Value, settings: &Settings) -> Part {
    let is_in = |path: &str| {
        let status = text(member, path);
        !["kicked", "left", ""].contains(&status)
    };
    let (was, is) = (is_in("/old_chat_member/status"), is_in("/new_chat_member/status"));
    if was == is {
        return Part::Ignore;
    }
    let mut facts = Map::new();
    facts.insert("dev.kontor.blocked".to_owned(), json!(!is));
    // Who only pressed Start has said nothing yet: that opens no conversation.
    Part::Notice { text: words::block(settings.language, !is, raw.is_group()), facts, from: None }
}
