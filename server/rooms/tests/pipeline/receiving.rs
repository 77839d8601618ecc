//! One event after another: what is accepted, rejected, soft-failed and dropped.

use crate::house::House;
use crate::world::{ANNA, EAST, EMIL, EVA, HOME, Wish, World, object, sign, sign_again};
use kontor_rooms::receive::Outcome;
use proptest::prelude::*;
use ruma::OwnedEventId;
use serde_json::{Value, json};

async fn room(version: &str) -> (World, House, Vec<OwnedEventId>) {
    let mut world = World::new(version);
    let first = world.found().await;
    let house = House::founded(&world, &first);
    (world, house, first)
}

fn reason(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Rejected(reason) | Outcome::SoftFailed(reason) | Outcome::Dropped(reason) => reason,
        Outcome::Incomplete(reason) => reason,
        Outcome::Accepted | Outcome::Known => "",
    }
}

#[tokio::test]
async fn a_member_of_another_server_joins_and_talks_in_every_version() {
    for version in 1..=12 {
        let (mut world, mut house, first) = room(&version.to_string()).await;
        let join = world.member(EVA, EVA, "join", &first[3..]).await;
        let hello = world.say(EVA, "hello", std::slice::from_ref(&join)).await;
        let outcomes = house.each(&world, &[join.clone(), hello.clone()]).await;
        assert_eq!(outcomes, [Outcome::Accepted, Outcome::Accepted], "version {version}");
        assert_eq!(house.current_event("m.room.member", EVA), Some(join.clone()));
        assert_eq!(house.head.extremities, std::slice::from_ref(&hello));
        assert!(house.head.linear, "one after another is no fork");
        assert_eq!(house.known(&hello).unwrap().snapshot, None, "its place tells the state");
        assert_eq!(house.each(&world, &[hello]).await, [Outcome::Known]);
    }
}

#[tokio::test]
async fn a_whole_transaction_is_received_at_once() {
    let (mut world, mut house, first) = room("12").await;
    let join = world.member(EVA, EVA, "join", &first[3..]).await;
    let hello = world.say(EVA, "hello", std::slice::from_ref(&join)).await;
    let received = house.receive(world.wire(&[hello.clone(), join.clone(), hello.clone()])).await;
    let outcomes: Vec<_> = received.outcomes.iter().map(|(_, outcome)| outcome.clone()).collect();
    assert_eq!(outcomes, vec![Outcome::Accepted; 3], "each after what it stands on");
    assert_eq!(received.records.len(), 2);
}

#[tokio::test]
async fn an_event_without_a_valid_signature_is_dropped() {
    let (mut world, mut house, first) = room("12").await;
    let join = world.member(EVA, EVA, "join", &first[3..]).await;
    let mut forged = world.objects[&join].clone();
    forged.remove("signatures");
    let forged = sign_again(forged, HOME, &world.version);
    for bad in [forged, {
        let mut unsigned = world.objects[&join].clone();
        unsigned.insert("signatures".to_owned(), serde_json::from_value(json!({EAST: {}})).unwrap());
        unsigned
    }] {
        let received = house.receive(vec![bad]).await;
        assert!(matches!(received.outcomes[0].1, Outcome::Dropped(_)), "{:?}", received.outcomes);
        assert!(received.records.is_empty());
    }
}

#[tokio::test]
async fn content_that_was_not_hashed_is_kept_as_redaction_leaves_it() {
    for version in ["6", "12"] {
        let (mut world, mut house, first) = room(version).await;
        let join = world.member(EVA, EVA, "join", &first[3..]).await;
        house.each(&world, std::slice::from_ref(&join)).await;
        let hello = world.say(EVA, "hello", &[join]).await;
        let mut changed = world.objects[&hello].clone();
        changed.insert("content".to_owned(), serde_json::from_value(json!({"body": "forged"})).unwrap());
        let received = house.receive(vec![changed]).await;
        assert_eq!(received.outcomes, [(Some(hello.clone()), Outcome::Accepted)]);
        let parts = received.records[0].parts.as_ref().unwrap();
        assert_eq!(parts.content, "{}");
        assert_eq!(house.known(&hello).unwrap().pdu.content.get(), "{}");
    }
}

#[tokio::test]
async fn what_is_no_event_of_the_room_is_dropped() {
    let (mut world, mut house, first) = room("10").await;
    let join = world.member(EVA, EVA, "join", &first[3..]).await;
    let good = serde_json::to_value(&world.objects[&join]).unwrap();
    let with = |field: &str, value: serde_json::Value| {
        let mut event = good.clone();
        event.as_object_mut().unwrap().remove("signatures");
        event.as_object_mut().unwrap().remove("hashes");
        event[field] = value;
        sign(object(event), EVA, &world.version)
    };
    let many: Vec<_> = (0..21).map(|n| format!("$e{n}")).collect();
    let bad = [
        with("room_id", json!("!other:east.example")),
        with("depth", json!(-1)),
        with("depth", json!("1")),
        with("prev_events", json!(many)),
        with("auth_events", json!(many)),
        with("type", json!("x".repeat(256))),
        with("state_key", json!("@eva:east.example\0")),
        {
            let mut large = world.objects[&join].clone();
            large.insert("content".to_owned(), serde_json::from_value(json!("x".repeat(65_536))).unwrap());
            large
        },
        with("prev_events", json!(["no id"])),
    ];
    for (index, event) in bad.into_iter().enumerate() {
        let received = house.receive(vec![event]).await;
        assert!(matches!(received.outcomes[0].1, Outcome::Dropped(_)), "{index}: {:?}", received.outcomes);
    }
    let mut no_type = world.objects[&join].clone();
    no_type.remove("type");
    let received = house.receive(vec![no_type, object(json!({}))]).await;
    assert!(received.outcomes.iter().all(|(id, outcome)| id.is_none() && !reason(outcome).is_empty()));
}

#[tokio::test]
async fn rejected_events_are_kept_without_effect() {
    let (mut world, mut house, first) = room("11").await;
    let join = world.member(EVA, EVA, "join", &first[3..]).await;
    house.each(&world, std::slice::from_ref(&join)).await;
    let prev = std::slice::from_ref(&join);
    // Not powerful enough, not a member, wrong auth events, another user's state key.
    let powers = world.powers(EVA, json!({EVA: 100}), prev).await;
    let stranger = world.say(EMIL, "let me in", prev).await;
    let wish = Wish { auth: Some(vec![first[0].clone(), first[1].clone()]), ..Wish::default() };
    let unfit = world.make(EVA, "m.room.message", json!({"body": "x"}), prev, wish).await;
    let other = world.state(EVA, "org.example.note", ANNA, json!({}), prev).await;
    let again = world.make(EVA, "m.room.create", json!({}), &[], Wish::key("")).await;
    for id in [powers, stranger, unfit, other, again] {
        let received = house.receive(world.wire(std::slice::from_ref(&id))).await;
        assert!(matches!(received.outcomes[0].1, Outcome::Rejected(_)), "{:?}", received.outcomes);
        let known = house.known(&id).unwrap();
        assert!(known.pdu.rejected && known.ord.is_none());
        assert_eq!(house.head.extremities, prev, "a rejected event is followed by none of ours");
        assert_eq!(house.each(&world, &[id]).await, [Outcome::Known]);
    }
    assert_eq!(house.head.revision, house.known(&join).unwrap().nid);
    // An event that follows a rejected one is judged on its own.
    let rejected = world.powers(EVA, json!({EVA: 100}), prev).await;
    let hello = world.say(ANNA, "hello", std::slice::from_ref(&rejected)).await;
    // What authorises it is the old power levels, not the rejected ones.
    let wish =
        Wish { auth: Some(vec![first[0].clone(), first[2].clone(), first[1].clone()]), ..Wish::default() };
    let fine =
        world.make(ANNA, "m.room.message", json!({"body": "x"}), std::slice::from_ref(&rejected), wish).await;
    let outcomes = house.each(&world, &[rejected, hello, fine.clone()]).await;
    assert!(matches!(outcomes[1], Outcome::Rejected(_)), "it named a rejected auth event");
    assert_eq!(outcomes[2], Outcome::Accepted);
    assert!(house.head.extremities.contains(&fine));
    assert_eq!(house.current_event("m.room.power_levels", ""), Some(first[2].clone()));
}

#[tokio::test]
async fn events_of_a_banned_user_on_an_old_branch_soft_fail() {
    for version in ["6", "11", "12"] {
        let (mut world, mut house, first) = room(version).await;
        let join = world.member(EVA, EVA, "join", &first[3..]).await;
        let prev = std::slice::from_ref(&join);
        let ban = world.member(ANNA, EVA, "ban", prev).await;
        let evasion = world.say(EVA, "still here", prev).await;
        let topic = world.state(EVA, "m.room.message", "", json!({}), prev).await;
        let outcomes = house.each(&world, &[join.clone(), ban.clone(), evasion.clone(), topic.clone()]).await;
        assert_eq!(outcomes[..2], [Outcome::Accepted, Outcome::Accepted]);
        assert!(matches!(outcomes[2], Outcome::SoftFailed(_)), "{outcomes:?}");
        let known = house.known(&evasion).unwrap();
        assert!(known.soft_failed && known.ord.is_none() && known.snapshot.is_some());
        assert_eq!(house.head.extremities, std::slice::from_ref(&ban));
        assert!(house.head.linear);
        // Another server that saw the message before the ban joins both branches.
        let joined = world.say(ANNA, "both", &[ban.clone(), evasion.clone()]).await;
        assert_eq!(house.each(&world, std::slice::from_ref(&joined)).await, [Outcome::Accepted]);
        assert_eq!(house.head.extremities, [joined]);
        assert_eq!(house.current_event("m.room.member", EVA), Some(ban));
    }
}

#[tokio::test]
async fn a_lie_about_depth_moves_the_room_by_one_step() {
    let (mut world, mut house, first) = room("12").await;
    let join = world.member(EVA, EVA, "join", &first[3..]).await;
    let wish = Wish { depth: Some((1 << 53) - 1), ..Wish::default() };
    let deep =
        world.make(EVA, "m.room.message", json!({"body": "deep"}), std::slice::from_ref(&join), wish).await;
    house.each(&world, &[join, deep.clone()]).await;
    assert_eq!(house.head.depth, 6);
    assert_eq!(house.known(&deep).unwrap().pdu.depth, (1 << 53) - 1, "hashed as it was claimed");
    let zero = Wish { depth: Some(0), ..Wish::default() };
    let shallow = world.make(EVA, "m.room.message", json!({"body": "flat"}), &[deep], zero).await;
    assert_eq!(house.each(&world, std::slice::from_ref(&shallow)).await, [Outcome::Accepted]);
    assert_eq!(house.head.depth, 6);
    let draft = kontor_model::Draft::message(
        "m.room.message",
        object(json!({"body": "ours"})),
        ANNA.try_into().unwrap(),
        house.now,
    );
    let ours = house.post(&mut world, draft).await.unwrap();
    assert_eq!((world.pdus[&ours].depth, &world.pdus[&ours].prev_events), (7, &vec![shallow]));
}

/// JSON values of the kinds that hurt.
fn odd() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        prop::sample::select(vec![-1i64, 0, 1, (1 << 53) - 1, 1 - (1 << 53)]).prop_map(|n| json!(n)),
        prop::sample::select(vec![
            "",
            "$",
            "$x",
            "!",
            "@",
            "@a:b",
            "m.room.create",
            "m.room.member",
            "\0",
            "💥"
        ])
        .prop_map(|text| json!(text)),
        any::<String>().prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(".{0,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

const FIELDS: [&str; 13] = [
    "type",
    "sender",
    "room_id",
    "state_key",
    "content",
    "depth",
    "prev_events",
    "auth_events",
    "hashes",
    "signatures",
    "origin_server_ts",
    "redacts",
    "event_id",
];

proptest! {
    #![proptest_config(crate::history::cases(150))]

    #[test]
    fn whatever_another_server_sends_has_an_outcome(
        changes in prop::collection::vec((prop::sample::select(FIELDS.to_vec()), odd()), 1..4),
        signed in any::<bool>(), version in prop::sample::select(vec!["1", "5", "11", "12"])
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut world, mut house, first) = room(version).await;
            let join = world.member(EVA, EVA, "join", &first[3..]).await;
            let mut event = serde_json::to_value(&world.objects[&join]).unwrap();
            for (field, value) in &changes {
                event[*field] = value.clone();
            }
            let mut event = object(event);
            // Signed again where that is possible: then the later checks see it as well.
            if signed && event.get("signatures").is_some_and(|all| all.as_object().is_some())
                && ruma::canonical_json::redact(event.clone(), &world.version.rules.redaction, None).is_ok()
            {
                event = sign_again(event, EAST, &world.version);
            }
            let before = house.current();
            let received = house.receive(vec![event]).await;
            assert_eq!(received.outcomes.len(), 1);
            if received.outcomes[0].1 != Outcome::Accepted {
                assert_eq!(house.current(), before);
            }
        });
    }
}
