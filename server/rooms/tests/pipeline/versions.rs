//! What differs between room versions: redaction and ids.

use crate::world::{ANNA, EVA, Wish, World, object};
use kontor_model::{RoomVersion, SignedPdu};
use ruma::canonical_json::redact;
use ruma::{CanonicalJsonObject, OwnedEventId};
use serde_json::{Value, json};

fn versions() -> impl Iterator<Item = (u8, RoomVersion)> {
    (1..=12).map(|n| (n, RoomVersion::parse(&n.to_string()).unwrap()))
}

/// The content that redaction leaves of an event.
fn left(kind: &str, content: &Value, version: &RoomVersion) -> Value {
    let event = object(json!({"type": kind, "content": content, "sender": EVA, "room_id": "!r:x"}));
    let redacted = redact(event, &version.rules.redaction, None).unwrap();
    serde_json::to_value(&redacted["content"]).unwrap()
}

/// Event type, content field, and the versions that keep it.
const KEPT: &[(&str, &str, std::ops::RangeInclusive<u8>)] = &[
    ("m.room.member", "membership", 1..=12),
    ("m.room.member", "join_authorised_via_users_server", 9..=12),
    ("m.room.member", "displayname", 0..=0),
    ("m.room.create", "creator", 1..=12),
    ("m.room.create", "room_version", 11..=12),
    ("m.room.create", "m.federate", 11..=12),
    ("m.room.create", "anything", 11..=12),
    ("m.room.join_rules", "join_rule", 1..=12),
    ("m.room.join_rules", "allow", 8..=12),
    ("m.room.power_levels", "ban", 1..=12),
    ("m.room.power_levels", "events", 1..=12),
    ("m.room.power_levels", "events_default", 1..=12),
    ("m.room.power_levels", "kick", 1..=12),
    ("m.room.power_levels", "redact", 1..=12),
    ("m.room.power_levels", "state_default", 1..=12),
    ("m.room.power_levels", "users", 1..=12),
    ("m.room.power_levels", "users_default", 1..=12),
    ("m.room.power_levels", "invite", 11..=12),
    ("m.room.power_levels", "notifications", 0..=0),
    ("m.room.aliases", "aliases", 1..=5),
    ("m.room.history_visibility", "history_visibility", 1..=12),
    ("m.room.redaction", "redacts", 11..=12),
    ("m.room.topic", "topic", 0..=0),
    ("m.room.message", "body", 0..=0),
    ("m.room.third_party_invite", "public_key", 0..=0),
];

#[test]
fn redaction_keeps_of_each_content_what_the_version_says() {
    for (number, version) in versions() {
        for (kind, field, keeping) in KEPT {
            let content = json!({*field: {"x": 1}});
            let expected = if keeping.contains(&number) { content.clone() } else { json!({}) };
            assert_eq!(left(kind, &content, &version), expected, "version {number}: {kind} {field}");
        }
    }
}

#[test]
fn of_a_third_party_invitation_only_the_signed_part_is_kept_since_version_eleven() {
    let content = json!({"membership": "invite", "third_party_invite": {"display_name": "e", "signed": {"token": "t"}}});
    for (number, version) in versions() {
        let expected = if number >= 11 {
            json!({"membership": "invite", "third_party_invite": {"signed": {"token": "t"}}})
        } else {
            json!({"membership": "invite"})
        };
        assert_eq!(left("m.room.member", &content, &version), expected, "version {number}");
    }
}

#[test]
fn redaction_keeps_the_fields_that_signatures_and_ids_need() {
    let always = [
        "event_id",
        "type",
        "room_id",
        "sender",
        "state_key",
        "content",
        "hashes",
        "signatures",
        "depth",
        "prev_events",
        "auth_events",
        "origin_server_ts",
    ];
    let until_ten = ["origin", "membership", "prev_state"];
    for (number, version) in versions() {
        let mut event = CanonicalJsonObject::new();
        for field in always.iter().chain(&until_ten).chain(&["unsigned", "redacts", "org.example.x"]) {
            event.insert((*field).to_owned(), serde_json::from_value(json!("x")).unwrap());
        }
        event.insert("content".to_owned(), serde_json::from_value(json!({})).unwrap());
        let redacted = redact(event, &version.rules.redaction, None).unwrap();
        let mut expected: Vec<_> = always.to_vec();
        expected.extend(if number <= 10 { &until_ten[..] } else { &[] });
        expected.sort_unstable();
        assert_eq!(redacted.keys().collect::<Vec<_>>(), expected, "version {number}");
    }
}

#[tokio::test]
async fn ids_have_the_form_of_the_version_and_survive_redaction() {
    for (number, version) in versions() {
        let mut world = World::new(&number.to_string());
        let first = world.found().await;
        let join = world.member(EVA, EVA, "join", &first[3..]).await;
        // Bytes of the hash that make the two alphabets differ come up within a few events.
        let mut ids: Vec<OwnedEventId> = vec![join.clone()];
        for n in 0..40 {
            ids.push(world.say(EVA, &n.to_string(), std::slice::from_ref(&join)).await);
        }
        let text = ids.iter().map(|id| id.as_str()).collect::<String>();
        match number {
            1 | 2 => assert!(ids.iter().all(|id| id.as_str().ends_with(":east.example"))),
            3 => assert!(text.contains('/') || text.contains('+')),
            _ => assert!(!text.contains(['/', '+', '=', ':']) && text.contains(['-', '_'])),
        }
        if number > 2 {
            assert!(ids.iter().all(|id| id.as_str().len() == 44), "$ and 32 bytes in base64");
        }
        for id in &ids {
            let redacted = redact(world.objects[id].clone(), &version.rules.redaction, None).unwrap();
            assert_eq!(SignedPdu::from_wire(redacted, &version).unwrap().pdu.event_id, *id);
            let signed = SignedPdu::from_wire(world.objects[id].clone(), &version).unwrap();
            let parts = signed.parts(&version).unwrap();
            let again = SignedPdu::from_parts(id.clone(), &parts, &version).unwrap();
            assert_eq!(again.object, world.objects[id], "skeleton and body make the whole event");
        }
    }
}

#[tokio::test]
async fn the_id_of_a_version_twelve_room_is_that_of_its_create_event() {
    let mut world = World::new("12");
    let first = world.found().await;
    assert_eq!(world.room_id.as_str().strip_prefix('!'), first[0].as_str().strip_prefix('$'));
    assert!(!world.objects[&first[0]].contains_key("room_id"));
    // Its create event may not be named among auth events.
    let wish = Wish { auth: Some(vec![first[0].clone(), first[1].clone()]), ..Wish::default() };
    let named = world.make(ANNA, "m.room.message", json!({"body": "x"}), &first[3..], wish).await;
    let mut house = crate::house::House::founded(&world, &first);
    let received = house.receive(world.wire(&[named])).await;
    assert!(matches!(received.outcomes[0].1, kontor_rooms::receive::Outcome::Dropped(_)));
}
