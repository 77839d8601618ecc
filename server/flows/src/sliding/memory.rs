//! What this process remembers of sliding sync. All of it can be read or told again: another
//! process, or this one after a restart, answers the same.

use super::directory::Remembered;
use super::quiet::Quiet;
use super::told::State;
use kontor_model::{Ms, Nid};
use kontor_store::sliding::Connection;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Memory for directories, bytes.
const DIRECTORIES: u64 = 12 << 20;
/// Memory for states, bytes.
const STATES: u64 = 8 << 20;
/// What a room of a state takes.
const ROOM: usize = 100;
/// Memory for members that were told, in entries.
const MEMBERS: u64 = 200_000;

/// A state with the connection that it belongs to.
pub(super) struct Kept {
    pub connection: Connection,
    pub state: State,
    /// When it was written, milliseconds.
    pub since: Ms,
}

/// Members of rooms that a connection was told lazily, or that it was told the changes of.
#[derive(Clone, Default)]
pub(super) struct Members(HashMap<Nid, Arc<HashSet<Nid>>>);

impl Members {
    /// Whether the client has a member.
    pub fn has(&self, room: Nid, user: Nid) -> bool {
        self.0.get(&room).is_some_and(|users| users.contains(&user))
    }

    /// The client has a member.
    pub fn add(&mut self, room: Nid, user: Nid) {
        if !self.has(room, user) {
            Arc::make_mut(self.0.entry(room).or_default()).insert(user);
        }
    }

    /// The client has none of a room's members.
    pub fn forget(&mut self, room: Nid) {
        self.0.remove(&room);
    }

    fn weight(&self) -> u32 {
        let users: usize = self.0.values().map(|users| 2 + users.len()).sum();
        u32::try_from(users + 4).unwrap_or(u32::MAX)
    }
}

/// What a connection was told with its last answer, beside its state.
#[derive(Default)]
pub(super) struct Lately {
    pub members: Arc<Members>,
    /// What to answer while nothing happens; `None` when more waits to be told.
    pub quiet: Option<Quiet>,
}

/// Everything that is remembered.
pub struct Memory {
    pub(super) directories: moka::sync::Cache<Nid, Remembered>,
    pub(super) states: moka::sync::Cache<Nid, Arc<Kept>>,
    /// By connection and token.
    pub(super) lately: moka::sync::Cache<(Connection, String), Arc<Lately>>,
}

impl Memory {
    /// Forgets the rooms of a user, which changed without an event.
    pub(crate) fn forget(&self, user: Nid) {
        self.directories.invalidate(&user);
    }
}

impl Default for Memory {
    fn default() -> Self {
        let directories = moka::sync::Cache::builder().max_capacity(DIRECTORIES);
        let states = moka::sync::Cache::builder().max_capacity(STATES);
        let lately = moka::sync::Cache::builder().max_capacity(MEMBERS);
        let weight =
            |kept: &Arc<Kept>| u32::try_from((kept.state.rooms.len() + 10) * ROOM).unwrap_or(u32::MAX);
        let hour = std::time::Duration::from_secs(3_600);
        Self {
            // Other processes do not hear of a forgotten room: for so long it stays in their lists.
            directories: (directories.weigher(|_, known: &Remembered| known.weight()))
                .time_to_live(hour / 6)
                .build(),
            states: states.weigher(move |_, kept| weight(kept)).time_to_idle(hour).build(),
            lately: (lately.weigher(|_, lately: &Arc<Lately>| lately.members.weight()))
                .time_to_idle(hour)
                .build(),
        }
    }
}
