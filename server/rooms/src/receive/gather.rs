//! Fetching what an event stands on, within bounds, and the order in which it is settled.
//!
//! Missing parents are asked for first; where they cannot be had, another server's word for the
//! state before the gap is taken, event by event authorised here. Missing auth events are fetched
//! last, also for those.

use super::batch::Batch;
use super::check::{Keys, check};
use super::peers::Peers;
use super::settle::{Item, Origin};
use kontor_model::{Code, Pdu, Result, SignedPdu};
use ruma::{CanonicalJsonObject, OwnedEventId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How much one receipt may fetch.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Missing parents.
    pub parents: usize,
    /// Times that other servers are asked for parents.
    pub rounds: usize,
    /// Places where the state of another server is taken over.
    pub gaps: usize,
    /// Events that authorise others, the states of gaps included.
    pub authorising: usize,
    /// Levels of auth events.
    pub levels: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { parents: 200, rounds: 10, gaps: 5, authorising: 20_000, levels: 100 }
    }
}

/// Single events that one request asks for.
const EVENTS_PER_REQUEST: usize = 100;

/// Events on their way into the room.
pub(super) struct Gathering<'a> {
    pub items: HashMap<OwnedEventId, Item>,
    pub order: Vec<OwnedEventId>,
    pub peers: &'a dyn Peers,
    pub keys: &'a dyn Keys,
    pub limits: Limits,
}

impl Gathering<'_> {
    /// Takes in an event that was sent to this server.
    pub fn push(&mut self, signed: SignedPdu) {
        self.add(from_wire(signed, false, true));
    }

    fn add(&mut self, item: Item) {
        let id = item.pdu.event_id.clone();
        self.order.push(id.clone());
        self.items.insert(id, item);
    }

    /// Fetches what is missing.
    pub async fn fetch(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        let mut fetched = 0;
        for _ in 0..self.limits.rounds {
            let missing = self.missing_parents(batch).await?;
            if missing.is_empty() || fetched >= self.limits.parents {
                break;
            }
            let got = self.parents(batch, &missing, self.limits.parents - fetched).await?;
            if got == 0 {
                break;
            }
            fetched += got;
        }
        self.bridge_gaps(batch).await?;
        self.authorising(batch).await
    }

    /// Parents that neither the archive nor this gathering has a state for. What the archive has
    /// without a state is taken up, to be given one.
    async fn missing_parents(&mut self, batch: &mut Batch<'_>) -> Result<Vec<OwnedEventId>> {
        loop {
            let named = self.items.values().filter(|item| !item.auth_only && item.claimed.is_none());
            let parents: Vec<_> = named.flat_map(|item| item.pdu.prev_events.clone()).collect();
            batch.load(&parents).await?;
            let mut missing = Vec::new();
            let mut revived = Vec::new();
            for id in parents {
                if self.items.contains_key(&id) || batch.elsewhere.contains(&id) {
                    continue;
                }
                match batch.loaded(&id) {
                    Some(known) if batch.has_state(known) => {}
                    Some(known) => revived.push(Arc::clone(known)),
                    None if !missing.contains(&id) => missing.push(id),
                    None => {}
                }
            }
            if revived.is_empty() || self.items.len() > self.limits.parents * 2 {
                return Ok(missing);
            }
            for known in revived {
                let pdu = Arc::clone(&known.pdu);
                let origin = Origin::Archive(known);
                self.add(Item { pdu, origin, auth_only: false, claimed: None, pushed: false });
            }
        }
    }

    /// Fetches parents; returns how many came.
    async fn parents(
        &mut self,
        batch: &mut Batch<'_>,
        missing: &[OwnedEventId],
        limit: usize,
    ) -> Result<usize> {
        let room = batch.head.room_id.clone();
        let lacks =
            |item: &&Item| !item.auth_only && item.pdu.prev_events.iter().any(|id| missing.contains(id));
        let latest = self.items.values().filter(lacks);
        let latest: Vec<_> = latest.map(|item| item.pdu.event_id.clone()).collect();
        let answer = self.peers.missing(&room, &batch.head.extremities, &latest, limit).await;
        let mut got = self.checked(batch, answer, limit).await?;
        if !missing.iter().any(|id| got.contains_key(id)) {
            let ids: Vec<_> = missing.iter().take(EVENTS_PER_REQUEST.min(limit)).cloned().collect();
            let answer = self.peers.events(&room, &ids).await;
            got.extend(self.checked(batch, answer, limit).await?);
        }
        batch.load(got.keys()).await?;
        // Only what really leads up to the events in question, and is not here already.
        let mut wanted = missing.to_vec();
        let mut taken = 0;
        while let Some(id) = wanted.pop() {
            let Some(signed) = got.remove(&id) else { continue };
            if self.items.contains_key(&id) || batch.loaded(&id).is_some() || batch.elsewhere.contains(&id) {
                continue;
            }
            wanted.extend(signed.pdu.prev_events.iter().cloned());
            self.add(from_wire(signed, false, false));
            taken += 1;
        }
        Ok(taken)
    }

    async fn checked(
        &self,
        batch: &Batch<'_>,
        answer: Vec<CanonicalJsonObject>,
        limit: usize,
    ) -> Result<HashMap<OwnedEventId, SignedPdu>> {
        let mut events = HashMap::new();
        for object in answer.into_iter().take(limit) {
            match check(object, &batch.head.room_id, &batch.head.version, self.keys).await {
                Ok(signed) => {
                    events.insert(signed.pdu.event_id.clone(), signed);
                }
                Err(error) if matches!(error.code, Code::Internal | Code::Unavailable) => return Err(error),
                Err(error) => {
                    tracing::debug!(room.id = %batch.head.room_id, ?error, "a fetched event is not valid")
                }
            }
        }
        Ok(events)
    }

    /// Where parents cannot be had, asks for the state before the gap.
    async fn bridge_gaps(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        let missing: HashSet<_> = self.missing_parents(batch).await?.into_iter().collect();
        let open =
            |item: &&mut Item| !item.auth_only && item.pdu.prev_events.iter().any(|id| missing.contains(id));
        let mut wanted = Vec::new();
        for item in self.items.values_mut().filter(open).take(self.limits.gaps) {
            let room = &batch.head.room_id;
            let Some(answer) = self.peers.state_before(room, &item.pdu.event_id).await else { continue };
            if answer.state.len() + answer.auth_chain.len() > self.limits.authorising {
                continue;
            }
            wanted.extend(answer.state.iter().chain(&answer.auth_chain).cloned());
            item.claimed = Some(answer.state);
        }
        self.fetch_authorising(batch, wanted).await.map(|_| ())
    }

    /// Fetches auth events, level by level.
    async fn authorising(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        for _ in 0..self.limits.levels {
            let named = self.items.values().flat_map(|item| item.pdu.auth_events.clone()).collect();
            if self.fetch_authorising(batch, named).await? == 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn fetch_authorising(
        &mut self,
        batch: &mut Batch<'_>,
        mut ids: Vec<OwnedEventId>,
    ) -> Result<usize> {
        batch.load(&ids).await?;
        let mut seen = HashSet::new();
        let known = |id: &OwnedEventId| batch.loaded(id).is_some() || batch.elsewhere.contains(id);
        ids.retain(|id| !self.items.contains_key(id) && !known(id) && seen.insert(id.clone()));
        let mut taken = 0;
        let room = batch.head.room_id.clone();
        let space = self.limits.authorising.saturating_sub(self.items.len());
        for part in ids.iter().take(space).collect::<Vec<_>>().chunks(EVENTS_PER_REQUEST) {
            let part: Vec<_> = part.iter().map(|id| (*id).clone()).collect();
            let answer = self.peers.events(&room, &part).await;
            let mut got = self.checked(batch, answer, part.len()).await?;
            for id in part {
                if let Some(signed) = got.remove(&id) {
                    self.add(from_wire(signed, true, false));
                    taken += 1;
                }
            }
        }
        Ok(taken)
    }

    /// The events, each after those that it stands on. Versions 1 and 2 let servers choose event
    /// ids and so make circles; what is in one is left out.
    pub fn sorted(&self) -> Vec<OwnedEventId> {
        let mut sorted = Vec::new();
        let mut state: HashMap<&OwnedEventId, bool> = HashMap::new();
        for id in &self.order {
            let mut open = vec![(id, false)];
            while let Some((id, left)) = open.pop() {
                let Some((id, item)) = self.items.get_key_value(id) else { continue };
                if left {
                    state.insert(id, true);
                    sorted.push(id.clone());
                } else if !state.contains_key(id) {
                    state.insert(id, false);
                    open.push((id, true));
                    open.extend(stands_on(item).map(|id| (id, false)));
                }
            }
        }
        sorted
    }
}

fn stands_on(item: &Item) -> impl Iterator<Item = &OwnedEventId> {
    let parents: &[OwnedEventId] = if item.auth_only { &[] } else { &item.pdu.prev_events };
    item.pdu.auth_events.iter().chain(parents).chain(item.claimed.iter().flatten())
}

fn from_wire(signed: SignedPdu, auth_only: bool, pushed: bool) -> Item {
    let pdu: Arc<Pdu> = Arc::new(signed.pdu.clone());
    Item { pdu, origin: Origin::Wire(Box::new(signed)), auth_only, claimed: None, pushed }
}
