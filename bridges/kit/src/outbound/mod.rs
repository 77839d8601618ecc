//! From the outbox to the network: one conversation in order, each message at most once, and what is
//! heard of them afterwards.

mod act;
pub(crate) mod tell;
pub(crate) mod transaction;

use crate::channel::{Body, Outcome, Policy, Receipt, Scope, SendError, Uncertain, Whom};
use crate::db::inbox;
use crate::db::lane::{self, Lane};
use crate::db::link::{self, Link};
use crate::db::outbox::{self, Becomes, Sending};
use crate::engine::Engine;
use crate::inbound::Leaves;
use crate::ladder::{Failure, FailureKind, Rung, Standing};
use crate::steps::Step;
use act::Resolved;
use kontor_model::{Error, Ms, Result};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long the network may take with one message.
const PATIENCE: Duration = Duration::from_secs(90);
/// After so long the room is told that a message waits.
const TELL_WAITING: Ms = 60_000;
/// How long all conversations pause when the network refuses our access; the probe may end it sooner.
const NO_ACCESS: Ms = 60_000;

/// Works on a lane until it is empty (`None`) or has to wait until a time.
///
/// # Errors
/// `Unavailable` when the database is gone.
pub(crate) async fn drain(engine: &Engine, lane_name: &str) -> Result<Option<Ms>> {
    loop {
        let Some(row) = outbox::head(engine.db(), engine.name(), lane_name).await? else { return Ok(None) };
        let Some(lane) = lane::get(engine.db(), engine.name(), lane_name).await? else { return Ok(None) };
        let now = engine.now();
        if engine.rests() {
            return Ok(Some(now));
        }
        if let Some(until) = engine.network_gate.closed(now) {
            return Ok(Some(until));
        }
        let later = match row.standing.rung {
            // Only this task works on this lane: whoever began it is no more.
            Rung::Sending => unknown(engine, &row, &lane.whom).await?,
            Rung::Uncertain if row.next_at > now => Some(row.next_at),
            Rung::Uncertain => waited(engine, &row, &lane.whom).await?,
            Rung::Queued if row.next_at > now => Some(row.next_at),
            Rung::Queued => send(engine, &lane, &row).await?,
            // Settled and still in line: an answer was heard before it was recorded.
            _ => change(engine, &row, Becomes { open: false, ..as_is(&row) }).await.map(|()| None)?,
        };
        if later.is_some() {
            return Ok(later);
        }
    }
}

fn as_is(row: &Sending) -> Becomes {
    Becomes {
        standing: row.standing.clone(),
        open: row.open,
        tries: row.tries,
        next_at: row.next_at,
        remote: None,
        tell: false,
        waiting: row.waiting,
    }
}

fn queued(row: &Sending, next_at: Ms) -> Becomes {
    Becomes { standing: Standing::at(Rung::Queued), open: true, next_at, ..as_is(row) }
}

fn failed(row: &Sending, failure: Failure) -> Becomes {
    Becomes { standing: Standing::failed(failure), open: false, tell: true, ..as_is(row) }
}

/// Writes what becomes of a row. That somebody else changed it first is no error: it is read again.
async fn change(engine: &Engine, row: &Sending, new: Becomes) -> Result<()> {
    let told = new.tell;
    match engine.db().write(outbox::become_(row, &new, engine.now())?).await {
        Ok(_) => {}
        Err(error) if error.is_conflict() => {}
        Err(error) => return Err(error),
    }
    if told {
        engine.tell_news.notify_one();
    }
    Ok(())
}

/// Sends the head of a lane, or says when it may be sent.
async fn send(engine: &Engine, lane: &Lane, row: &Sending) -> Result<Option<Ms>> {
    let now = engine.now();
    let caps = engine.channel.caps_in(&lane.whom);
    if now - row.queued_at > caps.longest_wait {
        let failure = Failure::new(FailureKind::Expired, "");
        return change(engine, row, failed(row, failure)).await.map(|()| None);
    }
    if let Policy::Closed(failure) = engine.channel.policy(&lane.whom, now) {
        return change(engine, row, failed(row, failure)).await.map(|()| None);
    }
    if let Err(wait) = engine.take_token(&row.lane, caps.lane_rate) {
        return Ok(Some(now + wait));
    }
    let outgoing = match act::resolve(engine, lane, row).await? {
        Resolved::Send(outgoing) => *outgoing,
        Resolved::Nothing => {
            let done = Becomes { standing: Standing::at(Rung::Accepted), open: false, ..as_is(row) };
            return change(engine, row, done).await.map(|()| None);
        }
        Resolved::Never(failure) => return change(engine, row, failed(row, failure)).await.map(|()| None),
    };
    let marked = Becomes { standing: Standing::at(Rung::Sending), tries: row.tries + 1, ..as_is(row) };
    match engine.db().write(outbox::become_(row, &marked, now)?).await {
        Ok(_) => {}
        // Withdrawn in this very moment.
        Err(error) if error.is_conflict() => return Ok(None),
        Err(error) => return Err(error),
    }
    engine.reached(Step::Marked).await;
    let sent = tokio::time::timeout(PATIENCE, engine.channel.send(&engine.context, outgoing)).await;
    engine.reached(Step::Answered).await;
    let outcome = sent.unwrap_or_else(|_| Err(SendError::unknown("the network took too long")));
    let later = record(engine, row.id, &lane.whom, outcome).await?;
    engine.reached(Step::Recorded).await;
    Ok(later)
}

/// Writes down what the network answered. Receipts may have come first.
async fn record(
    engine: &Engine,
    id: i64,
    whom: &Whom,
    outcome: Result<Outcome, SendError>,
) -> Result<Option<Ms>> {
    loop {
        let row = outbox::get(engine.db(), engine.name(), id).await?;
        let row = row.ok_or_else(|| Error::internal("an outbox row that is gone"))?;
        let (new, later) = match &outcome {
            Ok(Outcome::Taken { remote, rung }) => {
                engine.last_out.fetch_max(engine.now(), Ordering::Relaxed);
                let standing = row.standing.clone().merge(Standing::at((*rung).max(Rung::Accepted)));
                let new =
                    Becomes { standing, open: false, remote: remote.clone(), tell: true, ..as_is(&row) };
                (new, None)
            }
            Ok(Outcome::Failed(failure)) => {
                let standing = row.standing.clone().merge(Standing::failed(failure.clone()));
                (Becomes { standing, open: false, tell: true, ..as_is(&row) }, None)
            }
            // A receipt said already that it is there.
            _ if row.standing.rung.is_settled() => (Becomes { open: false, ..as_is(&row) }, None),
            Ok(Outcome::Retry { after, scope, why }) => retry(engine, &row, *after, *scope, why),
            Err(error) if error.written => return unknown(engine, &row, whom).await,
            Err(error) => retry(engine, &row, None, Scope::Lane, &error.cause),
        };
        let remote = new.remote.clone();
        let told = new.tell;
        let mut change = outbox::become_(&row, &new, engine.now())?;
        if let Some(remote) = remote.filter(|_| row.act == "send") {
            let part = i64::from(row.part);
            let link = Link { remote, part, event_id: row.event_id.clone(), author: link::AGENT };
            link::add(&mut change, engine.name(), &row.lane, &link);
        }
        match engine.db().write(change).await {
            Ok(_) => {
                if told {
                    engine.tell_news.notify_one();
                }
                return Ok(later);
            }
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
        }
    }
}

/// Back into the line, at its head.
fn retry(
    engine: &Engine,
    row: &Sending,
    after: Option<Ms>,
    scope: Scope,
    why: &str,
) -> (Becomes, Option<Ms>) {
    let now = engine.now();
    let at = now + after.unwrap_or_else(|| engine.pause(row.tries)).clamp(50, 3_600_000);
    tracing::info!(channel = engine.name(), outbox = row.id, why, "The network does not take a message yet.");
    match scope {
        Scope::Lane => {}
        Scope::Channel => engine.network_gate.close(at),
        Scope::Credentials => {
            engine.no_access.store(true, Ordering::Relaxed);
            engine.context.inner.health_news.notify_one();
            engine.network_gate.close(now + NO_ACCESS);
            tracing::error!(
                channel = engine.name(),
                "The network refuses the access of this channel: renew it."
            );
        }
    }
    let waits = now - row.queued_at >= TELL_WAITING;
    let new = Becomes { tell: waits && !row.waiting, waiting: waits, ..queued(row, at) };
    (new, Some(at))
}

/// Nobody knows whether the network has it: what is done then is the network's nature.
async fn unknown(engine: &Engine, row: &Sending, whom: &Whom) -> Result<Option<Ms>> {
    let now = engine.now();
    let uncertain = Standing::at(Rung::Uncertain);
    match engine.channel.caps_in(whom).uncertain {
        Uncertain::Idempotent => {
            let at = now + engine.pause(row.tries);
            change(engine, row, queued(row, at)).await?;
            Ok(Some(at))
        }
        // A reaction or a change that happens twice is no harm, and nobody could answer a question about it.
        _ if engine.config.resend_uncertain || row.act != "send" => {
            let at = now + engine.pause(row.tries);
            change(engine, row, queued(row, at)).await?;
            Ok(Some(at))
        }
        Uncertain::Echo(patience) | Uncertain::EchoThenAsk(patience) => {
            let at = now + patience;
            let new = Becomes { standing: uncertain, open: true, next_at: at, ..as_is(row) };
            change(engine, row, new).await?;
            Ok(Some(at))
        }
        Uncertain::Ask => {
            let new = Becomes { standing: uncertain, open: false, tell: true, ..as_is(row) };
            change(engine, row, new).await?;
            Ok(None)
        }
    }
}

/// Nothing was heard of a message of unknown fate for as long as that may take.
async fn waited(engine: &Engine, row: &Sending, whom: &Whom) -> Result<Option<Ms>> {
    if let Uncertain::EchoThenAsk(_) = engine.channel.caps_in(whom).uncertain {
        let asked = Becomes { open: false, tell: true, ..as_is(row) };
        return change(engine, row, asked).await.map(|()| None);
    }
    // That it was not told is a proof only when everything was told, and looked at.
    let told = !engine.caps.pulls || engine.told_until.load(Ordering::Relaxed) >= row.next_at;
    if !told || inbox::is_waiting(engine.db(), engine.name(), &row.lane).await? {
        return Ok(Some(engine.now() + 200));
    }
    change(engine, row, queued(row, 0)).await.map(|()| None)
}

/// The message of ours that the network tells of without its key: the oldest of those whose fate is not
/// known that says the same.
///
/// # Errors
/// `Unavailable` when the database is gone.
pub(crate) async fn alike(engine: &Engine, lane: &str, told: &Body) -> Result<Option<String>> {
    for row in outbox::unsettled(engine.db(), engine.name(), lane).await? {
        if engine.channel.is_echo(&act::message(engine, &row)?, told) {
            return Ok(Some(row.ours));
        }
    }
    Ok(None)
}

/// Merges what the network tells of a message of ours. False when none is known by these ids.
pub(crate) async fn heard(engine: &Engine, lane: &str, about: &Receipt, leaves: &mut Leaves) -> Result<bool> {
    let (ours, remote) = (about.ours.as_deref(), about.remote.as_deref());
    let found = outbox::of_receipt(engine.db(), engine.name(), lane, ours, remote).await?;
    let Some(row) = found else { return Ok(false) };
    lift(engine, row.id, about).await?;
    if about.up_to {
        let below = about.standing.rung;
        for earlier in outbox::up_to(engine.db(), engine.name(), &row.lane, row.id, below).await? {
            let about = Receipt { ours: None, remote: None, ..about.clone() };
            lift(engine, earlier.id, &about).await?;
        }
    }
    if about.standing.rung == Rung::Read
        && let Some(home) = lane::get(engine.db(), engine.name(), &row.lane).await?.and_then(|lane| lane.home)
    {
        let by = crate::matrix::As { user: Some(&home.ghost), ts: None };
        let _ = engine.home().read(&home.room, &row.event_id, by).await;
    }
    leaves.moved = true;
    Ok(true)
}

async fn lift(engine: &Engine, id: i64, about: &Receipt) -> Result<()> {
    loop {
        let Some(row) = outbox::get(engine.db(), engine.name(), id).await? else { return Ok(()) };
        let standing = row.standing.clone().merge(about.standing.clone());
        if standing == row.standing && (row.remote.is_some() || about.remote.is_none()) {
            return Ok(());
        }
        // While it is being sent, its own task takes it out of the line.
        let open = row.open && row.standing.rung == Rung::Sending;
        let remote = about.remote.clone().filter(|_| row.remote.is_none());
        let new = Becomes { standing, open, remote: remote.clone(), tell: true, ..as_is(&row) };
        let mut change = outbox::become_(&row, &new, engine.now())?;
        if let Some(remote) = remote.filter(|_| row.act == "send") {
            let part = i64::from(row.part);
            let link = Link { remote, part, event_id: row.event_id.clone(), author: link::AGENT };
            link::add(&mut change, engine.name(), &row.lane, &link);
        }
        lane::wake(&mut change, engine.name(), &row.lane, lane::Way::Out, engine.now());
        match engine.db().write(change).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
        }
    }
}
