//! The newest events of the rooms of an answer, as their reader may see them.

use super::plan::{Part, Plan};
use crate::aggregate::{OfRoom, related};
use crate::sync::Reading;
use kontor_model::{Nid, Result};
use kontor_rooms::{Viewer, VisibleEvent};
use kontor_store::rooms::events::{self, EventRow};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// Numbers of events that are read with one statement each. Rooms with other limits are read with
/// the next larger one.
const STEPS: [u64; 3] = [5, 25, 101];

/// The timeline of one room.
#[derive(Default)]
pub(super) struct Timeline {
    /// Oldest first.
    pub events: Vec<VisibleEvent>,
    /// Whether older events were left out.
    pub limited: bool,
    /// Place before the first event.
    pub start: i64,
    /// Ids of the events to which newer ones relate.
    related: HashSet<String>,
}

/// A viewer of one room; it borrows nothing but what it looks at.
pub(super) fn viewer<'v>(reading: &'v Reading<'_>, part: &'v Part) -> Viewer<'v> {
    Viewer {
        reader: reading.requester.user,
        visibility: &part.visibility,
        ignored: &reading.ignored,
        room_id: None,
        now: reading.now,
    }
}

/// Timelines of all rooms of a plan.
pub(super) async fn read(reading: &mut Reading<'_>, plan: &Plan) -> Result<HashMap<Nid, Timeline>> {
    let mut by_step: BTreeMap<u64, Vec<(Nid, i64, i64)>> = BTreeMap::new();
    for part in &plan.parts {
        if part.wanted.limit > 0 && (part.has_news() || part.expanded) {
            let step = STEPS.into_iter().find(|step| *step > part.wanted.limit).unwrap_or(u64::MAX);
            by_step.entry(step).or_default().push((part.entry.room, part.after(), part.until));
        }
    }
    let asker = reading.asker();
    let mut rows: HashMap<Nid, Vec<Arc<EventRow>>> = HashMap::new();
    for (_, windows) in by_step {
        let rooms: HashSet<Nid> = windows.iter().map(|window| window.0).collect();
        let of_step = plan.parts.iter().filter(|part| rooms.contains(&part.entry.room));
        let most = of_step.map(|part| part.wanted.limit).max().unwrap_or_default() + 1;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        for row in events::newest_of_each(&mut reading.snapshot, asker, &windows, most).await? {
            rows.entry(row.room).or_default().push(row);
        }
    }
    let mut timelines = HashMap::new();
    for part in &plan.parts {
        let rows = rows.remove(&part.entry.room).unwrap_or_default();
        timelines.insert(part.entry.room, cut(&viewer(reading, part), part, rows));
    }
    Ok(timelines)
}

/// Cuts a room's newest events, newest first, to what is told.
fn cut(viewer: &Viewer<'_>, part: &Part, rows: Vec<Arc<EventRow>>) -> Timeline {
    let limit = usize::try_from(part.wanted.limit).unwrap_or(usize::MAX);
    if limit == 0 {
        return Timeline { limited: part.has_news(), start: part.until, ..Timeline::default() };
    }
    let related = related(rows.iter().map(|row| &**row));
    let oldest = rows.last().and_then(|row| row.ord);
    let mut limited = rows.len() > limit;
    let mut told = Vec::new();
    for row in rows {
        let Some(event) = viewer.see(row) else { continue };
        if told.len() == limit {
            limited = true;
            break;
        }
        told.push(event);
    }
    told.reverse();
    let first = told.first().and_then(|event| event.row().ord);
    let start = match (first, limited) {
        (Some(ord), true) => ord - 1,
        // Nothing was left out: the timeline joins what the client knows.
        (_, false) if part.after() > i64::MIN => part.after(),
        (Some(ord), false) => ord - 1,
        (None, _) => oldest.map_or(part.until, |ord| ord - 1),
    };
    Timeline { events: told, limited, start, related }
}

/// Shows the redactions of redacted events, and tells with events what relates to them.
pub(super) async fn explain(
    reading: &mut Reading<'_>,
    plan: &Plan,
    timelines: &mut HashMap<Nid, Timeline>,
    states: &mut HashMap<Nid, Vec<VisibleEvent>>,
) -> Result<()> {
    let asker = reading.asker();
    let told = timelines.values().flat_map(|timeline| &timeline.events).chain(states.values().flatten());
    let wanted: Vec<Nid> = told.filter_map(|event| event.row().redacted_by).collect();
    let mut found: HashMap<Nid, Vec<Arc<EventRow>>> = HashMap::new();
    for row in events::by_nids(&mut reading.snapshot, asker, &wanted).await? {
        found.entry(row.room).or_default().push(row);
    }
    for part in &plan.parts {
        let Some(rows) = found.remove(&part.entry.room) else { continue };
        let viewer = viewer(reading, part);
        let shown = rows.into_iter().filter_map(|row| Some((row.event, viewer.see(row)?)));
        let redactions: HashMap<Nid, VisibleEvent> = shown.collect();
        if let Some(timeline) = timelines.get_mut(&part.entry.room) {
            VisibleEvent::explain_redactions(&mut timeline.events, &redactions);
        }
        if let Some(state) = states.get_mut(&part.entry.room) {
            VisibleEvent::explain_redactions(state, &redactions);
        }
    }
    let parts: HashMap<Nid, &Part> = plan.parts.iter().map(|part| (part.entry.room, part)).collect();
    let mut rooms = Vec::new();
    let (requester, ignored, now) = (reading.requester, &reading.ignored, reading.now);
    for (room, Timeline { events, related, .. }) in timelines {
        let Some(part) = parts.get(room).filter(|_| !related.is_empty()) else { continue };
        let viewer =
            Viewer { reader: requester.user, visibility: &part.visibility, ignored, room_id: None, now };
        let events = events.iter_mut().filter(|event| related.contains(&event.row().event_id));
        rooms.push(OfRoom { viewer, room: *room, events: events.collect() });
    }
    reading.flows.bundle(&mut reading.snapshot, asker, &mut rooms).await
}
