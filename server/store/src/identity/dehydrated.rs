//! Dehydrated devices (MSC3814): one per user, a row of `device` without a session. Its public keys
//! and its inbox are those of any device.

use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::Value;
use kontor_model::{Ms, Nid, Result};

/// A dehydrated device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DehydratedRow {
    /// Its id.
    pub device_id: String,
    /// Its private keys, a JSON object that only the owner's clients can read.
    pub device_data: String,
}

/// A user's dehydrated device.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_user<S: Source>(source: &mut S, user: Nid) -> Result<Option<DehydratedRow>> {
    let sql = "SELECT device_id, device_data FROM dehydrated_device WHERE user_nid = $1";
    let row = source.first(sql, vec![user.into()]).await?;
    row.map(|row| Ok(DehydratedRow { device_id: row.text(0)?, device_data: row.text(1)? })).transpose()
}

impl Change {
    /// Refuses the change with `Conflict` unless the user's dehydrated device is still the one that
    /// was read.
    pub fn expect_dehydrated(&mut self, user: Nid, found: Option<&DehydratedRow>) {
        match found {
            Some(found) => {
                let sql = "UPDATE dehydrated_device SET device_id = device_id \
                           WHERE user_nid = $1 AND device_id = $2";
                self.guard(sql, vec![user.into(), found.device_id.as_str().into()]);
            }
            None => {
                // The row is a place holder that the change's own row replaces.
                let sql = "INSERT INTO dehydrated_device (user_nid, device_id, device_data) \
                           VALUES ($1, '', '{}') ON CONFLICT DO NOTHING";
                self.guard(sql, vec![user.into()]);
            }
        }
    }

    /// Adds a dehydrated device, whose keys go with the same change. The one before it must be
    /// removed with [`Change::remove_dehydrated`].
    pub fn add_dehydrated(
        &mut self,
        user: Nid,
        device: &DehydratedRow,
        display_name: Option<&str>,
        created_ts: Ms,
    ) {
        let key: [Value; 2] = [user.into(), device.device_id.as_str().into()];
        let row = key.iter().cloned().chain([device.device_data.as_str().into()]);
        self.insert(Table::DehydratedDevice, row.collect());
        let row = key.into_iter().chain([display_name.into(), created_ts.into()]);
        self.insert(Table::Device, row.collect());
    }

    /// Removes a dehydrated device with its keys and its inbox.
    pub fn remove_dehydrated(&mut self, user: Nid, device_id: &str) {
        self.remove_device_keys(user, &[device_id.to_owned()]);
        let sql = "DELETE FROM device WHERE user_nid = $1 AND device_id = $2";
        self.run(sql, vec![user.into(), device_id.into()]);
        self.device_list_changed(user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stores;

    fn device(id: &str) -> DehydratedRow {
        DehydratedRow { device_id: id.to_owned(), device_data: "{}".to_owned() }
    }

    #[tokio::test]
    async fn a_user_has_one_dehydrated_device_and_loses_it_with_its_row_of_device() {
        for store in stores().await {
            let add = |found: Option<&DehydratedRow>, id: &str| {
                let mut change = Change::default();
                change.expect_dehydrated(1, found);
                if let Some(found) = found {
                    change.remove_dehydrated(1, &found.device_id);
                }
                change.add_dehydrated(1, &device(id), Some("Away"), 5);
                store.submit(change)
            };
            add(None, "A").await.unwrap();
            assert!(add(None, "B").await.unwrap_err().is_conflict());
            add(Some(&device("A")), "B").await.unwrap();
            assert!(add(Some(&device("A")), "C").await.unwrap_err().is_conflict());
            let devices = crate::identity::devices::of_user(&mut store.reader(), 1).await.unwrap();
            assert_eq!(devices.iter().map(|device| device.device_id.as_str()).collect::<Vec<_>>(), ["B"]);
            assert_eq!(of_user(&mut store.reader(), 1).await.unwrap(), Some(device("B")));
            let mut change = Change::default();
            change.remove_devices(1, &["B".to_owned()], 6, "device_removed");
            store.submit(change).await.unwrap();
            assert_eq!(of_user(&mut store.reader(), 1).await.unwrap(), None);
            add(None, "C").await.unwrap();
            let mut change = Change::default();
            change.remove_all_devices(1, Some("ELSE"));
            store.submit(change).await.unwrap();
            assert_eq!(of_user(&mut store.reader(), 1).await.unwrap(), None);
            store.close().await;
        }
    }
}
