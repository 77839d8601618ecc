//! Tokens for widgets, the ways to log in that there are not, and documents to accept.

use harness::{Db, Homeserver, Server, both_databases, enc, on_each_database};
use serde_json::json;

use crate::client::support::{is_reference, text};

both_databases!(
    a_widgets_server_learns_who_somebody_is,
    a_token_for_widgets_is_no_access_token,
    there_is_no_single_sign_on_yet,
);

on_each_database!(documents_are_accepted_when_registering);

const USERINFO: &str = "/_matrix/federation/v1/openid/userinfo";

fn path(user: &str) -> String {
    format!("/user/{}/openid/request_token", enc(user))
}

async fn a_widgets_server_learns_who_somebody_is(server: Homeserver) {
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let token = anna.post(&path(anna.user_id()), &json!({})).await.ok();
    assert_eq!(text(&token["token_type"]), "Bearer");
    assert!(token["expires_in"].as_i64().is_some_and(|seconds| seconds > 0), "{token}");
    assert!(anna.user_id().ends_with(&text(&token["matrix_server_name"])), "{token}");
    let shown = format!("{USERINFO}?access_token={}", enc(&text(&token["access_token"])));
    assert_eq!(server.anonymous().get(&shown).await.ok(), json!({ "sub": anna.user_id() }));
    bob.post(&path(anna.user_id()), &json!({})).await.err(403, "M_FORBIDDEN");
    server.anonymous().post(&path(anna.user_id()), &json!({})).await.err(401, "M_MISSING_TOKEN");
}

async fn a_token_for_widgets_is_no_access_token(server: Homeserver) {
    let anna = server.register("anna").await;
    let token = text(&anna.post(&path(anna.user_id()), &json!({})).await.ok()["access_token"]);
    let whoami = reqwest::Method::GET;
    server.request(whoami, "/account/whoami", Some(&token), None).await.err(401, "M_UNKNOWN_TOKEN");
    let anonymous = server.anonymous();
    for wrong in ["guess", anna.token(), ""] {
        let answer = anonymous.get(&format!("{USERINFO}?access_token={}", enc(wrong))).await;
        if is_reference() {
            answer.refused();
        } else {
            answer.err(401, "M_UNKNOWN_TOKEN");
        }
    }
    anonymous.get(USERINFO).await.refused();
}

async fn there_is_no_single_sign_on_yet(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anonymous = server.anonymous();
    anonymous.get("/_matrix/client/v1/auth_metadata").await.err(404, "M_UNRECOGNIZED");
    anonymous.get("/login/sso/redirect?redirectUrl=https://a.example").await.err(404, "M_UNRECOGNIZED");
    anonymous.get("/login/sso/redirect/idp?redirectUrl=https://a.example").await.err(404, "M_UNRECOGNIZED");
    let flows = anonymous.get("/login").await.ok();
    assert!(!flows.to_string().contains("m.login.sso"), "{flows}");
}

async fn documents_are_accepted_when_registering(db: Db) {
    let mut document = toml::Table::new();
    for (key, value) in [
        ("id", "privacy"),
        ("version", "1.0"),
        ("language", "pl"),
        ("name", "Prywatność"),
        ("url", "https://company.example/privacy"),
    ] {
        document.insert(key.into(), value.into());
    }
    let running = Server::start_with(db, &[("terms", vec![toml::Value::Table(document)].into())]);
    let server = running.homeserver();
    let anonymous = server.anonymous();
    let wish = json!({ "username": "anna", "password": "a good long password" });
    let asked = anonymous.post("/register", &wish).await;
    assert_eq!((asked.status, &asked.json["flows"]), (401, &json!([{ "stages": ["m.login.terms"] }])));
    let document = &asked.json["params"]["m.login.terms"]["policies"]["privacy"];
    assert_eq!(
        (text(&document["version"]), text(&document["pl"]["name"])),
        ("1.0".into(), "Prywatność".into())
    );
    let mut dummy = wish.clone();
    dummy["auth"] = json!({ "type": "m.login.dummy", "session": asked.json["session"] });
    anonymous.post("/register", &dummy).await.refused();
    let mut accepted = wish;
    accepted["auth"] = json!({ "type": "m.login.terms", "session": asked.json["session"] });
    server.signed_in(anonymous.post("/register", &accepted).await);
}
