//! To whom arrivals belong: told once, resolved by keys and never by names, one contact however many
//! arrive at once.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use harness::{Client, Db, Homeserver, Server, both_databases, eventually, full_tier, on_each_database};
use serde_json::{Value, json};

use super::support::{Channel, name, rare, word};
use crate::client::support::{is_reference, list, text};

both_databases!(
    an_arrival_is_told_by_administrators_and_resolved_once,
    keys_join_what_names_alone_do_not,
    a_conversation_belongs_to_the_contact_that_its_number_shows,
    contacts_that_are_perhaps_one_are_suggested_with_reasons,
);
on_each_database!(
    what_is_decided_without_a_person_is_configured,
    a_new_person_on_four_channels_at_once_is_one_contact
);

const ARRIVALS: &str = "/_kontor/contacts/v1/arrivals";
const SUGGESTIONS: &str = "/_kontor/contacts/v1/suggestions";

/// A mobile number that no other claim of this run uses.
pub(super) fn number() -> String {
    let unique = rare().bytes().fold(7, |sum: u64, byte| sum.wrapping_mul(31) + u64::from(byte));
    format!("4851{:07}", unique % 10_000_000)
}

pub(super) fn arrival(channel: &str, id_type: &str, id: &str, name: Option<&str>) -> Value {
    json!({
        "arrival_id": word(), "channel": channel, "id_type": id_type, "external_id": id, "display_name": name,
    })
}

/// Tells of one arrival; gives what was made of it.
pub(super) async fn arrive(admin: &Client, arrival: &Value) -> Value {
    admin.post(ARRIVALS, &json!({ "arrivals": [arrival] })).await.ok()["arrivals"][0].clone()
}

pub(super) async fn whose(admin: &Client, arrival: &Value) -> Option<String> {
    arrive(admin, arrival).await["contact_id"].as_str().map(str::to_owned)
}

async fn an_arrival_is_told_by_administrators_and_resolved_once(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (admin, anna) = (server.register_admin("admin").await, server.register("anna").await);
    let call = arrival("phone", "phone", &number(), None);
    let several = json!({ "arrivals": [call, call, arrival("phone", "phone", &number(), None)] });
    anna.post(ARRIVALS, &several).await.err(403, "M_FORBIDDEN");
    let told = list(&admin.post(ARRIVALS, &several).await.ok()["arrivals"]);
    assert_eq!((told.len(), &told[0]["rule"]), (3, &json!("new")));
    assert_eq!(told[0]["contact_id"], told[1]["contact_id"]);
    assert_ne!(told[0]["contact_id"], told[2]["contact_id"]);
    assert_eq!(arrive(&admin, &call).await["contact_id"], told[0]["contact_id"]);
    for (field, value) in [
        ("arrival_id", json!("")),
        ("channel", json!("a\u{0}b")),
        ("external_id", json!("x".repeat(300))),
        ("phones", json!([{ "value": "" }])),
        ("phones", json!(vec![json!({ "value": "1" }); 11])),
    ] {
        let mut bad = arrival("phone", "phone", &number(), None);
        bad[field] = value;
        // Of several nothing is written when one cannot be.
        let good = arrival("phone", "phone", &number(), None);
        admin.post(ARRIVALS, &json!({ "arrivals": [good, bad] })).await.err(400, "M_INVALID_PARAM");
        assert_eq!(arrive(&admin, &good).await["rule"], "new");
    }
    admin.post(ARRIVALS, &json!({ "arrivals": [{ "arrival_id": "x" }] })).await.err(400, "M_BAD_JSON");
    admin.post(ARRIVALS, &json!({ "arrivals": [] })).await.err(400, "M_INVALID_PARAM");
    let withheld = arrival("phone", "phone", "anonymous", None);
    let told = arrive(&admin, &withheld).await;
    assert_eq!((&told["rule"], &told["contact_id"]), (&json!("unattributed"), &Value::Null));
}

async fn keys_join_what_names_alone_do_not(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let (number, name) = (number(), format!("Oksana {}", word().replace(|c: char| c.is_ascii_digit(), "q")));
    let known = whose(&admin, &arrival("whatsapp", "phone", &number, Some(&name))).await;
    assert_eq!(
        whose(&admin, &arrival("sms", "phone", &format!("+{number}"), None)).await,
        known,
        "the number"
    );
    let mut form = arrival("webform", "form", &word(), Some(&name));
    form["phones"] = json!([{ "value": format!("00{number}") }]);
    assert_eq!(whose(&admin, &form).await, known, "typed, and the name agrees");
    let namesake = arrival("telegram", "user", &word(), Some(&name));
    assert_ne!(whose(&admin, &namesake).await, known, "a name is no key");
    let mut stranger = arrival("livechat", "visitor", &word(), None);
    stranger["phones"] = json!([{ "value": format!("00{number}") }]);
    assert_ne!(whose(&admin, &stranger).await, known, "somebody typed a number");
    // The number changed hands: another contact, and the old name still leads to the old one.
    let other = whose(&admin, &arrival("whatsapp", "phone", &number, Some("Takeisha Kaufman"))).await;
    assert_ne!(other, known);
    let card = admin.get(&format!("/_kontor/contacts/v1/contacts/{}", known.clone().unwrap())).await.ok();
    let ended = list(&card["claims"]).iter().any(|one| one["kind"] == "phone" && one["until_ts"].is_i64());
    assert!(ended, "whoever had the number before has it no longer: {card}");
    assert_eq!(whose(&admin, &arrival("whatsapp", "phone", &number, Some(&name))).await, known);
    assert_eq!(whose(&admin, &arrival("whatsapp", "phone", &number, Some("T. Kaufman"))).await, other);
    let unclear = arrival("sms", "phone", &format!("+{number}"), None);
    let told = arrive(&admin, &unclear).await;
    assert_eq!(told["rule"], "unattributed", "nobody says which of both it is: {told}");
    // It waits for a person, with those who come into question.
    let queued = || async {
        let from = text(&unclear["arrival_id"]);
        let page = admin.get("/_kontor/contacts/v1/arrivals/unattributed?limit=100").await.ok();
        list(&page["arrivals"]).into_iter().find(|one| one["arrival_id"] == from.as_str())
    };
    let candidates = list(&queued().await.expect("it is in the queue")["candidates"]);
    assert!(candidates.contains(&json!(known)) && candidates.contains(&json!(other)), "{candidates:?}");
    let pair = json!({ "one": format!("arrival:{}", text(&unclear["arrival_id"])), "other": other });
    admin.post("/_kontor/contacts/v1/suggestions/accept", &pair).await.ok();
    assert_eq!(queued().await, None);
    assert_eq!(json!(whose(&admin, &unclear).await), json!(other));
}

async fn a_conversation_belongs_to_the_contact_that_its_number_shows(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let number = number();
    let known = whose(&channel.admin, &arrival("phone", "phone", &format!("+{number}"), None)).await;
    let mut opening = channel.opening(&word());
    opening["id_type"] = json!("phone");
    opening["external_id"] = json!(number);
    opening["profile"]["display_name"] = json!("Oksana Kowalska");
    let talk = channel.talk_of(&opening).await;
    assert_eq!(Some(talk.contact.clone()), known);
    let card = anna.get(&format!("/_kontor/contacts/v1/contacts/{}", talk.contact)).await.ok();
    assert_eq!(card["fields"]["display_name"]["value"], "Oksana Kowalska", "{card}");
    channel.close().await;
}

async fn contacts_that_are_perhaps_one_are_suggested_with_reasons(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let name = name();
    let one = whose(&admin, &arrival("telegram", "user", &word(), Some(&name))).await.unwrap();
    let other = whose(&admin, &arrival("viber", "user", &word(), Some(&name))).await.unwrap();
    while admin.post(&format!("{SUGGESTIONS}/weigh"), &json!({})).await.ok()["more"] == true {}
    let (mut found, mut from) = (None, String::new());
    while found.is_none() {
        let page = admin.get(&format!("{SUGGESTIONS}?limit=500{from}")).await.ok();
        let pair = BTreeSet::from([one.clone(), other.clone()]);
        let is_it = |row: &Value| BTreeSet::from([text(&row["one"]), text(&row["other"])]) == pair;
        found = list(&page["suggestions"]).into_iter().find(is_it);
        match page["next"].as_str() {
            Some(next) => from = format!("&from={}", harness::enc(next)),
            None => break,
        }
    }
    let found = found.expect("a suggestion");
    assert!(found["bits"].as_f64().unwrap() > 0.0 && !list(&found["evidence"]).is_empty(), "{found}");
}

async fn a_new_person_on_four_channels_at_once_is_one_contact(db: Db) {
    let first = Server::start(db);
    // SQLite has one process; there the same process is asked twice.
    let second = (db == Db::Postgres).then(|| first.peer("second"));
    let server = first.homeserver();
    let other = second.as_ref().map_or_else(|| server.clone(), Server::homeserver);
    let admin = server.register_admin("admin").await;
    let there = other.client_like(&admin);
    eventually("the other process answers", || async {
        (there.get("/account/whoami").await.status == 200).then_some(())
    })
    .await;
    let (number, count) = (number(), if full_tier() { 1_000 } else { 100 });
    let plus = format!("+{number}");
    let asks = (0..count).map(|n| {
        let (channel, id_type, id) = match n % 4 {
            0 => ("whatsapp", "phone", number.clone()),
            1 => ("sms", "phone", plus.clone()),
            2 => ("phone", "phone", plus.clone()),
            _ => ("telegram", "user", format!("tg{number}")),
        };
        let mut one = arrival(channel, id_type, &id, None);
        one["phones"] = json!([{ "value": plus, "proven": true }]);
        let by = if n % 2 == 0 { &admin } else { &there };
        async move { whose(by, &one).await }
    });
    let contacts: BTreeSet<Option<String>> = join_all(asks).await.into_iter().collect();
    assert_eq!(contacts.len(), 1, "{contacts:?}");
}

async fn what_is_decided_without_a_person_is_configured(db: Db) {
    for (policy, suggested) in [("suggest", true), ("manual", false)] {
        let process = Server::start_with(db, &[("company.merging", policy.into())]);
        let server = process.homeserver();
        let admin = server.register_admin("admin").await;
        let number = number();
        let one =
            whose(&admin, &arrival("whatsapp", "phone", &number, Some("Oksana Petrenko"))).await.unwrap();
        let mut other = arrival("telegram", "user", &word(), Some("Oksana Petrenko"));
        other["phones"] = json!([{ "value": format!("+{number}"), "proven": true }]);
        let other = whose(&admin, &other).await.unwrap();
        assert_ne!(one, other, "{policy}");
        while admin.post(&format!("{SUGGESTIONS}/weigh"), &json!({})).await.ok()["more"] == true {}
        let page = admin.get(SUGGESTIONS).await.ok();
        assert_eq!(list(&page["suggestions"]).len(), usize::from(suggested), "{policy}: {page}");
    }
}
