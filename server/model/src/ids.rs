//! Making and checking Matrix identifiers.

use crate::random::{Random, opaque};
use crate::{Code, Error, Result};
use ruma::{OwnedRoomId, OwnedUserId, ServerName, UserId};

/// Longest user id, room id, alias, event type and state key, bytes (specification appendix).
pub const MAX_ID_BYTES: usize = 255;

/// The user id of a new local account.
///
/// # Errors
/// `InvalidUsername` unless the localpart keeps to the grammar for new ids: `a-z 0-9 . _ = - / +`.
pub fn new_user_id(localpart: &str, server: &ServerName) -> Result<OwnedUserId> {
    let grammatical = !localpart.is_empty()
        && localpart.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._=-/+".contains(&b));
    let refused = || {
        Error::new(
            Code::InvalidUsername,
            "A user name may hold the letters a-z, digits and . _ = - / + only.",
        )
    };
    if !grammatical {
        return Err(refused());
    }
    UserId::parse(format!("@{localpart}:{server}")).map_err(|_| refused())
}

/// Parses a user id from a client, refusing what could not be stored.
///
/// # Errors
/// `InvalidParam` when it is not a user id.
pub fn user_id(text: &str) -> Result<OwnedUserId> {
    UserId::parse(text)
        .ok()
        .filter(|id| storable_key(id.as_str(), "user id").is_ok())
        .ok_or_else(|| Error::invalid_param("This is not a user id. It looks like @name:server."))
}

/// A room id of versions 1 to 11: `!` and 18 random letters, with the server's name.
///
/// # Errors
/// `Internal` if the parts do not make an id, which would be a defect.
pub fn new_room_id(random: &dyn Random, server: &ServerName) -> Result<OwnedRoomId> {
    OwnedRoomId::try_from(format!("!{}:{server}", opaque(random, 18))).map_err(Error::internal)
}

/// Whether a text from outside may be stored as an event type, state key or the like.
///
/// # Errors
/// `TooLarge` above 255 bytes; `BadJson` with a NUL, which PostgreSQL cannot store, or one of the three
/// signs by which the archive packs rows.
pub fn storable_key(text: &str, what: &'static str) -> Result<()> {
    if text.len() > MAX_ID_BYTES {
        return Err(Error::new(Code::TooLarge, format!("The {what} is longer than 255 bytes.")));
    }
    if text.contains(['\0', '\u{1d}', '\u{1e}', '\u{1f}']) {
        return Err(Error::bad_json(format!("The {what} contains a control character that is not allowed.")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_user_names_keep_to_the_grammar() {
        let server = ServerName::parse("localhost:1").unwrap();
        assert_eq!(new_user_id("anna.k", &server).unwrap(), "@anna.k:localhost:1");
        for bad in ["", "Anna", "an na", "żaneta", "a:b", "a\0", &"x".repeat(300)] {
            assert!(new_user_id(bad, &server).is_err(), "{bad}");
        }
    }
}
