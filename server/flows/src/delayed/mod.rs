//! Events that are sent later (MSC4140): kept, managed by whoever knows their name, and sent when
//! they are due ([`fire`]).
//!
//! Calls live on these: a client leaves word that it hung up, to be sent unless it says in time that
//! it is still there.

mod fire;

use crate::Flows;
use crate::caller::Caller;
use crate::send::transaction;
use kontor_model::random::{TOKEN_LENGTH, opaque};
use kontor_model::{Code, Error, Ms, Nid, Requester, Result, ids};
use kontor_store::Change;
use kontor_store::rooms::delayed::{self, DelayedRow, NewDelayed};
use ruma::{CanonicalJsonObject, RoomId};
use tokio::sync::Notify;

/// Settled events of a user that are told at most.
const TOLD: i64 = 1_000;

/// What may wait, and who is told that something does.
#[derive(Debug, Default)]
pub struct Delayed {
    /// Events of one user that may wait at once; 0 = nobody may delay any.
    pub per_user: u32,
    /// The longest time that an event may wait, milliseconds.
    pub longest: Ms,
    /// Wakes whoever sends what is due: something else may be due first.
    soon: Notify,
}

impl Delayed {
    /// With these limits.
    pub fn new(per_user: u32, longest: Ms) -> Self {
        Self { per_user, longest, soon: Notify::new() }
    }
}

/// An event that is to be sent later.
#[derive(Debug)]
pub struct Later<'a> {
    /// Where.
    pub room_id: &'a RoomId,
    /// Event type.
    pub kind: &'a str,
    /// State key of state events.
    pub state_key: Option<&'a str>,
    /// The client's name for this request, if requests of its kind have one.
    pub txn_id: Option<&'a str>,
    /// Content.
    pub content: CanonicalJsonObject,
    /// How long to wait, milliseconds.
    pub delay: Ms,
}

/// What can be done with an event that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DelayedAction {
    /// Let it wait for its whole time again.
    Restart,
    /// Never send it.
    Cancel,
    /// Send it now.
    Send,
}

fn unknown() -> Error {
    Error::not_found("There is no such delayed event: it was sent or cancelled, or never was.")
}

impl Flows {
    /// Keeps an event to be sent later and gives it a name; a repeated request gives the same name.
    /// Whether the sender may send it is looked at when it is sent.
    ///
    /// # Errors
    /// `Forbidden` where nobody may delay events, `InvalidParam` for a time that cannot be waited,
    /// `LimitExceeded` when too many wait already, `UserSuspended`.
    pub async fn delay(&self, by: &Caller<'_>, later: Later<'_>) -> Result<String> {
        let user = by.requester.user;
        self.check_later(by, &later)?;
        let (scope, digest) = match later.txn_id {
            None => (by.requester.device_id.to_string(), None),
            Some(txn_id) => {
                let room_id = later.room_id.as_str();
                let path = ["delay", room_id, later.kind, later.state_key.unwrap_or_default()];
                let txn = transaction(by, &path, txn_id)?;
                (txn.scope, Some(txn.digest))
            }
        };
        if let Some(known) = self.asked_before(user, &scope, digest.as_deref()).await? {
            return Ok(known);
        }
        let (waiting, next) = delayed::waiting(&mut self.store.reader(), user).await?;
        if waiting >= i64::from(self.delayed.per_user) {
            // The same request, sent twice at once, may have taken the last place.
            if let Some(known) = self.asked_before(user, &scope, digest.as_deref()).await? {
                return Ok(known);
            }
            let wait = next.map_or(0, |next| (next - by.now).max(0));
            let code = Code::LimitExceeded { retry_after_ms: u64::try_from(wait).unwrap_or_default() };
            return Err(Error::new(code, "You have too many delayed events. Wait for one, or cancel one."));
        }
        let delay_id = opaque(&*self.random, TOKEN_LENGTH);
        let content = serde_json::to_string(&later.content).map_err(Error::internal)?;
        let mut change = Change::default();
        change.delay_event(NewDelayed {
            delayed: self.store.nid().await?,
            delay_id: &delay_id,
            user,
            device_id: &scope,
            digest: digest.as_deref(),
            room_id: later.room_id.as_str(),
            kind: later.kind,
            state_key: later.state_key,
            content: &content,
            delay_ms: later.delay,
            now: by.now,
        });
        match self.store.submit(change).await {
            Ok(_) => {
                self.delayed.soon.notify_one();
                Ok(delay_id)
            }
            // The same request came twice at once.
            Err(error) if error.is_conflict() => {
                self.asked_before(user, &scope, digest.as_deref()).await?.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    fn check_later(&self, by: &Caller<'_>, later: &Later<'_>) -> Result<()> {
        if self.delayed.per_user == 0 {
            return Err(Error::forbidden("This server delays no events."));
        }
        if by.requester.suspended {
            return Err(Error::new(Code::UserSuspended, "Your account is suspended, so you cannot do this."));
        }
        if later.delay <= 0 || later.delay > self.delayed.longest {
            return Err(Error::invalid_param("This is not a time that an event can wait."));
        }
        ids::storable_key(later.kind, "event type")?;
        later.state_key.map_or(Ok(()), |key| ids::storable_key(key, "state key").map(drop))
    }

    async fn asked_before(&self, user: Nid, scope: &str, digest: Option<&[u8]>) -> Result<Option<String>> {
        let Some(digest) = digest else { return Ok(None) };
        let row = delayed::of_request(&mut self.store.reader(), user, scope, digest).await?;
        Ok(row.map(|row| row.delay_id))
    }

    /// Does something with an event that waits; whoever knows its name may. To send or to cancel
    /// what was sent or cancelled already is no mistake.
    ///
    /// # Errors
    /// `NotFound` when it does not wait; when sending, whatever keeps it from being sent, and then
    /// it goes on waiting.
    pub async fn manage_delayed(&self, delay_id: &str, action: DelayedAction) -> Result<()> {
        let row = delayed::by_id(&mut self.store.reader(), delay_id).await?.ok_or_else(unknown)?;
        let done = match (row.due_ts, action) {
            // What is over is not there any more: clients of calls know no other answer.
            (None, DelayedAction::Send) if row.event_id.is_some() => Ok(()),
            (None, DelayedAction::Cancel) if row.event_id.is_none() => Ok(()),
            (None, _) => Err(unknown()),
            (Some(_), DelayedAction::Send) => self.send_delayed(&row).await.map(drop),
            (Some(_), DelayedAction::Cancel) => {
                let mut change = Change::default();
                change.settle_delayed(row.delayed, None, None, self.clock.now());
                self.store.submit(change).await.map(drop)
            }
            (Some(_), DelayedAction::Restart) => {
                let mut change = Change::default();
                change.restart_delayed(row.delayed, self.clock.now());
                self.store.submit(change).await.map(drop)
            }
        };
        match done {
            Err(error) if error.is_conflict() => Err(unknown()),
            done => done,
        }
    }

    /// One delayed event of the requester.
    ///
    /// # Errors
    /// `NotFound` also for events of others.
    pub async fn delayed_event(&self, requester: &Requester, delay_id: &str) -> Result<DelayedRow> {
        let row = delayed::by_id(&mut self.store.reader(), delay_id).await?;
        row.filter(|row| row.user == requester.user).ok_or_else(unknown)
    }

    /// The requester's delayed events: those that wait, the next one first, and those that were
    /// settled, the last one first.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn delayed_events(&self, requester: &Requester) -> Result<(Vec<DelayedRow>, Vec<DelayedRow>)> {
        let mut reader = self.store.reader();
        let waiting = delayed::of_user(&mut reader, requester.user, false, TOLD).await?;
        let settled = delayed::of_user(&mut reader, requester.user, true, TOLD).await?;
        Ok((waiting, settled))
    }
}

#[cfg(test)]
mod tests;
