//! What is known of those who are told: whom they ignore, and in which rooms something is unread.
//!
//! The badge counts conversations, not messages: a room with something unread is one, and so is an
//! invitation. That is what the field's servers do by default and what phones show; a busy room of
//! hundreds of messages is still one thing to look at.
//!
//! Unread rooms are read once and then followed in memory: a notification adds its room; whatever
//! may have read something (receipts, own messages, redactions) makes a room doubtful, and doubtful
//! rooms are asked about before the next badge is told.

use kontor_model::{Nid, Result};
use kontor_store::Store;
use kontor_store::rooms::{members, pushed, unread};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Receivers that are remembered; about 1 KiB each. Beyond, all are forgotten and read anew.
const REMEMBERED: usize = 20_000;

#[derive(Default)]
struct Receiver {
    ignored: Option<Arc<HashSet<String>>>,
    unread: Option<HashSet<Nid>>,
    doubtful: HashSet<Nid>,
    /// Counts what happened, so that an answer of the archive that was overtaken is not kept.
    changes: u64,
}

/// Those who are told.
pub(super) struct Receivers {
    store: Store,
    known: Mutex<HashMap<Nid, Receiver>>,
}

/// How things stand for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Conversations with something unread, invitations included.
    pub badge: i64,
    /// Whether the room that was asked about is one of them.
    pub room_unread: bool,
}

#[derive(serde::Deserialize)]
struct IgnoredList {
    #[serde(default)]
    ignored_users: HashMap<String, serde::de::IgnoredAny>,
}

impl Receivers {
    pub fn new(store: Store) -> Self {
        Self { store, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Nid, Receiver>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what is known of a user's rooms.
    pub fn forget(&self, user: Nid) {
        if let Some(receiver) = self.known().get_mut(&user) {
            receiver.unread = None;
            receiver.changes += 1;
        }
    }

    /// Forgets whom a user ignores.
    pub fn forget_ignored(&self, user: Nid) {
        if let Some(receiver) = self.known().get_mut(&user) {
            (receiver.ignored, receiver.unread) = (None, None);
            receiver.changes += 1;
        }
    }

    /// A room has something unread for the user.
    pub fn note(&self, user: Nid, room: Nid) {
        let mut known = self.known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let receiver = known.entry(user).or_default();
        receiver.changes += 1;
        if let Some(unread) = &mut receiver.unread {
            unread.insert(room);
        }
    }

    /// A room may have nothing unread any more. True when that may change the badge.
    pub fn doubt(&self, user: Nid, room: Nid) -> bool {
        let mut known = self.known();
        let Some(receiver) = known.get_mut(&user) else { return true };
        receiver.changes += 1;
        match &receiver.unread {
            Some(unread) if !unread.contains(&room) => false,
            _ => {
                receiver.doubtful.insert(room);
                true
            }
        }
    }

    /// Those of the users who do not ignore the sender. One statement, if any.
    pub async fn listening(&self, users: &[Nid], sender: &str) -> Result<HashSet<Nid>> {
        let unknown: Vec<Nid> = {
            let known = self.known();
            let missing = |user: &&Nid| known.get(user).is_none_or(|receiver| receiver.ignored.is_none());
            users.iter().filter(missing).copied().collect()
        };
        if !unknown.is_empty() {
            let mut lists: HashMap<Nid, HashSet<String>> = HashMap::new();
            for (user, content) in pushed::ignored_lists(&mut self.store.reader(), &unknown).await? {
                let list = serde_json::from_str::<IgnoredList>(&content).ok();
                lists.insert(
                    user,
                    list.map(|list| list.ignored_users.into_keys().collect()).unwrap_or_default(),
                );
            }
            let mut known = self.known();
            for user in unknown {
                let ignored = lists.remove(&user).unwrap_or_default();
                known.entry(user).or_default().ignored = Some(Arc::new(ignored));
            }
        }
        let known = self.known();
        let ignores = |user: &Nid| {
            let ignored = known.get(user).and_then(|receiver| receiver.ignored.as_ref());
            ignored.is_some_and(|ignored| ignored.contains(sender))
        };
        Ok(users.iter().copied().filter(|user| !ignores(user)).collect())
    }

    /// How things stand for a user, and whether something in a room is unread. No statement when
    /// nothing is in doubt.
    pub async fn standing(&self, user: Nid, room: Option<Nid>) -> Result<Standing> {
        for last in [false, false, true] {
            let (asked, changes) = {
                let mut known = self.known();
                let receiver = known.entry(user).or_default();
                match &receiver.unread {
                    Some(unread) if receiver.doubtful.is_empty() => return Ok(standing(unread, room)),
                    Some(_) if !last => (Some(receiver.doubtful.clone()), receiver.changes),
                    _ => (None, receiver.changes),
                }
            };
            let found = self.read(user, asked.as_ref()).await?;
            let mut known = self.known();
            let receiver = known.entry(user).or_default();
            if receiver.changes == changes {
                let mut unread = receiver.unread.take().filter(|_| asked.is_some()).unwrap_or_default();
                unread.retain(|room| asked.as_ref().is_none_or(|asked| !asked.contains(room)));
                unread.extend(found);
                receiver.doubtful.clear();
                return Ok(standing(receiver.unread.insert(unread), room));
            }
            // Overtaken: right for this answer if everything was read, but not to be kept.
            if asked.is_none() {
                return Ok(standing(&found, room));
            }
        }
        Ok(Standing { badge: 0, room_unread: false })
    }

    /// The unread ones of some rooms, or of all.
    async fn read(&self, user: Nid, rooms: Option<&HashSet<Nid>>) -> Result<HashSet<Nid>> {
        let mut snapshot = self.store.snapshot().await?;
        let ignored = crate::sync::ignored_users(&mut snapshot, user).await?;
        let mut senders = Vec::with_capacity(ignored.len());
        for name in ignored {
            senders.extend(self.store.known_name(&name).await?);
        }
        let invited = pushed::invitations(&mut snapshot, user).await?;
        let rooms = match rooms {
            Some(rooms) => rooms.iter().copied().collect(),
            None => members::watched_rooms(&mut snapshot, user).await?,
        };
        let counts = unread::counts(&mut snapshot, user, &rooms, &senders).await?;
        let counted = counts.into_iter().filter(|(_, unread)| unread.total().notifications > 0);
        let invited = invited.into_iter().filter(|room| rooms.contains(room));
        Ok(counted.map(|(room, _)| room).chain(invited).collect())
    }
}

fn standing(unread: &HashSet<Nid>, room: Option<Nid>) -> Standing {
    Standing {
        badge: i64::try_from(unread.len()).unwrap_or(i64::MAX),
        room_unread: room.is_some_and(|room| unread.contains(&room)),
    }
}
