//! Presets of new rooms: what a room starts with where its maker says nothing else
//! (client-server API, "Creation").

use crate::content::object;
use kontor_model::{Result, RoomVersion};
use ruma::{CanonicalJsonObject, OwnedUserId, UserId};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Power of a room's creator in versions that have no privileged creators.
const ADMINISTRATOR: i64 = 100;

/// Power to replace a room, where nobody but its creators shall do so.
const ABOVE_ADMINISTRATORS: i64 = 150;

/// A preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// By invitation.
    PrivateChat,
    /// By invitation, and everybody invited at the start has the creator's power.
    TrustedPrivateChat,
    /// Open to everybody.
    PublicChat,
}

impl Preset {
    /// The preset of a room whose maker names none.
    pub fn of_visibility(public: bool) -> Self {
        if public { Self::PublicChat } else { Self::PrivateChat }
    }

    /// Whether those invited at the start have the creator's power.
    pub fn trusts_invitees(self) -> bool {
        self == Self::TrustedPrivateChat
    }

    /// The state events that the preset sets, with the empty state key.
    ///
    /// # Errors
    /// None for the contents written here.
    pub fn state(self) -> Result<[(&'static str, CanonicalJsonObject); 3]> {
        let (join_rule, guest_access) = match self {
            Self::PrivateChat | Self::TrustedPrivateChat => ("invite", "can_join"),
            Self::PublicChat => ("public", "forbidden"),
        };
        Ok([
            ("m.room.join_rules", object(json!({ "join_rule": join_rule }))?),
            ("m.room.history_visibility", object(json!({ "history_visibility": "shared" }))?),
            ("m.room.guest_access", object(json!({ "guest_access": guest_access }))?),
        ])
    }

    /// Content of the first power-level event, before the maker's own wishes.
    ///
    /// # Errors
    /// None for the contents written here.
    pub fn power_levels(
        self,
        version: &RoomVersion,
        creator: &UserId,
        invitees: &[OwnedUserId],
    ) -> Result<CanonicalJsonObject> {
        let mut users = Map::new();
        let privileged = version.rules.authorization.explicitly_privilege_room_creators;
        if !privileged {
            users.insert(creator.to_string(), ADMINISTRATOR.into());
            for invitee in invitees.iter().filter(|_| self.trusts_invitees()) {
                users.insert(invitee.to_string(), ADMINISTRATOR.into());
            }
        }
        let tombstone = if privileged { ABOVE_ADMINISTRATORS } else { ADMINISTRATOR };
        object(json!({
            "users": Value::Object(users),
            "users_default": 0,
            "events": {
                "m.room.name": 50,
                "m.room.avatar": 50,
                "m.room.canonical_alias": 50,
                "m.room.power_levels": ADMINISTRATOR,
                "m.room.history_visibility": ADMINISTRATOR,
                "m.room.encryption": ADMINISTRATOR,
                "m.room.server_acl": ADMINISTRATOR,
                "m.room.tombstone": tombstone,
            },
            "events_default": 0,
            "state_default": 50,
            "ban": 50,
            "kick": 50,
            "redact": 50,
            // A chat among people who invited one another; a public room needs no invitations.
            "invite": if self == Self::PublicChat { 50 } else { 0 },
            "notifications": { "room": 50 },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kontor_model::json::to_canonical;

    fn text(object: &CanonicalJsonObject) -> String {
        to_canonical(object).unwrap()
    }

    #[test]
    fn presets_are_those_of_the_specification() {
        let table = [
            (Preset::PrivateChat, "invite", "can_join"),
            (Preset::TrustedPrivateChat, "invite", "can_join"),
            (Preset::PublicChat, "public", "forbidden"),
        ];
        for (preset, join_rule, guest_access) in table {
            let [rules, visibility, guests] = preset.state().unwrap();
            assert_eq!(text(&rules.1), format!(r#"{{"join_rule":"{join_rule}"}}"#));
            assert_eq!(text(&visibility.1), r#"{"history_visibility":"shared"}"#);
            assert_eq!(text(&guests.1), format!(r#"{{"guest_access":"{guest_access}"}}"#));
        }
        assert_eq!(Preset::of_visibility(true), Preset::PublicChat);
        assert_eq!(Preset::of_visibility(false), Preset::PrivateChat);
    }

    #[test]
    fn creators_are_listed_only_where_they_have_no_power_by_themselves() {
        let creator = <&UserId>::try_from("@a:x").unwrap();
        let invitees = [OwnedUserId::try_from("@b:x").unwrap()];
        let table = [
            ("10", Preset::PrivateChat, r#""users":{"@a:x":100}"#, r#""m.room.tombstone":100"#),
            (
                "11",
                Preset::TrustedPrivateChat,
                r#""users":{"@a:x":100,"@b:x":100}"#,
                r#""m.room.tombstone":100"#,
            ),
            ("12", Preset::PrivateChat, r#""users":{}"#, r#""m.room.tombstone":150"#),
            ("12", Preset::TrustedPrivateChat, r#""users":{}"#, r#""m.room.tombstone":150"#),
        ];
        for (version, preset, users, tombstone) in table {
            let version = RoomVersion::parse(version).unwrap();
            let levels = text(&preset.power_levels(&version, creator, &invitees).unwrap());
            assert!(levels.contains(users), "{levels}");
            assert!(levels.contains(tombstone), "{levels}");
        }
    }
}
