//! The Telegram channel passes the faults that every channel passes, against an emulated Telegram: as a bot that
//! asks for news, as a bot that is told by a webhook, and as the company's own account.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code: failing loudly is its purpose"
)]

#[allow(dead_code, reason = "each test uses what it needs")]
mod support;

use kontor_emulators::suite::run_some;
use std::sync::Arc;
use support::{Nature, Subjected};

async fn passes(nature: Nature, webhook: bool) {
    let filter = std::env::var("KONTOR_SUITE").unwrap_or_default();
    run_some(Arc::new(Subjected { nature, webhook }), &filter).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_asks_passes() {
    passes(Nature::Bot, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_is_told_passes() {
    passes(Nature::Bot, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_companys_account_passes() {
    passes(Nature::Business, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_companys_account_by_webhook_passes() {
    passes(Nature::Business, true).await;
}
