//! What all workers of a bridge share: the channel, the memory, the way home, and what stands in the way.

use crate::channel::{Caps, Channel, Rate};
use crate::config::Config;
use crate::context::Context;
use crate::db::{Db, channel};
use crate::matrix::{As, Directory, HomeError, Homeserver};
use crate::retry::{self, Buckets};
use crate::seal::Seal;
use crate::steps::{Step, Steps};
use kontor_model::{Ms, Result};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::Notify;

/// What all workers share.
pub(crate) struct Engine {
    pub channel: Arc<dyn Channel>,
    pub caps: Caps,
    pub context: Context,
    pub directory: Arc<dyn Directory>,
    pub config: Config,
    pub steps: Arc<dyn Steps>,
    /// The bridge's own user, once the homeserver said who that is.
    pub bot: OnceLock<String>,
    /// Closed while the homeserver does not answer.
    pub home_gate: Gate,
    /// Closed while the network wants no messages at all.
    pub network_gate: Gate,
    /// The network refuses our access.
    pub no_access: AtomicBool,
    pub buckets: Mutex<Buckets>,
    pub names: Mutex<HashMap<String, (Option<String>, Ms)>>,
    /// News for the inbox are told by [`Context`]; these are the others.
    pub out_news: Notify,
    pub tell_news: Notify,
    pub media_news: Notify,
    /// Our access works again: who waited for that may go on.
    pub access_news: Notify,
    pub last_in: AtomicI64,
    pub last_out: AtomicI64,
    /// Until when a network that is pulled has told everything.
    pub told_until: AtomicI64,
    /// Whether this process works on the channel.
    pub leads: AtomicBool,
    /// An administrator paused the channel: what comes is taken and kept, and nothing goes on.
    pub paused: AtomicBool,
}

/// Stands in the way for a while.
#[derive(Default)]
pub(crate) struct Gate {
    until: AtomicI64,
    failures: AtomicI64,
}

impl Gate {
    /// When it opens, if it is closed.
    pub fn closed(&self, now: Ms) -> Option<Ms> {
        let until = self.until.load(Ordering::Relaxed);
        (until > now).then_some(until)
    }

    /// Closes it until then, if it is not closed for longer.
    pub fn close(&self, until: Ms) {
        self.until.fetch_max(until, Ordering::Relaxed);
    }

    /// Closes it for longer with every failure in a row.
    pub fn failed(&self, now: Ms, after: Option<Ms>, random: &dyn kontor_model::Random) -> Ms {
        // One failure closes it; those who were on the way meanwhile do not count again.
        if let Some(until) = self.closed(now) {
            return until;
        }
        let tries = self.failures.fetch_add(1, Ordering::Relaxed);
        // Four seconds at most: who waits is a customer, and who is asked is the company's own server.
        let pause = retry::pause(tries.min(3), random);
        self.close(now + after.unwrap_or(pause));
        self.until.load(Ordering::Relaxed)
    }

    /// It works again.
    pub fn worked(&self) {
        self.failures.store(0, Ordering::Relaxed);
        self.until.store(0, Ordering::Relaxed);
    }
}

impl Engine {
    pub fn db(&self) -> &Db {
        &self.context.inner.db
    }

    pub fn seal(&self) -> &Seal {
        &self.context.inner.seal
    }

    pub fn home(&self) -> &Homeserver {
        &self.context.inner.home
    }

    pub fn name(&self) -> &str {
        &self.config.channel
    }

    pub fn now(&self) -> Ms {
        self.context.now()
    }

    /// Whether the bridge ends: nothing new is begun then.
    pub fn is_closing(&self) -> bool {
        *self.context.inner.closing.borrow()
    }

    /// Whether the channel stands still: it is paused, or the bridge ends. Nothing new is begun then.
    pub fn rests(&self) -> bool {
        self.is_closing() || self.paused.load(Ordering::Relaxed)
    }

    /// Pauses the channel or lets it go on; remembered over restarts.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn set_paused(&self, paused: bool) -> Result<()> {
        if self.paused.load(Ordering::Relaxed) == paused {
            return Ok(());
        }
        channel::pause(self.db(), self.name(), self.caps.kind, paused, self.now()).await?;
        self.paused.store(paused, Ordering::Relaxed);
        if paused {
            tracing::warn!(channel = self.name(), "An administrator paused the channel.");
        } else {
            tracing::info!(channel = self.name(), "The channel goes on.");
            self.context.inner.news.notify_one();
            self.out_news.notify_one();
        }
        Ok(())
    }

    pub async fn reached(&self, step: Step) {
        self.steps.reached(step).await;
    }

    /// Whether a user is the bridge's own: its ghosts and itself.
    pub fn is_own(&self, user: &str) -> bool {
        user.starts_with(&self.config.ghost_prefix) || self.bot.get().is_some_and(|bot| bot == user)
    }

    /// Asks the homeserver who the bridge is, once.
    ///
    /// # Errors
    /// `Unavailable` when it does not say.
    pub async fn know_oneself(&self) -> Result<()> {
        if self.bot.get().is_none() {
            let bot = self.home().whoami().await?;
            let _ = self.bot.set(bot);
        }
        Ok(())
    }

    /// Notes that the homeserver failed; gives when to try again.
    pub fn home_failed(&self, error: &HomeError) -> Ms {
        let after = match error {
            HomeError::Away { after, .. } => *after,
            HomeError::Credentials => Some(30_000),
            HomeError::Refused { .. } => return self.now(),
        };
        let now = self.now();
        if self.home_gate.closed(now).is_none() {
            let level = matches!(error, HomeError::Credentials);
            if level {
                tracing::error!(channel = self.name(), %error, "The bridge's as_token is not valid any more.");
            } else {
                tracing::warn!(channel = self.name(), %error, "The homeserver does not answer; messages wait.");
            }
        }
        self.home_gate.failed(now, after, &*self.context.inner.random)
    }

    /// A pause for something that failed this often.
    pub fn pause(&self, tries: i64) -> Ms {
        retry::pause(tries, &*self.context.inner.random)
    }

    /// Takes a token, or says how long to wait.
    pub fn take_token(&self, lane: &str, lane_rate: Rate) -> Result<(), Ms> {
        let now = self.now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.take(&format!("l{lane}"), lane_rate, now)?;
        buckets.take("channel", self.caps.rate, now)
    }

    /// The name that customers see of an agent, remembered for ten minutes.
    pub async fn name_of(&self, user: &str) -> Option<String> {
        const KEPT: Ms = 600_000;
        const MOST: usize = 1000;
        let now = self.now();
        {
            let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((name, at)) = names.get(user)
                && now - at < KEPT
            {
                return name.clone();
            }
        }
        let name = self.home().display_name(user).await.ok().flatten();
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MOST {
            names.clear();
        }
        names.insert(user.to_owned(), (name.clone(), now));
        name
    }

    /// Sends something that the bridge itself says. Joins first where it is not in the room.
    pub async fn say(
        &self,
        room: &str,
        kind: &str,
        txn: &str,
        content: &serde_json::Value,
    ) -> std::result::Result<String, HomeError> {
        match self.home().send(room, kind, txn, As::default(), content).await {
            Err(error) if error.is_outside() => {
                self.home().join(room, As::default()).await?;
                self.home().send(room, kind, txn, As::default(), content).await
            }
            done => done,
        }
    }
}
