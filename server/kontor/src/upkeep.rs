//! Commands that work on the database and end: bringing it up to date, checking it.

use crate::compose::{open_store, sentence};
use crate::config::Config;
use crate::serve::{hold, make_folder};
use crate::system::say;
use kontor_store::check::Report;

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
    let checked = store.check().await;
    store.close().await;
    let report = checked.map_err(|error| sentence(&error))?;
    say(text(&report));
    if report.findings.is_empty() {
        return Ok(());
    }
    Err(String::from(
        "The database is damaged. Stop the server, keep a copy of the database as it is, and restore the last \
         backup that passes this check. If no disk failed, please report this: it is a mistake in Kontor.",
    ))
}

fn text(report: &Report) -> String {
    let counts: Vec<String> = report.counts.iter().map(|(what, rows)| format!("{rows} {what}")).collect();
    let mut lines = vec![format!("Looked at {} by {} rules.", counts.join(", "), report.rules)];
    if report.findings.is_empty() {
        lines.push(String::from("Everything is in order."));
    }
    for finding in &report.findings {
        lines.push(format!("Found {}: {} (for example {}).", finding.what, finding.rows, finding.example));
    }
    lines.join("\n")
}
