//! What a person set for a room that was replaced goes along into the new room: tags, direct chats,
//! push rules (client-server API, "Room upgrades").
//!
//! Best effort: the person is in the new room either way, and can set all of it again.

use crate::Flows;
use kontor_identity::account_data::TAGS;
use kontor_identity::push::edit::Edit;
use kontor_model::{Error, Nid, Requester, Result};
use kontor_rooms::Head;
use kontor_store::Change;
use kontor_store::identity::account_data;
use kontor_store::rooms::events::{self, Asker, EventRow};
use kontor_store::rooms::{members, state};
use ruma::events::StateEventType;
use ruma::push::{NewConditionalPushRule, NewPushRule, NewSimplePushRule, PushCondition, Ruleset};
use ruma::{OwnedRoomId, RoomId};
use serde_json::Value;
use std::sync::Arc;

/// Account data with the rooms of direct chats.
const DIRECT: &str = "m.direct";

/// The room that a room replaced, if it says so.
fn predecessor(head: &Head) -> Option<OwnedRoomId> {
    #[derive(serde::Deserialize)]
    struct Create {
        predecessor: Predecessor,
    }
    #[derive(serde::Deserialize)]
    struct Predecessor {
        room_id: OwnedRoomId,
    }
    head.content::<Create>(&StateEventType::RoomCreate, "").map(|create| create.predecessor.room_id)
}

impl Flows {
    /// Carries over into a room that the user has just joined what was set for the one it replaced.
    pub(crate) async fn carry_over_into(&self, user: &Requester, room_id: &RoomId) {
        let Ok(head) = self.rooms.lanes.peek(room_id).await else { return };
        let Some(old_id) = predecessor(&head) else { return };
        // Anybody can claim to replace any room: the old one must say so too.
        if let Ok(Some(old)) = self.replaced_by(user, &old_id, room_id).await {
            self.carry_over(user, (old, &old_id), (head.room, room_id)).await;
        }
    }

    /// The numeric id of a room that the user is in, if it says that the other one replaced it.
    async fn replaced_by(&self, user: &Requester, old: &RoomId, new: &RoomId) -> Result<Option<Nid>> {
        #[derive(serde::Deserialize)]
        struct Tombstone {
            replacement_room: OwnedRoomId,
        }
        let mut reader = self.store.reader();
        let mine = members::membership_of(&mut reader, old.as_str(), user.user).await?;
        let Some(mine) = mine.filter(|mine| mine.membership == "join") else { return Ok(None) };
        let tombstone = state::current_event(&mut reader, mine.room, "m.room.tombstone", "").await?;
        let asker = Asker { user: user.user, device: user.device_id.as_str() };
        let rows = events::by_nids(&mut reader, asker, &tombstone.into_iter().collect::<Vec<_>>()).await?;
        let says = |row: &Arc<EventRow>| {
            serde_json::from_str::<Tombstone>(row.content.get())
                .is_ok_and(|tombstone| tombstone.replacement_room == *new)
        };
        Ok(rows.iter().any(says).then_some(mine.room))
    }

    /// Carries over what the user set for one room into another.
    pub(crate) async fn carry_over(&self, user: &Requester, from: (Nid, &RoomId), to: (Nid, &RoomId)) {
        let done = async {
            self.carry_data(user, from, to).await?;
            self.carry_rules(user, from.1, to.1).await
        };
        if let Err(error) = done.await {
            tracing::warn!(room.id = %to.1, error.cause = ?error, "tags or rules of a replaced room stay behind");
        }
    }

    async fn carry_data(&self, user: &Requester, from: (Nid, &RoomId), to: (Nid, &RoomId)) -> Result<()> {
        let mut reader = self.store.reader();
        let mut change = Change::default();
        let new = account_data::one(&mut reader, user.user, Some(to.0), TAGS).await?;
        let old = account_data::one(&mut reader, user.user, Some(from.0), TAGS).await?;
        if let Some(old) = old.filter(|_| new.is_none()) {
            change.expect_account_data(user.user, Some(to.0), TAGS, None);
            change.set_account_data(user.user, Some(to.0), TAGS, &old.content);
        }
        let direct = account_data::one(&mut reader, user.user, None, DIRECT).await?;
        if let Some(direct) = direct
            && let Some(content) = with_direct(&direct.content, from.1.as_str(), to.1.as_str())
        {
            change.expect_account_data(user.user, None, DIRECT, Some(&direct));
            change.set_account_data(user.user, None, DIRECT, &content);
        }
        if change.is_empty() {
            return Ok(());
        }
        self.store.submit(change).await.map(|_| ())
    }

    async fn carry_rules(&self, user: &Requester, from: &RoomId, to: &RoomId) -> Result<()> {
        let rules = self.identity.push_rules(user).await?;
        for rule in moved(&rules, from, to) {
            let edit = Edit::Put { rule, after: None, before: None };
            let change = self.identity.change_push_rules(user, &edit).await?;
            self.store.submit(change).await?;
        }
        Ok(())
    }
}

/// The rules about one room, written for another. An override rule that is named after a room is how
/// clients silence it.
fn moved(rules: &Ruleset, from: &RoomId, to: &RoomId) -> Vec<NewPushRule> {
    let mut moved = Vec::new();
    for rule in rules.room.iter().filter(|rule| rule.rule_id == *from) {
        let rule = NewSimplePushRule::new(to.to_owned(), rule.actions.clone());
        moved.push(NewPushRule::Room(rule));
    }
    for rule in rules.override_.iter().filter(|rule| rule.rule_id == from.as_str()) {
        let conditions = rule.conditions.iter().map(|condition| about(condition, from, to)).collect();
        let rule = NewConditionalPushRule::new(to.to_string(), conditions, rule.actions.clone());
        moved.push(NewPushRule::Override(rule));
    }
    moved
}

fn about(condition: &PushCondition, from: &RoomId, to: &RoomId) -> PushCondition {
    let rewritten = serde_json::to_value(condition).ok().and_then(|mut value| {
        let fields = value.as_object_mut()?;
        let pattern = fields.get_mut("pattern").filter(|pattern| pattern.as_str() == Some(from.as_str()))?;
        *pattern = Value::from(to.as_str());
        serde_json::from_value(value).map_err(Error::internal).ok()
    });
    rewritten.unwrap_or_else(|| condition.clone())
}

/// The rooms of direct chats with the new room beside the old one; `None` when that was none.
fn with_direct(content: &str, from: &str, to: &str) -> Option<String> {
    let mut people: serde_json::Map<String, Value> = serde_json::from_str(content).ok()?;
    let mut changed = false;
    for rooms in people.values_mut().filter_map(Value::as_array_mut) {
        let holds = |room: &str| rooms.iter().any(|value| value.as_str() == Some(room));
        if holds(from) && !holds(to) {
            rooms.push(to.into());
            changed = true;
        }
    }
    changed.then(|| Value::Object(people).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruma::room_id;

    #[test]
    fn a_direct_chat_stays_one() {
        let content = r#"{"@a:x":["!old","!b"],"@c:x":["!d"],"@e:x":7}"#;
        let added = with_direct(content, "!old", "!new").unwrap();
        assert_eq!(added, r#"{"@a:x":["!old","!b","!new"],"@c:x":["!d"],"@e:x":7}"#);
        assert_eq!(with_direct(&added, "!old", "!new"), None);
        assert_eq!(with_direct("[]", "!old", "!new"), None);
    }

    #[test]
    fn rules_about_a_room_are_written_for_the_other() {
        let rules: Ruleset = serde_json::from_str(
            r#"{"room":[{"rule_id":"!old:x","default":false,"enabled":true,"actions":["notify"]}],
                "override":[{"rule_id":"!old:x","default":false,"enabled":true,"actions":[],
                  "conditions":[{"kind":"event_match","key":"room_id","pattern":"!old:x"}]},
                  {"rule_id":"other","default":false,"enabled":true,"actions":[],"conditions":[]}]}"#,
        )
        .unwrap();
        let moved = moved(&rules, room_id!("!old:x"), room_id!("!new:x"));
        assert_eq!(moved.len(), 2);
        let NewPushRule::Override(silence) = &moved[1] else { panic!() };
        let condition = serde_json::to_string(&silence.conditions).unwrap();
        assert!(silence.rule_id == "!new:x" && condition.contains("!new:x"), "{condition}");
    }
}
