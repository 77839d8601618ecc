//! Sending delayed events when they are due, in their order, each once: the row that says that an
//! event waits is taken away in the transaction that writes it into the room. Of several processes
//! one at a time does it, so that they do not race for every event; should two try, the row decides.

use crate::Flows;
use crate::caller::Caller;
use crate::state::NewState;
use kontor_model::{Code, Error, Ms, Requester, Result};
use kontor_rooms::Chain;
use kontor_rooms::redaction::take_target;
use kontor_store::Change;
use kontor_store::audit::Actor;
use kontor_store::identity::accounts;
use kontor_store::rooms::delayed::{self, DelayedRow};
use ruma::{CanonicalJsonObject, OwnedRoomId, OwnedUserId};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often other processes' delayed events are looked for.
const LOOK: Duration = Duration::from_secs(1);
/// The same, while nothing waits at all: each process knows of what was asked of itself.
const IDLE: Duration = Duration::from_secs(5);
/// How long a process is the one that sends, milliseconds, if it says nothing more.
const LEASE: Ms = 10_000;
/// Events that are sent between two looks.
const STEP: i64 = 100;
/// How often an event is built anew when the room changes meanwhile.
const TRIES: usize = 20;
/// How long an event is tried that cannot be sent because something is broken, milliseconds.
const PATIENCE: Ms = 3_600_000;

impl Flows {
    /// Sends delayed events until the server stops.
    pub async fn keep_delayed(&self) {
        if self.delayed.per_user == 0 {
            return self.stopping().await;
        }
        loop {
            let pause = match self.send_due().await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(error.message = %error.message, error.cause = ?error.cause, "Delayed events were not sent; trying again.");
                    LOOK
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.delayed.soon.notified() => {}
                () = self.stopping() => return,
            }
        }
    }

    /// Sends what is due; says how long nothing else will be, as far as is known.
    pub(super) async fn send_due(&self) -> Result<Duration> {
        let now = self.clock.now();
        let due = delayed::due(&mut self.store.reader(), now, STEP).await?;
        if due.is_empty() {
            let next = delayed::next_due(&mut self.store.reader()).await?;
            let wait = next.and_then(|next| u64::try_from(next - now).ok()).map(Duration::from_millis);
            return Ok(wait.map_or(IDLE, |wait| wait.clamp(Duration::from_millis(1), LOOK)));
        }
        if !self.store.lease("delayed events", LEASE).await? {
            return Ok(LOOK);
        }
        let mut tired = false;
        for row in due {
            tired |= !self.settle_due(&row).await?;
        }
        Ok(if tired { LOOK } else { Duration::ZERO })
    }

    /// Sends one event that is due, or notes why that cannot be; false when it has to be tried again.
    async fn settle_due(&self, row: &DelayedRow) -> Result<bool> {
        let now = self.clock.now();
        let error = match self.send_delayed(row).await {
            Ok(_) => return Ok(true),
            // Somebody else was quicker: sent it, cancelled it, or let it wait again.
            Err(error) if error.is_conflict() => return Ok(true),
            Err(error) => error,
        };
        let broken = matches!(error.code, Code::Unavailable | Code::Internal);
        if broken && row.due_ts.is_some_and(|due| now < due + PATIENCE) {
            tracing::warn!(error.message = %error.message, error.cause = ?error.cause, "A delayed event was not sent; trying again.");
            return Ok(false);
        }
        self.settle(row, None, Some(&said(&error))).await?;
        Ok(true)
    }

    /// Sends an event that waits, whether it is due or not.
    ///
    /// # Errors
    /// `Conflict` when it does not wait any more; otherwise as for events that are sent at once.
    pub(super) async fn send_delayed(&self, row: &DelayedRow) -> Result<()> {
        let account = accounts::by_nid(&mut self.store.reader(), row.user).await?;
        let account = account.filter(|account| account.state == "active").ok_or_else(|| {
            Error::forbidden("The account that asked for this event is locked, suspended or closed.")
        })?;
        let requester = Requester {
            user_id: OwnedUserId::try_from(account.user_id).map_err(Error::internal)?,
            user: row.user,
            device_id: row.device_id.as_str().into(),
            session: 0,
            epoch: account.epoch,
            admin: account.admin,
            guest: account.guest,
            suspended: false,
            service: None,
        };
        let actor = Actor { user: Some(row.user), ..Actor::default() };
        let by = Caller { requester: &requester, actor, now: self.clock.now() };
        let room_id = OwnedRoomId::try_from(row.room_id.as_str()).map_err(Error::internal)?;
        let content: CanonicalJsonObject = serde_json::from_str(&row.content).map_err(Error::internal)?;
        if self.superseded(&by, row, &room_id).await? {
            return self.settle(row, None, None).await;
        }
        match row.state_key.as_deref() {
            Some(key) if row.kind == "m.room.member" => {
                self.move_member(&by, row, &room_id, key, content).await
            }
            _ => self.send_as(&by, row, &room_id, content).await,
        }
    }

    /// Memberships are procedures of their own: they are settled first, so that they happen once at
    /// most.
    async fn move_member(
        &self,
        by: &Caller<'_>,
        row: &DelayedRow,
        room_id: &OwnedRoomId,
        key: &str,
        content: CanonicalJsonObject,
    ) -> Result<()> {
        self.settle(row, None, None).await?;
        let state = NewState { room_id, kind: &row.kind, key, content };
        let moved = self.set_state(by, state).await;
        let said = moved.as_ref().err().map(said);
        let mut change = Change::default();
        change.amend_delayed(row.delayed, moved.as_ref().ok().map(|id| id.as_str()), said.as_deref());
        self.store.submit(change).await?;
        moved.map(drop)
    }

    async fn send_as(
        &self,
        by: &Caller<'_>,
        row: &DelayedRow,
        room_id: &OwnedRoomId,
        mut content: CanonicalJsonObject,
    ) -> Result<()> {
        let tried = AtomicBool::new(false);
        let settle = |chain: &mut Chain| {
            // A second try means that something refused the first: perhaps that the event does not
            // wait any more, which only the archive knows.
            if tried.swap(true, Ordering::Relaxed) {
                return Err(Error::new(Code::Conflict, "The event may not wait any more."));
            }
            let id = chain.events().first().map(|event| event.pdu.event_id.clone());
            chain.change().settle_delayed(row.delayed, id.as_ref().map(|id| id.as_str()), None, by.now);
            Ok(())
        };
        let redacts = match (&row.state_key, row.kind.as_str()) {
            (None, "m.room.redaction") => Some(take_target(&mut content)?),
            _ => None,
        };
        for _ in 0..TRIES {
            tried.store(false, Ordering::Relaxed);
            let (kind, content) = (row.kind.as_str(), content.clone());
            let sent = match (row.state_key.as_deref(), &redacts) {
                (Some(key), _) => {
                    let state = NewState { room_id, kind, key, content };
                    self.set_state_with(by, state, Some(&settle)).await
                }
                (None, Some(target)) => {
                    self.redact_with(by, room_id, target, content, None, Some(&settle)).await
                }
                (None, None) => self.send_with(by, room_id, kind, content, None, Some(&settle)).await,
            };
            match sent {
                // The state stood already and nothing was written.
                Ok(id) if !tried.load(Ordering::Relaxed) => {
                    return self.settle(row, Some(id.as_str()), None).await;
                }
                Ok(_) => return Ok(()),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
            let still = delayed::by_id(&mut self.store.reader(), &row.delay_id).await?;
            if still.and_then(|still| still.due_ts).is_none() {
                break;
            }
        }
        Err(Error::new(Code::Conflict, "The event does not wait any more."))
    }

    async fn settle(&self, row: &DelayedRow, event_id: Option<&str>, error: Option<&str>) -> Result<()> {
        let mut change = Change::default();
        change.settle_delayed(row.delayed, event_id, error, self.clock.now());
        self.store.submit(change).await.map(drop)
    }

    /// Whether somebody else set the same state since: what the sender knew of it then is no longer
    /// so.
    async fn superseded(&self, by: &Caller<'_>, row: &DelayedRow, room_id: &OwnedRoomId) -> Result<bool> {
        let Some(key) = row.state_key.as_deref() else { return Ok(false) };
        let head = self.rooms.lanes.peek(room_id).await?;
        let entry = head.get(&row.kind.as_str().into(), key);
        Ok(entry.is_some_and(|entry| {
            entry.pdu.sender != by.requester.user_id && entry.pdu.origin_server_ts > row.created_ts
        }))
    }
}

/// An error as it is kept.
fn said(error: &Error) -> String {
    json!({ "code": format!("{:?}", error.code), "error": error.message }).to_string()
}
