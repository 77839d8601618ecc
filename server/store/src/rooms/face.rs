//! What a room looks like to whoever comes in: its newest events, its state, who is in it.
//!
//! First answers of `/sync` tell this of every room, and it changes only with the room. So a
//! remembered face is as good as a read one if the room's revision, read in the reader's own moment,
//! is the same. Whoever changes what is shown of a room (events, their content, memberships) must
//! therefore move its revision or call [`FaceCache::forget`]. Nothing of a single reader may enter,
//! but the two histories that decide what a reader may see, kept by reader.

use super::events::{self, Asker, EventRow};
use super::members::{self, Roster};
use super::state::{self, Histories};
use crate::db::Source;
use kontor_model::{Nid, Result};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Memory for faces, bytes.
const MEMORY: u64 = 8 << 20;
/// What an event takes besides its content, roughly.
const ROW: usize = 700;
/// Newest events of a room that are remembered.
pub const NEWEST: usize = 21;
/// Rooms of more people are remembered without their member events.
const SMALL: i64 = 64;
/// Readers of a room whose histories are remembered.
const READERS: usize = 64;
/// Asks for no transaction ids.
const NOBODY: Asker<'static> = Asker { user: 0, device: "" };

/// A room's face.
pub struct Face {
    revision: i64,
    /// The newest events, newest first, at most [`NEWEST`].
    pub newest: Vec<Arc<EventRow>>,
    /// The current state; without member events unless `with_members`.
    pub state: Vec<Arc<EventRow>>,
    /// Whether `state` has the member events too.
    pub with_members: bool,
    /// Who is in the room.
    pub roster: Roster,
    histories: Mutex<HashMap<Nid, Arc<Histories>>>,
}

impl Face {
    /// Whether the newest so many events are among `newest`, or all that there are.
    pub fn has(&self, number: usize) -> bool {
        number <= NEWEST || self.newest.len() < NEWEST
    }

    /// Whether `newest` holds every event of the room that is newer than a place.
    pub fn reaches(&self, ord: i64) -> bool {
        self.newest.len() < NEWEST
            || self.newest.last().is_some_and(|row| row.ord.is_some_and(|oldest| oldest <= ord + 1))
    }

    fn histories_of(&self, user: Nid) -> Option<Arc<Histories>> {
        self.histories.lock().unwrap_or_else(PoisonError::into_inner).get(&user).cloned()
    }

    fn remember(&self, user: Nid, histories: &Arc<Histories>) {
        let mut known = self.histories.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= READERS {
            known.clear();
        }
        known.insert(user, Arc::clone(histories));
    }

    fn weight(&self) -> u32 {
        let rows = self.newest.iter().chain(&self.state);
        u32::try_from(rows.map(|row| ROW + row.content.get().len()).sum::<usize>()).unwrap_or(u32::MAX)
    }
}

/// The faces of rooms that somebody came into lately.
pub struct FaceCache(moka::sync::Cache<Nid, Arc<Face>>);

impl Default for FaceCache {
    fn default() -> Self {
        let weigh = |_: &Nid, face: &Arc<Face>| face.weight();
        Self(moka::sync::Cache::builder().max_capacity(MEMORY).weigher(weigh).build())
    }
}

impl FaceCache {
    /// Forgets a room whose shown content changed without an event.
    pub fn forget(&self, room: Nid) {
        self.0.invalidate(&room);
    }
}

/// The faces of rooms, given with their revisions as the source sees them.
///
/// # Errors
/// See [`Source::all`].
pub async fn faces<S: Source>(source: &mut S, rooms: &[(Nid, i64)]) -> Result<HashMap<Nid, Arc<Face>>> {
    let mut faces = HashMap::with_capacity(rooms.len());
    let mut missing = HashMap::new();
    for (room, revision) in rooms {
        match source.remembered().faces.0.get(room).filter(|face| face.revision == *revision) {
            Some(face) => {
                faces.insert(*room, face);
            }
            None => {
                missing.insert(*room, *revision);
            }
        }
    }
    if !missing.is_empty() {
        for (room, face) in read(source, &missing).await? {
            let face = Arc::new(face);
            source.remembered().faces.0.insert(room, Arc::clone(&face));
            faces.insert(room, face);
        }
    }
    Ok(faces)
}

async fn read<S: Source>(source: &mut S, rooms: &HashMap<Nid, i64>) -> Result<Vec<(Nid, Face)>> {
    let ids: Vec<Nid> = rooms.keys().copied().collect();
    let mut rosters = members::rosters(source, &ids).await?;
    let is_small = |room: &Nid| rosters.get(room).is_none_or(|roster: &Roster| roster.known <= SMALL);
    let (small, large): (Vec<Nid>, Vec<Nid>) = ids.iter().partition(|room| is_small(room));
    let windows: Vec<_> = ids.iter().map(|room| (*room, i64::MIN, i64::MAX)).collect();
    let newest = events::newest_nids(source, &windows, NEWEST as i64).await?;
    let newest: HashSet<Nid> = newest.into_iter().collect();
    let mut state: HashSet<Nid> = HashSet::new();
    for (rooms, without_members) in [(&small, false), (&large, true)] {
        if !rooms.is_empty() {
            state.extend(state::current(source, rooms, without_members).await?);
        }
    }
    let nids: Vec<Nid> = newest.union(&state).copied().collect();
    let mut by_room: HashMap<Nid, Vec<Arc<EventRow>>> = HashMap::new();
    for row in events::by_nids(source, NOBODY, &nids).await? {
        by_room.entry(row.room).or_default().push(row);
    }
    let small: HashSet<Nid> = small.into_iter().collect();
    let made = rooms.iter().map(|(room, revision)| {
        let rows = by_room.remove(room).unwrap_or_default();
        let among = |set: &HashSet<Nid>| -> Vec<_> {
            rows.iter().filter(|row| set.contains(&row.event)).cloned().collect()
        };
        let mut newest = among(&newest);
        newest.sort_unstable_by_key(|row| std::cmp::Reverse(row.ord));
        let face = Face {
            revision: *revision,
            newest,
            state: among(&state),
            with_members: small.contains(room),
            roster: rosters.remove(room).unwrap_or_default(),
            histories: Mutex::default(),
        };
        (*room, face)
    });
    Ok(made.collect())
}

/// The two histories of rooms for one user, remembered with the faces. At most one statement.
///
/// # Errors
/// See [`Source::all`].
pub async fn histories<S: Source>(
    source: &mut S,
    faces: &HashMap<Nid, Arc<Face>>,
    rooms: &[Nid],
    user: Nid,
) -> Result<HashMap<Nid, Arc<Histories>>> {
    let mut found = HashMap::with_capacity(rooms.len());
    let mut missing = Vec::new();
    for room in rooms {
        match faces.get(room).and_then(|face| face.histories_of(user)) {
            Some(histories) => {
                found.insert(*room, histories);
            }
            None => missing.push(*room),
        }
    }
    let mut read = state::histories(source, &missing, user).await?;
    for room in missing {
        let histories = Arc::new(read.remove(&room).unwrap_or_default());
        if let Some(face) = faces.get(&room) {
            face.remember(user, &histories);
        }
        found.insert(room, histories);
    }
    Ok(found)
}
