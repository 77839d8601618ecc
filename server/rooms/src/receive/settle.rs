//! Whether an event is allowed, and where it leads: the checks of the specification in their order
//! (server-server API, "Checks performed on receipt of a PDU"), and the room after it.

use super::archive::Known;
use super::batch::{Batch, StateAt, with};
use super::record::{Outcome, Record, Standing, Turn};
use crate::chain::Judge;
use crate::head::{Head, StateMap};
use kontor_model::pdu::Parts;
use kontor_model::{Code, Ms, Nid, Pdu, Result, SignedPdu};
use kontor_store::rooms::chain_reads::Why;
use ruma::events::{StateEventType, TimelineEventType};
use ruma::state_res::{check_state_dependent_auth_rules, check_state_independent_auth_rules};
use ruma::{EventId, OwnedEventId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Events without followers that a room may have. Events of this server follow all of them, and no
/// event may follow more. One that would be too many is in the room, but its branch waits until
/// another event joins it.
pub const MAX_EXTREMITIES: usize = 20;

/// Events outside the room that are looked through for ends of the room behind them. Other servers
/// decide how long such a branch is; an end that is not found is joined by the next event of this
/// server.
const MAX_LOOKED_THROUGH: usize = 200;

/// An event on its way into the room.
pub(super) struct Item {
    pub pdu: Arc<Pdu>,
    pub origin: Origin,
    /// Needed only to authorise others.
    pub auth_only: bool,
    /// The state before it as another server has it, where parents cannot be had.
    pub claimed: Option<Vec<OwnedEventId>>,
    /// Sent to this server, not fetched by it.
    pub pushed: bool,
}

/// Where an event comes from.
pub(super) enum Origin {
    /// From another server, just now.
    Wire(Box<SignedPdu>),
    /// From the archive, where it has no place in the room yet.
    Archive(Arc<Known>),
}

enum Judgement {
    Incomplete(&'static str),
    Fetched,
    Rejected(String, Option<StateAt>),
    SoftFailed(String, StateAt),
    Accepted(StateAt),
}

/// Where an accepted event leads.
struct Step {
    extremities: Vec<OwnedEventId>,
    linear: bool,
    state: Arc<StateMap>,
    after: StateAt,
    turns: Vec<Turn>,
}

impl Batch<'_> {
    /// Judges one event and moves the room on if it is accepted.
    pub async fn settle(&mut self, item: Item, judge: &dyn Judge, now: Ms) -> Result<Outcome> {
        let decided = match self.judge(&item).await {
            Ok(Judgement::Incomplete(reason)) => return Ok(Outcome::Incomplete(reason.to_owned())),
            Ok(decided) => self.stand(&item, decided, judge, now).await,
            Err(error) => Err(error),
        };
        match decided {
            // States that nobody can resolve: nothing was moved yet.
            Err(error) if error.code == Code::IncompatibleRoomVersion => {
                Ok(Outcome::Dropped(error.message.into_owned()))
            }
            decided => decided,
        }
    }

    async fn judge(&mut self, item: &Item) -> Result<Judgement> {
        let pdu = &*item.pdu;
        self.load(&pdu.auth_events).await?;
        if pdu.auth_events.iter().any(|id| self.loaded(id).is_none()) {
            return Ok(Judgement::Incomplete("events that authorise it cannot be had"));
        }
        let against_auth = match &item.origin {
            Origin::Archive(known) if known.pdu.rejected => Err("it was rejected before".to_owned()),
            _ => self.allowed_by_auth_events(pdu),
        };
        if item.auth_only {
            return Ok(
                against_auth.map_or_else(|reason| Judgement::Rejected(reason, None), |()| Judgement::Fetched)
            );
        }
        let claimed = match &item.claimed {
            Some(ids) => Some(self.claimed(ids).await?),
            None => None,
        };
        let Some(before) = self.before(pdu, claimed).await? else {
            return Ok(Judgement::Incomplete("events before it cannot be had"));
        };
        if let Err(reason) = against_auth.and_then(|()| allowed(&self.head, pdu, &before.state)) {
            return Ok(Judgement::Rejected(reason, Some(before)));
        }
        if self.follows_all(&pdu.prev_events) && item.claimed.is_none() {
            return Ok(Judgement::Accepted(before));
        }
        // Beyond a gap the current state lacks what happened in it, so both count.
        let current = StateAt { state: Arc::clone(&self.head.state), snapshot: None };
        let current = match &item.claimed {
            Some(_) => self.merge(vec![current, before.clone()]).await?,
            None => current,
        };
        match allowed(&self.head, pdu, &current.state) {
            Ok(()) => Ok(Judgement::Accepted(before)),
            Err(reason) => Ok(Judgement::SoftFailed(reason, before)),
        }
    }

    /// The first two checks: the form of its auth events, and whether they allow it.
    fn allowed_by_auth_events(&self, pdu: &Pdu) -> Result<(), String> {
        let rules = &self.head.version.rules.authorization;
        if pdu.kind == TimelineEventType::RoomCreate {
            // The room's own is known from the start. A second one would take the room over.
            return Err("the room has a create event already".to_owned());
        }
        let create = self.head.get(&StateEventType::RoomCreate, "").map(|entry| &*entry.pdu);
        let fetch = |id: &EventId| {
            let created = || create.filter(|pdu| pdu.event_id == id);
            self.loaded(id).map(|known| &*known.pdu).or_else(created)
        };
        check_state_independent_auth_rules(rules, pdu, fetch)?;
        let mut state: HashMap<(String, &str), &Pdu> = HashMap::new();
        let implied = create.filter(|_| self.head.version.id_is_create_hash());
        for auth in pdu.auth_events.iter().filter_map(|id| fetch(id)).chain(implied) {
            let key = auth.state_key.as_deref().unwrap_or_default();
            state.insert((auth.kind.to_string(), key), auth);
        }
        check_state_dependent_auth_rules(rules, pdu, |kind, key| state.get(&(kind.to_string(), key)).copied())
    }

    /// The state that another server claims, without what was rejected here.
    async fn claimed(&mut self, ids: &[OwnedEventId]) -> Result<StateMap> {
        self.load(ids).await?;
        let known = ids.iter().filter_map(|id| self.loaded(id)).filter(|known| !known.pdu.rejected);
        Ok(known.filter_map(|known| known.entry()).collect())
    }

    async fn stand(
        &mut self,
        item: &Item,
        decided: Judgement,
        judge: &dyn Judge,
        now: Ms,
    ) -> Result<Outcome> {
        let id = item.pdu.event_id.clone();
        let (mut known, parts, sender) = self.identify(item).await?;
        let (standing, before, outcome) = match decided {
            Judgement::Incomplete(reason) => return Ok(Outcome::Incomplete(reason.to_owned())),
            Judgement::Fetched => (Standing::Fetched, None, Outcome::Accepted),
            Judgement::Rejected(reason, before) => (Standing::Rejected, before, Outcome::Rejected(reason)),
            Judgement::SoftFailed(reason, before) => {
                (Standing::SoftFailed, Some(before), Outcome::SoftFailed(reason))
            }
            Judgement::Accepted(before) => (Standing::Accepted, Some(before), Outcome::Accepted),
        };
        known.soft_failed = standing == Standing::SoftFailed;
        if standing == Standing::Rejected {
            Arc::make_mut(&mut known.pdu).rejected = true;
        }
        let accepted = standing == Standing::Accepted;
        let step = match &before {
            Some(before) if accepted => Some(self.step(&known, before).await?),
            _ => None,
        };
        // The place of an event that follows everything tells the state after it.
        let told = accepted && item.claimed.is_none() && self.follows_all(&item.pdu.prev_events);
        if let Some(before) = before.as_ref().filter(|_| !told) {
            known.snapshot = Some(self.snapshot(before).await?);
        }
        let content = parts.as_ref().map_or(item.pdu.content.get(), |parts| parts.content.as_str());
        let record = Record {
            sender,
            standing,
            replaces: before.as_ref().and_then(|before| replaced(&before.state, &known)),
            notifies: if accepted { judge.notifies(&item.pdu, content, &self.head) } else { 0 },
            received_ts: now,
            retention_ts: if item.pushed { now } else { now.min(item.pdu.origin_server_ts) },
            turns: step.as_ref().map(|step| step.turns.clone()).unwrap_or_default(),
            known: Arc::new(known),
            parts,
        };
        let known = Arc::clone(&record.known);
        let after = step.as_ref().map(|step| step.after.clone());
        let after = after.or_else(|| before.clone().map(|at| with(stored(at, &known), &known)));
        self.learn(Arc::clone(&known), after);
        if item.claimed.is_some() && accepted {
            let placed = |id: &EventId| self.loaded(id).is_some_and(|parent| self.has_state(parent));
            let lacking = item.pdu.prev_events.iter().filter(|id| !placed(id));
            let gaps: Vec<_> = lacking.map(|id| (id.clone(), known.nid)).collect();
            self.gaps.extend(gaps);
        }
        self.records.push(record);
        if let Some(step) = step {
            self.advance(&known, step);
        }
        self.redact(&id, before.as_ref().filter(|_| accepted)).await?;
        Ok(outcome)
    }

    /// Numeric ids and stored parts of an event.
    async fn identify(&mut self, item: &Item) -> Result<(Known, Option<Parts>, Nid)> {
        let sender = self.archive.name(item.pdu.sender.as_str()).await?;
        match &item.origin {
            Origin::Archive(known) => Ok(((**known).clone(), None, sender)),
            Origin::Wire(signed) => {
                let key = match &item.pdu.state_key {
                    Some(key) => Some(self.archive.name(key).await?),
                    None => None,
                };
                let known = Known {
                    nid: self.archive.nid().await?,
                    key,
                    pdu: Arc::clone(&item.pdu),
                    ord: None,
                    snapshot: None,
                    soft_failed: false,
                    redacted: false,
                };
                Ok((known, Some(signed.parts(&self.head.version)?), sender))
            }
        }
    }

    /// Where an accepted event leads. Reads only: nothing moves if the states cannot be resolved.
    async fn step(&mut self, known: &Known, before: &StateAt) -> Result<Step> {
        let pdu = &known.pdu;
        let after = with(before.clone(), known);
        let mut extremities = self.open_ends(&pdu.prev_events).await?;
        let followed =
            self.awaited.iter().any(|row| row.why == Why::Follower && row.event_id == pdu.event_id)
                || self.gaps.iter().any(|(id, _)| *id == pdu.event_id);
        // An event that follows everything ends the room, whatever else is claimed.
        if extremities.is_empty() || (!followed && extremities.len() < MAX_EXTREMITIES) {
            extremities.push(pdu.event_id.clone());
        }
        let follows_all = self.follows_all(&pdu.prev_events);
        let state = if extremities == [pdu.event_id.clone()] {
            Arc::clone(&after.state)
        } else if extremities == self.head.extremities {
            Arc::clone(&self.head.state)
        } else {
            let mut parents = Vec::new();
            for id in &extremities {
                let own = (*id == pdu.event_id).then(|| after.clone());
                let at = match own {
                    Some(at) => Some(at),
                    None => self.after(id).await?,
                };
                parents.push(at.ok_or_else(|| super::archive::missing("the state after an extremity"))?);
            }
            self.merge(parents).await?.state
        };
        let turns = self.turns(&state, known.entry().filter(|_| follows_all).map(|(key, _)| key)).await?;
        Ok(Step { extremities, linear: self.head.linear && follows_all, state, after, turns })
    }

    /// The ends of the room that an event with these parents does not follow. Rejected and soft-failed
    /// events are no ends, so nothing takes away an end that only they follow: an event that follows
    /// them does. Otherwise an old state would be merged with its own successors, and undo them.
    async fn open_ends(&mut self, prev: &[OwnedEventId]) -> Result<Vec<OwnedEventId>> {
        let mut ends = self.head.extremities.clone();
        let mut level = prev.to_vec();
        let mut seen: HashSet<_> = prev.iter().cloned().collect();
        loop {
            ends.retain(|id| !level.contains(id));
            if ends.is_empty() || level.is_empty() || seen.len() > MAX_LOOKED_THROUGH {
                return Ok(ends);
            }
            self.load(&level).await?;
            let outside = level.iter().filter_map(|id| self.loaded(id));
            let outside = outside.filter(|known| known.pdu.rejected || known.soft_failed);
            let behind =
                outside.flat_map(|known| &known.pdu.prev_events).filter(|id| seen.insert((*id).clone()));
            level = behind.take(MAX_LOOKED_THROUGH).cloned().collect();
        }
    }

    /// What changes in the current state; with a key it is known that nothing else can.
    async fn turns(
        &mut self,
        new: &Arc<StateMap>,
        only: Option<(StateEventType, String)>,
    ) -> Result<Vec<Turn>> {
        let old = Arc::clone(&self.head.state);
        if Arc::ptr_eq(&old, new) {
            return Ok(Vec::new());
        }
        let mut keys: Vec<_> = match only {
            Some(key) => vec![key],
            None => old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))).cloned().collect(),
        };
        keys.retain(|key| old.get(key).map(|entry| entry.nid) != new.get(key).map(|entry| entry.nid));
        keys.sort();
        let mut turns = Vec::new();
        for key in keys {
            let (old, new) = (old.get(&key).cloned(), new.get(&key).cloned());
            let Some(shown) = new.as_ref().or(old.as_ref()) else { continue };
            let sender = self.archive.name(shown.pdu.sender.as_str()).await?;
            turns.push(Turn { kind: key.0.to_string(), old, new, sender });
        }
        Ok(turns)
    }

    fn advance(&mut self, known: &Known, step: Step) {
        let head = &mut self.head;
        head.revision = known.nid;
        // A claim of depth is believed one step at a time: nobody can use the numbers up.
        head.depth = head.depth.max(known.pdu.depth.min(head.depth + 1));
        head.extremities = step.extremities;
        head.linear = step.linear;
        head.state = step.state;
    }
}

/// The state before an event, with the snapshot that it was now stored as.
fn stored(before: StateAt, known: &Known) -> StateAt {
    StateAt { snapshot: known.snapshot.or(before.snapshot), ..before }
}

fn replaced(before: &StateMap, known: &Known) -> Option<Nid> {
    let (key, _) = known.entry()?;
    before.get(&key).map(|entry| entry.nid)
}

/// Whether the authorisation rules allow an event in a state.
fn allowed(head: &Head, pdu: &Pdu, state: &StateMap) -> Result<(), String> {
    check_state_dependent_auth_rules(&head.version.rules.authorization, pdu, |kind, key| {
        state.get(&(kind.clone(), key.to_owned())).map(|entry| &*entry.pdu)
    })
}
