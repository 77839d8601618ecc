//! Looking contacts up, and making one by hand: search first, then create; nobody learns of what is not
//! theirs to see.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

use super::resolution::number;
use super::support::{Channel, rare, word};
use crate::client::support::{is_reference, list, text};

both_databases!(
    whoever_makes_a_contact_is_shown_those_that_are_there,
    contacts_are_found_while_one_types,
    what_one_may_not_see_is_not_there,
);

const CONTACTS: &str = "/_kontor/contacts/v1/contacts";

fn name() -> String {
    format!("Wanda Q{}", rare())
}

async fn found(by: &Client, typed: &str) -> Vec<Value> {
    list(&by.get(&format!("/_kontor/contacts/v1/lookup?q={}", enc(typed))).await.ok()["candidates"])
}

async fn whoever_makes_a_contact_is_shown_those_that_are_there(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (admin, anna) = (server.register_admin("admin").await, server.register("anna").await);
    let (number, name) = (number(), name());
    let wish = json!({ "display_name": name, "phones": [format!("+{number}")] });
    let made = anna.post(CONTACTS, &wish).await;
    assert_eq!(made.status, 201, "{made}");
    let first = made.json["contact_id"].clone();
    // The same number: in the way until there is a reason.
    let same = json!({ "display_name": "Somebody Else", "phones": [format!("00{number}")] });
    let refused = anna.post(CONTACTS, &same).await.err(409, "DEV_KONTOR_CANDIDATES");
    assert_eq!(refused["candidates"][0]["contact_id"], first);
    let mut again = same.clone();
    again["lookup_id"] = refused["lookup_id"].clone();
    anna.post(CONTACTS, &again).await.err(409, "DEV_KONTOR_CANDIDATES");
    again["override_reason"] = json!("His wife has the same telephone");
    assert_eq!(anna.post(CONTACTS, &again).await.status, 201);
    // The same name: in the way until they were looked at.
    let namesake = json!({ "display_name": name });
    let refused = anna.post(CONTACTS, &namesake).await.err(409, "DEV_KONTOR_CANDIDATES");
    let mut looked = namesake.clone();
    looked["lookup_id"] = refused["lookup_id"].clone();
    admin.post(CONTACTS, &looked).await.err(409, "DEV_KONTOR_CANDIDATES");
    assert_eq!(anna.post(CONTACTS, &looked).await.status, 201, "it was looked at");
    // An edit is no way around.
    let other = anna.post(CONTACTS, &json!({ "display_name": format!("{name}x") })).await;
    let (path, version) =
        (format!("{CONTACTS}/{}", text(&other.json["contact_id"])), other.json["version"].to_string());
    let patch = json!({ "fields": { "phone": format!("+{number}") } });
    anna.patch_if(&path, &version, &patch).await.err(409, "DEV_KONTOR_CANDIDATES");
    let counts = admin.get("/_kontor/contacts/v1/overrides").await.ok();
    let own = list(&counts["overrides"]).into_iter().find(|one| one["user_id"] == anna.user_id());
    assert_eq!(own.expect("counted")["count"], 1, "{counts}");
    for bad in [json!({}), json!({ "phones": ["12"] }), json!({ "emails": ["x"] })] {
        anna.post(CONTACTS, &bad).await.err(400, "M_INVALID_PARAM");
    }
}

async fn contacts_are_found_while_one_types(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let (number, name, mail) = (number(), name(), format!("{}@example.com", word()));
    let wish = json!({ "display_name": name, "phones": [format!("+{number}")], "emails": [mail] });
    let made = anna.post(CONTACTS, &wish).await;
    let id = &made.json["contact_id"];
    let surname = name.split(' ').nth(1).unwrap();
    for typed in [
        name.clone(),
        surname[..surname.len() - 1].to_owned(),
        format!("{} wan", &surname[..6]),
        surname.to_uppercase(),
        mail.clone(),
        mail[..mail.len() - 3].to_owned(),
        number[..10].to_owned(),
        format!("+{number}"),
        number[2..].to_owned(),
    ] {
        let found = found(&anna, &typed).await;
        assert!(found.iter().any(|one| one["contact_id"] == *id), "{typed}: {found:?}");
    }
    assert!(found(&anna, &format!("{surname}nowhere")).await.is_empty());
    anna.get("/_kontor/contacts/v1/lookup?q=a").await.err(400, "M_INVALID_PARAM");
}

async fn what_one_may_not_see_is_not_there(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, piotr) = (server.register("anna").await, server.register("piotr").await);
    let channel = Channel::open(&server, &[&anna]).await;
    let (number, name) = (number(), name());
    let mut opening = channel.opening(&word());
    opening["profile"]["display_name"] = json!(name);
    opening["claims"] =
        json!([{ "kind": "phone", "value": format!("+{number}"), "trust": "platform", "source": "network" }]);
    let talk = channel.talk_of(&opening).await;
    let wish = json!({ "display_name": name, "phones": [format!("+{number}")] });
    anna.post(CONTACTS, &wish).await.err(409, "DEV_KONTOR_CANDIDATES");
    for typed in [&name, &number] {
        assert_eq!(found(&anna, typed).await.len(), 1, "{typed}");
        assert!(found(&piotr, typed).await.is_empty(), "{typed}");
    }
    let own = piotr.post(CONTACTS, &wish).await;
    assert_eq!(own.status, 201, "a refusal would tell: {own}");
    let own = text(&own.json["contact_id"]);
    let foreign = format!("{CONTACTS}/{}", talk.contact);
    piotr.get(&foreign).await.err(404, "M_NOT_FOUND");
    piotr.get(&format!("{foreign}/merges")).await.err(404, "M_NOT_FOUND");
    for (into, from) in [(&own, &talk.contact), (&talk.contact, &own)] {
        let path = format!("{CONTACTS}/{into}/merge");
        piotr.post(&path, &json!({ "from": [from] })).await.err(404, "M_NOT_FOUND");
    }
    let pair = json!({ "one": own, "other": talk.contact });
    for act in ["accept", "reject"] {
        let path = format!("/_kontor/contacts/v1/suggestions/{act}");
        piotr.post(&path, &pair).await.err(404, "M_NOT_FOUND");
    }
    let undone = channel.admin.post(&format!("{foreign}/merge"), &json!({ "from": [own] })).await.ok();
    let undo = json!({ "merge_id": undone["merges"][0] });
    // What both are is seen by those who see the one that stays: Piotr, whose the other was, and not by others.
    piotr.get(&foreign).await.ok();
    let ewa = server.register("ewa").await;
    ewa.post("/_kontor/contacts/v1/merges/undo", &undo).await.err(404, "M_NOT_FOUND");
    piotr.post("/_kontor/contacts/v1/merges/undo", &undo).await.ok();
    piotr.get(&foreign).await.err(404, "M_NOT_FOUND");
    channel.close().await;
}
