//! Merging contacts: nothing is lost or moved, everything comes apart again.

use std::collections::BTreeMap;

use harness::{Client, Homeserver, both_databases, full_tier};
use serde_json::{Value, json};

use super::resolution::{arrival, arrive, number, whose};
use super::support::{Channel, Talk, rare, word};
use crate::client::support::{Dice, is_reference, list, text};

both_databases!(
    merging_moves_nothing_and_is_undone_exactly,
    of_two_owners_one_is_named,
    who_was_set_apart_stays_apart,
    merges_of_a_batch_are_undone_together,
    whatever_is_merged_and_undone_rooms_and_addresses_stay,
);

const CONTACTS: &str = "/_kontor/contacts/v1/contacts";
const UNDO: &str = "/_kontor/contacts/v1/merges/undo";

pub(super) fn path(contact: &str) -> String {
    format!("{CONTACTS}/{contact}")
}

pub(super) async fn merge(by: &Client, into: &str, from: &[&str]) -> Value {
    by.post(&format!("{}/merge", path(into)), &json!({ "from": from })).await.ok()
}

/// A card without what every change moves.
pub(super) async fn card(by: &Client, contact: &str) -> Value {
    let mut card = by.get(&path(contact)).await.ok();
    for moving in ["version", "updated_ts"] {
        card.as_object_mut().unwrap().remove(moving);
    }
    for talk in card["conversations"].as_array_mut().unwrap() {
        talk.as_object_mut().unwrap().remove("version");
    }
    card
}

/// Where what is written into a conversation's room goes.
pub(super) async fn target(channel: &Channel, talk: &Talk) -> Value {
    let told = talk.seen_by(&channel.admin).await;
    let card = card(&channel.admin, &text(&told["contact_id"])).await;
    let own = list(&card["identities"]).into_iter().find(|one| one["conversation_id"] == talk.id.as_str());
    let own = own.expect("the conversation has an address");
    json!([told["room_id"], own["channel"], own["account"], own["id_type"], own["external_id"]])
}

async fn merging_moves_nothing_and_is_undone_exactly(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let (one, other) = (channel.talk(&word()).await, channel.talk(&word()).await);
    let admin = &channel.admin;
    let before = (card(admin, &one.contact).await, card(admin, &other.contact).await);
    let targets = (target(&channel, &one).await, target(&channel, &other).await);
    anna.post(&format!("{}/merge", path(&one.contact)), &json!({ "from": [one.contact] }))
        .await
        .err(409, "M_UNKNOWN");
    let merged = merge(&anna, &one.contact, &[&other.contact]).await;
    let both = card(&anna, &one.contact).await;
    for part in ["identities", "claims", "conversations"] {
        let sum = list(&before.0[part]).len() + list(&before.1[part]).len();
        assert_eq!(list(&both[part]).len(), sum, "{part}: {both}");
    }
    assert_eq!((target(&channel, &one).await, target(&channel, &other).await), targets);
    assert_eq!(other.seen_by(&anna).await["contact_id"], json!(one.contact));
    // The old id leads to the one that both are, and what is written goes where it went.
    assert_eq!(anna.get(&path(&other.contact)).await.ok()["contact_id"], json!(one.contact));
    let event = anna.text(&other.room, "to the other").await;
    channel.wait_for(&event).await;
    let told = channel.told().into_iter().find(|told| told["event_id"] == event.as_str()).unwrap();
    assert_eq!(told["room_id"], json!(other.room));
    let journal = anna.get(&format!("{}/merges", path(&one.contact))).await.ok();
    assert_eq!(journal["merges"][0]["from"], json!(other.contact), "{journal}");
    anna.post(&format!("{}/merge", path(&one.contact)), &json!({ "from": [other.contact] }))
        .await
        .err(409, "M_UNKNOWN");
    anna.post(UNDO, &json!({ "merge_id": merged["merges"][0] })).await.ok();
    anna.post(UNDO, &json!({ "merge_id": merged["merges"][0] })).await.err(404, "M_NOT_FOUND");
    let mut after = (card(admin, &one.contact).await, card(admin, &other.contact).await);
    // The employee's answer is the one thing that happened.
    for (card, known) in [(&mut after.0, &before.0), (&mut after.1, &before.1)] {
        card["conversations"] = known["conversations"].clone();
    }
    assert_eq!(after, before);
    assert_eq!((target(&channel, &one).await, target(&channel, &other).await), targets);
    channel.close().await;
}

async fn of_two_owners_one_is_named(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, piotr) = (server.register("anna").await, server.register("piotr").await);
    let channel = Channel::open(&server, &[&anna, &piotr]).await;
    let (one, other) = (channel.talk(&word()).await, channel.talk(&word()).await);
    for (talk, owner) in [(&one, &anna), (&other, &piotr)] {
        let version = anna.get(&path(&talk.contact)).await.ok()["version"].to_string();
        let patch = json!({ "owner": owner.user_id() });
        anna.patch_if(&path(&talk.contact), &version, &patch).await.ok();
    }
    let wish = json!({ "from": [other.contact] });
    let asked = anna.post(&format!("{}/merge", path(&one.contact)), &wish).await;
    let refused = asked.err(409, "DEV_KONTOR_TWO_OWNERS");
    assert_eq!(refused["owners"], json!([anna.user_id(), piotr.user_id()]));
    let chosen = json!({ "from": [other.contact], "owner": piotr.user_id() });
    anna.post(&format!("{}/merge", path(&one.contact)), &chosen).await.ok();
    assert_eq!(anna.get(&path(&one.contact)).await.ok()["owner"], json!(piotr.user_id()));
    anna.post(UNDO, &json!({ "contact_id": other.contact })).await.ok();
    assert_eq!(anna.get(&path(&one.contact)).await.ok()["owner"], json!(anna.user_id()));
    channel.close().await;
}

async fn who_was_set_apart_stays_apart(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let (number, name) = (number(), "Oksana Petrenko");
    let one = whose(&admin, &arrival("telegram", "user", &word(), Some(name))).await.unwrap();
    let other = whose(&admin, &arrival("viber", "user", &word(), Some(name))).await.unwrap();
    let third = whose(&admin, &arrival("messenger", "user", &word(), Some(name))).await.unwrap();
    let pair = json!({ "one": one, "other": other });
    admin.post("/_kontor/contacts/v1/suggestions/reject", &pair).await.ok();
    merge(&admin, &other, &[&third]).await;
    // What was said of one of them holds for both.
    for from in [&other, &third] {
        let wish = json!({ "from": [from] });
        admin.post(&format!("{}/merge", path(&one)), &wish).await.err(409, "DEV_KONTOR_SET_APART");
    }
    let mut shows = arrival("telegram", "user", &word(), Some(name));
    shows["phones"] = json!([{ "value": format!("+{number}"), "proven": true }]);
    let held = whose(&admin, &shows).await.unwrap();
    admin.post("/_kontor/contacts/v1/suggestions/reject", &json!({ "one": held, "other": one })).await.ok();
    let wish = json!({ "from": [held], "despite_rejection": true });
    admin.post(&format!("{}/merge", path(&one)), &wish).await.ok();
}

async fn merges_of_a_batch_are_undone_together(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let (number, batch) = (number(), word());
    let name = format!("Zofia Q{}", rare());
    let known = whose(&admin, &arrival("whatsapp", "phone", &number, Some(&name))).await;
    let (chat, other) = (word(), word());
    let telegram = whose(&admin, &arrival("telegram", "user", &chat, Some(&name))).await;
    assert_ne!(known, telegram);
    // Its account now shows the number: the network vouches for it, and the names agree.
    let mut shows = arrival("telegram", "user", &chat, Some(&name));
    shows["phones"] = json!([{ "value": format!("+{number}"), "proven": true }]);
    let calls = arrival("messenger", "user", &other, Some(&name));
    let told = admin
        .post("/_kontor/contacts/v1/arrivals", &json!({ "arrivals": [shows, calls], "batch": batch }))
        .await
        .ok();
    assert_eq!(list(&told["arrivals"][0]["merged"]).len(), 1, "{told}");
    assert_eq!(whose(&admin, &arrival("telegram", "user", &chat, Some(&name))).await, known);
    admin.post(UNDO, &json!({ "batch": batch })).await.ok();
    admin.post(UNDO, &json!({ "batch": batch })).await.err(404, "M_NOT_FOUND");
    assert_eq!(whose(&admin, &arrival("telegram", "user", &chat, Some(&name))).await, telegram);
    // Undone, it is not done again by itself.
    let mut again = arrival("telegram", "user", &chat, Some(&name));
    again["phones"] = json!([{ "value": format!("+{number}"), "proven": true }]);
    assert_eq!(list(&arrive(&admin, &again).await["merged"]).len(), 0);
}

async fn whatever_is_merged_and_undone_rooms_and_addresses_stay(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let mut talks = Vec::new();
    for _ in 0..5 {
        talks.push(channel.talk(&word()).await);
    }
    let (mut cards, mut targets) = (BTreeMap::new(), Vec::new());
    for talk in &talks {
        cards.insert(talk.contact.clone(), card(&channel.admin, &talk.contact).await);
        targets.push(target(&channel, talk).await);
    }
    let mut dice = Dice::new(7);
    for n in 0..if full_tier() { 500 } else { 40 } {
        let (one, other) = (&talks[dice.below(5)].contact, &talks[dice.below(5)].contact);
        match dice.below(5) {
            0 | 1 => {
                let asked = json!({ "contact_id": one });
                drop(channel.admin.post(UNDO, &asked).await);
            }
            2 => {
                for stage in ["lead", "visitor"] {
                    let answer = channel.admin.get(&path(one)).await.ok();
                    let now = text(&answer["contact_id"]);
                    let version = answer["version"].to_string();
                    channel.admin.patch_if(&path(&now), &version, &json!({ "stage": stage })).await.ok();
                }
            }
            _ => {
                let wish = json!({ "from": [other] });
                drop(channel.admin.post(&format!("{}/merge", path(one)), &wish).await);
            }
        }
        let talk = n % talks.len();
        assert_eq!(target(&channel, &talks[talk]).await, targets[talk], "after {n} acts");
    }
    for talk in &talks {
        drop(channel.admin.post(UNDO, &json!({ "contact_id": talk.contact })).await);
    }
    for (contact, known) in &cards {
        assert_eq!(card(&channel.admin, contact).await, *known);
    }
    channel.close().await;
}
