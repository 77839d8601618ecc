//! One application service's follower of the log: looks, keeps what is to be sent, sends it until it
//! was taken, moves on. Strictly in order; a transaction is on the disk before its first byte leaves,
//! so that every try sends the same.

use super::desk::Desk;
use super::link::{Method, Reply};
use super::passing::Passing;
use super::{note, stopped};
use kontor_model::appservice::Service;
use kontor_model::random::opaque;
use kontor_model::{Pos, Result};
use kontor_store::follower::{self, FollowerTxn, service_follower};
use kontor_store::log::Topic;
use kontor_store::{Change, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// Letters of a transaction's name.
const NAME: usize = 24;
/// Time for one try.
const TRY: Duration = Duration::from_secs(60);
/// Time that a try under way has left when the server stops.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between tries: twice as long each time, from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often an outage is told in the log of the server.
const TOLD: Duration = Duration::from_secs(3_600);
/// How far the place may fall behind while there is nothing to tell.
const STRIDE: i64 = 1_000;
/// After an error of the archive.
const AGAIN: Duration = Duration::from_secs(5);

/// Follows the log for a service until told to end.
pub(super) async fn run(desk: Arc<Desk>, service: Arc<Service>, mut end: watch::Receiver<bool>) {
    while !*end.borrow() {
        if let Err(error) = follow(&desk, &service, &mut end).await {
            if error.is_conflict() && *end.borrow() {
                // Its place went together with the service.
                return;
            }
            note(&service.id, &error);
            tokio::select! {
                () = sleep(AGAIN) => {}
                () = stopped(&mut end) => {}
            }
        }
    }
}

async fn follow(desk: &Desk, service: &Service, end: &mut watch::Receiver<bool>) -> Result<()> {
    let log = desk.flows.store.log();
    let waiter = log.wait_for([Topic::Everything, Topic::Passing]);
    let mut runner = Runner::begin(desk, service).await?;
    while !*end.borrow() {
        if let Some(txn) = runner.pending.take() {
            if !runner.deliver(&txn, end).await {
                return Ok(());
            }
            runner.acknowledge(txn).await?;
        } else if !runner.step().await? {
            tokio::select! {
                () = waiter.woken() => {}
                () = stopped(end) => {}
            }
        }
    }
    runner.settle().await
}

struct Runner<'a> {
    desk: &'a Desk,
    service: &'a Service,
    /// Its name among the followers.
    name: String,
    /// Everything up to here was looked at.
    place: Pos,
    /// The place that is written.
    written: Pos,
    /// What is on its way.
    pending: Option<FollowerTxn>,
    passing: Passing,
}

impl<'a> Runner<'a> {
    /// Goes on where the last one was; a service that is new is told what happens from now on.
    async fn begin(desk: &'a Desk, service: &'a Service) -> Result<Self> {
        let store = &desk.flows.store;
        let name = service_follower(&service.id);
        let place = begin(store, &name).await?;
        let pending = follower::pending(&mut store.reader(), &name).await?;
        let passing = Passing::from(desk.flows.rooms.typing.counter());
        Ok(Self { desk, service, name, place, written: place, pending, passing })
    }

    /// Looks at the next part of the log; false when there is nothing new.
    async fn step(&mut self) -> Result<bool> {
        let store = &self.desk.flows.store;
        let passes = self.desk.passes(self.service, &self.passing);
        if self.place >= store.log().newest() && !passes {
            return Ok(false);
        }
        let look = self.desk.look(self.service, self.place).await?;
        let moved = look.until > self.place;
        let Some(composed) = self.desk.compose(self.service, &look, &mut self.passing).await? else {
            self.place = look.until;
            if self.place.0 - self.written.0 > STRIDE {
                self.settle().await?;
            }
            return Ok(moved);
        };
        let flows = &self.desk.flows;
        let txn = FollowerTxn {
            txn_id: opaque(&*flows.random, NAME),
            to: composed.to,
            body: composed.body,
            created_ts: flows.clock.now(),
        };
        let mut change = Change::default();
        change.keep_txn(&self.name, self.written, &txn);
        for (user, pos) in composed.handed_over {
            change.handed_over(user, pos);
        }
        store.submit(change).await?;
        self.place = look.until;
        self.pending = Some(txn);
        Ok(true)
    }

    /// Sends a transaction until it was taken; false when told to end before.
    async fn deliver(&self, txn: &FollowerTxn, end: &mut watch::Receiver<bool>) -> bool {
        let ways = &self.desk.flows.services;
        let mut alive = ways.alive();
        let (mut pause, mut failed) = (FIRST_PAUSE, None::<Instant>);
        let mut told = None::<Instant>;
        loop {
            let reply = tokio::select! {
                reply = self.send(txn) => Some(reply),
                () = ending(end) => None,
            };
            let Some(reply) = reply else { return false };
            if reply.is_success() {
                if let Some(since) = failed {
                    let seconds = since.elapsed().as_secs();
                    tracing::info!(appservice.id = %self.service.id, outage.seconds = seconds, "The application service takes transactions again.");
                }
                return true;
            }
            failed.get_or_insert_with(Instant::now);
            if told.is_none_or(|told| told.elapsed() >= TOLD) {
                told = Some(Instant::now());
                tracing::warn!(appservice.id = %self.service.id, appservice.txn = %txn.txn_id, error.message = %reply.why(), "The application service does not take a transaction. It is sent again until it does.");
            }
            tokio::select! {
                () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                // It says that it is there: no need to wait.
                () = called(&mut alive, &self.service.id) => pause = FIRST_PAUSE,
                () = stopped(end) => return false,
            }
        }
    }

    async fn send(&self, txn: &FollowerTxn) -> Reply {
        let (ways, body) = (&self.desk.flows.services, Some(txn.body.as_slice()));
        let path = format!("/transactions/{}", txn.txn_id);
        ways.call(self.service, Method::Put, &path, body, TRY).await
    }

    async fn acknowledge(&mut self, txn: FollowerTxn) -> Result<()> {
        let mut change = Change::default();
        change.acknowledge_txn(&self.name, self.written, &txn.txn_id, txn.to);
        self.desk.flows.store.submit(change).await?;
        self.written = txn.to;
        self.place = self.place.max(txn.to);
        Ok(())
    }

    /// Writes up to where everything was looked at.
    async fn settle(&mut self) -> Result<()> {
        if self.place > self.written && self.pending.is_none() {
            let mut change = Change::default();
            change.move_follower(&self.name, self.written, self.place);
            self.desk.flows.store.submit(change).await?;
            self.written = self.place;
        }
        Ok(())
    }
}

/// The place of a follower, which begins at the present if it has none.
pub(super) async fn begin(store: &Store, name: &str) -> Result<Pos> {
    if let Some(place) = follower::position(&mut store.reader(), name).await? {
        return Ok(place);
    }
    let newest = store.snapshot().await?.position().await?;
    let mut change = Change::default();
    change.begin_follower(name, newest);
    store.submit(change).await?;
    Ok(follower::position(&mut store.reader(), name).await?.unwrap_or(newest))
}

/// Returns some time after it was told to end.
async fn ending(end: &mut watch::Receiver<bool>) {
    stopped(end).await;
    let _ = timeout(PATIENCE, std::future::pending::<()>()).await;
}

/// Returns when the service called.
async fn called(alive: &mut watch::Receiver<Option<Arc<str>>>, id: &str) {
    let own = |called: &Option<Arc<str>>| called.as_deref() == Some(id);
    loop {
        if alive.changed().await.is_err() {
            return std::future::pending().await;
        }
        if own(&alive.borrow_and_update()) {
            return;
        }
    }
}
