//! Changing the password.

use harness::{Client, Db, Homeserver, Server, both_databases, on_each_database};
use serde_json::{Value, json};

both_databases!(
    a_new_password_works_and_the_old_one_does_not,
    a_new_password_ends_the_other_sessions,
    a_new_password_may_leave_the_other_sessions_alone,
    a_new_password_needs_the_old_one,
);

on_each_database!(weak_passwords_are_refused);

const NEW: &str = "a quite different one";

fn proof(client: &Client, password: &str) -> Value {
    json!({
        "type": "m.login.password", "password": password,
        "identifier": { "type": "m.id.user", "user": client.user_id() },
    })
}

async fn login(server: &Homeserver, client: &Client, password: &str) -> harness::Response {
    server.anonymous().post("/login", &proof(client, password)).await
}

async fn a_new_password_works_and_the_old_one_does_not(server: Homeserver) {
    let alice = server.register("alice").await;
    let body = json!({ "auth": proof(&alice, server.password()), "new_password": NEW });
    alice.post("/account/password", &body).await.ok();
    login(&server, &alice, NEW).await.ok();
    login(&server, &alice, server.password()).await.err(403, "M_FORBIDDEN");
}

async fn a_new_password_ends_the_other_sessions(server: Homeserver) {
    let alice = server.register("alice").await;
    let other = server.login(alice.user_id()).await;
    let body = json!({ "auth": proof(&alice, server.password()), "new_password": NEW });
    alice.post("/account/password", &body).await.ok();
    other.get("/account/whoami").await.err(401, "M_UNKNOWN_TOKEN");
    alice.get("/account/whoami").await.ok();
}

async fn a_new_password_may_leave_the_other_sessions_alone(server: Homeserver) {
    let alice = server.register("alice").await;
    let other = server.login(alice.user_id()).await;
    let auth = proof(&alice, server.password());
    let body = json!({ "auth": auth, "new_password": NEW, "logout_devices": false });
    alice.post("/account/password", &body).await.ok();
    other.get("/account/whoami").await.ok();
}

async fn a_new_password_needs_the_old_one(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let asked = alice.post("/account/password", &json!({ "new_password": NEW })).await;
    assert_eq!(asked.status, 401, "{asked}");
    assert_eq!(asked.json["flows"], json!([{ "stages": ["m.login.password"] }]), "{asked}");
    for auth in [
        proof(&alice, "wrong"),
        // Somebody else's password proves nothing.
        proof(&bob, server.password()),
        json!({ "type": "m.login.dummy" }),
        json!({ "session": asked.json["session"] }),
    ] {
        let answer = alice.post("/account/password", &json!({ "auth": auth, "new_password": NEW })).await;
        assert!([400, 401, 403].contains(&answer.status), "{answer}");
    }
    login(&server, &alice, server.password()).await.ok();
    login(&server, &alice, NEW).await.err(403, "M_FORBIDDEN");
}

/// On a server of its own: where passwords are hashed cheaply, short ones are taken.
async fn weak_passwords_are_refused(db: Db) {
    let running = Server::start_with(db, &[("passwords.test_only_cheap_hashing", false.into())]);
    let server = running.homeserver();
    let alice = server.register("alice").await;
    for (password, errcode) in
        [("", "M_WEAK_PASSWORD"), ("short", "M_WEAK_PASSWORD"), (&"x".repeat(10_000), "M_INVALID_PARAM")]
    {
        let body = json!({ "auth": proof(&alice, server.password()), "new_password": password });
        alice.post("/account/password", &body).await.err(400, errcode);
        let wish = json!({ "username": "weak", "password": password });
        server.anonymous().post("/register", &wish).await.err(400, errcode);
    }
    login(&server, &alice, server.password()).await.ok();
    server.anonymous().get("/register/available?username=weak").await.ok();
}
