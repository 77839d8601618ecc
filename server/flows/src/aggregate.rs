//! What relates to events, told with them (client-server API, "Aggregations of child events"):
//! edits, threads and references.
//!
//! One statement asks for all events of an answer; nothing more is read when nothing relates to
//! them. Whoever gives out events calls [`Flows::bundle`] last, with the viewer that made them
//! visible: a related event passes the same door, and those that the reader may not see are not
//! counted either.

use crate::Flows;
use kontor_model::{Nid, Result};
use kontor_rooms::view::{Bundle, Thread};
use kontor_rooms::{Viewer, VisibleEvent};
use kontor_store::Source;
use kontor_store::rooms::events::{self, Asker, EventRow};
use kontor_store::rooms::relations::{self, Children, Seen};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Events of one room that an answer tells, with the viewer that made them visible.
pub(crate) struct OfRoom<'a> {
    /// The reader's view of the room; all of one answer are of one reader.
    pub viewer: Viewer<'a>,
    /// The room.
    pub room: Nid,
    /// The events, or those of them to which anything can relate.
    pub events: Vec<&'a mut VisibleEvent>,
}

/// What is told with the events that it relates to; reactions are not.
const TOLD: [&str; 3] = ["m.thread", "m.replace", "m.reference"];

/// Ids of the events to which some of these relate: what relates to an event comes after it, so that
/// in a part of a room that was read up to its end nothing else can have relations.
pub(crate) fn related<'a>(rows: impl IntoIterator<Item = &'a EventRow>) -> HashSet<String> {
    let told = |row: &'a EventRow| row.relates_to.as_ref().filter(|(_, how)| TOLD.contains(&how.as_str()));
    rows.into_iter().filter_map(told).map(|(id, _)| id.clone()).collect()
}

/// Everything that was read of relations.
#[derive(Default)]
struct Found {
    by_parent: HashMap<Nid, Vec<Children>>,
    rows: HashMap<Nid, Arc<EventRow>>,
}

impl Flows {
    /// Tells with events what relates to them.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub(crate) async fn bundle<S: Source>(
        &self,
        source: &mut S,
        asker: Asker<'_>,
        rooms: &mut [OfRoom<'_>],
    ) -> Result<()> {
        let parents: Vec<Nid> = rooms
            .iter()
            .flat_map(|room| &room.events)
            .filter(|event| event.row().state_key.is_none())
            .map(|event| event.row().event)
            .collect();
        if parents.is_empty() {
            return Ok(());
        }
        let ignored: HashSet<_> = rooms.iter().flat_map(|room| room.viewer.ignored).collect();
        let ignored = self.nids_of(ignored).await?;
        let ranges: Vec<_> = rooms.iter().flat_map(ranges).collect();
        let seen = Seen { user: asker.user, ignored: &ignored, ranges: &ranges };
        let mut found = Found::default();
        let children = relations::children(source, seen, &parents).await?;
        if children.is_empty() {
            return Ok(());
        }
        found.read(source, asker, children).await?;
        // The newest event of a thread is told with its own edit.
        let latest = found.latest();
        if !latest.is_empty() {
            let children = relations::children(source, seen, &latest).await?;
            found.read(source, asker, children).await?;
        }
        for room in rooms {
            for event in &mut room.events {
                let bundle = found.of(&room.viewer, event.row(), true);
                event.bundle(bundle);
            }
        }
        Ok(())
    }
}

fn ranges(room: &OfRoom<'_>) -> Vec<(Nid, i64, i64)> {
    room.viewer.visibility.ranges().into_iter().map(|(after, until)| (room.room, after, until)).collect()
}

/// Whether an edit says what it changes the event into. What is encrypted says it inside.
fn has_new_content(edit: &EventRow) -> bool {
    #[derive(serde::Deserialize)]
    struct Edit {
        #[serde(rename = "m.new_content")]
        _new_content: HashMap<String, serde::de::IgnoredAny>,
    }
    edit.kind == "m.room.encrypted" || serde_json::from_str::<Edit>(edit.content.get()).is_ok()
}

impl Found {
    async fn read<S: Source>(
        &mut self,
        source: &mut S,
        asker: Asker<'_>,
        children: Vec<Children>,
    ) -> Result<()> {
        let shown = children.iter().filter(|children| children.rel_type != "m.reference");
        let nids: Vec<Nid> = shown.flat_map(|children| &children.newest).map(|(nid, _)| *nid).collect();
        if !nids.is_empty() {
            let rows = events::by_nids(source, asker, &nids).await?;
            self.rows.extend(rows.into_iter().map(|row| (row.event, row)));
        }
        for children in children {
            self.by_parent.entry(children.parent).or_default().push(children);
        }
        Ok(())
    }

    fn latest(&self) -> Vec<Nid> {
        let threads = self.by_parent.values().flatten().filter(|children| children.rel_type == "m.thread");
        threads.flat_map(|thread| &thread.newest).map(|(nid, _)| *nid).collect()
    }

    fn of(&self, viewer: &Viewer<'_>, parent: &EventRow, with_thread: bool) -> Bundle {
        let mut bundle = Bundle::default();
        let relates = parent.relates_to.as_ref().map(|(_, how)| how.as_str());
        for children in self.by_parent.get(&parent.event).into_iter().flatten() {
            match children.rel_type.as_str() {
                // An event that relates to another one can be no thread's root, and an edit is not
                // edited itself.
                "m.thread" if with_thread && relates.is_none() => {
                    bundle.thread = self.thread(viewer, parent, children);
                }
                "m.replace" if relates != Some("m.replace") && parent.redacted_by.is_none() => {
                    bundle.replace = self.edit(viewer, children);
                }
                "m.reference" => {
                    bundle.references = children.newest.iter().rev().map(|(_, id)| id.clone()).collect();
                }
                _ => {}
            }
        }
        bundle
    }

    fn thread(&self, viewer: &Viewer<'_>, root: &EventRow, children: &Children) -> Option<Thread> {
        let row = children.newest.first().and_then(|(nid, _)| self.rows.get(nid))?;
        let mut latest = viewer.see(Arc::clone(row))?;
        latest.bundle(self.of(viewer, row, false));
        let participated = children.own || root.sender_nid == viewer.reader;
        Some(Thread { latest, count: children.total, participated })
    }

    fn edit(&self, viewer: &Viewer<'_>, children: &Children) -> Option<VisibleEvent> {
        let rows = children.newest.iter().filter_map(|(nid, _)| self.rows.get(nid));
        let newest = rows
            .filter(|row| row.redacted_by.is_none() && has_new_content(row))
            .max_by(|a, b| (a.origin_ts, &a.event_id).cmp(&(b.origin_ts, &b.event_id)))?;
        viewer.see(Arc::clone(newest)).filter(|edit| !edit.is_hollow())
    }
}
