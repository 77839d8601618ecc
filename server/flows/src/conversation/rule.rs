//! The rules of the rooms of conversations: what the backstage is, and that nobody opens either room.
//!
//! Every event that this server makes passes here before it is built. Events of other servers cannot
//! come: the first event of such a room says that it stays on this server.

use super::{BACKSTAGE, CUSTOMER};
use crate::Flows;
use kontor_model::appservice::Service;
use kontor_model::{Draft, Error, Requester, Result};
use kontor_rooms::Head;
use kontor_store::contacts::conversations;
use ruma::events::StateEventType;
use ruma::{CanonicalJsonObject, CanonicalJsonValue, UserId};
use serde::Deserialize;

/// Accounts that application services made.
const OF_A_SERVICE: &str = "application_service";

/// What a room is to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The mirrored room.
    Customer,
    /// The company's own room.
    Backstage,
}

/// What a room is to a conversation, if anything.
pub(crate) fn kind(head: &Head) -> Option<Kind> {
    let create = head.get(&StateEventType::RoomCreate, "")?.pdu.content.get();
    // Asked for every event of every room.
    if !create.contains("dev.kontor.") {
        return None;
    }
    #[derive(Deserialize)]
    struct Create {
        #[serde(rename = "type")]
        kind: Option<String>,
    }
    match serde_json::from_str::<Create>(create).ok()?.kind?.as_str() {
        CUSTOMER => Some(Kind::Customer),
        BACKSTAGE => Some(Kind::Backstage),
        _ => None,
    }
}

/// Whether a create event's content asks for a type that only the company's own user gives.
pub(crate) fn is_company_type(content: &CanonicalJsonObject) -> bool {
    let kind = content.get("type").and_then(CanonicalJsonValue::as_str);
    kind.is_some_and(|kind| kind.starts_with("dev.kontor."))
}

fn text<'a>(draft: &'a Draft, field: &str) -> &'a str {
    draft.content.get(field).and_then(CanonicalJsonValue::as_str).unwrap_or_default()
}

/// Refuses state that would open a room or hide what is said there from the company.
///
/// # Errors
/// `Forbidden`.
fn check_state(kind: Kind, draft: &Draft) -> Result<()> {
    let visibilities: &[&str] = match kind {
        Kind::Customer => &["shared"],
        Kind::Backstage => &["shared", "invited", "joined"],
    };
    let (field, allowed, message) = match draft.kind.as_str() {
        "m.room.encryption" | "m.room.encrypted" => {
            let message = "Conversations with customers are not encrypted: the company keeps them.";
            return Err(Error::forbidden(message));
        }
        "m.room.third_party_invite" => {
            return Err(Error::forbidden("People are brought into conversations by their user id only."));
        }
        "m.room.join_rules" => {
            ("join_rule", &["invite"][..], "Rooms of conversations are for those who are brought in.")
        }
        "m.room.history_visibility" => {
            let message = "Whoever joins a conversation sees all of it, and nobody else sees anything.";
            ("history_visibility", visibilities, message)
        }
        "m.room.guest_access" => ("guest_access", &["forbidden"][..], "Guests stay out of conversations."),
        _ => return Ok(()),
    };
    if draft.state_key.is_none() || allowed.contains(&text(draft, field)) {
        return Ok(());
    }
    Err(Error::forbidden(message))
}

impl Flows {
    /// Refuses what may not happen in a room of a conversation.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(crate) async fn check_company(&self, head: &Head, draft: &Draft) -> Result<()> {
        let Some(kind) = kind(head) else { return Ok(()) };
        check_state(kind, draft)?;
        if kind == Kind::Customer {
            return Ok(());
        }
        let leaves =
            text(draft, "membership") == "leave" && draft.state_key.as_deref() == Some(draft.sender.as_str());
        if !leaves && self.is_of_a_service(draft.sender.as_str()) {
            return Err(Error::forbidden("Bridges and their users stay out of backstage rooms."));
        }
        let entering = ["join", "invite", "knock"].contains(&text(draft, "membership"));
        match &draft.state_key {
            Some(user) if draft.kind == "m.room.member" && entering => self.check_insider(user).await,
            _ => Ok(()),
        }
    }

    /// Whether an application service may act as a user.
    pub(crate) fn is_of_a_service(&self, user_id: &str) -> bool {
        self.identity.services().now().list().iter().any(|service| service.has_user(user_id))
    }

    /// Fails when an application service acts as somebody who is backstage: with a namespace over people
    /// it would read there what nobody but they may.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn check_masquerade(&self, service: &Service, by: &Requester) -> Result<()> {
        if service.owns_user(by.user_id.as_str()) {
            return Ok(());
        }
        if conversations::is_backstage(&mut self.store.reader(), by.user).await? {
            let message = "This person reads backstage rooms: no application service may act as them.";
            return Err(Error::forbidden(message));
        }
        Ok(())
    }

    /// Fails unless a user is one of the company's own: of this server, no guest, and nobody for whom an
    /// application service speaks or ever spoke.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(crate) async fn check_insider(&self, user_id: &str) -> Result<()> {
        let refused = || Error::forbidden(format!("{user_id} cannot be backstage: only employees can."));
        let local =
            <&UserId>::try_from(user_id).is_ok_and(|user| user.server_name() == self.settings.server_name);
        if !local || self.is_of_a_service(user_id) {
            return Err(refused());
        }
        match conversations::account_kind(&mut self.store.reader(), user_id).await? {
            Some((false, kind)) if kind.as_deref() != Some(OF_A_SERVICE) => Ok(()),
            _ => Err(refused()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kontor_model::json::event_content;
    use serde_json::json;

    fn state(kind: &str, content: serde_json::Value) -> Draft {
        let content = event_content(&serde_json::value::to_raw_value(&content).unwrap()).unwrap();
        Draft::state(kind, "", content, ruma::OwnedUserId::try_from("@kontor:x").unwrap(), 1)
    }

    #[test]
    fn nothing_opens_a_room_of_a_conversation() {
        for (kind, field, customer, backstage, refused) in [
            (
                "m.room.join_rules",
                "join_rule",
                &["invite"][..],
                &["invite"][..],
                &["public", "knock", "restricted", ""][..],
            ),
            ("m.room.guest_access", "guest_access", &["forbidden"], &["forbidden"], &["can_join", ""]),
            (
                "m.room.history_visibility",
                "history_visibility",
                &["shared"],
                &["shared", "invited", "joined"],
                &["world_readable", ""],
            ),
            ("m.room.encryption", "algorithm", &[], &[], &["m.megolm.v1.aes-sha2"]),
            ("m.room.third_party_invite", "display_name", &[], &[], &["a"]),
        ] {
            for (room, allowed) in [(Kind::Customer, customer), (Kind::Backstage, backstage)] {
                for value in allowed {
                    assert!(
                        check_state(room, &state(kind, json!({ field: value }))).is_ok(),
                        "{kind} {value}"
                    );
                }
                for value in refused {
                    assert!(
                        check_state(room, &state(kind, json!({ field: value }))).is_err(),
                        "{kind} {value}"
                    );
                }
                assert!(check_state(room, &state("m.room.topic", json!({ "topic": "x" }))).is_ok());
            }
        }
    }

    #[test]
    fn types_of_the_company_are_its_own() {
        for (kind, own) in [("dev.kontor.backstage", true), ("dev.kontor.x", true), ("m.space", false)] {
            assert_eq!(is_company_type(&state("m.room.create", json!({ "type": kind })).content), own);
        }
        assert!(!is_company_type(&state("m.room.create", json!({ "type": 1 })).content));
    }
}
