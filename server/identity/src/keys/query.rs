//! What others are shown of users' devices and keys.

use crate::Identity;
use kontor_model::{Code, Error, Nid, Requester, Result, ids};
use kontor_store::identity::cross_signing::{self, CrossSigningRow, SignatureRow};
use kontor_store::identity::keys::{self, DeviceKeysRow};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};

/// Users of one query.
const MOST_USERS: usize = 5_000;

/// Devices and cross-signing keys of users, by Matrix id.
#[derive(Debug, Default, Serialize)]
pub struct Found {
    /// Identity keys by device.
    pub device_keys: BTreeMap<String, Map<String, Value>>,
    /// Master keys.
    pub master_keys: BTreeMap<String, Value>,
    /// Self-signing keys.
    pub self_signing_keys: BTreeMap<String, Value>,
    /// The reader's own user-signing key.
    pub user_signing_keys: BTreeMap<String, Value>,
}

/// Whether a text could be the id of a device in the archive.
pub(crate) fn storable(device_id: &str) -> bool {
    !device_id.is_empty() && ids::storable_key(device_id, "device id").is_ok()
}

impl Identity {
    /// The devices and keys of users of this server as the requester may see them. By user the
    /// devices that are wanted, none meaning all. Unknown users and devices are left out.
    ///
    /// Signatures of a key are those of its owner and, of master keys, the requester's own.
    ///
    /// # Errors
    /// `TooLarge` for too many users at once.
    pub async fn query_keys(
        &self,
        requester: &Requester,
        wanted: &BTreeMap<String, Vec<String>>,
    ) -> Result<Found> {
        if wanted.len() > MOST_USERS {
            return Err(Error::new(Code::TooLarge, format!("One request may ask for {MOST_USERS} users.")));
        }
        let user_ids: Vec<&str> = wanted.keys().map(String::as_str).collect();
        let mut snapshot = self.store.snapshot().await?;
        let accounts = keys::accounts(&mut snapshot, &user_ids).await?;
        let users: Vec<Nid> = accounts.iter().map(|(user, _)| *user).collect();
        let names: HashMap<Nid, String> = accounts.into_iter().collect();
        let devices = keys::of_users(&mut snapshot, &users).await?;
        let crossing = cross_signing::of_users(&mut snapshot, &users).await?;
        let signatures = cross_signing::signatures(&mut snapshot, &users, requester.user).await?;
        let book = Book { names, reader: requester, signatures: by_key(signatures) };
        let mut found = Found::default();
        // Also those without devices: silence would mean that they could not be asked.
        found.device_keys.extend(book.names.values().map(|user_id| (user_id.clone(), Map::new())));
        for row in devices {
            let Some(user_id) = book.names.get(&row.user) else { continue };
            let all = wanted.get(user_id).is_none_or(Vec::is_empty);
            if all || wanted.get(user_id).is_some_and(|list| list.contains(&row.device_id)) {
                let device = book.device(user_id, &row)?;
                found.device_keys.entry(user_id.clone()).or_default().insert(row.device_id, device);
            }
        }
        for row in crossing {
            let Some(user_id) = book.names.get(&row.user) else { continue };
            let keys = match row.usage.as_str() {
                "master" => &mut found.master_keys,
                "self_signing" => &mut found.self_signing_keys,
                _ if row.user == requester.user => &mut found.user_signing_keys,
                _ => continue,
            };
            keys.insert(user_id.clone(), book.key(user_id, &row)?);
        }
        Ok(found)
    }
}

type Signatures = HashMap<(Nid, String), Vec<SignatureRow>>;

fn by_key(rows: Vec<SignatureRow>) -> Signatures {
    let mut signatures = Signatures::new();
    for row in rows {
        signatures.entry((row.user, row.key_name.clone())).or_default().push(row);
    }
    signatures
}

/// Everything that one answer is made of.
struct Book<'a> {
    names: HashMap<Nid, String>,
    reader: &'a Requester,
    signatures: Signatures,
}

impl Book<'_> {
    fn device(&self, user_id: &str, row: &DeviceKeysRow) -> Result<Value> {
        let mut device = self.signed(user_id, row.user, &row.device_id, &row.content)?;
        let unsigned = row.display_name.as_ref().map(|name| json!({ "device_display_name": name }));
        device.insert("unsigned".to_owned(), unsigned.unwrap_or_else(|| json!({})));
        Ok(device.into())
    }

    fn key(&self, user_id: &str, row: &CrossSigningRow) -> Result<Value> {
        self.signed(user_id, row.user, &row.public_key, &row.content).map(Value::from)
    }

    /// An object with the signatures that came after it.
    fn signed(&self, user_id: &str, user: Nid, key_name: &str, content: &str) -> Result<Map<String, Value>> {
        let mut object: Map<String, Value> = serde_json::from_str(content).map_err(Error::internal)?;
        for row in self.signatures.get(&(user, key_name.to_owned())).into_iter().flatten() {
            let signer = if row.signer == user { user_id } else { self.reader.user_id.as_str() };
            let signatures = object.entry("signatures").or_insert_with(|| json!({}));
            let Some(signatures) = signatures.as_object_mut() else { continue };
            let of_signer = signatures.entry(signer).or_insert_with(|| json!({}));
            if let Some(of_signer) = of_signer.as_object_mut() {
                of_signer.insert(row.signer_key.clone(), row.signature.clone().into());
            }
        }
        Ok(object)
    }
}
