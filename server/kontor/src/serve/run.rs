//! One run of the server, from a good configuration to a clean end.

use super::listen::{Bound, Open};
use super::signals::{Asked, IMPATIENT, Signals};
use super::tls::Tls;
use super::{SETUP, first_admin, folder};
use crate::cli::Options;
use crate::compose::House;
use crate::config::{Config, Serve};
use crate::system::{SystemRandom, say};
use crate::telemetry::Telemetry;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long requests under way may take once the server is to end; the whole end takes less than
/// 30 seconds.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the database may take to write what is queued and to say goodbye.
const LAST_WRITES: Duration = Duration::from_secs(8);

/// Serves until a signal says to end.
///
/// # Errors
/// A sentence, when the server cannot start.
pub async fn run(config: &Config, options: &Options) -> Result<(), String> {
    let mut signals = Signals::new(options.until_stdin_closes)?;
    let telemetry = Telemetry::start(config, options.log.unwrap_or(config.log.format))?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let result = tokio::select! {
        result = serve(config, &telemetry) => result,
        // Before the server serves there is nothing to end in order.
        () = stopped(&mut signals) => Ok(None),
    };
    let ended = match result {
        Ok(Some(running)) => running.until_stopped(&mut signals).await,
        Ok(None) => Ok(()),
        Err(sentence) => Err(sentence),
    };
    // The exporters' threads wait for requests that this runtime carries out.
    let _ = tokio::task::spawn_blocking(|| telemetry.stop()).await;
    ended
}

async fn stopped(signals: &mut Signals) {
    while signals.next().await != Asked::Stop {}
}

/// A server that answers.
struct Running {
    house: House,
    listeners: JoinSet<()>,
    certificates: Vec<Arc<Tls>>,
    /// Held so that no second server uses the same SQLite database.
    _held: Option<std::fs::File>,
}

async fn serve(config: &Config, telemetry: &Telemetry) -> Result<Option<Running>, String> {
    let data_dir = &config.top.data_dir;
    folder::make(data_dir)?;
    // Addresses first: a second start by mistake must not touch the database.
    let bound = config.listener.iter().map(Bound::new).collect::<Result<Vec<_>, _>>()?;
    let held = if config.is_sqlite() { Some(folder::hold(data_dir)?) } else { None };
    let house = House::build(config, telemetry).await?;
    let link = first_admin_link(config, &house).await?;

    let certificates = bound.iter().filter_map(Bound::tls).collect();
    let mut listeners = JoinSet::new();
    for bound in bound {
        let serves = bound.config.serve.clone();
        let open = bound.listen()?;
        announce(&open, &serves);
        house.attach(open, &serves, PATIENCE, &mut listeners);
    }
    if let Some(link) = link {
        say(format!("To make the first administrator, open {link}"));
    }
    Ok(Some(Running { house, listeners, certificates, _held: held }))
}

/// Says where a listener listens, on standard output for the person and in the log.
fn announce(open: &Open, serves: &[Serve]) {
    let words: Vec<&str> = serves.iter().map(|serve| serve.word()).collect();
    tracing::info!(listener.address = %open.url(), listener.serves = words.join(","), "Listening.");
    say(format!("Kontor listens on {} ({}).", open.url(), words.join(", ")));
}

/// The link for the first administrator, while there is none.
async fn first_admin_link(config: &Config, house: &House) -> Result<Option<String>, String> {
    let data_dir = &config.top.data_dir;
    if house.has_administrator().await? {
        first_admin::forget(data_dir);
        return Ok(None);
    }
    let token = first_admin::token(data_dir, &SystemRandom)?;
    house.allow_first_administrator(&token);
    Ok(Some(format!("{}{SETUP}?token={token}", config.admin_url())))
}

impl Running {
    /// Serves until a signal says to stop, then ends in order: no new connections, long polls
    /// answered, other requests finished, everything written. A second signal ends at once.
    async fn until_stopped(mut self, signals: &mut Signals) -> Result<(), String> {
        while signals.next().await == Asked::Reload {
            for tls in &self.certificates {
                match tls.reload() {
                    Ok(()) => tracing::info!("The certificate was read anew."),
                    Err(error) => {
                        tracing::error!(error, "The certificate was not read anew; the old one stays.")
                    }
                }
            }
        }
        tracing::info!("Ending: finishing the requests under way. A second signal ends at once.");
        self.house.stop();
        let in_order = async {
            while self.listeners.join_next().await.is_some() {}
            timeout(LAST_WRITES, self.house.close()).await
        };
        tokio::select! {
            closed = in_order => {
                if closed.is_err() {
                    return Err(String::from(
                        "Ended, but the database did not answer: changes whose senders were not told of their success \
                         are lost. Everything that was acknowledged is kept.",
                    ));
                }
                tracing::info!("Ended.");
                Ok(())
            }
            () = stopped(signals) => {
                tracing::warn!("Ended at once, as a second signal asked.");
                std::process::exit(IMPATIENT)
            }
        }
    }
}
