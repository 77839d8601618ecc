//! What is done from time to time: pulling news, and forgetting what is not needed any more.

use crate::db::{inbox, kept, media, notice, outbox, take};
use crate::engine::Engine;
use crate::steps::Step;
use kontor_model::{Code, Ms, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;

const DAY: Ms = 86_400_000;
/// How long buttons work.
const BUTTONS: Ms = 90 * DAY;
/// The cursor's name; networks have one so far.
const CURSOR: &str = "pull";

/// Pulls until `closing`. What came is on the disk, with the place where to go on, before the next pull.
pub(crate) async fn pull(engine: Arc<Engine>, mut closing: watch::Receiver<bool>) {
    let mut failures = 0;
    while !*closing.borrow() {
        let once = async {
            let cursor = take::cursor(engine.db(), engine.name(), CURSOR).await?;
            let pulled = engine.channel.pull(&engine.context, cursor).await?;
            let cursor = pulled.cursor.as_deref().map(|value| (CURSOR, value));
            let news = !pulled.commit.items.is_empty();
            engine.context.commit_with(pulled.commit, cursor).await?;
            if news {
                engine.reached(Step::Taken).await;
            }
            if pulled.everything {
                engine.told_until.fetch_max(engine.now(), Ordering::Relaxed);
            }
            Result::<Ms>::Ok(pulled.pause)
        };
        let pause = tokio::select! {
            done = once => match done {
                Ok(pause) => {
                    failures = 0;
                    pause
                }
                Err(error) if error.code == Code::Unauthorized => {
                    tokio::select! {
                        () = without_access(&engine) => {}
                        _ = closing.changed() => return,
                    }
                    0
                }
                Err(error) => {
                    tracing::warn!(channel = engine.name(), ?error, "The network gives no news; it is asked again.");
                    failures += 1;
                    engine.pause(failures)
                }
            },
            _ = closing.changed() => return,
        };
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(u64::try_from(pause).unwrap_or(0))) => {}
            _ = closing.changed() => {}
        }
    }
}

/// The network refuses our access: nothing is asked until the probe says that it works again.
async fn without_access(engine: &Engine) {
    if !engine.no_access.swap(true, Ordering::Relaxed) {
        tracing::error!(channel = engine.name(), "The network refuses the access of this channel: renew it.");
    }
    engine.context.inner.health_news.notify_one();
    while engine.no_access.load(Ordering::Relaxed) {
        tokio::select! {
            () = engine.access_news.notified() => {}
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

/// Forgets, every ten minutes, until `closing`.
pub(crate) async fn sweep(engine: Arc<Engine>, mut closing: watch::Receiver<bool>) {
    while !*closing.borrow() {
        if let Err(error) = forget(&engine).await {
            tracing::error!(
                channel = engine.name(),
                ?error,
                "What is not needed any more cannot be forgotten."
            );
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(600)) => {}
            _ = closing.changed() => {}
        }
    }
}

async fn forget(engine: &Engine) -> Result<()> {
    let (db, channel, now) = (engine.db(), engine.name(), engine.now());
    let days = engine.config.raw_kept_days;
    let before = now - Ms::from(days) * DAY;
    while inbox::purge(db, channel, before).await? > 0 {}
    while outbox::purge(db, channel, before).await? > 0 {}
    media::purge(db, channel, before).await?;
    notice::purge(db, channel, now - BUTTONS).await?;
    kept::prune(db, channel, now).await?;
    let age = Duration::from_secs(u64::from(days.max(3)) * 86_400);
    engine.context.inner.files.prune(age).await;
    Ok(())
}
