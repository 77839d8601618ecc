//! Uploads that are repeated at the same moment have one effect. Requests with a transaction id have
//! their claims in `tests/client/idempotency.rs`.

use futures_util::future::join_all;
use harness::{Homeserver, both_databases};
use serde_json::json;

use super::keyring::{Cross, Device, claim};

both_databases!(fifty_repeats_of_an_upload_keep_it_once);

async fn fifty_repeats_of_an_upload_keep_it_once(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let device = Device::of(&alice);
    let body = json!({
        "device_keys": device.keys(),
        "one_time_keys": device.one_time_keys("a", 5),
        "fallback_keys": { "signed_curve25519:f": device.fallback_key() },
    });
    for answer in join_all((0..50).map(|_| device.upload(&body))).await {
        assert_eq!(answer.ok()["one_time_key_counts"], json!({ "signed_curve25519": 5 }));
    }
    let cross = Cross::of(&alice).body();
    for answer in join_all((0..50).map(|_| alice.post("/keys/device_signing/upload", &cross))).await {
        answer.ok();
    }
    let mut names = Vec::new();
    for _ in 0..5 {
        names.push(claim(&bob, &alice).await.unwrap().0);
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 5);
    assert_eq!(claim(&bob, &alice).await.unwrap().0, "signed_curve25519:f");
}
