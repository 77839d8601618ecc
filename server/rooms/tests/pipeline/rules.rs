//! Authorisation as the pipeline applies it: who may do what, as a table over room versions.

use crate::house::House;
use crate::world::{ANNA, EMIL, EVA, WIM, Wish, World};
use kontor_rooms::receive::Outcome;
use ruma::OwnedEventId;
use serde_json::{Value, json};
use std::ops::RangeInclusive;

/// A room in which Eva is a moderator, Wim a member, Emil whatever the case wants.
async fn room(version: u8, rule: &str, emil: &[(&str, &str)]) -> (World, House, OwnedEventId) {
    let mut world = World::new(&version.to_string());
    let first = world.found().await;
    let mut house = House::founded(&world, &first);
    let mut last = first[3].clone();
    for user in [EVA, WIM] {
        last = world.member(user, user, "join", &[last]).await;
        house.each(&world, std::slice::from_ref(&last)).await;
    }
    last = world.powers(ANNA, json!({EVA: 50}), &[last]).await;
    house.each(&world, std::slice::from_ref(&last)).await;
    for (by, how) in emil {
        last = world.member(by, EMIL, how, &[last]).await;
        assert_eq!(house.each(&world, std::slice::from_ref(&last)).await, [Outcome::Accepted], "{how}");
    }
    if rule != "public" {
        last = world.state(ANNA, "m.room.join_rules", "", json!({"join_rule": rule}), &[last]).await;
        house.each(&world, std::slice::from_ref(&last)).await;
    }
    (world, house, last)
}

const ALL: RangeInclusive<u8> = 1..=12;
const NEVER: RangeInclusive<u8> = 0..=0;

/// Join rule, how Emil came to stand where he stands, who does what to him, versions that allow it.
type Case =
    (&'static str, &'static [(&'static str, &'static str)], &'static str, &'static str, RangeInclusive<u8>);

const MEMBERSHIPS: &[Case] = &[
    ("public", &[], EMIL, "join", ALL),
    ("public", &[], WIM, "join", NEVER),
    ("public", &[(ANNA, "ban")], EMIL, "join", NEVER),
    ("invite", &[], EMIL, "join", NEVER),
    ("invite", &[(ANNA, "invite")], EMIL, "join", ALL),
    ("invite", &[(EMIL, "join")], EMIL, "join", ALL),
    ("private", &[(ANNA, "invite")], EMIL, "join", NEVER),
    ("knock", &[], EMIL, "join", NEVER),
    ("knock", &[(ANNA, "invite")], EMIL, "join", 7..=12),
    ("restricted", &[], EMIL, "join", NEVER),
    ("restricted", &[(ANNA, "invite")], EMIL, "join", 8..=12),
    ("knock_restricted", &[(ANNA, "invite")], EMIL, "join", 10..=12),
    ("invite", &[], EVA, "invite", ALL),
    ("invite", &[], WIM, "invite", ALL),
    ("invite", &[(EMIL, "join")], EVA, "invite", NEVER),
    ("invite", &[(ANNA, "ban")], EVA, "invite", NEVER),
    ("invite", &[], EMIL, "invite", NEVER),
    ("invite", &[(EMIL, "join")], EMIL, "leave", ALL),
    ("invite", &[(ANNA, "invite")], EMIL, "leave", ALL),
    ("invite", &[(ANNA, "ban")], EMIL, "leave", NEVER),
    ("invite", &[(EMIL, "join")], EVA, "leave", ALL),
    ("invite", &[(EMIL, "join")], WIM, "leave", NEVER),
    ("invite", &[(ANNA, "ban")], EVA, "leave", ALL),
    ("invite", &[(ANNA, "ban")], WIM, "leave", NEVER),
    ("invite", &[(EMIL, "join")], EVA, "ban", ALL),
    ("invite", &[], EVA, "ban", ALL),
    ("invite", &[(EMIL, "join")], WIM, "ban", NEVER),
    ("knock", &[], EMIL, "knock", 7..=12),
    ("knock", &[(EMIL, "join")], EMIL, "knock", NEVER),
    ("knock", &[(ANNA, "ban")], EMIL, "knock", NEVER),
    ("knock", &[], EVA, "knock", NEVER),
    ("knock_restricted", &[], EMIL, "knock", 10..=12),
    ("public", &[], EMIL, "knock", NEVER),
    ("invite", &[], EMIL, "knock", NEVER),
];

#[tokio::test]
async fn memberships_change_as_the_rules_of_each_version_say() {
    for version in ALL {
        for (rule, emil, by, how, allowed) in MEMBERSHIPS {
            let (mut world, mut house, last) = room(version, rule, emil).await;
            let event = world.member(by, EMIL, how, &[last]).await;
            let outcome = house.each(&world, &[event]).await.remove(0);
            let expected = allowed.contains(&version);
            assert_eq!(
                outcome == Outcome::Accepted,
                expected,
                "version {version}, {rule}, {emil:?}, {by} sets {how}: {outcome:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_restricted_join_needs_the_word_of_a_member_who_may_invite() {
    for version in ALL {
        for (voucher, allowed) in [(EVA, 8..=12), (ANNA, 8..=12), (EMIL, NEVER)] {
            let (mut world, mut house, last) = room(version, "restricted", &[]).await;
            let content = json!({"membership": "join", "join_authorised_via_users_server": voucher});
            let mut object = {
                let id = world.state(EMIL, "m.room.member", EMIL, content, &[last]).await;
                world.objects[&id].clone()
            };
            let unsigned = object.clone();
            let server = voucher.split_once(':').unwrap().1;
            object = crate::world::sign_again(object, server, &world.version);
            if server == crate::world::HOME && version >= 8 {
                let received = house.receive(vec![unsigned]).await;
                assert!(
                    matches!(received.outcomes[0].1, Outcome::Dropped(_)),
                    "it must be signed there as well"
                );
            }
            let received = house.receive(vec![object]).await;
            assert_eq!(
                received.outcomes[0].1 == Outcome::Accepted,
                allowed.contains(&version),
                "version {version}, {voucher}: {:?}",
                received.outcomes
            );
        }
    }
}

/// Content of new power levels by Eva (50), and whether it is allowed.
fn power_changes() -> Vec<(Value, RangeInclusive<u8>)> {
    let mut cases = vec![
        (json!({"users": {EVA: 50, WIM: 50}}), ALL),
        (json!({"users": {EVA: 50, WIM: 51}}), NEVER),
        (json!({"users": {EVA: 100}}), NEVER),
        (json!({"users": {EVA: 40}}), ALL),
        (json!({"users": {EVA: 50}, "kick": 10}), ALL),
        (json!({"users": {EVA: 50}, "ban": 90}), NEVER),
        (json!({"users": {EVA: 50}, "events": {"m.room.topic": 30}}), ALL),
        (json!({"users": {EVA: 50}, "events": {"m.room.topic": 70}}), NEVER),
        (json!({"users": {EVA: 50}, "notifications": {"room": 70}}), 1..=5),
        (json!({"users": {EVA: 50}, "notifications": {"room": 40}}), ALL),
        (json!({"users": {EVA: 50, "no id": 1}}), NEVER),
        (json!({"users": {EVA: "50"}}), 1..=9),
        (json!({"users": {EVA: 50}, "state_default": "40"}), 1..=9),
        (json!({"users": {EVA: "much"}}), NEVER),
        (json!({"users": {EVA: 50}, "events": []}), NEVER),
    ];
    // Nobody may take Anna's place away, except where she has none among the numbers.
    cases.push((json!({"users": {EVA: 50}, "without_anna": true}), 12..=12));
    cases
}

#[tokio::test]
async fn power_levels_change_within_the_senders_own_power() {
    for version in ALL {
        for (content, allowed) in power_changes() {
            let (mut world, mut house, last) = room(version, "public", &[]).await;
            let mut content = content;
            let without = content.as_object_mut().unwrap().remove("without_anna").is_some();
            if version < 12 && !without {
                content["users"][ANNA] = json!(100);
            }
            let event = world.state(EVA, "m.room.power_levels", "", content.clone(), &[last]).await;
            let outcome = house.each(&world, &[event]).await.remove(0);
            let expected = allowed.contains(&version);
            assert_eq!(outcome == Outcome::Accepted, expected, "version {version}, {content}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn creators_of_version_twelve_stand_above_numbers_and_in_none() {
    let (mut world, mut house, last) = room(12, "public", &[]).await;
    let named = json!({"users": {ANNA: 100}});
    let named = world.state(ANNA, "m.room.power_levels", "", named, std::slice::from_ref(&last)).await;
    let high = json!({"users": {}, "state_default": 9_000_000});
    let high = world.state(ANNA, "m.room.power_levels", "", high, std::slice::from_ref(&last)).await;
    let topic =
        world.state(ANNA, "m.room.topic", "", json!({"topic": "mine"}), std::slice::from_ref(&high)).await;
    let outcomes = house.each(&world, &[named, high, topic]).await;
    assert!(matches!(outcomes[0], Outcome::Rejected(_)), "{outcomes:?}");
    assert_eq!(outcomes[1..], [Outcome::Accepted, Outcome::Accepted]);
}

#[tokio::test]
async fn the_form_of_auth_events_is_checked() {
    for version in ["3", "11", "12"] {
        let mut world = World::new(version);
        let first = world.found().await;
        let mut house = House::founded(&world, &first);
        let join = world.member(EVA, EVA, "join", &first[3..]).await;
        let said = world.say(EVA, "x", std::slice::from_ref(&join)).await;
        house.each(&world, &[join.clone(), said.clone()]).await;
        let right = world.pdus[&said].auth_events.clone();
        let with = |id: &OwnedEventId| right.iter().cloned().chain([id.clone()]).collect::<Vec<_>>();
        let without =
            |id: &OwnedEventId| right.iter().filter(|found| *found != id).cloned().collect::<Vec<_>>();
        // Doubled, needless, no state event, without the sender's membership.
        for auth in [with(&join), with(&first[3]), with(&said), without(&join)] {
            let wish = Wish { auth: Some(auth), ..Wish::default() };
            let event = world
                .make(EVA, "m.room.message", json!({"body": "x"}), std::slice::from_ref(&said), wish)
                .await;
            let outcome = house.each(&world, &[event]).await.remove(0);
            assert!(matches!(outcome, Outcome::Rejected(_)), "version {version}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_room_that_is_not_federated_takes_nothing_from_other_servers() {
    let mut world = World::new("11");
    let content = json!({"room_version": "11", "m.federate": false});
    let create = world.make(ANNA, "m.room.create", content, &[], Wish::key("")).await;
    let join = world.member(ANNA, ANNA, "join", std::slice::from_ref(&create)).await;
    let rule = json!({"join_rule": "public"});
    let rule = world.state(ANNA, "m.room.join_rules", "", rule, std::slice::from_ref(&join)).await;
    let mut house = House::founded(&world, &[create, join, rule.clone()]);
    let join = world.member(EVA, EVA, "join", &[rule]).await;
    assert!(matches!(house.each(&world, &[join]).await[0], Outcome::Rejected(_)));
}
