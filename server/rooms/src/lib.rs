//! The department of rooms: builds, authorises, resolves, persists and reads events.
//!
//! Knows Matrix rooms and nothing of accounts, devices, push rules, media or contacts: what it needs
//! of them it is given (a [`chain::Judge`], a user's numeric id). It never commits: it returns
//! changes, and whoever called submits them.

pub mod alias;
pub mod archive;
pub mod audited;
pub mod card;
pub mod chain;
mod content;
pub mod create;
pub mod directory;
pub mod federation;
pub mod head;
pub mod join;
pub mod lane;
pub mod member;
pub mod powers;
pub mod presets;
pub mod receipts;
pub mod receive;
pub mod redaction;
pub mod resolve;
pub mod search;
pub mod service_view;
pub mod snapshot;
pub mod space;
pub mod typing;
pub mod upgrade;
pub mod view;
pub mod visibility;
#[cfg(test)]
mod world;

pub use chain::{Accepted, Chain, EventNids, Judge, Signer};
pub use head::{Head, StateEntry, StateMap};
pub use lane::{Lane, Lanes};
pub use powers::{Act, Powers};
pub use view::{StrippedEvent, Viewer, VisibleEvent};
pub use visibility::Visibility;

use kontor_model::{Clock, Draft, Random, Result};
use kontor_store::Store;
use std::sync::Arc;

/// The department.
pub struct Rooms {
    /// One lane per room.
    pub lanes: Lanes,
    /// Who signs this server's events.
    pub signer: Signer,
    /// Who is typing.
    pub typing: Arc<typing::Typing>,
    /// Which rooms the room directory shows.
    pub directory: directory::Directory,
    /// Trees of spaces that were walked lately.
    pub walks: space::Walks,
    /// States at the ends of rooms that forked.
    states: archive::StateCache,
    store: Store,
}

impl Rooms {
    /// Opens the department.
    pub fn new(store: Store, clock: Arc<dyn Clock>, random: &dyn Random, signer: Signer) -> Self {
        let typing = Arc::new(typing::Typing::new(clock, random));
        let states = archive::StateCache::default();
        let (directory, walks) = Default::default();
        Self { lanes: Lanes::new(store.clone()), typing, directory, walks, signer, states, store }
    }

    /// The archive of a room, for receiving events of other servers into it.
    ///
    /// # Errors
    /// As [`archive::StoreArchive::open`].
    pub async fn archive(&self, head: &Head) -> Result<archive::StoreArchive> {
        archive::StoreArchive::open(&self.store, &self.states, head).await
    }

    /// Reserves the numeric ids that an event needs.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn nids(&self, draft: &Draft) -> Result<EventNids> {
        let state_key = match &draft.state_key {
            Some(key) => {
                kontor_model::ids::storable_key(key, "state key")?;
                Some(self.store.name(key).await?)
            }
            None => None,
        };
        Ok(EventNids {
            event: self.store.nid().await?,
            sender: self.store.name(draft.sender.as_str()).await?,
            state_key,
        })
    }
}
