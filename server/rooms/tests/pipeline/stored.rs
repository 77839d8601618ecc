//! The same pipeline on the store: SQLite in a temporary folder, and PostgreSQL where
//! `KONTOR_TEST_PG_URL` names a server's database to use.

use crate::history::{acts, history};
use crate::house::{AllKeys, Having, House, News};
use crate::world::{ANNA, EMIL, EVA, HOME, WIM, World, key_of, object, public_keys};
use kontor_model::{Code, Draft, RoomVersion};
use kontor_rooms::archive::{StateCache, StoreArchive};
use kontor_rooms::federation::FederationEvent;
use kontor_rooms::receive::{Limits, Outcome, Receiver};
use kontor_rooms::{Chain, EventNids, Head, Signer};
use kontor_store::rooms::{chain_reads, head, members, state};
use kontor_store::{Options, Store};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use ruma::OwnedEventId;
use ruma::signatures::{Verified, verify_event};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

/// A house on a store, with one room.
struct Stored {
    store: Store,
    folder: std::path::PathBuf,
    head: Head,
    peers: Having,
    states: StateCache,
    forget_on_leave: bool,
}

impl Drop for Stored {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn signer() -> Signer {
    Signer { server_name: HOME.try_into().unwrap(), key: key_of(HOME) }
}

fn draft(kind: &str, key: Option<&str>, content: serde_json::Value) -> Draft {
    let (content, sender) = (object(content), ANNA.try_into().unwrap());
    match key {
        Some(key) => Draft::state(kind, key, content, sender, 1_000),
        None => Draft::message(kind, content, sender, 1_000),
    }
}

impl Stored {
    /// A room of Anna's that Eva, Emil and Wim joined; returns its events.
    async fn room(version: &str) -> (Self, World, Vec<OwnedEventId>) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let unique = format!("kontor_rooms_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(&unique);
        std::fs::create_dir_all(&folder).unwrap();
        let sqlite = format!("sqlite://{}", folder.join("kontor.db").display());
        let url = std::env::var("KONTOR_TEST_PG_URL").unwrap_or(sqlite);
        let store = Store::open(&Options { url, readers: 2 }).await.unwrap();
        let mut world = World::new(version);
        let head = Head {
            room: store.nid().await.unwrap(),
            room_id: format!("!{unique}:{HOME}").try_into().unwrap(),
            version: RoomVersion::parse(version).unwrap(),
            revision: 0,
            depth: 0,
            extremities: Vec::new(),
            linear: true,
            snapshot: None,
            state: std::sync::Arc::default(),
        };
        let mut chain = Chain::create(head);
        let drafts = [
            draft("m.room.create", Some(""), json!({"room_version": version, "creator": ANNA, "of": unique})),
            draft("m.room.member", Some(ANNA), json!({"membership": "join"})),
            draft("m.room.power_levels", Some(""), json!({"users": levels(version)})),
            draft("m.room.join_rules", Some(""), json!({"join_rule": "public"})),
        ];
        for draft in &drafts {
            let nids = nids(&store, draft).await;
            chain.push(draft, nids, &signer(), &News, 1_000).unwrap();
        }
        let pdus: Vec<_> = chain.events().iter().map(|event| event.pdu.clone()).collect();
        let mut first: Vec<OwnedEventId> = Vec::new();
        for pdu in pdus {
            let before = world.before(first.last().map(std::slice::from_ref).unwrap_or_default()).await;
            first.push(pdu.event_id.clone());
            world.room_id = pdu.room_id.clone();
            world.learn(pdu, before);
        }
        let (change, head) = chain.finish(false, 1_000).unwrap();
        store.submit(change).await.unwrap();
        let (peers, states) = (Having::default(), StateCache::default());
        let mut stored = Self { store, folder, head, peers, states, forget_on_leave: false };
        for user in [EVA, EMIL, WIM] {
            let join = world.member(user, user, "join", &first[first.len() - 1..]).await;
            assert_eq!(stored.receive(&world, std::slice::from_ref(&join)).await, [Outcome::Accepted]);
            first.push(join);
        }
        (stored, world, first)
    }

    /// Receives events in one transaction each and writes what comes of them.
    async fn receive(&mut self, world: &World, ids: &[OwnedEventId]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for id in ids {
            outcomes.extend(self.transaction(world, std::slice::from_ref(id)).await);
        }
        outcomes
    }

    async fn transaction(&mut self, world: &World, ids: &[OwnedEventId]) -> Vec<Outcome> {
        let archive = StoreArchive::open(&self.store, &self.states, &self.head).await.unwrap();
        let receiver = Receiver {
            archive: &archive,
            peers: &self.peers,
            keys: &AllKeys,
            judge: &News,
            limits: Limits::default(),
        };
        let received = receiver.receive(&self.head, world.wire(ids), 5_000).await.unwrap();
        let outcomes = received.outcomes.iter().map(|(_, outcome)| outcome.clone()).collect();
        let written = received.into_change(self.forget_on_leave).unwrap();
        if !written.change.is_empty() {
            self.store.submit(written.change).await.unwrap();
        }
        self.head = written.head;
        self.is_as_stored().await;
        outcomes
    }

    async fn post(&mut self, world: &mut World, draft: Draft) -> OwnedEventId {
        let before = world.before(&self.head.extremities).await;
        let mut chain = Chain::on(&self.head);
        let nids = nids(&self.store, &draft).await;
        let id = chain.push(&draft, nids, &signer(), &News, 6_000).unwrap();
        world.learn(chain.events()[0].pdu.clone(), before);
        let (change, head) = chain.finish(false, 6_000).unwrap();
        self.store.submit(change).await.unwrap();
        self.head = head;
        self.is_as_stored().await;
        id
    }

    /// What is in memory is what a fresh process would read; and the places, the memberships and the
    /// current state tell the same.
    async fn is_as_stored(&self) {
        let mut snapshot = self.store.snapshot().await.unwrap();
        let loaded = Head::load(&mut snapshot, &self.head.room_id).await.unwrap().unwrap();
        assert_eq!(loaded.extremities, self.head.extremities);
        assert_eq!(
            (loaded.revision, loaded.depth, loaded.linear, loaded.snapshot),
            (self.head.revision, self.head.depth, self.head.linear, self.head.snapshot)
        );
        let ids = |head: &Head| -> BTreeMap<_, _> {
            head.state.iter().map(|(key, entry)| (key.clone(), (entry.nid, entry.key))).collect()
        };
        assert_eq!(ids(&loaded), ids(&self.head));
        let mut at = state::at(&mut snapshot, &[(self.head.room, i64::MAX)], false).await.unwrap();
        at.sort_unstable();
        let mut current: Vec<_> = self.head.state.values().map(|entry| entry.nid).collect();
        current.sort_unstable();
        assert_eq!(at, current, "the newest place tells the current state");
        for member in members::of_room(&mut snapshot, self.head.room).await.unwrap() {
            let user = member.user_id.as_str().try_into().unwrap();
            assert_eq!(member.membership, self.head.membership(user), "{}", member.user_id);
        }
    }

    async fn has_forgotten(&self, user: &str) -> bool {
        let user = self.store.name(user).await.unwrap();
        let rooms = members::of_user_in(&mut self.store.reader(), user, &[self.head.room]).await.unwrap();
        rooms[0].forgotten
    }

    fn current(&self) -> BTreeMap<(String, String), OwnedEventId> {
        let entries = self.head.state.iter();
        entries.map(|((kind, key), e)| ((kind.to_string(), key.clone()), e.pdu.event_id.clone())).collect()
    }
}

fn levels(version: &str) -> serde_json::Value {
    if version == "12" { json!({}) } else { json!({ANNA: 100}) }
}

async fn nids(store: &Store, draft: &Draft) -> EventNids {
    let state_key = match &draft.state_key {
        Some(key) => Some(store.name(key).await.unwrap()),
        None => None,
    };
    let sender = store.name(draft.sender.as_str()).await.unwrap();
    EventNids { event: store.nid().await.unwrap(), sender, state_key }
}

#[tokio::test]
async fn random_histories_stand_the_same_in_the_store_and_in_memory() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[5; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    for (round, version) in ["11", "12", "6", "12", "11", "12"].into_iter().enumerate() {
        let (mut stored, mut world, first) = Stored::room(version).await;
        let mut house = House::founded(&world, &first);
        let acts = acts().new_tree(&mut runner).unwrap().current();
        let mut events = history(&mut world, &mut house, first[6].clone(), &acts).await;
        let expected = house.current();
        let mut straight = House::founded(&world, &first);
        if round % 2 == 1 {
            events.reverse();
            straight.peers.fills = true;
            straight.peers.events = world.objects.clone();
            stored.peers = straight.peers.clone();
        }
        for id in &events {
            let outcome = straight.each(&world, std::slice::from_ref(id)).await;
            if round > 2 {
                // As after a restart: states are read from places and snapshots again.
                stored.states = StateCache::default();
            }
            assert_eq!(stored.receive(&world, std::slice::from_ref(id)).await, outcome, "round {round}");
            assert_eq!(stored.current(), straight.current());
        }
        assert_eq!(stored.current(), expected);
        let ids: Vec<_> = events.iter().map(|id| id.as_str()).collect();
        for row in chain_reads::by_ids(&mut stored.store.reader(), &ids).await.unwrap() {
            let known = straight.known(row.event_id.as_str().try_into().unwrap()).unwrap();
            assert_eq!((row.rejected, row.soft_failed), (known.pdu.rejected, known.soft_failed));
            assert_eq!(
                (row.ord.is_some(), row.snapshot.is_some()),
                (known.ord.is_some(), known.snapshot.is_some())
            );
        }
        stored.store.close().await;
    }
}

#[tokio::test]
async fn events_of_this_house_go_on_in_a_room_that_forked() {
    let (mut stored, mut world, first) = Stored::room("12").await;
    let prev = &first[6..];
    let east = world.say(EVA, "east", prev).await;
    let west = world.state(WIM, "m.room.message", "", json!({}), prev).await;
    let topic = world.say(WIM, "west", prev).await;
    let outcomes = stored.receive(&world, &[east.clone(), west, topic.clone()]).await;
    assert!(matches!(outcomes[1], Outcome::Rejected(_)));
    let ours = stored.post(&mut world, draft("m.room.topic", Some(""), json!({"topic": "one"}))).await;
    assert_eq!(world.pdus[&ours].prev_events, [east.clone(), topic]);
    assert!(!stored.head.linear);
    // A late branch from before, and one that joins it.
    let late = world.say(EVA, "late", std::slice::from_ref(&east)).await;
    let both = world.say(EMIL, "both", &[late.clone(), ours.clone()]).await;
    assert_eq!(stored.receive(&world, &[late, both]).await, [Outcome::Accepted, Outcome::Accepted]);
    assert_eq!(stored.head.extremities.len(), 1);
    assert_eq!(stored.current().get(&("m.room.topic".to_owned(), String::new())), Some(&ours));
    stored.store.close().await;
}

#[tokio::test]
async fn a_change_on_a_head_that_moved_is_refused() {
    let (mut stored, mut world, first) = Stored::room("12").await;
    let old = stored.head.clone();
    let said = world.say(EVA, "x", &first[6..]).await;
    let late = world.say(WIM, "y", &first[6..]).await;
    let archive = StoreArchive::open(&stored.store, &stored.states, &old).await.unwrap();
    let receiver = Receiver {
        archive: &archive,
        peers: &stored.peers,
        keys: &AllKeys,
        judge: &News,
        limits: Limits::default(),
    };
    let lost = receiver.receive(&old, world.wire(&[late]), 5_000).await.unwrap().into_change(false).unwrap();
    stored.receive(&world, std::slice::from_ref(&said)).await;
    assert!(stored.store.submit(lost.change).await.unwrap_err().is_conflict());
    let opened = StoreArchive::open(&stored.store, &stored.states, &old).await;
    assert_eq!(opened.err().map(|error| error.code), Some(Code::Conflict));
    stored.store.close().await;
}

#[tokio::test]
async fn who_leaves_or_is_removed_forgets_the_room_where_that_is_set() {
    for forget_on_leave in [false, true] {
        let (mut stored, mut world, first) = Stored::room("11").await;
        stored.forget_on_leave = forget_on_leave;
        let levels = json!({"users": {ANNA: 100, WIM: 50}});
        let powers = stored.post(&mut world, draft("m.room.power_levels", Some(""), levels)).await;
        assert_eq!(world.pdus[&powers].prev_events, first[6..]);
        let left = world.member(EVA, EVA, "leave", &[powers]).await;
        let banned = world.member(WIM, EMIL, "ban", std::slice::from_ref(&left)).await;
        let outcomes = stored.receive(&world, &[left, banned.clone()]).await;
        assert_eq!(outcomes, [Outcome::Accepted, Outcome::Accepted]);
        for (user, gone) in [(ANNA, false), (EVA, true), (EMIL, true), (WIM, false)] {
            assert_eq!(stored.has_forgotten(user).await, gone && forget_on_leave, "{user}");
        }
        let back = world.member(EVA, EVA, "join", &[banned]).await;
        assert_eq!(stored.receive(&world, &[back]).await, [Outcome::Accepted]);
        assert!(!stored.has_forgotten(EVA).await, "who comes back sees the room again");
        stored.store.close().await;
    }
}

#[tokio::test]
async fn redactions_empty_the_body_whichever_comes_first() {
    for version in ["10", "11"] {
        let (mut stored, mut world, first) = Stored::room(version).await;
        let prev = &first[6..];
        let mut said = Vec::new();
        let mut redactions = Vec::new();
        for _ in 0..3 {
            said.push(world.say(EVA, "secret", prev).await);
            redactions.push(world.redact(EVA, said.last().unwrap(), prev).await);
        }
        stored.receive(&world, &[said[0].clone(), redactions[0].clone()]).await;
        stored.receive(&world, &[redactions[1].clone(), said[1].clone()]).await;
        stored.transaction(&world, &[redactions[2].clone(), said[2].clone()]).await;
        let ids: Vec<_> = said.iter().map(|id| id.as_str()).collect();
        let rows = chain_reads::whole(&mut stored.store.reader(), &ids).await.unwrap();
        assert_eq!(rows.len(), 3);
        for row in rows {
            assert!(row.redacted, "{}", row.event_id);
            assert_eq!(row.body, Some(("{}".to_owned(), None)));
        }
        let left = chain_reads::awaited(&mut stored.store.reader(), stored.head.room, &ids).await.unwrap();
        assert!(left.is_empty());
        stored.store.close().await;
    }
}

#[tokio::test]
async fn what_leaves_the_house_is_what_came_or_its_skeleton() {
    for version in ["6", "11", "12"] {
        let (mut stored, mut world, first) = Stored::room(version).await;
        let wish = crate::world::Wish {
            extra: Some(json!({"org.example.extra": {"a": 1}})),
            ..crate::world::Wish::default()
        };
        let content = json!({"body": "x", "msgtype": "m.text"});
        let said = world.make(EVA, "m.room.message", content, &first[6..], wish).await;
        let refused = world.powers(WIM, json!({WIM: 100}), std::slice::from_ref(&said)).await;
        stored.receive(&world, &[said.clone(), refused.clone()]).await;
        let unknown = world.say(EVA, "never sent", std::slice::from_ref(&said)).await;
        let ids = [said.clone(), refused, unknown, first[1].clone()];
        for (withheld, whole) in [(HashSet::new(), true), (HashSet::from([said.clone()]), false)] {
            let mut reader = stored.store.reader();
            let room = stored.head.room;
            let events =
                FederationEvent::read(&mut reader, room, &world.version, &ids, &withheld).await.unwrap();
            assert_eq!(events.len(), 2, "neither rejected nor unknown events leave");
            let sent: ruma::CanonicalJsonObject =
                serde_json::from_value(serde_json::to_value(&events[0]).unwrap()).unwrap();
            assert_eq!(sent == world.objects[&said], whole);
            let verified = verify_event(&public_keys(), &sent, &world.version.rules).unwrap();
            assert_eq!(verified, if whole { Verified::All } else { Verified::Signatures });
            // An event of this house's own is complete as well.
            let own = serde_json::from_value(serde_json::to_value(&events[1]).unwrap()).unwrap();
            assert_eq!(verify_event(&public_keys(), &own, &world.version.rules).unwrap(), Verified::All);
        }
        let mut reader = stored.store.reader();
        let other =
            FederationEvent::read(&mut reader, 1, &world.version, &ids, &HashSet::new()).await.unwrap();
        assert!(other.is_empty(), "events of another room");
        assert!(head::room(&mut reader, stored.head.room_id.as_str()).await.unwrap().is_some());
        stored.store.close().await;
    }
}
