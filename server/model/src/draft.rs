//! What somebody wants to say in a room, before it has a place in the room's history.

use crate::Ms;
use ruma::{CanonicalJsonObject, OwnedEventId, OwnedUserId};

/// An event that is not yet authorised, hashed or signed.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The event type.
    pub kind: String,
    /// Present for state events.
    pub state_key: Option<String>,
    /// The content; canonical JSON, so that it can be hashed.
    pub content: CanonicalJsonObject,
    /// Who sends it. Always a user of this server.
    pub sender: OwnedUserId,
    /// The event that this one redacts. Put where the room version wants it.
    pub redacts: Option<OwnedEventId>,
    /// Time of sending; the clock's, or a bridge's `?ts=`.
    pub origin_server_ts: Ms,
}

impl Draft {
    /// A state event.
    pub fn state(
        kind: impl Into<String>,
        state_key: impl Into<String>,
        content: CanonicalJsonObject,
        sender: OwnedUserId,
        now: Ms,
    ) -> Self {
        Self {
            kind: kind.into(),
            state_key: Some(state_key.into()),
            content,
            sender,
            redacts: None,
            origin_server_ts: now,
        }
    }

    /// A message event.
    pub fn message(
        kind: impl Into<String>,
        content: CanonicalJsonObject,
        sender: OwnedUserId,
        now: Ms,
    ) -> Self {
        Self { kind: kind.into(), state_key: None, content, sender, redacts: None, origin_server_ts: now }
    }
}
