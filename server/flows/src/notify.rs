//! What an event means to the members of its room: the rooms department asks, the accounts
//! department's push rules answer, and neither knows the other.

use crate::Flows;
use kontor_identity::push::{self, Event};
use kontor_model::{Pdu, Result};
use kontor_rooms::{Act, Chain, Head, Judge};
use kontor_store::rooms::unread::NewNotification;
use serde_json::Value;

/// The usual push rules only tell rooms of two people from larger ones.
const COUNTED_MEMBERS: usize = 3;

/// Asks the usual push rules what an event means to a member without rules of its own.
#[derive(Debug, Clone, Copy)]
pub struct UsualRules;

impl Judge for UsualRules {
    fn notifies(&self, event: &Pdu, content: &str, before: &Head) -> i64 {
        let content: Value = serde_json::from_str(content).unwrap_or_default();
        let kind = event.kind.to_string();
        let members = before.members("join").take(COUNTED_MEMBERS).count();
        push::notifies(&facts(event, &kind, &content, before, members))
    }
}

/// What push rules look at.
fn facts<'a>(event: &'a Pdu, kind: &'a str, content: &'a Value, room: &Head, members: usize) -> Event<'a> {
    let sender = event.sender.as_str();
    Event::new(kind, sender, event.state_key.as_deref(), event.room_id.as_str(), content)
        .in_room_of(u64::try_from(members).unwrap_or_default())
        .sent_by_somebody_who_may_notify(mentions_room(content) && room.powers().may(sender, Act::NotifyRoom))
}

/// Whether the event might want to highlight for everybody. Only then are the room's powers worth
/// working out.
pub(crate) fn mentions_room(content: &Value) -> bool {
    let asked = content.get("m.mentions").and_then(|mentions| mentions.get("room"));
    let body = content.get("body").and_then(Value::as_str);
    asked == Some(&Value::Bool(true)) || body.is_some_and(|body| body.contains("@room"))
}

impl Flows {
    /// Adds a row for everybody whom an event of the chain mentions or whose own rules say that it
    /// matters. No statement in rooms where nobody is asked.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub(crate) async fn add_notices(&self, chain: &mut Chain) -> Result<()> {
        let mut rows = Vec::new();
        for event in chain.events() {
            let head = chain.head();
            let content: Value = serde_json::from_str(&event.content).unwrap_or_default();
            let kind = event.pdu.kind.to_string();
            let asked = facts(&event.pdu, &kind, &content, head, COUNTED_MEMBERS);
            let listeners = self.identity.listeners(head.room, head.room_id.as_str(), &asked).await?;
            if listeners.is_empty() {
                continue;
            }
            // People's own rules may count members; then all of them are counted.
            let facts = facts(&event.pdu, &kind, &content, head, head.members("join").count());
            rows.extend(listeners.notices(&facts).into_iter().map(|notice| NewNotification {
                user: notice.user,
                room: head.room,
                ord: event.pos.clone(),
                event: event.nid,
                notify: notice.verdict.notify,
                highlight: notice.verdict.highlight,
            }));
        }
        for row in rows {
            chain.change().add_notification(row);
        }
        Ok(())
    }
}
