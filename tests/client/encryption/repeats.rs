//! Requests that are repeated at the same moment have one effect.

use futures_util::future::join_all;
use harness::{Homeserver, both_databases};
use serde_json::json;

use super::keyring::{Cross, Device, claim};
use crate::client::support::list;

both_databases!(fifty_repeats_of_a_message_deliver_it_once, fifty_repeats_of_an_upload_keep_it_once,);

async fn fifty_repeats_of_a_message_deliver_it_once(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let body = json!({ "messages": { bob.user_id(): { "*": { "n": 1 } } } });
    let repeats = join_all((0..50).map(|_| alice.put("/sendToDevice/dev.kontor.test/once", &body))).await;
    for answer in repeats {
        answer.ok();
    }
    let answer = bob.sync(None, 0).await;
    assert_eq!(list(&answer["to_device"]["events"]).len(), 1);
    // Later as well, although the message was received.
    let next = bob.sync(answer["next_batch"].as_str(), 0).await;
    alice.put("/sendToDevice/dev.kontor.test/once", &body).await.ok();
    let last = bob.sync(next["next_batch"].as_str(), 0).await;
    assert!(list(&last["to_device"]["events"]).is_empty());
    // The id belongs to the type, and to the device that sends.
    alice.put("/sendToDevice/dev.kontor.other/once", &body).await.ok();
    let phone = server.login(alice.user_id()).await;
    phone.put("/sendToDevice/dev.kontor.test/once", &body).await.ok();
    let last = bob.sync(last["next_batch"].as_str(), 0).await;
    assert_eq!(list(&last["to_device"]["events"]).len(), 2);
}

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
