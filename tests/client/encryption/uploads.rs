//! What devices publish, and what is refused.

use harness::{Homeserver, both_databases, enc};
use serde_json::{Value, json};

use super::keyring::{Device, claim, curve25519, device_of, query};
use crate::client::support::is_reference;

both_databases!(
    published_keys_are_shown_with_the_name_of_the_device,
    unknown_users_and_other_servers_are_told_apart,
    a_repeated_upload_changes_nothing,
    keys_of_another_user_or_device_are_refused,
    keys_without_a_right_signature_are_refused,
    identity_keys_cannot_be_exchanged,
    another_one_time_key_of_a_known_id_is_refused,
    a_key_that_was_given_out_is_not_given_out_again_when_its_upload_is_repeated,
    uploads_have_bounds,
    key_counts_are_always_told,
);

async fn published_keys_are_shown_with_the_name_of_the_device(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let device = Device::published(&alice).await;
    let path = format!("/devices/{}", enc(alice.device_id()));
    alice.put(&path, &json!({ "display_name": "Alice's phone 📱" })).await.ok();
    let mut shown = device_of(&bob, &alice).await;
    assert_eq!(shown["unsigned"]["device_display_name"], "Alice's phone 📱");
    shown.as_object_mut().unwrap().remove("unsigned");
    assert_eq!(shown, device.keys(), "the rest is what was uploaded");
    // A second device without keys is no device to others.
    let other = server.login(alice.user_id()).await;
    let listed = query(&bob, &[&alice]).await["device_keys"][alice.user_id()].clone();
    assert!(listed.get(other.device_id()).is_none(), "{listed}");
    // One device by its id.
    Device::published(&other).await;
    let body = json!({ "device_keys": { alice.user_id(): [other.device_id(), "NOSUCH"] } });
    let listed = bob.post("/keys/query", &body).await.ok()["device_keys"][alice.user_id()].clone();
    assert_eq!(listed.as_object().unwrap().keys().collect::<Vec<_>>(), [other.device_id()]);
}

async fn unknown_users_and_other_servers_are_told_apart(server: Homeserver) {
    let alice = server.register("alice").await;
    let own = alice.user_id().split_once(':').unwrap().1;
    let nobody = format!("@nobody-at-all:{own}");
    let users = json!({ nobody.as_str(): [], "@anna:elsewhere.example": [], alice.user_id(): [] });
    let answer = alice.post("/keys/query", &json!({ "device_keys": users })).await.ok();
    assert_eq!(answer["device_keys"][alice.user_id()], json!({}), "a user without keys: {answer}");
    let unknown = &answer["device_keys"][&nobody];
    assert!(unknown.is_null() || (is_reference() && *unknown == json!({})), "{answer}");
    assert!(answer["failures"]["elsewhere.example"].is_object(), "{answer}");
    let keys = json!({
        nobody.as_str(): { "A": "signed_curve25519" },
        "@anna:elsewhere.example": { "A": "signed_curve25519" },
    });
    let answer = alice.post("/keys/claim", &json!({ "one_time_keys": keys })).await.ok();
    assert_eq!(answer["one_time_keys"], json!({}));
    assert!(answer["failures"]["elsewhere.example"].is_object(), "{answer}");
    for body in [json!({}), json!({ "device_keys": [] }), json!({ "device_keys": { alice.user_id(): {} } })] {
        alice.post("/keys/query", &body).await.refused();
    }
}

async fn a_repeated_upload_changes_nothing(server: Homeserver) {
    let alice = server.register("alice").await;
    let device = Device::of(&alice);
    let body = json!({
        "device_keys": device.keys(),
        "one_time_keys": device.one_time_keys("a", 3),
        "fallback_keys": { "signed_curve25519:f": device.fallback_key() },
    });
    let mut since = alice.now().await;
    for _ in 0..3 {
        let answer = device.upload(&body).await.ok();
        assert_eq!(answer["one_time_key_counts"], json!({ "signed_curve25519": 3 }));
    }
    let told = |answer: &Value| answer["device_lists"]["changed"].as_array().cloned().unwrap_or_default();
    let answer = alice.sync(Some(&since), 0).await;
    assert_eq!(told(&answer), [alice.user_id()]);
    since = answer["next_batch"].as_str().unwrap().to_owned();
    device.upload(&body).await.ok();
    assert!(told(&alice.sync(Some(&since), 0).await).is_empty(), "the device did not change");
    // The answer of an upload of nothing says how many keys wait.
    let answer = device.upload(&json!({})).await.ok();
    assert_eq!(answer["one_time_key_counts"], json!({ "signed_curve25519": 3 }));
}

async fn keys_of_another_user_or_device_are_refused(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let (device, other) = (Device::of(&alice), Device::of(&bob));
    device.upload(&json!({ "device_keys": other.keys() })).await.err(400, "M_INVALID_PARAM");
    let mut keys = device.unsigned_keys();
    keys["device_id"] = "ANOTHER".into();
    device.upload(&json!({ "device_keys": device.signed(keys) })).await.err(400, "M_INVALID_PARAM");
    let mut keys = device.unsigned_keys();
    keys["keys"]["curve25519:ANOTHER"] = curve25519().into();
    device.upload(&json!({ "device_keys": device.signed(keys) })).await.err(400, "M_INVALID_PARAM");
    assert!(device_of(&bob, &alice).await.is_null());
}

async fn keys_without_a_right_signature_are_refused(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let device = Device::of(&alice);
    device.upload(&json!({ "device_keys": device.unsigned_keys() })).await.err(400, "M_INVALID_SIGNATURE");
    let mut changed = device.keys();
    changed["algorithms"] = json!(["m.olm.v1.curve25519-aes-sha2"]);
    device.upload(&json!({ "device_keys": changed })).await.err(400, "M_INVALID_SIGNATURE");
    // Nothing proves a one-time key before the device has an identity.
    let keys = json!({ "signed_curve25519:a": device.one_time_key() });
    device.upload(&json!({ "one_time_keys": keys })).await.err(400, "M_INVALID_PARAM");
    device.upload(&json!({ "device_keys": device.keys() })).await.ok();
    let stranger = Device::of(&alice);
    for name in ["one_time_keys", "fallback_keys"] {
        let wrong = json!({ "signed_curve25519:a": stranger.one_time_key() });
        device.upload(&json!({ name: wrong })).await.err(400, "M_INVALID_SIGNATURE");
        let unsigned = json!({ "signed_curve25519:a": { "key": curve25519() } });
        device.upload(&json!({ name: unsigned })).await.err(400, "M_INVALID_SIGNATURE");
        let unsigned = json!({ "curve25519:a": curve25519() });
        device.upload(&json!({ name: unsigned })).await.err(400, "M_INVALID_PARAM");
    }
    assert!(claim(&bob, &alice).await.is_none());
}

async fn identity_keys_cannot_be_exchanged(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let device = Device::published(&alice).await;
    let other = Device::of(&alice);
    other.upload(&json!({ "device_keys": other.keys() })).await.err(400, "M_INVALID_PARAM");
    // What it can do may change.
    let mut keys = device.unsigned_keys();
    keys["algorithms"] = json!(["m.megolm.v1.aes-sha2"]);
    device.upload(&json!({ "device_keys": device.signed(keys) })).await.ok();
    let shown = device_of(&bob, &alice).await;
    assert_eq!(shown["algorithms"], json!(["m.megolm.v1.aes-sha2"]));
    assert_eq!(shown["keys"][device.key_id()], device.pair.public());
}

async fn another_one_time_key_of_a_known_id_is_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let device = Device::published(&alice).await;
    let keys = json!({ "signed_curve25519:a": device.one_time_key() });
    assert_eq!(device.add_keys(&keys).await, 1);
    let others =
        json!({ "signed_curve25519:a": device.one_time_key(), "signed_curve25519:b": device.one_time_key() });
    device.upload(&json!({ "one_time_keys": others })).await.refused();
    let (name, key) = claim(&bob, &alice).await.unwrap();
    assert_eq!((name.as_str(), &key), ("signed_curve25519:a", &keys["signed_curve25519:a"]));
    assert!(claim(&bob, &alice).await.is_none(), "nothing of the refused upload was kept");
}

async fn a_key_that_was_given_out_is_not_given_out_again_when_its_upload_is_repeated(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let device = Device::published(&alice).await;
    let keys = device.one_time_keys("a", 2);
    assert_eq!(device.add_keys(&keys).await, 2);
    let (first, _) = claim(&bob, &alice).await.unwrap();
    // The answer of the upload was lost, and the client sends it again.
    assert_eq!(device.add_keys(&keys).await, 1);
    let (second, _) = claim(&bob, &alice).await.unwrap();
    assert_ne!(first, second);
    assert!(claim(&bob, &alice).await.is_none());
    // Another key may take the id of one that was given out.
    let again = json!({ first.as_str(): device.one_time_key() });
    assert_eq!(device.add_keys(&again).await, 1);
    assert_eq!(claim(&bob, &alice).await.unwrap().1, again[&first]);
}

async fn uploads_have_bounds(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let device = Device::published(&alice).await;
    let long = device.signed(json!({ "key": curve25519(), "more": "x".repeat(10_000) }));
    let huge = device.signed(json!({ "key": "x".repeat(20) }));
    let name = format!("signed_curve25519:{}", "x".repeat(300));
    for keys in [
        json!({ "signed_curve25519:a": long }),
        json!({ "signed_curve25519:a": huge }),
        json!({ name.as_str(): device.one_time_key() }),
        json!({ "signed_curve25519:": device.one_time_key() }),
        json!({ "signed_curve25519:\u{0}": device.one_time_key() }),
        json!({ "signed_curve25519:a": 5 }),
        json!({ "signed_curve25519:a": { "key": 1.5 } }),
        json!([]),
    ] {
        device.upload(&json!({ "one_time_keys": keys })).await.refused();
    }
    for part in 0..4 {
        device.add_keys(&device.one_time_keys(&format!("p{part}-"), 250)).await;
    }
    let more = device.one_time_keys("more", 1);
    device.upload(&json!({ "one_time_keys": more })).await.err(413, "M_TOO_LARGE");
    let two =
        json!({ "signed_curve25519:a": device.fallback_key(), "signed_curve25519:b": device.fallback_key() });
    device.upload(&json!({ "fallback_keys": two })).await.refused();
    for keys in [json!([]), json!("x"), json!({}), json!({ "user_id": alice.user_id() })] {
        device.upload(&json!({ "device_keys": keys })).await.refused();
    }
}

async fn key_counts_are_always_told(server: Homeserver) {
    let alice = server.register("alice").await;
    let counts = |answer: &Value| {
        let unused = answer["device_unused_fallback_key_types"].clone();
        (answer["device_one_time_keys_count"]["signed_curve25519"].clone(), unused)
    };
    let first = alice.sync(None, 0).await;
    assert_eq!(counts(&first), (json!(0), json!([])), "also when there are none");
    let since = first["next_batch"].as_str().unwrap();
    let next = alice.sync(Some(since), 0).await;
    assert_eq!(counts(&next), (json!(0), json!([])));
    let waited = alice.sync(next["next_batch"].as_str(), 50).await;
    assert_eq!(counts(&waited), (json!(0), json!([])), "also when nothing happened");
    let device = Device::published(&alice).await;
    let keys = json!({
        "one_time_keys": device.one_time_keys("a", 2),
        "fallback_keys": { "signed_curve25519:f": device.fallback_key() },
    });
    device.upload(&keys).await.ok();
    let expected = (json!(2), json!(["signed_curve25519"]));
    let next = alice.sync(waited["next_batch"].as_str(), 0).await;
    assert_eq!(counts(&next), expected);
    let next = alice.sync(next["next_batch"].as_str(), 0).await;
    assert_eq!(counts(&next), expected, "nothing changed");
    assert_eq!(counts(&alice.sync(None, 0).await), expected);
    // Counts are those of the device that asks.
    let other = server.login(alice.user_id()).await;
    assert_eq!(counts(&other.sync(None, 0).await), (json!(0), json!([])));
}
