//! A bridge's life: open, listen, work when nobody else does, and end without losing anything.

use crate::channel::Channel;
use crate::config::{Config, Machine};
use crate::context::{Context, Inner};
use crate::db::channel::Lease;
use crate::db::lane::Way;
use crate::db::{self, Change, Db, outbox};
use crate::engine::{Engine, Gate};
use crate::files::Files;
use crate::matrix::{CompanyApi, Directory, Homeserver};
use crate::outbound::tell;
use crate::outward::{self, Outward};
use crate::retry::Buckets;
use crate::seal::Seal;
use crate::steps::Straight;
use crate::waiters::Waiters;
use crate::{health, inbound, lanes, upkeep, web};
use kontor_model::{Code, Error, Result};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// How long work under way may take at the end.
const LAST_WORK: Duration = Duration::from_secs(8);

/// Runs a bridge until `closing` becomes true. Ends within seconds then, and loses nothing whenever it
/// ends otherwise. Dropping the future is a crash.
///
/// # Errors
/// `Unavailable` when the database, the data folder or the address cannot be had.
pub async fn run(
    channel: Arc<dyn Channel>,
    config: Config,
    machine: Machine,
    closing: watch::Receiver<bool>,
) -> Result<()> {
    let engine = Arc::new(open(channel, config, machine, closing.clone()).await?);
    let bind = engine.config.bind;
    let busy = |cause| {
        Error::new(Code::Unavailable, format!("The bridge cannot listen on {bind}. Is it running already?"))
            .because(cause)
    };
    let listener = TcpListener::bind(bind).await.map_err(busy)?;
    tracing::info!(channel = engine.name(), %bind, "The bridge is listening.");
    let mut tasks = JoinSet::new();
    tasks.spawn(web::serve(Arc::clone(&engine), listener, closing.clone()));
    tasks.spawn(lead(Arc::clone(&engine), closing.clone()));
    let mut closing = closing;
    let _ = closing.wait_for(|closing| *closing).await;
    let ended = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_WORK, ended).await.is_err() {
        tracing::warn!(channel = engine.name(), "Work under way was cut; it is taken up at the next start.");
    }
    engine.db().close().await;
    Ok(())
}

async fn open(
    channel: Arc<dyn Channel>,
    config: Config,
    machine: Machine,
    closing: watch::Receiver<bool>,
) -> Result<Engine> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if config.channel.is_empty() || config.channel.len() > 64 || !config.channel.chars().all(plain) {
        let text = "A channel's name is made of letters, digits, underscores, hyphens and dots.";
        return Err(Error::invalid_param(text));
    }
    let folder = |cause: std::io::Error| {
        let text = format!("The bridge's folder {} cannot be made.", config.data_dir.display());
        Error::new(Code::Unavailable, text).because(cause)
    };
    std::fs::create_dir_all(&config.data_dir).map_err(folder)?;
    let seal = Seal::of_file(&config.data_dir.join("bridge.key"), Arc::clone(&machine.random))?;
    let files = Files::new(config.data_dir.join("files"))?;
    let client = outward::client()?;
    let home = Homeserver::new(client.clone(), &config.homeserver, config.as_token.clone());
    let company = || Arc::new(CompanyApi::new(home.clone())) as Arc<dyn Directory>;
    let directory = machine.directory.clone().unwrap_or_else(company);
    let db = Db::open(&config.database_url).await?;
    let caps = channel.caps();
    let paused = db::channel::get(&db, &config.channel, caps.kind).await?.paused;
    let inner = Inner {
        channel: config.channel.clone(),
        db,
        seal,
        files,
        home,
        outward: Outward::new(client),
        clock: machine.clock,
        random: machine.random,
        waiters: Waiters::default(),
        news: Arc::new(Notify::new()),
        health_news: Arc::new(Notify::new()),
        closing,
    };
    Ok(Engine {
        caps,
        channel,
        context: Context { inner: Arc::new(inner) },
        directory,
        config,
        steps: machine.steps.unwrap_or_else(|| Arc::new(Straight)),
        bot: OnceLock::new(),
        home_gate: Gate::default(),
        network_gate: Gate::default(),
        no_access: AtomicBool::new(false),
        buckets: Mutex::new(Buckets::default()),
        names: Mutex::default(),
        out_news: Notify::new(),
        tell_news: Notify::new(),
        media_news: Notify::new(),
        access_news: Notify::new(),
        last_in: AtomicI64::new(0),
        last_out: AtomicI64::new(0),
        told_until: AtomicI64::new(0),
        leads: AtomicBool::new(false),
        paused: AtomicBool::new(paused),
    })
}

/// Works on the channel while this process is the one that may; stands by otherwise.
async fn lead(engine: Arc<Engine>, mut closing: watch::Receiver<bool>) {
    while !*closing.borrow() {
        let lease = db::channel::lease(engine.db(), engine.name(), &engine.config.data_dir).await;
        match lease {
            Ok(Some(lease)) => work(&engine, lease, &mut closing).await,
            Ok(None) => {}
            Err(error) => {
                tracing::error!(channel = engine.name(), ?error, "The bridge cannot begin to work.")
            }
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            _ = closing.changed() => {}
        }
    }
}

/// All workers, until `closing` or until the right to work is lost.
async fn work(engine: &Arc<Engine>, mut lease: Lease, closing: &mut watch::Receiver<bool>) {
    let (stop, stopped) = watch::channel(false);
    let mut change = Change::default();
    outbox::wake_interrupted(&mut change, engine.name(), engine.now());
    if let Err(error) = engine.db().write(change).await {
        tracing::error!(channel = engine.name(), ?error, "The bridge cannot begin to work.");
        return;
    }
    engine.leads.store(true, Ordering::Relaxed);
    let mut workers = JoinSet::new();
    workers.spawn(lanes::work(Arc::clone(engine), Way::In, stopped.clone()));
    workers.spawn(lanes::work(Arc::clone(engine), Way::Out, stopped.clone()));
    workers.spawn(inbound::aside::work(Arc::clone(engine), stopped.clone()));
    workers.spawn(inbound::media::work(Arc::clone(engine), stopped.clone()));
    workers.spawn(tell::work(Arc::clone(engine), stopped.clone()));
    workers.spawn(health::work(Arc::clone(engine), stopped.clone()));
    workers.spawn(upkeep::sweep(Arc::clone(engine), stopped.clone()));
    if engine.caps.pulls {
        workers.spawn(upkeep::pull(Arc::clone(engine), stopped.clone()));
    }
    while !*closing.borrow() && lease.holds().await {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
            _ = closing.changed() => {}
        }
    }
    let _ = stop.send(true);
    engine.leads.store(false, Ordering::Relaxed);
    while workers.join_next().await.is_some() {}
}
