//! Setting pushers, and what ends them.

use harness::{Homeserver, both_databases};
use serde_json::{Value, json};

use super::support::{Gateway, pusher};
use crate::client::support::list;
use crate::client::website::Reply;

both_databases!(
    pushers_are_set_listed_and_removed,
    what_cannot_be_a_pusher_is_refused,
    a_key_belongs_to_the_account_that_set_it_last_unless_it_is_appended,
    pushers_go_with_their_session,
    a_changed_password_keeps_the_pusher_of_the_session_that_changed_it,
    a_rejected_key_goes,
);

const URL: &str = "https://gateway.example/_matrix/push/v1/notify";

async fn pushers_are_set_listed_and_removed(server: Homeserver) {
    let anna = server.register("anna").await;
    assert_eq!(anna.get("/pushers").await.ok(), json!({ "pushers": [] }));
    let mut wanted = pusher(URL, "key", Some("event_id_only"));
    wanted["profile_tag"] = "work".into();
    anna.post("/pushers/set", &wanted).await.ok();
    assert_eq!(anna.get("/pushers").await.ok()["pushers"], json!([wanted]));
    wanted["lang"] = "uk".into();
    anna.post("/pushers/set", &wanted).await.ok();
    assert_eq!(anna.get("/pushers").await.ok()["pushers"], json!([wanted]));
    let gone = json!({ "app_id": "org.example.app", "pushkey": "key", "kind": null });
    assert_eq!(anna.post("/pushers/set", &gone).await.ok(), json!({}));
    assert_eq!(anna.get("/pushers").await.ok(), json!({ "pushers": [] }));
}

async fn what_cannot_be_a_pusher_is_refused(server: Homeserver) {
    let anna = server.register("anna").await;
    let refused = |change: fn(&mut Value), code: &'static str| {
        let mut body = pusher(URL, "key", None);
        change(&mut body);
        let anna = anna.clone();
        async move { anna.post("/pushers/set", &body).await.err(400, code) }
    };
    let said = refused(|body| drop(body.as_object_mut().unwrap().remove("lang")), "M_MISSING_PARAM").await;
    assert_eq!(said["error"], "Missing parameters: lang");
    refused(|body| drop(body.as_object_mut().unwrap().remove("kind")), "M_MISSING_PARAM").await;
    refused(|body| body["data"] = json!({}), "M_MISSING_PARAM").await;
    refused(|body| body["data"]["url"] = "https://gateway.example/other".into(), "M_INVALID_PARAM").await;
    refused(|body| body["data"]["url"] = "file:///_matrix/push/v1/notify".into(), "M_INVALID_PARAM").await;
    refused(|body| body["pushkey"] = "x".repeat(513).into(), "M_INVALID_PARAM").await;
    refused(|body| body["app_id"] = "x".repeat(65).into(), "M_INVALID_PARAM").await;
    refused(|body| body["kind"] = "email".into(), "M_INVALID_PARAM").await;
    refused(|body| body["pushkey"] = json!([1]), "M_BAD_JSON").await;
    server.anonymous().get("/pushers").await.err(401, "M_MISSING_TOKEN");
    assert_eq!(anna.get("/pushers").await.ok(), json!({ "pushers": [] }));
}

async fn a_key_belongs_to_the_account_that_set_it_last_unless_it_is_appended(server: Homeserver) {
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let key = anna.user_id();
    anna.post("/pushers/set", &pusher(URL, key, None)).await.ok();
    let mut appended = pusher(URL, key, None);
    appended["append"] = true.into();
    bert.post("/pushers/set", &appended).await.ok();
    assert_eq!(list(&anna.get("/pushers").await.ok()["pushers"]).len(), 1);
    bert.post("/pushers/set", &pusher(URL, key, None)).await.ok();
    assert_eq!(list(&anna.get("/pushers").await.ok()["pushers"]).len(), 0);
    assert_eq!(list(&bert.get("/pushers").await.ok()["pushers"]).len(), 1);
}

async fn pushers_go_with_their_session(server: Homeserver) {
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let tablet = server.login(bert.user_id()).await;
    let gateway = Gateway::open().await;
    let room = anna.room_with(&[&bert]).await;
    gateway.set(&bert, "phone", None).await.ok();
    gateway.set(&tablet, "tablet", None).await.ok();
    assert_eq!(list(&bert.get("/pushers").await.ok()["pushers"]).len(), 2);
    tablet.post("/logout", &json!({})).await.ok();
    let left = bert.get("/pushers").await.ok();
    assert_eq!((list(&left["pushers"]).len(), &left["pushers"][0]["pushkey"]), (1, &json!("phone")));
    let event = anna.text(&room, "x").await;
    gateway.told(&event, "phone").await;
    assert_eq!(gateway.events(), [event], "once, and not to the tablet");
}

async fn a_changed_password_keeps_the_pusher_of_the_session_that_changed_it(server: Homeserver) {
    let bert = server.register("bert").await;
    let tablet = server.login(bert.user_id()).await;
    bert.post("/pushers/set", &pusher(URL, "phone", None)).await.ok();
    tablet.post("/pushers/set", &pusher(URL, "tablet", None)).await.ok();
    let auth = json!({ "type": "m.login.password", "password": server.password(),
        "identifier": { "type": "m.id.user", "user": bert.user_id() } });
    let body = json!({ "new_password": "another good password", "auth": auth });
    bert.post("/account/password", &body).await.ok();
    let left = bert.get("/pushers").await.ok();
    assert_eq!((list(&left["pushers"]).len(), &left["pushers"][0]["pushkey"]), (1, &json!("phone")));
}

async fn a_rejected_key_goes(server: Homeserver) {
    let (anna, bert) = (server.register("anna").await, server.register("bert").await);
    let gateway = Gateway::open().await;
    let room = anna.room_with(&[&bert]).await;
    gateway.set(&bert, "good", None).await.ok();
    gateway.set(&bert, "bad", None).await.ok();
    gateway.0.say(|_| Reply::of("application/json", r#"{"rejected":["bad","unknown"]}"#));
    anna.text(&room, "x").await;
    harness::eventually("the pusher to go", || async {
        let left = list(&bert.get("/pushers").await.ok()["pushers"]);
        (left.len() == 1 && left[0]["pushkey"] == "good").then_some(())
    })
    .await;
    let event = anna.text(&room, "y").await;
    gateway.told(&event, "good").await;
    let to_bad = gateway.0.asked().into_iter().map(|asked| asked.json.to_string());
    let to_bad = to_bad.filter(|asked| asked.contains("\"bad\"") && asked.contains(&event));
    assert_eq!(to_bad.count(), 0, "the first refusal is enough");
}
