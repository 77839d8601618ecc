//! Events in the form in which other servers are sent them, for clients whose filter asks for it
//! (`event_format`). Only what the reader was found to see is read.

use super::Reading;
use super::plan::Plan;
use super::timeline::RoomEvents;
use kontor_model::filter::EventFormat;
use kontor_model::{Nid, Result, RoomVersion};
use kontor_rooms::federation::FederationEvent;
use std::collections::HashMap;

impl Reading<'_> {
    /// The events of the timelines and states by numeric id; `None` where clients want their own
    /// form.
    pub(super) async fn raw(
        &mut self,
        plan: &Plan,
        rooms: &HashMap<Nid, RoomEvents>,
    ) -> Result<Option<HashMap<Nid, FederationEvent>>> {
        if self.request.filter.event_format == EventFormat::Client {
            return Ok(None);
        }
        let mut events = Vec::new();
        let mut versions: HashMap<Nid, RoomVersion> = HashMap::new();
        for part in &plan.parts {
            versions.insert(part.my.room, RoomVersion::parse(&part.my.version)?);
            let told = rooms.get(&part.my.room);
            events.extend(told.iter().flat_map(|told| told.timeline.iter().chain(&told.state)));
        }
        FederationEvent::of_visible(&mut self.snapshot, &events, &versions).await.map(Some)
    }
}
