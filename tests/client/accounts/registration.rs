//! Making an account for oneself.

use harness::{Client, Db, Homeserver, Response, Server, both_databases, on_each_database};
use serde_json::{Value, json};

use crate::client::support::{is_reference, list, text};

both_databases!(
    registering_asks_for_a_stage_and_then_makes_the_account,
    a_taken_name_is_refused,
    names_that_are_none_are_refused,
    a_name_is_made_up_when_none_is_given,
    registering_without_login_gives_no_token,
    a_name_is_registered_once_however_many_try,
    a_guest_gets_an_account_without_a_name,
    a_guest_who_stays_keeps_the_name_and_the_rooms,
);

on_each_database!(
    registering_can_be_closed,
    with_verification_a_registration_token_is_needed_and_used_up,
    a_shared_secret_makes_accounts_and_nothing_else_does,
);

fn fresh(name: &str, server: &Homeserver) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let place = server.base_url().rsplit(':').next().unwrap_or_default();
    format!("{name}-{}-{place}-{n}", std::process::id())
}

fn wish(name: &str) -> Value {
    json!({ "username": name, "password": "a good long password" })
}

async fn register(client: &Client, wish: &Value, auth: Value) -> Response {
    let mut body = wish.clone();
    body["auth"] = auth;
    client.post("/register", &body).await
}

/// The whole way through the dummy stage.
async fn register_with_dummy(client: &Client, wish: &Value) -> Response {
    let asked = client.post("/register", wish).await;
    if asked.status != 401 {
        return asked;
    }
    let session = asked.json["session"].clone();
    register(client, wish, json!({ "type": "m.login.dummy", "session": session })).await
}

async fn registering_asks_for_a_stage_and_then_makes_the_account(server: Homeserver) {
    let anonymous = server.anonymous();
    let name = fresh("new", &server);
    anonymous.get(&format!("/register/available?username={name}")).await.ok();
    let asked = anonymous.post("/register", &wish(&name)).await;
    assert_eq!(asked.status, 401, "{asked}");
    assert_eq!(asked.json["flows"], json!([{ "stages": ["m.login.dummy"] }]), "{asked}");
    assert!(!text(&asked.json["session"]).is_empty());
    let made = register_with_dummy(&anonymous, &wish(&name)).await;
    let client = server.signed_in(made);
    assert_eq!(client.user_id(), format!("@{name}:localhost"));
    client.get("/account/whoami").await.ok();
    anonymous.get(&format!("/register/available?username={name}")).await.err(400, "M_USER_IN_USE");
    let login = json!({
        "type": "m.login.password", "password": "a good long password",
        "identifier": { "type": "m.id.user", "user": name },
    });
    anonymous.post("/login", &login).await.ok();
}

async fn a_taken_name_is_refused(server: Homeserver) {
    let alice = server.register("alice").await;
    for name in [alice.localpart().to_owned(), alice.localpart().to_uppercase()] {
        let answer = server.anonymous().post("/register", &wish(&name)).await;
        assert!(answer.status == 400, "{answer}");
        answer.err(400, "M_USER_IN_USE");
    }
}

async fn names_that_are_none_are_refused(server: Homeserver) {
    let anonymous = server.anonymous();
    let long = "x".repeat(300);
    for name in ["żółw", "with space", "a:b", "@a", "a/\u{0}", "", &long] {
        let answer = anonymous.post("/register", &wish(name)).await;
        if !is_reference() {
            answer.err(400, "M_INVALID_USERNAME");
        }
        let path = format!("/register/available?username={}", harness::enc(name));
        let answer = anonymous.get(&path).await;
        if !is_reference() {
            answer.err(400, "M_INVALID_USERNAME");
        }
    }
    anonymous.get("/register/available").await.refused();
}

async fn a_name_is_made_up_when_none_is_given(server: Homeserver) {
    let anonymous = server.anonymous();
    let one = server.signed_in(register_with_dummy(&anonymous, &json!({ "password": "long enough" })).await);
    let two = server.signed_in(register_with_dummy(&anonymous, &json!({ "password": "long enough" })).await);
    assert_ne!(one.user_id(), two.user_id());
    one.get("/account/whoami").await.ok();
}

async fn registering_without_login_gives_no_token(server: Homeserver) {
    let mut body = wish(&fresh("quiet", &server));
    body["inhibit_login"] = json!(true);
    let made = register_with_dummy(&server.anonymous(), &body).await.ok();
    assert!(made.get("access_token").is_none() && made.get("device_id").is_none(), "{made}");
    assert!(made["user_id"].is_string(), "{made}");
}

async fn a_name_is_registered_once_however_many_try(server: Homeserver) {
    let anonymous = server.anonymous();
    let body = wish(&fresh("wanted", &server));
    let tries = (0..8).map(|_| register_with_dummy(&anonymous, &body));
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.into_iter().filter(|answer| answer.status != 200) {
        answer.err(400, "M_USER_IN_USE");
    }
}

async fn a_guest_gets_an_account_without_a_name(server: Homeserver) {
    let answer = server.anonymous().post("/register?kind=guest", &json!({})).await;
    let guest = server.signed_in(answer);
    let who = guest.get("/account/whoami").await.ok();
    assert_eq!(who["is_guest"], true, "{who}");
    guest.post("/account/password", &json!({ "new_password": "a good long password" })).await.refused();
    let alice = server.register("alice").await;
    let closed = alice.create_room(json!({ "preset": "public_chat" })).await;
    guest.post(&format!("/join/{}", harness::enc(&closed)), &json!({})).await.refused();
    server.anonymous().post("/register?kind=robot", &json!({})).await.refused();
}

async fn a_guest_who_stays_keeps_the_name_and_the_rooms(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anonymous = server.anonymous();
    let guest = server.signed_in(anonymous.post("/register?kind=guest", &json!({})).await);
    let alice = server.register("alice").await;
    let open = json!({ "type": "m.room.guest_access", "content": { "guest_access": "can_join" } });
    let room = alice.create_room(json!({ "preset": "public_chat", "initial_state": [open] })).await;
    guest.join(&room).await;
    let mut wish = wish(guest.localpart());
    wish["guest_access_token"] = json!(alice.token());
    anonymous.post("/register", &wish).await.err(403, "M_FORBIDDEN");
    wish["guest_access_token"] = json!("guess");
    anonymous.post("/register", &wish).await.err(401, "M_UNKNOWN_TOKEN");
    wish["guest_access_token"] = json!(guest.token());
    let mut other = wish.clone();
    other["username"] = json!(fresh("other", &server));
    anonymous.post("/register", &other).await.err(400, "M_INVALID_PARAM");
    let person = server.signed_in(register_with_dummy(&anonymous, &wish).await);
    assert_eq!(person.user_id(), guest.user_id());
    for client in [&person, &guest] {
        assert_ne!(client.get("/account/whoami").await.ok()["is_guest"], true);
    }
    person.create_room(json!({})).await;
    assert!(list(&person.get("/joined_rooms").await.ok()["joined_rooms"]).contains(&json!(room)));
    register_with_dummy(&anonymous, &wish).await.err(403, "M_FORBIDDEN");
}

async fn registering_can_be_closed(db: Db) {
    let server = Server::start_with(
        db,
        &[("registration.enabled", false.into()), ("registration.allow_guests", false.into())],
    );
    let server = server.homeserver();
    let anonymous = server.anonymous();
    anonymous.post("/register", &wish("anna")).await.err(403, "M_FORBIDDEN");
    anonymous.post("/register?kind=guest", &json!({})).await.refused();
    // Administrators still make accounts.
    server.register("anna").await;
}

async fn with_verification_a_registration_token_is_needed_and_used_up(db: Db) {
    let verification = ("registration.require_verification", true.into());
    let running =
        Server::start_with(db, &[verification, ("passwords.test_only_cheap_hashing", false.into())]);
    let server = running.homeserver();
    let admin = server.register_admin("admin").await;
    let made = admin.post("/_kontor/admin/v1/registration_tokens", &json!({ "uses_allowed": 1 })).await;
    assert_eq!(made.status, 201, "{made}");
    let token = text(&made.json["token"]);
    let anonymous = server.anonymous();
    let validity = |token: &str| {
        format!("/_matrix/client/v1/register/m.login.registration_token/validity?token={token}")
    };
    assert_eq!(anonymous.get(&validity(&token)).await.ok()["valid"], true);
    assert_eq!(anonymous.get(&validity("forged")).await.ok()["valid"], false);
    let asked = anonymous.post("/register", &wish("anna")).await;
    let stages = list(&asked.json["flows"][0]["stages"]);
    assert!(stages.contains(&json!("m.login.registration_token")), "{asked}");
    let session = asked.json["session"].clone();
    let auth =
        |token: &str| json!({ "type": "m.login.registration_token", "token": token, "session": session });
    let dummy = json!({ "type": "m.login.dummy", "session": session });
    let refused = register(&anonymous, &wish("anna"), auth("forged")).await;
    assert_eq!(refused.status, 401, "{refused}");
    register(&anonymous, &wish("anna"), dummy).await.refused();
    register(&anonymous, &wish("anna"), auth(&token)).await.ok();
    assert_eq!(anonymous.get(&validity(&token)).await.ok()["valid"], false);
    let again = anonymous.post("/register", &wish("bohdan")).await;
    let session = again.json["session"].clone();
    let auth = json!({ "type": "m.login.registration_token", "token": token, "session": session });
    assert_eq!(register(&anonymous, &wish("bohdan"), auth).await.status, 401);
    let member = server.register("member").await;
    member.post("/_kontor/admin/v1/registration_tokens", &json!({})).await.err(403, "M_FORBIDDEN");
}

async fn a_shared_secret_makes_accounts_and_nothing_else_does(db: Db) {
    let running = Server::start(db);
    let server = running.homeserver();
    server.register_exactly("anna", true).await;
    let path = "/_synapse/admin/v1/register";
    let anonymous = server.anonymous();
    let nonce = text(&anonymous.get(path).await.ok()["nonce"]);
    let forged = json!({
        "nonce": nonce, "username": "eve", "password": "a good long password", "admin": true,
        "mac": "0".repeat(40),
    });
    anonymous.post(path, &forged).await.refused();
    anonymous
        .post(path, &json!({ "nonce": "made up", "username": "eve", "password": "x", "mac": "" }))
        .await
        .refused();
    for (name, value) in
        [("mac", json!(5)), ("mac", json!("x")), ("username", json!(null)), ("nonce", json!([]))]
    {
        let mut body = forged.clone();
        body[name] = value;
        anonymous.post(path, &body).await.refused();
    }
    anonymous.get("/register/available?username=eve").await.ok();
}
