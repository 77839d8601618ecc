//! The life of sessions: logging out, and the errors of tokens that are not good.

use harness::{Homeserver, both_databases};
use serde_json::json;

use crate::client::support::{is_reference, list};

both_databases!(
    logging_out_ends_one_session,
    logging_out_everywhere_ends_all,
    tokens_that_are_not_good_say_so,
    a_session_whose_device_lives_on_ends_softly,
    a_locked_account_is_told_so_and_may_log_out,
);

async fn logging_out_ends_one_session(server: Homeserver) {
    let alice = server.register("alice").await;
    let other = server.login(alice.user_id()).await;
    alice.post("/logout", &json!({})).await.ok();
    let refused = alice.get("/account/whoami").await.err(401, "M_UNKNOWN_TOKEN");
    assert_ne!(refused["soft_logout"], true, "{refused}");
    alice.post("/logout", &json!({})).await.err(401, "M_UNKNOWN_TOKEN");
    let devices = list(&other.get("/devices").await.ok()["devices"]);
    assert_eq!(devices.len(), 1, "the device goes with its session");
    // Also without a body.
    other.request(reqwest::Method::POST, "/logout", None).await.ok();
}

async fn logging_out_everywhere_ends_all(server: Homeserver) {
    let alice = server.register("alice").await;
    let other = server.login(alice.user_id()).await;
    let bob = server.register("bob").await;
    other.post("/logout/all", &json!({})).await.ok();
    for client in [&alice, &other] {
        client.get("/account/whoami").await.err(401, "M_UNKNOWN_TOKEN");
        client.get("/sync").await.err(401, "M_UNKNOWN_TOKEN");
    }
    bob.get("/account/whoami").await.ok();
    let again = server.login(alice.user_id()).await;
    assert_eq!(list(&again.get("/devices").await.ok()["devices"]).len(), 1);
}

async fn tokens_that_are_not_good_say_so(server: Homeserver) {
    let anonymous = server.anonymous();
    anonymous.get("/account/whoami").await.err(401, "M_MISSING_TOKEN");
    for path in ["/sync", "/joined_rooms", "/devices", "/pushrules/", "/rooms/%21x%3Ay/messages?dir=b"] {
        anonymous.get(path).await.err(401, "M_MISSING_TOKEN");
    }
    let odd = if is_reference() { "y" } else { "🐢" };
    for token in ["x", "syt_forged", odd, &"x".repeat(5_000)] {
        let path = format!("/account/whoami?access_token={}", harness::enc(token));
        let refused = anonymous.get(&path).await.err(401, "M_UNKNOWN_TOKEN");
        assert_ne!(refused["soft_logout"], true, "{refused}");
    }
    let odd = ["Basic abc", "Bearer", "Bearer ", "bearer", "\u{e9}"];
    for header in odd {
        let url = server.url("/account/whoami");
        let Ok(value) = reqwest::header::HeaderValue::from_bytes(header.as_bytes()) else { continue };
        let answer = server.http().get(url).header("authorization", value).send().await.unwrap();
        let status = answer.status().as_u16();
        assert!(status == 401 || (is_reference() && status < 500), "{header}: {status}");
    }
}

async fn a_session_whose_device_lives_on_ends_softly(server: Homeserver) {
    if is_reference() {
        return;
    }
    let alice = server.register("alice").await;
    let again = json!({
        "type": "m.login.password", "password": server.password(), "device_id": alice.device_id(),
        "identifier": { "type": "m.id.user", "user": alice.user_id() },
    });
    let next = server.signed_in(server.anonymous().post("/login", &again).await);
    let refused = alice.get("/account/whoami").await.err(401, "M_UNKNOWN_TOKEN");
    assert_eq!(refused["soft_logout"], true, "the client may keep its keys: {refused}");
    next.post("/logout", &json!({})).await.ok();
    let refused = next.get("/account/whoami").await.err(401, "M_UNKNOWN_TOKEN");
    assert_ne!(refused["soft_logout"], true, "{refused}");
}

async fn a_locked_account_is_told_so_and_may_log_out(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let alice = server.register("alice").await;
    let path = format!("/_matrix/client/v1/admin/lock/{}", harness::enc(alice.user_id()));
    alice.put(&path, &json!({ "locked": true })).await.err(403, "M_FORBIDDEN");
    admin.put(&path, &json!({ "locked": true })).await.ok();
    let refused = alice.get("/account/whoami").await.err(401, "M_USER_LOCKED");
    assert_eq!(refused["soft_logout"], true, "{refused}");
    alice.get("/sync").await.err(401, "M_USER_LOCKED");
    admin.put(&path, &json!({ "locked": false })).await.ok();
    alice.get("/account/whoami").await.ok();
    admin.put(&path, &json!({ "locked": true })).await.ok();
    alice.post("/logout", &json!({})).await.ok();
    admin.put(&path, &json!({ "locked": false })).await.ok();
    alice.get("/account/whoami").await.err(401, "M_UNKNOWN_TOKEN");
}
