//! Keys that are stored and read again, and which of two stays.

use futures_util::future::join_all;
use harness::{Homeserver, both_databases};
use serde_json::{Value, json};

use super::{key, keys_at, many, new_version};
use crate::client::support::text;

both_databases!(
    the_better_of_two_keys_stays,
    keys_are_read_back_as_they_were_stored,
    thousands_of_keys_are_stored_and_read,
    devices_that_store_at_once_lose_nothing,
);

const ROOM: &str = "!room:example.org";

async fn the_better_of_two_keys_stays(server: Homeserver) {
    let alice = server.register("alice").await;
    let version = new_version(&alice).await;
    let path = keys_at(&version, Some(ROOM), Some("session"));
    let mut etag = String::new();
    for (new, stays) in [
        (key(false, 9, 9, "first"), true),
        (key(false, 9, 9, "no better"), false),
        (key(false, 9, 10, "forwarded more"), false),
        (key(false, 10, 0, "begins later"), false),
        (key(false, 9, 3, "forwarded less"), true),
        (key(false, 2, 50, "begins earlier"), true),
        (key(true, 40, 40, "verified"), true),
        (key(false, 0, 0, "not verified"), false),
        (key(true, 40, 39, "verified and forwarded less"), true),
        (key(true, 0, 90, "verified and begins earlier"), true),
    ] {
        let stored = alice.put(&path, &new).await.ok();
        let read = alice.get(&path).await.ok();
        assert_eq!(read == new, stays, "{new} against {read}");
        assert_eq!(stored["count"], 1);
        assert_eq!(text(&stored["etag"]) != etag, stays, "the etag moves with the keys: {new}");
        etag = text(&stored["etag"]);
        let told = alice.get("/room_keys/version").await.ok();
        assert_eq!((&told["etag"], &told["count"]), (&json!(etag), &json!(1)));
    }
    // One upload may hold better and worse keys.
    let body =
        json!({ "sessions": { "session": key(false, 0, 0, "worse"), "other": key(false, 1, 1, "new") } });
    let stored = alice.put(&keys_at(&version, Some(ROOM), None), &body).await.ok();
    assert_eq!(stored["count"], 2);
    assert_eq!(alice.get(&path).await.ok()["session_data"]["ciphertext"], "verified and begins earlier");
}

async fn keys_are_read_back_as_they_were_stored(server: Homeserver) {
    let alice = server.register("alice").await;
    let version = new_version(&alice).await;
    let whole = keys_at(&version, None, None);
    assert_eq!(alice.get(&whole).await.ok(), json!({ "rooms": {} }));
    let of_room = keys_at(&version, Some(ROOM), None);
    assert_eq!(alice.get(&of_room).await.ok(), json!({ "sessions": {} }));
    let mut odd = key(true, 4_294_967_295, 0, "żółw \u{1f422} \"quoted\" \\ \u{1}");
    odd["session_data"]["more"] = json!({ "list": [1, null, { "a": "b" }] });
    let body = json!({ "rooms": {
        ROOM: { "sessions": { "a/b+c=": odd, "second": key(false, 1, 2, "x") } },
        "!other:example.org": { "sessions": { "a/b+c=": key(false, 7, 0, "y") } },
    } });
    assert_eq!(alice.put(&whole, &body).await.ok()["count"], 3);
    assert_eq!(alice.get(&whole).await.ok(), body);
    assert_eq!(alice.get(&of_room).await.ok(), body["rooms"][ROOM]);
    assert_eq!(alice.get(&keys_at(&version, Some(ROOM), Some("a/b+c="))).await.ok(), odd);
    alice.get(&keys_at(&version, Some(ROOM), Some("none"))).await.err(404, "M_NOT_FOUND");
    alice.get(&keys_at("999", None, None)).await.err(404, "M_NOT_FOUND");
    let nothing = alice.put(&whole, &json!({ "rooms": {} })).await.ok();
    assert_eq!(nothing["count"], 3);
}

async fn thousands_of_keys_are_stored_and_read(server: Homeserver) {
    let alice = server.register("alice").await;
    let version = new_version(&alice).await;
    let whole = keys_at(&version, None, None);
    let all = many(3_000, 7);
    // Clients send some hundreds at a time; a request of a thousand is taken as well.
    let mut parts = vec![json!({ "rooms": {} }); 3];
    for (room, keys) in all["rooms"].as_object().unwrap() {
        for (n, (session, key)) in keys["sessions"].as_object().unwrap().iter().enumerate() {
            parts[n % 3]["rooms"][room]["sessions"][session] = key.clone();
        }
    }
    let mut count = json!(0);
    for part in &parts {
        count = alice.put(&whole, part).await.ok()["count"].clone();
    }
    assert_eq!(count, 3_000);
    assert_eq!(alice.get(&whole).await.ok(), all);
    let room = "!room3:example.org";
    assert_eq!(alice.get(&keys_at(&version, Some(room), None)).await.ok(), all["rooms"][room]);
    // The same again changes nothing.
    let etag = alice.get("/room_keys/version").await.ok()["etag"].clone();
    let again = alice.put(&whole, &parts[0]).await.ok();
    assert_eq!((&again["etag"], &again["count"]), (&etag, &json!(3_000)));
}

async fn devices_that_store_at_once_lose_nothing(server: Homeserver) {
    let alice = server.register("alice").await;
    let version = new_version(&alice).await;
    let devices = [server.login(alice.user_id()).await, server.login(alice.user_id()).await];
    let upload = |n: usize| {
        let (client, version) = (&devices[n % 2], &version);
        async move {
            let mut sessions = json!({ "shared": key(false, 100 - n as i64, 0, &format!("{n}")) });
            sessions[format!("own{n}")] = key(false, 0, 0, "x");
            let path = keys_at(version, Some(ROOM), None);
            client.put(&path, &json!({ "sessions": sessions })).await.ok()
        }
    };
    let answers = join_all((0..12).map(upload)).await;
    let mut etags: Vec<_> = answers.iter().map(|answer| text(&answer["etag"])).collect();
    etags.sort();
    etags.dedup();
    assert!(etags.len() >= 11, "no two changes have the same etag: {etags:?}");
    let sessions = alice.get(&keys_at(&version, Some(ROOM), None)).await.ok()["sessions"].clone();
    assert_eq!(sessions.as_object().map(serde_json::Map::len), Some(13));
    assert_eq!(sessions["shared"]["first_message_index"], Value::from(100 - 11));
    assert_eq!(alice.get("/room_keys/version").await.ok()["count"], 13);
}
