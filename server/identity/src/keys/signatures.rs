//! Signatures that come after the keys: a user signs the own devices and the own master key, and
//! other users' master keys.

use super::signed::{Signed, wrong_signature};
use crate::Identity;
use kontor_model::{Code, Error, Nid, Requester, Result};
use kontor_store::Change;
use kontor_store::identity::cross_signing::{self, CrossSigningRow, SignatureRow};
use kontor_store::identity::keys::{self, DeviceKeysRow};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashSet};

/// Signed objects of one upload.
const MOST_OBJECTS: usize = 1_000;
/// Largest signed object, bytes of JSON.
const MOST_BYTES: usize = 32_768;

/// Signed objects by user and key: a device id or a public master key.
pub type SignatureUpload = BTreeMap<String, BTreeMap<String, Box<RawValue>>>;

/// What becomes of an upload.
#[derive(Debug, Default)]
pub struct SignaturePlan {
    /// What to write; empty when nothing of it is new.
    pub change: Change,
    /// Whether others must be told: of the requester's own devices and keys.
    pub told: bool,
    /// What was refused and why, by user and key.
    pub failures: BTreeMap<String, BTreeMap<String, Error>>,
}

/// Everything that signatures are checked against.
struct Book<'a> {
    requester: &'a Requester,
    accounts: Vec<(Nid, String)>,
    devices: Vec<DeviceKeysRow>,
    crossing: Vec<CrossSigningRow>,
}

fn no_such_key() -> Error {
    Error::not_found("There is no such key. Ask for the user's keys again.")
}

impl Book<'_> {
    fn crossing(&self, user: Nid, usage: &str) -> Option<&CrossSigningRow> {
        self.crossing.iter().find(|row| row.user == user && row.usage == usage)
    }

    /// The signatures that an object adds to a key.
    fn check(&self, user_id: &str, key_name: &str, raw: &RawValue) -> Result<Vec<SignatureRow>> {
        let object = Signed::parse(raw, MOST_BYTES)?;
        let found = self.accounts.iter().find(|(_, name)| name == user_id);
        let (user, _) = found.ok_or_else(no_such_key)?;
        let rows = if *user != self.requester.user {
            self.of_another(*user, key_name, &object)
        } else if self.crossing(*user, "master").is_some_and(|row| row.public_key == key_name) {
            self.of_own_master(key_name, &object)
        } else {
            self.of_own_device(key_name, &object)
        }?;
        let row = |(signer_key, signature)| SignatureRow {
            user: *user,
            key_name: key_name.to_owned(),
            signer: self.requester.user,
            signer_key,
            signature,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// The object must be the key that stands, and signed by one of the requester's keys.
    fn signed_by(&self, object: &Signed, stored: &str, usage: &str) -> Result<Vec<(String, String)>> {
        if !Signed::stored(stored)?.says_the_same(object) {
            return Err(Error::invalid_param(
                "The signed key is not the one that is known. Ask for it again.",
            ));
        }
        let signer = self.crossing(self.requester.user, usage);
        let signer = signer.ok_or_else(|| wrong_signature("You have no key to sign this with."))?;
        let id = format!("ed25519:{}", signer.public_key);
        let signature = object.signature(self.requester.user_id.as_str(), &id);
        let right = signature.filter(|signature| object.is_signed(&signer.public_key, signature));
        let signature = right.ok_or_else(|| wrong_signature("Your key did not make this signature."))?;
        Ok(vec![(id, signature.to_owned())])
    }

    /// Another user's master key, by the requester's user-signing key.
    fn of_another(&self, user: Nid, key_name: &str, object: &Signed) -> Result<Vec<(String, String)>> {
        let master = self.crossing(user, "master").filter(|row| row.public_key == key_name);
        self.signed_by(object, &master.ok_or_else(no_such_key)?.content, "user_signing")
    }

    /// One of the requester's devices, by the self-signing key.
    fn of_own_device(&self, key_name: &str, object: &Signed) -> Result<Vec<(String, String)>> {
        let mine = |row: &&DeviceKeysRow| row.user == self.requester.user && row.device_id == key_name;
        let device = self.devices.iter().find(mine).ok_or_else(no_such_key)?;
        self.signed_by(object, &device.content, "self_signing")
    }

    /// The requester's master key, by own devices.
    fn of_own_master(&self, key_name: &str, object: &Signed) -> Result<Vec<(String, String)>> {
        let me = self.requester.user;
        let master = self.crossing(me, "master").filter(|row| row.public_key == key_name);
        if !Signed::stored(&master.ok_or_else(no_such_key)?.content)?.says_the_same(object) {
            return Err(Error::invalid_param(
                "The signed key is not the one that is known. Ask for it again.",
            ));
        }
        let mut rows = Vec::new();
        for (signer, signature) in object.signatures(self.requester.user_id.as_str()) {
            let device = signer.strip_prefix("ed25519:").unwrap_or_default();
            let device = self.devices.iter().find(|row| row.user == me && row.device_id == device);
            let Some(device) = device else { continue };
            let device = Signed::stored(&device.content)?;
            if !device.key(signer).is_some_and(|key| object.is_signed(key, signature)) {
                return Err(wrong_signature("A device did not make the signature in its name."));
            }
            rows.push((signer.to_owned(), signature.to_owned()));
        }
        if rows.is_empty() {
            return Err(wrong_signature("None of your devices signed your master key."));
        }
        Ok(rows)
    }
}

impl Identity {
    /// Checks signatures and plans to keep those that are right and new. The others are refused one
    /// by one.
    ///
    /// # Errors
    /// `TooLarge` for too many at once.
    pub async fn upload_signatures(
        &self,
        requester: &Requester,
        upload: &SignatureUpload,
    ) -> Result<SignaturePlan> {
        if upload.values().map(BTreeMap::len).sum::<usize>() > MOST_OBJECTS {
            return Err(Error::new(Code::TooLarge, format!("One request may hold {MOST_OBJECTS} keys.")));
        }
        let mut user_ids: Vec<&str> = upload.keys().map(String::as_str).collect();
        user_ids.retain(|id| kontor_model::ids::user_id(id).is_ok() && *id != requester.user_id);
        user_ids.push(requester.user_id.as_str());
        let mut snapshot = self.store.snapshot().await?;
        let accounts = keys::accounts(&mut snapshot, &user_ids).await?;
        let users: Vec<Nid> = accounts.iter().map(|(user, _)| *user).collect();
        let book = Book {
            requester,
            accounts,
            devices: keys::of_users(&mut snapshot, &[requester.user]).await?,
            crossing: cross_signing::of_users(&mut snapshot, &users).await?,
        };
        let known = cross_signing::signatures(&mut snapshot, &users, requester.user).await?;
        drop(snapshot);
        let known: HashSet<&SignatureRow> = known.iter().collect();
        let (mut plan, mut new) = (SignaturePlan::default(), Vec::new());
        for (user_id, objects) in upload {
            for (key_name, raw) in objects {
                match book.check(user_id, key_name, raw) {
                    Ok(rows) => new.extend(rows.into_iter().filter(|row| !known.contains(row))),
                    Err(error) => {
                        plan.failures.entry(user_id.clone()).or_default().insert(key_name.clone(), error);
                    }
                }
            }
        }
        if new.is_empty() {
            return Ok(plan);
        }
        plan.told = new.iter().any(|row| row.user == requester.user);
        // Signatures of others are the requester's own business: only the own devices hear of them.
        let pos = match plan.told {
            true => plan.change.device_list_changed(requester.user),
            false => plan.change.signatures_changed(requester.user),
        };
        for row in &new {
            plan.change.expect_signed_key(row);
            plan.change.add_key_signature(row, pos.clone());
        }
        Ok(plan)
    }
}
