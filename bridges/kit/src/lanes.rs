//! Conversations that have work are worked on, many at once, each in order, none of them twice at a time.

use crate::db::lane::{self, Way};
use crate::engine::Engine;
use crate::{inbound, outbound};
use kontor_model::{Ms, Result};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// Conversations at once.
const AT_ONCE: usize = 24;
/// Longest sleep, milliseconds: another process may have put work on the table.
const LONGEST_SLEEP: Ms = 1000;
/// Sleep while something is worked on: what has to wait is not asked for by name then.
const WITH_WORK: Ms = 200;

/// Works until `closing`; what is under way then is finished first.
pub(crate) async fn work(engine: Arc<Engine>, way: Way, mut closing: watch::Receiver<bool>) {
    let mut active: HashSet<String> = HashSet::new();
    let mut tasks: JoinSet<String> = JoinSet::new();
    while !*closing.borrow() {
        let sleep = match start(&engine, way, &mut active, &mut tasks).await {
            Ok(sleep) => sleep,
            Err(error) => {
                tracing::error!(channel = engine.name(), ?error, "The bridge cannot read its lanes.");
                LONGEST_SLEEP
            }
        };
        let sleep = Duration::from_millis(u64::try_from(sleep.clamp(1, LONGEST_SLEEP)).unwrap_or(1));
        tokio::select! {
            () = news(&engine, way).notified() => {}
            () = tokio::time::sleep(sleep) => {}
            Some(done) = tasks.join_next() => {
                if let Ok(lane) = done {
                    active.remove(&lane);
                }
            }
            _ = closing.changed() => {}
        }
        while let Some(done) = tasks.try_join_next() {
            if let Ok(lane) = done {
                active.remove(&lane);
            }
        }
        if tasks.is_empty() {
            // One that panicked did not say which it was.
            active.clear();
        }
    }
    while tasks.join_next().await.is_some() {}
}

fn news(engine: &Engine, way: Way) -> &Notify {
    match way {
        Way::In => &engine.context.inner.news,
        Way::Out => &engine.out_news,
    }
}

/// Starts what can be started; gives how long there will be nothing to start.
async fn start(
    engine: &Arc<Engine>,
    way: Way,
    active: &mut HashSet<String>,
    tasks: &mut JoinSet<String>,
) -> Result<Ms> {
    if engine.rests() {
        return Ok(LONGEST_SLEEP);
    }
    let now = engine.now();
    let gate = match way {
        Way::In => engine.home_gate.closed(now),
        Way::Out => engine.network_gate.closed(now),
    };
    if let Some(until) = gate {
        return Ok(until - now);
    }
    if tasks.len() >= AT_ONCE {
        return Ok(LONGEST_SLEEP);
    }
    let due = lane::due(engine.db(), engine.name(), way, now, AT_ONCE * 2).await?;
    for lane in due {
        if tasks.len() >= AT_ONCE || active.contains(&lane) {
            continue;
        }
        active.insert(lane.clone());
        let engine = Arc::clone(engine);
        tasks.spawn(async move {
            drain(&engine, way, &lane).await;
            lane
        });
    }
    if !tasks.is_empty() {
        return Ok(WITH_WORK);
    }
    let next = lane::next(engine.db(), engine.name(), way).await?;
    Ok(next.map_or(LONGEST_SLEEP, |at| at - now))
}

/// Works on one conversation until nothing is left or something has to wait.
async fn drain(engine: &Arc<Engine>, way: Way, lane: &str) {
    let outcome = match way {
        Way::In => inbound::drain(engine, lane).await,
        Way::Out => outbound::drain(engine, lane).await,
    };
    let rested = match outcome {
        Ok(None) => lane::rest(engine.db(), engine.name(), lane, way).await,
        Ok(Some(at)) => lane::later(engine.db(), engine.name(), lane, way, at).await,
        Err(error) => {
            tracing::error!(
                channel = engine.name(),
                ?error,
                "A conversation cannot be worked on; it is tried again."
            );
            let at = engine.now() + 5000;
            lane::later(engine.db(), engine.name(), lane, way, at).await
        }
    };
    if let Err(error) = rested {
        tracing::error!(channel = engine.name(), ?error, "The bridge's database does not answer.");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
