//! Accounts and rooms that the scenarios share. Making them is never measured.

use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::{BuildHasher, Hasher};

use anyhow::{Context, Result};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::client::{Server, User};

/// Requests in flight while accounts and rooms are made.
const SETUP_CONCURRENCY: usize = 8;

/// Accounts made in this run, all new: the server may be used for several runs.
pub struct World {
    server: Server,
    secret: Option<String>,
    prefix: String,
    users: Vec<User>,
    named: usize,
}

impl World {
    /// A world without accounts. With a `secret`, they are registered by shared secret.
    pub fn new(server: Server, secret: Option<String>) -> Self {
        let random = RandomState::new().build_hasher().finish();
        Self { server, secret, prefix: format!("bench{random:016x}"), users: Vec::new(), named: 0 }
    }

    /// The first `count` shared accounts; those that do not exist yet are registered.
    pub async fn users(&mut self, count: usize) -> Result<Vec<User>> {
        let missing = self.users.len()..count.max(self.users.len());
        let made = in_parallel(missing, |n| self.register(format!("{}_{n}", self.prefix))).await?;
        self.users.extend(made);
        Ok(self.users.iter().take(count).cloned().collect())
    }

    /// A new account that no other scenario uses.
    pub async fn own_user(&mut self) -> Result<User> {
        self.named += 1;
        self.register(format!("{}_own{}", self.prefix, self.named)).await
    }

    /// A new room of the first of `users`, joined by the others.
    pub async fn room(users: &[User]) -> Result<String> {
        let (creator, others) = users.split_first().context("a room needs a creator")?;
        let room = creator.create_room().await?;
        in_parallel(others, |user| user.join(&room)).await?;
        Ok(room)
    }

    async fn register(&self, name: String) -> Result<User> {
        let made = match &self.secret {
            Some(secret) => self.server.register_with_secret(&name, secret).await,
            None => self.server.register_with_dummy(&name).await,
        };
        made.with_context(|| format!("cannot register {name}"))
    }
}

/// Runs one request per item, a few at a time; answers come in the order of the items.
pub async fn in_parallel<I, F, T>(items: I, work: impl Fn(I::Item) -> F) -> Result<Vec<T>>
where
    I: IntoIterator,
    F: Future<Output = Result<T>>,
{
    stream::iter(items).map(work).buffered(SETUP_CONCURRENCY).try_collect().await
}
