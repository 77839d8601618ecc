//! Rulesets as they are stored and shown.
//!
//! Stored is only what a user changed: own rules, and rules of the server that were switched or
//! given other actions. So rules that a later version of the server brings appear by themselves.

use kontor_model::{Error, Result};
use ruma::UserId;
use ruma::push::{AnyPushRuleRef, RuleKind, Ruleset};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Account data type of push rules.
pub const KIND: &str = "m.push_rules";

#[derive(Deserialize, Serialize)]
struct Stored {
    global: Ruleset,
}

/// The rules of a user: the stored ones, and the server's where the user left them alone.
///
/// # Errors
/// `Internal` when the archive holds something else, which would be a defect.
pub fn load(user_id: &UserId, stored: Option<&str>) -> Result<Ruleset> {
    let usual = Ruleset::server_default(user_id);
    let Some(stored) = stored else { return Ok(usual) };
    let mut rules = serde_json::from_str::<Stored>(stored).map_err(Error::internal)?.global;
    rules.update_with_server_default(usual);
    Ok(rules)
}

/// What of the rules must be stored, JSON.
///
/// # Errors
/// `Internal` when the serialiser refuses, which would be a defect.
pub(super) fn store(user_id: &UserId, mut rules: Ruleset) -> Result<String> {
    let usual = Ruleset::server_default(user_id);
    let unchanged = |kind: RuleKind, rule: AnyPushRuleRef<'_>| {
        let same = |usual: AnyPushRuleRef<'_>| {
            usual.enabled() == rule.enabled() && json!(usual.actions()) == json!(rule.actions())
        };
        rule.is_server_default() && usual.get(kind, rule.rule_id()).is_some_and(same)
    };
    rules.override_.retain(|rule| !unchanged(RuleKind::Override, AnyPushRuleRef::Override(rule)));
    rules.content.retain(|rule| !unchanged(RuleKind::Content, AnyPushRuleRef::Content(rule)));
    rules.underride.retain(|rule| !unchanged(RuleKind::Underride, AnyPushRuleRef::Underride(rule)));
    serde_json::to_string(&Stored { global: rules }).map_err(Error::internal)
}

/// The rules as clients see them: every kind is there, if empty.
pub fn shown(rules: &Ruleset) -> Value {
    let mut value = json!(rules);
    if let Value::Object(kinds) = &mut value {
        for kind in ["override", "content", "room", "sender", "underride"] {
            kinds.entry(kind).or_insert_with(|| json!([]));
        }
    }
    value
}

/// Content of the `m.push_rules` event for a user's clients.
///
/// # Errors
/// As [`load`].
pub fn event_content(user_id: &UserId, stored: Option<&str>) -> Result<Value> {
    Ok(json!({ "global": shown(&load(user_id, stored)?) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruma::push::Action;
    use ruma::user_id;

    #[test]
    fn only_what_differs_is_stored_and_nothing_is_lost() {
        let me = user_id!("@me:x");
        let usual = load(me, None).unwrap();
        let stored = store(me, usual.clone()).unwrap();
        assert_eq!(stored, r#"{"global":{}}"#);
        let mut rules = usual.clone();
        rules.set_enabled(RuleKind::Override, ".m.rule.master", true).unwrap();
        rules.set_actions(RuleKind::Underride, ".m.rule.message", Vec::new()).unwrap();
        let stored = store(me, rules.clone()).unwrap();
        assert!(!stored.contains(".m.rule.reaction"), "{stored}");
        let again = load(me, Some(&stored)).unwrap();
        assert_eq!(shown(&again), shown(&rules));
        assert!(again.get(RuleKind::Override, ".m.rule.master").unwrap().enabled());
        let message = again.get(RuleKind::Underride, ".m.rule.message").unwrap();
        assert!(!message.actions().iter().any(Action::should_notify));
    }

    #[test]
    fn every_kind_is_shown() {
        let content = event_content(user_id!("@me:x"), None).unwrap();
        for kind in ["override", "content", "room", "sender", "underride"] {
            assert!(content["global"][kind].is_array(), "{kind}");
        }
        assert_eq!(content["global"]["override"][0]["rule_id"], ".m.rule.master");
    }
}
