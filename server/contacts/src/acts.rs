//! What employees do with conversations: taking them, giving them, setting their status. Each act is
//! audited and told.

use crate::news::News;
use crate::{Contacts, one_of};
use kontor_model::{Error, Ms, Nid, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::conversations::ConversationRow;
use kontor_store::contacts::crm_acts::CrmAct;

/// How a conversation can stand.
pub const STATUSES: [&str; 4] = ["open", "pending", "snoozed", "closed"];
/// Longest sleep: a year.
const LONGEST_SLEEP: Ms = 366 * 86_400_000;

/// Somebody who is given a conversation.
#[derive(Clone, Copy, Debug)]
pub struct Employee<'a> {
    /// Numeric id.
    pub user: Nid,
    /// Matrix id.
    pub user_id: &'a str,
}

impl Contacts {
    /// Adds to a change that a conversation is given to somebody, or to nobody. Submitting ends in `Conflict`
    /// when it is no longer with whom `row` says.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_assignment(
        &self,
        change: &mut Change,
        row: &ConversationRow,
        to: Option<Employee<'_>>,
        actor: Actor,
    ) -> Result<()> {
        let now = self.now();
        change.assign_conversation(&row.id, row.assignee, to.map(|to| to.user), now);
        if let Some(to) = to {
            change.tell_crms_act(CrmAct {
                conversation: &row.id,
                kind: "assigned",
                event: None,
                by: actor.user,
                to: Some(to.user),
                ts: now,
            });
        }
        let mut audit =
            Audit::done(Action::ConversationAssign, actor, now).on("conversation", row.id.as_str());
        let (from, user_id) = (row.assignee_id.as_deref(), to.map(|to| to.user_id));
        audit.detail = Some(serde_json::json!({ "from": from, "to": user_id }).to_string());
        change.audit(self.store.nid().await?, audit);
        let news = News {
            kind: "conversation.assigned",
            contact: &row.contact,
            conversation: Some(&row.id),
            room_id: Some(&row.room_id),
            user_id,
            ..News::default()
        };
        self.tell(change, &news, None).await
    }

    /// Plans another status. Submitting ends in `Conflict` when the conversation moved on meanwhile.
    ///
    /// # Errors
    /// `InvalidParam` for a status that is none, or a sleep without an end.
    pub async fn plan_status(
        &self,
        row: &ConversationRow,
        status: &str,
        until: Option<Ms>,
        actor: Actor,
    ) -> Result<Change> {
        let now = self.now();
        let status = one_of(status, "status", &STATUSES)?;
        let until = match (status, until) {
            ("snoozed", Some(until)) if until > now && until <= now + LONGEST_SLEEP => Some(until),
            ("snoozed", _) => {
                let message = "snoozed_until must be a moment of the coming year, in milliseconds.";
                return Err(Error::invalid_param(message));
            }
            _ => None,
        };
        let mut change = Change::default();
        change.set_conversation_status(&row.id, row.version, status, until);
        self.note_status(&mut change, row, status, actor).await?;
        Ok(change)
    }

    /// Adds to a change that the customer's message opens a conversation that rested.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn note_reopening(&self, change: &mut Change, row: &ConversationRow) -> Result<()> {
        self.note_status(change, row, "open", Actor::default()).await
    }

    /// Adds the audit row and the news of another status.
    async fn note_status(
        &self,
        change: &mut Change,
        row: &ConversationRow,
        status: &'static str,
        actor: Actor,
    ) -> Result<()> {
        if row.status == "closed" {
            // Nobody was brought into its rooms meanwhile.
            change.mind_conversation(&row.id, self.now());
        }
        if status == "closed" && row.status != "closed" {
            change.tell_crms_act(CrmAct {
                conversation: &row.id,
                kind: "closed",
                event: None,
                by: actor.user,
                to: None,
                ts: self.now(),
            });
        }
        let mut audit =
            Audit::done(Action::ConversationStatus, actor, self.now()).on("conversation", row.id.as_str());
        audit.detail = Some(serde_json::json!({ "from": row.status, "to": status }).to_string());
        change.audit(self.store.nid().await?, audit);
        let news = News {
            kind: "conversation.status",
            contact: &row.contact,
            conversation: Some(&row.id),
            room_id: Some(&row.room_id),
            status: Some(status),
            ..News::default()
        };
        self.tell(change, &news, None).await
    }

    /// Plans the audit row of somebody's reading what was hidden.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_reading(&self, row: &ConversationRow, event_id: &str, actor: Actor) -> Result<Change> {
        let mut audit = Audit::done(Action::ConversationVersionsRead, actor, self.now())
            .on("conversation", row.id.as_str());
        audit.detail = Some(serde_json::json!({ "event_id": event_id }).to_string());
        let mut change = Change::default();
        change.audit(self.store.nid().await?, audit);
        Ok(change)
    }
}
