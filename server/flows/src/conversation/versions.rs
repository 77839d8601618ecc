//! Reading what redactions and edits hid in a customer's room: for those who answer for the
//! conversation, and never without a trace.

use super::reader;
use crate::Flows;
use crate::caller::Caller;
use kontor_model::{Error, Ms, Requester, Result, ids};
use kontor_store::contacts::conversations::ConversationRow;
use kontor_store::contacts::{channels, versions};
use serde::Serialize;
use serde_json::value::RawValue;

/// Forms of one event that are told.
const MOST: i64 = 200;

/// Something that an event said.
#[derive(Debug, Serialize)]
pub struct Version {
    /// The event, or the edit of it.
    pub event_id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who sent it.
    pub sender: String,
    /// When.
    pub sent_ts: Ms,
    /// What it said.
    pub content: Box<RawValue>,
    /// When it was redacted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redacted_ts: Option<Ms>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redacted_by: Option<String>,
}

impl Flows {
    /// All that an event of a customer's room ever said.
    ///
    /// # Errors
    /// `NotFound` for a conversation that the caller may not see; `Forbidden` for those who see it but do
    /// not answer for it.
    pub async fn versions(&self, by: &Caller<'_>, id: &str, event_id: &str) -> Result<Vec<Version>> {
        let row = self.conversation(by, id).await?;
        ids::storable_key(event_id, "event id")?;
        self.trace_reading(by, &row, event_id).await?;
        let rows = versions::of_event(&mut self.store.reader(), row.room, event_id, MOST).await?;
        if rows.is_empty() {
            return Err(Error::not_found("There is no such event in this conversation."));
        }
        rows.into_iter().map(version).collect()
    }

    /// Everything that redactions took out of a customer's room, the last one first.
    ///
    /// # Errors
    /// As [`Flows::versions`].
    pub async fn taken_back(&self, by: &Caller<'_>, id: &str) -> Result<Vec<Version>> {
        let row = self.conversation(by, id).await?;
        self.trace_reading(by, &row, "*").await?;
        let rows = versions::of_room(&mut self.store.reader(), row.room, MOST).await?;
        rows.into_iter().map(version).collect()
    }

    /// Whether somebody answers for a conversation: administrators, whoever has it, and the members of its
    /// channel do.
    ///
    /// # Errors
    /// `Forbidden` for those who are no employees at all.
    pub async fn answers_for(&self, by: &Requester, row: &ConversationRow) -> Result<bool> {
        let who = reader(by)?;
        if who.admin || row.assignee == Some(who.user) {
            return Ok(true);
        }
        let members = channels::members(&mut self.store.reader(), Some(&row.channel)).await?;
        Ok(members.iter().any(|member| member.user == who.user && !member.leaving))
    }

    /// Writes down that somebody reads what was hidden: what is not written down is not shown.
    async fn trace_reading(&self, by: &Caller<'_>, row: &ConversationRow, event_id: &str) -> Result<()> {
        if !self.answers_for(by.requester, row).await? {
            let message = "Only those who answer for this conversation may read what was taken back in it.";
            return Err(Error::forbidden(message));
        }
        let change = self.contacts.plan_reading(row, event_id, by.actor.clone()).await?;
        self.store.submit(change).await.map(|_| ())
    }
}

fn version(row: versions::VersionRow) -> Result<Version> {
    let content = row.content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let (redacted_ts, redacted_by) = row.hidden.unzip();
    Ok(Version {
        event_id: row.event_id,
        kind: row.kind,
        sender: row.sender,
        sent_ts: row.sent_ts,
        content: serde_json::from_slice(content).map_err(Error::internal)?,
        redacted_ts,
        redacted_by,
    })
}
