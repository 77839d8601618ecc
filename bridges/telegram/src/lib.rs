//! Telegram as a channel: the company's bot, and the company's own account that the bot is connected to.
//!
//! This crate translates between the Bot API and the kit, in both directions. Storage, retries, order and
//! Matrix are the kit's; SQL and axum may not enter here. The bot's token stands in every address that is
//! called: addresses are made in `api` and nowhere else, and are never logged nor given away.

pub mod config;

mod account;
mod api;
mod buttons;
mod content;
mod entities;
mod health;
mod intake;
mod item;
mod lane;
mod markup;
mod receive;
mod send;
mod talk;
mod upload;
mod verdict;
mod words;

use api::Api;
use async_trait::async_trait;
use config::{Receive, Settings};
use kontor_bridge_kit::{
    AccountState, Act, Body, Caps, Channel, Context, Counts, Download, HookReply, HookRequest, Item, Outcome,
    Outgoing, Part, Policy, Probe, Pulled, Rate, Rung, SendError, Signal, Uncertain, Whom,
};
use kontor_model::{Error, Ms, Result};
use lane::Lane;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicI64;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where Telegram's webhook comes in.
pub const HOOK_PATH: &str = "/_kontor/telegram/v1/webhook";
/// Answers in the name of the company's account are taken for so long after the customer wrote, milliseconds.
pub(crate) const WINDOW: Ms = 86_400_000;
/// An update is rarely larger than a few kilobytes.
const LARGEST_UPDATE: usize = 1 << 20;
/// How long the echo of a message may take.
const ECHO: Ms = 3000;

/// The Telegram channel.
pub struct Telegram {
    settings: Settings,
    api: Api,
    /// When somebody else was seen asking for this bot's news.
    conflict_at: AtomicI64,
    /// Chats in which agents are typing.
    typing: Mutex<HashMap<String, u64>>,
    /// The last chat that Telegram asked to slow down in, and until when.
    flood: Mutex<Option<(i64, Ms)>>,
    /// Kinds of updates that nobody here knows: each is logged once.
    unknown: Mutex<HashSet<String>>,
}

impl Telegram {
    /// Set up like this.
    ///
    /// # Errors
    /// What is wrong with the settings, in words for whoever wrote them.
    pub fn new(settings: Settings) -> std::result::Result<Self, String> {
        settings.check()?;
        let api = Api::new(&settings.api_url, settings.token.clone());
        Ok(Self {
            settings,
            api,
            conflict_at: AtomicI64::new(0),
            typing: Mutex::default(),
            flood: Mutex::default(),
            unknown: Mutex::default(),
        })
    }
}

/// A lock that a panic elsewhere does not spoil.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Channel for Telegram {
    fn caps(&self) -> Caps {
        Caps {
            pulls: self.settings.receive == Receive::Polling,
            largest_body: LARGEST_UPDATE,
            longest_text: 4096,
            longest_caption: 1024,
            counts: Counts::Utf16,
            largest_file: u64::from(self.settings.largest_file_mb) << 20,
            edits: true,
            deletes: true,
            reactions: true,
            // That Telegram took it is all that bots ever learn.
            best_receipt: Rung::Sent,
            uncertain: Uncertain::Ask,
            // Telegram allows thirty a second, and about one a second in a chat.
            rate: Rate { per_second: 25, burst: 5 },
            lane_rate: Rate { per_second: 1, burst: 5 },
            ..Caps::of("telegram")
        }
    }

    fn caps_in(&self, lane: &Whom) -> Caps {
        let caps = self.caps();
        if Lane::of(&lane.lane).is_none_or(|lane| lane.owner.is_none()) {
            return caps;
        }
        // Telegram tells of every message that is sent by the company's account.
        let uncertain = if caps.pulls { Uncertain::Echo(ECHO) } else { Uncertain::EchoThenAsk(ECHO) };
        Caps { reactions: false, uncertain, ..caps }
    }

    async fn hook(&self, context: &Context, request: HookRequest) -> Result<HookReply> {
        self.webhook(context, &request).await
    }

    async fn pull(&self, context: &Context, cursor: Option<String>) -> Result<Pulled> {
        self.poll(context, cursor).await
    }

    fn parse(&self, item: &Item) -> Result<Vec<Part>> {
        item::parse(item, &self.settings)
    }

    fn is_echo(&self, act: &Act, told: &Body) -> bool {
        send::is_echo(act, told)
    }

    async fn send(&self, context: &Context, outgoing: Outgoing) -> std::result::Result<Outcome, SendError> {
        self.deliver(context, &outgoing).await
    }

    async fn signal(&self, context: &Context, signal: Signal) -> Result<()> {
        self.tell(context, signal).await
    }

    async fn fetch(&self, context: &Context, locator: &str) -> Result<Download> {
        let (kind, id) = locator.split_once(':').unwrap_or_default();
        match kind {
            "file" => self.api.open(context, id).await,
            "person" => self.api.picture(context, id).await,
            _ => Err(Error::not_found("There is no such file at Telegram.")),
        }
    }

    async fn health(&self, context: &Context) -> Result<Probe> {
        self.probe(context).await
    }

    async fn accounts(&self, context: &Context) -> Result<Vec<AccountState>> {
        self.account_states(context).await
    }

    fn window(&self, lane: &str) -> Option<Ms> {
        Lane::of(lane).and_then(|lane| lane.owner).map(|_| WINDOW)
    }

    fn policy(&self, lane: &Whom, now: Ms) -> Policy {
        let business = Lane::of(&lane.lane).is_some_and(|lane| lane.owner.is_some());
        if business && lane.last_customer_at > 0 && now - lane.last_customer_at > WINDOW {
            return Policy::Closed(words::window(lane.language));
        }
        Policy::Open
    }
}
