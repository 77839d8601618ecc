//! Keys as a client makes them: ed25519 pairs that sign JSON, and public keys of devices and users.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use harness::{Client, Response};
use serde_json::{Value, json};

/// 32 bytes that were not given out before, in this run or another.
fn fresh() -> [u8; 32] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_nanos().to_be_bytes();
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&now);
    bytes[16..24].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    bytes[24..28].copy_from_slice(&std::process::id().to_be_bytes());
    bytes
}

/// Unpadded base64.
fn base64(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}

/// Canonical JSON: keys in order, no spaces.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let field = |(key, value): &(&String, &Value)| format!("{}:{}", json!(key), canonical(value));
            format!("{{{}}}", entries.iter().map(field).collect::<Vec<_>>().join(","))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// What could be a public curve25519 key.
pub fn curve25519() -> String {
    base64(&fresh())
}

/// An ed25519 pair of keys.
pub struct Pair(SigningKey);

impl Pair {
    pub fn new() -> Self {
        Self(SigningKey::from_bytes(&fresh()))
    }

    pub fn public(&self) -> String {
        base64(self.0.verifying_key().as_bytes())
    }

    /// The name under which it signs as a cross-signing key.
    pub fn id(&self) -> String {
        format!("ed25519:{}", self.public())
    }

    /// Adds this key's signature to an object, in the name of a user's key.
    pub fn sign(&self, object: &mut Value, user_id: &str, key_id: &str) {
        let mut covered = object.clone();
        for field in ["signatures", "unsigned"] {
            covered.as_object_mut().expect("an object").remove(field);
        }
        let signature = self.0.sign(canonical(&covered).as_bytes());
        object["signatures"][user_id][key_id] = base64(&signature.to_bytes()).into();
    }
}

/// The keys of one device.
pub struct Device {
    pub client: Client,
    pub pair: Pair,
    curve: String,
}

impl Device {
    /// Keys that were not uploaded.
    pub fn of(client: &Client) -> Self {
        Self { client: client.clone(), pair: Pair::new(), curve: curve25519() }
    }

    /// A device that uploaded its identity keys.
    pub async fn published(client: &Client) -> Self {
        let device = Self::of(client);
        device.upload(&json!({ "device_keys": device.keys() })).await.ok();
        device
    }

    /// `ed25519:DEVICE`.
    pub fn key_id(&self) -> String {
        format!("ed25519:{}", self.client.device_id())
    }

    /// Its identity keys, not signed.
    pub fn unsigned_keys(&self) -> Value {
        let id = self.client.device_id();
        let mut keys = json!({
            "user_id": self.client.user_id(),
            "device_id": id,
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": {},
        });
        keys["keys"][format!("ed25519:{id}")] = self.pair.public().into();
        keys["keys"][format!("curve25519:{id}")] = self.curve.as_str().into();
        keys
    }

    /// Its identity keys.
    pub fn keys(&self) -> Value {
        self.signed(self.unsigned_keys())
    }

    /// Signs an object.
    pub fn signed(&self, mut object: Value) -> Value {
        self.pair.sign(&mut object, self.client.user_id(), &self.key_id());
        object
    }

    /// A new one-time key.
    pub fn one_time_key(&self) -> Value {
        self.signed(json!({ "key": curve25519() }))
    }

    /// A new fallback key.
    pub fn fallback_key(&self) -> Value {
        self.signed(json!({ "key": curve25519(), "fallback": true }))
    }

    /// New one-time keys `signed_curve25519:{prefix}{n}`.
    pub fn one_time_keys(&self, prefix: &str, count: usize) -> Value {
        let named = |n| (format!("signed_curve25519:{prefix}{n}"), self.one_time_key());
        Value::Object((0..count).map(named).collect())
    }

    pub async fn upload(&self, body: &Value) -> Response {
        self.client.post("/keys/upload", body).await
    }

    /// Uploads one-time keys; gives how many wait then.
    pub async fn add_keys(&self, keys: &Value) -> Value {
        let answer = self.upload(&json!({ "one_time_keys": keys })).await.ok();
        answer["one_time_key_counts"]["signed_curve25519"].clone()
    }
}

/// A user's three cross-signing keys.
pub struct Cross {
    pub user_id: String,
    pub master: Pair,
    pub self_signing: Pair,
    pub user_signing: Pair,
}

impl Cross {
    pub fn of(client: &Client) -> Self {
        let user_id = client.user_id().to_owned();
        Self { user_id, master: Pair::new(), self_signing: Pair::new(), user_signing: Pair::new() }
    }

    /// Keys that were uploaded as the user's first ones.
    pub async fn published(client: &Client) -> Self {
        let cross = Self::of(client);
        client.post("/keys/device_signing/upload", &cross.body()).await.ok();
        cross
    }

    /// One of the keys as it is uploaded, signed by the master key.
    pub fn key(&self, usage: &str) -> Value {
        let pair = match usage {
            "master" => &self.master,
            "self_signing" => &self.self_signing,
            _ => &self.user_signing,
        };
        let mut key = json!({ "user_id": self.user_id, "usage": [usage], "keys": {} });
        key["keys"][pair.id()] = pair.public().into();
        if usage != "master" {
            self.master.sign(&mut key, &self.user_id, &self.master.id());
        }
        key
    }

    /// All three keys.
    pub fn body(&self) -> Value {
        json!({
            "master_key": self.key("master"),
            "self_signing_key": self.key("self_signing"),
            "user_signing_key": self.key("user_signing"),
        })
    }
}

/// `/keys/query` for all devices of some users.
pub async fn query(reader: &Client, users: &[&Client]) -> Value {
    let wanted = users.iter().map(|user| (user.user_id().to_owned(), json!([]))).collect();
    reader.post("/keys/query", &json!({ "device_keys": Value::Object(wanted) })).await.ok()
}

/// What `/keys/query` says of one device.
pub async fn device_of(reader: &Client, owner: &Client) -> Value {
    query(reader, &[owner]).await["device_keys"][owner.user_id()][owner.device_id()].clone()
}

/// Claims a one-time key of a device; gives its name and the key, or nothing.
pub async fn claim(reader: &Client, owner: &Client) -> Option<(String, Value)> {
    let body = json!({ "one_time_keys": { owner.user_id(): { owner.device_id(): "signed_curve25519" } } });
    let answer = reader.post("/keys/claim", &body).await.ok();
    let keys = answer["one_time_keys"][owner.user_id()][owner.device_id()].as_object()?.clone();
    assert_eq!(keys.len(), 1, "{answer}");
    keys.into_iter().next()
}
