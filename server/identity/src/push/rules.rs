//! Rules in the form in which they are evaluated: patterns compiled, paths taken apart.

use super::event::{Event, Property};
use kontor_model::glob::Glob;
use ruma::UInt;
use ruma::push::{Action, AnyPushRuleRef, PushCondition, RoomMemberCountIs, Ruleset, ScalarJsonValue};
use serde_json::{Map, Value};
use std::ops::RangeBounds;
use std::sync::Arc;

/// What the first rule that matches an event makes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// It notifies.
    pub notify: bool,
    /// It notifies and highlights.
    pub highlight: bool,
}

impl Verdict {
    /// What a list of actions does.
    pub fn of(actions: &[Action]) -> Self {
        let notify = actions.iter().any(Action::should_notify);
        Self { notify, highlight: notify && actions.iter().any(Action::is_highlight) }
    }
}

/// How a notification is to be presented (`tweaks` of the push gateway API), by name.
pub type Tweaks = Map<String, Value>;

/// The tweaks in a list of actions.
fn tweaks(actions: &[Action]) -> Tweaks {
    let tweak = |action: &Action| {
        let Action::SetTweak(tweak) = action else { return None };
        let Ok(Value::Object(mut tweak)) = serde_json::to_value(tweak) else { return None };
        let Some(Value::String(name)) = tweak.remove("set_tweak") else { return None };
        // A highlight without a value is one (client-server API, "Actions").
        Some((name, tweak.remove("value").unwrap_or(Value::Bool(true))))
    };
    actions.iter().filter_map(tweak).filter(|(_, value)| *value != Value::Bool(false)).collect()
}

/// A user's rules that are enabled, in the order in which they are asked.
#[derive(Clone, Debug)]
pub struct Rules(Vec<Rule>);

#[derive(Clone, Debug)]
struct Rule {
    conditions: Vec<Condition>,
    verdict: Verdict,
    tweaks: Arc<Tweaks>,
}

#[derive(Clone, Debug)]
enum Condition {
    Text {
        property: Property,
        pattern: Pattern,
    },
    Words(Glob),
    DisplayName,
    Members(RoomMemberCountIs),
    MayNotifyRoom,
    Is {
        property: Property,
        value: ScalarJsonValue,
    },
    Contains {
        property: Property,
        value: ScalarJsonValue,
    },
    /// Conditions that this server does not know, and patterns that are too long, match nothing.
    Never,
}

/// A pattern for a whole text, in small letters.
#[derive(Clone, Debug)]
enum Pattern {
    Exactly(String),
    Glob(Glob),
}

impl Pattern {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exactly(whole) => text.to_lowercase() == *whole,
            Self::Glob(glob) => glob.matches(&text.to_lowercase()),
        }
    }
}

fn matches_property(key: &str, pattern: &str) -> Condition {
    let property = Property::new(key);
    let pattern = pattern.to_lowercase();
    if property.is_body() {
        return Glob::new(&pattern).map_or(Condition::Never, Condition::Words);
    }
    if !pattern.contains(['*', '?']) {
        return Condition::Text { property, pattern: Pattern::Exactly(pattern) };
    }
    let glob = Glob::new(&pattern).map(Pattern::Glob);
    glob.map_or(Condition::Never, |pattern| Condition::Text { property, pattern })
}

fn condition(from: &PushCondition) -> Condition {
    match from {
        PushCondition::EventMatch(data) => matches_property(&data.key, &data.pattern),
        #[allow(deprecated)] // Clients may still use it in rules of their own.
        PushCondition::ContainsDisplayName => Condition::DisplayName,
        PushCondition::RoomMemberCount(data) => Condition::Members(data.is),
        PushCondition::SenderNotificationPermission(data) if data.key.as_str() == "room" => {
            Condition::MayNotifyRoom
        }
        PushCondition::EventPropertyIs(data) => {
            Condition::Is { property: Property::new(&data.key), value: data.value.clone() }
        }
        PushCondition::EventPropertyContains(data) => {
            Condition::Contains { property: Property::new(&data.key), value: data.value.clone() }
        }
        _ => Condition::Never,
    }
}

fn is(value: &Value, wanted: &ScalarJsonValue) -> bool {
    match wanted {
        ScalarJsonValue::Null => value.is_null(),
        ScalarJsonValue::Bool(wanted) => value.as_bool() == Some(*wanted),
        ScalarJsonValue::Integer(wanted) => value.as_i64() == Some(i64::from(*wanted)),
        ScalarJsonValue::String(wanted) => value.as_str() == Some(wanted),
    }
}

impl Condition {
    fn holds(&self, event: &Event<'_>, display_name: Option<&Glob>) -> bool {
        match self {
            Self::Text { property, pattern } => event
                .get(property)
                .and_then(|value| value.as_str().map(|text| pattern.matches(text)))
                .unwrap_or_default(),
            Self::Words(glob) => event.body().is_some_and(|body| glob.matches_words(body)),
            Self::DisplayName => {
                display_name.zip(event.body()).is_some_and(|(name, body)| name.matches_words(body))
            }
            Self::Members(number) => {
                UInt::new(event.members()).is_some_and(|members| number.contains(&members))
            }
            Self::MayNotifyRoom => event.may_notify_room(),
            Self::Is { property, value } => event.get(property).is_some_and(|found| is(&found, value)),
            Self::Contains { property, value } => {
                let found = event.get(property);
                let list = found.as_ref().and_then(|found| found.as_array());
                list.is_some_and(|list| list.iter().any(|item| is(item, value)))
            }
            Self::Never => false,
        }
    }
}

fn conditions(rule: &AnyPushRuleRef<'_>) -> Vec<Condition> {
    match rule {
        AnyPushRuleRef::Override(rule) | AnyPushRuleRef::Underride(rule) => {
            rule.conditions.iter().map(condition).collect()
        }
        AnyPushRuleRef::Content(rule) => vec![matches_property("content.body", &rule.pattern)],
        AnyPushRuleRef::Room(rule) => vec![exactly("room_id", rule.rule_id.as_str())],
        AnyPushRuleRef::Sender(rule) => vec![exactly("sender", rule.rule_id.as_str())],
        _ => vec![Condition::Never],
    }
}

fn exactly(key: &str, value: &str) -> Condition {
    Condition::Is { property: Property::new(key), value: value.into() }
}

impl Rules {
    /// Compiles a ruleset.
    pub fn compile(ruleset: &Ruleset) -> Self {
        let enabled = ruleset.iter().filter(|rule| rule.enabled());
        let compiled = enabled
            .map(|rule| Rule {
                conditions: conditions(&rule),
                verdict: Verdict::of(rule.actions()),
                tweaks: Arc::new(tweaks(rule.actions())),
            })
            .filter(|rule| !rule.conditions.iter().any(|c| matches!(c, Condition::Never)));
        Self(compiled.collect())
    }

    /// What the rules make of an event that somebody else sent. `display_name` is the user's own, in
    /// small letters.
    pub fn judge(&self, event: &Event<'_>, display_name: Option<&Glob>) -> Verdict {
        self.first(event, display_name).map(|rule| rule.verdict).unwrap_or_default()
    }

    /// As [`Rules::judge`], with how to present the notification; `None` when there is none.
    pub fn wish(&self, event: &Event<'_>, display_name: Option<&Glob>) -> Option<Arc<Tweaks>> {
        let rule = self.first(event, display_name).filter(|rule| rule.verdict.notify)?;
        Some(Arc::clone(&rule.tweaks))
    }

    fn first(&self, event: &Event<'_>, display_name: Option<&Glob>) -> Option<&Rule> {
        self.0.iter().find(|rule| rule.conditions.iter().all(|c| c.holds(event, display_name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruma::user_id;
    use serde_json::json;

    fn rules(change: impl FnOnce(&mut Value)) -> Rules {
        let mut value = serde_json::to_value(Ruleset::server_default(user_id!("@me:x"))).unwrap();
        change(&mut value);
        Rules::compile(&serde_json::from_value(value).unwrap())
    }

    fn only(conditions: Value) -> Rules {
        rules(|value| {
            *value = json!({"override": [{"rule_id": "x", "default": false, "enabled": true,
                "actions": ["notify"], "conditions": conditions}]});
        })
    }

    fn verdict(rules: &Rules, content: Value) -> (bool, bool) {
        let event = Event::new("m.room.message", "@a:x", None, "!r:x", &content).in_room_of(2);
        let verdict = rules.judge(&event, Glob::literal("me *").as_ref());
        (verdict.notify, verdict.highlight)
    }

    #[test]
    fn mentions_reach_the_one_who_is_mentioned() {
        let usual = rules(|_| {});
        assert_eq!(verdict(&usual, json!({"body": "x"})), (true, false));
        assert_eq!(verdict(&usual, json!({"m.mentions": {"user_ids": ["@b:x", "@me:x"]}})), (true, true));
        assert_eq!(verdict(&usual, json!({"m.mentions": {"user_ids": "@me:x"}})), (true, false));
        let edit = json!({"m.relates_to": {"rel_type": "m.replace"}, "m.mentions": {"user_ids": ["@me:x"]}});
        assert_eq!(verdict(&usual, edit), (true, true));
        assert_eq!(verdict(&usual, json!({"m.relates_to": {"rel_type": "m.replace"}})), (false, false));
    }

    #[test]
    fn kinds_are_asked_in_order_and_disabled_rules_not_at_all() {
        let muted_room = rules(|value| {
            value["room"] = json!([{"rule_id": "!r:x", "default": false, "enabled": true, "actions": []}]);
            value["content"] = json!([{"rule_id": "k", "default": false, "enabled": true, "pattern": "cake",
                "actions": ["notify", {"set_tweak": "highlight"}]}]);
        });
        assert_eq!(verdict(&muted_room, json!({"body": "hello"})), (false, false));
        assert_eq!(verdict(&muted_room, json!({"body": "The CAKE is a lie"})), (true, true));
        assert_eq!(verdict(&muted_room, json!({"body": "pancakes"})), (false, false));
        let master = rules(|value| value["override"][0]["enabled"] = true.into());
        assert_eq!(verdict(&master, json!({"m.mentions": {"user_ids": ["@me:x"]}})), (false, false));
        let sender = rules(|value| {
            value["sender"] = json!([{"rule_id": "@a:x", "default": false, "enabled": true, "actions": []}]);
        });
        assert_eq!(verdict(&sender, json!({"body": "x"})), (false, false));
    }

    #[test]
    fn a_wish_has_the_tweaks_of_the_rule_that_matched() {
        let wish = |rules: &Rules, members: u64, content: Value| {
            let event = Event::new("m.room.message", "@a:x", None, "!r:x", &content).in_room_of(members);
            rules.wish(&event, None).map(|tweaks| Value::Object((*tweaks).clone()))
        };
        let usual = rules(|_| {});
        assert_eq!(wish(&usual, 2, json!({"body": "x"})), Some(json!({"sound": "default"})));
        assert_eq!(wish(&usual, 9, json!({"body": "x"})), Some(json!({})));
        let mention = json!({"m.mentions": {"user_ids": ["@me:x"]}});
        assert_eq!(wish(&usual, 9, mention), Some(json!({"sound": "default", "highlight": true})));
        assert_eq!(wish(&usual, 9, json!({"msgtype": "m.notice"})), None);
        let own = rules(|value| {
            *value = json!({"override": [{"rule_id": "x", "default": false, "enabled": true, "conditions": [],
                "actions": ["notify", {"set_tweak": "highlight", "value": false}, {"set_tweak": "org.x", "value": 5}]}]});
        });
        assert_eq!(wish(&own, 9, json!({})), Some(json!({"org.x": 5})));
    }

    #[test]
    fn every_condition_holds_when_it_should() {
        let holds = |condition: Value, content: Value| verdict(&only(json!([condition])), content).0;
        let is = |value: Value| json!({"kind": "event_property_is", "key": "content.a", "value": value});
        assert!(holds(is(json!(true)), json!({"a": true})));
        assert!(holds(is(Value::Null), json!({"a": null})));
        assert!(holds(is(json!(5)), json!({"a": 5})));
        assert!(!holds(is(json!(5)), json!({"a": "5"})));
        assert!(!holds(is(json!("x")), json!({"a": ["x"]})));
        let topic = json!({"kind": "event_match", "key": "content.topic", "pattern": "lunc?*"});
        assert!(holds(topic.clone(), json!({"topic": "Lunch plans"})));
        assert!(holds(topic.clone(), json!({"topic": "LUNCH"})));
        assert!(!holds(topic.clone(), json!({"topic": " lunch"})));
        assert!(!holds(topic.clone(), json!({"topic": "lunc"})));
        assert!(!holds(topic, json!({"topic": null})));
        let count = |is: &str| json!({"kind": "room_member_count", "is": is});
        assert!(
            holds(count("2"), json!({})) && holds(count("<=2"), json!({})) && !holds(count(">2"), json!({}))
        );
        let name = json!({"kind": "contains_display_name"});
        assert!(holds(name.clone(), json!({"body": "hey ME *!"})) && !holds(name, json!({"body": "me too"})));
        let room = json!({"kind": "event_match", "key": "room_id", "pattern": "!R:x"});
        assert!(holds(room, json!({})));
        assert!(!holds(json!({"kind": "org.example.new"}), json!({})));
        assert!(!holds(json!({"kind": "sender_notification_permission", "key": "room"}), json!({})));
        assert!(verdict(&only(json!([])), json!({})).0, "no conditions: everything");
    }

    #[test]
    fn neither_rules_nor_texts_can_make_evaluation_slow_or_end_the_process() {
        let started = std::time::Instant::now();
        let text = format!("{}-", "aa a-".repeat(12_000));
        for pattern in ["a-a".to_owned(), "?".repeat(100), "*a".repeat(100), "x".repeat(5_000), String::new()]
        {
            let rules = only(json!([{"kind": "event_match", "key": "content.body", "pattern": pattern}]));
            verdict(&rules, json!({"body": text}));
        }
        assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    }
}
