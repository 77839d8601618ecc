//! Redacting: the redaction event and what it does are written together.

use crate::Flows;
use crate::caller::Caller;
use crate::conversation;
use crate::post::{Post, Rows, Txn, first};
use crate::send::transaction;
use kontor_model::{Code, Draft, Error, Result};
use kontor_rooms::redaction::{self, Redactor};
use kontor_rooms::{Chain, Head};
use kontor_store::rooms::redaction as archive;
use ruma::{CanonicalJsonObject, EventId, OwnedEventId, RoomId};

impl Flows {
    /// Redacts an event; a repeated request answers the redaction of the first one.
    ///
    /// # Errors
    /// `NotFound` for an event that is not in this room; `Forbidden` when the caller may not.
    pub async fn redact(
        &self,
        by: &Caller<'_>,
        room_id: &RoomId,
        target: &EventId,
        txn_id: &str,
        content: CanonicalJsonObject,
    ) -> Result<OwnedEventId> {
        let txn = transaction(by, &["redact", room_id.as_str(), target.as_str()], txn_id)?;
        self.redact_with(by, room_id, target, content, Some(txn), None).await
    }

    /// Redacts an event, with rows that belong to the act.
    ///
    /// # Errors
    /// As [`Flows::redact`].
    pub(crate) async fn redact_with(
        &self,
        by: &Caller<'_>,
        room_id: &RoomId,
        target: &EventId,
        content: CanonicalJsonObject,
        txn: Option<Txn>,
        rows: Option<Rows<'_>>,
    ) -> Result<OwnedEventId> {
        if let Some(txn) = &txn
            && let Some(sent) = self.already_sent(txn).await?
        {
            return Ok(sent);
        }
        self.check_joined(by, room_id).await?;
        let target = archive::target(&mut self.store.reader(), target.as_str()).await?;
        let target = target.ok_or_else(|| Error::not_found("There is no such event in this room."))?;
        if by.requester.suspended && target.sender != by.requester.user_id.as_str() {
            return Err(Error::new(
                Code::UserSuspended,
                "Your account is suspended: take back your own words only.",
            ));
        }
        let redactor = Redactor { user: &by.requester.user_id, admin: by.requester.admin };
        let check = |head: &Head| redaction::allow(head, redactor, &target);
        let apply = |chain: &mut Chain| {
            if let Some(rows) = rows {
                rows(chain)?;
            }
            if target.redacted {
                return Ok(());
            }
            if conversation::kind(chain.head()) == Some(conversation::Kind::Customer) {
                chain.change().keep_version(target.event, by.requester.user, by.now);
            }
            let left = redaction::left(&target, &chain.head().version)?;
            chain.redact(target.event, left)
        };
        let draft = Draft {
            redacts: Some(OwnedEventId::try_from(target.event_id.as_str()).map_err(Error::internal)?),
            ..Draft::message("m.room.redaction", content, by.requester.user_id.clone(), by.now)
        };
        let post = Post {
            drafts: vec![draft],
            txn,
            actor: Some(by.actor.clone()),
            check: Some(&check),
            rows: Some(&apply),
            ..Post::default()
        };
        first(self.post(room_id, post).await?)
    }

    /// Strangers hear that they are strangers before they learn which events exist.
    async fn check_joined(&self, by: &Caller<'_>, room_id: &RoomId) -> Result<()> {
        let head = self.rooms.lanes.peek(room_id).await?;
        if head.membership(&by.requester.user_id) == "join" {
            return Ok(());
        }
        Err(Error::forbidden("You are not a member of this room."))
    }
}
