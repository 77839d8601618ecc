//! Setting a new password by mail.

use harness::{Client, Db, Response, on_each_database};
use serde_json::{Value, json};

use super::{For, address, house, login_by};
use crate::client::support::text;

on_each_database!(
    a_forgotten_password_is_reset_and_all_sessions_end,
    a_reset_can_leave_the_sessions_alone,
    a_proof_resets_one_password_once,
    a_reset_without_a_proof_is_refused,
    an_address_logs_in_with_the_right_password_only,
    somebody_logged_in_may_prove_it_by_mail_too,
);

fn reset(proof: &Value, password: &str) -> Value {
    json!({
        "new_password": password,
        "auth": { "type": "m.login.email.identity", "threepid_creds": proof },
    })
}

async fn login(client: &Client, address: &str, password: &str) -> Response {
    client.post("/login", &login_by(address, password)).await
}

async fn a_forgotten_password_is_reset_and_all_sessions_end(db: Db) {
    let house = house(db);
    let mine = address("forgetful");
    let anna = house.person_with("anna", &mine).await;
    let anonymous = house.server.anonymous();
    let asked = anonymous.post("/account/password", &json!({ "new_password": "another long one" })).await;
    assert_eq!(
        (asked.status, &asked.json["flows"]),
        (401, &json!([{ "stages": ["m.login.email.identity"] }]))
    );
    let proof = house.prove(For::Reset, &mine, "s").await;
    let mut body = reset(&proof, "another long one");
    body["auth"]["session"] = asked.json["session"].clone();
    anonymous.post("/account/password", &body).await.ok();
    anna.get("/account/whoami").await.err(401, "M_UNKNOWN_TOKEN");
    login(&anonymous, &mine, house.server.password()).await.err(403, "M_FORBIDDEN");
    login(&anonymous, &mine, "another long one").await.ok();
}

async fn a_reset_can_leave_the_sessions_alone(db: Db) {
    let house = house(db);
    let mine = address("calm");
    let anna = house.person_with("anna", &mine).await;
    let mut body = reset(&house.prove(For::Reset, &mine, "s").await, "another long one");
    body["logout_devices"] = json!(false);
    house.server.anonymous().post("/account/password", &body).await.ok();
    anna.get("/account/whoami").await.ok();
}

async fn a_proof_resets_one_password_once(db: Db) {
    let house = house(db);
    let mine = address("once");
    house.person_with("anna", &mine).await;
    let anonymous = house.server.anonymous();
    let proof = house.prove(For::Reset, &mine, "s").await;
    let bodies: Vec<_> = (0..8).map(|n| reset(&proof, &format!("another long one {n}"))).collect();
    let tries = bodies.iter().map(|body| anonymous.post("/account/password", body));
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    let late = anonymous.post("/account/password", &reset(&proof, "one more")).await;
    assert_eq!(late.status, 401, "{late}");
}

async fn a_reset_without_a_proof_is_refused(db: Db) {
    let house = house(db);
    let mine = address("attacked");
    house.person_with("anna", &mine).await;
    let anonymous = house.server.anonymous();
    let asked = super::ask(&anonymous, For::Reset, &super::wish(&mine, "s", 1)).await.ok();
    for proof in [
        json!({ "sid": asked["sid"], "client_secret": "s" }),
        json!({ "sid": asked["sid"], "client_secret": "guess" }),
        json!({ "sid": "made up", "client_secret": "s" }),
        json!({ "sid": "a'; DROP TABLE account; --", "client_secret": "s" }),
    ] {
        let refused = anonymous.post("/account/password", &reset(&proof, "another long one")).await;
        assert_eq!((refused.status, text(&refused.json["errcode"])), (401, "M_UNAUTHORIZED".into()));
    }
    let other = json!({
        "new_password": "another long one",
        "auth": { "type": "m.login.password", "password": house.server.password(),
                  "identifier": { "type": "m.id.user", "user": "anna" } },
    });
    anonymous.post("/account/password", &other).await.refused();
    login(&anonymous, &mine, house.server.password()).await.ok();
}

async fn an_address_logs_in_with_the_right_password_only(db: Db) {
    let house = house(db);
    let mine = address("login");
    let anna = house.person_with("anna", &mine).await;
    let anonymous = house.server.anonymous();
    let wrong = login(&anonymous, &mine, "wrong").await.err(403, "M_FORBIDDEN");
    let nobody = login(&anonymous, &address("nobody-here"), "wrong").await.err(403, "M_FORBIDDEN");
    assert_eq!(wrong, nobody, "the same words");
    let session = login(&anonymous, &mine, house.server.password()).await.ok();
    assert_eq!(session["user_id"], anna.user_id());
    let mut phone = login_by(&mine, house.server.password());
    phone["identifier"]["medium"] = json!("msisdn");
    anonymous.post("/login", &phone).await.err(403, "M_FORBIDDEN");
    // The address proves who it is in other places as well.
    let auth = login_by(&mine, house.server.password());
    let body = json!({ "auth": auth, "new_password": "a quite different one" });
    anna.post("/account/password", &body).await.ok();
}

async fn somebody_logged_in_may_prove_it_by_mail_too(db: Db) {
    let house = house(db);
    let (mine, other) = (address("mine"), address("other"));
    let anna = house.person_with("anna", &mine).await;
    house.person_with("bob", &other).await;
    let foreign = house.prove(For::Reset, &other, "s").await;
    assert_eq!(anna.post("/account/password", &reset(&foreign, "a quite different one")).await.status, 401);
    let own = house.prove(For::Reset, &mine, "s").await;
    anna.post("/account/password", &reset(&own, "a quite different one")).await.ok();
    anna.get("/account/whoami").await.ok();
}
