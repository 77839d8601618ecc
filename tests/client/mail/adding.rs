//! Adding an address to an account and taking it away.

use harness::{Db, on_each_database};
use serde_json::json;

use super::{For, add, address, ask, house, press, wish};
use crate::client::support::{list, text};

on_each_database!(
    an_address_is_added_after_its_link_was_confirmed,
    opening_the_link_alone_proves_nothing,
    adding_needs_the_password,
    an_address_belongs_to_one_account_only,
    a_removed_address_is_gone,
    a_repeated_request_sends_one_mail,
    a_greater_attempt_sends_another_mail_and_older_links_work,
    strangers_learn_nothing_of_addresses,
    what_is_no_address_or_no_secret_is_refused,
    a_proof_for_something_else_is_none,
    clients_may_submit_the_token_themselves,
);

async fn an_address_is_added_after_its_link_was_confirmed(db: Db) {
    let house = house(db);
    let anna = house.server.register("anna").await;
    let capabilities = anna.get("/capabilities").await.ok();
    assert_eq!(capabilities["capabilities"]["m.3pid_changes"]["enabled"], true);
    assert_eq!(anna.get("/account/3pid").await.ok(), json!({ "threepids": [] }));
    let mine = address("Anna");
    let proof = house.prove(For::Add, &mine.to_lowercase(), "secret").await;
    add(&anna, &proof).await.ok();
    let listed = anna.get("/account/3pid").await.ok();
    let entry = &listed["threepids"][0];
    assert_eq!((text(&entry["medium"]), text(&entry["address"])), ("email".into(), mine.to_lowercase()));
    assert!(entry["validated_at"].as_i64() <= entry["added_at"].as_i64(), "{listed}");
    let login = super::login_by(&mine.to_uppercase(), house.server.password());
    let again = house.server.signed_in(house.server.anonymous().post("/login", &login).await);
    assert_eq!(again.user_id(), anna.user_id());
}

async fn opening_the_link_alone_proves_nothing(db: Db) {
    let house = house(db);
    let anna = house.server.register("anna").await;
    let mine = address("opened");
    let sid = ask(&anna, For::Add, &wish(&mine, "s", 1)).await.ok()["sid"].clone();
    let letter = house.mail.wait_for(&mine, 1).await.remove(0);
    // Programs that look through mails open links.
    let page = house.server.anonymous().get(&letter.link().unwrap()).await;
    assert_eq!(page.status, 200, "{page}");
    let proof = json!({ "sid": sid, "client_secret": "s" });
    add(&anna, &proof).await.err(403, "M_THREEPID_AUTH_FAILED");
    press(&house.server, &letter).await;
    add(&anna, &proof).await.ok();
}

async fn adding_needs_the_password(db: Db) {
    let house = house(db);
    let anna = house.server.register("anna").await;
    let proof = house.prove(For::Add, &address("careful"), "s").await;
    let asked = anna.post("/account/3pid/add", &proof).await;
    assert_eq!((asked.status, &asked.json["flows"]), (401, &json!([{ "stages": ["m.login.password"] }])));
    let mut wrong = proof.clone();
    wrong["auth"] = super::password(&anna);
    wrong["auth"]["password"] = json!("wrong");
    assert_eq!(anna.post("/account/3pid/add", &wrong).await.status, 401);
    // The older endpoint is no way around it.
    let older = json!({ "three_pid_creds": proof });
    assert_eq!(anna.post("/account/3pid", &older).await.status, 401);
    assert!(list(&anna.get("/account/3pid").await.ok()["threepids"]).is_empty());
    house.server.anonymous().post("/account/3pid/add", &proof).await.err(401, "M_MISSING_TOKEN");
}

async fn an_address_belongs_to_one_account_only(db: Db) {
    let house = house(db);
    let (anna, bob) = (house.server.register("anna").await, house.server.register("bob").await);
    let wanted = address("wanted");
    // Both prove it before either adds it.
    let (hers, his) =
        (house.prove(For::Add, &wanted, "hers").await, house.prove(For::Add, &wanted, "his").await);
    add(&anna, &hers).await.ok();
    add(&bob, &his).await.err(400, "M_THREEPID_IN_USE");
    add(&anna, &hers).await.err(403, "M_THREEPID_AUTH_FAILED");
    assert!(list(&bob.get("/account/3pid").await.ok()["threepids"]).is_empty());
}

async fn a_removed_address_is_gone(db: Db) {
    let house = house(db);
    let mine = address("removed");
    let anna = house.person_with("anna", &mine).await;
    let bob = house.server.register("bob").await;
    let body = json!({ "medium": "email", "address": mine });
    bob.post("/account/3pid/delete", &body).await.err(400, "M_THREEPID_NOT_FOUND");
    let gone = anna.post("/account/3pid/delete", &body).await.ok();
    assert_eq!(gone["id_server_unbind_result"], "no-support");
    anna.post("/account/3pid/delete", &body).await.err(400, "M_THREEPID_NOT_FOUND");
    let login = super::login_by(&mine, house.server.password());
    house.server.anonymous().post("/login", &login).await.err(403, "M_FORBIDDEN");
    house.person_with("bob", &mine).await;
}

async fn a_repeated_request_sends_one_mail(db: Db) {
    let house = house(db);
    let (anonymous, mine) = (house.server.anonymous(), address("repeated"));
    let wish = wish(&mine, "same", 1);
    let asked = futures_util::future::join_all((0..50).map(|_| ask(&anonymous, For::Add, &wish))).await;
    let sids: std::collections::BTreeSet<_> =
        asked.into_iter().map(|answer| text(&answer.ok()["sid"])).collect();
    assert_eq!(sids.len(), 1, "{sids:?}");
    house.mail.wait_for(&mine, 1).await;
    // Letters leave in order: one to somebody else that arrives later proves that no second comes.
    let other = address("after");
    ask(&anonymous, For::Add, &super::wish(&other, "s", 1)).await.ok();
    house.mail.wait_for(&other, 1).await;
    assert_eq!(house.mail.letters_to(&mine).len(), 1);
}

async fn a_greater_attempt_sends_another_mail_and_older_links_work(db: Db) {
    let house = house(db);
    let (anna, mine) = (house.server.register("anna").await, address("patient"));
    let first = ask(&anna, For::Add, &wish(&mine, "s", 1)).await.ok();
    house.mail.wait_for(&mine, 1).await;
    let second = ask(&anna, For::Add, &wish(&mine, "s", 2)).await.ok();
    assert_eq!(first["sid"], second["sid"]);
    let letters = house.mail.wait_for(&mine, 2).await;
    assert_ne!(letters[0].link(), letters[1].link());
    assert_ne!(letters[0].part("text"), letters[1].part("text"));
    press(&house.server, &letters[0]).await;
    add(&anna, &json!({ "sid": first["sid"], "client_secret": "s" })).await.ok();
    // Another secret is another session.
    let other = ask(&anna, For::Add, &wish(&mine, "t", 1)).await.ok();
    assert_ne!(other["sid"], first["sid"]);
}

async fn strangers_learn_nothing_of_addresses(db: Db) {
    let house = house(db);
    let (taken, free) = (address("taken"), address("free"));
    house.person_with("anna", &taken).await;
    let anonymous = house.server.anonymous();
    for what in [For::Add, For::Register, For::Reset] {
        let before = house.mail.letters_to(&taken).len();
        let known = ask(&anonymous, what, &wish(&taken, "curious", 1)).await;
        let unknown = ask(&anonymous, what, &wish(&free, "curious", 1)).await;
        assert_eq!((known.status, unknown.status), (200, 200), "{known} {unknown}");
        let fields =
            |body: &serde_json::Value| body.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>());
        assert_eq!(fields(&known.json), fields(&unknown.json));
        let told = house.mail.wait_for(&taken, before + 1).await.remove(before);
        // The reader of the mail is told; only a reset has a link for whom the address belongs to.
        assert_eq!(told.link().is_some(), matches!(what, For::Reset), "{told:?}");
    }
    let told = house.mail.wait_for(&free, 3).await;
    let links: Vec<_> = told.iter().map(|letter| letter.link().is_some()).collect();
    assert_eq!(links.iter().filter(|link| **link).count(), 2, "add and register, not reset: {told:?}");
}

async fn what_is_no_address_or_no_secret_is_refused(db: Db) {
    let anonymous = house(db).server.anonymous();
    for bad in ["", "anna", "@company.example", "a b@c.example", "a@b@c.example", "a@c.example\r\nBcc: x@y.z"]
    {
        ask(&anonymous, For::Add, &wish(bad, "s", 1)).await.err(400, "M_INVALID_PARAM");
    }
    for bad in ["", "not allowed!", &"x".repeat(256)] {
        ask(&anonymous, For::Add, &wish("a@b.example", bad, 1)).await.err(400, "M_INVALID_PARAM");
    }
    let mut link = wish("a@b.example", "s", 1);
    link["next_link"] = json!("javascript:alert(1)");
    ask(&anonymous, For::Add, &link).await.err(400, "M_INVALID_PARAM");
    for body in [json!({}), json!({ "email": 5, "client_secret": "s", "send_attempt": 1 }), json!([])] {
        ask(&anonymous, For::Add, &body).await.refused();
    }
}

async fn a_proof_for_something_else_is_none(db: Db) {
    let house = house(db);
    let mine = address("purpose");
    let anna = house.person_with("anna", &mine).await;
    let for_reset = house.prove(For::Reset, &mine, "s").await;
    add(&anna, &for_reset).await.err(403, "M_THREEPID_AUTH_FAILED");
    let for_adding = house.prove(For::Add, &address("purpose"), "s").await;
    let reset = json!({
        "new_password": "another long one",
        "auth": { "type": "m.login.email.identity", "threepid_creds": for_adding },
    });
    let refused = house.server.anonymous().post("/account/password", &reset).await;
    assert_eq!((refused.status, text(&refused.json["errcode"])), (401, "M_UNAUTHORIZED".into()));
}

async fn clients_may_submit_the_token_themselves(db: Db) {
    let house = house(db);
    let (anna, mine) = (house.server.register("anna").await, address("typed"));
    let sid = ask(&anna, For::Add, &wish(&mine, "s", 1)).await.ok()["sid"].clone();
    let letter = house.mail.wait_for(&mine, 1).await.remove(0);
    let link = letter.link().unwrap();
    let token = link.split_once("token=").unwrap().1.split('&').next().unwrap();
    let submit = async |token: &str| {
        let body = json!({ "token": token, "sid": sid, "client_secret": "s" });
        anna.post("/_kontor/mail/confirm", &body).await.ok()
    };
    assert_eq!(submit("wrong").await, json!({ "success": false }));
    assert_eq!(submit(token).await, json!({ "success": true }));
    assert_eq!(submit(token).await, json!({ "success": true }), "repeated");
    add(&anna, &json!({ "sid": sid, "client_secret": "s" })).await.ok();
}
