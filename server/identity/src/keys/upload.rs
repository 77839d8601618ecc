//! What a device publishes: identity keys, one-time keys, fallback keys.

use super::ONE_TIME_ALGORITHM;
use super::signed::{Signed, is_public_key, wrong_signature};
use crate::Identity;
use kontor_model::{Code, Error, Nid, Requester, Result, ids};
use kontor_store::Change;
use kontor_store::identity::devices;
use kontor_store::identity::keys::{self, KeyRow, NewKey};
use ruma::UserId;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};

/// Largest identity keys of a device, bytes of JSON.
const MOST_DEVICE_KEYS_BYTES: usize = 16_384;
/// Largest one-time or fallback key, bytes of JSON.
const MOST_KEY_BYTES: usize = 4_096;
/// Public keys and algorithms of one device.
const MOST_KEYS: usize = 20;
/// One-time keys of one upload, and of one device while they wait.
const MOST_ONE_TIME_KEYS: usize = 1_000;

/// Body of an upload.
#[derive(Debug, Default, Deserialize)]
pub struct KeyUpload {
    /// Identity keys of the device.
    pub device_keys: Option<Box<RawValue>>,
    /// One-time keys by `algorithm:id`.
    pub one_time_keys: Option<BTreeMap<String, Box<RawValue>>>,
    /// Fallback keys by `algorithm:id`, one of each algorithm.
    pub fallback_keys: Option<BTreeMap<String, Box<RawValue>>>,
}

/// Whose keys they are.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// The user.
    pub user: Nid,
    /// Matrix id.
    pub user_id: &'a UserId,
    /// The device.
    pub device_id: &'a str,
}

impl<'a> From<&'a Requester> for Owner<'a> {
    fn from(requester: &'a Requester) -> Self {
        let device_id = requester.device_id.as_str();
        Self { user: requester.user, user_id: &requester.user_id, device_id }
    }
}

/// An upload that was checked.
#[derive(Debug)]
pub struct UploadPlan {
    /// What to write; empty when all of it was uploaded before.
    pub change: Change,
    /// Whether others must be told that the device's identity changed.
    pub told: bool,
}

fn wrong(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::invalid_param(message)
}

/// Checks the identity keys of a device: whose they are, their form, their own signature.
/// Signatures of other users are dropped.
///
/// # Errors
/// `InvalidParam` for another owner or keys that are none, `InvalidSignature`, `TooLarge`, `BadJson`.
pub fn check_device_keys(owner: Owner<'_>, raw: &RawValue) -> Result<Signed> {
    let mut keys = Signed::parse(raw, MOST_DEVICE_KEYS_BYTES)?;
    if keys.text("user_id") != Some(owner.user_id.as_str()) || keys.text("device_id") != Some(owner.device_id)
    {
        return Err(wrong("These keys belong to another user or device than the one that is logged in."));
    }
    let algorithms = keys.texts("algorithms").filter(|list| list.len() <= MOST_KEYS);
    algorithms
        .ok_or_else(|| Error::bad_json("The algorithms of a device are a list of at most 20 names."))?;
    let listed = keys.keys().filter(|list| list.len() <= MOST_KEYS);
    let listed =
        listed.ok_or_else(|| Error::bad_json("The keys of a device are a map of at most 20 texts."))?;
    for (name, key) in listed {
        let (algorithm, id) = name.split_once(':').unwrap_or((name, ""));
        if id != owner.device_id {
            return Err(wrong("The name of each key is its algorithm, a colon and the device id."));
        }
        if matches!(algorithm, "ed25519" | "curve25519") && !is_public_key(key) {
            return Err(wrong("An ed25519 or curve25519 key is 32 bytes in unpadded base64."));
        }
    }
    let signer = format!("ed25519:{}", owner.device_id);
    let own = keys.key(&signer).ok_or_else(|| wrong("The device keys hold no ed25519 key."))?.to_owned();
    if !keys.is_signed_by(owner.user_id.as_str(), &signer, &own) {
        return Err(wrong_signature("The device keys are not signed by the device's own ed25519 key."));
    }
    keys.keep_signatures(owner.user_id.as_str(), |_, _| true);
    Ok(keys)
}

/// Checks a one-time or fallback key, named `algorithm:id`; gives its id and its canonical form.
/// `signing` is the device's ed25519 key.
///
/// # Errors
/// `InvalidParam` for another algorithm or a key that is none, `InvalidSignature`, `TooLarge`,
/// `BadJson`.
pub fn check_signed_key<'a>(
    owner: Owner<'_>,
    signing: &str,
    name: &'a str,
    raw: &RawValue,
) -> Result<(&'a str, String)> {
    let (id, key) = named_key(name, raw)?;
    if !key.text("key").is_some_and(is_public_key) {
        return Err(wrong("A one-time key is 32 bytes in unpadded base64."));
    }
    let signer = format!("ed25519:{}", owner.device_id);
    if !key.is_signed_by(owner.user_id.as_str(), &signer, signing) {
        return Err(wrong_signature("A one-time key is not signed by the device's own ed25519 key."));
    }
    Ok((id, key.to_canonical()?))
}

fn named_key<'a>(name: &'a str, raw: &RawValue) -> Result<(&'a str, Signed)> {
    let named = name.split_once(':').filter(|(algorithm, id)| {
        *algorithm == ONE_TIME_ALGORITHM && !id.is_empty() && ids::storable_key(id, "key id").is_ok()
    });
    let (_, id) = named.ok_or_else(|| {
        wrong("The name of a one-time key is \"signed_curve25519:\" and an id of at most 255 bytes.")
    })?;
    Ok((id, Signed::parse(raw, MOST_KEY_BYTES)?))
}

impl Identity {
    /// Checks what a device publishes and plans to keep what is new of it. `Conflict` on submission
    /// means that the same device did so at the same moment: plan again.
    ///
    /// # Errors
    /// As [`check_device_keys`] and [`check_signed_key`]; `InvalidParam` when another identity or
    /// another one-time key of the same id was uploaded before; `TooLarge` with too many keys;
    /// `NotFound` when the device was removed meanwhile.
    pub async fn upload_keys(&self, owner: Owner<'_>, upload: &KeyUpload) -> Result<UploadPlan> {
        let mut plan = UploadPlan { change: Change::default(), told: false };
        let stored = keys::of_device(&mut self.store.reader(), owner.user, owner.device_id).await?;
        let mut identity = stored.as_deref().map(Signed::stored).transpose()?;
        if let Some(raw) = &upload.device_keys {
            let keys = check_device_keys(owner, raw)?;
            plan.told = plan_device_keys(&mut plan.change, owner, identity.as_ref(), &keys)?;
            identity = Some(keys);
        }
        let one_time = upload.one_time_keys.as_ref().filter(|keys| !keys.is_empty());
        let fallback = upload.fallback_keys.as_ref().filter(|keys| !keys.is_empty());
        if one_time.is_some() || fallback.is_some() {
            let name = format!("ed25519:{}", owner.device_id);
            let signing = identity.as_ref().and_then(|identity| identity.key(&name));
            let signing = signing.ok_or_else(|| {
                wrong("Upload the device's identity keys first: nothing else proves that these keys are its own.")
            })?;
            if let Some(keys) = one_time {
                self.plan_one_time_keys(&mut plan.change, owner, signing, keys).await?;
            }
            if let Some(keys) = fallback {
                self.plan_fallback_keys(&mut plan.change, owner, signing, keys).await?;
            }
        }
        if !plan.change.is_empty() {
            let device = devices::by_id(&mut self.store.reader(), owner.user, owner.device_id).await?;
            device.ok_or_else(|| Error::not_found("The device was removed meanwhile."))?;
            plan.change.expect_device(owner.user, owner.device_id);
        }
        Ok(plan)
    }

    async fn plan_one_time_keys(
        &self,
        change: &mut Change,
        owner: Owner<'_>,
        signing: &str,
        uploaded: &BTreeMap<String, Box<RawValue>>,
    ) -> Result<()> {
        let too_many = || Error::new(Code::TooLarge, "A device may have 1,000 one-time keys.");
        if uploaded.len() > MOST_ONE_TIME_KEYS {
            return Err(too_many());
        }
        let mut reader = self.store.reader();
        let ids: Vec<_> = uploaded.keys().filter_map(|name| Some(name.split_once(':')?.1)).collect();
        let ids: Vec<_> = ids.into_iter().filter(|id| ids::storable_key(id, "key id").is_ok()).collect();
        let stored = keys::one_time_keys(&mut reader, owner.user, owner.device_id, &ids).await?;
        let stored: HashMap<&str, &KeyRow> = stored.iter().map(|row| (row.key_id.as_str(), row)).collect();
        let mut new = Vec::new();
        for (name, raw) in uploaded {
            let (id, key) = named_key(name, raw)?;
            match stored.get(id) {
                Some(row) if row.content == key.to_canonical()? => {}
                Some(row) if !row.used => {
                    return Err(wrong(format!(
                        "The one-time key {id} was uploaded before, and is another one."
                    )));
                }
                _ => new.push(check_signed_key(owner, signing, name, raw)?),
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        let waiting = keys::counts(&mut reader, owner.user, owner.device_id).await?;
        let waiting: i64 = waiting.iter().map(|(_, count)| count).sum();
        if usize::try_from(waiting).unwrap_or(usize::MAX).saturating_add(new.len()) > MOST_ONE_TIME_KEYS {
            return Err(too_many());
        }
        let new: Vec<_> = new
            .iter()
            .map(|(key_id, content)| NewKey { algorithm: ONE_TIME_ALGORITHM, key_id, content })
            .collect();
        change.add_one_time_keys(owner.user, owner.device_id, &new);
        Ok(())
    }

    async fn plan_fallback_keys(
        &self,
        change: &mut Change,
        owner: Owner<'_>,
        signing: &str,
        uploaded: &BTreeMap<String, Box<RawValue>>,
    ) -> Result<()> {
        if uploaded.len() > 1 {
            return Err(wrong("A device may have one fallback key of each algorithm."));
        }
        let stored = keys::fallback_keys(&mut self.store.reader(), owner.user, owner.device_id).await?;
        for (name, raw) in uploaded {
            let (key_id, content) = check_signed_key(owner, signing, name, raw)?;
            if !stored.iter().any(|row| row.key_id == key_id && row.content == content) {
                let key = NewKey { algorithm: ONE_TIME_ALGORITHM, key_id, content: &content };
                change.set_fallback_key(owner.user, owner.device_id, key);
            }
        }
        Ok(())
    }

    /// How many one-time keys of a device wait, by algorithm.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn one_time_key_counts(&self, owner: Owner<'_>) -> Result<BTreeMap<String, i64>> {
        let counts = keys::counts(&mut self.store.reader(), owner.user, owner.device_id).await?;
        let mut all = BTreeMap::from([(ONE_TIME_ALGORITHM.to_owned(), 0)]);
        all.extend(counts);
        Ok(all)
    }
}

/// Plans to keep identity keys; false when they are kept already. The keys of a device are its
/// identity: others trust them, so they cannot be exchanged under them.
fn plan_device_keys(
    change: &mut Change,
    owner: Owner<'_>,
    stored: Option<&Signed>,
    keys: &Signed,
) -> Result<bool> {
    match stored {
        Some(stored) if stored.says_the_same(keys) => return Ok(false),
        Some(stored) if stored.keys() != keys.keys() => {
            return Err(wrong(
                "This device has other identity keys already. Log out and in again as a new device.",
            ));
        }
        Some(stored) => change.expect_device_keys(owner.user, owner.device_id, &stored.to_canonical()?),
        None => change.expect_no_device_keys(owner.user, owner.device_id),
    }
    change.set_device_keys(owner.user, owner.device_id, &keys.to_canonical()?);
    change.device_list_changed(owner.user);
    Ok(true)
}
