//! State resolution by itself: the known hard cases, and the short cut against the long way.

use crate::history::{acts, copy, history, room};
use crate::world::{ANNA, EMIL, EVA, WIM, World};
use kontor_model::Pdu;
use kontor_rooms::StateMap;
use proptest::prelude::*;
use ruma::events::StateEventType;
use ruma::state_res::utils::event_id_set::EventIdSet;
use ruma::{EventId, OwnedEventId};
use serde_json::json;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

type Plain = BTreeMap<(String, String), OwnedEventId>;

fn plain(state: &Arc<StateMap>) -> Plain {
    let entry = |((kind, key), entry): (&(StateEventType, String), &kontor_rooms::StateEntry)| {
        ((kind.to_string(), key.clone()), entry.pdu.event_id.clone())
    };
    state.iter().map(entry).collect()
}

fn of<'a>(state: &'a Plain, kind: &str, key: &str) -> Option<&'a OwnedEventId> {
    state.get(&(kind.to_owned(), key.to_owned()))
}

/// Resolves states that consist of chosen events.
async fn resolved(world: &World, states: &[&[&OwnedEventId]]) -> Plain {
    let states: Vec<_> = states.iter().map(|ids| world.state_of(ids)).collect();
    plain(&world.resolve(&states).await)
}

#[tokio::test]
async fn join_rules_are_not_lost_since_version_twelve() {
    // One server lost the first join rule, the other one the second; their owner has left.
    for (version, kept) in [("11", false), ("12", true)] {
        let mut world = World::new(version);
        let first = world.found().await;
        let (create, powers, public) = (&first[0], &first[2], &first[3]);
        let bob = world.member(EVA, EVA, "join", &first[3..]).await;
        let charlie = world.member(WIM, WIM, "join", std::slice::from_ref(&bob)).await;
        let closed = world.state(
            ANNA,
            "m.room.join_rules",
            "",
            json!({"join_rule": "invite"}),
            std::slice::from_ref(&charlie),
        );
        let closed = closed.await;
        let left = world.member(ANNA, ANNA, "leave", std::slice::from_ref(&closed)).await;
        let name = |name: &str| json!({"membership": "join", "displayname": name});
        let bob2 = world.state(EVA, "m.room.member", EVA, name("b"), std::slice::from_ref(&left)).await;
        let charlie2 = world.state(WIM, "m.room.member", WIM, name("c"), std::slice::from_ref(&left)).await;
        let one = [create, powers, &charlie, &closed, &left, &bob2];
        let other = [create, powers, public, &bob, &left, &charlie2];
        let state = resolved(&world, &[&one, &other]).await;
        assert_eq!(of(&state, "m.room.join_rules", ""), kept.then_some(&closed), "version {version}");
        assert_eq!(of(&state, "m.room.member", EVA), Some(&bob2));
        assert_eq!(of(&state, "m.room.member", WIM), Some(&charlie2));
        assert_eq!(of(&state, "m.room.member", ANNA), Some(&left));
    }
}

#[tokio::test]
async fn power_levels_do_not_fall_back_since_version_twelve() {
    // A server's state fell back to the first levels, though a member in it was let in under the
    // last ones. The levels between are in no state, and before version 12 in no difference either.
    for (version, newest) in [("11", false), ("12", true)] {
        let mut world = World::new(version);
        let first = world.found().await;
        let bob = world.member(EVA, EVA, "join", &first[3..]).await;
        let charlie = world.member(WIM, WIM, "join", std::slice::from_ref(&bob)).await;
        let middle = world.powers(ANNA, json!({EVA: 50}), std::slice::from_ref(&charlie)).await;
        let last = world.powers(EVA, json!({EVA: 50, WIM: 50}), std::slice::from_ref(&middle)).await;
        let emil = world.member(EMIL, EMIL, "join", std::slice::from_ref(&last)).await;
        let zara =
            world.member("@zara:west.example", "@zara:west.example", "join", std::slice::from_ref(&last));
        let zara = zara.await;
        let shared = [&first[0], &first[1], &first[3], &bob, &charlie];
        let old: Vec<_> = shared.iter().copied().chain([&first[2], &emil]).collect();
        let new: Vec<_> = shared.iter().copied().chain([&last, &zara]).collect();
        let state = resolved(&world, &[&old, &new]).await;
        let expected = if newest { &last } else { &first[2] };
        assert_eq!(of(&state, "m.room.power_levels", ""), Some(expected), "version {version}");
    }
}

/// What two people do at the same moment, and what is left of it.
#[tokio::test]
async fn power_decides_between_concurrent_events() {
    for version in ["2", "6", "11", "12"] {
        let (mut world, _, last) = room(version).await;
        let base = world.powers(ANNA, json!({EVA: 50}), &[last]).await;
        let base = std::slice::from_ref(&base);
        let topic = |text: &str| json!({"topic": text});

        // A ban beats the banned moderator's new power levels.
        let ban = world.member(ANNA, EVA, "ban", base).await;
        let powers = world.powers(EVA, json!({EVA: 50, WIM: 10}), base).await;
        let state = plain(&world.before(&[ban.clone(), powers]).await);
        assert_eq!(of(&state, "m.room.power_levels", ""), Some(&base[0]));
        assert_eq!(of(&state, "m.room.member", EVA), Some(&ban));

        // A demotion beats the topic and the levels of whom it demotes.
        let demotion = world.powers(ANNA, json!({EVA: 0}), base).await;
        let subject = world.state(EVA, "m.room.topic", "", topic("mine"), base).await;
        let powers = world.powers(EVA, json!({EVA: 50, WIM: 10}), base).await;
        let state = plain(&world.before(&[demotion.clone(), subject, powers]).await);
        assert_eq!(of(&state, "m.room.power_levels", ""), Some(&demotion));
        assert_eq!(of(&state, "m.room.topic", ""), None);

        // A new join rule beats a join that it would not have let in.
        let gone = world.member(EMIL, EMIL, "leave", base).await;
        let gone = std::slice::from_ref(&gone);
        let closed = world.state(ANNA, "m.room.join_rules", "", json!({"join_rule": "invite"}), gone).await;
        let join = world.member(EMIL, EMIL, "join", gone).await;
        let state = plain(&world.before(&[closed.clone(), join]).await);
        assert_eq!(of(&state, "m.room.join_rules", ""), Some(&closed));
        assert_eq!(of(&state, "m.room.member", EMIL), Some(&gone[0]));

        // Of equals the later one by the senders' clocks wins, whatever their ids.
        let one = world.state(ANNA, "m.room.topic", "", topic("one"), base).await;
        let two = world.state(ANNA, "m.room.topic", "", topic("two"), base).await;
        for ends in [[one.clone(), two.clone()], [two.clone(), one.clone()]] {
            let state = plain(&world.before(&ends).await);
            assert_eq!(of(&state, "m.room.topic", ""), Some(&two));
        }
    }
}

/// The long way: whole states, whole auth chains, every path of the subgraph.
fn naive(world: &World, states: &[Arc<StateMap>]) -> Plain {
    let ids: Vec<HashMap<_, _>> = states
        .iter()
        .map(|state| state.iter().map(|(key, entry)| (key.clone(), entry.pdu.event_id.clone())).collect())
        .collect();
    let chain = |from: Vec<OwnedEventId>| {
        let mut chain: HashSet<OwnedEventId> = HashSet::new();
        let mut open: Vec<_> = from.iter().flat_map(|id| world.pdus[id].auth_events.clone()).collect();
        while let Some(id) = open.pop() {
            if chain.insert(id.clone()) {
                open.extend(world.pdus[&id].auth_events.clone());
            }
        }
        chain
    };
    let chains =
        ids.iter().map(|state| chain(state.values().cloned().collect()).into_iter().collect()).collect();
    let fetch = |id: &EventId| -> Option<Arc<Pdu>> { world.pdus.get(id).cloned() };
    let subgraph = |conflicted: &HashMap<(StateEventType, String), Vec<OwnedEventId>>| {
        let ends: HashSet<OwnedEventId> = conflicted.values().flatten().cloned().collect();
        let mut members = HashSet::new();
        for id in world.pdus.keys() {
            let below = chain(vec![id.clone()]);
            let reaches = ends.contains(id) || ends.iter().any(|end| below.contains(end));
            let reached = ends.contains(id) || ends.iter().any(|end| chain(vec![end.clone()]).contains(id));
            let alone = ends.contains(id)
                && !ends.iter().any(|end| below.contains(end) || chain(vec![end.clone()]).contains(id));
            if reaches && reached && !alone {
                members.insert(id.clone());
            }
        }
        Some(members.into_iter().collect::<EventIdSet<_>>())
    };
    let rules = world.version.rules.state_res.v2_rules().unwrap();
    let authorization = &world.version.rules.authorization;
    let result = ruma::state_res::resolve(authorization, rules, ids.iter(), chains, fetch, subgraph).unwrap();
    result.into_iter().map(|((kind, key), id)| ((kind.to_string(), key), id)).collect()
}

proptest! {
    #![proptest_config(crate::history::cases(40))]

    #[test]
    fn the_short_cut_and_the_long_way_agree(
        acts in acts(), version in prop::sample::select(vec!["2", "6", "11", "12"])
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut world, start, last) = room(version).await;
            let mut house = copy(&world, &start);
            let events = history(&mut world, &mut house, last, &acts).await;
            // Every two events of the history, however far apart.
            for (index, one) in events.iter().enumerate() {
                for other in &events[..index] {
                    let states = [world.after(one), world.after(other)];
                    let short = plain(&world.resolve(&states).await);
                    assert_eq!(short, naive(&world, &states));
                }
            }
        });
    }
}
