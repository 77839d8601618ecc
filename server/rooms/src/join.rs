//! Getting into a room: who may, and who of its members lets somebody in
//! (client-server API, "Restricted rooms").

use crate::head::Head;
use crate::powers::Act;
use kontor_model::{Code, Error, Result};
use ruma::events::StateEventType;
use ruma::{OwnedRoomId, OwnedUserId, RoomId, ServerName, UserId};
use serde::Deserialize;
use std::collections::HashMap;

/// What the server knows of a user's memberships in rooms that a join rule names.
///
/// Rooms that it does not know are absent.
#[derive(Clone, Debug, Default)]
pub struct Elsewhere(pub HashMap<OwnedRoomId, bool>);

#[derive(Deserialize)]
struct Rules {
    join_rule: String,
    #[serde(default)]
    allow: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    room_id: OwnedRoomId,
}

/// The rooms whose members a restricted room lets in; `None` when the room is not restricted.
///
/// Conditions that are not understood count as failed.
pub fn allowed_rooms(head: &Head) -> Option<Vec<OwnedRoomId>> {
    let rules: Rules = head.content(&StateEventType::RoomJoinRules, "")?;
    let authorization = &head.version.rules.authorization;
    let restricted = match rules.join_rule.as_str() {
        "restricted" => authorization.restricted_join_rule,
        "knock_restricted" => authorization.knock_restricted_join_rule,
        _ => false,
    };
    let room =
        |value| serde_json::from_value::<Condition>(value).ok().filter(|c| c.kind == "m.room_membership");
    restricted.then(|| rules.allow.into_iter().filter_map(room).map(|condition| condition.room_id).collect())
}

/// The member who lets a user in, if the join needs one: its `join_authorised_via_users_server`.
///
/// # Errors
/// `Forbidden` when the user meets no condition; `UnableToAuthoriseJoin` when the server knows none
/// of the rooms; `UnableToGrantJoin` when no member of this server may invite.
pub fn authoriser(
    head: &Head,
    user: &UserId,
    server: &ServerName,
    elsewhere: &Elsewhere,
) -> Result<Option<OwnedUserId>> {
    let Some(rooms) = allowed_rooms(head) else { return Ok(None) };
    // Whoever is banned hears so from the authorisation rules.
    if matches!(head.membership(user).as_str(), "join" | "invite" | "ban") {
        return Ok(None);
    }
    let known: Vec<bool> = rooms.iter().filter_map(|room| elsewhere.0.get(room).copied()).collect();
    if !known.iter().any(|joined| *joined) {
        return Err(if known.is_empty() && !rooms.is_empty() {
            Error::new(
                Code::UnableToAuthoriseJoin,
                "This server does not know the rooms whose members may join. Ask for an invitation.",
            )
        } else {
            Error::forbidden("Only members of certain other rooms may join. Ask for an invitation.")
        });
    }
    member_who_may_invite(head, server).map(Some).ok_or_else(|| {
        Error::new(
            Code::UnableToGrantJoin,
            "You may join, but nobody of this server in the room may let you in. Ask for an invitation.",
        )
    })
}

fn member_who_may_invite(head: &Head, server: &ServerName) -> Option<OwnedUserId> {
    let powers = head.powers();
    let local = |user: &&str| <&UserId>::try_from(*user).is_ok_and(|id| id.server_name() == server);
    let may = |user: &&str| local(user) && powers.may(user, Act::Invite);
    let joined = |user: &&str| <&UserId>::try_from(*user).is_ok_and(|user| head.membership(user) == "join");
    // Those whom the powers name are few and likely to do; the others only if they must be asked.
    let named = powers.named().filter(may).filter(joined).max_by_key(|user| powers.of_user(user));
    let user = match named {
        Some(user) => user.to_owned(),
        None => head.members("join").filter(may).min()?.to_owned(),
    };
    OwnedUserId::try_from(user).ok()
}

/// Fails unless guests may be in the room.
///
/// # Errors
/// `GuestAccessForbidden`.
pub fn admits_guests(head: &Head) -> Result<()> {
    #[derive(Deserialize)]
    struct GuestAccess {
        guest_access: String,
    }
    let access: Option<GuestAccess> = head.content(&StateEventType::RoomGuestAccess, "");
    if access.is_some_and(|access| access.guest_access == "can_join") {
        return Ok(());
    }
    Err(Error::new(Code::GuestAccessForbidden, "Guests may not join this room. Make an account first."))
}

/// The refusal of a room that lives elsewhere, if anywhere.
pub fn unknown_room(room_id: &RoomId) -> Error {
    Error::not_found(format!(
        "This server does not know the room {room_id}, and it does not talk to other servers yet."
    ))
}

#[cfg(test)]
mod tests;
