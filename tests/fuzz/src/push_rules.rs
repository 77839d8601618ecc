//! Push rules: the user's rules stand in the first line, the content of an event in the rest. All
//! ways of asking them say the same.

use crate::two_lines;
use kontor_identity::push::Event;
use kontor_identity::push::rules::Rules;
use kontor_model::glob::Glob;
use ruma::push::Ruleset;
use serde_json::Value;

pub(crate) fn run(data: &[u8]) {
    let Some((rules, content)) = two_lines(data) else { return };
    let Ok(content @ Value::Object(_)) = serde_json::from_str(content) else { return };
    let event = |kind, key| Event::new(kind, "@a:x", key, "!r:x", &content).in_room_of(3);
    let events = [
        event("m.room.message", None),
        event("m.room.member", Some("@me:x")).sent_by_somebody_who_may_notify(true),
    ];
    for event in &events {
        kontor_identity::push::notifies(event);
    }
    let Ok(ruleset) = serde_json::from_str::<Ruleset>(rules) else { return };
    let compiled = Rules::compile(&ruleset);
    let written = serde_json::to_string(&ruleset).expect("rules are JSON");
    let again = Rules::compile(&serde_json::from_str(&written).expect("rules that were taken"));
    let name = Glob::literal("me *?");
    for event in &events {
        for name in [None, name.as_ref()] {
            let verdict = compiled.judge(event, name);
            assert!(verdict.notify || !verdict.highlight);
            assert_eq!(again.judge(event, name), verdict, "stored and read again they are others");
            assert_eq!(compiled.wish(event, name).is_some(), verdict.notify);
        }
    }
}
