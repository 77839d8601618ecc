//! What the company's own programs are told: laid out in the transaction of its cause.

use crate::Contacts;
use kontor_model::Result;
use kontor_store::contacts::webhooks;
use kontor_store::{Change, Stream, Value, change::NOBODY};
use serde_json::json;

/// What can be told.
pub const KINDS: [&str; 9] = [
    "contact.created",
    "contact.updated",
    "contact.merged",
    "contact.unmerged",
    "conversation.opened",
    "conversation.assigned",
    "conversation.status",
    "message.received",
    "message.answered",
];

/// Something that happened. Ids and words of closed lists only: who may know more asks the company API.
#[derive(Clone, Debug, Default)]
pub struct News<'a> {
    /// One of [`KINDS`].
    pub kind: &'static str,
    /// Whose news it is.
    pub contact: &'a str,
    /// In which conversation.
    pub conversation: Option<&'a str>,
    /// In which room.
    pub room_id: Option<&'a str>,
    /// Which event.
    pub event_id: Option<&'a str>,
    /// Who did it, or got it.
    pub user_id: Option<&'a str>,
    /// Which contact was merged into it, or taken out of it.
    pub from: Option<&'a str>,
    /// What became of it.
    pub status: Option<&'a str>,
}

impl Contacts {
    /// Lays news out for the webhooks that want such, in the order of `pos`, a position of the change; a
    /// position is taken when there is none.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn tell(&self, change: &mut Change, news: &News<'_>, pos: Option<Value>) -> Result<()> {
        let (delivery, now) = (self.store.nid().await?, self.now());
        let mut body = json!({
            "id": delivery.to_string(),
            "type": news.kind,
            "ts": now,
            "contact_id": news.contact,
            "conversation_id": news.conversation,
            "room_id": news.room_id,
            "event_id": news.event_id,
            "user_id": news.user_id,
            "from_contact_id": news.from,
            "status": news.status,
        });
        if let Some(fields) = body.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        let pos = pos.unwrap_or_else(|| change.position(Stream::Contact, None, Some(NOBODY)));
        let body = body.to_string();
        let row = webhooks::News { delivery, kind: news.kind, contact: news.contact, body: &body, now };
        change.tell_webhooks(row, pos);
        if news.kind.starts_with("contact.") {
            change.tell_crms(news.contact, now);
        }
        Ok(())
    }
}
