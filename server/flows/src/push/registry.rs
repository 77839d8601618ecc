//! The pushers of all users, in memory: most events concern people who have none, and they must not
//! cost a statement.

use kontor_model::{Nid, Result};
use kontor_store::Store;
use kontor_store::identity::pushers::{self, PusherRow};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Users of one page when all are read.
const PAGE: i64 = 500;

/// The pushers that count, by user; about 1 KiB each.
#[derive(Default)]
pub(super) struct Registry {
    by_user: HashMap<Nid, Vec<Arc<PusherRow>>>,
    /// Numeric ids by Matrix id, of users with pushers.
    names: HashMap<String, Nid>,
}

impl Registry {
    /// Reads all pushers.
    pub async fn load(store: &Store) -> Result<Self> {
        let mut registry = Self::default();
        let mut after = 0;
        loop {
            let users = pushers::users_after(&mut store.reader(), after, PAGE).await?;
            let Some(last) = users.last().copied() else { return Ok(registry) };
            after = last;
            registry.refresh(store, &users).await?;
        }
    }

    /// Reads the pushers of some users anew; tells whether somebody has pushers who had none.
    pub async fn refresh(&mut self, store: &Store, users: &[Nid]) -> Result<bool> {
        let rows = pushers::of_users(&mut store.reader(), users).await?;
        let before: HashSet<Nid> = users.iter().copied().filter(|user| self.has(*user)).collect();
        for user in users {
            self.by_user.remove(user);
        }
        for row in rows {
            self.names.insert(row.user_id.clone(), row.user);
            self.by_user.entry(row.user).or_default().push(Arc::new(row));
        }
        let by_user = &self.by_user;
        self.names.retain(|_, user| by_user.contains_key(user));
        Ok(users.iter().any(|user| self.has(*user) && !before.contains(user)))
    }

    /// Whether nobody has pushers.
    pub fn is_empty(&self) -> bool {
        self.by_user.is_empty()
    }

    /// Whether the user has pushers.
    pub fn has(&self, user: Nid) -> bool {
        self.by_user.contains_key(&user)
    }

    /// The pushers of a user.
    pub fn of(&self, user: Nid) -> &[Arc<PusherRow>] {
        self.by_user.get(&user).map(Vec::as_slice).unwrap_or_default()
    }

    /// The user of that Matrix id, if it is somebody with pushers.
    pub fn named(&self, user_id: &str) -> Option<Nid> {
        self.names.get(user_id).copied()
    }

    /// All pushers.
    pub fn all(&self) -> impl Iterator<Item = &Arc<PusherRow>> {
        self.by_user.values().flatten()
    }
}
