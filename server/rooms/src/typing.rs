//! Who is typing: kept in memory by each process, never written, forgotten by the clock.
//!
//! A counter moves with everything that a client would see change; tokens of `/sync` carry it
//! together with the identity of the process that counts.

use crate::Rooms;
use kontor_model::{Clock, Ms, Nid, Random};
use kontor_store::log::Topic;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longest that one request may make somebody type, milliseconds.
const LONGEST: Ms = 30_000;
/// Rooms in which somebody types, and rooms whose last change is remembered.
const MOST_ROOMS: usize = 10_000;
/// Typing users of one room that are told of.
const MOST_TYPISTS: usize = 50;

/// Who is typing where, as this process was told.
pub struct Typing {
    clock: Arc<dyn Clock>,
    process: u64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    counter: u64,
    /// Typing users by room, in the order in which they began.
    rooms: HashMap<Nid, Vec<Typist>>,
    /// The first moment at which somebody's time is up.
    next_end: Option<Ms>,
    /// The counter at each room's last change, both ways.
    changed: HashMap<Nid, u64>,
    order: BTreeMap<u64, Nid>,
}

struct Typist {
    user_id: String,
    until: Ms,
}

impl Inner {
    fn touch(&mut self, room: Nid) {
        self.counter += 1;
        if let Some(before) = self.changed.insert(room, self.counter) {
            self.order.remove(&before);
        }
        self.order.insert(self.counter, room);
        if self.order.len() > MOST_ROOMS
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.changed.remove(&oldest);
        }
    }

    /// Forgets everybody whose time is up.
    fn expire(&mut self, now: Ms) {
        if self.next_end.is_none_or(|end| end > now) {
            return;
        }
        let mut ended = Vec::new();
        self.rooms.retain(|room, typists| {
            let before = typists.len();
            typists.retain(|typist| typist.until > now);
            if typists.len() < before {
                ended.push(*room);
            }
            !typists.is_empty()
        });
        self.next_end = self.rooms.values().flatten().map(|typist| typist.until).min();
        for room in ended {
            self.touch(room);
        }
    }

    fn stop(&mut self, room: Nid, user_id: &str) -> bool {
        let Some(typists) = self.rooms.get_mut(&room) else { return false };
        let before = typists.len();
        typists.retain(|typist| typist.user_id != user_id);
        let stopped = typists.len() < before;
        if typists.is_empty() {
            self.rooms.remove(&room);
        }
        stopped
    }

    /// Returns whether that user's typing is new.
    fn start(&mut self, room: Nid, user_id: &str, until: Ms) -> bool {
        if self.rooms.len() >= MOST_ROOMS && !self.rooms.contains_key(&room) {
            return false;
        }
        let typists = self.rooms.entry(room).or_default();
        let full = typists.len() >= MOST_TYPISTS;
        let known = typists.iter_mut().find(|typist| typist.user_id == user_id);
        let new = known.is_none();
        match known {
            Some(typist) => typist.until = until,
            None if full => return false,
            None => typists.push(Typist { user_id: user_id.to_owned(), until }),
        }
        self.next_end = Some(self.next_end.map_or(until, |end| end.min(until)));
        new
    }
}

impl Typing {
    /// Nobody types yet.
    pub fn new(clock: Arc<dyn Clock>, random: &dyn Random) -> Self {
        let mut process = [0; 8];
        random.fill(&mut process);
        Self { clock, process: u64::from_le_bytes(process), inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.expire(self.clock.now());
        inner
    }

    /// Somebody types for so many milliseconds, or (`None`) no longer. Returns whether others see a
    /// difference.
    pub fn set(&self, room: Nid, user_id: &str, timeout: Option<Ms>) -> bool {
        let mut inner = self.inner();
        let changed = match timeout.map(|timeout| timeout.clamp(0, LONGEST)) {
            Some(timeout) if timeout > 0 => inner.start(room, user_id, self.clock.now() + timeout),
            _ => inner.stop(room, user_id),
        };
        if changed {
            inner.touch(room);
        }
        changed
    }

    /// Who types in a room, in the order in which they began.
    pub fn now(&self, room: Nid) -> Vec<String> {
        let inner = self.inner();
        inner.rooms.get(&room).into_iter().flatten().map(|typist| typist.user_id.clone()).collect()
    }

    /// Rooms in which somebody types.
    pub fn active(&self) -> HashSet<Nid> {
        self.inner().rooms.keys().copied().collect()
    }

    /// Counts everything that others see change.
    pub fn counter(&self) -> u64 {
        self.inner().counter
    }

    /// Moves the counter for something else that tokens of `/sync` should order.
    pub fn count_on(&self) -> u64 {
        let mut inner = self.inner();
        inner.counter += 1;
        inner.counter
    }

    /// A random number that tells this process from all others.
    pub fn process(&self) -> u64 {
        self.process
    }

    /// Rooms that changed since the counter stood there. Of changes that are too long ago only those
    /// are told whose typing still goes on.
    pub fn changed_since(&self, counter: u64) -> HashSet<Nid> {
        self.inner().order.range(counter.saturating_add(1)..).map(|(_, room)| *room).collect()
    }

    /// How long somebody's typing still goes on, milliseconds.
    fn left(&self, room: Nid, user_id: &str) -> Option<Ms> {
        let inner = self.inner();
        let typist = inner.rooms.get(&room)?.iter().find(|typist| typist.user_id == user_id)?;
        Some(typist.until - self.clock.now())
    }
}

impl Rooms {
    /// Somebody types in a room, or no longer; those who wait for the room's news are woken, and
    /// again when the time is up. Whether the user may type there was checked before.
    pub fn set_typing(&self, room: Nid, user_id: &str, timeout: Option<Ms>) {
        if !self.typing.set(room, user_id, timeout) {
            return;
        }
        self.store.log().nudge([Topic::Room(room), Topic::Passing]);
        if timeout.is_none() {
            return;
        }
        let (typing, store, user_id) = (Arc::clone(&self.typing), self.store.clone(), user_id.to_owned());
        // One task for each who types, which ends with the typing.
        tokio::spawn(async move {
            while let Some(left) = typing.left(room, &user_id) {
                tokio::time::sleep(Duration::from_millis(u64::try_from(left + 1).unwrap_or(1))).await;
            }
            store.log().nudge([Topic::Room(room), Topic::Passing]);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    struct Moved(AtomicI64);
    impl Clock for Moved {
        fn now(&self) -> Ms {
            self.0.load(Ordering::SeqCst)
        }
    }

    struct Sevens;
    impl Random for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    fn typing() -> (Typing, Arc<Moved>) {
        let clock = Arc::new(Moved(AtomicI64::new(1_000)));
        (Typing::new(clock.clone(), &Sevens), clock)
    }

    fn set(rooms: &[Nid]) -> HashSet<Nid> {
        rooms.iter().copied().collect()
    }

    #[test]
    fn typing_begins_is_prolonged_and_ends_by_itself() {
        let (typing, clock) = typing();
        assert!(typing.set(1, "@a:x", Some(10_000)));
        assert!(typing.set(1, "@b:x", Some(90_000)));
        assert!(!typing.set(1, "@a:x", Some(20_000)), "prolonging is no news");
        assert_eq!(typing.now(1), ["@a:x", "@b:x"]);
        let told = typing.counter();
        clock.0.fetch_add(20_000, Ordering::SeqCst);
        assert_eq!(typing.changed_since(told), set(&[1]));
        assert_eq!(typing.now(1), ["@b:x"]);
        clock.0.fetch_add(10_000, Ordering::SeqCst);
        assert_eq!(typing.now(1), [""; 0], "30 seconds are the most");
        assert_eq!(typing.active(), set(&[]));
    }

    #[test]
    fn every_reader_hears_of_every_change_once() {
        let (typing, _) = typing();
        typing.set(1, "@a:x", Some(1_000));
        let first = typing.counter();
        typing.set(2, "@a:x", Some(1_000));
        assert_eq!(typing.changed_since(0), set(&[1, 2]));
        assert_eq!(typing.changed_since(first), set(&[2]));
        assert!(typing.set(1, "@a:x", None));
        assert!(!typing.set(1, "@a:x", None));
        assert_eq!(typing.changed_since(first), set(&[1, 2]));
        assert_eq!(typing.changed_since(typing.counter()), set(&[]));
        assert_eq!(typing.active(), set(&[2]));
        assert_eq!(typing.changed_since(u64::MAX), set(&[]));
    }

    #[test]
    fn memory_is_bounded() {
        let (typing, clock) = typing();
        for room in 0..MOST_ROOMS as i64 + 100 {
            typing.set(room, "@a:x", Some(30_000));
        }
        for user in 0..200 {
            typing.set(5, &format!("@u{user}:x"), Some(30_000));
        }
        assert_eq!(typing.active().len(), MOST_ROOMS);
        assert_eq!(typing.now(5).len(), MOST_TYPISTS);
        clock.0.fetch_add(60_000, Ordering::SeqCst);
        assert_eq!(typing.active().len(), 0);
        let inner = typing.inner();
        assert!(inner.changed.len() <= MOST_ROOMS && inner.order.len() <= MOST_ROOMS);
    }
}
