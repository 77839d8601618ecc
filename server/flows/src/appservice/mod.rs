//! Application services: telling them what happens in their rooms, and asking them what they know
//! (application service API).
//!
//! Telling is a follower of the log for each service ([`runner`]), all of them led by one process
//! ([`kontor_store::Store::lease`]). What they read is read once for all ([`desk`]); one that is away
//! keeps its own place and costs nobody else anything. Which services there are is the department of
//! accounts' knowledge; how requests are made is [`Link`]'s.

mod desk;
mod devices;
pub mod link;
mod passing;
pub mod ping;
mod query;
mod runner;
pub mod third_party;
mod ties;
mod transaction;
mod ways;

pub use link::Link;
pub use ways::Ways;

use crate::Flows;
use crate::turn::{RENEW, TURN};
use desk::Desk;
use kontor_model::Result;
use kontor_model::appservice::Service;
use kontor_store::Change;
use kontor_store::change::NOBODY;
use kontor_store::follower::{self, service_follower};
use kontor_store::log::Topic;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

/// Name of the lease.
const NAME: &str = "appservices";
/// How often the list of services is read anew, should the log not tell of a change.
const REREAD: Duration = Duration::from_secs(60);

/// Leads the followers whenever no other process does, until told to stop.
pub async fn follow(flows: Arc<Flows>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match flows.store.lease(NAME, TURN).await {
            Ok(true) => {
                if let Err(error) = lead(&flows, stop.clone()).await {
                    note("", &error);
                }
                if let Err(error) = flows.store.end_lease(NAME).await {
                    note("", &error);
                }
            }
            Ok(false) => {}
            Err(error) => note("", &error),
        }
        tokio::select! {
            () = sleep(RENEW) => {}
            () = stopped(&mut stop) => {}
        }
    }
}

/// Returns when it says so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn note(service: &str, error: &kontor_model::Error) {
    let cause = error.cause.as_ref().map(ToString::to_string).unwrap_or_default();
    tracing::warn!(appservice.id = service, error.message = %error.message, error.cause = cause, "Telling application services waits; trying again.");
}

/// A follower at work.
struct Work {
    service: Arc<Service>,
    end: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Work {
    fn begin(desk: &Arc<Desk>, service: &Arc<Service>) -> Self {
        let (end, ended) = watch::channel(false);
        let task = tokio::spawn(runner::run(Arc::clone(desk), Arc::clone(service), ended));
        Self { service: Arc::clone(service), end, task }
    }

    async fn finish(self) {
        self.end.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, appservice.id = %self.service.id, "A follower ended with a panic.");
        }
    }
}

/// Leads until told to stop or until another process does.
async fn lead(flows: &Arc<Flows>, mut stop: watch::Receiver<bool>) -> Result<()> {
    let desk = Arc::new(Desk::new(Arc::clone(flows)));
    let mut changes = flows.identity.services().changes();
    forget_strangers(flows).await?;
    let mut works: HashMap<Arc<str>, Work> = HashMap::new();
    let mut renew = Instant::now() + RENEW;
    loop {
        let _ = changes.borrow_and_update();
        employ(&desk, &mut works);
        tokio::select! {
            _ = changes.changed() => continue,
            () = sleep_until(renew) => {}
            () = stopped(&mut stop) => {}
        }
        renew = Instant::now() + RENEW;
        let mine = !*stop.borrow() && flows.store.lease(NAME, TURN).await.unwrap_or(false);
        if !mine {
            futures_util::future::join_all(works.into_values().map(Work::finish)).await;
            return Ok(());
        }
    }
}

/// Lets a follower work for each service that listens, and for no other.
fn employ(desk: &Arc<Desk>, works: &mut HashMap<Arc<str>, Work>) {
    let known = desk.flows.identity.services().now();
    let current =
        |work: &Work| known.by_id(&work.service.id).is_some_and(|now| Arc::ptr_eq(now, &work.service));
    let gone: Vec<Arc<str>> =
        works.iter().filter(|(_, work)| !current(work)).map(|(id, _)| Arc::clone(id)).collect();
    for id in gone {
        if let Some(work) = works.remove(&id) {
            // It may have to wait for a service that does not answer. Should another one of the same id
            // begin meanwhile, only one of them gets its transaction into the archive.
            tokio::spawn(work.finish());
        }
    }
    for service in known.list().iter().filter(|service| service.url.is_some()) {
        works.entry(Arc::clone(&service.id)).or_insert_with(|| Work::begin(desk, service));
    }
}

/// Forgets followers of services that are registered no more: the log is kept for them.
async fn forget_strangers(flows: &Flows) -> Result<()> {
    let known = flows.identity.services().now();
    let listen = |name: &String| {
        known.list().iter().any(|service| service.url.is_some() && service_follower(&service.id) == *name)
    };
    let followers = follower::of_services(&mut flows.store.reader()).await?;
    let mut change = Change::default();
    for name in followers.iter().filter(|name| !listen(name)) {
        tracing::info!(follower.name = %name, "An application service is registered no more; what it was not told is forgotten.");
        change.end_follower(name);
    }
    if !change.is_empty() {
        flows.store.submit(change).await?;
    }
    Ok(())
}

impl Flows {
    /// Gets everything ready for the registered services, before anybody can speak: their own users, and
    /// the places from which they are told.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn prepare_services(&self) -> Result<()> {
        self.identity.reload_services().await?;
        for service in self.identity.services().now().list() {
            if let Some(change) = self.identity.missing_sender(&service.sender).await? {
                match self.store.submit(change).await {
                    // Another process was quicker.
                    Err(error) if error.is_conflict() => {}
                    outcome => drop(outcome?),
                }
            }
            if service.url.is_some() {
                runner::begin(&self.store, &service_follower(&service.id)).await?;
            }
        }
        Ok(())
    }

    /// Follows which services administrators set up, in whichever process, until the server stops.
    pub async fn keep_services(&self) {
        let waiter = self.store.log().wait_for([Topic::User(NOBODY)]);
        let mut stop = self.stop.subscribe();
        while !*stop.borrow() {
            tokio::select! {
                () = waiter.woken() => {}
                () = sleep(REREAD) => {}
                () = stopped(&mut stop) => return,
            }
            if let Err(error) = self.identity.reload_services().await {
                note("", &error);
            }
        }
    }
}
