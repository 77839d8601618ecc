//! Filters of `/sync` and `/messages`: whatever a client sends as one lets through what the plain
//! reading of the specification lets through, and no more.

use crate::glob::agrees;
use kontor_model::filter::{EventFilter, Facts, Filter, Projection};
use serde_json::{Map, Value, json};
use std::sync::OnceLock;

const SENDERS: [&str; 3] = ["@a:x", "@b:x", "@a:localhost:8448"];
const KINDS: [&str; 5] = ["m.room.message", "m.room.member", "m.typing", "", "org.żółw.*"];
const ROOMS: [&str; 3] = ["!a:x", "!b:x", "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM"];

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(filter) = EventFilter::parse(text) {
        let value: Value = serde_json::from_str(text).expect("a filter is JSON");
        assert!(value.is_object(), "{value} was taken");
        check(&filter);
    }
    let Ok(filter) = Filter::parse(text) else { return };
    let value: Value = serde_json::from_str(text).expect("a filter is JSON");
    assert!(value.is_object(), "{value} was taken");
    let room = &filter.room;
    let parts = [&filter.presence, &filter.account_data, &room.ephemeral, &room.state, &room.timeline];
    parts.into_iter().chain([&room.account_data]).for_each(check);
    for room_id in ROOMS {
        assert_eq!(room.admits_room(room_id), listed(&room.rooms, &room.not_rooms, room_id, |a, b| a == b));
    }
    if let Some(projection) = filter.projection() {
        check_projection(&projection, filter.event_fields.as_deref().unwrap_or_default());
    }
    let again = Filter::parse(&value.to_string()).expect("a filter that was taken");
    assert_eq!(again, filter, "stored and read again it is another one");
}

fn listed(
    only: &Option<Vec<String>>,
    not: &[String],
    value: &str,
    same: impl Fn(&str, &str) -> bool,
) -> bool {
    let named = only.as_ref().is_none_or(|only| only.iter().any(|entry| same(entry, value)));
    named && !not.iter().any(|entry| same(entry, value))
}

fn check(filter: &EventFilter) {
    let (nothing, everything) = (filter.admits_nothing(), filter.admits_everything());
    for kind in KINDS {
        let typed = listed(&filter.types, &filter.not_types, kind, agrees);
        assert_eq!(filter.admits_type(kind), typed, "{kind}");
        for sender in SENDERS {
            let sent = listed(&filter.senders, &filter.not_senders, sender, |a, b| a == b);
            for has_url in [false, true] {
                let linked = filter.contains_url.is_none_or(|wanted| wanted == has_url);
                let admitted = filter.admits(Facts { kind, sender: Some(sender), has_url });
                assert_eq!(admitted, typed && sent && linked, "{kind} of {sender}");
                assert!(admitted || !everything);
                let rooms = ROOMS.into_iter().any(|room_id| admitted && filter.admits_room(room_id));
                assert!(!(nothing && rooms), "{kind} of {sender} passes what lets nothing through");
            }
        }
    }
    let (relations, some) = ([("m.thread", "@a:x"), ("m.annotation", "@b:x")], filter.asks_for_relations());
    assert!(some || filter.admits_related(relations.into_iter()) && filter.admits_related([].into_iter()));
    assert!(filter.limit_within(10, 50) <= 50);
    let mut narrower = filter.clone();
    narrower.not_types.push("*".to_owned());
    assert!(KINDS.into_iter().all(|kind| !narrower.admits_type(kind)), "what is not wanted came");
}

fn event() -> &'static Map<String, Value> {
    static EVENT: OnceLock<Map<String, Value>> = OnceLock::new();
    EVENT.get_or_init(|| {
        let event = json!({
            "type": "m.room.message", "sender": "@a:x", "": { "": 1 }, "a.b": { "c\\d": true },
            "content": { "body": "b", "m.relates_to": { "rel_type": "m.thread", "event_id": "$e" }, "n": [{ "x": 1 }] },
            "unsigned": { "age": 5, "m.relations": { "m.thread": { "count": 2 } } },
        });
        event.as_object().cloned().unwrap_or_default()
    })
}

fn check_projection(projection: &Projection, fields: &[String]) {
    let wanted = projection.apply(event());
    assert!(within(&wanted, event()), "{wanted:?} is not of the event");
    assert_eq!(projection.apply(&wanted), wanted, "what was taken out is not taken again");
    for (name, value) in event() {
        if fields.contains(&name.replace('\\', "\\\\").replace('.', "\\.")) {
            assert_eq!(wanted.get(name), Some(value), "{name} was asked for");
        }
    }
}

fn within(part: &Map<String, Value>, whole: &Map<String, Value>) -> bool {
    part.iter().all(|(name, value)| match (value, whole.get(name)) {
        (Value::Object(part), Some(Value::Object(whole))) => within(part, whole),
        (value, there) => Some(value) == there,
    })
}
