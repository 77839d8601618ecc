//! The only form in which an event may leave to another server, or to a client that asks for it.
//!
//! A [`FederationEvent`] is made here alone, from what the archive has: skeleton and body, or the
//! skeleton without the body where that is withheld or was destroyed. A skeleton is the event as
//! redaction leaves it, so its signatures hold.

use crate::view::VisibleEvent;
use kontor_model::pdu::Parts;
use kontor_model::{Error, Nid, Result, RoomVersion, SignedPdu};
use kontor_store::Source;
use kontor_store::rooms::chain_reads::{self, WholeRow};
use ruma::{CanonicalJsonObject, EventId, OwnedEventId};
use serde::{Serialize, Serializer};
use std::collections::{HashMap, HashSet};

/// An event that another server may be sent.
#[derive(Clone, Debug)]
pub struct FederationEvent {
    object: CanonicalJsonObject,
}

impl Serialize for FederationEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.object.serialize(serializer)
    }
}

impl FederationEvent {
    /// Events of a room in the given order; those that the archive has and that were not rejected.
    /// Of the `withheld` ones (expired content, visibility) only the skeleton goes out.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn read<S: Source>(
        source: &mut S,
        room: Nid,
        version: &RoomVersion,
        ids: &[OwnedEventId],
        withheld: &HashSet<OwnedEventId>,
    ) -> Result<Vec<Self>> {
        let texts: Vec<_> = ids.iter().map(|id| id.as_str()).collect();
        let mut rows = chain_reads::whole(source, &texts).await?;
        rows.retain(|row| row.room == room);
        let mut events = Vec::new();
        for id in ids {
            if let Some(row) = rows.iter().find(|row| row.event_id == *id.as_str()) {
                events.push(Self::new(row, withheld.contains(id), version)?);
            }
        }
        Ok(events)
    }

    /// Events that a reader may see, by numeric id, for readers who ask for them in this form.
    /// `versions` are those of their rooms.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn of_visible<S: Source>(
        source: &mut S,
        events: &[&VisibleEvent],
        versions: &HashMap<Nid, RoomVersion>,
    ) -> Result<HashMap<Nid, Self>> {
        let by_id: HashMap<&str, &VisibleEvent> =
            events.iter().map(|event| (event.row().event_id.as_str(), *event)).collect();
        let texts: Vec<&str> = by_id.keys().copied().collect();
        let mut found = HashMap::new();
        for row in chain_reads::whole(source, &texts).await? {
            if let (Some(event), Some(version)) = (by_id.get(row.event_id.as_str()), versions.get(&row.room))
            {
                found.insert(event.row().event, Self::new(&row, event.is_hollow(), version)?);
            }
        }
        Ok(found)
    }

    fn new(row: &WholeRow, withheld: bool, version: &RoomVersion) -> Result<Self> {
        let id = EventId::parse(&row.event_id).map_err(Error::internal)?;
        let body = row.body.as_ref().filter(|_| !withheld && !row.redacted);
        let Some((content, extra)) = body else {
            let object = serde_json::from_str(&row.skeleton).map_err(Error::internal)?;
            return Ok(Self { object });
        };
        let parts = Parts { skeleton: row.skeleton.clone(), content: content.clone(), extra: extra.clone() };
        Ok(Self { object: SignedPdu::from_parts(id, &parts, version)?.object })
    }
}
