//! What a user may do in a room, as far as it is decided before an event exists.
//!
//! The authorisation rules have the last word; this is for questions that they do not ask, such as
//! "may this user redact the message of another".

use crate::head::Head;
use ruma::events::StateEventType;
use serde::Deserialize;
use std::collections::HashMap;

/// Powers of a room: its power-level event with the defaults of the specification.
#[derive(Clone, Debug)]
pub struct Powers {
    levels: Levels,
    creators: Vec<String>,
    privileged_creators: bool,
    present: bool,
}

/// Old rooms write levels as strings; new ones may not.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum Level {
    Number(i64),
    Text(TextLevel),
}

#[derive(Clone, Copy, Debug)]
struct TextLevel(i64);

impl<'de> Deserialize<'de> for TextLevel {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.trim().parse().map(Self).map_err(serde::de::Error::custom)
    }
}

impl Level {
    fn get(self) -> i64 {
        match self {
            Self::Number(number) => number,
            Self::Text(text) => text.0,
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Levels {
    users: HashMap<String, Level>,
    events: HashMap<String, Level>,
    users_default: Option<Level>,
    events_default: Option<Level>,
    state_default: Option<Level>,
    redact: Option<Level>,
    kick: Option<Level>,
    ban: Option<Level>,
    invite: Option<Level>,
    notifications: HashMap<String, Level>,
}

/// Acts whose level has a name of its own in the power-level event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Redact somebody else's event.
    Redact,
    /// Remove a member.
    Kick,
    /// Ban a user.
    Ban,
    /// Invite a user.
    Invite,
    /// Notify everybody with `@room`.
    NotifyRoom,
}

impl Powers {
    pub(crate) fn of(head: &Head) -> Self {
        #[derive(Default, Deserialize)]
        struct Create {
            creator: Option<String>,
            #[serde(default)]
            additional_creators: Vec<String>,
        }
        let levels = head.content::<Levels>(&StateEventType::RoomPowerLevels, "");
        let create = head.content::<Create>(&StateEventType::RoomCreate, "").unwrap_or_default();
        let sender = head.get(&StateEventType::RoomCreate, "").map(|entry| entry.pdu.sender.to_string());
        let rules = &head.version.rules.authorization;
        let mut creators: Vec<String> =
            if rules.use_room_create_sender { sender } else { create.creator }.into_iter().collect();
        if rules.additional_room_creators {
            creators.extend(create.additional_creators);
        }
        Self {
            present: levels.is_some(),
            levels: levels.unwrap_or_default(),
            creators,
            privileged_creators: rules.explicitly_privilege_room_creators,
        }
    }

    /// A user's level. Creators of version-12 rooms stand above every number.
    pub fn of_user(&self, user: &str) -> i64 {
        let creator = self.creators.iter().any(|creator| creator == user);
        if creator && self.privileged_creators {
            return i64::MAX;
        }
        if !self.present {
            return if creator { 100 } else { 0 };
        }
        let level = self.levels.users.get(user).copied().or(self.levels.users_default);
        level.map_or(0, Level::get)
    }

    /// The users whom the power levels and the create event name.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        self.creators.iter().chain(self.levels.users.keys()).map(String::as_str)
    }

    /// The level that an act takes.
    pub fn needed(&self, act: Act) -> i64 {
        let (level, default) = match act {
            Act::Redact => (self.levels.redact, 50),
            Act::Kick => (self.levels.kick, 50),
            Act::Ban => (self.levels.ban, 50),
            Act::Invite => (self.levels.invite, 0),
            Act::NotifyRoom => (self.levels.notifications.get("room").copied(), 50),
        };
        level.map_or(default, Level::get)
    }

    /// Whether a user may do it.
    pub fn may(&self, user: &str, act: Act) -> bool {
        self.of_user(user) >= self.needed(act)
    }

    /// The level that sending a state event of a type takes.
    pub fn needed_for_state(&self, kind: &str) -> i64 {
        let own = self.levels.events.get(kind).copied().or(self.levels.state_default);
        own.map_or(if self.present { 50 } else { 0 }, Level::get)
    }
}
