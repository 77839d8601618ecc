//! State resolution: one state out of several (room version specification, "State resolution").
//!
//! The algorithm is ruma's. This file finds what it looks at without walking the whole state:
//! whatever all states agree on, and what only that is authorised by, cannot be in conflict.

use crate::head::{StateEntry, StateMap};
use async_trait::async_trait;
use kontor_model::Nid;
use kontor_model::{Code, Error, Pdu, Result, RoomVersion};
use ruma::events::StateEventType;
use ruma::state_res::utils::event_id_set::EventIdSet;
use ruma::state_res::{StateMap as IdMap, auth_types_for_event, resolve as decide};
use ruma::{EventId, OwnedEventId};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// An event that resolution may put into a state.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Numeric id.
    pub nid: Nid,
    /// Numeric id of the state key; `None` for what is no state event.
    pub key: Option<Nid>,
    /// The event.
    pub pdu: Arc<Pdu>,
}

/// Where resolution gets events from.
#[async_trait]
pub trait Lookup: Send {
    /// Events by id; those that are known. Asked for many at once, few times.
    async fn candidates(&mut self, ids: &[OwnedEventId]) -> Result<Vec<Candidate>>;
}

type Key = (StateEventType, String);
type Graph = HashMap<OwnedEventId, Candidate>;

/// Resolves states of one room into one.
///
/// # Errors
/// `IncompatibleRoomVersion` when states of a version-1 room differ, whose algorithm is not
/// implemented; `Internal` when the archive lacks events.
pub async fn resolve<L: Lookup>(
    version: &RoomVersion,
    states: &[Arc<StateMap>],
    lookup: &mut L,
) -> Result<Arc<StateMap>> {
    let Some((first, others)) = states.split_first() else { return Ok(Arc::default()) };
    let conflicted = conflicts(first, others);
    if conflicted.is_empty() {
        return Ok(Arc::clone(first));
    }
    let Some(rules) = version.rules.state_res.v2_rules() else {
        return Err(Error::new(
            Code::IncompatibleRoomVersion,
            "This room is of version 1 and has split. Upgrade the room to go on.",
        ));
    };
    let mut base = (**first).clone();
    base.retain(|key, _| !conflicted.contains(key));
    let (sets, graph, difference) = read(version, states, &conflicted, &base, lookup).await?;
    let create = base.get(&(StateEventType::RoomCreate, String::new())).cloned();
    let fetch = |id: &EventId| -> Option<&Pdu> {
        let created = || create.as_ref().filter(|entry| entry.pdu.event_id == id).map(|entry| &*entry.pdu);
        graph.get(id).map(|found| &*found.pdu).or_else(created)
    };
    // ruma takes the difference of these two: the difference that was found.
    let chains = vec![difference.into_iter().collect(), EventIdSet::new()];
    let subgraph = |conflicted: &IdMap<Vec<OwnedEventId>>| Some(subgraph(&graph, conflicted));
    let authorization = &version.rules.authorization;
    let resolved =
        decide(authorization, rules, sets.iter(), chains, fetch, subgraph).map_err(Error::internal)?;
    for (key, id) in resolved {
        if base.contains_key(&key) {
            continue;
        }
        let entry = graph.get(&id).and_then(|found| {
            found.key.map(|key| StateEntry { nid: found.nid, key, pdu: Arc::clone(&found.pdu) })
        });
        let entry = entry.ok_or_else(|| Error::internal(format!("resolved to the unknown event {id}")))?;
        base.insert(key, entry);
    }
    Ok(Arc::new(base))
}

/// Keys on which the states do not agree.
fn conflicts(first: &Arc<StateMap>, others: &[Arc<StateMap>]) -> HashSet<Key> {
    let mut keys = HashSet::new();
    for other in others {
        if Arc::ptr_eq(first, other) {
            continue;
        }
        let differs = |key: &Key, entry: &StateEntry, map: &StateMap| {
            map.get(key).is_none_or(|found| found.nid != entry.nid)
        };
        keys.extend(
            first.iter().filter(|(key, entry)| differs(key, entry, other)).map(|(key, _)| key.clone()),
        );
        keys.extend(
            other.iter().filter(|(key, entry)| differs(key, entry, first)).map(|(key, _)| key.clone()),
        );
    }
    keys
}

/// Reads all that the algorithm will ask for: the states cut down to what matters, the events by
/// id, and the auth difference.
async fn read<L: Lookup>(
    version: &RoomVersion,
    states: &[Arc<StateMap>],
    conflicted: &HashSet<Key>,
    base: &StateMap,
    lookup: &mut L,
) -> Result<(Vec<IdMap<OwnedEventId>>, Graph, HashSet<OwnedEventId>)> {
    let mut graph = Graph::new();
    let mut sides = Vec::new();
    for state in states {
        let side: Vec<_> = conflicted.iter().filter_map(|key| Some((key, state.get(key)?))).collect();
        for (_, entry) in &side {
            graph.insert(entry.pdu.event_id.clone(), candidate(entry));
        }
        sides.push(side);
    }
    let power = base.get(&(StateEventType::RoomPowerLevels, String::new()));
    if let Some(entry) = power {
        graph.insert(entry.pdu.event_id.clone(), candidate(entry));
    }
    let start: Vec<_> = graph.keys().cloned().collect();
    grow(&mut graph, start, lookup, |_| false).await?;
    let chains: Vec<_> =
        sides.iter().map(|side| chain(&graph, side.iter().map(|(_, entry)| &entry.pdu.event_id))).collect();
    let difference = difference(chains, base, lookup).await?;
    let agreed = agreed(version, &graph, base);
    let mut sets = Vec::new();
    for side in &sides {
        let own = side.iter().map(|(key, entry)| ((*key).clone(), entry.pdu.event_id.clone()));
        let shared = agreed.iter().map(|(key, entry)| (key.clone(), entry.pdu.event_id.clone()));
        sets.push(own.chain(shared).collect());
    }
    for (_, entry) in agreed {
        graph.entry(entry.pdu.event_id.clone()).or_insert_with(|| candidate(entry));
    }
    Ok((sets, graph, difference))
}

fn candidate(entry: &StateEntry) -> Candidate {
    Candidate { nid: entry.nid, key: Some(entry.key), pdu: Arc::clone(&entry.pdu) }
}

/// Adds the auth chains of some events of the graph, level by level. Ends early when `enough` says
/// so of the ids that were reached.
async fn grow<L: Lookup>(
    graph: &mut Graph,
    start: Vec<OwnedEventId>,
    lookup: &mut L,
    mut enough: impl FnMut(&[OwnedEventId]) -> bool,
) -> Result<()> {
    let mut level = start;
    let mut asked: HashSet<OwnedEventId> = HashSet::new();
    loop {
        let mut reached: Vec<OwnedEventId> = Vec::new();
        for id in &level {
            let Some(found) = graph.get(id) else { continue };
            reached.extend(found.pdu.auth_events.iter().filter(|id| asked.insert((*id).clone())).cloned());
        }
        if reached.is_empty() || enough(&reached) {
            return Ok(());
        }
        let unknown: Vec<_> = reached.iter().filter(|id| !graph.contains_key(*id)).cloned().collect();
        for found in lookup.candidates(&unknown).await? {
            graph.insert(found.pdu.event_id.clone(), found);
        }
        level = reached;
    }
}

/// All events that some events are authorised by, recursively, without those themselves.
fn chain<'a>(graph: &Graph, from: impl Iterator<Item = &'a OwnedEventId>) -> HashSet<OwnedEventId> {
    let mut chain = HashSet::new();
    let mut open: Vec<&EventId> = from.map(|id| &**id).collect();
    while let Some(id) = open.pop() {
        let auth = graph.get(id).map(|found| found.pdu.auth_events.as_slice()).unwrap_or_default();
        open.extend(auth.iter().filter(|id| chain.insert((*id).clone())).map(|id| &**id));
    }
    chain
}

/// The auth difference: what is in the chain of some states, but not of all.
///
/// What authorises the part that all states share is in every chain, so it never counts; but that
/// part can be large, so it is only walked while something is left that it could explain.
async fn difference<L: Lookup>(
    chains: Vec<HashSet<OwnedEventId>>,
    base: &StateMap,
    lookup: &mut L,
) -> Result<HashSet<OwnedEventId>> {
    let count = chains.len();
    let mut seen: HashMap<OwnedEventId, usize> = HashMap::new();
    for id in chains.into_iter().flatten() {
        *seen.entry(id).or_default() += 1;
    }
    let mut left: HashSet<_> =
        seen.into_iter().filter(|(_, times)| *times < count).map(|(id, _)| id).collect();
    if !left.is_empty() {
        let mut graph: Graph =
            base.values().map(|entry| (entry.pdu.event_id.clone(), candidate(entry))).collect();
        let start = graph.keys().cloned().collect();
        let explained = |reached: &[OwnedEventId]| {
            reached.iter().for_each(|id| {
                left.remove(id);
            });
            left.is_empty()
        };
        grow(&mut graph, start, lookup, explained).await?;
    }
    Ok(left)
}

/// The shared entries that events of the graph may be authorised by.
fn agreed<'a>(version: &RoomVersion, graph: &Graph, base: &'a StateMap) -> Vec<(Key, &'a StateEntry)> {
    let mut keys: HashSet<Key> = HashSet::new();
    keys.insert((StateEventType::RoomCreate, String::new()));
    keys.insert((StateEventType::RoomPowerLevels, String::new()));
    for found in graph.values() {
        let pdu = &found.pdu;
        let rules = &version.rules.authorization;
        // A malformed event is skipped by the algorithm as well.
        let types =
            auth_types_for_event(&pdu.kind, &pdu.sender, pdu.state_key.as_deref(), &pdu.content, rules);
        keys.extend(types.unwrap_or_default());
    }
    keys.into_iter().filter_map(|key| base.get(&key).map(|entry| (key, entry))).collect()
}

/// Events on the ways, along auth events, from one conflicted event to another (since version 12).
fn subgraph(graph: &Graph, conflicted: &IdMap<Vec<OwnedEventId>>) -> EventIdSet<OwnedEventId> {
    let ends: HashSet<&EventId> = conflicted.values().flatten().map(|id| &**id).collect();
    // Forwards from the conflicted events everything in the graph can be reached; so walk back from
    // them, over the events that they authorise.
    let mut authorised: HashMap<&EventId, Vec<&EventId>> = HashMap::new();
    let mut reached: HashSet<&EventId> = HashSet::new();
    let mut open: VecDeque<&EventId> = ends.iter().copied().collect();
    while let Some(id) = open.pop_front() {
        let Some(found) = graph.get(id) else { continue };
        for auth in &found.pdu.auth_events {
            authorised.entry(auth).or_default().push(id);
            if reached.insert(auth) && !ends.contains(&**auth) {
                open.push_back(auth);
            }
        }
    }
    let mut members: HashSet<&EventId> = HashSet::new();
    let mut open: Vec<&EventId> = ends.iter().copied().filter(|id| reached.contains(id)).collect();
    members.extend(&open);
    while let Some(id) = open.pop() {
        for from in authorised.get(id).into_iter().flatten() {
            if members.insert(from) {
                open.push(from);
            }
        }
    }
    members.into_iter().map(ToOwned::to_owned).collect()
}
