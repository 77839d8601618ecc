//! Messages from device to device: whom they reach, and that each request has its effect once
//! (client-server API, "Send-to-Device messaging").
//!
//! An inbox is bounded: of a device that never comes the oldest messages go.

use crate::Identity;
use kontor_model::{Code, Error, Nid, Requester, Result, ids};
use kontor_store::Change;
use kontor_store::identity::keys;
use kontor_store::identity::to_device::{self, Target};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Contents by user and device; the device `*` is every device of the user.
pub type Messages = BTreeMap<String, BTreeMap<String, Box<RawValue>>>;

/// Every device of a user.
const ALL: &str = "*";
/// Devices that one request names.
const MOST_DEVICES: usize = 10_000;
/// Largest content, bytes of JSON: as large as an event may be.
const MOST_BYTES: usize = kontor_model::json::MAX_EVENT_BYTES;
/// Messages that wait for one device, at most.
const INBOX: i64 = 10_000;

/// Checks contents and their number.
fn check(messages: &Messages) -> Result<()> {
    if messages.values().map(BTreeMap::len).sum::<usize>() > MOST_DEVICES {
        let message =
            format!("One request may reach {MOST_DEVICES} devices. Send the rest with another one.");
        return Err(Error::new(Code::TooLarge, message));
    }
    for content in messages.values().flat_map(BTreeMap::values) {
        if content.get().len() > MOST_BYTES {
            return Err(Error::new(Code::TooLarge, "A message to a device may have 64 KiB of JSON."));
        }
        if !content.get().starts_with('{') {
            return Err(Error::bad_json("The content of a message to a device is a JSON object."));
        }
    }
    Ok(())
}

impl Identity {
    /// Plans to deliver messages. Users of other servers, unknown and locked users and unknown devices
    /// are passed over. `Conflict` on submission means that the same request was served before.
    ///
    /// # Errors
    /// `TooLarge` for too many or too large messages; `BadJson` for contents that are no objects or a
    /// type that cannot be stored.
    pub async fn send_to_devices(
        &self,
        requester: &Requester,
        kind: &str,
        txn_id: &str,
        messages: &Messages,
    ) -> Result<Change> {
        ids::storable_key(kind, "type of the message")?;
        ids::storable_key(txn_id, "transaction id")?;
        check(messages)?;
        let mut reader = self.store.reader();
        let user_ids: Vec<&str> =
            messages.keys().map(String::as_str).filter(|id| ids::user_id(id).is_ok()).collect();
        let accounts = keys::accounts(&mut reader, &user_ids).await?;
        let accounts: BTreeMap<Nid, &BTreeMap<String, Box<RawValue>>> =
            accounts.iter().filter_map(|(user, id)| Some((*user, messages.get(id)?))).collect();
        let whole: Vec<Nid> = accounts
            .iter()
            .filter(|(_, by_device)| by_device.contains_key(ALL))
            .map(|(user, _)| *user)
            .collect();
        let named: Vec<(Nid, &str)> = accounts
            .iter()
            .filter(|(_, by_device)| !by_device.contains_key(ALL))
            .flat_map(|(user, by_device)| by_device.keys().map(|device| (*user, device.as_str())))
            .filter(|(_, device)| crate::keys::query::storable(device))
            .collect();
        let mut targets = to_device::targets(&mut reader, &named, &whole, INBOX).await?;
        targets
            .sort_unstable_by(|one, other| (one.user, &one.device_id).cmp(&(other.user, &other.device_id)));
        let mut change = Change::default();
        if targets.is_empty() {
            return Ok(change);
        }
        let device_id = requester.device_id.as_str();
        change.expect_new_to_device_txn(requester.user, device_id, &digest(kind, txn_id), self.now());
        for of_user in targets.chunk_by(|one, other| one.user == other.user) {
            let Some(first) = of_user.first() else { continue };
            let Some(contents) = accounts.get(&first.user) else { continue };
            let content = |target: &Target| contents.get(&target.device_id).or_else(|| contents.get(ALL));
            let list: Vec<_> = of_user
                .iter()
                .filter_map(|target| Some((target.device_id.as_str(), content(target)?.get())))
                .collect();
            for full in of_user.iter().filter(|target| target.waiting >= INBOX) {
                change.shorten_inbox(full.user, &full.device_id, INBOX - 1);
            }
            change.send_to_devices(requester.user, kind, first.user, &list);
        }
        Ok(change)
    }
}

/// The request, whatever version of the API it came through.
fn digest(kind: &str, txn_id: &str) -> Vec<u8> {
    let mut digest = Sha256::new();
    // The length keeps the parts apart, whatever they hold.
    digest.update((kind.len() as u64).to_be_bytes());
    digest.update(kind.as_bytes());
    digest.update(txn_id.as_bytes());
    digest.finalize().to_vec()
}
