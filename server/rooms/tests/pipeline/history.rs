//! Random histories of one room: who does what, on which parents.

use crate::house::House;
use crate::world::{ANNA, EMIL, EVA, WIM, World};
use kontor_rooms::receive::Outcome;
use proptest::prelude::*;
use ruma::OwnedEventId;
use serde_json::json;

/// A room of Anna's that Eva, Emil and Wim joined; returns the last event.
pub async fn room(version: &str) -> (World, House, OwnedEventId) {
    let mut world = World::new(version);
    let first = world.found().await;
    let mut house = House::founded(&world, &first);
    let mut last = first[3].clone();
    for user in [EVA, EMIL, WIM] {
        let join = world.member(user, user, "join", &[last]).await;
        house.each(&world, std::slice::from_ref(&join)).await;
        last = join;
    }
    (world, house, last)
}

/// How many cases a property is tried on: as many as usual, or as `PROPTEST_CASES` says. A failure
/// prints the smallest input that fails; nothing is kept in files.
pub fn cases(usual: u32) -> ProptestConfig {
    let set = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { set.cases } else { usual };
    ProptestConfig { cases, failure_persistence: None, ..set }
}

/// What happens in a random room: who does what, and how many events back its parents are.
#[derive(Clone)]
pub struct Act {
    who: usize,
    what: usize,
    parents: Vec<usize>,
}

/// Printed as the code that makes it, so that a failure can be pasted into a test.
impl std::fmt::Debug for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { who, what, parents } = self;
        write!(f, "act({who}, {what}, &{parents:?})")
    }
}

pub fn act(who: usize, what: usize, parents: &[usize]) -> Act {
    Act { who, what, parents: parents.to_vec() }
}

pub fn acts() -> impl Strategy<Value = Vec<Act>> {
    let one = (0..4usize, 0..8usize, prop::collection::vec(0..6usize, 1..3));
    prop::collection::vec(one.prop_map(|(who, what, parents)| act(who, what, &parents)), 3..16)
}

/// Builds the events, each with parents among the last few, and hands them to a house in that
/// order. Ends with one of Anna's that follows every branch.
pub async fn history(
    world: &mut World,
    house: &mut House,
    start: OwnedEventId,
    acts: &[Act],
) -> Vec<OwnedEventId> {
    let users = [ANNA, EVA, EMIL, WIM];
    let mut made = vec![start];
    for (index, act) in acts.iter().enumerate() {
        let mut prev: Vec<_> =
            act.parents.iter().map(|back| made[made.len() - 1 - back % made.len()].clone()).collect();
        prev.sort();
        prev.dedup();
        let (by, other) = (users[act.who], users[(act.who + 1 + act.what % 3) % 4]);
        let id = match act.what {
            0 => world.state(by, "m.room.topic", "", json!({"topic": index}), &prev).await,
            1 => world.powers(by, json!({by: 50, other: 50}), &prev).await,
            2 => world.powers(by, json!({}), &prev).await,
            3 => world.member(by, other, "ban", &prev).await,
            4 => world.member(by, by, "join", &prev).await,
            5 => world.state(by, "m.room.join_rules", "", json!({"join_rule": "invite"}), &prev).await,
            6 if by != ANNA => world.member(by, by, "leave", &prev).await,
            _ => world.say(by, "words", &prev).await,
        };
        if let [Outcome::Rejected(_)] = house.each(world, std::slice::from_ref(&id)).await.as_slice() {
            world.reject(&id).await;
        }
        made.push(id);
    }
    let followed: Vec<_> = made.iter().flat_map(|id| world.pdus[id].prev_events.clone()).collect();
    let mut ends: Vec<_> = made.iter().filter(|id| !followed.contains(id)).cloned().collect();
    ends.sort();
    let last = world.say(ANNA, "the end", &ends).await;
    assert_eq!(house.each(world, std::slice::from_ref(&last)).await, [Outcome::Accepted]);
    made.push(last);
    made.remove(0);
    made
}

/// Another house that stands where this one does.
pub fn copy(world: &World, house: &House) -> House {
    let mut first: Vec<_> = house.head.state.values().map(|entry| entry.pdu.event_id.clone()).collect();
    first.sort_by_key(|id| world.pdus[id].depth);
    House::founded(world, &first)
}
