//! Versions of the backup.

use futures_util::future::join_all;
use harness::{Homeserver, both_databases};
use serde_json::{Value, json};
use std::collections::BTreeSet;

use super::{ALGORITHM, described, key, keys_at, many, new_version};
use crate::client::support::{is_reference, text};

both_databases!(
    a_version_is_made_described_and_deleted,
    keys_go_to_the_newest_version_only,
    a_backup_is_its_owners_alone,
    versions_made_at_once_are_all_different,
    what_is_no_backup_is_refused,
);

async fn a_version_is_made_described_and_deleted(server: Homeserver) {
    let alice = server.register("alice").await;
    alice.get("/room_keys/version").await.err(404, "M_NOT_FOUND");
    let version = new_version(&alice).await;
    let path = format!("/room_keys/version/{version}");
    for path in ["/room_keys/version", path.as_str()] {
        let told = alice.get(path).await.ok();
        assert_eq!(told["algorithm"], ALGORITHM);
        assert_eq!(told["auth_data"], described("abc")["auth_data"]);
        assert_eq!((&told["count"], &told["version"]), (&json!(0), &json!(version)));
        assert!(told["etag"].is_string(), "{told}");
    }
    let mut new = described("new");
    assert_eq!(alice.put(&path, &new).await.ok(), json!({}));
    assert_eq!(alice.get(&path).await.ok()["auth_data"]["public_key"], "new");
    new["version"] = json!(version);
    alice.put(&path, &new).await.ok();
    new["version"] = json!("999");
    alice.put(&path, &new).await.err(400, "M_INVALID_PARAM");
    let mut other = described("new");
    other["algorithm"] = json!("org.example.other");
    alice.put(&path, &other).await.err(400, "M_INVALID_PARAM");
    alice.put("/room_keys/version/999", &described("x")).await.err(404, "M_NOT_FOUND");
    alice.delete(&path).await.ok();
    alice.get(&path).await.err(404, "M_NOT_FOUND");
    alice.get("/room_keys/version").await.err(404, "M_NOT_FOUND");
    alice.put(&path, &described("late")).await.err(404, "M_NOT_FOUND");
    if !is_reference() {
        assert_eq!(alice.delete(&path).await.ok(), json!({}), "deleting twice succeeds");
    }
    alice.delete("/room_keys/version/999").await.err(404, "M_NOT_FOUND");
    assert_ne!(new_version(&alice).await, version, "a number is not given again");
    if !is_reference() {
        alice.delete(&path).await.ok();
    }
}

async fn keys_go_to_the_newest_version_only(server: Homeserver) {
    let alice = server.register("alice").await;
    let (room, session) = ("!room:example.org", "session");
    let at = |version: &str| keys_at(version, Some(room), Some(session));
    let body = key(true, 0, 0, "old");
    alice.put(&at("1"), &body).await.err(404, "M_NOT_FOUND");
    let old = new_version(&alice).await;
    alice.put(&at(&old), &body).await.ok();
    let newest = new_version(&alice).await;
    let whole = keys_at(&old, None, None);
    let of_room = keys_at(&old, Some(room), None);
    for (path, body) in [
        (&at(&old), body.clone()),
        (&of_room, json!({ "sessions": { session: body } })),
        (&whole, json!({ "rooms": { room: { "sessions": { session: body } } } })),
    ] {
        let refused = alice.put(path, &body).await.err(403, "M_WRONG_ROOM_KEYS_VERSION");
        assert!(refused["current_version"] == newest || is_reference(), "{refused}");
    }
    alice.put(&at("999"), &body).await.err(404, "M_NOT_FOUND");
    // What was stored before can still be read.
    assert_eq!(alice.get(&at(&old)).await.ok(), body);
    alice.get(&at(&newest)).await.err(404, "M_NOT_FOUND");
    alice.delete(&format!("/room_keys/version/{newest}")).await.ok();
    alice.put(&at(&old), &key(true, 0, 0, "again")).await.ok();
}

async fn a_backup_is_its_owners_alone(server: Homeserver) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let (version, own) = (new_version(&alice).await, new_version(&bob).await);
    assert_eq!(version, own, "each user counts from the beginning");
    let whole = keys_at(&version, None, None);
    alice.put(&whole, &many(3, 1)).await.ok();
    assert_eq!(bob.get(&whole).await.ok(), json!({ "rooms": {} }));
    bob.delete(&whole).await.ok();
    bob.delete(&format!("/room_keys/version/{own}")).await.ok();
    assert_eq!(
        alice.get(&whole).await.ok()["rooms"]["!room0:example.org"]["sessions"].as_object().unwrap().len(),
        3
    );
    let nobody = server.anonymous();
    for path in ["/room_keys/version", whole.as_str()] {
        nobody.get(path).await.err(401, "M_MISSING_TOKEN");
    }
    // The user's other device reads the same.
    let phone = server.login(alice.user_id()).await;
    assert_eq!(phone.get(&whole).await.ok(), alice.get(&whole).await.ok());
}

async fn versions_made_at_once_are_all_different(server: Homeserver) {
    let alice = server.register("alice").await;
    let made = join_all((0..8).map(|_| new_version(&alice))).await;
    let different: BTreeSet<_> = made.iter().collect();
    assert_eq!(different.len(), made.len(), "{made:?}");
}

async fn what_is_no_backup_is_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    for body in [
        json!({}),
        json!({ "algorithm": ALGORITHM }),
        json!({ "algorithm": 5, "auth_data": {} }),
        json!({ "algorithm": ALGORITHM, "auth_data": [] }),
    ] {
        alice.post("/room_keys/version", &body).await.refused();
    }
    if !is_reference() {
        let huge = json!({ "algorithm": ALGORITHM, "auth_data": { "x": "x".repeat(100_000) } });
        alice.post("/room_keys/version", &huge).await.err(413, "M_TOO_LARGE");
    }
    let version = new_version(&alice).await;
    alice.get("/room_keys/keys").await.refused();
    alice.put("/room_keys/keys", &json!({ "rooms": {} })).await.refused();
    let one = keys_at(&version, Some("!room:example.org"), Some("s"));
    for (field, value) in [
        ("is_verified", json!("yes")),
        ("first_message_index", json!("0")),
        ("forwarded_count", Value::Null),
        ("session_data", json!("text")),
    ] {
        let mut bad = key(false, 0, 0, "x");
        bad[field] = value.clone();
        let answer = alice.put(&one, &bad).await;
        assert!((400..500).contains(&answer.status) || is_reference(), "{field} {value}: {answer}");
    }
    if !is_reference() {
        assert_eq!(alice.get(&keys_at(&version, None, None)).await.ok(), json!({ "rooms": {} }));
        let path = keys_at(&version, Some("no room"), Some("s"));
        alice.put(&path, &key(false, 0, 0, "x")).await.refused();
        assert_eq!(text(&alice.get("/room_keys/version").await.ok()["etag"]), "0");
    }
}
