//! Cross-signing: keys of users, who must prove what, and who sees which signature.

use harness::{Client, Homeserver, both_databases};
use serde_json::{Value, json};

use super::keyring::{Cross, Device, device_of, query};
use crate::client::support::is_reference;

both_databases!(
    the_first_keys_need_no_proof_and_others_do,
    the_same_keys_again_need_no_proof,
    of_two_first_uploads_at_once_one_must_prove_itself,
    keys_must_be_the_own_and_signed_by_the_master_key,
    a_key_may_not_have_the_name_of_a_device_nor_a_device_that_of_a_key,
    the_user_signing_key_is_shown_to_its_owner_alone,
    own_signatures_are_shown_to_everybody,
    what_one_signed_of_others_is_shown_to_the_signer_alone,
    wrong_signatures_are_refused_one_by_one,
    replaced_keys_take_their_signatures_along,
);

const UPLOAD: &str = "/keys/device_signing/upload";
const SIGN: &str = "/keys/signatures/upload";

fn proof(server: &Homeserver, client: &Client, session: &Value) -> Value {
    json!({
        "type": "m.login.password", "password": server.password(), "session": session,
        "identifier": { "type": "m.id.user", "user": client.user_id() },
    })
}

/// Uploads keys with the proof that is asked for.
async fn upload_proven(server: &Homeserver, client: &Client, body: &Value) {
    let asked = client.post(UPLOAD, body).await;
    assert_eq!(asked.status, 401, "{asked}");
    let mut proven = body.clone();
    proven["auth"] = proof(server, client, &asked.json["session"]);
    client.post(UPLOAD, &proven).await.ok();
}

/// Signs one of the user's devices with the self-signing key.
fn signed_device(cross: &Cross, device: &Device) -> Value {
    let mut keys = device.unsigned_keys();
    cross.self_signing.sign(&mut keys, device.client.user_id(), &cross.self_signing.id());
    json!({ device.client.user_id(): { device.client.device_id(): keys } })
}

async fn failures(client: &Client, body: &Value) -> Value {
    client.post(SIGN, body).await.ok()["failures"].clone()
}

async fn the_first_keys_need_no_proof_and_others_do(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let first = Cross::published(&alice).await;
    let shown = query(&bob, &[&alice]).await;
    assert_eq!(shown["master_keys"][alice.user_id()], first.key("master"));
    assert_eq!(shown["self_signing_keys"][alice.user_id()], first.key("self_signing"));
    let second = Cross::of(&alice);
    let asked = alice.post(UPLOAD, &second.body()).await;
    assert_eq!(asked.status, 401, "{asked}");
    assert_eq!(asked.json["flows"], json!([{ "stages": ["m.login.password"] }]));
    let mut wrong = second.body();
    wrong["auth"] = proof(&server, &alice, &asked.json["session"]);
    wrong["auth"]["password"] = "wrong".into();
    assert_eq!(alice.post(UPLOAD, &wrong).await.status, 401);
    let shown = query(&bob, &[&alice]).await;
    assert_eq!(shown["master_keys"][alice.user_id()], first.key("master"), "nothing was replaced");
    upload_proven(&server, &alice, &second.body()).await;
    let shown = query(&bob, &[&alice]).await;
    assert_eq!(shown["master_keys"][alice.user_id()], second.key("master"));
    // A single new key that the standing master key signed must be proven too.
    let third = Cross { self_signing: super::keyring::Pair::new(), ..second };
    upload_proven(&server, &alice, &json!({ "self_signing_key": third.key("self_signing") })).await;
    let shown = query(&bob, &[&alice]).await;
    assert_eq!(shown["self_signing_keys"][alice.user_id()], third.key("self_signing"));
}

async fn the_same_keys_again_need_no_proof(server: Homeserver) {
    let alice = server.register("alice").await;
    let cross = Cross::published(&alice).await;
    let since = alice.now().await;
    for body in [cross.body(), json!({ "master_key": cross.key("master") })] {
        alice.post(UPLOAD, &body).await.ok();
    }
    assert!(
        alice
            .sync(Some(&since), 0)
            .await
            .get("device_lists")
            .is_none_or(|told| is_reference() || told["changed"] == json!([]))
    );
}

async fn of_two_first_uploads_at_once_one_must_prove_itself(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let crosses: Vec<_> = (0..10).map(|_| Cross::of(&alice)).collect();
    let uploads = crosses.iter().map(|cross| {
        let (alice, body) = (alice.clone(), cross.body());
        async move { alice.post(UPLOAD, &body).await.status }
    });
    let statuses = futures_util::future::join_all(uploads).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 9, "{statuses:?}");
    let won = statuses.iter().position(|status| *status == 200).unwrap();
    let shown = query(&alice, &[&alice]).await;
    assert_eq!(shown["master_keys"][alice.user_id()], crosses[won].key("master"));
    assert_eq!(shown["user_signing_keys"][alice.user_id()], crosses[won].key("user_signing"));
}

async fn keys_must_be_the_own_and_signed_by_the_master_key(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let (cross, other) = (Cross::of(&alice), Cross::of(&alice));
    alice
        .post(UPLOAD, &json!({ "self_signing_key": cross.key("self_signing") }))
        .await
        .err(400, "M_MISSING_PARAM");
    alice.post(UPLOAD, &Cross::of(&bob).body()).await.err(400, "M_INVALID_PARAM");
    let mut body = cross.body();
    body["self_signing_key"] = other.key("self_signing");
    alice.post(UPLOAD, &body).await.err(400, "M_INVALID_SIGNATURE");
    let mut body = cross.body();
    body["user_signing_key"] = cross.key("self_signing");
    alice.post(UPLOAD, &body).await.err(400, "M_INVALID_PARAM");
    let mut two = cross.key("master");
    two["keys"][other.master.id()] = other.master.public().into();
    alice.post(UPLOAD, &json!({ "master_key": two })).await.err(400, "M_INVALID_PARAM");
    for master in [json!([]), json!({}), json!({ "keys": 5 })] {
        alice.post(UPLOAD, &json!({ "master_key": master })).await.refused();
    }
    assert_eq!(query(&bob, &[&alice]).await["master_keys"], json!({}));
}

async fn a_key_may_not_have_the_name_of_a_device_nor_a_device_that_of_a_key(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let cross = Cross::of(&alice);
    let login = |device: String| {
        json!({
            "type": "m.login.password", "password": server.password(), "device_id": device,
            "identifier": { "type": "m.id.user", "user": alice.user_id() },
        })
    };
    let anonymous = server.anonymous();
    anonymous.post("/login", &login(cross.master.public())).await.ok();
    alice.post(UPLOAD, &cross.body()).await.err(403, "M_FORBIDDEN");
    let cross = Cross::published(&alice).await;
    anonymous.post("/login", &login(cross.self_signing.public())).await.err(403, "M_FORBIDDEN");
}

async fn the_user_signing_key_is_shown_to_its_owner_alone(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let cross = Cross::published(&alice).await;
    let own = query(&alice, &[&alice, &bob]).await;
    assert_eq!(own["user_signing_keys"], json!({ alice.user_id(): cross.key("user_signing") }));
    let shown = query(&bob, &[&alice]).await;
    assert!(shown.get("user_signing_keys").is_none_or(|keys| *keys == json!({})), "{shown}");
    assert!(!shown.to_string().contains(&cross.user_signing.public()));
}

async fn own_signatures_are_shown_to_everybody(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let device = Device::published(&alice).await;
    let cross = Cross::published(&alice).await;
    assert_eq!(failures(&alice, &signed_device(&cross, &device)).await, json!({}));
    let mut master = cross.key("master");
    device.pair.sign(&mut master, alice.user_id(), &device.key_id());
    let body = json!({ alice.user_id(): { cross.master.public(): master } });
    assert_eq!(failures(&alice, &body).await, json!({}));
    for reader in [&alice, &bob] {
        let shown = device_of(reader, &alice).await;
        let signatures = &shown["signatures"][alice.user_id()];
        assert!(signatures[device.key_id()].is_string(), "{shown}");
        assert!(signatures[cross.self_signing.id()].is_string(), "{shown}");
        let shown = query(reader, &[&alice]).await["master_keys"][alice.user_id()].clone();
        assert_eq!(shown, master);
    }
    // The same again is nothing new.
    let since = bob.now().await;
    assert_eq!(failures(&alice, &body).await, json!({}));
    assert!(
        bob.sync(Some(&since), 0).await.get("device_lists").is_none_or(|told| told["changed"] == json!([]))
    );
}

async fn what_one_signed_of_others_is_shown_to_the_signer_alone(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let carol = server.register("carol").await;
    let of_alice = Cross::published(&alice).await;
    let of_bob = Cross::published(&bob).await;
    let mut master = of_bob.key("master");
    of_alice.user_signing.sign(&mut master, alice.user_id(), &of_alice.user_signing.id());
    let body = json!({ bob.user_id(): { of_bob.master.public(): master } });
    assert_eq!(failures(&alice, &body).await, json!({}));
    let shown = async |reader: &Client| query(reader, &[&bob]).await["master_keys"][bob.user_id()].clone();
    assert_eq!(shown(&alice).await, master);
    for reader in [&bob, &carol] {
        assert_eq!(shown(reader).await, of_bob.key("master"));
    }
}

async fn wrong_signatures_are_refused_one_by_one(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let device = Device::published(&alice).await;
    let cross = Cross::published(&alice).await;
    let of_bob = Cross::published(&bob).await;
    let stranger = Cross::of(&alice);
    let mut body = json!({ alice.user_id(): {}, bob.user_id(): {} });
    // Made by a key that is not the user's.
    let mut wrong = device.unsigned_keys();
    stranger.self_signing.sign(&mut wrong, alice.user_id(), &cross.self_signing.id());
    body[alice.user_id()][alice.device_id()] = wrong;
    // Of something else than what is known.
    let mut changed = cross.key("master");
    changed["more"] = 1.into();
    device.pair.sign(&mut changed, alice.user_id(), &device.key_id());
    body[alice.user_id()][cross.master.public()] = changed;
    // Of what does not exist, and of what is nobody else's to sign.
    body[alice.user_id()]["NOSUCH"] = device.unsigned_keys();
    let mut foreign = of_bob.key("self_signing");
    cross.user_signing.sign(&mut foreign, alice.user_id(), &cross.user_signing.id());
    body[bob.user_id()][of_bob.self_signing.public()] = foreign;
    // Among them a right one.
    let mut right = of_bob.key("master");
    cross.user_signing.sign(&mut right, alice.user_id(), &cross.user_signing.id());
    body[bob.user_id()][of_bob.master.public()] = right.clone();
    let failed = failures(&alice, &body).await;
    let code = |user: &Client, key: &str| failed[user.user_id()][key]["errcode"].clone();
    assert_eq!(code(&alice, alice.device_id()), "M_INVALID_SIGNATURE", "{failed}");
    assert_eq!(code(&alice, &cross.master.public()), "M_INVALID_PARAM", "{failed}");
    assert_eq!(code(&alice, "NOSUCH"), "M_NOT_FOUND", "{failed}");
    assert_eq!(code(&bob, &of_bob.self_signing.public()), "M_NOT_FOUND", "{failed}");
    assert!(code(&bob, &of_bob.master.public()).is_null(), "{failed}");
    assert_eq!(query(&alice, &[&bob]).await["master_keys"][bob.user_id()], right);
    let shown = device_of(&alice, &alice).await;
    assert_eq!(shown["signatures"], device.keys()["signatures"]);
}

async fn replaced_keys_take_their_signatures_along(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let device = Device::published(&alice).await;
    let cross = Cross::published(&alice).await;
    assert_eq!(failures(&alice, &signed_device(&cross, &device)).await, json!({}));
    let next = Cross::of(&alice);
    upload_proven(&server, &alice, &next.body()).await;
    let shown = device_of(&alice, &alice).await;
    assert_eq!(shown["signatures"], device.keys()["signatures"], "the old key's signature is gone");
    assert_eq!(failures(&alice, &signed_device(&next, &device)).await, json!({}));
    let shown = device_of(&alice, &alice).await;
    assert!(shown["signatures"][alice.user_id()][next.self_signing.id()].is_string());
}
