//! Keys and versions that are deleted.

use harness::{Homeserver, both_databases};
use serde_json::json;

use super::{key, keys_at, many, new_version};
use crate::client::support::text;

both_databases!(keys_are_deleted_one_by_one_by_room_and_all, a_deleted_version_takes_its_keys_along);

async fn keys_are_deleted_one_by_one_by_room_and_all(server: Homeserver) {
    let alice = server.register("alice").await;
    let version = new_version(&alice).await;
    let whole = keys_at(&version, None, None);
    let mut etag = text(&alice.put(&whole, &many(9, 3)).await.ok()["etag"]);
    let room = Some("!room0:example.org");
    for (path, count, moves) in [
        (keys_at(&version, room, Some("session/+00000")), 8, true),
        (keys_at(&version, room, Some("session/+00000")), 8, false),
        (keys_at(&version, room, None), 6, true),
        (keys_at(&version, room, None), 6, false),
        (keys_at(&version, Some("!unknown:example.org"), None), 6, false),
        (whole.clone(), 0, true),
        (whole.clone(), 0, false),
    ] {
        let answer = alice.delete(&path).await.ok();
        assert_eq!(answer["count"], count, "{path}");
        assert!(text(&answer["etag"]) != etag || !moves, "the etag moves: {path}");
        etag = text(&answer["etag"]);
        let told = alice.get("/room_keys/version").await.ok();
        assert_eq!((&told["etag"], &told["count"]), (&json!(etag), &json!(count)));
    }
    assert_eq!(alice.get(&whole).await.ok(), json!({ "rooms": {} }));
    // The version itself still stands, and a key that was worse than a deleted one is stored.
    let one = keys_at(&version, room, Some("session/+00000"));
    assert_eq!(alice.put(&one, &key(false, 99, 99, "late")).await.ok()["count"], 1);
    assert_eq!(alice.get(&one).await.ok()["first_message_index"], 99);
    alice.delete(&keys_at("999", None, None)).await.err(404, "M_NOT_FOUND");
}

async fn a_deleted_version_takes_its_keys_along(server: Homeserver) {
    let alice = server.register("alice").await;
    let version = new_version(&alice).await;
    let whole = keys_at(&version, None, None);
    alice.put(&whole, &many(4, 2)).await.ok();
    alice.delete(&format!("/room_keys/version/{version}")).await.ok();
    alice.get(&whole).await.err(404, "M_NOT_FOUND");
    alice.get(&keys_at(&version, Some("!room0:example.org"), None)).await.err(404, "M_NOT_FOUND");
    alice.put(&whole, &many(4, 2)).await.err(404, "M_NOT_FOUND");
    alice.delete(&whole).await.err(404, "M_NOT_FOUND");
    let next = new_version(&alice).await;
    assert_eq!(alice.get(&keys_at(&next, None, None)).await.ok(), json!({ "rooms": {} }));
}
