//! The working memory of one receipt: where the room stands after the events so far, what was read
//! of the archive, and the states that were computed on the way.

use super::archive::{Archive, Awaited, Known, Remembered, missing};
use super::record::{Record, Redaction};
use crate::head::{Head, StateEntry, StateMap};
use crate::resolve::{Candidate, Lookup, resolve};
use crate::snapshot;
use async_trait::async_trait;
use kontor_model::{Nid, Pdu, Result};
use kontor_store::rooms::snapshots::Layer;
use ruma::events::StateEventType;
use ruma::{EventId, OwnedEventId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A state, and the snapshot that it is stored as, if there is one.
#[derive(Clone, Debug)]
pub(super) struct StateAt {
    pub state: Arc<StateMap>,
    pub snapshot: Option<Nid>,
}

pub(super) struct Batch<'a> {
    pub archive: &'a dyn Archive,
    pub head: Head,
    pub records: Vec<Record>,
    pub snapshots: Vec<Layer>,
    pub redactions: Vec<Redaction>,
    /// What the archive has waiting for the events of this batch.
    pub awaited: Vec<Awaited>,
    /// Redactions of this batch whose target has not come, by target.
    pub redactions_ahead: HashMap<OwnedEventId, Vec<OwnedEventId>>,
    /// Events of this batch that were accepted without these.
    pub gaps: Vec<(OwnedEventId, Nid)>,
    known: HashMap<OwnedEventId, Arc<Known>>,
    unknown: HashSet<OwnedEventId>,
    pub elsewhere: HashSet<OwnedEventId>,
    after: HashMap<OwnedEventId, StateAt>,
    entries: HashMap<Nid, ((StateEventType, String), StateEntry)>,
    pooled: bool,
    newest: Option<Vec<Layer>>,
}

impl<'a> Batch<'a> {
    pub fn new(archive: &'a dyn Archive, head: &Head) -> Self {
        Self {
            archive,
            head: head.clone(),
            records: Vec::new(),
            snapshots: Vec::new(),
            redactions: Vec::new(),
            awaited: Vec::new(),
            redactions_ahead: HashMap::new(),
            gaps: Vec::new(),
            known: HashMap::new(),
            unknown: HashSet::new(),
            elsewhere: HashSet::new(),
            after: HashMap::new(),
            entries: HashMap::new(),
            pooled: false,
            newest: None,
        }
    }

    /// Reads events that were not asked for before.
    pub async fn load(&mut self, ids: impl IntoIterator<Item = &OwnedEventId>) -> Result<()> {
        let mut asked = HashSet::new();
        let new = |id: &&OwnedEventId| !self.known.contains_key(*id) && !self.unknown.contains(*id);
        let ids: Vec<_> = ids.into_iter().filter(new).filter(|id| asked.insert(*id)).cloned().collect();
        if ids.is_empty() {
            return Ok(());
        }
        let found = self.archive.by_ids(&ids).await?;
        self.known.extend(found.known.into_iter().map(|known| (known.pdu.event_id.clone(), known)));
        self.elsewhere.extend(found.elsewhere);
        self.unknown.extend(ids.into_iter().filter(|id| !self.known.contains_key(id)));
        Ok(())
    }

    /// An event of the archive or of this batch.
    pub async fn find(&mut self, id: &OwnedEventId) -> Result<Option<Arc<Known>>> {
        self.load([id]).await?;
        Ok(self.known.get(id).cloned())
    }

    /// An event that was loaded before.
    pub fn loaded(&self, id: &EventId) -> Option<&Arc<Known>> {
        self.known.get(id)
    }

    /// Whether the state after an event is known.
    pub fn has_state(&self, known: &Known) -> bool {
        self.after.contains_key(&known.pdu.event_id) || known.has_state()
    }

    /// Takes in an event that was settled.
    pub fn learn(&mut self, known: Arc<Known>, after: Option<StateAt>) {
        let id = known.pdu.event_id.clone();
        if let Some((key, entry)) = known.entry() {
            self.entries.insert(known.nid, (key, entry));
        }
        if let Some(after) = after {
            self.after.insert(id.clone(), after);
        }
        self.unknown.remove(&id);
        self.known.insert(id, known);
    }

    /// The state after an event; before it, if it was rejected. `None` when that is not known.
    pub async fn after(&mut self, id: &OwnedEventId) -> Result<Option<StateAt>> {
        if let Some(at) = self.after.get(id) {
            return Ok(Some(at.clone()));
        }
        if self.head.extremities.len() == 1 && self.head.extremities.contains(id) {
            return Ok(Some(StateAt { state: Arc::clone(&self.head.state), snapshot: None }));
        }
        let Some(known) = self.find(id).await? else { return Ok(None) };
        if let Some(found) = self.archive.remembered(known.nid) {
            let state = Arc::new(self.state(found.events.clone()).await?);
            let at = StateAt { state, snapshot: found.snapshot };
            self.after.insert(id.clone(), at.clone());
            return Ok(Some(at));
        }
        let at = match (known.snapshot, known.ord) {
            (Some(snapshot), _) => {
                let layers = self.archive.layers(snapshot).await?;
                if layers.is_empty() {
                    return Err(missing("a snapshot that an event names"));
                }
                let before = self.state(snapshot::whole(&layers).into_values().collect()).await?;
                let before = StateAt { state: Arc::new(before), snapshot: Some(snapshot) };
                with(before, &known)
            }
            (None, Some(ord)) => {
                let nids = self.archive.state_at(ord).await?;
                StateAt { state: Arc::new(self.state(nids).await?), snapshot: None }
            }
            (None, None) => return Ok(None),
        };
        self.after.insert(id.clone(), at.clone());
        Ok(Some(at))
    }

    /// The state that consists of some events.
    pub async fn state(&mut self, nids: Vec<Nid>) -> Result<StateMap> {
        if !std::mem::replace(&mut self.pooled, true) {
            // States of one room differ little: most of it is here already.
            let entry = |(key, entry): (&(StateEventType, String), &StateEntry)| {
                (entry.nid, (key.clone(), entry.clone()))
            };
            self.entries.extend(self.head.state.iter().map(entry));
        }
        let new: Vec<_> = nids.iter().filter(|nid| !self.entries.contains_key(nid)).copied().collect();
        if !new.is_empty() {
            let found = self.archive.by_nids(&new).await?;
            self.entries.extend(found.iter().filter_map(|known| Some((known.nid, known.entry()?))));
        }
        let entry = |nid| self.entries.get(&nid).cloned().ok_or_else(|| missing("an event of a state"));
        nids.into_iter().map(entry).collect()
    }

    /// Whether these are exactly the events that no other event follows.
    pub fn follows_all(&self, prev: &[OwnedEventId]) -> bool {
        let prev: HashSet<_> = prev.iter().collect();
        prev.len() == self.head.extremities.len() && self.head.extremities.iter().all(|id| prev.contains(id))
    }

    /// The state before an event; `None` when that after one of its parents is not known. With a
    /// state that another server claims, unknown parents are passed over.
    pub async fn before(&mut self, pdu: &Pdu, claimed: Option<StateMap>) -> Result<Option<StateAt>> {
        if claimed.is_none() && self.follows_all(&pdu.prev_events) {
            return Ok(Some(StateAt { state: Arc::clone(&self.head.state), snapshot: None }));
        }
        let lenient = claimed.is_some();
        let mut parents: Vec<_> =
            claimed.into_iter().map(|state| StateAt { state: Arc::new(state), snapshot: None }).collect();
        for id in &pdu.prev_events {
            match self.after(id).await? {
                Some(at) => parents.push(at),
                None if lenient => {}
                None => return Ok(None),
            }
        }
        self.merge(parents).await.map(Some)
    }

    /// Remembers the states at the ends of a room that has several: the next event needs them all.
    pub fn remember_ends(&self) {
        if self.head.extremities.len() < 2 {
            return;
        }
        for id in &self.head.extremities {
            if let (Some(known), Some(at)) = (self.known.get(id), self.after.get(id)) {
                let events = at.state.values().map(|entry| entry.nid).collect();
                self.archive.remember(known.nid, Remembered { events, snapshot: at.snapshot });
            }
        }
    }

    /// Resolves states into one.
    pub async fn merge(&mut self, parents: Vec<StateAt>) -> Result<StateAt> {
        let states: Vec<_> = parents.iter().map(|at| Arc::clone(&at.state)).collect();
        let version = self.head.version.clone();
        let state = resolve(&version, &states, self).await?;
        // The first one comes back as it is when all agree: then any parent's snapshot will do.
        let agree = states.first().is_some_and(|first| Arc::ptr_eq(first, &state));
        let snapshot = parents.iter().find_map(|at| at.snapshot).filter(|_| agree);
        Ok(StateAt { state, snapshot })
    }

    /// The snapshot that a state is stored as; made if there is none.
    pub async fn snapshot(&mut self, at: &StateAt) -> Result<Nid> {
        if let Some(snapshot) = at.snapshot {
            return Ok(snapshot);
        }
        let newest = match (self.newest.take(), self.head.snapshot) {
            (Some(newest), _) => newest,
            (None, Some(snapshot)) => self.archive.layers(snapshot).await?,
            (None, None) => Vec::new(),
        };
        let state = snapshot::flat(&at.state);
        let made = match newest.last().map(|layer| layer.snapshot) {
            Some(last) if snapshot::whole(&newest) == state => {
                self.newest = Some(newest);
                return Ok(last);
            }
            _ => snapshot::next(&newest, &state, self.archive.nid().await?),
        };
        let layers = made.ok_or_else(|| missing("a difference between snapshots"))?;
        let layer = layers.last().cloned().ok_or_else(|| missing("a layer"))?;
        let snapshot = layer.snapshot;
        self.snapshots.push(layer);
        self.newest = Some(layers);
        self.head.snapshot = Some(snapshot);
        Ok(snapshot)
    }
}

/// The state after an event, given that before it.
pub(super) fn with(before: StateAt, known: &Known) -> StateAt {
    let Some((key, entry)) = known.entry().filter(|_| !known.pdu.rejected) else { return before };
    let mut state = before.state;
    Arc::make_mut(&mut state).insert(key, entry);
    StateAt { state, snapshot: None }
}

#[async_trait]
impl Lookup for Batch<'_> {
    async fn candidates(&mut self, ids: &[OwnedEventId]) -> Result<Vec<Candidate>> {
        self.load(ids).await?;
        let found = ids.iter().filter_map(|id| self.known.get(id));
        let candidate =
            |known: &Arc<Known>| Candidate { nid: known.nid, key: known.key, pdu: Arc::clone(&known.pdu) };
        Ok(found.map(candidate).collect())
    }
}
