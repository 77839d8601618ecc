//! Who is typing: in memory, per process, never on disk.

use kontor_model::{Clock, Ms, Nid, Random};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Longest time that one notice of typing holds, milliseconds.
const MAX_HOLD: Ms = 120_000;
/// Rooms in which somebody types at most; further notices are dropped.
const MAX_ROOMS: usize = 20_000;
/// Users that type in one room at most.
const MAX_USERS: usize = 100;

/// Who is typing where, as this process knows.
pub struct Typing {
    clock: Arc<dyn Clock>,
    process: u64,
    rooms: Mutex<Rooms>,
}

#[derive(Default)]
struct Rooms {
    /// Counts changes; part of sync tokens.
    counter: u64,
    by_room: HashMap<Nid, Room>,
}

#[derive(Default)]
struct Room {
    /// The change that touched the room last.
    changed: u64,
    until: BTreeMap<String, Ms>,
}

impl Typing {
    /// Nobody types.
    pub fn new(clock: Arc<dyn Clock>, random: &dyn Random) -> Self {
        let mut process = [0; 8];
        random.fill(&mut process);
        Self { clock, process: u64::from_le_bytes(process), rooms: Mutex::default() }
    }

    /// Random identity of this process, for sync tokens.
    pub fn process(&self) -> u64 {
        self.process
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.expire(self.clock.now());
        rooms
    }

    /// How many changes there were.
    pub fn counter(&self) -> u64 {
        self.rooms().counter
    }

    /// A user types in a room for so many milliseconds, or stops (`None`). Returns whether that is
    /// news; the caller then wakes those who wait for the room.
    pub fn set(&self, room: Nid, user_id: &str, hold: Option<Ms>) -> bool {
        let now = self.clock.now();
        let mut rooms = self.rooms();
        let full = rooms.by_room.len() >= MAX_ROOMS && !rooms.by_room.contains_key(&room);
        let counter = rooms.counter + 1;
        let changed = match hold {
            Some(_) if full => false,
            Some(hold) => {
                let entry = rooms.by_room.entry(room).or_default();
                let room_is_full = entry.until.len() >= MAX_USERS && !entry.until.contains_key(user_id);
                let until = now + hold.clamp(1, MAX_HOLD);
                let news = !room_is_full && entry.until.insert(user_id.to_owned(), until).is_none();
                if news {
                    entry.changed = counter;
                }
                news
            }
            None => rooms.by_room.get_mut(&room).is_some_and(|entry| {
                let news = entry.until.remove(user_id).is_some();
                if news {
                    entry.changed = counter;
                }
                news
            }),
        };
        if changed {
            rooms.counter = counter;
        }
        changed
    }

    /// Who types in a room right now.
    pub fn now(&self, room: Nid) -> Vec<String> {
        let rooms = self.rooms();
        rooms.by_room.get(&room).map(|room| room.until.keys().cloned().collect()).unwrap_or_default()
    }

    /// Rooms whose typing changed after so many changes.
    pub fn changed_since(&self, counter: u64) -> HashSet<Nid> {
        let rooms = self.rooms();
        rooms.by_room.iter().filter(|(_, room)| room.changed > counter).map(|(nid, _)| *nid).collect()
    }

    /// Rooms in which somebody types right now.
    pub fn active(&self) -> HashSet<Nid> {
        let rooms = self.rooms();
        rooms.by_room.iter().filter(|(_, room)| !room.until.is_empty()).map(|(nid, _)| *nid).collect()
    }

    /// The rooms whose typing ended by itself since the last look, to wake those who wait for them,
    /// and in how many milliseconds the next one does.
    pub fn sweep(&self) -> (HashSet<Nid>, Option<Ms>) {
        let now = self.clock.now();
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let before = rooms.counter;
        rooms.expire(now);
        let ended = rooms.by_room.iter().filter(|(_, room)| room.changed > before).map(|(nid, _)| *nid);
        let ended = ended.collect();
        // Rooms that were quiet for long tell nothing to anybody any more.
        let quiet = rooms.counter.saturating_sub(10_000);
        rooms.by_room.retain(|_, room| !room.until.is_empty() || room.changed > quiet);
        let next = rooms.by_room.values().flat_map(|room| room.until.values()).min();
        let next = next.map(|until| (until - now).max(0));
        (ended, next)
    }
}

impl Rooms {
    fn expire(&mut self, now: Ms) {
        let next = self.counter + 1;
        let mut ended = false;
        for room in self.by_room.values_mut() {
            let before = room.until.len();
            room.until.retain(|_, until| *until > now);
            if room.until.len() < before {
                room.changed = next;
                ended = true;
            }
        }
        if ended {
            self.counter = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    struct Moved(AtomicI64);
    impl Clock for Moved {
        fn now(&self) -> Ms {
            self.0.load(Ordering::Relaxed)
        }
    }
    struct Zero;
    impl Random for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    #[test]
    fn typing_ends_by_itself_and_both_are_news_once() {
        let clock = Arc::new(Moved(AtomicI64::new(0)));
        let typing = Typing::new(Arc::clone(&clock) as Arc<dyn Clock>, &Zero);
        assert!(typing.set(1, "@a:x", Some(5_000)));
        assert!(!typing.set(1, "@a:x", Some(5_000)), "still typing is no news");
        let told = typing.counter();
        assert_eq!(typing.now(1), ["@a:x"]);
        clock.0.store(6_000, Ordering::Relaxed);
        assert_eq!(typing.changed_since(told).into_iter().collect::<Vec<_>>(), [1]);
        assert!(typing.now(1).is_empty());
        assert!(!typing.set(1, "@a:x", None), "who does not type cannot stop");
    }

    #[test]
    fn memory_is_bounded() {
        let clock = Arc::new(Moved(AtomicI64::new(0)));
        let typing = Typing::new(clock, &Zero);
        for user in 0..200 {
            typing.set(1, &format!("@{user}:x"), Some(1_000));
        }
        assert_eq!(typing.now(1).len(), MAX_USERS);
    }
}
