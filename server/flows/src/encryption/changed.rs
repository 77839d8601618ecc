//! Writing changes of somebody's devices or keys, and telling those who share a room with them.

use crate::Flows;
use kontor_model::{Nid, Result};
use kontor_store::identity::device_lists;
use kontor_store::{Change, Committed};

impl Flows {
    /// Submits a change of a user's devices or keys that others see (it notes
    /// `Change::device_list_changed` itself) and wakes everybody who shares a room with the user.
    ///
    /// # Errors
    /// As [`kontor_store::Store::submit`].
    pub async fn submit_devices(&self, user: Nid, mut change: Change) -> Result<Committed> {
        let rooms = device_lists::rooms_of(&mut self.store.reader(), user).await?;
        let read = rooms.iter().map(|(_, pos)| *pos).max().unwrap_or_default();
        change.tell_rooms_of_devices(user, rooms.iter().map(|(room, _)| *room));
        let committed = self.store.submit(change).await?;
        // A room that the user came into meanwhile was told of the user, but before the change.
        let rooms = device_lists::rooms_of(&mut self.store.reader(), user).await?;
        let missed: Vec<Nid> = rooms.iter().filter(|(_, pos)| *pos > read).map(|(room, _)| *room).collect();
        if !missed.is_empty() {
            let mut change = Change::default();
            change.device_list_changed(user);
            change.tell_rooms_of_devices(user, missed);
            self.store.submit(change).await?;
        }
        Ok(committed)
    }
}
