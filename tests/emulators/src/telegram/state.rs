//! What the emulated Telegram knows: people, chats and their messages, connections, updates that wait.

use super::params::Params;
use super::{Done, Refused};
use crate::postbox::now;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// The bot's id.
pub const BOT_ID: i64 = 6_100_100_100;
/// The bot's token.
pub const TOKEN: &str = "6100100100:AAE-emulated-token-of-the-bot-0123456";
/// The account of the company that the bot is connected to.
pub const OWNER_ID: i64 = 500_600_700;
/// The connection to it that is there from the beginning.
pub const CONNECTION: &str = "bc_ABCdef123";

const DAY: i64 = 86_400_000;
/// Updates that nobody asks for are forgotten.
const KEPT: i64 = DAY;
/// Where the company's account may still answer.
const WINDOW: i64 = DAY;

/// To whom customers of the control API write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// To the bot.
    Bot,
    /// To the company's own account, which the bot is connected to.
    Business,
}

#[derive(Clone, Debug)]
pub(crate) struct User {
    pub id: i64,
    pub name: String,
    /// Wrote to the bot once.
    pub started: bool,
    pub blocked: bool,
    pub photo: Option<String>,
}

impl User {
    pub fn json(&self) -> Value {
        json!({
            "id": self.id, "is_bot": false, "first_name": self.name, "username": format!("u_{}", self.id),
            "language_code": "pl",
        })
    }
}

/// A chat's own numbers and messages. A business chat is another one than the bot's with the same person.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chat {
    pub last: i64,
    pub messages: BTreeMap<i64, Value>,
    pub reactions: HashMap<i64, Value>,
    /// When its customer last wrote.
    pub heard: i64,
    /// When the bot sent, for limits.
    pub sent: VecDeque<i64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub id: String,
    pub owner: i64,
    pub enabled: bool,
    pub rights: Value,
}

impl Connection {
    pub fn json(&self) -> Value {
        let mut said = json!({
            "id": self.id, "user": owner(self.owner), "user_chat_id": self.owner, "date": now() / 1000,
            "is_enabled": self.enabled,
        });
        if self.enabled {
            said["rights"] = self.rights.clone();
        }
        said
    }

    pub fn may(&self, right: &str) -> bool {
        self.enabled && self.rights[right] == true
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Webhook {
    pub url: String,
    pub secret: String,
    pub last_error: Option<(i64, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub bytes: Bytes,
    pub media_type: String,
    /// What it is said to measure.
    pub size: u64,
}

pub(crate) struct Inner {
    pub nature: Nature,
    pub token_valid: bool,
    pub ahead: i64,
    pub users: Vec<(String, User)>,
    pub groups: HashMap<i64, Value>,
    pub chats: HashMap<(i64, i64), Chat>,
    pub connections: BTreeMap<String, Connection>,
    /// When it came, and what.
    pub updates: VecDeque<(i64, Value)>,
    pub next_update: i64,
    /// Numbers of messages are above this one.
    pub first_message: i64,
    pub allowed: Option<Vec<String>>,
    /// Who asks for updates; the older one of two is sent away.
    pub polls: u64,
    pub webhook: Webhook,
    /// Where hooks really go: tests cannot listen where the bot says.
    pub deliver_to: String,
    /// Updates by box and id of the control API.
    pub told: HashMap<(String, String), Value>,
    /// Message ids by the same.
    pub named: HashMap<(String, String), i64>,
    pub files: HashMap<String, Stored>,
    pub closed: HashSet<String>,
    pub sent: Vec<Value>,
    pub calls: Vec<Value>,
    pub sent_at: VecDeque<i64>,
    pub next_file: u64,
}

/// Somebody who has the company's account.
pub(crate) fn owner(id: i64) -> Value {
    json!({ "id": id, "is_bot": false, "first_name": "Sklep", "username": "sklep_romashka" })
}

/// The bot as others see it.
pub(crate) fn bot() -> Value {
    json!({ "id": BOT_ID, "is_bot": true, "first_name": "Kontor", "username": "kontor_bot" })
}

pub(crate) fn refusal(code: u16, description: &str) -> Refused {
    Refused { code, description: description.to_owned(), parameters: Value::Null }
}

pub(crate) fn too_many(seconds: i64) -> Refused {
    let description = format!("Too Many Requests: retry after {seconds}");
    Refused { code: 429, description, parameters: json!({ "retry_after": seconds }) }
}

impl Inner {
    pub fn new(nature: Nature) -> Self {
        let rights =
            json!({ "can_reply": true, "can_read_messages": true, "can_delete_sent_messages": true });
        let connection = Connection { id: CONNECTION.to_owned(), owner: OWNER_ID, enabled: true, rights };
        Self {
            nature,
            token_valid: true,
            ahead: 0,
            users: Vec::new(),
            groups: HashMap::new(),
            chats: HashMap::new(),
            connections: BTreeMap::from([(CONNECTION.to_owned(), connection)]),
            updates: VecDeque::new(),
            next_update: 700_001,
            first_message: 0,
            allowed: None,
            polls: 0,
            webhook: Webhook::default(),
            deliver_to: String::new(),
            told: HashMap::new(),
            named: HashMap::new(),
            files: HashMap::new(),
            closed: HashSet::new(),
            sent: Vec::new(),
            calls: Vec::new(),
            sent_at: VecDeque::new(),
            next_file: 1,
        }
    }

    /// With customers, and with numbers that grow with the time: what a bridge remembers from before stays true.
    pub fn to_be_seen() -> Self {
        let mut inner = Self::new(Nature::Bot);
        let seconds = now() / 1000 - 1_700_000_000;
        (inner.next_update, inner.first_message) = (seconds, seconds);
        for (name, shown, _) in super::page::PEOPLE {
            let user = inner.user(name);
            (user.name, user.started) = (shown.to_owned(), true);
        }
        inner
    }

    pub fn now(&self) -> i64 {
        now() + self.ahead
    }

    /// Somebody by the name of a box, made when new. A number is its own id.
    pub fn user(&mut self, name: &str) -> &mut User {
        let at = match self.users.iter().position(|(known, _)| known == name) {
            Some(at) => at,
            None => {
                let next = 730_000_001 + i64::try_from(self.users.len()).unwrap_or(0);
                let id = name.parse().unwrap_or(next);
                let name_shown = if name.parse::<i64>().is_ok() { "Oksana" } else { name };
                let user =
                    User { id, name: name_shown.to_owned(), started: false, blocked: false, photo: None };
                self.users.push((name.to_owned(), user));
                self.users.len() - 1
            }
        };
        &mut self.users[at].1
    }

    pub fn by_id(&self, id: i64) -> Option<&User> {
        self.users.iter().map(|(_, user)| user).find(|user| user.id == id)
    }

    /// The name of the box of a chat.
    pub fn box_of(&self, chat: i64) -> String {
        let found = self.users.iter().find(|(_, user)| user.id == chat);
        found.map_or_else(|| chat.to_string(), |(name, _)| name.clone())
    }

    pub fn chat_json(&self, chat: i64) -> Value {
        if let Some(group) = self.groups.get(&chat) {
            return group.clone();
        }
        let user = self.by_id(chat).map(User::json).unwrap_or_default();
        json!({ "id": chat, "type": "private", "first_name": user["first_name"], "username": user["username"] })
    }

    /// An update for the bot, if it wants such.
    pub fn tell(&mut self, kind: &str, what: Value) -> Value {
        let id = self.next_update;
        self.next_update += 1;
        let mut update = json!({ "update_id": id });
        update[kind] = what;
        let now = self.now();
        if self.wants(kind) {
            self.updates.push_back((now, update.clone()));
        }
        update
    }

    fn wants(&self, kind: &str) -> bool {
        const NOT_BY_DEFAULT: [&str; 3] = ["chat_member", "message_reaction", "message_reaction_count"];
        match &self.allowed {
            Some(allowed) if !allowed.is_empty() => {
                // What nobody has a name for yet cannot be left out.
                allowed.iter().any(|wanted| wanted == kind) || kind.starts_with("x_")
            }
            _ => !NOT_BY_DEFAULT.contains(&kind),
        }
    }

    /// Forgets updates that nobody asked for in a day.
    pub fn expire(&mut self) {
        let before = self.now() - KEPT;
        self.updates.retain(|(at, _)| *at > before);
    }

    /// Which chat a call is about, and in whose name: the chat's key.
    pub fn target(&self, params: &Params) -> Result<(i64, i64), Refused> {
        let chat = params.int("chat_id").ok_or_else(|| refusal(400, "Bad Request: chat_id is empty"))?;
        let connection = params.text("business_connection_id");
        if connection.is_empty() {
            if self.groups.contains_key(&chat) {
                return Ok((0, chat));
            }
            let user = self.by_id(chat).ok_or_else(|| refusal(400, "Bad Request: chat not found"))?;
            return match user {
                user if user.blocked => Err(refusal(403, "Forbidden: bot was blocked by the user")),
                user if !user.started => {
                    Err(refusal(403, "Forbidden: bot can't initiate conversation with a user"))
                }
                _ => Ok((0, chat)),
            };
        }
        let connection = self.connections.get(connection);
        let connection =
            connection.ok_or_else(|| refusal(400, "Bad Request: business connection not found"))?;
        if self.by_id(chat).is_none() {
            return Err(refusal(400, "Bad Request: chat not found"));
        }
        Ok((connection.owner, chat))
    }

    /// Whether the company's account may be used for this right in a chat.
    pub fn allowed_in(&self, (owner, chat): (i64, i64), params: &Params, right: &str) -> Result<(), Refused> {
        if owner == 0 {
            return Ok(());
        }
        let connection = self.connections.get(params.text("business_connection_id"));
        if !connection.is_some_and(|connection| connection.may(right)) {
            return Err(refusal(403, "Forbidden: BUSINESS_CONNECTION_NOT_ALLOWED"));
        }
        let heard = self.chats.get(&(owner, chat)).map_or(0, |chat| chat.heard);
        if self.closed.contains(&self.box_of(chat)) || self.now() - heard > WINDOW {
            return Err(refusal(400, "Bad Request: BUSINESS_PEER_USAGE_MISSING"));
        }
        Ok(())
    }

    /// Counts a message against the limits.
    pub fn count(&mut self, key: (i64, i64)) -> Result<(), Refused> {
        let now = self.now();
        self.sent_at.retain(|at| now - at < 1000);
        if self.sent_at.len() >= 30 {
            return Err(too_many(1));
        }
        let (most, within) = if key.1 < 0 { (20, 60_000) } else { (20, 10_000) };
        let chat = self.chats.entry(key).or_default();
        chat.sent.retain(|at| now - at < within);
        if chat.sent.len() >= most {
            return Err(too_many(3));
        }
        chat.sent.push_back(now);
        self.sent_at.push_back(now);
        Ok(())
    }

    pub fn called(&mut self, method: &str, params: &Params) -> Done {
        let mut call = Value::Object(params.values.clone());
        call["method"] = json!(method);
        self.calls.push(call);
        Ok(json!(true))
    }

    pub fn run(&mut self, method: &str, params: &Params) -> Done {
        match method {
            "getme" => {
                let mut me = bot();
                for (name, value) in [
                    ("can_join_groups", true),
                    ("can_read_all_group_messages", false),
                    ("supports_inline_queries", false),
                    ("can_connect_to_business", true),
                    ("has_main_web_app", false),
                ] {
                    me[name] = json!(value);
                }
                Ok(me)
            }
            "setwebhook" => self.set_webhook(params),
            "deletewebhook" => {
                self.webhook = Webhook::default();
                if params.flag("drop_pending_updates") {
                    self.updates.clear();
                }
                self.called("deletewebhook", params)
            }
            "getwebhookinfo" => Ok(self.webhook_info()),
            "getfile" => self.get_file(params),
            "getchat" => self.get_chat(params),
            "getuserprofilephotos" => self.profile_photos(params),
            "getbusinessconnection" => {
                let id = params.text("business_connection_id");
                let connection = self.connections.get(id).map(Connection::json);
                connection.ok_or_else(|| refusal(400, "Bad Request: business connection not found"))
            }
            "logout" | "close" | "setmycommands" | "deletemycommands" => self.called(method, params),
            _ => self.act(method, params),
        }
    }
}
