//! The receiving side: a head, and an archive that is a map in memory. It takes in exactly what the
//! pipeline says is to be written, and reads it back the way the store does.

use crate::world::{HOME, World, key_of, public_keys};
use async_trait::async_trait;
use kontor_model::{Draft, Ms, Nid, Pdu, Result};
use kontor_rooms::receive::record::Standing;
use kontor_rooms::receive::{
    Archive, Awaited, Found, Keys, Known, Limits, Outcome, Peers, Received, Receiver, StateIds,
};
use kontor_rooms::snapshot::{Flat, flat};
use kontor_rooms::{Chain, EventNids, Head, Judge, Signer, StateEntry, StateMap};
use kontor_store::rooms::snapshots::Layer;
use ruma::events::StateEventType;
use ruma::signatures::PublicKeyMap;
use ruma::{CanonicalJsonObject, EventId, OwnedEventId, OwnedServerName, RoomId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

#[derive(Default)]
pub struct Memory {
    pub events: HashMap<OwnedEventId, Known>,
    places: Vec<(i64, Flat)>,
    pub layers: HashMap<Nid, Layer>,
    pub awaited: Vec<Awaited>,
    pub redacted: BTreeMap<Nid, String>,
    names: HashMap<String, Nid>,
    next: Nid,
    current: Flat,
}

impl Memory {
    fn nid(&mut self) -> Nid {
        self.next += 1;
        self.next
    }

    fn name(&mut self, text: &str) -> Nid {
        if let Some(nid) = self.names.get(text) {
            return *nid;
        }
        let nid = self.nid();
        self.names.insert(text.to_owned(), nid);
        nid
    }

    fn place(&mut self) -> i64 {
        self.places.last().map_or(0, |(ord, _)| *ord) + 1
    }

    /// Takes in what was received, as the store would.
    fn take(&mut self, received: &Received) {
        self.layers.extend(received.snapshots.iter().map(|layer| (layer.snapshot, layer.clone())));
        for record in &received.records {
            let mut known = (*record.known).clone();
            if record.standing == Standing::Accepted {
                let ord = self.place();
                known.ord = Some(ord);
                for turn in &record.turns {
                    let key = (turn.kind.clone(), turn.key());
                    match &turn.new {
                        Some(entry) => self.current.insert(key, entry.nid),
                        None => self.current.remove(&key),
                    };
                }
                self.places.push((ord, self.current.clone()));
            }
            self.events.insert(known.pdu.event_id.clone(), known);
        }
        for redaction in &received.redactions {
            self.redacted.insert(redaction.target, redaction.left.clone());
            if let Some(known) = self.events.values_mut().find(|known| known.nid == redaction.target) {
                known.redacted = true;
                Arc::make_mut(&mut known.pdu).content = serde_json::from_str(&redaction.left).unwrap();
            }
        }
        self.awaited.retain(|row| !received.came.contains(&row.event_id));
        let awaited = received.awaits.iter();
        self.awaited.extend(awaited.map(|(event_id, why, by)| Awaited {
            event_id: event_id.clone(),
            why: *why,
            by: *by,
        }));
        assert_eq!(self.current, flat(&received.head.state), "the turns lead to the current state");
    }
}

/// Shared, because the pipeline reads while the test holds it.
#[derive(Clone, Default)]
pub struct MemoryArchive(pub Arc<Mutex<Memory>>);

#[async_trait]
impl Archive for MemoryArchive {
    async fn by_ids(&self, ids: &[OwnedEventId]) -> Result<Found> {
        let memory = self.0.lock().unwrap();
        let known = ids.iter().filter_map(|id| memory.events.get(id)).cloned().map(Arc::new).collect();
        Ok(Found { known, elsewhere: Vec::new() })
    }

    async fn by_nids(&self, nids: &[Nid]) -> Result<Vec<Arc<Known>>> {
        let memory = self.0.lock().unwrap();
        let found = memory.events.values().filter(|known| nids.contains(&known.nid));
        Ok(found.cloned().map(Arc::new).collect())
    }

    async fn state_at(&self, ord: i64) -> Result<Vec<Nid>> {
        let memory = self.0.lock().unwrap();
        let state = memory.places.iter().find(|(place, _)| *place == ord);
        Ok(state.unwrap().1.values().copied().collect())
    }

    async fn layers(&self, snapshot: Nid) -> Result<Vec<Layer>> {
        let memory = self.0.lock().unwrap();
        let mut layers = Vec::new();
        let mut next = Some(snapshot);
        while let Some(layer) = next.and_then(|nid| memory.layers.get(&nid)) {
            next = layer.parent;
            layers.insert(0, layer.clone());
        }
        Ok(layers)
    }

    async fn awaited(&self, ids: &[OwnedEventId]) -> Result<Vec<Awaited>> {
        let memory = self.0.lock().unwrap();
        Ok(memory.awaited.iter().filter(|row| ids.contains(&row.event_id)).cloned().collect())
    }

    async fn nid(&self) -> Result<Nid> {
        Ok(self.0.lock().unwrap().nid())
    }

    async fn name(&self, text: &str) -> Result<Nid> {
        Ok(self.0.lock().unwrap().name(text))
    }
}

/// Keys of the invented servers, whatever the time.
pub struct AllKeys;

#[async_trait]
impl Keys for AllKeys {
    async fn keys(&self, servers: &BTreeSet<OwnedServerName>, _: Option<Ms>) -> Result<PublicKeyMap> {
        let mut keys = public_keys();
        keys.retain(|name, _| servers.iter().any(|server| server == name.as_str()));
        Ok(keys)
    }
}

/// Everything is news.
pub struct News;

impl Judge for News {
    fn notifies(&self, _: &Pdu, _: &str, _: &Head) -> i64 {
        1
    }
}

/// Servers that have some events, and give them out when asked.
#[derive(Clone, Default)]
pub struct Having {
    pub events: HashMap<OwnedEventId, CanonicalJsonObject>,
    /// Answers of `state_ids`, by event.
    pub states: HashMap<OwnedEventId, StateIds>,
    /// Whether `get_missing_events` is answered.
    pub fills: bool,
    pub asked: Arc<Mutex<usize>>,
}

#[async_trait]
impl Peers for Having {
    async fn missing(
        &self,
        _: &RoomId,
        _: &[OwnedEventId],
        latest: &[OwnedEventId],
        limit: usize,
    ) -> Vec<CanonicalJsonObject> {
        *self.asked.lock().unwrap() += 1;
        if !self.fills {
            return Vec::new();
        }
        let mut open: Vec<_> = latest.to_vec();
        let mut got: HashMap<OwnedEventId, CanonicalJsonObject> = HashMap::new();
        while let Some(id) = open.pop() {
            let Some(object) = self.events.get(&id) else { continue };
            let prev = serde_json::to_value(&object["prev_events"]).unwrap();
            for prev in prev.as_array().unwrap() {
                let id = prev.as_str().or_else(|| prev[0].as_str()).unwrap();
                let id = EventId::parse(id).unwrap();
                if let Some(object) = self.events.get(&id)
                    && got.len() < limit
                    && got.insert(id.clone(), object.clone()).is_none()
                {
                    open.push(id);
                }
            }
        }
        got.into_values().collect()
    }

    async fn events(&self, _: &RoomId, ids: &[OwnedEventId]) -> Vec<CanonicalJsonObject> {
        *self.asked.lock().unwrap() += 1;
        ids.iter().filter_map(|id| self.events.get(id)).cloned().collect()
    }

    async fn state_before(&self, _: &RoomId, event: &EventId) -> Option<StateIds> {
        self.states.get(event).cloned()
    }
}

/// A house with one room.
pub struct House {
    pub archive: MemoryArchive,
    pub head: Head,
    pub peers: Having,
    pub limits: Limits,
    pub now: Ms,
}

impl House {
    /// A house that made the first events of a world itself.
    pub fn founded(world: &World, first: &[OwnedEventId]) -> Self {
        let archive = MemoryArchive::default();
        let mut memory = archive.0.lock().unwrap();
        let mut state = StateMap::new();
        let mut revision = 0;
        for id in first {
            let pdu = Arc::clone(&world.pdus[id]);
            let (nid, ord) = (memory.nid(), memory.place());
            let key = memory.name(pdu.state_key.as_deref().unwrap());
            memory.name(pdu.sender.as_str());
            let kind = StateEventType::from(pdu.kind.to_string());
            let entry = StateEntry { nid, key, pdu: Arc::clone(&pdu) };
            memory.current.insert((kind.to_string(), key), nid);
            state.insert((kind, pdu.state_key.clone().unwrap()), entry);
            let known = Known {
                nid,
                key: Some(key),
                pdu,
                ord: Some(ord),
                snapshot: None,
                soft_failed: false,
                redacted: false,
            };
            memory.events.insert(id.clone(), known);
            let flat = memory.current.clone();
            memory.places.push((ord, flat));
            revision = nid;
        }
        drop(memory);
        let head = Head {
            room: 1_000_000,
            room_id: world.room_id.clone(),
            version: world.version.clone(),
            revision,
            depth: i64::try_from(first.len()).unwrap(),
            extremities: first.last().cloned().into_iter().collect(),
            linear: true,
            snapshot: None,
            state: Arc::new(state),
        };
        Self { archive, head, peers: Having::default(), limits: Limits::default(), now: 5_000 }
    }

    /// Receives events and keeps what comes of them.
    pub async fn receive(&mut self, events: Vec<CanonicalJsonObject>) -> Received {
        let receiver = Receiver {
            archive: &self.archive,
            peers: &self.peers,
            keys: &AllKeys,
            judge: &News,
            limits: self.limits,
        };
        let received = receiver.receive(&self.head, events, self.now).await.unwrap();
        self.archive.0.lock().unwrap().take(&received);
        assert!(!received.head.extremities.is_empty(), "a room always ends somewhere");
        assert!(received.head.extremities.len() <= 20);
        self.head = received.head.clone();
        received.clone().into_change(false).unwrap();
        received
    }

    /// Receives events one by one; returns their outcomes.
    pub async fn each(&mut self, world: &World, ids: &[OwnedEventId]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for id in ids {
            let received = self.receive(world.wire(std::slice::from_ref(id))).await;
            outcomes.push(received.outcomes[0].1.clone());
        }
        outcomes
    }

    /// Posts an event of this house's own, which the world then knows as well.
    pub async fn post(&mut self, world: &mut World, draft: Draft) -> Result<OwnedEventId> {
        let signer = Signer { server_name: HOME.try_into().unwrap(), key: key_of(HOME) };
        let before = world.before(&self.head.extremities).await;
        let mut memory = self.archive.0.lock().unwrap();
        let nids = EventNids {
            event: memory.nid(),
            sender: memory.name(draft.sender.as_str()),
            state_key: draft.state_key.as_ref().map(|key| memory.name(key)),
        };
        let mut chain = Chain::on(&self.head);
        let id = chain.push(&draft, nids, &signer, &News, self.now)?;
        let accepted = chain.events()[0].clone();
        let (_, head) = chain.finish(false, self.now)?;
        let ord = memory.place();
        let known = Known {
            nid: nids.event,
            key: nids.state_key,
            pdu: Arc::clone(&accepted.pdu),
            ord: Some(ord),
            snapshot: None,
            soft_failed: false,
            redacted: false,
        };
        memory.events.insert(id.clone(), known);
        if let (Some(kind), Some(key)) =
            (draft.state_key.as_ref().map(|_| draft.kind.clone()), nids.state_key)
        {
            memory.current.insert((kind, key), nids.event);
        }
        let flat = memory.current.clone();
        memory.places.push((ord, flat));
        drop(memory);
        self.head = head;
        world.learn(accepted.pdu, before);
        Ok(id)
    }

    /// The current state, in terms that two houses share.
    pub fn current(&self) -> BTreeMap<(String, String), OwnedEventId> {
        let entry = |((kind, key), entry): (&(StateEventType, String), &StateEntry)| {
            ((kind.to_string(), key.clone()), entry.pdu.event_id.clone())
        };
        self.head.state.iter().map(entry).collect()
    }

    pub fn current_event(&self, kind: &str, key: &str) -> Option<OwnedEventId> {
        self.current().get(&(kind.to_owned(), key.to_owned())).cloned()
    }

    pub fn known(&self, id: &EventId) -> Option<Known> {
        self.archive.0.lock().unwrap().events.get(id).cloned()
    }
}
