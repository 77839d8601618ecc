//! Redaction: who may take whose words back.

use crate::head::Head;
use crate::powers::Act;
use kontor_model::{Error, Pdu, Result, RoomVersion};
use kontor_store::rooms::redaction::Target;
use ruma::{CanonicalJsonObject, CanonicalJsonValue, EventId, UserId};

/// Who redacts.
#[derive(Clone, Copy, Debug)]
pub struct Redactor<'a> {
    /// The user.
    pub user: &'a UserId,
    /// Whether the user administers this server.
    pub admin: bool,
}

/// Fails unless the user may redact the event. That the user may send redactions at all is decided
/// by the authorisation rules.
///
/// # Errors
/// `NotFound` for an event of another room; `Forbidden`.
pub fn allow(head: &Head, by: Redactor<'_>, target: &Target) -> Result<()> {
    if target.room != head.room {
        return Err(Error::not_found("There is no such event in this room."));
    }
    // Without these a room falls apart: other servers would let in whom it keeps out.
    if matches!(target.kind.as_str(), "m.room.create" | "m.room.server_acl") {
        return Err(Error::forbidden("This kind of event cannot be redacted."));
    }
    let own = target.sender == by.user.as_str();
    let of_this_server = <&UserId>::try_from(target.sender.as_str())
        .is_ok_and(|user| user.server_name() == by.user.server_name());
    if own || (by.admin && of_this_server) || head.powers().may(by.user.as_str(), Act::Redact) {
        return Ok(());
    }
    Err(Error::forbidden("You do not have the power to redact messages of others in this room."))
}

/// The event as redaction leaves it.
#[derive(Clone, Debug)]
pub struct Left {
    /// The event, for the room's state.
    pub pdu: Pdu,
    /// Its content, canonical JSON.
    pub content: String,
}

/// What redaction leaves of an event: its skeleton is just that.
///
/// # Errors
/// `Internal` when the archive holds something else, which would be a defect.
pub fn left(target: &Target, version: &RoomVersion) -> Result<Left> {
    let id = EventId::parse(&target.event_id).map_err(Error::internal)?;
    let pdu = Pdu::from_skeleton(id, &target.skeleton, version)?;
    Ok(Left { content: pdu.content.get().to_owned(), pdu })
}

/// Takes the redacted event's id out of the content of a redaction, wherever the room version puts
/// it later.
///
/// # Errors
/// `BadJson` when it names no event.
pub fn take_target(content: &mut CanonicalJsonObject) -> Result<ruma::OwnedEventId> {
    let id = match content.remove("redacts") {
        Some(CanonicalJsonValue::String(id)) => EventId::parse(id).ok(),
        _ => None,
    };
    id.ok_or_else(|| Error::bad_json("A redaction needs the id of an event in \"redacts\"."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets::Preset;
    use crate::world::{becomes, creation, make, user};
    use kontor_model::Code;

    fn target(room: i64, kind: &str, sender: &str) -> Target {
        Target {
            event: 9,
            event_id: "$e".into(),
            room,
            kind: kind.into(),
            sender: sender.into(),
            skeleton: String::new(),
            redacted: false,
        }
    }

    #[test]
    fn own_words_can_be_taken_back_and_others_with_power_only() {
        let head = make(&creation("12", Preset::PublicChat)).unwrap();
        let head = becomes(&head, "@bob:x", "join").unwrap();
        let (anna, bob) = (user("@anna:x"), user("@bob:x"));
        let code = |by: &UserId, admin, target: &Target| {
            allow(&head, Redactor { user: by, admin }, target).err().map(|error| error.code)
        };
        let message = target(head.room, "m.room.message", "@bob:x");
        let announcement = target(head.room, "m.room.message", "@anna:x");
        let foreign = target(head.room, "m.room.message", "@eve:y");
        assert_eq!(code(&bob, false, &message), None);
        assert_eq!(code(&anna, false, &message), None);
        assert_eq!(code(&bob, false, &announcement), Some(Code::Forbidden));
        assert_eq!(code(&bob, true, &announcement), None);
        assert_eq!(code(&bob, true, &foreign), Some(Code::Forbidden));
        assert_eq!(code(&anna, false, &target(head.room, "m.room.create", "@anna:x")), Some(Code::Forbidden));
        assert_eq!(
            code(&anna, false, &target(head.room + 1, "m.room.message", "@anna:x")),
            Some(Code::NotFound)
        );
    }

    #[test]
    fn a_redaction_names_an_event() {
        let mut content = crate::world::content(r#"{"redacts":"$e","reason":"r"}"#);
        assert_eq!(take_target(&mut content).unwrap(), "$e");
        assert_eq!(content, crate::world::content(r#"{"reason":"r"}"#));
        for bad in [r#"{}"#, r#"{"redacts":1}"#, r#"{"redacts":"e"}"#] {
            assert!(take_target(&mut crate::world::content(bad)).is_err());
        }
    }
}
