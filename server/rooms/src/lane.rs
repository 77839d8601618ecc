//! Lanes: inside a process each room has one, and whoever holds it adds the next event to the
//! room as it will stand, without waiting for the events before to reach the disk.
//!
//! Between processes the revision decides. When a change is refused, everything that was built on
//! it is refused as well, and the lane is read anew from the archive.

use crate::head::Head;
use kontor_model::{Error, Result};
use kontor_store::Store;
use ruma::{OwnedRoomId, RoomId};
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// State entries of all rooms kept in memory together; about 700 bytes each.
const MAX_ENTRIES: u64 = 40_000;

/// What a lane holds.
#[derive(Default)]
pub struct Track {
    head: Option<Head>,
    /// Counts readings of the archive: a refusal concerns only changes of its own reading.
    generation: u64,
}

/// The lanes of all rooms that are in use.
pub struct Lanes {
    store: Store,
    tracks: moka::sync::Cache<OwnedRoomId, Arc<Mutex<Track>>>,
    heads: moka::sync::Cache<OwnedRoomId, u32>,
}

/// A room held by one writer.
pub struct Lane {
    track: OwnedMutexGuard<Track>,
}

impl Lanes {
    /// Empty lanes.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            tracks: moka::sync::Cache::new(MAX_ENTRIES),
            heads: moka::sync::Cache::builder()
                .max_capacity(MAX_ENTRIES)
                .weigher(|_, entries: &u32| *entries)
                .build(),
        }
    }

    /// Waits for the room's turn and reads where it stands, if that is not known.
    ///
    /// # Errors
    /// `NotFound` when the server does not know the room.
    pub async fn hold(&self, room_id: &RoomId) -> Result<Lane> {
        let track = self.tracks.get_with_by_ref(room_id, Arc::default);
        let mut track = track.lock_owned().await;
        // The weighed cache decides which rooms stay in memory; it forgets the others.
        if track.head.is_some() && self.heads.get(room_id).is_none() {
            track.head = None;
        }
        if track.head.is_none() {
            let mut snapshot = self.store.snapshot().await?;
            let head = Head::load(&mut snapshot, room_id).await?;
            let head = head.ok_or_else(|| Error::not_found("There is no such room."))?;
            self.heads.insert(room_id.to_owned(), weight(&head));
            track.head = Some(head);
            track.generation += 1;
        }
        Ok(Lane { track })
    }

    /// Where a room stands right now, including what is on its way to the disk. For decisions only:
    /// what a client is shown is read from the archive.
    ///
    /// # Errors
    /// As [`Lanes::hold`].
    pub async fn peek(&self, room_id: &RoomId) -> Result<Head> {
        let lane = self.hold(room_id).await?;
        Ok(lane.head()?.clone())
    }

    /// Puts a new room's head in, after its creation was committed.
    pub async fn insert(&self, head: Head) {
        let track = self.tracks.get_with_by_ref(&head.room_id, Arc::default);
        self.heads.insert(head.room_id.clone(), weight(&head));
        let mut track = track.lock_owned().await;
        track.head = Some(head);
        track.generation += 1;
    }

    /// Forgets where the room stands because a change of this generation was refused.
    pub async fn lost(&self, room_id: &RoomId, generation: u64) {
        let Some(track) = self.tracks.get(room_id) else { return };
        let mut track = track.lock_owned().await;
        if track.generation == generation {
            track.head = None;
        }
    }
}

fn weight(head: &Head) -> u32 {
    u32::try_from(head.state.len()).unwrap_or(u32::MAX)
}

impl Lane {
    /// Where the room stands.
    ///
    /// # Errors
    /// `Internal` when the lane is empty, which would be a defect.
    pub fn head(&self) -> Result<&Head> {
        self.track.head.as_ref().ok_or_else(|| Error::internal("a held lane without a head"))
    }

    /// Which reading of the archive the head stands on.
    pub fn generation(&self) -> u64 {
        self.track.generation
    }

    /// Moves the room on; call only after the change was queued.
    pub fn advance(&mut self, head: Head) {
        self.track.head = Some(head);
    }
}
