//! The one order, as this process sees it: recent changes in memory, and who waits for which.

use crate::change::{LogRow, Stream};
use kontor_model::{Error, Nid, Pos, Result};
use sqlx::{AnyPool, Row};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// Changes remembered; 40 bytes each. A reader whose token is older asks the database.
const REMEMBERED: usize = 16_384;

/// How often other processes' changes are looked for, should their notification be lost.
const POLL: Duration = Duration::from_millis(500);
/// The same while notifications come: PostgreSQL tells of each commit.
const TOLD: Duration = Duration::from_secs(2);

/// One remembered change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub pos: i64,
    /// What it was.
    pub row: LogRow,
}

/// What a waiter waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Anything in a room.
    Room(Nid),
    /// Anything of a user.
    User(Nid),
    /// Anything at all, for those who follow the whole log.
    Everything,
    /// What is not kept, of any room: who is typing.
    Passing,
}

/// Recent changes and waiters of one process.
pub struct Log {
    recent: Mutex<Recent>,
    waiters: Mutex<Waiters>,
    /// Wakes the watcher when a gap must be read from the database.
    gap: Notify,
}

struct Recent {
    /// Everything up to here was seen.
    newest: i64,
    /// Without gaps, ends at `newest`; begins after `before`.
    entries: VecDeque<Entry>,
    before: i64,
}

#[derive(Default)]
struct Waiters {
    next: u64,
    by_topic: HashMap<Topic, Vec<u64>>,
    waiting: HashMap<u64, (Arc<Notify>, Vec<Topic>)>,
}

/// Somebody who waits; forgets itself when dropped.
pub struct Waiter<'a> {
    log: &'a Log,
    id: u64,
    woken: Arc<Notify>,
}

impl Log {
    pub(crate) fn new(newest: i64) -> Self {
        Self {
            recent: Mutex::new(Recent { newest, entries: VecDeque::new(), before: newest }),
            waiters: Mutex::default(),
            gap: Notify::new(),
        }
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn waiters(&self) -> std::sync::MutexGuard<'_, Waiters> {
        self.waiters.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The newest position that this process knows of; the database may be ahead.
    pub fn newest(&self) -> Pos {
        Pos(self.recent().newest)
    }

    /// What changed in `(since, until]`, or `None` when that is not all remembered. A reader may have
    /// seen in the database what is not yet published here: then `since` is behind `until`.
    pub fn between(&self, since: Pos, until: Pos) -> Option<Vec<Entry>> {
        let recent = self.recent();
        if since.0 < recent.before || until.0 > recent.newest || since > until {
            return None;
        }
        let from = recent.entries.partition_point(|entry| entry.pos <= since.0);
        let to = recent.entries.partition_point(|entry| entry.pos <= until.0);
        Some(recent.entries.range(from..to).copied().collect())
    }

    /// Registers for topics. Register before reading, so that nothing falls between.
    pub fn wait_for(&self, topics: impl IntoIterator<Item = Topic>) -> Waiter<'_> {
        let topics: Vec<_> = topics.into_iter().collect();
        let woken = Arc::new(Notify::new());
        let mut waiters = self.waiters();
        let id = waiters.next;
        waiters.next += 1;
        for topic in &topics {
            waiters.by_topic.entry(*topic).or_default().push(id);
        }
        waiters.waiting.insert(id, (Arc::clone(&woken), topics));
        drop(waiters);
        Waiter { log: self, id, woken }
    }

    /// Wakes those who wait for a topic, for news that are not durable (typing).
    pub fn nudge(&self, topics: impl IntoIterator<Item = Topic>) {
        let waiters = self.waiters();
        let mut woken = HashSet::new();
        for topic in topics {
            for id in waiters.by_topic.get(&topic).into_iter().flatten() {
                if woken.insert(*id)
                    && let Some((notify, _)) = waiters.waiting.get(id)
                {
                    notify.notify_one();
                }
            }
        }
    }

    /// Wakes everybody: the server stops.
    pub fn wake_all(&self) {
        for (notify, _) in self.waiters().waiting.values() {
            notify.notify_one();
        }
    }

    /// Takes in changes that were committed, in order.
    ///
    /// A gap before them means that another process wrote: then the watcher reads it all.
    pub(crate) fn publish(&self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        let mut recent = self.recent();
        if first.pos > recent.newest + 1 {
            drop(recent);
            self.gap.notify_one();
            return;
        }
        let newest = recent.newest;
        let fresh: Vec<_> = entries.iter().filter(|entry| entry.pos > newest).copied().collect();
        recent.entries.extend(&fresh);
        recent.newest = fresh.last().map_or(newest, |entry| entry.pos);
        while recent.entries.len() > REMEMBERED {
            if let Some(dropped) = recent.entries.pop_front() {
                recent.before = dropped.pos;
            }
        }
        drop(recent);
        let rooms = fresh.iter().filter_map(|entry| entry.row.room).map(Topic::Room);
        let users = fresh.iter().filter_map(|entry| entry.row.user).map(Topic::User);
        let everything = (!fresh.is_empty()).then_some(Topic::Everything);
        let topics: HashSet<_> = rooms.chain(users).chain(everything).collect();
        self.nudge(topics);
    }
}

impl Waiter<'_> {
    /// Returns when something of the topics changed since the registration or the last return.
    pub async fn woken(&self) {
        self.woken.notified().await;
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut waiters = self.log.waiters();
        let Some((_, topics)) = waiters.waiting.remove(&self.id) else { return };
        for topic in topics {
            if let Some(ids) = waiters.by_topic.get_mut(&topic) {
                ids.retain(|id| *id != self.id);
                if ids.is_empty() {
                    waiters.by_topic.remove(&topic);
                }
            }
        }
    }
}

/// Follows what other processes commit, until the log is dropped.
pub(crate) fn watch(log: Weak<Log>, pool: AnyPool, url: String) {
    tokio::spawn(async move {
        let mut listener = listen(&url).await;
        loop {
            let Some(held) = log.upgrade() else { return };
            let pause = if listener.is_some() { TOLD } else { POLL };
            let told = async {
                match listener.as_mut() {
                    Some(listener) => listener.recv().await.is_ok(),
                    None => std::future::pending().await,
                }
            };
            let heard = tokio::select! {
                alive = told => Some(alive),
                () = held.gap.notified() => None,
                () = tokio::time::sleep(pause) => None,
            };
            if heard == Some(false) {
                tokio::time::sleep(POLL).await;
                listener = listen(&url).await;
            }
            if pool.is_closed() {
                return;
            }
            if let Err(error) = catch_up(&held, &pool).await {
                tracing::warn!(error.cause = ?error, "the log cannot be read; trying again");
            }
        }
    });
}

async fn listen(url: &str) -> Option<sqlx::postgres::PgListener> {
    let mut listener = sqlx::postgres::PgListener::connect(url).await.ok()?;
    listener.listen("kontor").await.ok()?;
    Some(listener)
}

async fn catch_up(log: &Log, pool: &AnyPool) -> Result<()> {
    let sql = "SELECT position, stream, room_nid, user_nid FROM stream_log \
               WHERE position > $1 ORDER BY position LIMIT 10000";
    let since = log.newest().0;
    let rows = sqlx::query(sql).bind(since).fetch_all(pool).await.map_err(crate::db::unavailable)?;
    let entry = |row: &sqlx::any::AnyRow| -> std::result::Result<Entry, sqlx::Error> {
        let stream = Stream::from_number(row.try_get(1)?).unwrap_or(Stream::Event);
        let row_of = LogRow { stream, room: row.try_get(2)?, user: row.try_get(3)? };
        Ok(Entry { pos: row.try_get(0)?, row: row_of })
    };
    let entries: std::result::Result<Vec<_>, _> = rows.iter().map(entry).collect();
    log.publish(&entries.map_err(Error::internal)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pos: i64, room: Nid) -> Entry {
        Entry { pos, row: LogRow { stream: Stream::Event, room: Some(room), user: None } }
    }

    #[tokio::test]
    async fn a_waiter_hears_of_its_room_and_of_no_other() {
        let log = Log::new(0);
        let mine = log.wait_for([Topic::Room(7)]);
        let other = log.wait_for([Topic::Room(8)]);
        log.publish(&[entry(1, 7)]);
        mine.woken().await;
        assert!(tokio::time::timeout(Duration::from_millis(20), other.woken()).await.is_err());
    }

    #[test]
    fn a_gap_is_never_published_as_if_it_were_complete() {
        let log = Log::new(5);
        log.publish(&[entry(8, 1)]);
        assert_eq!(log.newest(), Pos(5));
        log.publish(&[entry(6, 1), entry(7, 1), entry(8, 1)]);
        assert_eq!(log.newest(), Pos(8));
        assert_eq!(log.between(Pos(6), Pos(8)).unwrap().len(), 2);
        assert!(log.between(Pos(4), Pos(8)).is_none(), "older than what is remembered");
        assert!(log.between(Pos(6), Pos(9)).is_none(), "newer than what is known");
        assert!(log.between(Pos(9), Pos(8)).is_none(), "seen in the database before it was published");
    }

    #[test]
    fn dropped_waiters_leave_nothing_behind() {
        let log = Log::new(0);
        for _ in 0..100 {
            drop(log.wait_for([Topic::Room(1), Topic::User(2)]));
        }
        let waiters = log.waiters();
        assert!(waiters.by_topic.is_empty() && waiters.waiting.is_empty());
    }
}
