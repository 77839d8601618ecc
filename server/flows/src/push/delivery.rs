//! Delivery: empties the lanes, some at a time, and tries again what a gateway did not take.

use super::body::body;
use super::gateway::{Gateway, Heard};
use super::lanes::{Key, Lane, Lanes, Notice, key};
use super::receivers::Receivers;
use crate::Flows;
use kontor_model::{Ms, Pos, Result};
use kontor_store::identity::pushers::PusherRow;
use kontor_store::rooms::pushed;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

/// Requests under way, of lanes that did not fail last time.
const AT_ONCE: usize = 128;
/// Of these, to one gateway.
const AT_ONE_GATEWAY: usize = 32;
/// Requests under way of lanes that failed: they never take the place of others.
const RETRIES: usize = 16;
/// Wait after the first failure; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// What is older than this is not told any more.
const WORTH_TELLING: Ms = 24 * 3_600_000;
/// What waited longer than this is looked at again: it may have been read or redacted.
const FRESH: Ms = 2_000;

/// What empties the lanes, as long as this process leads.
pub(super) struct Delivery {
    flows: Arc<Flows>,
    gateway: Arc<dyn Gateway>,
    pub receivers: Receivers,
    lanes: Mutex<Lanes>,
    at_once: Semaphore,
    retries: Semaphore,
    gateways: moka::sync::Cache<String, Arc<Semaphore>>,
    /// Gateways that are known to fail, so that an outage is logged once.
    failing: Mutex<HashSet<String>>,
    /// Whether something was told since the last time that anybody asked.
    told: AtomicBool,
    ended: watch::Sender<bool>,
}

impl Delivery {
    pub fn new(flows: &Arc<Flows>, gateway: &Arc<dyn Gateway>) -> Arc<Self> {
        Arc::new(Self {
            flows: Arc::clone(flows),
            gateway: Arc::clone(gateway),
            receivers: Receivers::new(flows.store.clone()),
            lanes: Mutex::default(),
            at_once: Semaphore::new(AT_ONCE),
            retries: Semaphore::new(RETRIES),
            gateways: moka::sync::Cache::new(1_000),
            failing: Mutex::default(),
            told: AtomicBool::new(false),
            ended: watch::channel(false).0,
        })
    }

    /// The lanes.
    pub fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a notification wait for its turn.
    pub fn add(self: &Arc<Self>, pusher: &Arc<PusherRow>, notice: Notice) {
        let mut lanes = self.lanes();
        let lane = lanes.of(pusher);
        lane.add(notice);
        if !lane.running {
            lane.running = true;
            tokio::spawn(Arc::clone(self).empty(key(pusher), lane.id));
        }
    }

    /// Sets the badge of a device anew, if it is another one.
    pub fn add_badge(self: &Arc<Self>, pusher: &Arc<PusherRow>, pos: Pos) {
        if self.lanes().of(pusher).badge == Some(0) {
            // Reading can only make it smaller.
            return;
        }
        let made = self.flows.clock.now();
        self.add(pusher, Notice { brief: None, tweaks: Arc::default(), pos: pos.0, made, late: false });
    }

    /// Whether anything was told since the last call.
    pub fn told_something(&self) -> bool {
        self.told.swap(false, Ordering::Relaxed)
    }

    /// Ends the lanes; waits a little for requests that are under way.
    pub async fn end(&self, patience: Duration) {
        self.ended.send_replace(true);
        let all = async {
            let _at_once = self.at_once.acquire_many(u32::try_from(AT_ONCE).unwrap_or(u32::MAX)).await;
            let _retries = self.retries.acquire_many(u32::try_from(RETRIES).unwrap_or(u32::MAX)).await;
        };
        let _ = timeout(patience, all).await;
    }

    /// Empties one lane.
    async fn empty(self: Arc<Self>, key: Key, id: u64) {
        let mut ended = self.ended.subscribe();
        while let Some((notice, pusher, failures)) = self.next(&key, id) {
            match self.try_one(&pusher, &notice, failures > 0).await {
                Outcome::Done { badge } => {
                    self.told.store(true, Ordering::Relaxed);
                    self.with(&key, id, |lane| {
                        (lane.failures, lane.badge) = (0, badge.or(lane.badge));
                        lane.pop();
                    });
                }
                Outcome::Gone => return self.drop_pusher(&pusher).await,
                Outcome::Ended => return,
                Outcome::Failed(asked) => {
                    self.with(&key, id, Lane::fail);
                    tokio::select! {
                        () = sleep(self.wait(failures, asked)) => {}
                        () = super::stopped(&mut ended) => return,
                    }
                }
            }
        }
    }

    /// What is in front of a lane; ends the lane's run when it is empty or gone.
    fn next(&self, key: &Key, id: u64) -> Option<(Notice, Arc<PusherRow>, u32)> {
        let mut lanes = self.lanes();
        let lane = lanes.get(key).filter(|lane| lane.id == id)?;
        let Some(notice) = lane.front() else {
            lane.running = false;
            return None;
        };
        lane.under_way = true;
        Some((notice, Arc::clone(&lane.pusher), lane.failures))
    }

    /// Notes what became of the notification in front.
    fn with(&self, key: &Key, id: u64, change: impl FnOnce(&mut Lane)) {
        if let Some(lane) = self.lanes().get(key).filter(|lane| lane.id == id) {
            lane.under_way = false;
            change(lane);
        }
    }

    /// The wait after so many failures, with some chance in it so that lanes do not come in step.
    fn wait(&self, failures: u32, asked: Option<Duration>) -> Duration {
        let usual =
            FIRST_WAIT.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX)).min(LONGEST_WAIT);
        let mut dice = [0_u8; 1];
        self.flows.random.fill(&mut dice);
        let spread = usual.mul_f64(0.75 + f64::from(dice.first().copied().unwrap_or_default()) / 512.0);
        spread.max(asked.unwrap_or_default().min(LONGEST_WAIT))
    }

    async fn try_one(&self, pusher: &PusherRow, notice: &Notice, again: bool) -> Outcome {
        let gateway = self.gateways.get_with_by_ref(&pusher.url, || Arc::new(Semaphore::new(AT_ONE_GATEWAY)));
        let places = if again { &self.retries } else { &self.at_once };
        // The gateway's places first: whoever waits for them must not keep others from theirs.
        let (Ok(_gateway), Ok(_place)) = (gateway.acquire().await, places.acquire().await) else {
            return Outcome::Ended;
        };
        if *self.ended.borrow() {
            return Outcome::Ended;
        }
        let (body, badge) = match self.worth_telling(pusher, notice, again).await {
            Ok(None) => return Outcome::Done { badge: None },
            Ok(Some(telling)) => telling,
            Err(error) => {
                tracing::warn!(error.message = %error.message, "A notification could not be made; trying again.");
                return Outcome::Failed(None);
            }
        };
        match self.gateway.notify(&pusher.url, body).await {
            Heard::Taken { rejected } if rejected.contains(&pusher.pushkey) => Outcome::Gone,
            Heard::Taken { .. } => {
                self.note_works(&pusher.url);
                Outcome::Done { badge: Some(badge) }
            }
            Heard::Failed { why, retry_after } => {
                self.note_fails(&pusher.url, &why);
                Outcome::Failed(retry_after)
            }
        }
    }

    /// What to tell now and which badge is in it, if it is still worth telling.
    async fn worth_telling(
        &self,
        pusher: &PusherRow,
        notice: &Notice,
        again: bool,
    ) -> Result<Option<(String, i64)>> {
        let now = self.flows.clock.now();
        let room = notice.brief.as_ref().map(|brief| brief.news.room);
        let old = again || notice.late || now - notice.made > FRESH;
        if old {
            self.receivers.forget(pusher.user);
        }
        let standing = self.receivers.standing(pusher.user, room).await?;
        let badge_known = self.lanes().get(&key(pusher)).and_then(|lane| lane.badge);
        let mut brief = notice.brief.as_deref().filter(|_| standing.room_unread);
        if let Some(found) = brief.filter(|_| old) {
            let news = &found.news;
            let current = pushed::at(&mut self.flows.store.reader(), &[(news.room, news.ord)]).await?;
            let gone = current.first().is_none_or(|current| current.redacted);
            if gone || now - news.received_ts > WORTH_TELLING {
                brief = None;
            }
        }
        if brief.is_none() && badge_known == Some(standing.badge) {
            return Ok(None);
        }
        Ok(Some((body(pusher, brief, &notice.tweaks, standing.badge), standing.badge)))
    }

    /// The gateway said that the key is of no use any more.
    async fn drop_pusher(&self, pusher: &PusherRow) {
        let change = self.flows.identity.drop_pusher(pusher.user, &pusher.app_id, &pusher.pushkey);
        self.lanes().remove(&key(pusher));
        match self.flows.store.submit(change).await {
            Ok(_) => tracing::info!(
                user.id = pusher.user_id,
                device.id = pusher.device_id,
                push.app = pusher.app_id,
                "Removed a pusher, as its gateway asked."
            ),
            Err(error) => {
                tracing::warn!(error.message = %error.message, "A rejected pusher could not be removed.")
            }
        }
    }

    fn failing(&self) -> MutexGuard<'_, HashSet<String>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_works(&self, url: &str) {
        if self.failing().remove(url) {
            tracing::info!(push.gateway = url, "The push gateway takes notifications again.");
        }
    }

    fn note_fails(&self, url: &str, why: &str) {
        let mut failing = self.failing();
        if failing.len() < 1_000 && failing.insert(url.to_owned()) {
            tracing::warn!(push.gateway = url, push.why = why, "A push gateway takes nothing; trying on.");
        }
    }
}

enum Outcome {
    Done { badge: Option<i64> },
    Failed(Option<Duration>),
    Gone,
    Ended,
}
