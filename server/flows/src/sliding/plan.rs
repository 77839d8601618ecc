//! Which of the reached rooms have something to tell, and which part of each.

use super::directory::{Directory, Entry, Standing, visibilities};
use super::lists::Reach;
use super::told::{Mark, State, Told};
use super::wanted::{RequiredState, Wanted};
use crate::sync::Reading;
use kontor_model::{Nid, Result};
use kontor_rooms::Visibility;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A room that the reader is in, or was in, with something to tell.
pub(super) struct Part {
    pub entry: Entry,
    pub wanted: Wanted,
    /// Whether the client knows nothing of the room.
    pub initial: bool,
    /// Whether the reader is no longer in.
    pub left: bool,
    /// Whether the timeline goes back behind what the client has, since it wants more now.
    pub expanded: bool,
    /// The client was told up to here …
    pub since: i64,
    /// … and is told up to here.
    pub until: i64,
    /// State that the client follows already; of what it wants beside it, all is told.
    pub had: Option<RequiredState>,
    pub visibility: Arc<Visibility>,
    /// That the room became a direct chat, or none.
    pub dm: Option<bool>,
    /// Whether unread counts can have changed without an event.
    pub counts: bool,
}

/// What is told of the rooms.
#[derive(Default)]
pub(super) struct Plan {
    pub parts: Vec<Part>,
    /// Invitations and knocks, and whether they are new to the client.
    pub outside: Vec<Entry>,
    /// What the client will have been told.
    pub next: State,
    /// Numbers of required states that were asked for, so that they are compared once.
    numbers: Vec<(RequiredState, usize)>,
}

/// What is known when the plan is made.
pub(super) struct Known<'a> {
    pub directory: &'a Directory,
    pub reach: &'a Reach,
    pub state: &'a State,
    /// Where the connection's token stands; `None` on the first request.
    pub pos: Option<i64>,
    /// The user's direct chats; `None` when they cannot have changed.
    pub direct: Option<&'a HashSet<String>>,
    /// Rooms in which the user read on.
    pub read_on: &'a HashSet<Nid>,
}

impl Part {
    /// Events after this place are told.
    pub fn after(&self) -> i64 {
        if self.initial || self.expanded { i64::MIN } else { self.since }
    }

    /// Whether events came that the client was not told of.
    pub fn has_news(&self) -> bool {
        let newest = if self.left { self.until } else { self.entry.last_ord };
        self.initial || newest > self.since
    }
}

impl Plan {
    /// Decides on every reached room.
    pub async fn make(reading: &mut Reading<'_>, known: &Known<'_>) -> Result<Self> {
        let pos = known.pos.unwrap_or(i64::MIN);
        let mut plan = Self { next: known.state.clone(), ..Self::default() };
        for (room, told) in &mut plan.next.rooms {
            if !known.reach.rooms.contains_key(room) {
                told.events = told.events.left_behind(pos);
            }
        }
        let unsure: Vec<Nid> = (known.reach.rooms.iter())
            .filter_map(|(room, wanted)| Some((known.directory.entries.get(room)?, wanted)))
            .filter(|(entry, wanted)| known.needs_histories(entry, wanted))
            .map(|(entry, _)| entry.room)
            .collect();
        let visibilities = visibilities(reading, &unsure).await?;
        let member = Arc::new(Visibility::of_member());
        for (room, wanted) in &known.reach.rooms {
            let Some(entry) = known.directory.entries.get(room) else { continue };
            let visibility = visibilities.get(room).unwrap_or(&member);
            plan.place(reading, known, entry, wanted, Arc::clone(visibility));
        }
        plan.parts.sort_unstable_by_key(|part| part.entry.room);
        plan.outside.sort_unstable_by_key(|entry| entry.room);
        Ok(plan)
    }

    fn number_of(&mut self, state: &RequiredState) -> usize {
        if let Some((_, number)) = self.numbers.iter().find(|(known, _)| known == state) {
            return *number;
        }
        let number = self.next.number_of(state);
        self.numbers.push((state.clone(), number));
        number
    }

    fn place(
        &mut self,
        reading: &Reading<'_>,
        known: &Known<'_>,
        entry: &Entry,
        wanted: &Wanted,
        visibility: Arc<Visibility>,
    ) {
        let told = known.told(entry.room);
        let since = known.since(entry.room);
        let state = self.number_of(&wanted.state);
        let dm = match known.direct {
            Some(direct) => direct.contains(&*entry.room_id),
            None => told.dm,
        };
        let mut next = Told { state, dm, events: Mark::Live, ..told };
        match entry.standing {
            Standing::Invited | Standing::Knocked => {
                next.limit = 0;
                self.next.rooms.insert(entry.room, next);
                if since.is_none_or(|since| entry.pos > since) {
                    self.outside.push(entry.clone());
                }
                return;
            }
            Standing::Joined | Standing::Removed => {
                self.next.rooms.insert(entry.room, next);
            }
            // Once it was told that the reader left, the room is of no interest any more.
            Standing::Left | Standing::Never => {
                self.next.rooms.remove(&entry.room);
            }
        }
        let left = entry.standing != Standing::Joined;
        if left && since.is_some_and(|since| entry.pos <= since) {
            return;
        }
        let was_in =
            since.is_some_and(|since| entry.pos <= since || visibility.membership_at(since) == "join");
        let initial = !was_in;
        // A number means the same before and after.
        let had = (!initial && state != told.state).then(|| known.state.state_of(&told));
        let part = Part {
            entry: entry.clone(),
            wanted: wanted.clone(),
            initial,
            left,
            expanded: !initial && !left && wanted.limit > told.limit,
            since: since.filter(|_| was_in).unwrap_or(i64::MIN),
            until: if left { entry.pos } else { reading.until.0 },
            had: had.filter(|had| !had.covers(&wanted.state)),
            visibility,
            dm: (initial || dm != told.dm).then_some(dm),
            counts: !left && known.read_on.contains(&entry.room),
        };
        let silent = part.had.is_none() && (part.dm.is_none() && !part.counts);
        if part.has_news() || part.expanded || !silent {
            self.parts.push(part);
        }
    }

    /// Notes how many events the client has without a gap, after the timelines were made.
    pub fn note_limits(&mut self, limited: &HashMap<Nid, bool>) {
        for part in &self.parts {
            let Some(told) = self.next.rooms.get_mut(&part.entry.room) else { continue };
            let gap = limited.get(&part.entry.room).copied().unwrap_or_default();
            if part.initial || part.expanded || gap {
                told.limit = part.wanted.limit;
            }
        }
    }
}

impl Known<'_> {
    fn told(&self, room: Nid) -> Told {
        self.state.rooms.get(&room).copied().unwrap_or_default()
    }

    /// Up to where the client was told of a room.
    fn since(&self, room: Nid) -> Option<i64> {
        self.pos.and_then(|pos| self.told(room).events.since(pos))
    }

    /// Who was joined all the time sees everything that came; only others need the histories.
    fn needs_histories(&self, entry: &Entry, wanted: &Wanted) -> bool {
        match (self.since(entry.room), entry.standing) {
            (_, Standing::Invited | Standing::Knocked) => false,
            (None, _) => true,
            (Some(since), _) => entry.pos > since || wanted.limit > self.told(entry.room).limit,
        }
    }
}
