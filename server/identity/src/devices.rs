//! Devices: what people see of their sessions, rename and remove.

use crate::Identity;
use crate::sessions::device_name;
use kontor_model::{Error, Requester, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::identity::devices;
pub use kontor_store::identity::devices::DeviceRow;

impl Identity {
    /// The requester's devices.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn devices(&self, requester: &Requester) -> Result<Vec<DeviceRow>> {
        devices::of_user(&mut self.store.reader(), requester.user).await
    }

    /// One of the requester's devices.
    ///
    /// # Errors
    /// `NotFound` when there is none of that id.
    pub async fn device(&self, requester: &Requester, device_id: &str) -> Result<DeviceRow> {
        let device = match storable(device_id) {
            true => devices::by_id(&mut self.store.reader(), requester.user, device_id).await?,
            false => None,
        };
        device.ok_or_else(no_device)
    }

    /// Renames a device. Submitting ends in `Conflict` when it went meanwhile.
    ///
    /// # Errors
    /// `NotFound` when there is none of that id; `InvalidParam` for a name that is too long.
    pub async fn rename_device(
        &self,
        requester: &Requester,
        device_id: &str,
        display_name: Option<&str>,
    ) -> Result<Change> {
        display_name.map_or(Ok(()), device_name)?;
        self.device(requester, device_id).await?;
        let mut change = Change::default();
        change.rename_device(requester.user, device_id, display_name);
        Ok(change)
    }

    /// Removes devices of the requester and ends their sessions. Ids that name none are passed over.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn remove_devices(
        &self,
        requester: &Requester,
        device_ids: &[String],
        actor: Actor,
    ) -> Result<Change> {
        let now = self.now();
        let mine = self.devices(requester).await?;
        let known = |id: &String| mine.iter().any(|device| device.device_id == *id);
        let mut ids: Vec<_> = device_ids.iter().filter(|id| known(id)).cloned().collect();
        ids.sort_unstable();
        ids.dedup();
        let mut change = Change::default();
        if ids.is_empty() {
            return Ok(change);
        }
        change.remove_devices(requester.user, &ids, now, "device_removed");
        for id in ids {
            let audit = Audit::done(Action::AuthDeviceRemove, actor.clone(), now).on("device", id);
            change.audit(self.store.nid().await?, audit);
        }
        Ok(change)
    }
}

/// Whether a text could be in the archive at all.
fn storable(device_id: &str) -> bool {
    !device_id.is_empty() && device_id.len() <= 255 && !device_id.contains('\0')
}

fn no_device() -> Error {
    Error::not_found("You have no device of that id.")
}
