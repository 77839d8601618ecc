//! Cross-signing keys: the master key that is a user's identity, and the two that it signs.

use super::signed::{Signed, is_public_key, wrong_signature};
use crate::Identity;
use kontor_model::{Code, Error, Requester, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::identity::cross_signing::{self, CrossSigningRow};
use kontor_store::identity::{devices, keys};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// Largest cross-signing key, bytes of JSON.
const MOST_BYTES: usize = 16_384;
/// The names of the keys' uses.
const MASTER: &str = "master";
const SELF_SIGNING: &str = "self_signing";
const USER_SIGNING: &str = "user_signing";

/// Body of an upload.
#[derive(Debug, Default, Deserialize)]
pub struct CrossSigningUpload {
    /// The user's identity.
    pub master_key: Option<Box<RawValue>>,
    /// Signs the user's devices.
    pub self_signing_key: Option<Box<RawValue>>,
    /// Signs other users' master keys.
    pub user_signing_key: Option<Box<RawValue>>,
}

/// What an upload means. The change ends in `Conflict` when another device was quicker: plan again.
#[derive(Debug)]
pub enum CrossSigningPlan {
    /// The very keys that stand already.
    Unchanged,
    /// The user's first keys: nothing needs to be proven.
    First(Change),
    /// Other keys than those that stand: the user must prove that it is they.
    Replaces(Change),
}

/// A key that was uploaded.
struct Uploaded {
    usage: &'static str,
    public_key: String,
    key: Signed,
}

fn wrong(message: &'static str) -> Error {
    Error::invalid_param(message)
}

/// Checks owner, usage and form of a key.
fn check(requester: &Requester, usage: &'static str, raw: &RawValue) -> Result<Uploaded> {
    let key = Signed::parse(raw, MOST_BYTES)?;
    if key.text("user_id") != Some(requester.user_id.as_str()) {
        return Err(wrong("A cross-signing key belongs to another user than the one that is logged in."));
    }
    if !key.texts("usage").is_some_and(|uses| uses.contains(&usage)) {
        return Err(wrong("The usage of a cross-signing key does not say what it is uploaded as."));
    }
    let one = key.keys().and_then(|keys| <[_; 1]>::try_from(keys).ok());
    let named = |(name, public): (&str, &str)| {
        (is_public_key(public) && name.strip_prefix("ed25519:") == Some(public)).then(|| public.to_owned())
    };
    let public_key = one.and_then(|[key]| named(key)).ok_or_else(|| {
        wrong("A cross-signing key is one ed25519 key, whose name is \"ed25519:\" and the key itself.")
    })?;
    Ok(Uploaded { usage, public_key, key })
}

impl Uploaded {
    fn id(&self) -> String {
        format!("ed25519:{}", self.public_key)
    }

    /// Whether it is the key that stands; who else signed it does not matter.
    fn stands(&self, stored: &HashMap<String, CrossSigningRow>) -> Result<bool> {
        let Some(row) = stored.get(self.usage) else { return Ok(false) };
        Ok(Signed::stored(&row.content)?.says_the_same(&self.key))
    }
}

impl Identity {
    /// Checks cross-signing keys and tells what the upload means.
    ///
    /// # Errors
    /// `InvalidParam` for keys of others or in another form, `MissingParam` without a master key,
    /// `InvalidSignature` unless the master key signed the others, `Forbidden` when a key has the
    /// name of one of the user's devices.
    pub async fn upload_cross_signing(
        &self,
        requester: &Requester,
        upload: &CrossSigningUpload,
        actor: Actor,
    ) -> Result<CrossSigningPlan> {
        let mut uploaded = Vec::new();
        for (usage, raw) in [
            (MASTER, &upload.master_key),
            (SELF_SIGNING, &upload.self_signing_key),
            (USER_SIGNING, &upload.user_signing_key),
        ] {
            uploaded.extend(raw.as_deref().map(|raw| check(requester, usage, raw)).transpose()?);
        }
        let mut snapshot = self.store.snapshot().await?;
        let stored = cross_signing::of_users(&mut snapshot, &[requester.user]).await?;
        let stored: HashMap<String, CrossSigningRow> =
            stored.into_iter().map(|row| (row.usage.clone(), row)).collect();
        let new_master = uploaded.iter().find(|key| key.usage == MASTER);
        let master = new_master.map(|key| key.public_key.clone());
        let master = master.or_else(|| stored.get(MASTER).map(|row| row.public_key.clone()));
        let master = master.ok_or_else(|| {
            Error::new(Code::MissingParam, "There is no master key. Upload one, or all three keys together.")
        })?;
        let mut all_stand = true;
        for key in &uploaded {
            all_stand &= key.stands(&stored)?;
        }
        if all_stand {
            return Ok(CrossSigningPlan::Unchanged);
        }
        let devices = devices::of_user(&mut snapshot, requester.user).await?;
        if uploaded.iter().any(|key| devices.iter().any(|device| device.device_id == key.public_key)) {
            return Err(Error::forbidden("One of the keys has the name of one of your devices."));
        }
        let device_keys = keys::of_users(&mut snapshot, &[requester.user]).await?;
        drop(snapshot);
        let device_keys: HashMap<String, String> = device_keys
            .into_iter()
            .filter_map(|row| {
                let id = format!("ed25519:{}", row.device_id);
                let key = Signed::stored(&row.content).ok()?.key(&id)?.to_owned();
                Some((id, key))
            })
            .collect();
        let mut change = Change::default();
        let replaces = plan_guard(&mut change, requester, &stored, &master);
        let replaced = stored.get(MASTER).is_some_and(|row| row.public_key != master);
        for mut key in uploaded {
            keep_proven(requester, &master, &device_keys, &mut key)?;
            change.set_cross_signing_key(&CrossSigningRow {
                user: requester.user,
                usage: key.usage.to_owned(),
                public_key: key.public_key,
                content: key.key.to_canonical()?,
            });
        }
        change.device_list_changed(requester.user);
        if replaced {
            let user_id = requester.user_id.as_str();
            let audit = Audit::done(Action::AuthKeyVerificationReset, actor, self.now()).on("user", user_id);
            change.audit(self.store.nid().await?, audit);
        }
        Ok(if replaces { CrossSigningPlan::Replaces(change) } else { CrossSigningPlan::First(change) })
    }

    /// Whether a device may have this id: it must not be the name of one of the user's keys.
    ///
    /// # Errors
    /// `Forbidden` when it is.
    pub(crate) async fn check_device_name(&self, user: kontor_model::Nid, device_id: &str) -> Result<()> {
        if !is_public_key(device_id) {
            return Ok(());
        }
        let stored = cross_signing::of_users(&mut self.store.reader(), &[user]).await?;
        if stored.iter().any(|row| row.public_key == device_id) {
            return Err(Error::forbidden("This device id is the name of one of your keys. Use another one."));
        }
        Ok(())
    }
}

/// Adds the condition that the user's identity is still as it was read; true when there is one.
fn plan_guard(
    change: &mut Change,
    requester: &Requester,
    stored: &HashMap<String, CrossSigningRow>,
    master: &str,
) -> bool {
    match stored.get(MASTER) {
        Some(row) => {
            change.expect_cross_signing_key(requester.user, MASTER, &row.public_key);
            true
        }
        None => {
            change.expect_no_master_key(requester.user, master);
            false
        }
    }
}

/// Checks that the master key signed the others. Of the signatures only those are kept that the
/// server can check: by the master key, and by the user's own devices.
fn keep_proven(
    requester: &Requester,
    master: &str,
    device_keys: &HashMap<String, String>,
    uploaded: &mut Uploaded,
) -> Result<()> {
    let user_id = requester.user_id.as_str();
    let master_id = format!("ed25519:{master}");
    if uploaded.usage != MASTER && !uploaded.key.is_signed_by(user_id, &master_id, master) {
        return Err(wrong_signature("The master key did not sign the self-signing or user-signing key."));
    }
    let (checked, own) = (uploaded.key.clone(), uploaded.id());
    let mut invalid = false;
    uploaded.key.keep_signatures(user_id, |signer, signature| {
        let key = match signer {
            signer if signer == master_id => Some(master),
            signer if signer == own => None,
            signer => device_keys.get(signer).map(String::as_str),
        };
        let right = key.map(|key| checked.is_signed(key, signature));
        invalid |= right == Some(false);
        right == Some(true)
    });
    if invalid {
        return Err(wrong_signature("A signature of a cross-signing key is wrong."));
    }
    Ok(())
}
