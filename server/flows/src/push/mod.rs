//! Push: tells devices that are not looking, through the gateways that their pushers name.
//!
//! A follower of the log, led by one process for all ([`kontor_store::Store::lease`]). It looks at
//! every event once ([`audience`]: who is to be told, and how), lets each device's notifications wait
//! in a lane of its own ([`lanes`], [`delivery`]), and keeps the place up to which everything was told
//! or noted as owed. After a crash it goes on from there, so an event may be told twice, never not at
//! all; gateways tell repeats by the event's id. Bodies of messages never enter the log of the
//! server.

mod audience;
mod body;
mod delivery;
pub mod gateway;
mod lanes;
mod receivers;
mod registry;

pub use gateway::{Gateway, Heard};

use crate::Flows;
use crate::turn::{RENEW, TURN};
use audience::Audience;
use body::{Brief, Names, ids_only};
use delivery::Delivery;
use kontor_model::{Ms, Nid, Pos, Result};
use kontor_store::log::{Entry, Topic};
use kontor_store::rooms::pushed::{self, News};
use kontor_store::{Change, Stream, follower};
use lanes::Notice;
use registry::Registry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// Name of the lease and of the place.
const NAME: &str = "push";
/// How often the place is written, when something was told.
const SETTLE: Duration = Duration::from_secs(1);
/// Events are looked at together that come within this time.
const GATHER: Duration = Duration::from_millis(20);
/// Entries of the log, and events of it, that are looked at together.
const ENTRIES: i64 = 1_000;
const EVENTS: usize = 200;
/// Positions that are looked at again after an outage; what is older is in the badge only.
const LOOK_BACK: i64 = 5_000;
/// An event that came so long before it is looked at is told as a late one.
const LATE: Ms = 60_000;
/// How far the place may fall behind while nothing is told.
const STRIDE: i64 = 1_000;
/// How long requests under way may take when the server stops.
const PATIENCE: Duration = Duration::from_secs(5);

/// Leads whenever no other process does, until told to stop.
pub async fn follow(flows: Arc<Flows>, gateway: Arc<dyn Gateway>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match flows.store.lease(NAME, TURN).await {
            Ok(true) => {
                let delivery = Delivery::new(&flows, &gateway);
                let led = lead(&flows, &delivery, stop.clone()).await;
                delivery.end(PATIENCE).await;
                if let Err(error) = led {
                    note(&error);
                }
                if let Err(error) = flows.store.end_lease(NAME).await {
                    note(&error);
                }
            }
            Ok(false) => {}
            Err(error) => note(&error),
        }
        tokio::select! {
            () = sleep(RENEW) => {}
            () = stopped(&mut stop) => {}
        }
    }
}

/// Returns when the server stops.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn note(error: &kontor_model::Error) {
    let cause = error.cause.as_ref().map(ToString::to_string).unwrap_or_default();
    tracing::warn!(error.message = %error.message, error.cause = cause, "Push notifications wait; trying again.");
}

/// Leads until told to stop or until another process does.
async fn lead(flows: &Arc<Flows>, delivery: &Arc<Delivery>, mut stop: watch::Receiver<bool>) -> Result<()> {
    let log = flows.store.log();
    let waiter = log.wait_for([Topic::Everything]);
    let mut leader = Leader::begin(flows, delivery).await?;
    let mut renewed = Instant::now();
    let mut settled = Instant::now();
    loop {
        while leader.place < log.newest() && !*stop.borrow() {
            leader.step().await?;
        }
        tokio::select! {
            () = waiter.woken() => sleep(GATHER).await,
            () = sleep_until(settled + SETTLE) => {}
            () = stopped(&mut stop) => {}
        }
        if *stop.borrow() {
            // What is under way may still arrive, and then it is not owed.
            delivery.end(PATIENCE).await;
            return leader.settle(true).await;
        }
        if settled.elapsed() >= SETTLE {
            settled = Instant::now();
            leader.settle(false).await?;
        }
        if renewed.elapsed() >= RENEW {
            renewed = Instant::now();
            if !flows.store.lease(NAME, TURN).await? {
                return Ok(());
            }
        }
    }
}

/// What leading remembers.
struct Leader<'a> {
    flows: &'a Arc<Flows>,
    delivery: &'a Arc<Delivery>,
    registry: Registry,
    audience: Audience,
    /// Everything up to here was looked at.
    place: Pos,
    /// The place that is written.
    written: Pos,
}

/// What a part of the log says that matters here.
#[derive(Default)]
struct Part {
    places: Vec<(Nid, i64)>,
    /// Receipts: who, and in which room if that is told.
    read: Vec<(Nid, Option<Nid>)>,
    changed: HashSet<Nid>,
}

impl<'a> Leader<'a> {
    /// Goes on where the last leader was.
    async fn begin(flows: &'a Arc<Flows>, delivery: &'a Arc<Delivery>) -> Result<Self> {
        let newest = flows.store.snapshot().await?.position().await?;
        let kept = follower::position(&mut flows.store.reader(), NAME).await?;
        let place = kept.unwrap_or(newest).max(Pos(newest.0 - LOOK_BACK)).min(newest);
        let registry = Registry::load(&flows.store).await?;
        let audience = Audience::default();
        let written = kept.unwrap_or_default();
        let mut leader = Self { flows, delivery, registry, audience, place, written };
        if kept.is_none() {
            // What comes from now on is owed, also if this process ends before it tells anything.
            leader.write(place, Vec::new()).await?;
        }
        leader.pay_debts().await?;
        Ok(leader)
    }

    /// Looks again at what pushers were owed when the last leader ended.
    async fn pay_debts(&mut self) -> Result<()> {
        let owed: HashMap<lanes::Key, Pos> =
            self.registry.all().filter_map(|pusher| Some((lanes::key(pusher), pusher.owed?))).collect();
        let Some(oldest) = owed.values().min() else { return Ok(()) };
        let mut after = Pos(oldest.0.max(self.place.0 - LOOK_BACK));
        while after < self.place {
            let entries = follower::changes_after(&mut self.flows.store.reader(), after, ENTRIES).await?;
            let Some(last) = entries.last() else { break };
            after = Pos(last.pos);
            let places: Vec<_> =
                entries.iter().filter(|entry| entry.pos <= self.place.0).filter_map(place).collect();
            self.look(&places, Some(&owed)).await?;
        }
        Ok(())
    }

    /// Looks at the next part of the log.
    async fn step(&mut self) -> Result<()> {
        let log = self.flows.store.log();
        let until = Pos((self.place.0 + ENTRIES).min(log.newest().0));
        let entries = match log.between(self.place, until) {
            Some(entries) => entries,
            None => follower::changes_after(&mut self.flows.store.reader(), self.place, ENTRIES).await?,
        };
        let until = entries.last().map_or(until, |entry| Pos(entry.pos));
        let part = self.sort(&entries);
        if !part.changed.is_empty() {
            self.refresh(part.changed.into_iter().collect()).await?;
        }
        if !self.registry.is_empty() {
            self.look(&part.places, None).await?;
            self.note_read(part.read, until);
        }
        self.place = until;
        Ok(())
    }

    /// Forgets what changed, and gathers what is to be looked at.
    fn sort(&mut self, entries: &[Entry]) -> Part {
        let receivers = &self.delivery.receivers;
        let mut part = Part::default();
        for entry in entries {
            match (entry.row.stream, entry.row.room, entry.row.user) {
                (Stream::Event, Some(room), member) => {
                    part.places.push((room, entry.pos));
                    if let Some(user) = member {
                        self.audience.forget_room(room);
                        receivers.forget(user);
                    }
                }
                (Stream::Pushers | Stream::Kill, _, Some(user)) | (Stream::DeviceList, None, Some(user)) => {
                    part.changed.insert(user);
                }
                (Stream::PushRules, _, Some(user)) => {
                    self.audience.note_own_rules(user);
                    receivers.forget(user);
                }
                (Stream::AccountData, None, Some(user)) => receivers.forget_ignored(user),
                (Stream::Receipt, room, Some(user)) => part.read.push((user, room)),
                _ => {}
            }
        }
        part
    }

    /// Tells badges that reading changed; after the events, since what was read may be among them.
    fn note_read(&self, read: Vec<(Nid, Option<Nid>)>, until: Pos) {
        let receivers = &self.delivery.receivers;
        let mut readers = HashSet::new();
        for (user, room) in read.into_iter().filter(|(user, _)| self.registry.has(*user)) {
            match room {
                Some(room) if !receivers.doubt(user, room) => continue,
                Some(_) => {}
                // Of private receipts the log names no room.
                None => receivers.forget(user),
            }
            readers.insert(user);
        }
        for user in readers {
            self.tell_badge(user, until);
        }
    }

    /// Reads the pushers of some users anew.
    async fn refresh(&mut self, users: Vec<Nid>) -> Result<()> {
        if self.registry.refresh(&self.flows.store, &users).await? {
            self.audience.forget_rooms();
        }
        let mut lanes = self.delivery.lanes();
        for user in users {
            lanes.set(user, self.registry.of(user));
        }
        Ok(())
    }

    /// Looks at events, and lets those wait who are to be told; `owed` limits it to pushers that are
    /// owed something.
    async fn look(&mut self, places: &[(Nid, i64)], owed: Option<&HashMap<lanes::Key, Pos>>) -> Result<()> {
        for some in places.chunks(EVENTS) {
            for news in pushed::at(&mut self.flows.store.reader(), some).await? {
                self.look_at(news, owed).await?;
            }
        }
        Ok(())
    }

    async fn look_at(&mut self, news: News, owed: Option<&HashMap<lanes::Key, Pos>>) -> Result<()> {
        if news.redacted {
            return Ok(());
        }
        let receivers = &self.delivery.receivers;
        let told = self.audience.of(self.flows, &self.registry, receivers, &news).await?;
        if news.kind == "m.room.redaction" {
            for user in self.audience.hearers(news.room) {
                receivers.doubt(user, news.room);
            }
        }
        let pos = Pos(news.ord);
        // Whoever writes has read what was there.
        if owed.is_none() && self.registry.has(news.sender_nid) && receivers.doubt(news.sender_nid, news.room)
        {
            self.tell_badge(news.sender_nid, pos);
        }
        let wanted =
            |pusher: &lanes::Key| owed.is_none_or(|owed| owed.get(pusher).is_some_and(|after| *after < pos));
        let mut devices = Vec::new();
        for (user, tweaks) in told {
            receivers.note(user, news.room);
            // What came before a pusher was set is not for it.
            let pushers = self.registry.of(user).iter().filter(|pusher| pusher.set_ts <= news.received_ts);
            let pushers = pushers.filter(|pusher| wanted(&lanes::key(pusher)));
            devices.extend(pushers.map(|pusher| (Arc::clone(pusher), Arc::clone(&tweaks))));
        }
        if devices.is_empty() {
            return Ok(());
        }
        let made = self.flows.clock.now();
        let late = owed.is_some() || made - news.received_ts > LATE;
        let brief =
            Some(Arc::new(self.brief(news, devices.iter().all(|(pusher, _)| ids_only(pusher))).await?));
        for (pusher, tweaks) in devices {
            let notice = Notice { brief: brief.clone(), tweaks, pos: pos.0, made, late };
            self.delivery.add(&pusher, notice);
        }
        Ok(())
    }

    async fn brief(&self, news: News, ids_only: bool) -> Result<Brief> {
        if ids_only {
            return Ok(Brief { news, names: None });
        }
        let called = pushed::called(&mut self.flows.store.reader(), news.room, news.sender_nid).await?;
        Ok(Brief { news, names: Some(Names::of(called)) })
    }

    fn tell_badge(&self, user: Nid, pos: Pos) {
        for pusher in self.registry.of(user) {
            self.delivery.add_badge(pusher, pos);
        }
    }

    /// Writes up to where everything was told or is owed, if that matters.
    async fn settle(&mut self, at_once: bool) -> Result<()> {
        let (done, debts) = self.delivery.lanes().settle(self.place);
        let told = self.delivery.told_something();
        let far = done.0 - self.written.0 > STRIDE && !self.registry.is_empty();
        if debts.is_empty() && (done <= self.written || !(told || far || at_once)) {
            return Ok(());
        }
        self.write(done, debts).await
    }

    async fn write(&mut self, done: Pos, debts: Vec<lanes::Debt>) -> Result<()> {
        let mut change = Change::default();
        for ((user, app_id, pushkey), owed) in debts {
            change.owe_pusher(user, &app_id, &pushkey, owed);
        }
        change.follow_to(NAME, done);
        self.flows.store.submit(change).await?;
        self.written = done;
        Ok(())
    }
}

/// The place of an event, of an entry that tells of one.
fn place(entry: &Entry) -> Option<(Nid, i64)> {
    (entry.row.stream == Stream::Event).then_some((entry.row.room?, entry.pos))
}
