//! Events whose parents or auth events are missing, and servers that have them, or do not.

use crate::house::House;
use crate::world::{ANNA, EVA, WIM, World};
use kontor_rooms::receive::{Limits, Outcome, StateIds};
use ruma::OwnedEventId;
use serde_json::json;

async fn room() -> (World, House, OwnedEventId) {
    let mut world = World::new("12");
    let first = world.found().await;
    let mut house = House::founded(&world, &first);
    let join = world.member(EVA, EVA, "join", &first[3..]).await;
    house.each(&world, std::slice::from_ref(&join)).await;
    (world, house, join)
}

/// A chain of messages, with Wim's join in the middle.
async fn chain(world: &mut World, start: &OwnedEventId, length: usize) -> Vec<OwnedEventId> {
    let mut made = vec![start.clone()];
    for index in 0..length {
        let prev = &made[made.len() - 1..].to_vec();
        let id = if index == length / 2 {
            world.member(WIM, WIM, "join", prev).await
        } else {
            world.say(EVA, &format!("word {index}"), prev).await
        };
        made.push(id);
    }
    made.split_off(1)
}

#[tokio::test]
async fn missing_parents_are_fetched() {
    for fills in [true, false] {
        let (mut world, mut house, join) = room().await;
        let events = chain(&mut world, &join, 8).await;
        house.peers.events = world.objects.clone();
        house.peers.fills = fills;
        let last = events[7].clone();
        assert_eq!(house.each(&world, std::slice::from_ref(&last)).await, [Outcome::Accepted], "{fills}");
        assert_eq!(house.head.extremities, [last]);
        assert!(house.current_event("m.room.member", WIM).is_some());
        assert!(house.head.linear, "in the end one followed the other");
        let asked = *house.peers.asked.lock().unwrap();
        assert!(if fills { asked == 1 } else { asked <= 16 }, "{asked}");
    }
}

#[tokio::test]
async fn fetching_is_bounded_and_what_stays_unclear_is_not_kept() {
    let (mut world, mut house, join) = room().await;
    let events = chain(&mut world, &join, 30).await;
    house.peers.events = world.objects.clone();
    house.peers.fills = true;
    house.limits = Limits { parents: 10, ..Limits::default() };
    let last = events[29].clone();
    let before = house.head.extremities.clone();
    let received = house.receive(world.wire(&[last])).await;
    assert!(matches!(received.outcomes[0].1, Outcome::Incomplete(_)), "{:?}", received.outcomes);
    assert!(received.records.is_empty());
    assert_eq!(house.head.extremities, before);

    house.peers.events.clear();
    let orphan = world.say(EVA, "orphan", &events[20..21]).await;
    let received = house.receive(world.wire(std::slice::from_ref(&orphan))).await;
    assert!(matches!(received.outcomes[0].1, Outcome::Incomplete(_)));
    house.peers.events = world.objects.clone();
    house.limits = Limits::default();
    assert_eq!(house.each(&world, &[orphan]).await, [Outcome::Accepted], "sent again when it can be had");
}

#[tokio::test]
async fn after_a_long_silence_the_state_of_another_server_bridges_the_gap() {
    let (mut world, mut house, join) = room().await;
    let events = chain(&mut world, &join, 6).await;
    let wim = events[3].clone();
    let subject =
        world.state(ANNA, "m.room.topic", "", json!({"topic": "x"}), std::slice::from_ref(&events[5])).await;
    let hello = world.say(WIM, "hello", std::slice::from_ref(&subject)).await;
    // The others give out state events, but not the messages between.
    let state = world.before(std::slice::from_ref(&subject)).await;
    let state: Vec<_> = state.values().map(|entry| entry.pdu.event_id.clone()).collect();
    for id in [&wim, &subject] {
        house.peers.events.insert(id.clone(), world.objects[id].clone());
    }
    house.peers.states.insert(hello.clone(), StateIds { state, auth_chain: Vec::new() });
    house.peers.events.remove(&subject);
    house.peers.events.insert(subject.clone(), world.objects[&subject].clone());
    // The message's only parent is known to nobody as a parent: it has none of its own here.
    house.limits = Limits { rounds: 0, ..Limits::default() };
    assert_eq!(house.each(&world, std::slice::from_ref(&hello)).await, [Outcome::Accepted]);
    assert_eq!(house.current_event("m.room.member", WIM), Some(wim.clone()));
    assert_eq!(house.current_event("m.room.topic", ""), Some(subject.clone()));
    let fetched = house.known(&wim).unwrap();
    assert!(fetched.ord.is_none() && !fetched.pdu.rejected, "it only authorises");
    assert_eq!(house.head.extremities.len(), 2, "our old end, and the event beyond the gap");

    // The parent comes late: it is followed already, so no event of ours follows it.
    house.limits = Limits::default();
    house.peers.events = world.objects.clone();
    house.peers.fills = true;
    let outcomes = house.each(&world, std::slice::from_ref(&subject)).await;
    assert_eq!(outcomes, [Outcome::Accepted]);
    assert!(house.head.extremities.contains(&hello) && !house.head.extremities.contains(&subject));
    let end = world.say(ANNA, "end", &house.head.extremities.clone()).await;
    assert_eq!(house.each(&world, std::slice::from_ref(&end)).await, [Outcome::Accepted]);
    assert_eq!(house.head.extremities, [end]);
}

#[tokio::test]
async fn missing_auth_events_are_fetched_or_the_event_waits() {
    let (mut world, mut house, join) = room().await;
    // Wim joins on a branch that this house never saw; then he talks, with our end as the parent.
    let wim = world.member(WIM, WIM, "join", std::slice::from_ref(&join)).await;
    let hello = world.say(WIM, "hello", std::slice::from_ref(&wim)).await;
    let received = house.receive(world.wire(std::slice::from_ref(&hello))).await;
    assert!(matches!(received.outcomes[0].1, Outcome::Incomplete(_)));
    assert!(house.known(&hello).is_none() && house.known(&wim).is_none());
    house.peers.events.insert(wim.clone(), world.objects[&wim].clone());
    assert_eq!(house.each(&world, &[hello]).await, [Outcome::Accepted]);
    assert!(house.known(&wim).unwrap().ord.is_some(), "a parent is an event of the room");
}

#[tokio::test]
async fn forged_answers_are_not_taken() {
    let (mut world, mut house, join) = room().await;
    let events = chain(&mut world, &join, 2).await;
    let mut forged = world.objects[&events[0]].clone();
    forged.remove("signatures");
    let forged = crate::world::sign_again(forged, "west.example", &world.version);
    house.peers.events.insert(events[0].clone(), forged);
    let received = house.receive(world.wire(&events[1..])).await;
    assert!(matches!(received.outcomes[0].1, Outcome::Incomplete(_)), "{:?}", received.outcomes);
}
