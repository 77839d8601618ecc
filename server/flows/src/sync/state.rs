//! State that the timeline does not tell: all of it for rooms the client does not know, what was
//! left out of the timeline for others; before the timeline, or after it on request.

use super::Reading;
use super::plan::{Part, Plan};
use super::timeline::{RoomEvents, admits};
use kontor_model::{Nid, Result};
use kontor_store::rooms::events::{self, EventRow};
use kontor_store::rooms::face::Face;
use kontor_store::rooms::state;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Where the state of a room is taken from.
#[derive(Default)]
struct Wanted {
    /// The current state of these rooms.
    current: Vec<Nid>,
    /// The state of these rooms as it was at a place.
    at: Vec<(Nid, i64)>,
    /// Changes of state in these parts.
    changes: Vec<(Nid, i64, i64)>,
}

impl Reading<'_> {
    pub(super) async fn states(&mut self, plan: &Plan, rooms: &mut HashMap<Nid, RoomEvents>) -> Result<()> {
        let filter = &self.request.filter.room.state;
        if filter.admits_nothing() {
            return Ok(());
        }
        let lazy = filter.lazy_load_members;
        let mut rows = Vec::new();
        let wanted = self.wanted(plan, rooms, &mut rows);
        let asker = self.asker();
        if !wanted.current.is_empty() {
            rows.extend(events::current_state(&mut self.snapshot, asker, &wanted.current, lazy).await?);
        }
        let mut nids = state::at(&mut self.snapshot, &wanted.at, lazy).await?;
        nids.extend(newest_of_each_key(state::changes(&mut self.snapshot, &wanted.changes).await?));
        if lazy {
            nids.extend(self.lazy_members(plan, rooms, &mut rows).await?);
        }
        let known: HashSet<Nid> = rows.iter().map(|row| row.event).collect();
        nids.retain(|nid| !known.contains(nid));
        nids.sort_unstable();
        nids.dedup();
        rows.extend(events::by_nids(&mut self.snapshot, asker, &nids).await?);
        self.hand_out(plan, rooms, rows);
        Ok(())
    }

    /// What must be read; what the rooms' faces tell is added to `rows`.
    fn wanted(&self, plan: &Plan, rooms: &HashMap<Nid, RoomEvents>, rows: &mut Vec<Arc<EventRow>>) -> Wanted {
        let after = self.request.use_state_after;
        let lazy = self.request.filter.room.state.lazy_load_members;
        let mut wanted = Wanted::default();
        for part in &plan.parts {
            let Some(events) = rooms.get(&part.my.room) else { continue };
            let room = part.my.room;
            let told_state = events.timeline.iter().any(|event| event.row().state_key.is_some());
            let current = part.fresh && !part.left && (after || !told_state);
            let start = if current { i64::MAX } else { events.start };
            let face = part.face.as_ref().filter(|face| face.with_members || lazy);
            let faced = face.filter(|_| !after || current).and_then(|face| {
                if current { Some(face.state.clone()) } else { state_at(face, start, part.my.linear) }
            });
            if let Some(state) = faced {
                rows.extend(state.into_iter().filter(|row| !lazy || row.kind != "m.room.member"));
            } else if current {
                wanted.current.push(room);
            } else if part.fresh {
                wanted.at.push((room, if after { part.until } else { events.start }));
            } else if after {
                wanted.changes.push((room, part.after, part.until));
            } else if events.limited {
                wanted.changes.push((room, part.after, events.start));
            }
        }
        wanted
    }

    /// Member events of those whose names are needed, for clients that load members lazily: the
    /// reader's own, the senders', and the heroes'. Changes of membership that the timeline left out
    /// are told as any others.
    async fn lazy_members(
        &mut self,
        plan: &Plan,
        rooms: &HashMap<Nid, RoomEvents>,
        rows: &mut Vec<Arc<EventRow>>,
    ) -> Result<Vec<Nid>> {
        let mut pairs: HashSet<(Nid, Nid)> = HashSet::new();
        let mut nids = Vec::new();
        for part in &plan.parts {
            let Some(events) = rooms.get(&part.my.room) else { continue };
            let heroes = events.summary.iter().flat_map(|summary| &summary.heroes);
            if let Some(face) = part.face.as_ref().filter(|face| face.with_members) {
                let senders = events.timeline.iter().map(|event| event.row().sender.as_str());
                let mut users: HashSet<&str> = senders.collect();
                users.insert(self.requester.user_id.as_str());
                users.extend(heroes.map(|hero| hero.user_id.as_str()));
                let wanted = |row: &&Arc<EventRow>| {
                    row.kind == "m.room.member"
                        && row.state_key.as_deref().is_some_and(|key| users.contains(key))
                };
                rows.extend(face.state.iter().filter(wanted).cloned());
                continue;
            }
            nids.extend(heroes.map(|hero| hero.event));
            pairs.extend(events.timeline.iter().map(|event| (part.my.room, event.row().sender_nid)));
            if part.fresh {
                pairs.insert((part.my.room, self.user()));
            }
        }
        if pairs.is_empty() {
            return Ok(nids);
        }
        let distinct =
            |list: Vec<Nid>| list.into_iter().collect::<HashSet<_>>().into_iter().collect::<Vec<_>>();
        let in_rooms = distinct(pairs.iter().map(|pair| pair.0).collect());
        let users = distinct(pairs.iter().map(|pair| pair.1).collect());
        let found = state::member_events(&mut self.snapshot, &in_rooms, &users).await?;
        let wanted = found.into_iter().filter(|(room, user, _)| pairs.contains(&(*room, *user)));
        nids.extend(wanted.map(|(_, _, event)| event));
        Ok(nids)
    }

    fn hand_out(&self, plan: &Plan, rooms: &mut HashMap<Nid, RoomEvents>, rows: Vec<Arc<EventRow>>) {
        let filter = &self.request.filter.room.state;
        let parts: HashMap<Nid, &Part> = plan.parts.iter().map(|part| (part.my.room, part)).collect();
        for row in rows {
            let (Some(part), Some(room)) = (parts.get(&row.room), rooms.get_mut(&row.room)) else { continue };
            // What the timeline tells is not told twice, unless the state after it is wanted.
            let in_timeline = || room.timeline.iter().any(|event| event.row().event == row.event);
            if !admits(filter, &row) || (!self.request.use_state_after && in_timeline()) {
                continue;
            }
            room.state.extend(self.viewer(part).see_state(row));
        }
    }
}

/// The state at a place, if the room's face tells it: it is the current one without what was set
/// since, as long as nothing that was set since replaced something older.
fn state_at(face: &Face, place: i64, linear: bool) -> Option<Vec<Arc<EventRow>>> {
    // In a room that forked, an event need not replace what held before it in the room's order.
    if !linear || !face.reaches(place) {
        return None;
    }
    let since = face.newest.iter().filter(|row| row.state_key.is_some() && row.ord > Some(place));
    let older =
        |row: &Arc<EventRow>| row.replaces.as_ref().is_some_and(|replaced| replaced.ord <= Some(place));
    if since.clone().any(older) {
        return None;
    }
    let set: HashSet<Nid> = since.map(|row| row.event).collect();
    Some(face.state.iter().filter(|row| !set.contains(&row.event)).cloned().collect())
}

/// Of several changes of one key only the last one holds.
fn newest_of_each_key(changes: Vec<state::StateChange>) -> Vec<Nid> {
    let mut newest = HashMap::new();
    for change in changes {
        newest.insert((change.room, change.kind, change.key), change.event);
    }
    newest.into_values().flatten().collect()
}
