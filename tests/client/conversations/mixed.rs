//! The timeline of a contact: what was said, mixed with everything else that happened, in one order.

use std::collections::BTreeSet;

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

use super::past::pages;
use super::support::{Channel, Talk, word};
use crate::client::facts::shop::{Shop, known, now, order};
use crate::client::support::{is_reference, list, text};

both_databases!(
    everything_that_happened_is_told_once_in_one_order,
    what_is_told_of_is_what_the_reader_may_see,
);

const CONTACTS: &str = "/_kontor/contacts/v1/contacts";

fn kinds(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| text(&item["kind"])).collect()
}

/// Items without how old they are by now.
fn ageless(items: &[Value]) -> Vec<Value> {
    let mut items = items.to_vec();
    for event in items.iter_mut().filter_map(|item| item.get_mut("event")?.as_object_mut()) {
        event.remove("unsigned");
    }
    items
}

fn of<'a>(items: &'a [Value], kind: &str) -> &'a Value {
    items.iter().find(|item| item["kind"] == kind).unwrap_or_else(|| panic!("{kind} in {items:?}"))
}

/// A customer with whom something of everything happened; gives another contact that was one with it for a while.
async fn lived(channel: &Channel, anna: &Client) -> (Talk, Talk) {
    let customer = word();
    let email = format!("{customer}@example.com");
    let talk = known(channel, &customer).await;
    let other = channel.stranger().await;
    let shop = Shop::open(&channel.admin, "kontor", json!({})).await;
    let mut bought = order("727", "paid", now() - 86_400_000, &email);
    bought["cost_minor"] = json!(8_000);
    shop.order(&bought).await;
    let mut shipped = order("727", "shipped", now() - 43_200_000, &email);
    shipped["shipment"] = json!({ "carrier": "InPost", "tracking": "1" });
    shop.order(&shipped).await;
    channel.say(&talk, "Dzień dobry").await;
    for command in ["!note rings late", "!decision free shipping", "!task send an offer", "!done 1", "!mine"]
    {
        anna.text(&talk.backstage, command).await;
    }
    anna.text(&talk.room, "Dzień dobry!").await;
    let path = format!("{CONTACTS}/{}/merge", talk.contact);
    anna.post(&path, &json!({ "from": [other.contact] })).await.ok();
    channel.say(&other, "jeszcze ja").await;
    (talk, other)
}

async fn everything_that_happened_is_told_once_in_one_order(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let (talk, other) = lived(&channel, &anna).await;
    let path = format!("{CONTACTS}/{}/timeline", talk.contact);
    let whole = list(&anna.get(&format!("{path}?limit=500")).await.ok()["items"]);
    let paged = pages(&anna, &talk.contact, "timeline").await;
    assert_eq!(ageless(&paged), ageless(&whole), "the same by pages");
    let all: BTreeSet<String> = kinds(&whole).into_iter().collect();
    let expected = [
        "message",
        "note",
        "decision",
        "task",
        "order",
        "payment",
        "shipment",
        "task_done",
        "merge",
        "assignment",
    ];
    for kind in expected {
        assert!(all.contains(kind), "{kind} in {all:?}");
    }
    let moments: Vec<i64> = whole.iter().map(|item| item["ts"].as_i64().unwrap()).collect();
    assert!(moments.is_sorted_by(|a, b| a >= b), "{moments:?}");
    assert_eq!(of(&whole, "payment")["fact"]["amount_minor"], json!(12_900));
    assert_eq!(of(&whole, "task_done")["task"]["text"], json!("send an offer"));
    assert_eq!(of(&whole, "task_done")["task"]["by"], json!(anna.user_id()));
    assert_eq!(of(&whole, "assignment")["assignment"]["to"], json!(anna.user_id()));
    assert_eq!(of(&whole, "merge")["merge"]["from"], json!(other.contact));
    assert!(text(&of(&whole, "note")["event"]["content"]["body"]).contains("rings late"));
    // Only what is asked for, by pages as well.
    for (wanted, told) in [
        ("payment", vec!["payment"]),
        ("note,order", vec!["note", "order"]),
        ("decision,task", vec!["task", "decision"]),
        ("deal", vec![]),
    ] {
        let found = pages(&anna, &talk.contact, &format!("timeline?kinds={wanted}")).await;
        assert_eq!(kinds(&found), told, "{wanted}");
    }
    // Apart again, either has its own, and both tell of the merge and of its end.
    anna.post("/_kontor/contacts/v1/merges/undo", &json!({ "contact_id": other.contact })).await.ok();
    let own = kinds(&pages(&anna, &other.contact, "timeline").await);
    assert_eq!(own, ["merge_undone", "message", "merge"]);
    let own = kinds(&pages(&anna, &talk.contact, "timeline?kinds=merge,merge_undone,payment").await);
    assert_eq!(own, ["merge_undone", "merge", "payment"]);
    // What was taken back is not told.
    let note = text(&of(&whole, "task")["event"]["event_id"]);
    anna.redact(&talk.backstage, &note).await;
    assert!(pages(&anna, &talk.contact, "timeline?kinds=task_done").await.is_empty());
    channel.close().await;
}

async fn what_is_told_of_is_what_the_reader_may_see(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, piotr) = (server.register("anna").await, server.register("piotr").await);
    let channel = Channel::open_with(&server, &[&anna], json!({ "visibility": "all" })).await;
    let (talk, _) = lived(&channel, &anna).await;
    // The card is everybody's, what is said in the rooms is not, nor is what it costs.
    let seen = pages(&piotr, &talk.contact, "timeline").await;
    let told: BTreeSet<String> = kinds(&seen).into_iter().collect();
    let expected = ["assignment", "merge", "order", "payment", "shipment"].map(str::to_owned);
    assert_eq!(told, expected.into_iter().collect());
    for reader in [&anna, &piotr] {
        let told = pages(reader, &talk.contact, "timeline?kinds=order").await;
        assert!(
            told[0]["fact"]["cost_minor"].is_null() && told[0]["fact"]["margin_minor"].is_null(),
            "{told:?}"
        );
    }
    let path = format!("/_kontor/admin/v1/staff_roles/{}", enc(anna.user_id()));
    channel.admin.put(&path, &json!({ "roles": ["costs"] })).await.ok();
    let told = pages(&anna, &talk.contact, "timeline?kinds=order").await;
    assert_eq!(told[0]["fact"]["cost_minor"], json!(8_000));
    let path = format!("{CONTACTS}/{}", talk.contact);
    let version = anna.get(&path).await.ok()["version"].to_string();
    let hidden = json!({ "owner": anna.user_id(), "visibility": "owner" });
    anna.patch_if(&path, &version, &hidden).await.ok();
    piotr.get(&format!("{path}/timeline?kinds=payment")).await.err(404, "M_NOT_FOUND");
    channel.close().await;
}
