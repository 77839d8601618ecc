//! What has to happen although nobody asks: small regular steps of the departments. Each process
//! takes them; they are bounded and may overlap.

use kontor_http::App;
use kontor_model::Result;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How often accounts' sightings and counts are written when no request does it.
const ACCOUNTS: Duration = Duration::from_secs(15);
/// How often one step of the sweep over files is made.
const FILES: Duration = Duration::from_secs(60);

/// Keeps house until told to stop; what is due at the end is still written.
pub async fn keep(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut files = Instant::now() + FILES;
    loop {
        let next = Instant::now() + ACCOUNTS;
        let stopped = tokio::select! {
            () = sleep_until(next) => false,
            _ = stop.wait_for(|stop| *stop) => true,
        };
        note("accounts", accounts(&app).await);
        note("archive", app.store.tend().await);
        if stopped {
            return;
        }
        note("erased accounts", app.store.remember_erased().await);
        note("departures", app.flows.depart().await);
        note("notices", app.flows.notice_rounds().await);
        note("conversations", app.flows.tend_conversations().await);
        note("suggestions", weigh_contacts(&app).await);
        note("facts", app.flows.tell_facts().await);
        note("questions", app.flows.send_questions().await);
        if Instant::now() >= files {
            files = Instant::now() + FILES;
            note("files", sweep_files(&app).await);
            note("visitors", app.flows.forget_visitors().await);
            note("previews", sweep_previews(&app).await);
            note("key backups", sweep_backups(&app).await);
            note("facts", app.store.submit_bulk(app.contacts.forget_old_told()).await.map(|_| ()));
            note("webhooks", app.flows.trim_news().await);
            note("quality", app.flows.monthly_quality().await);
            note("notifications", app.flows.sweep_notifications().await);
            note("log", app.store.prune(app.clock.now()).await);
            note("sliding sync", app.store.sweep_sliding(app.clock.now()).await);
        }
    }
}

async fn accounts(app: &App) -> Result<()> {
    if let Some(due) = app.identity.due().await? {
        app.store.submit(due.change).await?;
    }
    Ok(())
}

/// Steps of weighing contacts that are made at a time.
const WEIGHINGS: usize = 20;

/// Weighs contacts that changed against one another, and tells of those that are perhaps one.
async fn weigh_contacts(app: &App) -> Result<()> {
    for _ in 0..WEIGHINGS {
        let (change, weighed) = app.contacts.weigh_some().await?;
        if weighed == 0 {
            break;
        }
        app.store.submit_bulk(change).await?;
    }
    app.flows.tell_suggestions().await
}

async fn sweep_files(app: &App) -> Result<()> {
    let swept = app.media.sweep().await?;
    if !swept.change.is_empty() {
        app.store.submit_bulk(swept.change).await?;
    }
    if swept.contents + swept.unfinished > 0 {
        tracing::info!(
            sweep.contents = swept.contents,
            sweep.unfinished = swept.unfinished,
            "Removed files that nothing names any more."
        );
    }
    Ok(())
}

async fn sweep_previews(app: &App) -> Result<()> {
    if app.previews.is_some() {
        app.store.submit_bulk(app.media.sweep_previews().await?).await?;
    }
    Ok(())
}

/// Steps of the sweep over deleted key backups that are made at a time.
const BACKUP_STEPS: usize = 40;

async fn sweep_backups(app: &App) -> Result<()> {
    for _ in 0..BACKUP_STEPS {
        let Some(change) = app.identity.sweep_backups().await? else { break };
        app.store.submit_bulk(change).await?;
    }
    Ok(())
}

/// Says that a step failed; the next one tries again.
fn note(step: &str, outcome: Result<()>) {
    if let Err(error) = outcome {
        let cause = error.cause.as_ref().map(ToString::to_string).unwrap_or_default();
        tracing::warn!(sweep.kind = step, error.message = %error.message, error.cause = cause, "Housekeeping failed; trying again later.");
    }
}
