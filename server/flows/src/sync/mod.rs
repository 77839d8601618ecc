//! `/sync`: everything that changed for a user since a token, or a wait until something does.
//!
//! One read snapshot answers: the session guard is read in the same moment as the data, so no event
//! after the end of a session is ever in an answer. The number of statements does not depend on the
//! number of rooms.

pub mod answer;
pub(crate) mod extras;
pub mod memo;
mod plan;
mod raw;
mod state;
mod timeline;

use crate::{Flows, encryption};
use answer::Answer;
use kontor_model::filter::Filter;
use kontor_model::{Error, Nid, Pos, Requester, Result, SyncToken};
use kontor_store::identity::{account_data, sessions};
use kontor_store::log::Topic;
use kontor_store::rooms::events::Asker;
use kontor_store::rooms::members;
use kontor_store::{Receipt, Snapshot, Source};
use memo::{Recalled, Remembered};
use plan::Plan;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use timeline::RoomEvents;
pub(crate) use timeline::admits;
use tokio::time::Instant;

/// Longest wait of a long poll; longer ones are cut.
const MAX_WAIT: Duration = Duration::from_secs(120);

/// What a client asks for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Where the last answer ended; absent on the first sync.
    pub since: Option<SyncToken>,
    /// What is wanted.
    pub filter: Arc<Filter>,
    /// Whether all state is wanted again.
    pub full_state: bool,
    /// How long to wait for news.
    pub timeout: Duration,
    /// Whether the state after the timeline is wanted instead of the state before it.
    pub use_state_after: bool,
}

/// One reading for one answer.
pub(crate) struct Reading<'a> {
    pub flows: &'a Flows,
    pub requester: &'a Requester,
    pub request: &'a Request,
    pub snapshot: Snapshot<'a>,
    /// Everything after this is news; `None` on the first sync.
    pub since: Option<Pos>,
    /// Everything up to this is told.
    pub until: Pos,
    /// Users that the reader ignores.
    pub ignored: HashSet<String>,
    pub now: i64,
}

impl<'a> Reading<'a> {
    pub fn asker(&self) -> Asker<'a> {
        Asker { user: self.requester.user, device: self.requester.device_id.as_str() }
    }

    pub fn user(&self) -> Nid {
        self.requester.user
    }

    /// Whether everything is told, as to a client that knows nothing.
    pub fn whole(&self) -> bool {
        self.since.is_none() || self.request.full_state
    }
}

impl Flows {
    /// Answers a sync.
    ///
    /// # Errors
    /// `UnknownToken` when the session ended, also while waiting; `InvalidParam` for tokens that
    /// this server did not give out.
    pub async fn sync(&self, requester: &Requester, request: &Request) -> Result<Answer> {
        let mut answer = self.sync_events(requester, request).await?;
        self.tell_presence(requester, request, &mut answer).await?;
        Ok(answer)
    }

    async fn sync_events(&self, requester: &Requester, request: &Request) -> Result<Answer> {
        let deadline = Instant::now() + request.timeout.min(MAX_WAIT);
        let mut request = request.clone();
        let (answer, token) = self.sync_next(requester, &request).await?;
        if request.since.is_none() || request.full_state || request.timeout.is_zero() || !answer.is_empty() {
            return Ok(answer);
        }
        let (mut told, mut quiet) = (token, answer);
        let rooms = match self.remembered_rooms(requester.session, told.pos) {
            Some(rooms) => rooms.iter().copied().collect(),
            None => members::watched_rooms(&mut self.store.reader(), requester.user).await?,
        };
        let topics = rooms.into_iter().map(Topic::Room).chain([Topic::User(requester.user)]);
        let waiter = self.store.log().wait_for(topics);
        // Something may have come between the reading and the registration.
        let mut missed =
            self.store.log().newest() > told.pos || self.rooms.typing.counter() != told.ephemeral;
        loop {
            if !missed {
                tokio::select! {
                    () = waiter.woken() => {}
                    () = tokio::time::sleep_until(deadline) => return Ok(quiet),
                    () = self.stopping() => return Ok(quiet),
                }
            }
            missed = false;
            request.since = Some(told);
            let (answer, token) = self.sync_next(requester, &request).await?;
            if !answer.is_empty() {
                return Ok(answer);
            }
            (told, quiet) = (token, answer);
        }
    }

    /// From memory if that is enough, else from the archive.
    async fn sync_next(&self, requester: &Requester, request: &Request) -> Result<(Answer, SyncToken)> {
        match self.recall(requester, request).await? {
            Recalled::Answer(answer, token) => Ok((*answer, token)),
            Recalled::Unknown => self.sync_once(requester, request).await,
        }
    }

    async fn sync_once(&self, requester: &Requester, request: &Request) -> Result<(Answer, SyncToken)> {
        let own = request.since.filter(|since| since.process == self.rooms.typing.process());
        // Before the snapshot: typing that comes during the reading is told next time again.
        let ephemeral = self.rooms.typing.counter();
        let mut snapshot = self.store.snapshot().await?;
        let guard = sessions::guard(&mut snapshot, requester.session, requester.user).await?;
        kontor_identity::sessions::stands(&guard, requester)?;
        let since = request.since.map(|since| since.pos);
        if since.is_some_and(|since| since > guard.newest)
            || own.is_some_and(|since| since.ephemeral > ephemeral)
        {
            return Err(Error::invalid_param("This token was not given out by this server."));
        }
        let ignored = ignored_users(&mut snapshot, requester.user).await?;
        let mut reading = Reading {
            flows: self,
            requester,
            request,
            snapshot,
            since,
            until: guard.newest,
            ignored,
            now: self.clock.now(),
        };
        let (mut answer, Told { messages_until: to_device, gone }) =
            reading.collect(own.map(|since| since.ephemeral)).await?;
        drop(reading);
        settled(gone).await;
        let process = self.rooms.typing.process();
        let token = SyncToken { pos: guard.newest, ephemeral, process, to_device };
        answer.next_batch = token.to_string();
        Ok((answer, token))
    }
}

/// What an answer tells of messages to the device.
struct Told {
    /// Up to where.
    messages_until: Pos,
    /// Done when those that were received are gone.
    gone: Option<Receipt>,
}

/// Waits until messages that a device has received are gone: an older token tells nothing of them
/// then. Should they not go, they go next time.
async fn settled(gone: Option<Receipt>) {
    if let Some(gone) = gone
        && let Err(error) = gone.wait().await
    {
        tracing::warn!(error.cause = ?error, "messages that a device has received were not deleted");
    }
}

/// The users that a user ignores.
pub(crate) async fn ignored_users<S: Source>(source: &mut S, user: Nid) -> Result<HashSet<String>> {
    #[derive(serde::Deserialize)]
    struct Content {
        #[serde(default)]
        ignored_users: std::collections::HashMap<String, serde::de::IgnoredAny>,
    }
    let row = account_data::one(source, user, None, "m.ignored_user_list").await?;
    let content = row.and_then(|row| serde_json::from_str::<Content>(&row.content).ok());
    Ok(content.map(|content| content.ignored_users.into_keys().collect()).unwrap_or_default())
}

impl Reading<'_> {
    async fn collect(&mut self, typing_since: Option<u64>) -> Result<(Answer, Told)> {
        let plan = Plan::make(self, typing_since).await?;
        let mut rooms = self.timelines(&plan).await?;
        self.summaries(&plan, &mut rooms).await?;
        self.states(&plan, &mut rooms).await?;
        self.redactions(&plan, &mut rooms).await?;
        self.relations(&plan, &mut rooms).await?;
        let senders =
            |events: &RoomEvents| events.timeline.iter().map(|event| event.row().sender_nid).collect();
        let senders = rooms.iter().map(|(room, events)| (*room, senders(events))).collect();
        let (mut answer, unread) = self.assemble(&plan, rooms).await?;
        answer.account_data = self.global_account_data(&plan)?.into();
        answer.rooms.invite = self.invited(&plan.invited).await?;
        answer.rooms.knock = self.knocked(&plan.knocked).await?;
        let told = self.devices(&mut answer).await?;
        // The first sync is often the only one for long; what follows it is worth remembering.
        if !self.whole() {
            let anew = !plan.account_data.is_empty();
            self.remember(&plan.parts, Remembered { unread, senders, anew }).await?;
        }
        Ok((answer, told))
    }

    /// Adds what encryption needs.
    async fn devices(&mut self, answer: &mut Answer) -> Result<Told> {
        let since = self.request.since.map(|since| since.to_device).unwrap_or_default();
        let wanted = encryption::Wanted { since, most: encryption::MESSAGES };
        let (flows, requester, until) = (self.flows, self.requester, self.until);
        let news = flows.device_news(&mut self.snapshot, requester, Some(wanted), until).await?;
        answer.to_device = news.messages.into();
        answer.keys = news.counts;
        answer.keys_changed = news.counts_changed;
        if let Some(since) = self.since {
            answer.device_lists = flows.device_lists(&mut self.snapshot, requester, since, until).await?;
        }
        Ok(Told { messages_until: news.messages_until, gone: news.gone })
    }
}
