//! The Telegram channel passes the faults that every channel passes, against an emulated Telegram: as a bot that
//! asks for news, as a bot that is told by a webhook, and as the company's own account.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code: failing loudly is its purpose"
)]

#[allow(dead_code, reason = "each test uses what it needs")]
mod support;

use kontor_emulators::database::Db;
use kontor_emulators::on_each_database;
use kontor_emulators::suite::run_some;
use std::sync::Arc;
use support::{Nature, Subjected};

on_each_database!(
    a_bot_that_asks_passes,
    a_bot_that_is_told_passes,
    the_companys_account_passes,
    the_companys_account_by_webhook_passes,
);

async fn passes(nature: Nature, webhook: bool, db: Db) {
    let filter = std::env::var("KONTOR_SUITE").unwrap_or_default();
    run_some(Arc::new(Subjected { nature, webhook }), db, &filter).await;
}

async fn a_bot_that_asks_passes(db: Db) {
    passes(Nature::Bot, false, db).await;
}

async fn a_bot_that_is_told_passes(db: Db) {
    passes(Nature::Bot, true, db).await;
}

async fn the_companys_account_passes(db: Db) {
    passes(Nature::Business, false, db).await;
}

async fn the_companys_account_by_webhook_passes(db: Db) {
    passes(Nature::Business, true, db).await;
}
