//! The events that a new room starts with, in the order of the specification
//! (client-server API, "POST /createRoom").

use crate::content::object;
use crate::head::{Head, StateMap};
use crate::member::{Membership, Person};
use crate::presets::Preset;
use kontor_model::{Code, Draft, Error, Ms, Nid, Result, RoomVersion};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedRoomAliasId, OwnedRoomId, OwnedUserId};
use serde_json::json;
use std::sync::Arc;

/// A state event that the maker of a room asks for.
#[derive(Clone, Debug)]
pub struct InitialState {
    /// Event type.
    pub kind: String,
    /// State key.
    pub state_key: String,
    /// Content.
    pub content: CanonicalJsonObject,
}

/// A room to be made.
#[derive(Clone, Debug)]
pub struct Creation {
    /// Who makes it.
    pub creator: Person,
    /// Its version.
    pub version: RoomVersion,
    /// What it starts with.
    pub preset: Preset,
    /// Its first alias.
    pub alias: Option<OwnedRoomAliasId>,
    /// Further content of the create event.
    pub creation_content: CanonicalJsonObject,
    /// Replaces top-level fields of the preset's power levels.
    pub power_levels: CanonicalJsonObject,
    /// Replaces the preset's state, and adds to it.
    pub initial_state: Vec<InitialState>,
    /// Its name.
    pub name: Option<String>,
    /// Its topic, plain text.
    pub topic: Option<String>,
    /// Who is invited at once.
    pub invitees: Vec<Person>,
    /// Whether the invitations say that this is a direct chat.
    pub is_direct: bool,
    /// When.
    pub now: Ms,
}

/// A room without events, for [`crate::Chain::create`]. A version-12 room gets its id from its
/// create event; until then it has the one given here.
pub fn empty(room: Nid, room_id: OwnedRoomId, version: RoomVersion) -> Head {
    Head {
        room,
        room_id,
        version,
        revision: 0,
        depth: 0,
        extremities: Vec::new(),
        linear: true,
        snapshot: None,
        state: Arc::new(StateMap::new()),
    }
}

impl Creation {
    /// The events up to the invitations.
    ///
    /// # Errors
    /// `InvalidRoomState` for initial state that only the server or the invited may set;
    /// `BadAlias` for a canonical alias that does not point here; `BadJson` for texts that cannot
    /// be part of an event.
    pub fn state(&self) -> Result<Vec<Draft>> {
        self.check_initial_state()?;
        let member =
            Membership { membership: "join", profile: Some(&self.creator.profile), ..Membership::default() };
        let mut drafts = vec![
            self.draft("m.room.create", "", self.create_content()?),
            self.draft("m.room.member", self.creator.user_id.as_str(), member.content()),
            self.draft("m.room.power_levels", "", self.power_content()?),
        ];
        if let Some(alias) = &self.alias {
            let content = object(json!({ "alias": alias.as_str() }))?;
            drafts.push(self.draft("m.room.canonical_alias", "", content));
        }
        for (kind, content) in self.preset.state()? {
            if !self.initial_state.iter().any(|state| state.kind == kind && state.state_key.is_empty()) {
                drafts.push(self.draft(kind, "", content));
            }
        }
        for state in &self.initial_state {
            drafts.push(self.draft(&state.kind, &state.state_key, state.content.clone()));
        }
        if let Some(name) = &self.name {
            drafts.push(self.draft("m.room.name", "", object(json!({ "name": name }))?));
        }
        if let Some(topic) = &self.topic {
            let rich = json!({ "m.text": [{ "body": topic, "mimetype": "text/plain" }] });
            let content = object(json!({ "topic": topic, "m.topic": rich }))?;
            drafts.push(self.draft("m.room.topic", "", content));
        }
        Ok(drafts)
    }

    /// The invitations.
    pub fn invitations(&self) -> Vec<Draft> {
        let invitation = |person: &Person| {
            let member = Membership {
                membership: "invite",
                profile: Some(&person.profile),
                reason: None,
                is_direct: self.is_direct,
            };
            self.draft("m.room.member", person.user_id.as_str(), member.content())
        };
        self.invitees.iter().map(invitation).collect()
    }

    fn draft(&self, kind: &str, key: &str, content: CanonicalJsonObject) -> Draft {
        Draft::state(kind, key, content, self.creator.user_id.clone(), self.now)
    }

    fn invited(&self) -> Vec<OwnedUserId> {
        self.invitees.iter().map(|person| person.user_id.clone()).collect()
    }

    fn create_content(&self) -> Result<CanonicalJsonObject> {
        let rules = &self.version.rules.authorization;
        let mut content = self.creation_content.clone();
        let version = CanonicalJsonValue::String(self.version.id.to_string());
        content.insert("room_version".to_owned(), version);
        content.remove("creator");
        if !rules.use_room_create_sender {
            let creator = CanonicalJsonValue::String(self.creator.user_id.to_string());
            content.insert("creator".to_owned(), creator);
        }
        if rules.additional_room_creators && self.preset.trusts_invitees() && !self.invitees.is_empty() {
            let mut creators = match content.remove("additional_creators") {
                None => Vec::new(),
                Some(CanonicalJsonValue::Array(creators)) => creators,
                Some(_) => return Err(Error::bad_json("additional_creators must be a list of user ids.")),
            };
            for invitee in self.invited() {
                let invitee = CanonicalJsonValue::String(invitee.into());
                if !creators.contains(&invitee) {
                    creators.push(invitee);
                }
            }
            content.insert("additional_creators".to_owned(), CanonicalJsonValue::Array(creators));
        }
        Ok(content)
    }

    fn power_content(&self) -> Result<CanonicalJsonObject> {
        let creator = &self.creator.user_id;
        let mut content = self.preset.power_levels(&self.version, creator, &self.invited())?;
        content.extend(self.power_levels.clone());
        Ok(content)
    }

    fn check_initial_state(&self) -> Result<()> {
        for state in &self.initial_state {
            match state.kind.as_str() {
                "m.room.create" | "m.room.member" => {
                    return Err(Error::new(
                        Code::InvalidRoomState,
                        "initial_state may not hold the create event or members. Use creation_content and invite.",
                    ));
                }
                "m.room.canonical_alias" => {
                    let aliases = crate::alias::listed(&state.content)?;
                    let own = |alias: &OwnedRoomAliasId| Some(alias) == self.alias.as_ref();
                    if let Some(other) = aliases.iter().find(|alias| !own(alias)) {
                        return Err(crate::alias::points_elsewhere(other));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{content, creation, make, person};
    use ruma::events::StateEventType;

    const VERSIONS: [&str; 3] = ["10", "11", "12"];

    fn kinds(creation: &Creation) -> Vec<String> {
        let drafts = creation.state().unwrap().into_iter().chain(creation.invitations());
        drafts.map(|draft| draft.kind.trim_start_matches("m.room.").to_owned()).collect()
    }

    fn state(kind: &str, text: &str) -> InitialState {
        InitialState { kind: kind.to_owned(), state_key: String::new(), content: content(text) }
    }

    #[test]
    fn events_come_in_the_order_of_the_specification() {
        for version in VERSIONS {
            let mut wish = creation(version, Preset::PrivateChat);
            wish.alias = Some(crate::alias::parse("#a:x").unwrap());
            wish.initial_state = vec![
                state("m.room.encryption", r#"{"algorithm":"m.megolm.v1.aes-sha2"}"#),
                state("m.room.join_rules", r#"{"join_rule":"knock"}"#),
            ];
            wish.name = Some("n".into());
            wish.topic = Some("t".into());
            wish.invitees = vec![person("@bob:x")];
            assert_eq!(
                kinds(&wish).join(" "),
                "create member power_levels canonical_alias history_visibility guest_access \
                 encryption join_rules name topic member"
            );
            let head = make(&wish).unwrap();
            let topic = head.get(&StateEventType::RoomTopic, "").unwrap().pdu.content.get().to_owned();
            assert_eq!(topic, r#"{"m.topic":{"m.text":[{"body":"t","mimetype":"text/plain"}]},"topic":"t"}"#);
        }
    }

    #[test]
    fn the_create_event_is_that_of_the_version() {
        let create = |version: &str| {
            let mut wish = creation(version, Preset::TrustedPrivateChat);
            wish.creation_content = content(
                r#"{"m.federate":false,"creator":"@x:x","room_version":"1","additional_creators":["@bob:x"]}"#,
            );
            wish.invitees = vec![person("@bob:x"), person("@carl:x")];
            let head = make(&wish).unwrap();
            let levels = head.powers();
            let equal = levels.of_user("@anna:x") == levels.of_user("@carl:x");
            (head.get(&StateEventType::RoomCreate, "").unwrap().pdu.content.get().to_owned(), equal)
        };
        let listed = r#""additional_creators":["@bob:x"]"#;
        let ten = format!(r#"{{{listed},"creator":"@anna:x","m.federate":false,"room_version":"10"}}"#);
        assert_eq!(create("10"), (ten, true));
        assert_eq!(create("11"), (format!(r#"{{{listed},"m.federate":false,"room_version":"11"}}"#), true));
        let all = r#""additional_creators":["@bob:x","@carl:x"]"#;
        assert_eq!(create("12"), (format!(r#"{{{all},"m.federate":false,"room_version":"12"}}"#), true));
    }

    #[test]
    fn contradictory_state_is_refused_by_the_rules() {
        for version in VERSIONS {
            let mut wish = creation(version, Preset::PrivateChat);
            wish.name = Some("n".into());
            // Of a version-12 creator no level takes the power away; a creator named there does harm.
            let levels =
                if version == "12" { r#"{"users":{"@anna:x":100}}"# } else { r#"{"users":{"@anna:x":10}}"# };
            wish.power_levels = content(levels);
            assert!(make(&wish).is_err(), "{version}");
            let mut wish = creation(version, Preset::PrivateChat);
            wish.initial_state = vec![state("m.room.member", r#"{"membership":"join"}"#)];
            assert_eq!(make(&wish).unwrap_err().code, Code::InvalidRoomState);
            let mut wish = creation(version, Preset::PrivateChat);
            wish.initial_state = vec![state("m.room.canonical_alias", r##"{"alias":"#a:x"}"##)];
            assert_eq!(make(&wish).unwrap_err().code, Code::BadAlias);
        }
    }

    #[test]
    fn room_ids_are_hashes_since_version_12() {
        assert_eq!(make(&creation("11", Preset::PrivateChat)).unwrap().room_id, "!room:x");
        let head = make(&creation("12", Preset::PrivateChat)).unwrap();
        let create = &head.get(&StateEventType::RoomCreate, "").unwrap().pdu.event_id;
        assert_eq!(head.room_id.as_str().get(1..), create.as_str().get(1..));
        assert!(!head.room_id.as_str().contains(':'));
    }
}
