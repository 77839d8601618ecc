//! The archive of a room, as the event pipeline reads it.

use crate::receive::archive::{Archive, Awaited, Found, Known, Remembered};
use async_trait::async_trait;
use kontor_model::{Code, Error, Nid, Pdu, Result, RoomVersion};
use kontor_store::rooms::chain_reads::{self, ChainRow};
use kontor_store::rooms::snapshots::{self, Layer};
use kontor_store::rooms::state;
use kontor_store::{Store, log::Topic};
use ruma::{EventId, OwnedEventId};
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

/// How long events on their way to the disk are waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// State events remembered of all rooms together; 8 bytes each.
const MAX_REMEMBERED: u64 = 2_000_000;

/// States at the ends of rooms that have several, of all rooms of the process. They never change.
#[derive(Clone)]
pub struct StateCache(moka::sync::Cache<Nid, Arc<Remembered>>);

impl Default for StateCache {
    fn default() -> Self {
        let weight = |state: &Arc<Remembered>| u32::try_from(state.events.len()).unwrap_or(u32::MAX);
        let cache = moka::sync::Cache::builder().max_capacity(MAX_REMEMBERED);
        Self(cache.weigher(move |_, state: &Arc<Remembered>| weight(state)).build())
    }
}

/// One room in the store.
pub struct StoreArchive {
    store: Store,
    states: StateCache,
    room: Nid,
    version: RoomVersion,
}

impl StoreArchive {
    /// Opens a room once everything that its head stands on has reached the disk. Hold the room's
    /// lane meanwhile, or it may move on.
    ///
    /// # Errors
    /// `Conflict` when the head is not where the room is: another process was quicker, or an event
    /// before it was refused. `Unavailable` when the database is gone.
    pub async fn open(store: &Store, states: &StateCache, head: &crate::Head) -> Result<Self> {
        let waiter = store.log().wait_for([Topic::Room(head.room)]);
        let reached = async {
            loop {
                if chain_reads::revision(&mut store.reader(), head.room).await? == Some(head.revision) {
                    return Ok::<_, Error>(());
                }
                waiter.woken().await;
            }
        };
        match tokio::time::timeout(PATIENCE, reached).await {
            Ok(reached) => reached?,
            Err(_) => return Err(Error::new(Code::Conflict, "The room moved on. Try again.")),
        }
        let (store, states) = (store.clone(), states.clone());
        Ok(Self { store, states, room: head.room, version: head.version.clone() })
    }

    fn known(&self, row: ChainRow) -> Result<Arc<Known>> {
        let id = EventId::parse(&row.event_id).map_err(Error::internal)?;
        let mut pdu = Pdu::from_skeleton(id, &row.skeleton, &self.version)?;
        pdu.rejected = row.rejected;
        if let Some(content) = row.content {
            pdu.content = RawValue::from_string(content).map_err(Error::internal)?;
        }
        Ok(Arc::new(Known {
            nid: row.event,
            key: row.state_key,
            pdu: Arc::new(pdu),
            ord: row.ord,
            snapshot: row.snapshot,
            soft_failed: row.soft_failed,
            redacted: row.redacted_by.is_some(),
        }))
    }
}

#[async_trait]
impl Archive for StoreArchive {
    async fn by_ids(&self, ids: &[OwnedEventId]) -> Result<Found> {
        let ids: Vec<_> = ids.iter().map(|id| id.as_str()).collect();
        let mut found = Found::default();
        for row in chain_reads::by_ids(&mut self.store.reader(), &ids).await? {
            if row.room == self.room {
                found.known.push(self.known(row)?);
            } else {
                found.elsewhere.push(EventId::parse(&row.event_id).map_err(Error::internal)?);
            }
        }
        Ok(found)
    }

    async fn by_nids(&self, nids: &[Nid]) -> Result<Vec<Arc<Known>>> {
        let rows = chain_reads::by_nids(&mut self.store.reader(), nids).await?;
        rows.into_iter().map(|row| self.known(row)).collect()
    }

    async fn state_at(&self, ord: i64) -> Result<Vec<Nid>> {
        state::at(&mut self.store.reader(), &[(self.room, ord)], false).await
    }

    async fn layers(&self, snapshot: Nid) -> Result<Vec<Layer>> {
        snapshots::layers(&mut self.store.reader(), snapshot).await
    }

    async fn awaited(&self, ids: &[OwnedEventId]) -> Result<Vec<Awaited>> {
        let ids: Vec<_> = ids.iter().map(|id| id.as_str()).collect();
        let rows = chain_reads::awaited(&mut self.store.reader(), self.room, &ids).await?;
        let read = |row: chain_reads::AwaitedRow| {
            let event_id = EventId::parse(&row.event_id).map_err(Error::internal)?;
            Ok(Awaited { event_id, why: row.why, by: row.by })
        };
        rows.into_iter().map(read).collect()
    }

    async fn nid(&self) -> Result<Nid> {
        self.store.nid().await
    }

    async fn name(&self, text: &str) -> Result<Nid> {
        self.store.name(text).await
    }

    fn remembered(&self, after: Nid) -> Option<Arc<Remembered>> {
        self.states.0.get(&after)
    }

    fn remember(&self, after: Nid, state: Remembered) {
        self.states.0.insert(after, Arc::new(state));
    }
}
