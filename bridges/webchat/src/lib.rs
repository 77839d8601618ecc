//! The website as a channel: a chat window on the company's pages, and its contact forms.
//!
//! Both ends are ours. What a visitor does becomes an item of the kit's inbox and an entry of the
//! conversation's journal in one transaction; what an employee does becomes an entry; pages read the
//! journal. Storage, Matrix, retries and the web server are the kit's; SQL, axum and status codes may not
//! enter here.

pub mod config;
pub mod demo;

mod answer;
mod clean;
mod door;
mod entry;
mod events;
mod hours;
mod item;
mod lead;
mod limits;
mod presence;
mod rich;
mod script;
mod send;
mod session;
mod setup;
mod signed;
mod talk;
mod upload;
mod visitor;
mod words;

pub use script::{Script, script};
pub use signed::sign_identity;

use async_trait::async_trait;
use config::{Settings, Widget};
use door::Door;
use kontor_bridge_kit::{
    Answer, Caps, Channel, Context, Download, HookReply, HookRequest, Item, Outcome, Outgoing, Part, Policy,
    Probe, Rate, Reply, Rung, SendError, Signal, Uncertain, Whom,
};
use kontor_model::{Code, Error, Ms, Result};
use limits::{Limiter, Quota, neighbourhood};
use presence::Presence;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, MutexGuard};

/// Where the widget's calls begin.
pub const WIDGET_PATH: &str = "/_kontor/widget/v1/";
/// Where forms are sent to.
pub const INTAKE_PATH: &str = "/_kontor/intake/v1/";
/// Largest body that is no file, bytes.
const LARGEST_BODY: usize = 8 << 10;
/// What a multipart form needs around its file, bytes.
const AROUND_FILE: usize = 16 << 10;

/// The website channel.
pub struct WebChat {
    settings: Settings,
    limiter: Limiter,
    presence: Presence,
    /// Held while it is decided which visitor a proven person is.
    proving: Mutex<()>,
    /// Held while what is known of a visitor is changed; visitors share these.
    writing: [Mutex<()>; 64],
}

impl WebChat {
    /// Set up like this.
    ///
    /// # Errors
    /// What is wrong with the settings, in words for whoever wrote them.
    pub fn new(settings: Settings) -> std::result::Result<Self, String> {
        settings.check()?;
        Ok(Self {
            settings,
            limiter: Limiter::default(),
            presence: Presence::default(),
            proving: Mutex::default(),
            writing: std::array::from_fn(|_| Mutex::default()),
        })
    }

    /// Nobody else changes what is known of this visitor until the guard is dropped.
    async fn writing(&self, visitor: &str) -> Option<MutexGuard<'_, ()>> {
        // The last two of the id's hexadecimal digits.
        let digits = visitor.get(visitor.len().saturating_sub(2)..).unwrap_or_default();
        let number = usize::from_str_radix(digits, 16).unwrap_or(0) % self.writing.len();
        match self.writing.get(number) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }

    /// The answer to a call that is refused, and its one line in the log.
    fn refuse(&self, request: &HookRequest, error: &Error) -> Reply {
        let (method, path) = (&request.method, &request.path);
        match error.code {
            Code::Unavailable | Code::Internal => {
                tracing::error!(%method, %path, ?error, "A page's call failed.")
            }
            _ => {
                tracing::info!(%method, %path, code = ?error.code, why = %error, "A page's call was refused.")
            }
        }
        answer::error(error)
    }

    async fn widget(&self, context: &Context, request: &HookRequest, call: &str) -> Result<HookReply> {
        if request.method == "GET"
            && let Some(reply) = script::serve(call, request)
        {
            // A page that checks the script's integrity must be allowed to read it.
            let origins = self.settings.widgets.iter().flat_map(|widget| &widget.origins);
            let door = Door::enter(request, origins).unwrap_or_else(|_| Door::none());
            return Ok(HookReply::only(door.open(reply)));
        }
        let id = request.parameter("w");
        let Some(id) = id else {
            return Err(Error::bad_json("The call lacks w, the widget's id."));
        };
        let widget = self.settings.widget(&id).ok_or_else(|| Error::not_found("There is no such widget."))?;
        let door = Door::enter(request, &widget.origins)?;
        if request.method == "OPTIONS" {
            return Ok(HookReply::only(door.preflight()));
        }
        match self.call(context, request, widget, call).await {
            Ok(reply) => Ok(door.around(reply)),
            Err(error) => Ok(HookReply::only(door.open(self.refuse(request, &error)))),
        }
    }

    async fn call(
        &self,
        context: &Context,
        request: &HookRequest,
        widget: &Widget,
        call: &str,
    ) -> Result<HookReply> {
        let most = if call == "files" { widget.files.largest + AROUND_FILE } else { LARGEST_BODY };
        if request.body.len() > most {
            return Err(Error::new(Code::TooLarge, "This is larger than what is taken here."));
        }
        let quota = Quota::of(widget.limits.requests_per_minute, 60);
        self.limiter.take("request", &neighbourhood(request.remote), quota, request.at)?;
        // Boxed, since what waits would otherwise be as large as the largest of them, once for every page.
        match (request.method.as_str(), call) {
            ("GET", "config") => Ok(self.setup(request, widget)),
            ("POST", "session") => Box::pin(session::begin(self, context, request, widget)).await,
            ("GET", "events") => Box::pin(self.events(context, request, widget)).await,
            ("POST", "messages") => Box::pin(self.message(context, request, widget)).await,
            ("POST", "files") => Box::pin(self.file(context, request, widget)).await,
            ("POST", "typing") => Box::pin(self.typing(context, request, widget)).await,
            ("POST", "read") => Box::pin(self.read(context, request, widget)).await,
            ("POST", "rating") => Box::pin(self.rating(context, request, widget)).await,
            ("POST", "end") => Box::pin(self.end(context, request, widget)).await,
            ("POST", "lead") => Box::pin(self.lead(context, request, widget)).await,
            ("GET", "me") => Box::pin(self.export(context, request, widget)).await,
            ("DELETE", "me") => Box::pin(self.erase(context, request, widget)).await,
            ("GET", call) if call.starts_with("files/") => {
                let seq = call.strip_prefix("files/").unwrap_or_default();
                Box::pin(self.open(context, request, widget, seq)).await
            }
            _ => Err(Error::new(Code::Unrecognized, "The widget has no such call.")),
        }
    }
}

impl Door {
    /// Lets the page read an answer that may depend on what is committed.
    fn around(self, reply: HookReply) -> HookReply {
        let answer = match reply.answer {
            Answer::Now(now) => Answer::Now(self.open(now)),
            Answer::After(after) => Answer::After(Box::new(move |done| self.open(after(done)))),
        };
        HookReply { commit: reply.commit, answer }
    }
}

/// Reads a JSON body.
///
/// # Errors
/// `BadJson` when it is none, or not of this shape.
fn body<T: DeserializeOwned>(request: &HookRequest) -> Result<T> {
    let wrong =
        |error: serde_json::Error| Error::bad_json(format!("The body is not what this call takes: {error}"));
    serde_json::from_slice(&request.body).map_err(wrong)
}

#[async_trait]
impl Channel for WebChat {
    fn caps(&self) -> Caps {
        let files = self.settings.widgets.iter().map(|widget| widget.files.largest).max().unwrap_or(0);
        Caps {
            largest_body: (files + AROUND_FILE).max(LARGEST_BODY),
            longest_text: 20_000,
            edits: true,
            deletes: true,
            reactions: true,
            best_receipt: Rung::Read,
            // An entry's key is ours: the same thing stands in the journal once.
            uncertain: Uncertain::Idempotent,
            rate: Rate::NONE,
            lane_rate: Rate::NONE,
            // A quiet night on a website says nothing.
            watch_traffic: false,
            ..Caps::of("webchat")
        }
    }

    fn largest_body(&self, _: &str, path: &str) -> usize {
        let is_file = path.strip_prefix(WIDGET_PATH) == Some("files");
        // What is a little too large is read, so that its page can be told so.
        if is_file { self.caps().largest_body } else { 4 * LARGEST_BODY }
    }

    async fn hook(&self, context: &Context, request: HookRequest) -> Result<HookReply> {
        if let Some(call) = request.path.strip_prefix(WIDGET_PATH) {
            return self.widget(context, &request, call).await;
        }
        if let Some(form) = request.path.strip_prefix(INTAKE_PATH) {
            return Box::pin(self.intake(context, &request, form)).await;
        }
        Err(Error::new(Code::Unrecognized, "There is nothing here."))
    }

    fn parse(&self, item: &Item) -> Result<Vec<Part>> {
        item::parse(item, self.settings.language)
    }

    async fn send(&self, context: &Context, outgoing: Outgoing) -> std::result::Result<Outcome, SendError> {
        self.deliver(context, &outgoing).await
    }

    async fn signal(&self, context: &Context, signal: Signal) -> Result<()> {
        match signal {
            Signal::Typing { to, on, author } => {
                let name = author.and_then(|author| author.name);
                self.presence.typing(&to.lane, on, name, context.now());
                context.wake(&to.lane);
                Ok(())
            }
            Signal::Read { to, remote } => self.seen(context, &to.lane, &remote).await,
        }
    }

    async fn fetch(&self, _: &Context, _: &str) -> Result<Download> {
        Err(Error::not_found("Files of visitors come with their messages."))
    }

    async fn health(&self, _: &Context) -> Result<Probe> {
        Ok(Probe::FINE)
    }

    fn policy(&self, lane: &Whom, _: Ms) -> Policy {
        send::policy(lane)
    }
}
