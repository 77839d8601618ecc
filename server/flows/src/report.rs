//! Reports of rooms, events and people to the administrators (client-server API, "Reporting
//! Content").
//!
//! What a reporter is answered says nothing about what exists: rooms and people who do not exist are
//! reported like others, only that nothing is kept; events must be visible to the reporter anyhow.

use crate::Flows;
use crate::caller::Caller;
use kontor_model::{Code, Error, Ms, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Audit};
use kontor_store::identity::people;
use kontor_store::rooms::head;
use kontor_store::rooms::report::{self, NewReport, ReportRow};
use ruma::{RoomId, UserId};

/// The longest reason, bytes.
const LONGEST_REASON: usize = 4_096;

/// Things that one person can report within [`SPELL`].
const MOST: i64 = 50;
const SPELL: Ms = 60 * 60 * 1_000;

/// What is reported.
#[derive(Clone, Copy, Debug)]
pub enum Reported<'a> {
    /// A room, which the reporter need not be in.
    Room(&'a RoomId),
    /// An event of a room that the reporter is in.
    Event(&'a RoomId, &'a str),
    /// A person.
    Person(&'a UserId),
}

fn no_such_event() -> Error {
    Error::not_found("There is no such event, or you are not in its room.")
}

impl Flows {
    /// Keeps a report for the administrators.
    ///
    /// # Errors
    /// `NotFound` for events that the reporter cannot see or whose room the reporter is not in;
    /// `InvalidParam` for reasons that are too long; `LimitExceeded` after many reports.
    pub async fn report(
        &self,
        by: &Caller<'_>,
        reported: Reported<'_>,
        reason: Option<String>,
        limited: bool,
    ) -> Result<()> {
        if reason.as_ref().is_some_and(|reason| reason.len() > LONGEST_REASON || reason.contains('\0')) {
            return Err(Error::invalid_param(format!("The reason may have {LONGEST_REASON} bytes.")));
        }
        let user = by.requester.user;
        if limited && report::count_since(&mut self.store.reader(), user, by.now - SPELL).await? >= MOST {
            let code = Code::LimitExceeded { retry_after_ms: SPELL.unsigned_abs() / 10 };
            return Err(Error::new(
                code,
                "You reported a lot within an hour. Call an administrator instead.",
            ));
        }
        let Some(mut kept) = self.found(by, reported).await? else { return Ok(()) };
        kept.reason = reason.filter(|reason| !reason.is_empty());
        let mut row = Audit::done(Action::ReportCreate, by.actor.clone(), by.now);
        row.detail = kept.room_id.as_ref().map(|room| serde_json::json!({ "room": room }).to_string());
        let mut change = Change::default();
        change.audit(self.store.nid().await?, row.on(kept.kind, kept.target.clone()));
        change.add_report(kept);
        self.store.submit(change).await.map(|_| ())
    }

    /// What there is to keep; nothing of rooms and people who do not exist.
    async fn found(&self, by: &Caller<'_>, reported: Reported<'_>) -> Result<Option<NewReport>> {
        let mut reader = self.store.reader();
        let (kind, target, room_id, sender) = match reported {
            Reported::Room(room_id) => {
                if head::room(&mut reader, room_id.as_str()).await?.is_none() {
                    return Ok(None);
                }
                ("room", room_id.to_string(), None, None)
            }
            Reported::Person(user_id) => {
                if people::by_user_ids(&mut reader, &[user_id]).await?.is_empty() {
                    return Ok(None);
                }
                ("user", user_id.to_string(), None, None)
            }
            Reported::Event(room_id, event_id) => {
                let mut room =
                    self.read_room(by.requester, room_id).await.map_err(|error| match error.code {
                        Code::Forbidden => no_such_event(),
                        _ => error,
                    })?;
                if room.visibility.membership() != "join" {
                    return Err(no_such_event());
                }
                let event = room.find(event_id).await?;
                let row = event.row();
                ("event", row.event_id.clone(), Some(room_id.to_string()), Some(row.sender.clone()))
            }
        };
        let report = self.store.nid().await?;
        let reporter = by.requester.user;
        Ok(Some(NewReport { report, reporter, kind, target, room_id, sender, reason: None, ts: by.now }))
    }

    /// Reports older than `before`, newest first, for administrators.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn reports(&self, before: i64, limit: i64) -> Result<Vec<ReportRow>> {
        report::page(&mut self.store.reader(), before, limit).await
    }
}
