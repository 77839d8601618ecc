//! The newest events of each room, as the reader may see them.

use super::Reading;
use super::plan::{Part, Plan};
use crate::aggregate::{OfRoom, related};
use kontor_model::filter::{EventFilter, Facts};
use kontor_model::{Nid, Result};
use kontor_rooms::{Viewer, VisibleEvent};
use kontor_store::rooms::cache::own_transactions;
use kontor_store::rooms::events::{self, EventRow};
use kontor_store::rooms::members::{self, Hero};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Events of a room where the client asks for no number.
pub(super) const DEFAULT_LIMIT: u64 = 10;
/// Events of a room at most.
pub(super) const MAX_LIMIT: u64 = 100;

/// Who is in a room, as its reader is told.
pub(super) struct Summary {
    pub joined: i64,
    pub invited: i64,
    pub heroes: Vec<Hero>,
}

/// What is told of a room's events.
#[derive(Default)]
pub(super) struct RoomEvents {
    /// The timeline, oldest first.
    pub timeline: Vec<VisibleEvent>,
    /// Whether events between `after` and the timeline were left out.
    pub limited: bool,
    /// Place before the timeline's first event.
    pub start: i64,
    /// State that the timeline does not tell.
    pub state: Vec<VisibleEvent>,
    /// Counts and heroes, if they can have changed.
    pub summary: Option<Summary>,
    /// Ids of the events to which newer ones relate: the timeline was read up to its end, so nothing
    /// else of it can have relations.
    pub related: HashSet<String>,
}

/// Whether the content itself, and not something deep inside it, has a `url`.
fn has_url(content: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct WithUrl {
        #[serde(rename = "url")]
        _url: String,
    }
    content.contains("\"url\"") && serde_json::from_str::<WithUrl>(content).is_ok()
}

/// Whether an event passes a filter of timeline or state.
pub(crate) fn admits(filter: &EventFilter, event: &EventRow) -> bool {
    let has_url = filter.contains_url.is_some() && has_url(event.content.get());
    filter.admits(Facts { kind: &event.kind, sender: Some(&event.sender), has_url })
}

impl Reading<'_> {
    pub(super) fn viewer<'v>(&'v self, part: &'v Part) -> Viewer<'v> {
        Viewer {
            reader: self.user(),
            visibility: &part.visibility,
            ignored: &self.ignored,
            room_id: None,
            now: self.now,
        }
    }

    pub(super) async fn timelines(&mut self, plan: &Plan) -> Result<HashMap<Nid, RoomEvents>> {
        let filter = &self.request.filter.room.timeline;
        let limit = usize::try_from(filter.limit_within(DEFAULT_LIMIT, MAX_LIMIT)).unwrap_or(10);
        // A filter may drop most of what is read; then more is read, within bounds.
        let read = if filter.admits_everything() { limit + 1 } else { (limit * 5).clamp(50, 250) };
        let wanted =
            plan.parts.iter().filter(|part| filter.admits_room(&part.my.room_id) && !filter.admits_nothing());
        let news = wanted.filter(|part| part.my.last_ord > part.after);
        let (faced, others): (Vec<&Part>, Vec<&Part>) =
            news.partition(|part| part.face.as_ref().is_some_and(|face| face.has(read)));
        let mut by_room: HashMap<Nid, Vec<Arc<EventRow>>> = HashMap::new();
        for part in faced {
            let newest = part.face.iter().flat_map(|face| &face.newest).take(read);
            let newest = newest.filter(|row| row.ord.is_some_and(|ord| ord > part.after));
            by_room.insert(part.my.room, newest.cloned().collect());
        }
        let asker = self.asker();
        own_transactions(&mut self.snapshot, asker, by_room.values_mut().flatten()).await?;
        let windows: Vec<_> = others.iter().map(|part| (part.my.room, part.after, part.until)).collect();
        for row in events::newest_of_each(&mut self.snapshot, asker, &windows, read as i64).await? {
            by_room.entry(row.room).or_default().push(row);
        }
        let mut rooms = HashMap::new();
        for part in &plan.parts {
            let rows = by_room.remove(&part.my.room).unwrap_or_default();
            rooms.insert(part.my.room, self.timeline(part, rows, limit, read));
        }
        Ok(rooms)
    }

    /// Cuts a room's newest events, newest first, to what is told.
    fn timeline(&self, part: &Part, rows: Vec<Arc<EventRow>>, limit: usize, read: usize) -> RoomEvents {
        let filter = &self.request.filter.room.timeline;
        let viewer = self.viewer(part);
        let full = rows.len() >= read;
        let oldest = rows.last().and_then(|row| row.ord);
        let related = related(rows.iter().map(|row| &**row));
        let mut timeline = Vec::new();
        let mut limited = full;
        for row in rows {
            let Some(event) = viewer.see(row).filter(|event| admits(filter, event.row())) else { continue };
            if timeline.len() == limit {
                limited = true;
                break;
            }
            timeline.push(event);
        }
        timeline.reverse();
        let first = timeline.first().and_then(|event| event.row().ord);
        let start = match (first, limited) {
            (Some(ord), true) => ord - 1,
            // Nothing was left out: the timeline joins what the client knows.
            (_, false) if part.after > i64::MIN => part.after,
            (Some(ord), false) => ord - 1,
            (None, _) => oldest.map_or(part.until, |ord| ord - 1),
        };
        RoomEvents { timeline, limited, start, state: Vec::new(), summary: None, related }
    }

    /// Tells with events of the timelines what relates to them; asks nothing where nothing does.
    pub(super) async fn relations(
        &mut self,
        plan: &Plan,
        rooms: &mut HashMap<Nid, RoomEvents>,
    ) -> Result<()> {
        let asker = self.asker();
        let parts: HashMap<Nid, &Part> = plan.parts.iter().map(|part| (part.my.room, part)).collect();
        let mut told = Vec::new();
        for (room, RoomEvents { timeline, related, .. }) in rooms {
            let Some(part) = parts.get(room).filter(|_| !related.is_empty()) else { continue };
            let viewer = Viewer {
                reader: self.requester.user,
                visibility: &part.visibility,
                ignored: &self.ignored,
                room_id: None,
                now: self.now,
            };
            let events = timeline.iter_mut().filter(|event| related.contains(&event.row().event_id));
            told.push(OfRoom { viewer, room: *room, events: events.collect() });
        }
        self.flows.bundle(&mut self.snapshot, asker, &mut told).await
    }

    /// Counts members again where somebody may have come or gone.
    pub(super) async fn summaries(
        &mut self,
        plan: &Plan,
        rooms: &mut HashMap<Nid, RoomEvents>,
    ) -> Result<()> {
        let may_have_changed = |part: &&Part| {
            let told = rooms.get(&part.my.room);
            let in_timeline = |event: &VisibleEvent| event.row().kind == "m.room.member";
            part.fresh || told.is_some_and(|told| told.limited || told.timeline.iter().any(in_timeline))
        };
        let joined = plan.parts.iter().filter(|part| !part.left);
        let changed: Vec<&Part> = joined.filter(may_have_changed).collect();
        let unknown: Vec<Nid> =
            changed.iter().filter(|part| part.face.is_none()).map(|part| part.my.room).collect();
        let read = members::rosters(&mut self.snapshot, &unknown).await?;
        for part in changed {
            let room = part.my.room;
            let roster = part.face.as_ref().map(|face| &face.roster).or_else(|| read.get(&room));
            if let (Some(told), Some(roster)) = (rooms.get_mut(&room), roster) {
                told.summary = Some(Summary {
                    joined: roster.joined,
                    invited: roster.invited,
                    heroes: roster.heroes(self.user()).cloned().collect(),
                });
            }
        }
        Ok(())
    }

    /// Shows the redactions of redacted events, as far as the reader may see them.
    pub(super) async fn redactions(
        &mut self,
        plan: &Plan,
        rooms: &mut HashMap<Nid, RoomEvents>,
    ) -> Result<()> {
        let redacted = |room: &RoomEvents| {
            let events = room.timeline.iter().chain(&room.state);
            events.filter_map(|event| event.row().redacted_by).collect::<Vec<_>>()
        };
        let wanted: Vec<Nid> = rooms.values().flat_map(redacted).collect();
        let asker = self.asker();
        let mut found: HashMap<Nid, Vec<Arc<EventRow>>> = HashMap::new();
        for row in events::by_nids(&mut self.snapshot, asker, &wanted).await? {
            found.entry(row.room).or_default().push(row);
        }
        for part in &plan.parts {
            let (Some(rows), Some(room)) = (found.remove(&part.my.room), rooms.get_mut(&part.my.room)) else {
                continue;
            };
            let viewer = self.viewer(part);
            let shown = rows.into_iter().filter_map(|row| Some((row.event, viewer.see(row)?)));
            let redactions: HashMap<Nid, VisibleEvent> = shown.collect();
            VisibleEvent::explain_redactions(&mut room.timeline, &redactions);
            VisibleEvent::explain_redactions(&mut room.state, &redactions);
        }
        Ok(())
    }
}
