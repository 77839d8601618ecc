//! Telegram's Bot API as its bots see it: one bot, its customers, files, groups and Business connections.
//!
//! What it is sent is checked as the real one does, and refused in the real one's words. The control API is
//! that of all emulators; [`control`] says what it knows besides. A box of the control API is a customer.

mod check;
mod control;
mod edit;
mod files;
mod media;
mod page;
mod params;
mod send;
mod state;
mod updates;

use crate::faults::{Fault, Faults, Kind};
use crate::serve::{Asked, Said, Serving};
use params::Params;
use serde_json::{Value, json};
pub use state::{BOT_ID, CONNECTION, Nature, OWNER_ID, TOKEN};
use state::{Inner, refusal};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// What the real one told, case by case: updates.
pub const UPDATES: &str = include_str!("../../fixtures/telegram_updates.json");
/// And its answers.
pub const RESPONSES: &str = include_str!("../../fixtures/telegram_responses.json");

/// How a method went: a result, or the error's envelope.
pub(crate) type Done = Result<Value, Refused>;

/// A refusal in Telegram's words.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub code: u16,
    pub description: String,
    pub parameters: Value,
}

pub(crate) struct Shared {
    pub inner: Mutex<Inner>,
    pub faults: Faults,
    /// There are updates, or there is another one who asks for them.
    pub news: Notify,
    pub client: reqwest::Client,
}

/// The emulator.
pub struct Telegram {
    serving: Serving,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl Telegram {
    /// Starts it; customers of the control API write to the bot, or to the company's own account.
    pub async fn start(nature: Nature) -> Self {
        Self::of(Inner::new(nature), ([127, 0, 0, 1], 0).into()).await
    }

    /// Starts it for a person who looks: with some customers, at this address, and with numbers that go on after
    /// those of the last time.
    pub async fn start_to_be_seen(at: SocketAddr) -> Self {
        Self::of(Inner::to_be_seen(), at).await
    }

    async fn of(inner: Inner, at: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            inner: Mutex::new(inner),
            faults: Faults::default(),
            news: Notify::new(),
            client: crate::client(),
        });
        let handler = Arc::clone(&shared);
        let serving = Serving::start_at(
            at,
            Arc::new(move |asked| {
                let shared = Arc::clone(&handler);
                Box::pin(async move { shared.answer(asked).await })
            }),
        )
        .await;
        let mut tasks = JoinSet::new();
        tasks.spawn(updates::push(Arc::clone(&shared)));
        Self { serving, shared, _tasks: tasks }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.serving.url()
    }

    /// Telegram's id of a customer.
    pub fn user(&self, name: &str) -> String {
        // A number is a chat already, of a group or of somebody.
        match name.parse::<i64>() {
            Ok(id) => id.to_string(),
            Err(_) => self.shared.lock().user(name).id.to_string(),
        }
    }

    /// The id of the update that an injected item became; empty when there is none.
    pub fn update(&self, id: &str) -> String {
        let inner = self.shared.lock();
        let update = inner.told.iter().find(|((_, told), _)| told == id).map(|(_, update)| update);
        update.map(|update| update["update_id"].to_string()).unwrap_or_default()
    }

    /// What a customer or the network does, as `POST /_emu/inject`.
    pub async fn inject(&self, item: Value) -> Value {
        self.shared.inject(item).await
    }

    /// As `POST /_emu/setup`.
    pub fn setup(&self, body: &Value) {
        self.shared.setup(body);
    }

    /// What goes wrong, as `POST /_emu/fault`.
    pub fn fault(&self, op: &str, kind: Kind, times: u32, value: u64) {
        self.shared.faults.add(Fault { op: op.to_owned(), kind, times, lane: String::new(), value });
    }

    /// Puts its clock forward.
    pub fn pass(&self, ms: i64) {
        self.shared.lock().ahead += ms;
    }

    /// What it was sent, in order: as `GET /_emu/sent`.
    pub fn sent(&self) -> Vec<Value> {
        self.shared.lock().sent.clone()
    }

    /// Calls of methods that send nothing: typing, read marks, answered buttons, webhooks.
    pub fn calls(&self, method: &str) -> Vec<Value> {
        let inner = self.shared.lock();
        inner.calls.iter().filter(|call| call["method"] == method).cloned().collect()
    }

    /// Updates that nobody confirmed yet.
    pub fn pending(&self) -> usize {
        self.shared.lock().updates.len()
    }
}

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(self: &Arc<Self>, asked: Asked) -> Said {
        let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            [] => Said::Bytes("text/html; charset=utf-8".to_owned(), page::PAGE.into()),
            ["health", "ready"] => Said::ok(json!({})),
            ["_emu", what] => self.control(what, &asked).await,
            ["file", bot, path @ ..] => match self.is_bot(bot) {
                true => self.download(&path.join("/")),
                false => envelope(Err(refusal(404, "Not Found"))),
            },
            [bot, method] if bot.starts_with("bot") => {
                if !self.is_bot(bot) {
                    return envelope(Err(refusal(401, "Unauthorized")));
                }
                let params = match Params::read(&asked).await {
                    Ok(params) => params,
                    Err(refused) => return envelope(Err(refused)),
                };
                self.method(&method.to_ascii_lowercase(), &params).await
            }
            _ => envelope(Err(refusal(404, "Not Found"))),
        }
    }

    fn is_bot(&self, part: &str) -> bool {
        let inner = self.lock();
        inner.token_valid && part.strip_prefix("bot") == Some(TOKEN)
    }

    /// A method of the Bot API, with what goes wrong on its way.
    async fn method(self: &Arc<Self>, method: &str, params: &Params) -> Said {
        let sends = ["send", "edit", "delete", "setmessagereaction"];
        let quiet = ["sendchataction", "deletewebhook"];
        let op = match method {
            "getupdates" => return self.get_updates(params).await,
            _ if sends.iter().any(|prefix| method.starts_with(prefix)) && !quiet.contains(&method) => "send",
            _ => method,
        };
        let lane = params.int("chat_id").map(|chat| self.lock().box_of(chat)).unwrap_or_default();
        let fault = self.faults.take(op, &lane);
        match &fault {
            Some(fault) if fault.kind == Kind::DropBefore => return Said::Cut,
            Some(fault) if fault.kind == Kind::Status => return failure(fault.value),
            Some(fault) if fault.kind == Kind::Delay => {
                tokio::time::sleep(Duration::from_millis(fault.value)).await;
            }
            _ => {}
        }
        let done = self.run(method, params);
        match fault {
            // Stored, and the answer is some proxy's.
            Some(fault) if fault.kind == Kind::DropAfter && fault.value > 0 => {
                Said::Json(u16::try_from(fault.value).unwrap_or(502), json!("Bad Gateway"))
            }
            Some(fault) if fault.kind == Kind::DropAfter => Said::Cut,
            // Its own echo overtakes the answer.
            Some(fault) if fault.kind == Kind::Reorder => {
                tokio::time::sleep(Duration::from_millis(700)).await;
                envelope(done)
            }
            _ => envelope(done),
        }
    }

    fn run(&self, method: &str, params: &Params) -> Done {
        let mut inner = self.lock();
        let had = inner.updates.len();
        let done = inner.run(method, params);
        if inner.updates.len() != had || method.ends_with("webhook") {
            self.news.notify_waiters();
        }
        done
    }
}

/// The answer's envelope.
fn envelope(done: Done) -> Said {
    match done {
        Ok(result) => Said::ok(json!({ "ok": true, "result": result })),
        Err(refused) => {
            let mut body =
                json!({ "ok": false, "error_code": refused.code, "description": refused.description });
            if !refused.parameters.is_null() {
                body["parameters"] = refused.parameters;
            }
            Said::Json(refused.code, body)
        }
    }
}

/// A failure that was asked for by its status.
fn failure(status: u64) -> Said {
    let code = u16::try_from(status).unwrap_or(500);
    envelope(Err(match code {
        429 => state::too_many(1),
        401 => refusal(401, "Unauthorized"),
        403 => refusal(403, "Forbidden: bot was blocked by the user"),
        400 => refusal(400, "Bad Request: chat not found"),
        code => refusal(code, "Internal Server Error"),
    }))
}
