//! Lanes and revisions: whatever happens at once, every acknowledged event is in its room exactly
//! once, nothing else is, and each follows the one before it.

use super::*;
use crate::create_room::NewRoom;
use crate::send::{Message, transaction};
use crate::testing::{Town, by};
use kontor_model::{Pdu, Requester, RoomVersion};
use kontor_rooms::presets::Preset;
use kontor_store::rooms::events::{Asker, EventRow, Page};
use kontor_store::rooms::{head, redaction};
use proptest::collection::vec;
use proptest::prelude::*;
use ruma::{CanonicalJsonObject, EventId, OwnedRoomId};
use std::collections::HashMap;
use std::sync::Arc;

#[derive(Clone, Debug)]
enum Act {
    /// A message under one of few transaction ids: often a repetition.
    Say { txn: u8 },
    /// Several state events, all or none.
    Name { events: u8 },
    /// Refused by the rules: the sender is a stranger.
    Intrude,
    /// A change that the archive refuses after others were built upon it.
    Fail,
}

#[derive(Clone, Debug)]
struct Step {
    process: usize,
    room: usize,
    /// How often the others go first.
    patience: u8,
    act: Act,
}

fn step() -> impl Strategy<Value = Step> {
    let act = prop_oneof![
        6 => (0..6_u8).prop_map(|txn| Act::Say { txn }),
        3 => (1..4_u8).prop_map(|events| Act::Name { events }),
        1 => Just(Act::Intrude),
        1 => Just(Act::Fail),
    ];
    (0..2_usize, 0..2_usize, 0..8_u8, act).prop_map(|(process, room, patience, act)| Step {
        process,
        room,
        patience,
        act,
    })
}

/// What a step came to: the room, its transaction, and what was acknowledged.
type Done = (usize, Option<u8>, Vec<OwnedEventId>);

struct World {
    town: Town,
    anna: Requester,
    eve: Requester,
    rooms: Vec<OwnedRoomId>,
}

fn content(text: &str) -> CanonicalJsonObject {
    serde_json::from_str(text).unwrap()
}

async fn world() -> World {
    let town = Town::of(2).await;
    let (anna, eve) = (town.person("anna").await, town.person("eve").await);
    let mut rooms = Vec::new();
    for version in ["11", "12"] {
        let wish =
            NewRoom { version: Some(version.into()), preset: Some(Preset::PublicChat), ..NewRoom::default() };
        rooms.push(town.processes[0].create_room(&by(&anna), wish).await.unwrap());
    }
    World { town, anna, eve, rooms }
}

async fn act(world: &World, step: Step, number: usize) -> Done {
    for _ in 0..step.patience {
        tokio::task::yield_now().await;
    }
    let flows = &world.town.processes[step.process];
    let room = &world.rooms[step.room];
    match step.act {
        Act::Say { txn } => {
            let message = Message {
                room_id: room,
                kind: "m.room.message",
                txn_id: &txn.to_string(),
                content: content(&format!(r#"{{"body":"{number}"}}"#)),
            };
            (step.room, Some(txn), vec![flows.send(&by(&world.anna), message).await.unwrap()])
        }
        Act::Name { events } => {
            let sender = &world.anna.user_id;
            let name = |n| content(&format!(r#"{{"name":"{number}-{n}"}}"#));
            let draft = |n| Draft::state("m.room.name", "", name(n), sender.clone(), 1);
            let post = Post { drafts: (0..events).map(draft).collect(), ..Post::default() };
            (step.room, None, flows.post(room, post).await.unwrap())
        }
        Act::Intrude => {
            let draft = Draft::message("m.room.message", content("{}"), world.eve.user_id.clone(), 1);
            assert_eq!(flows.post_one(room, draft).await.unwrap_err().code, Code::Forbidden);
            (step.room, None, Vec::new())
        }
        Act::Fail => {
            let mut lane = flows.rooms.lanes.hold(room).await.unwrap();
            let generation = lane.generation();
            let mut chain = Chain::on(lane.head().unwrap());
            let draft = Draft::message("m.room.message", content("{}"), world.anna.user_id.clone(), 1);
            flows.push_all(&mut chain, &[draft], None).await.unwrap();
            // Only who left can forget.
            let numeric = chain.head().room;
            chain.change().forget_room(numeric, world.anna.user);
            let (change, head) = chain.finish(false, 1).unwrap();
            let receipt = flows.store.enqueue(change).await;
            lane.advance(head);
            drop(lane);
            assert!(receipt.wait().await.unwrap_err().is_conflict());
            flows.rooms.lanes.lost(room, generation).await;
            (step.room, None, Vec::new())
        }
    }
}

async fn timeline(world: &World, room: usize) -> (i64, Vec<(EventRow, Pdu)>) {
    let mut source = world.town.store.snapshot().await.unwrap();
    let row = head::room(&mut source, world.rooms[room].as_str()).await.unwrap().unwrap();
    let version = RoomVersion::parse(&row.version).unwrap();
    let page = Page { room: row.room, after: i64::MIN, until: i64::MAX, limit: 10_000 };
    let asker = Asker { user: world.anna.user, device: "DEVICE" };
    let mut list = Vec::new();
    for event in events::forward(&mut source, asker, page).await.unwrap() {
        let stored = redaction::target(&mut source, &event.event_id).await.unwrap().unwrap();
        let id = EventId::parse(&stored.event_id).unwrap();
        list.push((event, Pdu::from_skeleton(id, &stored.skeleton, &version).unwrap()));
    }
    (row.revision, list)
}

async fn check(world: &World, before: [usize; 2], done: Vec<Done>) {
    let mut sent: HashMap<(usize, u8), OwnedEventId> = HashMap::new();
    let mut acknowledged: [Vec<OwnedEventId>; 2] = [Vec::new(), Vec::new()];
    for (room, txn, ids) in done {
        for id in ids {
            match txn {
                // The same request is answered with the same event, and makes it once.
                Some(txn) => match sent.get(&(room, txn)) {
                    Some(first) => assert_eq!(*first, id),
                    None => {
                        sent.insert((room, txn), id.clone());
                        acknowledged[room].push(id);
                    }
                },
                None => acknowledged[room].push(id),
            }
        }
    }
    for (room, mut expected) in acknowledged.into_iter().enumerate() {
        let (revision, list) = timeline(world, room).await;
        let mut found: Vec<OwnedEventId> =
            list.iter().skip(before[room]).map(|(_, pdu)| pdu.event_id.clone()).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "what was acknowledged is what is there");
        for (number, pair) in list.windows(2).enumerate() {
            assert_eq!(pair[1].1.prev_events, [pair[0].1.event_id.clone()], "event {number} of room {room}");
            assert_eq!(pair[1].1.depth, pair[0].1.depth + 1);
        }
        let newest = list.last().unwrap();
        assert_eq!(revision, newest.0.event);
        let named =
            list.iter().rev().find(|(event, _)| event.kind == "m.room.name").map(|(event, _)| event.event);
        let mut reader = world.town.store.reader();
        let room = newest.0.room;
        let current = kontor_store::rooms::state::current_event(&mut reader, room, "m.room.name", "").await;
        assert_eq!(current.unwrap(), named);
    }
}

async fn run(steps: Vec<Step>) {
    let world = Arc::new(world().await);
    let before = [timeline(&world, 0).await.1.len(), timeline(&world, 1).await.1.len()];
    let tasks: Vec<_> = steps
        .into_iter()
        .enumerate()
        .map(|(number, step)| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { act(&world, step, number).await })
        })
        .collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    check(&world, before, done).await;
    world.town.store.close().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn every_acknowledged_event_is_there_once_and_follows_the_one_before(steps in vec(step(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}

#[test]
fn transactions_differ_by_every_part_of_the_path() {
    let requester = Requester {
        user_id: ruma::OwnedUserId::try_from("@a:x").unwrap(),
        user: 1,
        device_id: "D".into(),
        session: 1,
        epoch: 0,
        admin: false,
        guest: false,
        suspended: false,
        service: None,
    };
    let digest = |path: &[&str], txn: &str| transaction(&by(&requester), path, txn).unwrap().digest;
    let one = digest(&["send", "!a", "m.x"], "1");
    assert_eq!(one, digest(&["send", "!a", "m.x"], "1"));
    for (path, txn) in [
        (vec!["send", "!a", "m.x"], "2"),
        (vec!["send", "!a", "m.x1"], ""),
        (vec!["send", "!am", ".x"], "1"),
        (vec!["redact", "!a", "m.x"], "1"),
    ] {
        assert_ne!(one, digest(&path, txn));
    }
    assert!(transaction(&by(&requester), &[], "a\0").is_err());
}
