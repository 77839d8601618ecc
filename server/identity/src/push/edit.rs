//! Reading and changing a user's rules.

use super::{modes, ruleset};
use crate::Identity;
use kontor_model::glob::Glob;
use kontor_model::ids::MAX_ID_BYTES;
use kontor_model::{Code, Error, Requester, Result};
use kontor_store::Change;
use kontor_store::identity::{account_data, push};
use ruma::push::{
    Action, InsertPushRuleError, NewConditionalPushRule, NewPatternedPushRule, NewPushRule,
    NewSimplePushRule, PushCondition, RemovePushRuleError, RuleKind, Ruleset,
};
use ruma::{RoomId, UserId};
use serde::Deserialize;
use serde_json::Value;

/// Rules that a user may add.
const MOST_RULES: usize = 500;
/// Conditions of a rule.
const MOST_CONDITIONS: usize = 20;
/// Actions of a rule.
const MOST_ACTIONS: usize = 10;
/// All stored rules of a user, bytes of JSON.
const MOST_BYTES: usize = 262_144;

/// A change of a user's rules.
#[derive(Clone, Debug)]
pub enum Edit {
    /// Adds a rule or replaces one.
    Put {
        /// The rule.
        rule: NewPushRule,
        /// The rule that it shall be next to, after it.
        after: Option<String>,
        /// The rule that it shall be next to, before it.
        before: Option<String>,
    },
    /// Takes a rule out.
    Delete {
        /// Its kind.
        kind: RuleKind,
        /// Its id.
        rule_id: String,
    },
    /// Switches a rule.
    Enable {
        /// Its kind.
        kind: RuleKind,
        /// Its id.
        rule_id: String,
        /// Whether it is asked.
        enabled: bool,
    },
    /// Gives a rule other actions.
    Act {
        /// Its kind.
        kind: RuleKind,
        /// Its id.
        rule_id: String,
        /// The actions.
        actions: Vec<Action>,
    },
}

/// The error for a rule that is not there.
pub fn no_such_rule() -> Error {
    Error::new(Code::NotFound, "There is no such push rule.")
}

/// Reads a kind of rule as it stands in addresses.
///
/// # Errors
/// `InvalidParam` for anything but the five kinds.
pub fn kind(text: &str) -> Result<RuleKind> {
    match text {
        "override" => Ok(RuleKind::Override),
        "underride" => Ok(RuleKind::Underride),
        "sender" => Ok(RuleKind::Sender),
        "room" => Ok(RuleKind::Room),
        "content" => Ok(RuleKind::Content),
        _ => Err(Error::invalid_param("There is no such kind of push rule.")),
    }
}

/// Reads the list of actions of a rule. Actions of old versions of the specification are dropped.
///
/// # Errors
/// `InvalidParam` for actions that are none.
pub fn actions(list: Vec<Value>) -> Result<Vec<Action>> {
    let refused = || Error::invalid_param("An action of the push rule is not \"notify\" or a \"set_tweak\".");
    if list.len() > MOST_ACTIONS {
        return Err(Error::invalid_param("The push rule has too many actions."));
    }
    let historical = |action: &Value| matches!(action.as_str(), Some("dont_notify" | "coalesce"));
    let read = |action: Value| {
        let known =
            action.as_str() == Some("notify") || action.get("set_tweak").is_some_and(Value::is_string);
        if !known {
            return Err(refused());
        }
        Action::deserialize(action).map_err(|cause| refused().because(cause))
    };
    list.into_iter().filter(|action| !historical(action)).map(read).collect()
}

/// Reads a rule from the body of a request.
///
/// # Errors
/// `MissingParam` without what the kind needs; `InvalidParam` for ids, patterns and actions that
/// cannot be stored; `BadJson` for conditions that are none.
pub fn rule(kind: &RuleKind, rule_id: &str, mut body: serde_json::Map<String, Value>) -> Result<NewPushRule> {
    if rule_id.is_empty() || rule_id.starts_with('.') || rule_id.contains(['/', '\\', '\0']) {
        return Err(Error::invalid_param(
            "The id of a push rule may not begin with a dot nor hold slashes or backslashes.",
        ));
    }
    if rule_id.len() > MAX_ID_BYTES {
        return Err(Error::invalid_param("The id of the push rule is longer than 255 bytes."));
    }
    let missing = |what: &str| Error::new(Code::MissingParam, format!("The push rule has no {what}."));
    let Some(Value::Array(list)) = body.remove("actions") else { return Err(missing("actions")) };
    let actions = actions(list)?;
    Ok(match kind {
        RuleKind::Room => {
            let room = RoomId::parse(rule_id)
                .map_err(|_| Error::invalid_param("The id of a room rule must be a room id."))?;
            NewPushRule::Room(NewSimplePushRule::new(room, actions))
        }
        RuleKind::Sender => {
            NewPushRule::Sender(NewSimplePushRule::new(kontor_model::ids::user_id(rule_id)?, actions))
        }
        RuleKind::Content => {
            let Some(Value::String(pattern)) = body.remove("pattern") else { return Err(missing("pattern")) };
            check_pattern("content.body", &pattern)?;
            NewPushRule::Content(NewPatternedPushRule::new(rule_id.to_owned(), pattern, actions))
        }
        _ => {
            let conditions =
                conditions(body.remove("conditions").unwrap_or_else(|| Value::Array(Vec::new())))?;
            let rule = NewConditionalPushRule::new(rule_id.to_owned(), conditions, actions);
            if *kind == RuleKind::Override {
                NewPushRule::Override(rule)
            } else {
                NewPushRule::Underride(rule)
            }
        }
    })
}

fn conditions(list: Value) -> Result<Vec<PushCondition>> {
    let conditions: Vec<PushCondition> = serde_json::from_value(list).map_err(|cause| {
        Error::bad_json(format!("A condition of the push rule is malformed: {cause}.")).because(cause)
    })?;
    if conditions.len() > MOST_CONDITIONS {
        return Err(Error::invalid_param("The push rule has too many conditions."));
    }
    for condition in &conditions {
        if let PushCondition::EventMatch(data) = condition {
            check_pattern(&data.key, &data.pattern)?;
        }
    }
    Ok(conditions)
}

fn check_pattern(key: &str, pattern: &str) -> Result<()> {
    let whole = key != "content.body" && !pattern.contains(['*', '?']);
    if if whole { pattern.len() <= MAX_ID_BYTES } else { Glob::new(&pattern.to_lowercase()).is_some() } {
        return Ok(());
    }
    Err(Error::invalid_param("The pattern of the push rule is too long; 127 letters are allowed."))
}

impl Edit {
    fn apply(&self, rules: &mut Ruleset) -> Result<()> {
        match self {
            Self::Put { rule, after, before } => {
                let put = rules.insert(rule.clone(), after.as_deref(), before.as_deref());
                put.map_err(|cause| {
                    let message = match cause {
                        InsertPushRuleError::UnknownRuleId => {
                            "There is no rule with the id given as before or after."
                        }
                        InsertPushRuleError::RelativeToServerDefaultRule => {
                            "A rule cannot be put before or after one of the server's own."
                        }
                        InsertPushRuleError::BeforeHigherThanAfter => {
                            "The rule cannot be both before and after these."
                        }
                        _ => "The id of the push rule is not allowed.",
                    };
                    Error::invalid_param(message).because(cause)
                })
            }
            Self::Delete { kind, rule_id } => {
                rules.remove(kind.clone(), rule_id).map_err(|cause| match cause {
                    RemovePushRuleError::ServerDefault => {
                        Error::invalid_param("The server's own push rules can be switched off, not deleted.")
                    }
                    _ => no_such_rule(),
                })
            }
            Self::Enable { kind, rule_id, enabled } => {
                rules.set_enabled(kind.clone(), rule_id, *enabled).map_err(|_| no_such_rule())
            }
            Self::Act { kind, rule_id, actions } => {
                rules.set_actions(kind.clone(), rule_id, actions.clone()).map_err(|_| no_such_rule())
            }
        }
    }
}

fn own_rules(rules: &Ruleset) -> usize {
    rules.iter().filter(|rule| !rule.is_server_default()).count()
}

impl Identity {
    /// The rules of a user, the server's own included.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn push_rules(&self, user: &Requester) -> Result<Ruleset> {
        let stored = account_data::one(&mut self.store.reader(), user.user, None, ruleset::KIND).await?;
        ruleset::load(&user.user_id, stored.as_ref().map(|stored| stored.content.as_str()))
    }

    /// Plans a change of a user's rules. `Conflict` on submission means that another device changed
    /// them meanwhile: plan again.
    ///
    /// # Errors
    /// `NotFound` without such a rule; `InvalidParam` for a place that does not exist;
    /// `TooLarge` with too many rules.
    pub async fn change_push_rules(&self, user: &Requester, edit: &Edit) -> Result<Change> {
        let stored = account_data::one(&mut self.store.reader(), user.user, None, ruleset::KIND).await?;
        let user_id: &UserId = &user.user_id;
        let mut rules = ruleset::load(user_id, stored.as_ref().map(|stored| stored.content.as_str()))?;
        let before = own_rules(&rules);
        edit.apply(&mut rules)?;
        let count = own_rules(&rules);
        let stored_modes = push::modes(&mut self.store.reader(), user.user).await?;
        let modes = modes::to_store(modes::modes(user_id, &rules), &stored_modes);
        let content = ruleset::store(user_id, rules)?;
        if (count > before && count > MOST_RULES) || content.len() > MOST_BYTES {
            return Err(Error::new(Code::TooLarge, "You have too many push rules. Delete some first."));
        }
        let mut change = Change::default();
        change.expect_account_data(user.user, None, ruleset::KIND, stored.as_ref());
        change.set_account_data(user.user, None, ruleset::KIND, &content);
        change.replace_push_modes(user.user, &modes);
        Ok(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::House;
    use serde_json::json;

    fn body(value: Value) -> serde_json::Map<String, Value> {
        match value {
            Value::Object(body) => body,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn malformed_rules_are_refused() {
        let notify = || json!({"actions": ["notify"], "pattern": "x"});
        let cases = [
            (RuleKind::Content, ".x", notify(), Code::InvalidParam),
            (RuleKind::Content, "a/b", notify(), Code::InvalidParam),
            (RuleKind::Content, r"a\b", notify(), Code::InvalidParam),
            (RuleKind::Content, "x", json!({"actions": ["notify"]}), Code::MissingParam),
            (RuleKind::Content, "x", json!({"pattern": "x"}), Code::MissingParam),
            (RuleKind::Content, "x", json!({"actions": ["stomp"], "pattern": "x"}), Code::InvalidParam),
            (RuleKind::Content, "x", json!({"actions": [{"a": 1}], "pattern": "x"}), Code::InvalidParam),
            (RuleKind::Content, "x", json!({"actions": [], "pattern": "a".repeat(200)}), Code::InvalidParam),
            (RuleKind::Room, "nowhere", notify(), Code::InvalidParam),
            (RuleKind::Sender, "nobody", notify(), Code::InvalidParam),
            (RuleKind::Override, "x", json!({"actions": [], "conditions": [{}]}), Code::BadJson),
            (RuleKind::Override, "x", json!({"actions": [], "conditions": {}}), Code::BadJson),
        ];
        for (kind, id, value, code) in cases {
            assert_eq!(rule(&kind, id, body(value.clone())).unwrap_err().code, code, "{kind} {id} {value}");
        }
        let old =
            rule(&RuleKind::Content, "x", body(json!({"actions": ["dont_notify"], "pattern": "x"}))).unwrap();
        let NewPushRule::Content(old) = old else { panic!() };
        assert!(old.actions.is_empty());
        assert!(rule(&RuleKind::Override, "x", body(json!({"actions": []}))).is_ok());
    }

    async fn apply(house: &House, user: &Requester, edit: Edit) -> Result<()> {
        let change = house.identity.change_push_rules(user, &edit).await?;
        house.store.submit(change).await.map(|_| ())
    }

    fn put(id: &str, after: Option<&str>, before: Option<&str>) -> Edit {
        let rule = rule(&RuleKind::Content, id, body(json!({"actions": ["notify"], "pattern": id}))).unwrap();
        Edit::Put { rule, after: after.map(str::to_owned), before: before.map(str::to_owned) }
    }

    #[tokio::test]
    async fn rules_are_added_ordered_switched_and_deleted() {
        let house = House::new(|_| {}).await;
        let me = house.somebody("@me:localhost").await;
        for (id, after, before) in
            [("a", None, None), ("b", None, None), ("c", Some("b"), None), ("d", None, Some("b"))]
        {
            apply(&house, &me, put(id, after, before)).await.unwrap();
        }
        let order = |rules: &Ruleset| rules.content.iter().map(|r| r.rule_id.clone()).collect::<Vec<_>>();
        assert_eq!(order(&house.identity.push_rules(&me).await.unwrap()), ["d", "b", "c", "a"]);
        for (after, before) in
            [(Some("x"), None), (None, Some("x")), (Some(".m.rule.master"), None), (Some("a"), Some("b"))]
        {
            let refused = apply(&house, &me, put("e", after, before)).await.unwrap_err();
            assert_eq!(refused.code, Code::InvalidParam, "{after:?} {before:?}");
        }
        let (kind, gone) = (RuleKind::Content, "a".to_owned());
        apply(&house, &me, Edit::Delete { kind: kind.clone(), rule_id: gone.clone() }).await.unwrap();
        let again = apply(&house, &me, Edit::Delete { kind: kind.clone(), rule_id: gone }).await;
        assert_eq!(again.unwrap_err().code, Code::NotFound);
        let off = Edit::Enable { kind: kind.clone(), rule_id: "b".into(), enabled: false };
        apply(&house, &me, off).await.unwrap();
        apply(&house, &me, Edit::Act { kind, rule_id: "b".into(), actions: Vec::new() }).await.unwrap();
        let rules = house.identity.push_rules(&me).await.unwrap();
        let b = rules.content.get("b").unwrap();
        assert!(!b.enabled && b.actions.is_empty());
        apply(&house, &me, put("b", None, None)).await.unwrap();
        let rules = house.identity.push_rules(&me).await.unwrap();
        assert!(!rules.content.get("b").unwrap().enabled, "stays switched off");
        let default = Edit::Delete { kind: RuleKind::Override, rule_id: ".m.rule.master".into() };
        assert_eq!(apply(&house, &me, default).await.unwrap_err().code, Code::InvalidParam);
    }

    #[tokio::test]
    async fn of_two_devices_that_change_rules_at_once_one_plans_again() {
        let house = House::new(|_| {}).await;
        let me = house.somebody("@me:localhost").await;
        let first = house.identity.change_push_rules(&me, &put("a", None, None)).await.unwrap();
        let second = house.identity.change_push_rules(&me, &put("b", None, None)).await.unwrap();
        house.store.submit(first).await.unwrap();
        assert!(house.store.submit(second).await.unwrap_err().is_conflict());
        apply(&house, &me, put("b", None, None)).await.unwrap();
        assert_eq!(house.identity.push_rules(&me).await.unwrap().content.len(), 2);
    }
}
