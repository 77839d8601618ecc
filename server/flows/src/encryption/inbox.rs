//! What a session's own device is told: messages from other devices, and how its keys stand.
//!
//! A message is told until the client comes back with a place after it; then it is deleted. What a
//! device's inbox and keys looked like is remembered per session, so that answers in which nothing of
//! the kind changed cost no statement: the log says whether anything came since.

use crate::Flows;
use kontor_model::{Nid, Pos, Requester, Result};
use kontor_store::identity::to_device;
use kontor_store::{Change, Receipt, Snapshot, Stream};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Sessions remembered, about 200 bytes each.
const SESSIONS: u64 = 50_000;

/// The algorithm of today's one-time keys: its count is told even when it is zero, since clients
/// take silence for "as before".
const USUAL: &str = "signed_curve25519";

/// How a device's own keys stand, under the names of `/sync`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyCounts {
    /// Waiting one-time keys by algorithm.
    #[serde(rename = "device_one_time_keys_count")]
    pub one_time_keys: BTreeMap<String, i64>,
    /// Algorithms of fallback keys that were not given out.
    #[serde(rename = "device_unused_fallback_key_types")]
    pub unused_fallback_keys: Vec<String>,
}

impl Default for KeyCounts {
    fn default() -> Self {
        Self { one_time_keys: BTreeMap::from([(USUAL.to_owned(), 0)]), unused_fallback_keys: Vec::new() }
    }
}

/// A message from another device.
#[derive(Debug, Serialize)]
pub struct ToDevice {
    /// Who sent it.
    pub sender: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its content.
    pub content: Box<RawValue>,
}

/// Which messages a device wants to be told.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// Those after this place; it has those up to there.
    pub since: Pos,
    /// At most so many; less than one or more than [`super::MESSAGES`] are not told.
    pub most: i64,
}

/// What a device is told.
pub struct News {
    /// Messages, oldest first.
    pub messages: Vec<ToDevice>,
    /// Where the next answer goes on with messages: the end of the part, unless more wait than one
    /// answer tells.
    pub messages_until: Pos,
    /// How the device's keys stand.
    pub counts: Arc<KeyCounts>,
    /// Whether they stand otherwise than the session was told last.
    pub counts_changed: bool,
    /// Done when the messages that the device has received are gone. Waiting for it is only for those
    /// who want that an older place tells nothing of them either; not while holding a snapshot.
    pub gone: Option<Receipt>,
}

/// What is remembered of sessions' devices.
pub struct Inboxes(moka::sync::Cache<Nid, Inbox>);

impl Default for Inboxes {
    fn default() -> Self {
        Self(moka::sync::Cache::new(SESSIONS))
    }
}

/// A device's inbox and keys as they were at a position.
#[derive(Clone)]
struct Inbox {
    as_of: Pos,
    counts: Arc<KeyCounts>,
    /// Place of the newest message that waits or waited.
    newest: Option<i64>,
}

impl Flows {
    /// What the requester's device is told of messages and of its keys, as of `until`, the snapshot's
    /// newest position. At most one statement; none when nothing came since the session was told last.
    ///
    /// With a place the client says that it has all messages up to there: they are deleted. A reader
    /// that tells no messages passes `None`, and nothing is told or deleted.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn device_news(
        &self,
        snapshot: &mut Snapshot<'_>,
        requester: &Requester,
        wanted: Option<Wanted>,
        until: Pos,
    ) -> Result<News> {
        match self.quiet_news(requester, wanted.map(|wanted| wanted.since), until).await {
            Some(news) => Ok(news),
            None => self.read_news(snapshot, requester, wanted, until).await,
        }
    }

    /// As [`Flows::device_news`], when memory alone says that there is nothing new.
    pub(crate) async fn quiet_news(
        &self,
        requester: &Requester,
        since: Option<Pos>,
        until: Pos,
    ) -> Option<News> {
        let inbox = self.inboxes.0.get(&requester.session)?;
        let waits = |newest: i64| since.is_some_and(|since| newest > since.0);
        if !self.still_stands(&inbox, requester, until) || inbox.newest.is_some_and(waits) {
            return None;
        }
        // What is left was received: the client came back with a place after it.
        let gone = match since.filter(|_| inbox.newest.is_some()) {
            Some(since) => Some(self.received(requester, since).await),
            None => None,
        };
        let newest = inbox.newest.filter(|_| since.is_none());
        let counts = inbox.counts;
        let told = Inbox { as_of: until, counts: Arc::clone(&counts), newest };
        self.inboxes.0.insert(requester.session, told);
        Some(News { messages: Vec::new(), messages_until: until, counts, counts_changed: false, gone })
    }

    /// Whether nothing came for the device since it was remembered.
    fn still_stands(&self, inbox: &Inbox, requester: &Requester, until: Pos) -> bool {
        // A later request of the session may have read a later moment.
        if inbox.as_of > until {
            return false;
        }
        let Some(entries) = self.store.log().between(inbox.as_of, until) else { return false };
        let concerns = |stream| matches!(stream, Stream::ToDevice | Stream::KeyCounts);
        !entries.iter().any(|entry| entry.row.user == Some(requester.user) && concerns(entry.row.stream))
    }

    async fn read_news(
        &self,
        snapshot: &mut Snapshot<'_>,
        requester: &Requester,
        wanted: Option<Wanted>,
        until: Pos,
    ) -> Result<News> {
        let since = wanted.map(|wanted| wanted.since);
        let most = wanted.map_or(0, |wanted| wanted.most.clamp(1, super::MESSAGES));
        let known = self.inboxes.0.get(&requester.session);
        let (user, device) = (requester.user, requester.device_id.as_str());
        let limit = if wanted.is_some() { most + 1 } else { 0 };
        let part = (since.unwrap_or_default(), until);
        let mut news = to_device::news(snapshot, user, device, part, limit).await?;
        let gone = match since.filter(|_| news.received) {
            Some(since) => Some(self.received(requester, since).await),
            None => None,
        };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let more = news.messages.len() > most;
        news.messages.truncate(most);
        let last = news.messages.last().map(|message| Pos(message.pos));
        let messages_until = last.filter(|_| more).unwrap_or(until);
        let mut counts = KeyCounts::default();
        counts.one_time_keys.extend(news.one_time_keys);
        counts.unused_fallback_keys = news.unused_fallback_keys;
        counts.unused_fallback_keys.sort_unstable();
        let counts = Arc::new(counts);
        let counts_changed = known.as_ref().is_some_and(|inbox| inbox.counts != counts);
        if known.is_none_or(|inbox| inbox.as_of <= until) {
            let received = |newest: &i64| since.is_some_and(|since| *newest <= since.0);
            let newest = news.newest.filter(|newest| !received(newest));
            let told = Inbox { as_of: until, counts: Arc::clone(&counts), newest };
            self.inboxes.0.insert(requester.session, told);
        }
        let messages = news.messages.into_iter().map(message).collect::<Result<_>>()?;
        Ok(News { messages, messages_until, counts, counts_changed, gone })
    }

    /// Deletes what the device has received, with the next commit. Should that be lost, the messages
    /// are still not told again, and go next time.
    async fn received(&self, requester: &Requester, until: Pos) -> Receipt {
        let mut change = Change::default();
        change.received_to_device(requester.user, requester.device_id.as_str(), until);
        self.store.enqueue(change).await
    }
}

fn message(row: to_device::Waiting) -> Result<ToDevice> {
    let content = RawValue::from_string(row.content).map_err(kontor_model::Error::internal)?;
    Ok(ToDevice { sender: row.sender, kind: row.kind, content })
}
