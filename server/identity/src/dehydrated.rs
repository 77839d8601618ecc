//! Dehydrated devices (MSC3814): a device that a client leaves behind, so that room keys reach its
//! owner while nobody is logged in. A later client takes its private keys, which only it can read,
//! and the messages that came for it.

use crate::Identity;
use crate::keys::{ONE_TIME_ALGORITHM, Owner, check_device_keys, check_signed_key};
use crate::sessions::device_name;
use kontor_model::{Code, Error, Pos, Requester, Result, ids};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::identity::dehydrated::{self, DehydratedRow};
use kontor_store::identity::devices;
use kontor_store::identity::keys::NewKey;
use kontor_store::identity::to_device::{self, Waiting};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Largest `device_data`, bytes of JSON.
const MAX_DEVICE_DATA: usize = 262_144;
/// One-time keys of one upload.
const MOST_ONE_TIME_KEYS: usize = 1_000;
/// Messages of one page.
const PAGE: usize = 100;

/// Body of an upload.
#[derive(Debug, Deserialize)]
pub struct DehydratedUpload {
    /// Its id: its public curve25519 key.
    pub device_id: String,
    /// Its private keys, a JSON object that only the owner's clients can read.
    pub device_data: Box<RawValue>,
    /// Its name for people.
    pub initial_device_display_name: Option<String>,
    /// Its identity keys.
    pub device_keys: Box<RawValue>,
    /// One-time keys by `algorithm:id`.
    pub one_time_keys: Option<BTreeMap<String, Box<RawValue>>>,
    /// Fallback keys by `algorithm:id`, one of each algorithm.
    pub fallback_keys: Option<BTreeMap<String, Box<RawValue>>>,
}

/// A page of the messages that wait for a dehydrated device.
#[derive(Debug)]
pub struct Messages {
    /// Oldest first.
    pub messages: Vec<Waiting>,
    /// Where the next page begins.
    pub end: Pos,
    /// Whether it holds anything.
    pub more: bool,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "algorithm")]
    _algorithm: String,
}

fn none() -> Error {
    Error::not_found("You have no dehydrated device.")
}

impl Identity {
    /// The requester's dehydrated device.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn dehydrated(&self, user: &Requester) -> Result<DehydratedRow> {
        dehydrated::of_user(&mut self.store.reader(), user.user).await?.ok_or_else(none)
    }

    /// Plans to leave a device behind, in the place of the one before it. `Conflict` on submission
    /// means that another client did so at the same moment: plan again. Others are to be told.
    ///
    /// # Errors
    /// `InvalidParam` for the id of a device that somebody is logged in with; `BadJson`, `TooLarge`;
    /// for keys as [`check_device_keys`] and [`check_signed_key`].
    pub async fn dehydrate(
        &self,
        user: &Requester,
        upload: &DehydratedUpload,
        actor: Actor,
    ) -> Result<Change> {
        let device_id = upload.device_id.as_str();
        let display_name = upload.initial_device_display_name.as_deref();
        check(upload)?;
        let mut change = Change::default();
        let mut reader = self.store.reader();
        let before = dehydrated::of_user(&mut reader, user.user).await?;
        let again = before.as_ref().is_some_and(|before| before.device_id == device_id);
        if !again && devices::by_id(&mut reader, user.user, device_id).await?.is_some() {
            let message = "You have a device of that id already. A dehydrated device needs an id of its own.";
            return Err(Error::invalid_param(message));
        }
        let now = self.now();
        change.expect_dehydrated(user.user, before.as_ref());
        if let Some(before) = before {
            change.remove_dehydrated(user.user, &before.device_id);
            let audit =
                Audit::done(Action::AuthDeviceRemove, actor.clone(), now).on("device", before.device_id);
            change.audit(self.store.nid().await?, audit);
        }
        let device_data = upload.device_data.get().to_owned();
        let device = DehydratedRow { device_id: device_id.to_owned(), device_data };
        change.add_dehydrated(user.user, &device, display_name, now);
        let audit = Audit::done(Action::AuthDeviceAdd, actor, now).on("device", device.device_id);
        change.audit(self.store.nid().await?, audit);
        add_keys(&mut change, Owner { user: user.user, user_id: &user.user_id, device_id }, upload)?;
        Ok(change)
    }

    /// Plans to remove the requester's dehydrated device; gives its id. Others are to be told.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn drop_dehydrated(&self, user: &Requester, actor: Actor) -> Result<(Change, String)> {
        let before = self.dehydrated(user).await?;
        let mut change = Change::default();
        change.expect_dehydrated(user.user, Some(&before));
        change.remove_dehydrated(user.user, &before.device_id);
        let audit = Audit::done(Action::AuthDeviceRemove, actor, self.now()).on("device", &before.device_id);
        change.audit(self.store.nid().await?, audit);
        Ok((change, before.device_id))
    }

    /// Messages for the requester's dehydrated device after a place, without taking them away: a
    /// client that breaks off leaves them to the next one.
    ///
    /// # Errors
    /// `Forbidden` for another device.
    pub async fn dehydrated_messages(
        &self,
        user: &Requester,
        device_id: &str,
        from: Pos,
    ) -> Result<Messages> {
        let mut snapshot = self.store.snapshot().await?;
        let device = dehydrated::of_user(&mut snapshot, user.user).await?;
        if device.is_none_or(|device| device.device_id != device_id) {
            return Err(Error::forbidden("This is not your dehydrated device."));
        }
        let until = snapshot.position().await?;
        let limit = i64::try_from(PAGE + 1).map_err(Error::internal)?;
        let mut messages =
            to_device::news(&mut snapshot, user.user, device_id, (from, until), limit).await?.messages;
        let more = messages.len() > PAGE;
        messages.truncate(PAGE);
        let end = messages.last().map_or(from, |last| Pos(last.pos));
        Ok(Messages { messages, end, more })
    }
}

/// What can be checked without knowing what is there.
fn check(upload: &DehydratedUpload) -> Result<()> {
    ids::storable_key(&upload.device_id, "device id")?;
    if upload.device_id.is_empty() {
        return Err(Error::invalid_param("The device id is empty."));
    }
    upload.initial_device_display_name.as_deref().map_or(Ok(()), device_name)?;
    if upload.device_data.get().len() > MAX_DEVICE_DATA {
        return Err(Error::new(Code::TooLarge, "The data of a dehydrated device may have 256 KiB."));
    }
    let data = serde_json::from_str::<Data>(upload.device_data.get());
    data.map_err(|cause| Error::bad_json("The device_data is an object with an algorithm.").because(cause))?;
    Ok(())
}

fn add_keys(change: &mut Change, owner: Owner<'_>, upload: &DehydratedUpload) -> Result<()> {
    let keys = check_device_keys(owner, &upload.device_keys)?;
    change.set_device_keys(owner.user, owner.device_id, &keys.to_canonical()?);
    change.device_list_changed(owner.user);
    let signing = keys.key(&format!("ed25519:{}", owner.device_id)).unwrap_or_default();
    let checked = |uploaded: &Option<BTreeMap<String, Box<RawValue>>>| {
        let mut keys = Vec::new();
        for (name, raw) in uploaded.iter().flatten() {
            let (id, content) = check_signed_key(owner, signing, name, raw)?;
            keys.push((id.to_owned(), content));
        }
        Ok::<_, Error>(keys)
    };
    let one_time = checked(&upload.one_time_keys)?;
    if one_time.len() > MOST_ONE_TIME_KEYS {
        return Err(Error::new(Code::TooLarge, "A device may have 1,000 one-time keys."));
    }
    let algorithm = ONE_TIME_ALGORITHM;
    if !one_time.is_empty() {
        let keys: Vec<_> =
            one_time.iter().map(|(key_id, content)| NewKey { algorithm, key_id, content }).collect();
        change.add_one_time_keys(owner.user, owner.device_id, &keys);
    }
    let fallback = checked(&upload.fallback_keys)?;
    if fallback.len() > 1 {
        return Err(Error::invalid_param("A device may have one fallback key of each algorithm."));
    }
    for (key_id, content) in &fallback {
        change.set_fallback_key(owner.user, owner.device_id, NewKey { algorithm, key_id, content });
    }
    Ok(())
}
