//! Room versions: which exist, which may be created, and their rules (from ruma).

use crate::{Code, Error, Result};
use ruma::RoomVersionId;
use ruma::room_version_rules::RoomVersionRules;

/// A room version that this server understands, with its rules.
#[derive(Clone, Debug)]
pub struct RoomVersion {
    /// The version's name, as in `m.room.create`.
    pub id: RoomVersionId,
    /// Its rules for event format, authorisation, redaction and state resolution.
    pub rules: RoomVersionRules,
}

/// The version of rooms that are created without naming one.
pub const DEFAULT: &str = "12";

/// Versions that may be created here. Older ones can be read, not made.
pub const CREATABLE: [&str; 3] = ["10", "11", "12"];

impl RoomVersion {
    /// Looks a version up.
    ///
    /// # Errors
    /// `UnsupportedRoomVersion` outside 1 to 12.
    pub fn parse(text: &str) -> Result<Self> {
        let known = text.parse::<u8>().is_ok_and(|n| (1..=12).contains(&n) && n.to_string() == text);
        let id = RoomVersionId::try_from(text).ok().filter(|_| known);
        let version = id.and_then(|id| id.rules().map(|rules| Self { id, rules }));
        version.ok_or_else(|| {
            Error::new(Code::UnsupportedRoomVersion, "This server does not know that room version.")
        })
    }

    /// Whether a client may create a room of this version.
    pub fn creatable(&self) -> bool {
        CREATABLE.contains(&self.id.as_str())
    }

    /// Whether the room id is the hash of the create event (since version 12).
    pub fn id_is_create_hash(&self) -> bool {
        self.rules.authorization.room_create_event_id_as_room_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_one_to_twelve_are_known_and_three_can_be_created() {
        let known: Vec<_> = (0..20).filter(|n| RoomVersion::parse(&n.to_string()).is_ok()).collect();
        assert_eq!(known, (1..=12).collect::<Vec<_>>());
        let made = known.iter().filter(|n| RoomVersion::parse(&n.to_string()).unwrap().creatable());
        assert_eq!(made.count(), 3);
        for bad in ["", "01", "12 ", "org.example", "\0"] {
            assert!(RoomVersion::parse(bad).is_err());
        }
    }
}
