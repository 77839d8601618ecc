//! A stand-in of the homeserver for one bridge: rooms, durable transaction ids, the company API, and
//! transactions to the bridge in strict order until they are taken.

use crate::faults::{Fault, Faults, Kind};
use crate::serve::{Asked, Said, Serving};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// The bridge's token.
pub const AS_TOKEN: &str = "as-token-of-the-bridge";
/// The homeserver's token.
pub const HS_TOKEN: &str = "hs-token-of-the-house";
/// The bridge's own user.
pub const BOT: &str = "@bridge:stand.in";
/// What all ghosts begin with.
pub const GHOSTS: &str = "@kontor_";
/// An agent.
pub const AGENT: &str = "@anna:stand.in";

#[derive(Default)]
struct Inner {
    bridge: String,
    events: Vec<Value>,
    /// (user, path) of what was sent already.
    txns: HashMap<(String, String), String>,
    conversations: HashMap<String, Value>,
    queue: VecDeque<Value>,
    media: HashMap<String, (String, Bytes)>,
    health: Vec<Value>,
    claims: Vec<Value>,
    moves: Vec<(String, String)>,
    typing: Vec<Value>,
    reads: Vec<Value>,
    next: u64,
}

impl Inner {
    fn add(&mut self, user: &str, room: &str, kind: &str, content: Value, ts: Option<i64>) -> String {
        self.next += 1;
        let id = format!("$e{}", self.next);
        let mut event = json!({
            "event_id": id, "room_id": room, "sender": user, "type": kind, "content": content,
            "origin_server_ts": ts.unwrap_or_else(crate::postbox::now),
        });
        if kind == "m.room.redaction" {
            event["redacts"] = event["content"]["redacts"].clone();
        }
        self.events.push(event.clone());
        self.queue.push_back(event);
        id
    }
}

struct Shared {
    inner: Mutex<Inner>,
    faults: Faults,
    client: reqwest::Client,
}

/// The stand-in.
pub struct Home {
    shared: Arc<Shared>,
    serving: Serving,
    _pushing: JoinSet<()>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(status: u16, errcode: &str) -> Said {
    Said::Json(status, json!({ "errcode": errcode, "error": errcode, "retry_after_ms": 200 }))
}

impl Home {
    /// Starts one.
    pub async fn start() -> Self {
        let shared =
            Arc::new(Shared { inner: Mutex::default(), faults: Faults::default(), client: crate::client() });
        let handler = Arc::clone(&shared);
        let serving = Serving::start(Arc::new(move |asked| {
            let shared = Arc::clone(&handler);
            Box::pin(async move { shared.answer(&asked).await })
        }))
        .await;
        let mut pushing = JoinSet::new();
        pushing.spawn(push(Arc::clone(&shared)));
        Self { shared, serving, _pushing: pushing }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.serving.url()
    }

    /// Where the bridge is.
    pub fn tell_bridge(&self, url: &str) {
        self.shared.lock().bridge = url.to_owned();
    }

    /// Something goes wrong: operations are `send`, `open`, `address`, `upload`,
    /// `transaction`.
    pub fn fault(&self, op: &str, kind: Kind, times: u32, value: u64) {
        self.shared.faults.add(Fault { op: op.to_owned(), kind, times, lane: String::new(), value });
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.fault("", Kind::Status, 0, 0);
    }

    /// The room of a conversation, once it was opened.
    pub fn room(&self, external_id: &str) -> Option<String> {
        let inner = self.shared.lock();
        Some(inner.conversations.get(external_id)?["room_id"].as_str()?.to_owned())
    }

    /// All events of a room, oldest first.
    pub fn events(&self, room: &str) -> Vec<Value> {
        self.shared.lock().events.iter().filter(|event| event["room_id"] == room).cloned().collect()
    }

    /// How many conversations were opened.
    pub fn conversations(&self) -> usize {
        let inner = self.shared.lock();
        let ids = inner.conversations.values().filter_map(|made| made["conversation_id"].as_str());
        ids.collect::<HashSet<_>>().len()
    }

    /// What the bridge told of its health.
    pub fn health(&self) -> Vec<Value> {
        self.shared.lock().health.clone()
    }

    /// Claims and consents that the bridge told.
    pub fn claims(&self) -> Vec<Value> {
        self.shared.lock().claims.clone()
    }

    /// Customers whose ids changed: the conversation and the new id, each time that it was told.
    pub fn moves(&self) -> Vec<(String, String)> {
        self.shared.lock().moves.clone()
    }

    /// Read marks of ghosts.
    pub fn reads(&self) -> Vec<Value> {
        self.shared.lock().reads.clone()
    }

    /// Somebody of the company does something in a room; gives the event's id.
    pub fn act(&self, room: &str, kind: &str, content: Value) -> String {
        self.act_as(AGENT, room, kind, content)
    }

    /// Somebody does something in a room; gives the event's id.
    pub fn act_as(&self, user: &str, room: &str, kind: &str, content: Value) -> String {
        self.shared.add(user, room, kind, content, None)
    }

    /// An agent writes.
    pub fn says(&self, room: &str, text: &str) -> String {
        self.act(room, "m.room.message", json!({ "msgtype": "m.text", "body": text }))
    }

    /// An agent takes an event back.
    pub fn redacts(&self, room: &str, event_id: &str) -> String {
        self.act(room, "m.room.redaction", json!({ "redacts": event_id }))
    }

    /// A file that agents may send.
    pub fn stores(&self, media_type: &str, bytes: &[u8]) -> String {
        let mut inner = self.shared.lock();
        inner.next += 1;
        let id = format!("m{}", inner.next);
        inner.media.insert(id.clone(), (media_type.to_owned(), Bytes::copy_from_slice(bytes)));
        format!("mxc://stand.in/{id}")
    }

    /// The contents of a file.
    pub fn file(&self, mxc: &str) -> Option<Bytes> {
        let id = mxc.rsplit('/').next()?;
        self.shared.lock().media.get(id).map(|(_, bytes)| bytes.clone())
    }

    /// Transactions that the bridge did not take yet.
    pub fn waiting(&self) -> usize {
        self.shared.lock().queue.len()
    }
}

impl Shared {
    /// A new event; told to the bridge like every other.
    fn add(&self, user: &str, room: &str, kind: &str, content: Value, ts: Option<i64>) -> String {
        self.lock().add(user, room, kind, content, ts)
    }

    async fn answer(&self, asked: &Asked) -> Said {
        if asked.token != AS_TOKEN {
            return refused(401, "M_UNKNOWN_TOKEN");
        }
        let user = asked.param("user_id").unwrap_or(BOT).to_owned();
        if user != BOT && !user.starts_with(GHOSTS) {
            return refused(403, "M_EXCLUSIVE");
        }
        let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
        let op = match path.as_slice() {
            ["_matrix", "client", "v3", "rooms", _, "send" | "redact", ..] => "send",
            ["_kontor", "bridge", "v1", "conversations"] => "open",
            ["_kontor", "bridge", "v1", "conversations", _, "address"] => "address",
            ["_matrix", "media", "v3", "upload"] => "upload",
            _ => "",
        };
        let fault = self.faults.take(op, "").filter(|_| !op.is_empty());
        match &fault {
            Some(fault) if fault.kind == Kind::DropBefore => return Said::Cut,
            Some(fault) if fault.kind == Kind::Status => {
                let status = u16::try_from(fault.value).unwrap_or(500);
                return refused(status, if status == 429 { "M_LIMIT_EXCEEDED" } else { "M_UNKNOWN" });
            }
            _ => {}
        }
        let said = self.route(asked, &user, &path);
        if fault.is_some_and(|fault| fault.kind == Kind::DropAfter) { Said::Cut } else { said }
    }

    fn route(&self, asked: &Asked, user: &str, path: &[&str]) -> Said {
        match path {
            ["_matrix", "client", "v3", "account", "whoami"] => Said::ok(json!({ "user_id": user })),
            ["_matrix", "client", "v3", "rooms", room, "send", kind, txn] => {
                self.once(asked, user, &format!("{room}/{kind}/{txn}"), room, kind, asked.json())
            }
            ["_matrix", "client", "v3", "rooms", room, "redact", event, txn] => {
                let content = json!({ "redacts": event });
                self.once(asked, user, &format!("{room}/redact/{txn}"), room, "m.room.redaction", content)
            }
            ["_matrix", "client", "v3", "rooms", room, "typing", who] => {
                self.lock().typing.push(json!({ "room": room, "user": who }));
                Said::ok(json!({}))
            }
            ["_matrix", "client", "v3", "rooms", room, "receipt", _, event] => {
                self.lock().reads.push(json!({ "room": room, "user": user, "event": event }));
                Said::ok(json!({}))
            }
            ["_matrix", "client", "v3", "profile", _, "displayname"] => {
                Said::ok(json!({ "displayname": "Anna" }))
            }
            ["_matrix", "client", "v3", "join", _] => Said::ok(json!({})),
            ["_matrix", "media", "v3", "upload"] => {
                let mut inner = self.lock();
                inner.next += 1;
                let id = format!("m{}", inner.next);
                inner.media.insert(id.clone(), (asked.media_type.clone(), asked.body.clone()));
                Said::ok(json!({ "content_uri": format!("mxc://stand.in/{id}") }))
            }
            ["_matrix", "client", "v1", "media", "download", _, id] => match self.lock().media.get(*id) {
                Some((media_type, bytes)) => Said::Bytes(media_type.clone(), bytes.clone()),
                None => refused(404, "M_NOT_FOUND"),
            },
            ["_kontor", "bridge", "v1", rest @ ..] => self.company(asked, rest),
            _ => refused(404, "M_UNRECOGNIZED"),
        }
    }

    /// The same transaction id gives the same event, for ever.
    fn once(&self, asked: &Asked, user: &str, txn: &str, room: &str, kind: &str, content: Value) -> Said {
        let key = (user.to_owned(), txn.to_owned());
        let mut inner = self.lock();
        if let Some(event) = inner.txns.get(&key) {
            return Said::ok(json!({ "event_id": event }));
        }
        let ts = asked.param("ts").and_then(|ts| ts.parse().ok());
        let event = inner.add(user, room, kind, content, ts);
        inner.txns.insert(key, event.clone());
        Said::ok(json!({ "event_id": event }))
    }

    /// The new id leads to the conversation, and the old one still does; unless the new one is another's.
    fn moved(&self, conversation: &str, external_id: &str) -> Said {
        let mut inner = self.lock();
        inner.moves.push((conversation.to_owned(), external_id.to_owned()));
        let mut all = inner.conversations.values();
        let Some(made) = all.find(|made| made["conversation_id"] == conversation).cloned() else {
            return refused(404, "M_NOT_FOUND");
        };
        let there = inner.conversations.entry(external_id.to_owned()).or_insert(made);
        Said::ok(json!({ "moved": there["conversation_id"] == conversation }))
    }

    fn company(&self, asked: &Asked, path: &[&str]) -> Said {
        let body = asked.json();
        match path {
            ["conversations"] => {
                let who = body["external_id"].as_str().unwrap_or_default().to_owned();
                let mut inner = self.lock();
                let number = inner.conversations.len() + 1;
                let made = json!({
                    "conversation_id": format!("c{number}"), "room_id": format!("!room{number}:stand.in"),
                    "contact_id": format!("k{number}"), "language": "pl",
                    "ghost_user_id": format!("{GHOSTS}ghost{number}:stand.in"),
                });
                Said::ok(inner.conversations.entry(who).or_insert(made).clone())
            }
            ["conversations", _, "claims" | "consents"] => {
                self.lock().claims.push(body);
                Said::ok(json!({}))
            }
            ["conversations", id, "address"] => {
                self.moved(id, body["external_id"].as_str().unwrap_or_default())
            }
            ["channels", _, "health"] => {
                self.lock().health.push(body);
                Said::ok(json!({}))
            }
            _ => refused(404, "M_UNRECOGNIZED"),
        }
    }
}

/// Tells the bridge every event, in order, until it takes it.
async fn push(shared: Arc<Shared>) {
    let mut txn = 0_u64;
    loop {
        let (bridge, events): (String, Vec<Value>) = {
            let inner = shared.lock();
            (inner.bridge.clone(), inner.queue.iter().take(20).cloned().collect())
        };
        if bridge.is_empty() || events.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        }
        let count = events.len();
        let again = shared.faults.take("transaction", "").is_some();
        let body = json!({ "events": events });
        let url = format!("{bridge}/_matrix/app/v1/transactions/{txn}");
        let request = shared.client.put(url).bearer_auth(HS_TOKEN).json(&body);
        let answer = request.timeout(Duration::from_secs(10)).send().await;
        // A fault here is an answer that got lost.
        if answer.is_ok_and(|answer| answer.status() == 200) && !again {
            shared.lock().queue.drain(..count);
            txn += 1;
        } else {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
