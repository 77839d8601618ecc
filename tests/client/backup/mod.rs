//! Key backup, and the device that takes keys while nobody is there.

mod dehydrated;
mod deleting;
mod storing;
mod versions;

use harness::{Client, enc};
use serde_json::{Value, json};

use crate::client::support::text;

const ALGORITHM: &str = "m.megolm_backup.v1.curve25519-aes-sha2";

/// What a client says of a new version.
fn described(public_key: &str) -> Value {
    json!({ "algorithm": ALGORITHM, "auth_data": { "public_key": public_key, "signatures": {} } })
}

/// Makes a version; gives its id.
async fn new_version(client: &Client) -> String {
    text(&client.post("/room_keys/version", &described("abc")).await.ok()["version"])
}

/// A key as clients send it.
fn key(is_verified: bool, first: i64, forwarded: i64, ciphertext: &str) -> Value {
    json!({
        "is_verified": is_verified, "first_message_index": first, "forwarded_count": forwarded,
        "session_data": { "ephemeral": "e", "ciphertext": ciphertext, "mac": "m" },
    })
}

/// The path of keys: all, those of a room, or one.
fn keys_at(version: &str, room: Option<&str>, session: Option<&str>) -> String {
    let mut path = "/room_keys/keys".to_owned();
    for part in [room, session].into_iter().flatten() {
        path.push('/');
        path.push_str(&enc(part));
    }
    format!("{path}?version={}", enc(version))
}

/// `count` keys in `rooms` rooms, as the body of an upload.
fn many(count: usize, rooms: usize) -> Value {
    let mut body = json!({ "rooms": {} });
    for n in 0..count {
        let room = format!("!room{}:example.org", n % rooms);
        // Real session ids are base64 and may hold a slash.
        body["rooms"][&room]["sessions"][format!("session/+{n:05}")] = key(false, 0, 0, &format!("c{n}"));
    }
    body
}
