//! Redactions of other servers.

use crate::house::House;
use crate::world::{ANNA, EMIL, EVA, WIM, World};
use kontor_rooms::receive::Outcome;
use ruma::OwnedEventId;
use serde_json::json;

async fn room(version: &str) -> (World, House, OwnedEventId) {
    let mut world = World::new(version);
    let first = world.found().await;
    let mut house = House::founded(&world, &first);
    let mut last = first[3].clone();
    for user in [EVA, EMIL, WIM] {
        last = world.member(user, user, "join", &[last]).await;
        house.each(&world, std::slice::from_ref(&last)).await;
    }
    (world, house, last)
}

fn redacted(house: &House, id: &OwnedEventId) -> bool {
    let known = house.known(id).unwrap();
    let by_rows = house.archive.0.lock().unwrap().redacted.contains_key(&known.nid);
    assert_eq!(by_rows, known.redacted);
    known.redacted
}

#[tokio::test]
async fn a_redaction_takes_effect_for_the_senders_server_and_the_powerful() {
    for version in ["3", "6", "10", "11", "12"] {
        for (by, allowed) in [(EVA, true), (EMIL, true), (ANNA, true), (WIM, false)] {
            let (mut world, mut house, last) = room(version).await;
            let said = world.say(EVA, "secret", &[last]).await;
            let redaction = world.redact(by, &said, std::slice::from_ref(&said)).await;
            let outcomes = house.each(&world, &[said.clone(), redaction]).await;
            assert_eq!(outcomes, [Outcome::Accepted, Outcome::Accepted], "stored in any case");
            assert_eq!(redacted(&house, &said), allowed, "version {version}, by {by}");
        }
    }
}

#[tokio::test]
async fn in_versions_one_and_two_the_rules_themselves_refuse() {
    for version in ["1", "2"] {
        for (by, allowed) in [(EMIL, true), (ANNA, true), (WIM, false)] {
            let (mut world, mut house, last) = room(version).await;
            let said = world.say(EVA, "secret", &[last]).await;
            let redaction = world.redact(by, &said, std::slice::from_ref(&said)).await;
            let outcomes = house.each(&world, &[said.clone(), redaction]).await;
            assert_eq!(matches!(outcomes[1], Outcome::Rejected(_)), !allowed, "{outcomes:?}");
            assert_eq!(redacted(&house, &said), allowed, "version {version}, by {by}");
        }
    }
}

#[tokio::test]
async fn a_redaction_that_comes_first_waits_for_its_target() {
    let (mut world, mut house, last) = room("11").await;
    let prev = std::slice::from_ref(&last);
    let said = world.say(EVA, "secret", prev).await;
    let kept = world.say(EVA, "public", prev).await;
    let good = world.redact(EVA, &said, prev).await;
    let bad = world.redact(WIM, &kept, prev).await;
    let outcomes = house.each(&world, &[good, bad]).await;
    assert_eq!(outcomes, [Outcome::Accepted, Outcome::Accepted]);
    assert_eq!(house.archive.0.lock().unwrap().awaited.len(), 2);
    let received = house.receive(world.wire(&[said.clone(), kept.clone()])).await;
    assert_eq!(received.redactions.len(), 1);
    assert!(redacted(&house, &said) && !redacted(&house, &kept));
    assert!(house.archive.0.lock().unwrap().awaited.is_empty(), "nothing is waited for any more");
}

#[tokio::test]
async fn both_may_come_in_one_transaction_in_any_order() {
    let (mut world, mut house, last) = room("12").await;
    let said = world.say(EVA, "secret", std::slice::from_ref(&last)).await;
    let redaction = world.redact(EVA, &said, std::slice::from_ref(&last)).await;
    let received = house.receive(world.wire(&[redaction, said.clone()])).await;
    assert_eq!(received.redactions.len(), 1);
    assert!(received.awaits.is_empty());
    assert!(redacted(&house, &said));
}

#[tokio::test]
async fn a_redacted_join_still_joins_and_a_soft_failed_redaction_does_nothing() {
    let (mut world, mut house, last) = room("12").await;
    let join = house.current_event("m.room.member", EVA).unwrap();
    let redaction = world.redact(EVA, &join, std::slice::from_ref(&last)).await;
    let hello = world.say(EVA, "still here", std::slice::from_ref(&redaction)).await;
    let outcomes = house.each(&world, &[redaction, hello.clone()]).await;
    assert_eq!(outcomes, [Outcome::Accepted, Outcome::Accepted]);
    assert!(redacted(&house, &join));
    assert_eq!(house.head.membership(EVA.try_into().unwrap()), "join");

    let said = world.say(WIM, "mine", std::slice::from_ref(&hello)).await;
    let ban = world.member(ANNA, EVA, "ban", std::slice::from_ref(&said)).await;
    let evasion = world.redact(EVA, &hello, std::slice::from_ref(&hello)).await;
    let outcomes = house.each(&world, &[said, ban, evasion]).await;
    assert!(matches!(outcomes[2], Outcome::SoftFailed(_)), "{outcomes:?}");
    assert!(!redacted(&house, &hello));
}

#[tokio::test]
async fn redacted_power_levels_go_on_with_what_is_left() {
    let (mut world, mut house, last) = room("10").await;
    let levels = json!({"users": {ANNA: 100, EVA: 50}, "invite": 50, "org.example": {"x": 1}});
    let powers = world.state(ANNA, "m.room.power_levels", "", levels, &[last]).await;
    let redaction = world.redact(ANNA, &powers, std::slice::from_ref(&powers)).await;
    house.each(&world, &[powers.clone(), redaction]).await;
    let left = house.head.state.values().find(|entry| entry.pdu.event_id == powers).unwrap();
    let left: serde_json::Value = serde_json::from_str(left.pdu.content.get()).unwrap();
    assert_eq!(left, json!({"users": {ANNA: 100, EVA: 50}}), "version 10 does not keep invite");
}
