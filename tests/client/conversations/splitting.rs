//! Taking an address off a contact: whoever writes there is somebody else, and has a card of their own.

use harness::{Client, Homeserver, both_databases};
use serde_json::{Value, json};

use super::merging::{card, merge, path, target};
use super::resolution::number;
use super::suggesting::{said, shown, weigh};
use super::support::{Channel, Talk, name, word};
use crate::client::support::{is_reference, list, text};

both_databases!(
    who_writes_from_somebody_elses_number_gets_a_card_of_their_own,
    what_was_merged_is_split_as_it_was,
    what_cannot_be_split_is_refused,
    a_command_splits_the_conversation_it_is_given_in,
);

/// Somebody who writes by a network that vouches for the number.
fn opening(channel: &Channel, id: &str, name: &str, number: &str, more: &[Value]) -> Value {
    let own =
        json!({ "kind": "phone", "value": format!("+{number}"), "trust": "proven", "source": "network" });
    let mut opening = channel.opening(id);
    opening["id_type"] = json!("user");
    opening["profile"]["display_name"] = json!(name);
    opening["claims"] = json!([&[own], more].concat());
    opening
}

async fn split(by: &Client, contact: &str, talks: &[&Talk]) -> String {
    let conversations: Vec<&str> = talks.iter().map(|talk| talk.id.as_str()).collect();
    let wish = json!({ "conversations": conversations });
    text(&by.post(&format!("{}/split", path(contact)), &wish).await.ok()["contact_id"])
}

fn keys(card: &Value) -> Vec<String> {
    list(&card["claims"]).iter().map(|claim| text(&claim["value"])).collect()
}

/// Two conversations by one number, of two people who are called alike: one contact by now.
async fn mistaken(server: &Homeserver, staff: &Client) -> (Channel, Channel, Talk, Talk, String) {
    let (one, other) = (Channel::open(server, &[staff]).await, Channel::open(server, &[staff]).await);
    let (number, name, mail) = (number(), name(), format!("{}@mail.example", word()));
    let first = one.talk_of(&opening(&one, &word(), &name, &number, &[])).await;
    let told = json!({ "kind": "email", "value": mail, "trust": "claimed", "source": "form" });
    let second = other.talk_of(&opening(&other, &word(), &name, &number, &[told])).await;
    assert_eq!(first.contact, second.contact, "the same number and name are one contact");
    (one, other, first, second, mail)
}

async fn who_writes_from_somebody_elses_number_gets_a_card_of_their_own(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let (one, other, first, second, mail) = mistaken(&server, &anna).await;
    let consent = json!({ "consents": [{ "purpose": "newsletter", "state": "given", "text_version": "v1", "act": "ticked",
        "source": "form", "given_at": 1_700_000_000_000_i64 }] });
    let consents = format!("/_kontor/bridge/v1/conversations/{}/consents", second.id);
    other.bot.post(&consents, &consent).await.ok();
    let targets = (target(&one, &first).await, target(&other, &second).await);
    let own = split(&anna, &first.contact, &[&second]).await;
    assert_ne!(own, first.contact);
    assert_eq!(second.seen_by(&anna).await["contact_id"], json!(own));
    assert_eq!(first.seen_by(&anna).await["contact_id"], json!(first.contact));
    // What was said in that conversation alone went along; what both said stayed.
    let (left, gone) = (card(&anna, &first.contact).await, card(&anna, &own).await);
    assert!(keys(&gone).contains(&mail) && !keys(&left).contains(&mail), "{left} {gone}");
    assert_eq!((list(&gone["consents"]).len(), list(&left["consents"]).len()), (1, 0));
    assert_eq!((list(&left["identities"]).len(), list(&gone["identities"]).len()), (1, 1));
    assert_eq!(list(&left["claims"]).iter().filter(|claim| claim["kind"] == "phone").count(), 1);
    let called = |card: &Value| text(&card["fields"]["display_name"]["value"]);
    assert_eq!(called(&gone), called(&left), "{left} {gone}");
    assert_eq!((&gone["stage"], &left["stage"]), (&json!("lead"), &json!("lead")));
    // Nothing moved, and what comes there next is theirs.
    assert_eq!((target(&one, &first).await, target(&other, &second).await), targets);
    let again = other.ask(&opening(&other, &text(&targets.1[4]), &name(), &number(), &[])).await.ok();
    assert_eq!(again["contact_id"], json!(own));
    // It is remembered that they are different people.
    weigh(&one.admin).await;
    assert_eq!(shown(&anna, &second.backstage).await.len(), 0);
    let wish = json!({ "from": [own] });
    anna.post(&format!("{}/merge", path(&first.contact)), &wish).await.err(409, "DEV_KONTOR_SET_APART");
    let wish = json!({ "from": [own], "despite_rejection": true });
    anna.post(&format!("{}/merge", path(&first.contact)), &wish).await.ok();
    let whole = card(&anna, &own).await;
    assert_eq!(whole["contact_id"], json!(first.contact));
    assert_eq!((list(&whole["identities"]).len(), list(&whole["consents"]).len()), (2, 1), "{whole}");
    assert_eq!((target(&one, &first).await, target(&other, &second).await), targets);
    one.close().await;
    other.close().await;
}

async fn what_was_merged_is_split_as_it_was(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let (one, other) = (channel.talk(&word()).await, channel.talk(&word()).await);
    let before = (card(&anna, &one.contact).await, card(&anna, &other.contact).await);
    merge(&anna, &one.contact, &[&other.contact]).await;
    assert_eq!(split(&anna, &one.contact, &[&other]).await, other.contact);
    assert_eq!((card(&anna, &one.contact).await, card(&anna, &other.contact).await), before);
    let wish = json!({ "from": [other.contact] });
    anna.post(&format!("{}/merge", path(&one.contact)), &wish).await.err(409, "DEV_KONTOR_SET_APART");
    channel.close().await;
}

async fn what_cannot_be_split_is_refused(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, eve) = (server.register("anna").await, server.register("eve").await);
    let channel = Channel::open(&server, &[&anna]).await;
    let (one, other) = (channel.talk(&word()).await, channel.talk(&word()).await);
    let at = format!("{}/split", path(&one.contact));
    let own = json!({ "conversations": [one.id] });
    anna.post(&at, &own).await.err(409, "M_UNKNOWN");
    anna.post(&at, &json!({ "conversations": [other.id] })).await.err(404, "M_NOT_FOUND");
    anna.post(&at, &json!({ "conversations": [] })).await.err(400, "M_INVALID_PARAM");
    // Who does not see the contact learns nothing of it.
    eve.post(&at, &own).await.err(404, "M_NOT_FOUND");
    channel.close().await;
}

async fn a_command_splits_the_conversation_it_is_given_in(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let (one, other, first, second, _) = mistaken(&server, &anna).await;
    let answer = said(&anna, &second, "!rozdziel").await;
    assert!(answer.contains("własną kartę"), "{answer}");
    let (left, own) = (first.seen_by(&anna).await, second.seen_by(&anna).await);
    assert_ne!(left["contact_id"], own["contact_id"]);
    let again = said(&anna, &second, "!rozdziel").await;
    assert!(again.contains("Nie ma czego cofnąć"), "{again}");
    one.close().await;
    other.close().await;
}
