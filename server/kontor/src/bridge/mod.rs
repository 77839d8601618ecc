//! One bridge as a process: its configuration becomes the kit's, its channel is made known to the
//! homeserver once, and a signal ends it in order. What bridges do is theirs.

mod register;

pub use register::{Admin, Channel, Tokens, register};

use crate::cli::{Bridge as Wish, BridgeName, Options};
use crate::config::{BridgeFile, Config};
use crate::serve::{Asked, IMPATIENT, Signals, make_folder};
use crate::system::{SystemClock, SystemRandom, say};
use crate::telemetry::Telemetry;
use kontor_bridge_kit::{Channel as KitChannel, Config as KitConfig, Machine};
use kontor_bridge_telegram::Telegram;
use kontor_bridge_telegram::config::Receive;
use kontor_bridge_webchat::WebChat;
use kontor_model::Secret;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

/// Environment variable with an administrator's access token, as `kontorctl` reads it.
const ADMIN_TOKEN: &str = "KONTORCTL_TOKEN";

/// Does what is asked for with a bridge: run it, register it, or say that its configuration is good.
///
/// # Errors
/// A sentence for the person who started it.
pub async fn run(wish: &Wish, file: &BridgeFile, options: &Options) -> Result<(), String> {
    if wish.check {
        say(explain(wish.name, file));
        return Ok(());
    }
    if wish.register {
        return make_known(wish, file).await;
    }
    let mut signals = Signals::new(options.until_stdin_closes)?;
    // The bridge's log is set up like the server's; it has no metrics of its own.
    let server = Config { log: file.log.clone(), ..Config::default() };
    let telemetry = Telemetry::start(&server, options.log.unwrap_or(file.log.format))?;
    let ended = serve(wish.name, file, &mut signals).await;
    let _ = tokio::task::spawn_blocking(|| telemetry.stop()).await;
    ended
}

/// Runs the bridge until a signal says to end.
async fn serve(name: BridgeName, file: &BridgeFile, signals: &mut Signals) -> Result<(), String> {
    make_folder(&file.bridge.data_dir)?;
    let config = kit_config(name, file)?;
    let channel: Arc<dyn KitChannel> = match name {
        BridgeName::Webchat => Arc::new(WebChat::new(file.webchat())?),
        BridgeName::Telegram => Arc::new(Telegram::new(file.telegram()?)?),
    };
    let (close, closing) = watch::channel(false);
    let machine = Machine::new(Arc::new(SystemClock), Arc::new(SystemRandom));
    let running = kontor_bridge_kit::run(channel, config, machine, closing);
    tokio::pin!(running);
    tokio::select! {
        ended = &mut running => return ended.map_err(|error| crate::compose::sentence(&error)),
        () = stopped(signals) => {}
    }
    tracing::info!("Ending: finishing what is under way. A second signal ends at once.");
    let _ = close.send(true);
    tokio::select! {
        ended = &mut running => ended.map_err(|error| crate::compose::sentence(&error)),
        () = stopped(signals) => std::process::exit(IMPATIENT),
    }
}

async fn stopped(signals: &mut Signals) {
    while signals.next().await != Asked::Stop {}
}

/// The word for a bridge on the command line, and its kind of channel at the server.
fn word(name: BridgeName) -> &'static str {
    match name {
        BridgeName::Webchat => "webchat",
        BridgeName::Telegram => "telegram",
    }
}

/// The configuration in the kit's words.
fn kit_config(name: BridgeName, file: &BridgeFile) -> Result<KitConfig, String> {
    let bridge = &file.bridge;
    let folder = |error: std::io::Error| {
        format!("The data folder {} cannot be named: {error}.", bridge.data_dir.display())
    };
    let data_dir: PathBuf = std::path::absolute(&bridge.data_dir).map_err(folder)?;
    let tokens = match (&bridge.as_token, &bridge.hs_token) {
        (Some(as_token), Some(hs_token)) => {
            Tokens { as_token: as_token.clone(), hs_token: hs_token.clone() }
        }
        _ => Tokens::read(&bridge.data_dir)?.ok_or_else(|| {
            format!(
                "The bridge is not registered with the homeserver yet. Register it with an administrator's token:\n  \
                 {ADMIN_TOKEN}=… kontor bridge {} --config FILE --register --member @somebody:company.example",
                word(name)
            )
        })?,
    };
    let own = || Secret::new(format!("sqlite://{}", data_dir.join("bridge.db").display()));
    Ok(KitConfig {
        channel: bridge.channel.clone(),
        account: bridge.channel.clone(),
        homeserver: bridge.homeserver.clone(),
        as_token: tokens.as_token,
        hs_token: tokens.hs_token,
        bind: bridge.bind,
        database_url: bridge.database_url.clone().unwrap_or_else(own).expose().clone(),
        data_dir,
        ghost_prefix: format!("@{}", register::ghosts(&bridge.channel)),
        admin_room: bridge.admin_room.clone(),
        language: file.language(),
        raw_kept_days: bridge.raw_kept_days,
        trusted_proxies: bridge.trusted_proxies.clone(),
        resend_uncertain: false,
    })
}

/// Makes the channel known to the homeserver.
async fn make_known(wish: &Wish, file: &BridgeFile) -> Result<(), String> {
    let bridge = &file.bridge;
    if bridge.as_token.is_some() {
        return Err(
            "The configuration gives the bridge's tokens, so it is registered by a file of the server's \
                    (appservices.files). Take as_token and hs_token out, and --register makes them."
                .to_owned(),
        );
    }
    let token = std::env::var(ADMIN_TOKEN).map_err(|_| {
        format!("{ADMIN_TOKEN} is not set. `kontorctl login NAME` prints an administrator's token.")
    })?;
    make_folder(&bridge.data_dir)?;
    let admin = Admin::new(&bridge.homeserver, Secret::new(token))?;
    let channel = Channel {
        id: &bridge.channel,
        kind: word(wish.name),
        url: &bridge.url.clone().unwrap_or_else(|| format!("http://{}", bridge.bind)),
        title: wish.title.as_deref(),
        members: &wish.members,
        language: file.language(),
    };
    let made = register(&admin, &channel, &bridge.data_dir).await?;
    say(if made {
        format!("The channel {} is registered with {}.", bridge.channel, bridge.homeserver)
    } else {
        format!("The channel {} was registered with {} already.", bridge.channel, bridge.homeserver)
    });
    Ok(())
}

/// What the configuration means, in sentences.
fn explain(name: BridgeName, file: &BridgeFile) -> String {
    let bridge = &file.bridge;
    let own = match name {
        BridgeName::Webchat => explain_webchat(file),
        BridgeName::Telegram => explain_telegram(file),
    };
    format!(
        "The configuration is good.\n\
         The bridge is the channel {} of {} and listens on http://{}.\n\
         It keeps what it knows in {}{}.\n{own}",
        bridge.channel,
        bridge.homeserver,
        bridge.bind,
        bridge.data_dir.display(),
        if bridge.database_url.is_some() { " and in its own database" } else { "" },
    )
}

fn explain_telegram(file: &BridgeFile) -> String {
    match file.telegram.as_ref().map(|own| (own.receive, own.webhook_url.as_deref())) {
        Some((Receive::Webhook, Some(url))) => format!("Telegram brings its news to {url}."),
        _ => "The bridge asks Telegram for its news.".to_owned(),
    }
}

fn explain_webchat(file: &BridgeFile) -> String {
    let widgets: Vec<&str> = file.widget.iter().map(|widget| widget.id.as_str()).collect();
    let forms: Vec<&str> = file.form.iter().map(|form| form.id.as_str()).collect();
    let list = |names: &[&str]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!("Widgets: {}. Forms: {}.", list(&widgets), list(&forms))
}
