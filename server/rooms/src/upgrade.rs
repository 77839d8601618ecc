//! Replacing a room by one of another version: what the new room begins with, and what the old one
//! ends with (client-server API, "Room upgrades").

use crate::content::object;
use crate::head::Head;
use crate::member::{Membership, Person};
use crate::presets::Preset;
use kontor_model::{Draft, Ms, Result, RoomVersion};
use ruma::events::StateEventType;
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, EventId, Int, OwnedRoomAliasId, OwnedUserId, RoomId, UserId,
};
use serde_json::json;

/// State that the new room repeats, with the empty state key, in the order in which it is set.
/// Power levels and aliases have rules of their own.
pub const REPEATED: [&str; 10] = [
    "m.room.join_rules",
    "m.room.history_visibility",
    "m.room.guest_access",
    "m.room.server_acl",
    "m.room.encryption",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "dev.kontor.conversation",
    "dev.kontor.context",
];

/// Fields of the create event that the new room repeats.
const KEPT_OF_CREATE: [&str; 2] = ["type", "m.federate"];

/// The level that a room's usual creators have, and so the one who upgrades, for as long as the new
/// room is being set up.
const ADMINISTRATOR: i64 = 100;

/// What nobody below may do in a room that was replaced, at least.
const QUIET: i64 = 50;

/// What those who still open the old room read there.
const REPLACED: &str = "This room has been replaced. · Ten pokój został zastąpiony. · Цю кімнату замінено.";

/// A room to be replaced.
pub struct Upgrade<'a> {
    /// The old room.
    pub old: &'a Head,
    /// Who replaces it.
    pub by: Person,
    /// Version of the new room.
    pub version: RoomVersion,
    /// Who else shall have a creator's power, where the version knows such people.
    pub additional_creators: Vec<OwnedUserId>,
    /// Content of the old room's state events of [`REPEATED`], by type.
    pub repeated: Vec<(&'static str, CanonicalJsonObject)>,
    /// The aliases that move to the new room.
    pub aliases: Vec<OwnedRoomAliasId>,
    /// When.
    pub now: Ms,
}

impl Upgrade<'_> {
    fn draft(&self, kind: &str, key: &str, content: CanonicalJsonObject) -> Draft {
        Draft::state(kind, key, content, self.by.user_id.clone(), self.now)
    }

    /// The event that ends the old room.
    ///
    /// # Errors
    /// None for the content written here.
    pub fn tombstone(&self, replacement: &RoomId) -> Result<Draft> {
        let content = object(json!({ "body": REPLACED, "replacement_room": replacement }))?;
        Ok(self.draft("m.room.tombstone", "", content))
    }

    /// The new room's first event. `tombstone` is named where the version's rooms have their id
    /// before their first event does; since version 12 it would be named before it exists.
    ///
    /// # Errors
    /// `BadJson` for values that cannot be part of an event.
    pub fn create(&self, tombstone: Option<&EventId>) -> Result<Draft> {
        let rules = &self.version.rules.authorization;
        let mut content = CanonicalJsonObject::new();
        let old: CanonicalJsonObject = self.old.content(&StateEventType::RoomCreate, "").unwrap_or_default();
        content.extend(old.into_iter().filter(|(field, _)| KEPT_OF_CREATE.contains(&field.as_str())));
        let mut predecessor = json!({ "room_id": self.old.room_id });
        if let (Some(tombstone), Some(fields)) = (tombstone, predecessor.as_object_mut()) {
            fields.insert("event_id".to_owned(), tombstone.as_str().into());
        }
        content.extend(object(json!({ "room_version": self.version.id, "predecessor": predecessor }))?);
        if !rules.use_room_create_sender {
            content.extend(object(json!({ "creator": self.by.user_id }))?);
        }
        let others = self.other_creators();
        if rules.additional_room_creators && !others.is_empty() {
            content.extend(object(json!({ "additional_creators": others }))?);
        }
        Ok(self.draft("m.room.create", "", content))
    }

    fn other_creators(&self) -> Vec<&OwnedUserId> {
        let mut others: Vec<_> =
            self.additional_creators.iter().filter(|user| **user != self.by.user_id).collect();
        others.sort();
        others.dedup();
        others
    }

    /// What follows the new room's first event.
    ///
    /// # Errors
    /// `BadJson` for power levels that cannot be part of an event.
    pub fn set_up(&self) -> Result<Vec<Draft>> {
        let join =
            Membership { membership: "join", profile: Some(&self.by.profile), ..Membership::default() };
        let (first, last) = self.powers()?;
        let mut drafts = vec![
            self.draft("m.room.member", self.by.user_id.as_str(), join.content()),
            self.draft("m.room.power_levels", "", first),
        ];
        for (kind, content) in &self.repeated {
            drafts.push(self.draft(kind, "", content.clone()));
        }
        if let Some((moved, _)) = self.canonical_alias() {
            drafts.push(self.draft("m.room.canonical_alias", "", moved));
        }
        drafts.extend(last.map(|last| self.draft("m.room.power_levels", "", last)));
        Ok(drafts)
    }

    /// The bans that the new room repeats, in the name of the one who replaces it. One of them may
    /// be beyond that person's power; then it is left out.
    pub fn bans(&self) -> Vec<Draft> {
        let ban = |user: &str| {
            let content = Membership { membership: "ban", ..Membership::default() }.content();
            self.draft("m.room.member", user, content)
        };
        let mut banned: Vec<&str> =
            self.old.members("ban").filter(|user| <&UserId>::try_from(*user).is_ok()).collect();
        banned.sort_unstable();
        banned.into_iter().map(ban).collect()
    }

    /// What quietens the old room; it is done if the person has the power to.
    ///
    /// # Errors
    /// `BadJson` for power levels that cannot be part of an event.
    pub fn farewell(&self) -> Result<Vec<Draft>> {
        let mut drafts = Vec::new();
        if let Some((_, left)) = self.canonical_alias() {
            drafts.push(self.draft("m.room.canonical_alias", "", left));
        }
        let levels: Option<CanonicalJsonObject> = self.old.content(&StateEventType::RoomPowerLevels, "");
        if let Some(mut levels) = levels {
            let quiet = number(levels.get("users_default")).unwrap_or(0).saturating_add(1).max(QUIET);
            let mut raised = false;
            for act in ["events_default", "invite"] {
                if number(levels.get(act)).unwrap_or(0) < quiet {
                    levels.insert(act.to_owned(), integer(quiet));
                    raised = true;
                }
            }
            if raised {
                drafts.push(self.draft("m.room.power_levels", "", levels));
            }
        }
        Ok(drafts)
    }

    /// The old room's canonical aliases, divided: those that move, and those that stay. Nothing when
    /// none moves.
    fn canonical_alias(&self) -> Option<(CanonicalJsonObject, CanonicalJsonObject)> {
        let listed: CanonicalJsonObject = self.old.content(&StateEventType::RoomCanonicalAlias, "")?;
        let moves = |value: &CanonicalJsonValue| {
            self.aliases.iter().any(|alias| value.as_str() == Some(alias.as_str()))
        };
        let (mut moved, mut left) = (listed.clone(), listed);
        if moved.get("alias").is_some_and(moves) {
            left.remove("alias");
        } else {
            moved.remove("alias");
        }
        for (part, stays) in [(&mut moved, false), (&mut left, true)] {
            if let Some(CanonicalJsonValue::Array(list)) = part.get_mut("alt_aliases") {
                list.retain(|alias| moves(alias) != stays);
                if list.is_empty() {
                    part.remove("alt_aliases");
                }
            }
        }
        (!moved.is_empty()).then_some((moved, left))
    }

    /// Power levels of the new room: while it is set up, and afterwards if those differ.
    fn powers(&self) -> Result<(CanonicalJsonObject, Option<CanonicalJsonObject>)> {
        let privileged = self.version.rules.authorization.explicitly_privilege_room_creators;
        let by = &self.by.user_id;
        let old: Option<CanonicalJsonObject> = self.old.content(&StateEventType::RoomPowerLevels, "");
        let Some(mut levels) = old.map(whole_numbers) else {
            return Ok((Preset::PrivateChat.power_levels(&self.version, by, &[])?, None));
        };
        let highest = highest(&levels);
        let mut users = match levels.remove("users") {
            Some(CanonicalJsonValue::Object(users)) => users,
            _ => CanonicalJsonObject::new(),
        };
        users.retain(|user, _| <&UserId>::try_from(user.as_str()).is_ok());
        let with = |users: CanonicalJsonObject| {
            let mut levels = levels.clone();
            levels.insert("users".to_owned(), CanonicalJsonValue::Object(users));
            levels
        };
        if privileged {
            // Creators stand above every level and may not be given one.
            users.remove(by.as_str());
            for creator in &self.additional_creators {
                users.remove(creator.as_str());
            }
            return Ok((with(users), None));
        }
        let mut meanwhile = users.clone();
        meanwhile.insert(by.to_string(), integer(highest));
        if self.old.powers().of_user(by.as_str()) == i64::MAX {
            users = meanwhile.clone();
        }
        let differ = meanwhile != users;
        Ok((with(meanwhile), differ.then(|| with(users))))
    }
}

fn integer(number: i64) -> CanonicalJsonValue {
    CanonicalJsonValue::Integer(Int::new_saturating(number))
}

fn number(value: Option<&CanonicalJsonValue>) -> Option<i64> {
    match value? {
        CanonicalJsonValue::Integer(number) => Some((*number).into()),
        CanonicalJsonValue::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Levels as every version takes them: old rooms wrote some as texts.
fn whole_numbers(levels: CanonicalJsonObject) -> CanonicalJsonObject {
    let read = |value: CanonicalJsonValue| match value {
        CanonicalJsonValue::Object(inner) => Some(CanonicalJsonValue::Object(whole_numbers(inner))),
        CanonicalJsonValue::String(_) => number(Some(&value)).map(integer),
        CanonicalJsonValue::Integer(_) => Some(value),
        _ => None,
    };
    levels.into_iter().filter_map(|(field, value)| Some((field, read(value)?))).collect()
}

/// The highest level that the event names, and at least an administrator's.
fn highest(levels: &CanonicalJsonObject) -> i64 {
    let of = |value: &CanonicalJsonValue| match value {
        CanonicalJsonValue::Object(inner) => highest(inner),
        other => number(Some(other)).unwrap_or(ADMINISTRATOR),
    };
    levels.values().map(of).max().unwrap_or(ADMINISTRATOR).max(ADMINISTRATOR)
}

#[cfg(test)]
mod tests;
