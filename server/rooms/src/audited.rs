//! Which events the audit catalogue names.
//!
//! Decided where events are added to a room, so that no endpoint can forget it.

use crate::head::Head;
use kontor_model::{Draft, Ms};
use kontor_store::audit::{Action, Actor, Audit};
use ruma::{CanonicalJsonValue, EventId, RoomId, UserId};

/// An act that the catalogue names.
#[derive(Clone, Debug)]
pub struct Named {
    action: Action,
    /// The user whose membership changed.
    user: Option<String>,
    /// The event that was redacted.
    redacts: Option<String>,
}

/// What the catalogue calls an event, given the room before it.
pub fn action(head: &Head, draft: &Draft) -> Option<Named> {
    let simple = |action| Some(Named { action, user: None, redacts: None });
    match draft.kind.as_str() {
        "m.room.member" => membership(head, draft),
        "m.room.power_levels" => simple(Action::RoomPowerChange),
        "m.room.encryption" => simple(Action::RoomEncryptionEnable),
        "m.room.history_visibility" => simple(Action::RoomHistoryVisibilityChange),
        "m.room.canonical_alias" => simple(Action::RoomAliasChange),
        "m.room.redaction" => {
            let redacts = draft.redacts.as_ref().map(ToString::to_string);
            Some(Named { action: Action::MessageRedact, user: None, redacts })
        }
        _ => None,
    }
}

fn membership(head: &Head, draft: &Draft) -> Option<Named> {
    let user = draft.state_key.as_deref()?;
    let before = head.membership(<&UserId>::try_from(user).ok()?);
    let after = draft.content.get("membership").and_then(CanonicalJsonValue::as_str)?;
    let own = draft.sender.as_str() == user;
    let action = match (before.as_str(), after) {
        ("join", "join") => return None,
        (_, "join") => Action::RoomJoin,
        (_, "invite") => Action::RoomInvite,
        // Both ends of a ban.
        (_, "ban") | ("ban", "leave") => Action::RoomBan,
        (_, "leave") if own => Action::RoomLeave,
        (_, "leave") => Action::RoomKick,
        _ => return None,
    };
    Some(Named { action, user: Some(user.to_owned()), redacts: None })
}

impl Named {
    /// The audit row.
    pub fn row(self, actor: Actor, room_id: &RoomId, event_id: &EventId, now: Ms) -> Audit {
        let mut detail = serde_json::Map::new();
        detail.insert("event".to_owned(), event_id.as_str().into());
        if let Some(user) = self.user {
            detail.insert("user".to_owned(), user.into());
        }
        let row = Audit::done(self.action, actor, now);
        let mut row = match self.redacts {
            Some(target) => {
                detail.insert("room".to_owned(), room_id.as_str().into());
                row.on("event", target)
            }
            None => row.on("room", room_id.as_str()),
        };
        row.detail = Some(serde_json::Value::Object(detail).to_string());
        row
    }
}
