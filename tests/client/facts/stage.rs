//! How near a customer is follows from what happens: from a visit, a number and a payment.

use harness::{Client, Homeserver, both_databases, eventually};
use serde_json::{Value, json};

use super::shop::{Shop, card, now, order};
use crate::client::conversations::support::{Channel, Talk, name, word};
use crate::client::support::{is_reference, text};

both_databases!(
    a_visitor_is_a_lead_by_a_number_and_a_customer_by_a_payment,
    what_a_person_said_of_it_stays_until_a_later_payment,
    of_merged_contacts_the_nearest_counts_and_each_is_as_near_as_before_when_it_is_undone,
);

/// Somebody who looked in on the website.
async fn visitor(channel: &Channel) -> Talk {
    let mut opening = channel.opening(&word());
    opening["profile"]["display_name"] = json!(name());
    opening["claims"] = json!([]);
    channel.talk_of(&opening).await
}

async fn claims(channel: &Channel, talk: &Talk, kind: &str, value: &str) {
    let path = format!("/_kontor/bridge/v1/conversations/{}/claims", talk.id);
    let claim = json!({ "kind": kind, "value": value, "trust": "proven", "source": "form" });
    channel.bot.post(&path, &json!({ "claims": [claim] })).await.ok();
}

async fn stage(client: &Client, contact: &str) -> String {
    text(&card(client, contact).await["stage"])
}

async fn topic(client: &Client, talk: &Talk) -> String {
    text(&client.state(&talk.room, "m.room.topic", "").await.ok()["topic"])
}

/// An order of whoever has an address, as the shop has it without a name.
fn bought(key: &str, kind: &str, at: i64, email: &str) -> Value {
    let mut order = order(key, kind, at, email);
    order["customer"] = json!({ "email": email });
    order["payment"] = json!({ "method": "BLIK", "at": at });
    order
}

async fn a_visitor_is_a_lead_by_a_number_and_a_customer_by_a_payment(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open_with(&server, &[&anna], json!({ "language": "pl" })).await;
    let talk = visitor(&channel).await;
    let email = format!("{}@example.com", word());
    assert_eq!(stage(&anna, &talk.contact).await, "visitor");
    for (kind, value) in [("name", "Oksana"), ("phone", "none"), ("email", "noreply@example.com")] {
        claims(&channel, &talk, kind, value).await;
        assert_eq!(stage(&anna, &talk.contact).await, "visitor", "{kind}");
    }
    claims(&channel, &talk, "email", &email).await;
    assert_eq!(stage(&anna, &talk.contact).await, "lead");
    assert!(topic(&anna, &talk).await.starts_with("zainteresowany · "));
    // Whoever leaves an address at the door, or writes from an account, begins as one.
    let direct = channel.talk(&word()).await;
    assert_eq!(stage(&anna, &direct.contact).await, "lead");
    assert!(topic(&anna, &direct).await.starts_with("zainteresowany · "));
    let mut opening = channel.opening(&word());
    (opening["id_type"], opening["claims"]) = (json!("telegram"), json!([]));
    assert_eq!(stage(&anna, &channel.talk_of(&opening).await.contact).await, "lead");
    let shop = Shop::open(&channel.admin, "kontor", json!({})).await;
    let key = word();
    shop.order(&bought(&key, "created", now() - 2_000, &email)).await;
    assert_eq!(stage(&anna, &talk.contact).await, "lead", "nothing is paid");
    shop.order(&bought(&key, "paid", now() - 1_000, &email)).await;
    assert_eq!(stage(&anna, &talk.contact).await, "customer");
    let told = || async { topic(&anna, &talk).await.starts_with("klient · ").then_some(()) };
    eventually("the rooms say so", told).await;
    shop.order(&bought(&key, "refunded", now(), &email)).await;
    assert_eq!(stage(&anna, &talk.contact).await, "customer", "it never goes back");
    // What was nobody's makes a customer of whoever it is given to.
    let late = visitor(&channel).await;
    let (key, email) = (word(), format!("{}@example.com", word()));
    shop.order(&bought(&key, "paid", now(), &email)).await;
    let path = format!("/_kontor/contacts/v1/contacts/{}/facts", late.contact);
    anna.post(&path, &json!({ "source": shop.id, "order_key": key })).await.ok();
    assert_eq!(stage(&anna, &late.contact).await, "customer");
    channel.close().await;
}

async fn says(client: &Client, contact: &str, stage: &str) {
    let path = format!("/_kontor/contacts/v1/contacts/{contact}");
    let version = card(client, contact).await["version"].to_string();
    client.patch_if(&path, &version, &json!({ "stage": stage })).await.ok();
}

async fn what_a_person_said_of_it_stays_until_a_later_payment(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let talk = visitor(&channel).await;
    let (key, email) = (word(), format!("{}@example.com", word()));
    says(&anna, &talk.contact, "visitor").await;
    claims(&channel, &talk, "email", &email).await;
    assert_eq!(stage(&anna, &talk.contact).await, "visitor");
    let shop = Shop::open(&channel.admin, "kontor", json!({})).await;
    shop.order(&bought(&key, "paid", now() - 60_000, &email)).await;
    assert_eq!(stage(&anna, &talk.contact).await, "visitor", "paid before it was said");
    shop.order(&bought(&word(), "paid", now(), &email)).await;
    assert_eq!(stage(&anna, &talk.contact).await, "customer");
    says(&anna, &talk.contact, "lead").await;
    shop.order(&bought(&key, "paid", now() - 50_000, &email)).await;
    assert_eq!(stage(&anna, &talk.contact).await, "lead");
    channel.close().await;
}

async fn of_merged_contacts_the_nearest_counts_and_each_is_as_near_as_before_when_it_is_undone(
    server: Homeserver,
) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let (one, other) = (visitor(&channel).await, visitor(&channel).await);
    let email = format!("{}@example.com", word());
    claims(&channel, &other, "email", &email).await;
    let path = format!("/_kontor/contacts/v1/contacts/{}/merge", one.contact);
    let undo = async || {
        anna.post("/_kontor/contacts/v1/merges/undo", &json!({ "contact_id": other.contact })).await.ok();
        [stage(&anna, &one.contact).await, stage(&anna, &other.contact).await]
    };
    anna.post(&path, &json!({ "from": [other.contact] })).await.ok();
    assert_eq!(stage(&anna, &one.contact).await, "lead");
    assert_eq!(undo().await, ["visitor", "lead"]);
    anna.post(&path, &json!({ "from": [other.contact] })).await.ok();
    let shop = Shop::open(&channel.admin, "kontor", json!({})).await;
    shop.order(&bought(&word(), "paid", now(), &email)).await;
    assert_eq!(stage(&anna, &one.contact).await, "customer");
    assert_eq!(undo().await, ["visitor", "customer"]);
    channel.close().await;
}
