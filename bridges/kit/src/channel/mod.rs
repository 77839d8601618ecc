//! What a network is to the kit: seven functions and the plain data that passes through them.
//!
//! Nothing here does anything. Neither HTTP nor SQL nor Matrix may be named.

mod caps;
mod hook;
mod inbound;
mod outbound;

pub use caps::{Caps, Counts, Rate, Uncertain};
pub use hook::{
    Answer, Commit, Committed, Entry, HookReply, HookRequest, Item, Keep, Noted, Pulled, Reply, ReplyBody,
    Status, Stow, Taken,
};
pub use inbound::{
    Body, Claim, Consent, ConsentState, File, FileKind, Message, Part, Party, Profile, Receipt, Source,
    Trust, Whom,
};
pub use outbound::{
    AccountState, Act, Author, Download, OutFile, Outcome, Outgoing, Policy, Probe, Scope, SendError, Signal,
};

use crate::Context;
use async_trait::async_trait;
use kontor_model::{Ms, Result};

/// A network. It translates; the kit stores, orders, retries and speaks Matrix.
///
/// Every method may be called again for the same thing after a crash, and at the same time as others.
#[async_trait]
pub trait Channel: Send + Sync + 'static {
    /// What the network can do. Constant for the life of the process.
    fn caps(&self) -> Caps;

    /// What the network can do in this conversation, where that differs: a network may have kinds of them.
    fn caps_in(&self, lane: &Whom) -> Caps {
        let _ = lane;
        self.caps()
    }

    /// Largest body of a request to this path, bytes; at most [`Caps::largest_body`]. What has to be read
    /// before anybody is known should be small.
    fn largest_body(&self, method: &str, path: &str) -> usize {
        let _ = (method, path);
        self.caps().largest_body
    }

    /// A request from outside, unauthenticated: whatever is not the kit's own path comes here.
    ///
    /// The channel checks the signature on the raw bytes and says what to keep. What it hands back in
    /// [`HookReply::commit`] is on the disk before the answer is sent. It may wait (long polls).
    ///
    /// # Errors
    /// `Unauthorized`, `Forbidden`, `BadJson`, `TooLarge`, …: nothing is stored, one log line is written,
    /// and the caller is told the error's sentence.
    async fn hook(&self, context: &Context, request: HookRequest) -> Result<HookReply>;

    /// Asks the network for news since `cursor` (`None`: from the beginning). Called in a loop when
    /// [`Caps::pulls`]; items and cursor are committed before the next call.
    ///
    /// # Errors
    /// `Unauthorized` when the network refuses our access: asked again once [`Channel::health`] is fine.
    /// Anything else: tried again with growing pauses, health follows.
    async fn pull(&self, context: &Context, cursor: Option<String>) -> Result<Pulled> {
        let _ = (context, cursor);
        Ok(Pulled::default())
    }

    /// What an item says. Pure: the same item gives the same parts in the same order, whenever it is called.
    ///
    /// # Errors
    /// Of any code: the item becomes a dead letter that can be replayed once the parser is right.
    fn parse(&self, item: &Item) -> Result<Vec<Part>>;

    /// Hands one message to the network. Never retries by itself.
    ///
    /// # Errors
    /// [`SendError`], which says whether the network may have it.
    async fn send(&self, context: &Context, outgoing: Outgoing) -> Result<Outcome, SendError>;

    /// Whether what the network tells of our own message, without our key, is this one. Asked only about
    /// messages whose fate is not known.
    fn is_echo(&self, act: &Act, told: &Body) -> bool {
        match (act, told) {
            (Act::Text { text, .. }, Body::Text { text: told, .. }) => text.trim() == told.trim(),
            _ => false,
        }
    }

    /// Typing and read marks of agents: told once, never stored, never repeated.
    ///
    /// # Errors
    /// Ignored but for a log line of level debug.
    async fn signal(&self, context: &Context, signal: Signal) -> Result<()> {
        let _ = (context, signal);
        Ok(())
    }

    /// Opens a file of the network for reading. The kit stops reading at its size limit.
    ///
    /// # Errors
    /// `NotFound` when it is gone for good, `TooLarge` when the network says so; others are tried again.
    async fn fetch(&self, context: &Context, locator: &str) -> Result<Download>;

    /// Asks the network whether it would still talk to us.
    ///
    /// # Errors
    /// Anything: the network cannot be reached.
    async fn health(&self, context: &Context) -> Result<Probe>;

    /// How the company's accounts are, where conversations of one channel belong to several.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    async fn accounts(&self, context: &Context) -> Result<Vec<AccountState>> {
        let _ = context;
        Ok(Vec::new())
    }

    /// For how long after the customer wrote the network takes answers in this conversation; `None` for ever.
    fn window(&self, lane: &str) -> Option<Ms> {
        let _ = lane;
        None
    }

    /// Whether the network takes an answer in this conversation now.
    fn policy(&self, lane: &Whom, now: Ms) -> Policy {
        let _ = (lane, now);
        Policy::Open
    }
}
