//! From the inbox into rooms: one conversation in order, each item once.

pub(crate) mod aside;
mod content;
pub(crate) mod media;
mod open;
mod part;

use crate::channel::{Part, Party};
use crate::db::inbox::{self, Taken};
use crate::db::{Change, lane, link};
use crate::engine::Engine;
use crate::matrix::HomeError;
use crate::steps::Step;
use kontor_model::{Error, Ms, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

/// Refusals after which an item is dead.
const MOST_REFUSALS: i64 = 5;

/// What an item's parts leave to be written when it is done.
#[derive(Default)]
pub(crate) struct Leaves {
    pub change: Change,
    /// When the customer last wrote.
    pub heard: Option<Ms>,
    /// There is a file to fetch.
    pub media: bool,
    /// A message of ours moved on the ladder.
    pub moved: bool,
}

/// Why an item is not done.
pub(crate) enum Stop {
    /// The homeserver did not do it.
    Home(HomeError),
    /// It belongs to something that is not there yet; it is no longer waited for after so many
    /// milliseconds since it came.
    NotYet { patience: Ms },
    /// The memory does not answer.
    Failed(Error),
}

impl From<HomeError> for Stop {
    fn from(error: HomeError) -> Self {
        Self::Home(error)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Works on a lane until it is empty (`None`) or has to wait until a time.
///
/// # Errors
/// `Unavailable` when the database is gone.
pub(crate) async fn drain(engine: &Engine, lane: &str) -> Result<Option<Ms>> {
    loop {
        let heads = inbox::heads(engine.db(), engine.seal(), engine.name(), lane).await?;
        if heads.is_empty() {
            return Ok(None);
        }
        for taken in heads {
            if engine.rests() {
                return Ok(Some(engine.now()));
            }
            if let Some(until) = engine.home_gate.closed(engine.now()) {
                return Ok(Some(until));
            }
            if let Some(later) = handle(engine, &taken, false).await? {
                return Ok(Some(later));
            }
        }
    }
}

/// Does one item, or says when to try again. `last` says that it is not to be set aside any more.
async fn handle(engine: &Engine, taken: &Taken, last: bool) -> Result<Option<Ms>> {
    let channel = std::sync::Arc::clone(&engine.channel);
    // A parser that panics is a parser that failed: the conversation goes on.
    let parsed = catch_unwind(AssertUnwindSafe(|| channel.parse(&taken.item)));
    let parts = match parsed {
        Ok(Ok(parts)) => parts,
        Ok(Err(error)) => return bury(engine, taken, &cause_of(&error)).await,
        Err(_) => return bury(engine, taken, "the parser panicked").await,
    };
    let mut leaves = Leaves::default();
    match every(engine, taken, &parts, last, &mut leaves).await {
        Ok(()) => finish(engine, taken, leaves).await,
        Err(Stop::NotYet { patience }) => {
            let now = engine.now();
            if last || now > taken.received_at + patience {
                return Box::pin(async {
                    if last { finish(engine, taken, leaves).await } else { handle(engine, taken, true).await }
                })
                .await;
            }
            inbox::set_aside(engine.db(), taken.id, now + 2000.min(patience / 4)).await?;
            Ok(None)
        }
        Err(Stop::Home(HomeError::Refused { errcode, text })) => {
            refused(engine, taken, &format!("{errcode}: {text}")).await
        }
        Err(Stop::Home(error)) => Ok(Some(engine.home_failed(&error))),
        Err(Stop::Failed(error)) => Err(error),
    }
}

fn cause_of(error: &Error) -> String {
    error.cause.as_ref().map_or_else(|| error.to_string(), |cause| format!("{error} ({cause})"))
}

async fn every(
    engine: &Engine,
    taken: &Taken,
    parts: &[Part],
    last: bool,
    leaves: &mut Leaves,
) -> Result<(), Stop> {
    for (index, part) in parts.iter().enumerate() {
        part::apply(engine, &part::Spot { taken, index, last }, part, leaves).await?;
        if matches!(part, Part::Message(message) if message.party == Party::Customer) {
            leaves.heard = Some(taken.item.at);
        }
    }
    engine.home_gate.worked();
    Ok(())
}

/// One transaction: links, files to fetch, and that the item is done.
async fn finish(engine: &Engine, taken: &Taken, leaves: Leaves) -> Result<Option<Ms>> {
    let lane = &taken.item.lane;
    let mut change = inbox::done(taken.id);
    change.append(leaves.change);
    if let Some(at) = leaves.heard {
        lane::heard(&mut change, engine.name(), lane, at);
    }
    match engine.db().write(change).await {
        Ok(_) => {}
        // Done already, by whoever had the lease before.
        Err(error) if error.is_conflict() => {}
        Err(error) => return Err(error),
    }
    engine.last_in.fetch_max(engine.now(), Ordering::Relaxed);
    if leaves.media {
        engine.media_news.notify_one();
    }
    if leaves.moved {
        engine.tell_news.notify_one();
        engine.out_news.notify_one();
    }
    engine.reached(Step::Done).await;
    Ok(None)
}

async fn refused(engine: &Engine, taken: &Taken, why: &str) -> Result<Option<Ms>> {
    if taken.tries + 1 >= MOST_REFUSALS {
        return bury(engine, taken, why).await;
    }
    inbox::tried(engine.db(), taken.id, why).await?;
    // The room may be gone or closed: ask for it again.
    lane::unsettle(engine.db(), engine.name(), &taken.item.lane).await?;
    Ok(Some(engine.now() + engine.pause(taken.tries)))
}

async fn bury(engine: &Engine, taken: &Taken, why: &str) -> Result<Option<Ms>> {
    tracing::error!(
        channel = engine.name(),
        item = taken.id,
        error = why,
        "An item is dead; the conversation goes on."
    );
    inbox::dead(engine.db(), taken.id, why).await?;
    engine.tell_news.notify_one();
    Ok(None)
}

/// A link of an event that was just posted.
pub(crate) fn linked(
    engine: &Engine,
    lane: &str,
    remote: &str,
    part: i64,
    event_id: String,
    author: &'static str,
    leaves: &mut Leaves,
) {
    let link = link::Link { remote: remote.to_owned(), part, event_id, author };
    link::add(&mut leaves.change, engine.name(), lane, &link);
}
