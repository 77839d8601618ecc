//! State that the timeline does not tell: all of it for rooms the client does not know, what was
//! left out of the timeline for others; before the timeline, or after it on request.

use super::Reading;
use super::plan::{Part, Plan};
use super::timeline::{RoomEvents, admits};
use kontor_model::{Nid, Result};
use kontor_store::rooms::events::{self, EventRow};
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
        let wanted = self.wanted(plan, rooms);
        let asker = self.asker();
        let mut rows = if wanted.current.is_empty() {
            Vec::new()
        } else {
            events::current_state(&mut self.snapshot, asker, &wanted.current, lazy).await?
        };
        let mut nids = state::at(&mut self.snapshot, &wanted.at, lazy).await?;
        nids.extend(newest_of_each_key(state::changes(&mut self.snapshot, &wanted.changes).await?));
        if lazy {
            nids.extend(self.lazy_members(plan, rooms).await?);
        }
        let known: HashSet<Nid> = rows.iter().map(|row| row.event).collect();
        nids.retain(|nid| !known.contains(nid));
        nids.sort_unstable();
        nids.dedup();
        rows.extend(events::by_nids(&mut self.snapshot, asker, &nids).await?);
        self.hand_out(plan, rooms, rows);
        Ok(())
    }

    fn wanted(&self, plan: &Plan, rooms: &HashMap<Nid, RoomEvents>) -> Wanted {
        let after = self.request.use_state_after;
        let mut wanted = Wanted::default();
        for part in &plan.parts {
            let Some(events) = rooms.get(&part.my.room) else { continue };
            let room = part.my.room;
            let told_state = events.timeline.iter().any(|event| event.row().state_key.is_some());
            if part.fresh && !part.left && (after || !told_state) {
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
    async fn lazy_members(&mut self, plan: &Plan, rooms: &HashMap<Nid, RoomEvents>) -> Result<Vec<Nid>> {
        let mut pairs: HashSet<(Nid, Nid)> = HashSet::new();
        let mut nids = Vec::new();
        for part in &plan.parts {
            let Some(events) = rooms.get(&part.my.room) else { continue };
            let heroes = events.summary.iter().flat_map(|summary| &summary.heroes);
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

/// Of several changes of one key only the last one holds.
fn newest_of_each_key(changes: Vec<state::StateChange>) -> Vec<Nid> {
    let mut newest = HashMap::new();
    for change in changes {
        newest.insert((change.room, change.kind, change.key), change.event);
    }
    newest.into_values().flatten().collect()
}
