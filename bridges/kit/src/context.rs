//! What a channel may ask of the kit while it works: the journal, small values, files, the time.

use crate::channel::{Commit, Committed, Download, Entry, Keep};
use crate::db::{self, Change, Db};
use crate::files::Files;
use crate::matrix::Homeserver;
use crate::outward::Outward;
use crate::seal::Seal;
use crate::waiters::Waiters;
use kontor_model::{Clock, Code, Error, Ms, Random, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// The kit, as channels see it. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub channel: String,
    pub db: Db,
    pub seal: Seal,
    pub files: Files,
    pub home: Homeserver,
    pub outward: Outward,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub waiters: Waiters,
    /// Tells the lanes' workers that there is news.
    pub news: Arc<Notify>,
    /// Asks for the channel's health.
    pub health_news: Arc<Notify>,
    pub closing: watch::Receiver<bool>,
}

/// An entry of the journal as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// Its number: 1, 2, 3, … without gaps in the conversation.
    pub seq: i64,
    /// Its key.
    pub key: String,
    /// When it was written, milliseconds.
    pub at: Ms,
    /// What the channel wrote.
    pub body: String,
}

impl Context {
    /// Milliseconds since the Unix epoch.
    pub fn now(&self) -> Ms {
        self.inner.clock.now()
    }

    /// The channel's own name, such as `webchat`.
    pub fn channel(&self) -> &str {
        &self.inner.channel
    }

    /// An opaque string of 256 bits for tokens that grant something.
    pub fn token(&self) -> String {
        kontor_model::random::opaque(&*self.inner.random, kontor_model::random::TOKEN_LENGTH)
    }

    /// The way out to providers: timeouts, size limits, and whether anything was written.
    pub fn outward(&self) -> &Outward {
        &self.inner.outward
    }

    /// Commits outside of a hook: what [`crate::HookReply`] would have carried.
    ///
    /// # Errors
    /// `BadJson` or `TooLarge` when it is out of bounds, `Unavailable` when the database is gone.
    pub async fn commit(&self, commit: Commit) -> Result<Committed> {
        self.commit_with(commit, None).await
    }

    pub(crate) async fn commit_with(
        &self,
        commit: Commit,
        cursor: Option<(&str, &str)>,
    ) -> Result<Committed> {
        let inner = &self.inner;
        for file in &commit.files {
            inner.files.stow(file.bytes.clone()).await?;
        }
        let done =
            db::take::commit(&inner.db, &inner.channel, &inner.seal, &commit, cursor, self.now()).await?;
        if !commit.items.is_empty() {
            inner.news.notify_one();
        }
        for entry in &commit.journal {
            inner.waiters.wake(&entry.lane);
        }
        Ok(done)
    }

    /// Appends to a conversation's journal; gives the entry's number. The same key is written once.
    ///
    /// # Errors
    /// As [`Context::commit`].
    pub async fn append(&self, entry: Entry) -> Result<i64> {
        let done = self.commit(Commit { journal: vec![entry], ..Commit::default() }).await?;
        let noted = done.journal.first().ok_or_else(|| Error::internal("an entry that was not noted"))?;
        Ok(noted.seq)
    }

    /// Entries of a conversation after number `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn since(&self, lane: &str, after: i64, limit: usize) -> Result<Vec<JournalEntry>> {
        let limit = i64::try_from(limit.min(1000)).unwrap_or(1000);
        let inner = &self.inner;
        let rows = db::journal::since(&inner.db, &inner.channel, lane, after, limit).await?;
        let entries = rows.into_iter().map(|(seq, key, at, body)| {
            let body = String::from_utf8(inner.seal.open("journal", &body)?).map_err(Error::internal)?;
            Ok(JournalEntry { seq, key, at, body })
        });
        entries.collect()
    }

    /// The number of a conversation's newest entry; 0 when there is none.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn newest(&self, lane: &str) -> Result<i64> {
        db::journal::newest(&self.inner.db, &self.inner.channel, lane).await
    }

    /// As [`Context::since`], but waits for news up to `patience` when there is none: empty after that,
    /// when [`Context::wake`] was called, and when the bridge closes.
    ///
    /// # Errors
    /// `LimitExceeded` when too many wait already, `Unavailable` when the database is gone.
    pub async fn wait_since(
        &self,
        lane: &str,
        after: i64,
        limit: usize,
        patience: Duration,
    ) -> Result<Vec<JournalEntry>> {
        let waiter = self.inner.waiters.enter(lane).ok_or_else(|| {
            Error::new(Code::LimitExceeded { retry_after_ms: 5000 }, "Too many are waiting. Ask again later.")
        })?;
        let mut closing = self.inner.closing.clone();
        let news = waiter.notified();
        tokio::pin!(news);
        // From here on no news is missed, also of what is committed while we look.
        news.as_mut().enable();
        let there = self.since(lane, after, limit).await?;
        if !there.is_empty() || *closing.borrow() {
            return Ok(there);
        }
        tokio::select! {
            () = news => {}
            () = tokio::time::sleep(patience) => {}
            _ = closing.changed() => {}
        }
        self.since(lane, after, limit).await
    }

    /// Lets everybody who waits for a conversation look, such as for a typing mark that is not stored.
    pub fn wake(&self, lane: &str) {
        self.inner.waiters.wake(lane);
    }

    /// Lets the channel's health be looked at now: something was noticed that it depends on.
    pub fn look_after_health(&self) {
        self.inner.health_news.notify_one();
    }

    /// Shows in the conversation's room that the customer is typing, or stopped. Nothing is stored, and
    /// nothing happens in a conversation that was not opened yet.
    ///
    /// # Errors
    /// `Unavailable` when the database or the homeserver is gone.
    pub async fn typing(&self, lane: &str, on: bool) -> Result<()> {
        let inner = &self.inner;
        let lane = db::lane::get(&inner.db, &inner.channel, lane).await?;
        if let Some(home) = lane.and_then(|lane| lane.home) {
            inner.home.typing(&home.room, &home.ghost, on).await?;
        }
        Ok(())
    }

    /// Forgets a conversation's journal. Its numbers begin anew.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn forget(&self, lane: &str) -> Result<()> {
        let mut change = Change::default();
        db::journal::forget(&mut change, &self.inner.channel, lane);
        self.inner.db.write(change).await.map(drop)
    }

    /// A value that is remembered under a name.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone, `Internal` when it cannot be opened.
    pub async fn kept(&self, name: &str) -> Result<Option<String>> {
        let inner = &self.inner;
        let Some((value, sealed)) = db::kept::get(&inner.db, &inner.channel, name, self.now()).await? else {
            return Ok(None);
        };
        let value = if sealed { inner.seal.open("kept", &value)? } else { value };
        String::from_utf8(value).map(Some).map_err(Error::internal)
    }

    /// Remembers or forgets a value.
    ///
    /// # Errors
    /// As [`Context::commit`].
    pub async fn keep(&self, keep: Keep) -> Result<()> {
        let mut change = Change::default();
        db::kept::put(&mut change, &self.inner.channel, &self.inner.seal, &keep)?;
        self.inner.db.write(change).await.map(drop)
    }

    /// Opens a file that an agent sent, or any other that the homeserver has.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Unavailable` when the homeserver does not answer.
    pub async fn open_media(&self, mxc: &str) -> Result<Download> {
        self.inner.home.download(mxc).await
    }
}
