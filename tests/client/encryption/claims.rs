//! One-time keys are given out once; fallback keys when none is left.

use std::collections::{HashMap, HashSet};

use futures_util::future::join_all;
use harness::{Db, Homeserver, Server, both_databases, run_claim};
use serde_json::json;

use super::keyring::{Device, claim};
use crate::client::support::is_reference;

both_databases!(
    keys_are_given_out_in_the_order_of_their_uploads,
    fifty_concurrent_claims_take_fifty_keys,
    a_fallback_key_is_given_out_when_none_is_left_and_told_as_used,
    the_device_hears_at_once_that_a_key_was_taken,
    keys_go_with_their_device,
);

#[test]
fn claims_on_three_processes_take_each_key_once() {
    run_claim(claims_on_three_processes, Db::Postgres);
}

async fn keys_are_given_out_in_the_order_of_their_uploads(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let device = Device::published(&alice).await;
    for prefix in ["z", "m", "a"] {
        device.add_keys(&device.one_time_keys(prefix, 2)).await;
    }
    let mut order = Vec::new();
    while let Some((name, _)) = claim(&bob, &alice).await {
        order.push(name["signed_curve25519:".len()..][..1].to_owned());
    }
    assert_eq!(order, ["z", "z", "m", "m", "a", "a"]);
}

async fn fifty_concurrent_claims_take_fifty_keys(server: Homeserver) {
    let alice = server.register("alice").await;
    let claimer = server.register("claimer").await;
    let device = Device::published(&alice).await;
    assert_eq!(device.add_keys(&device.one_time_keys("k", 50)).await, 50);
    let claims = join_all((0..60).map(|_| claim(&claimer, &alice))).await;
    let taken: Vec<String> = claims.into_iter().flatten().map(|(name, _)| name).collect();
    assert_eq!(taken.len(), 50);
    assert_eq!(taken.iter().collect::<HashSet<_>>().len(), 50, "no key twice");
}

async fn a_fallback_key_is_given_out_when_none_is_left_and_told_as_used(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let device = Device::published(&alice).await;
    let fallback = device.fallback_key();
    let keys = json!({
        "one_time_keys": device.one_time_keys("k", 1),
        "fallback_keys": { "signed_curve25519:f": fallback },
    });
    device.upload(&keys).await.ok();
    let unused = async || alice.sync(None, 0).await["device_unused_fallback_key_types"].clone();
    assert_eq!(claim(&bob, &alice).await.unwrap().0, "signed_curve25519:k0");
    assert_eq!(unused().await, json!(["signed_curve25519"]));
    for _ in 0..3 {
        assert_eq!(claim(&bob, &alice).await.unwrap(), ("signed_curve25519:f".to_owned(), fallback.clone()));
        assert_eq!(unused().await, json!([]));
    }
    // The same upload again does not make it unused; another key does.
    device.upload(&keys).await.ok();
    assert_eq!(unused().await, json!([]));
    let next = device.fallback_key();
    device.upload(&json!({ "fallback_keys": { "signed_curve25519:g": next } })).await.ok();
    assert_eq!(unused().await, json!(["signed_curve25519"]));
    let taken: Vec<_> = join_all((0..20).map(|_| claim(&bob, &alice))).await;
    // The repeated upload brought the one-time key back nowhere: it was given out before.
    for (name, key) in taken.into_iter().flatten() {
        assert!(name == "signed_curve25519:g" || is_reference(), "{name}");
        assert!(key == next || is_reference());
    }
}

async fn the_device_hears_at_once_that_a_key_was_taken(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let device = Device::published(&alice).await;
    device.add_keys(&device.one_time_keys("k", 2)).await;
    let mut since = alice.now().await;
    let waiting = alice.clone();
    let poll = tokio::spawn(async move {
        waiting
            .sync_until(&mut since, |answer| {
                (answer["device_one_time_keys_count"]["signed_curve25519"] == 1).then_some(())
            })
            .await;
    });
    claim(&bob, &alice).await.unwrap();
    poll.await.unwrap();
}

async fn keys_go_with_their_device(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let phone = server.login(alice.user_id()).await;
    let device = Device::published(&phone).await;
    device.add_keys(&device.one_time_keys("k", 3)).await;
    let fallback = json!({ "fallback_keys": { "signed_curve25519:f": device.fallback_key() } });
    device.upload(&fallback).await.ok();
    phone.post("/logout", &json!({})).await.ok();
    assert!(claim(&bob, &phone).await.is_none());
    assert!(super::keyring::device_of(&bob, &phone).await.is_null());
}

async fn claims_on_three_processes(db: Db) {
    let first = Server::start(db);
    let peers = [first.peer("b"), first.peer("c")];
    let doors = [first.homeserver(), peers[0].homeserver(), peers[1].homeserver()];
    let alice = doors[0].register("alice").await;
    let bob = doors[0].register("bob").await;
    let device = Device::published(&alice).await;
    device.add_keys(&device.one_time_keys("k", 60)).await;
    let fallback = json!({ "fallback_keys": { "signed_curve25519:f": device.fallback_key() } });
    device.upload(&fallback).await.ok();
    let claimers: Vec<_> = doors.iter().map(|door| door.client_like(&bob)).collect();
    let claims = join_all((0..75).map(|n| claim(&claimers[n % 3], &alice))).await;
    let mut times: HashMap<String, usize> = HashMap::new();
    for (name, _) in claims.into_iter().map(|claim| claim.expect("a one-time or the fallback key")) {
        *times.entry(name).or_default() += 1;
    }
    assert_eq!(times.remove("signed_curve25519:f"), Some(15));
    assert_eq!(times.len(), 60);
    assert!(times.values().all(|count| *count == 1), "{times:?}");
}
