//! Items that were set aside: receipts that came before the answer they belong to, edits before their message.

use super::handle;
use crate::db::inbox;
use crate::engine::Engine;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often to look.
const EVERY: Duration = Duration::from_millis(500);

/// Looks at what was set aside until `closing`.
pub(crate) async fn work(engine: Arc<Engine>, mut closing: watch::Receiver<bool>) {
    while !*closing.borrow() {
        if engine.home_gate.closed(engine.now()).is_none() {
            match inbox::aside(engine.db(), engine.seal(), engine.name(), engine.now()).await {
                Ok(items) => {
                    for taken in items {
                        match handle(&engine, &taken, false).await {
                            Ok(None) => {}
                            Ok(Some(at)) => {
                                let _ = inbox::set_aside(engine.db(), taken.id, at).await;
                            }
                            Err(error) => {
                                tracing::error!(?error, "An item that was set aside cannot be done.")
                            }
                        }
                    }
                }
                Err(error) => tracing::error!(?error, "The bridge's database does not answer."),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = closing.changed() => {}
        }
    }
}
