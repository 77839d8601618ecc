//! Making an account with an address.

use harness::{Db, on_each_database};
use serde_json::{Value, json};

use super::{For, address, house};
use crate::client::support::{list, text};

on_each_database!(
    a_new_account_has_the_address_that_was_proven,
    an_address_registers_one_account,
    an_address_need_not_be_given,
);

fn name() -> String {
    address("new").split('@').next().unwrap_or_default().to_owned() + &std::process::id().to_string()
}

fn wish(name: &str, auth: &Value) -> Value {
    json!({ "username": name, "password": "a good long password", "auth": auth })
}

async fn a_new_account_has_the_address_that_was_proven(db: Db) {
    let house = house(db);
    let (anonymous, mine, name) = (house.server.anonymous(), address("newcomer"), name());
    let asked = anonymous.post("/register", &wish(&name, &json!(null))).await;
    let flows = list(&asked.json["flows"]);
    assert!(flows.contains(&json!({ "stages": ["m.login.email.identity"] })), "{asked}");
    let session = asked.json["session"].clone();
    let proof = house.prove(For::Register, &mine, "s").await;
    let auth = json!({ "type": "m.login.email.identity", "threepid_creds": proof, "session": session });
    let client = house.server.signed_in(anonymous.post("/register", &wish(&name, &auth)).await);
    let mine_now = client.get("/account/3pid").await.ok();
    assert_eq!(text(&mine_now["threepids"][0]["address"]), mine);
}

async fn an_address_registers_one_account(db: Db) {
    let house = house(db);
    let (anonymous, mine) = (house.server.anonymous(), address("one"));
    let proofs = [house.prove(For::Register, &mine, "a").await, house.prove(For::Register, &mine, "b").await];
    let mut statuses = Vec::new();
    for proof in proofs {
        let auth = json!({ "type": "m.login.email.identity", "threepid_creds": proof });
        let answer = anonymous.post("/register", &wish(&name(), &auth)).await;
        statuses.push((answer.status, text(&answer.json["errcode"])));
    }
    assert_eq!(statuses, [(200, String::new()), (400, "M_THREEPID_IN_USE".to_owned())]);
}

async fn an_address_need_not_be_given(db: Db) {
    let house = house(db);
    let auth = json!({ "type": "m.login.dummy" });
    let answer = house.server.anonymous().post("/register", &wish(&name(), &auth)).await;
    let client = house.server.signed_in(answer);
    assert_eq!(client.get("/account/3pid").await.ok(), json!({ "threepids": [] }));
}
