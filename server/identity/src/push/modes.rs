//! What a user's rules make of whole rooms, so that most events need not be looked at for most
//! members.
//!
//! A mode is right or it is [`OWN`]: whenever rules could make of an event something else than the
//! bits that it carries, they decide event by event.

use super::rules::Verdict;
use kontor_store::identity::push::Mode;
use ruma::UserId;
use ruma::push::{AnyPushRuleRef, ConditionalPushRule, PushCondition, RuleKind, Ruleset};
use std::collections::BTreeSet;

/// Events count as their bits say.
pub const ALL: i64 = 0;
/// Only what highlights, for everybody or for this user, counts.
pub const MENTIONS: i64 = 1;
/// Nothing counts.
pub const NOTHING: i64 = 2;
/// The rules decide event by event.
pub const OWN: i64 = 3;

/// Modes of rooms, as pairs of room id (`""` = all others) and mode. [`ALL`] for all others is left
/// out, being what holds without a row.
pub fn modes(user_id: &UserId, rules: &Ruleset) -> Vec<(String, i64)> {
    let usual = Ruleset::server_default(user_id);
    let by_override = rules.override_.iter().filter_map(only_in_room);
    let rooms: BTreeSet<&str> =
        rules.room.iter().map(|rule| rule.rule_id.as_str()).chain(by_override).collect();
    let others = mode(rules, &usual, None);
    let of_room = |room: &&str| ((*room).to_owned(), mode(rules, &usual, Some(room)));
    let mut modes: Vec<_> = rooms.iter().map(of_room).filter(|(_, mode)| *mode != others).collect();
    if others != ALL {
        modes.push((String::new(), others));
    }
    modes
}

/// The modes to store, given those that are stored. Where own rules begin to decide, what came before
/// goes on counting as it did.
pub(super) fn to_store(modes: Vec<(String, i64)>, stored: &[Mode]) -> Vec<Mode> {
    let of = |room: &str| stored.iter().find(|mode| mode.room_id == room);
    let continued = |(room_id, mode): (String, i64)| {
        let old = of(&room_id).or_else(|| of(""));
        let (since, before) = match old {
            _ if mode != OWN => (Some(0), mode),
            Some(old) if old.mode == OWN => (old.since, old.before),
            Some(old) => (None, old.mode),
            None => (None, ALL),
        };
        Mode { room_id, mode, since, before }
    };
    modes.into_iter().map(continued).collect()
}

/// The room that a rule is about, if it is about one room only.
fn only_in_room(rule: &ConditionalPushRule) -> Option<&str> {
    rule.conditions.iter().find_map(|condition| match condition {
        PushCondition::EventMatch(data) if data.key == "room_id" && !data.pattern.contains(['*', '?']) => {
            Some(data.pattern.as_str())
        }
        _ => None,
    })
}

/// Whether a rule of the server does what it usually does, as far as counting goes.
fn as_usual(kind: RuleKind, rule: AnyPushRuleRef<'_>, usual: &Ruleset) -> bool {
    // Members are asked one by one when they are mentioned, and invitations are no room's news.
    if matches!(rule.rule_id(), ".m.rule.is_user_mention" | ".m.rule.invite_for_me") {
        return true;
    }
    let effect = |rule: &AnyPushRuleRef<'_>| rule.enabled().then(|| Verdict::of(rule.actions()));
    usual.get(kind, rule.rule_id()).is_some_and(|usual| effect(&usual) == effect(&rule))
}

fn mode(rules: &Ruleset, usual: &Ruleset, room: Option<&str>) -> i64 {
    for rule in &rules.override_ {
        if rule.default {
            if rule.rule_id == ".m.rule.master" && rule.enabled {
                return if Verdict::of(&rule.actions).notify { OWN } else { NOTHING };
            }
            if !as_usual(RuleKind::Override, AnyPushRuleRef::Override(rule), usual) {
                return OWN;
            }
        } else if rule.enabled {
            let about = only_in_room(rule);
            if about.is_some() && about != room {
                continue;
            }
            let mutes = about.is_some() && rule.conditions.len() == 1;
            return if mutes && !Verdict::of(&rule.actions).notify { NOTHING } else { OWN };
        }
    }
    if rules.content.iter().any(|rule| rule.enabled) {
        return OWN;
    }
    let of_room = rules.room.iter().find(|rule| rule.enabled && Some(rule.rule_id.as_str()) == room);
    if let Some(rule) = of_room {
        return if Verdict::of(&rule.actions).notify { OWN } else { MENTIONS };
    }
    let own_sender = rules.sender.iter().any(|rule| rule.enabled);
    let own_underride = rules.underride.iter().any(|rule| {
        let changed = !as_usual(RuleKind::Underride, AnyPushRuleRef::Underride(rule), usual);
        if rule.default { changed } else { rule.enabled }
    });
    if own_sender || own_underride { OWN } else { ALL }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::event::Event;
    use crate::push::rules::Rules;
    use crate::push::{HIGHLIGHT, UNREAD, notifies};
    use ruma::user_id;
    use serde_json::{Value, json};

    fn ruleset(change: impl FnOnce(&mut Value)) -> Ruleset {
        let mut value = serde_json::to_value(Ruleset::server_default(user_id!("@me:x"))).unwrap();
        change(&mut value);
        let rules: Ruleset = serde_json::from_value(value).unwrap();
        super::super::ruleset::load(user_id!("@me:x"), Some(&json!({ "global": rules }).to_string())).unwrap()
    }

    fn own(rule_id: &str, actions: Value, conditions: Value) -> Value {
        json!({"rule_id": rule_id, "default": false, "enabled": true, "actions": actions,
            "conditions": conditions, "pattern": "cake"})
    }

    fn in_room(room: &str) -> Value {
        json!([{"kind": "event_match", "key": "room_id", "pattern": room}])
    }

    fn of(rules: &Ruleset) -> Vec<(String, i64)> {
        modes(user_id!("@me:x"), rules)
    }

    #[test]
    fn modes_are_what_clients_mean_by_their_settings() {
        assert_eq!(of(&ruleset(|_| {})), []);
        let master = ruleset(|v| v["override"][0]["enabled"] = true.into());
        assert_eq!(of(&master), [(String::new(), NOTHING)]);
        let muted = ruleset(|v| v["override"] = json!([own("!a:x", json!([]), in_room("!a:x"))]));
        assert_eq!(of(&muted), [("!a:x".to_owned(), NOTHING)]);
        let mentions = ruleset(|v| v["room"] = json!([own("!a:x", json!([]), json!([]))]));
        assert_eq!(of(&mentions), [("!a:x".to_owned(), MENTIONS)]);
        let loud = ruleset(|v| v["room"] = json!([own("!a:x", json!(["notify"]), json!([]))]));
        assert_eq!(of(&loud), [("!a:x".to_owned(), OWN)]);
        let keyword = ruleset(|v| {
            v["content"] = json!([own("k", json!(["notify"]), json!([]))]);
            v["override"] = json!([own("!a:x", json!([]), in_room("!a:x"))]);
        });
        assert_eq!(of(&keyword), [("!a:x".to_owned(), NOTHING), (String::new(), OWN)]);
        let quiet = ruleset(|v| v["underride"][3]["actions"] = json!([]));
        assert_eq!(of(&quiet), [(String::new(), OWN)]);
        let sounds = ruleset(|v| {
            v["underride"][3]["actions"] = json!(["notify", {"set_tweak": "sound", "value": "x"}])
        });
        assert_eq!(of(&sounds), [], "sounds do not count");
    }

    #[test]
    fn where_own_rules_begin_what_came_before_counts_as_it_did() {
        let row = |room: &str, mode, since, before| Mode { room_id: room.into(), mode, since, before };
        let own = || vec![(String::new(), OWN)];
        assert_eq!(to_store(own(), &[]), [row("", OWN, None, ALL)]);
        assert_eq!(to_store(own(), &[row("", NOTHING, Some(0), NOTHING)]), [row("", OWN, None, NOTHING)]);
        assert_eq!(to_store(own(), &[row("", OWN, Some(5), MENTIONS)]), [row("", OWN, Some(5), MENTIONS)]);
        let room = to_store(vec![("!a:x".into(), OWN)], &[row("", OWN, Some(5), ALL)]);
        assert_eq!(room, [row("!a:x", OWN, Some(5), ALL)]);
    }

    /// For many rulesets and events: counting by bits and mode gives what the rules themselves say.
    #[test]
    fn counting_by_mode_agrees_with_the_rules_themselves() {
        let changes: [fn(&mut Value); 9] = [
            |_| {},
            |v| v["override"][0]["enabled"] = true.into(),
            |v| v["override"] = json!([own("!r:x", json!([]), in_room("!r:x"))]),
            |v| v["override"] = json!([own("x", json!([]), in_room("!other:x"))]),
            |v| v["room"] = json!([own("!r:x", json!([]), json!([]))]),
            |v| v["room"] = json!([own("!other:x", json!([]), json!([]))]),
            |v| v["override"][4]["enabled"] = false.into(),
            |v| v["override"][6]["actions"] = json!([]),
            |v| v["sender"] = json!([own("@a:x", json!([]), json!([]))]),
        ];
        let contents = [
            ("m.room.message", None, json!({"msgtype": "m.text", "body": "cake"})),
            ("m.room.message", None, json!({"msgtype": "m.notice", "body": "x"})),
            ("m.room.message", None, json!({"body": "x", "m.mentions": {"room": true}})),
            ("m.room.message", None, json!({"m.relates_to": {"rel_type": "m.replace"}})),
            ("m.room.encrypted", None, json!({})),
            ("m.room.tombstone", Some(""), json!({})),
            ("m.room.topic", Some(""), json!({"topic": "x"})),
            ("m.reaction", None, json!({})),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let rules = ruleset(change);
            let modes = of(&rules);
            let find = |room: &str| modes.iter().find(|(id, _)| id == room).map(|(_, mode)| *mode);
            let mode = find("!r:x").or_else(|| find("")).unwrap_or(ALL);
            let compiled = Rules::compile(&rules);
            for (kind, state_key, content) in &contents {
                let event = Event::new(kind, "@a:x", *state_key, "!r:x", content)
                    .in_room_of(5)
                    .sent_by_somebody_who_may_notify(true);
                let (bits, verdict) = (notifies(&event), compiled.judge(&event, None));
                let counted = match mode {
                    ALL => (bits & UNREAD > 0, bits & HIGHLIGHT > 0),
                    MENTIONS => (bits & HIGHLIGHT > 0, bits & HIGHLIGHT > 0),
                    NOTHING => (false, false),
                    _ => continue,
                };
                assert_eq!(counted, (verdict.notify, verdict.highlight), "ruleset {index}, {kind} {content}");
            }
        }
    }
}
