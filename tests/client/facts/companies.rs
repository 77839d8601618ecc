//! Companies: their numbers, domains and people.

use harness::{Homeserver, both_databases};
use serde_json::{Value, json};

use super::shop::{Shop, card, known, now, order};
use crate::client::conversations::support::{Channel, word};
use crate::client::support::{is_reference, list, text};

both_databases!(
    a_company_has_one_verified_number_and_no_public_domain,
    a_company_shows_its_people_as_far_as_the_reader_sees_them,
);

const COMPANIES: &str = "/_kontor/contacts/v1/companies";

/// A NIP that no other test uses: right by its check digit.
fn nip() -> String {
    let seed: u64 = word().bytes().fold(7, |sum, byte| (sum * 31 + u64::from(byte)) % 1_000_003);
    for n in 0.. {
        let first = format!("{:09}", 500_000_000 + seed * 37 + n);
        let sum: u32 = first
            .chars()
            .zip([6, 5, 7, 2, 3, 4, 5, 6, 7])
            .map(|(c, weight)| c.to_digit(10).unwrap() * weight)
            .sum();
        if sum % 11 < 10 {
            return format!("{first}{}", sum % 11);
        }
    }
    unreachable!()
}

async fn a_company_has_one_verified_number_and_no_public_domain(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let (number, domain) = (nip(), format!("{}.example", word()));
    for bad in [
        json!({}),
        json!({ "name": " " }),
        json!({ "name": "F", "vat": "5260300292" }),
        json!({ "name": "F", "domains": ["gmail.com"] }),
        json!({ "name": "F", "domains": ["nowhere"] }),
        json!({ "name": "F", "vat_verified": true }),
        json!({ "name": "F", "unknown": 1 }),
    ] {
        assert_eq!(anna.post(COMPANIES, &bad).await.status, 400, "{bad}");
    }
    let wish = json!({ "name": "Firma", "vat": format!("PL {number}"), "domains": [domain.to_uppercase()] });
    let made = anna.post(COMPANIES, &wish).await;
    assert_eq!((made.status, &made.json["vat"]), (201, &json!(format!("PL{number}"))), "{made}");
    assert_eq!(made.json["domains"], json!([domain]));
    let one = format!("{COMPANIES}/{}", text(&made.json["company_id"]));
    // Two may have the number as long as nobody made sure of it.
    let second = anna.post(COMPANIES, &json!({ "name": "Other", "vat": number })).await;
    assert_eq!(second.status, 201);
    let other = format!("{COMPANIES}/{}", text(&second.json["company_id"]));
    let verified = json!({ "vat_verified": true });
    let changed = anna.patch_if(&one, "1", &verified).await.ok();
    assert!(changed["vat_verified_ts"].is_i64());
    assert_eq!(anna.patch_if(&other, "1", &verified).await.status, 409);
    anna.patch_if(&one, "1", &json!({ "name": "Late" })).await.err(412, "DEV_KONTOR_CHANGED");
    for query in [format!("vat={number}"), format!("domain={domain}")] {
        let found = anna.get(&format!("{COMPANIES}?{query}")).await.ok();
        let ids: Vec<Value> = list(&found["companies"]).iter().map(|one| one["company_id"].clone()).collect();
        assert!(ids.contains(&made.json["company_id"]), "{query}: {found}");
    }
    // Another number is not made sure of.
    let moved = anna.patch_if(&one, "2", &json!({ "vat": nip() })).await.ok();
    assert!(moved.get("vat_verified_ts").is_none(), "{moved}");
    anna.delete(&one).await.ok();
    anna.get(&one).await.err(404, "M_NOT_FOUND");
    anna.delete(&one).await.err(404, "M_NOT_FOUND");
}

async fn a_company_shows_its_people_as_far_as_the_reader_sees_them(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let channel = Channel::open(&server, &[&anna]).await;
    let (customer, colleague) = (word(), word());
    let (talk, other) = (known(&channel, &customer).await, known(&channel, &colleague).await);
    let shop = Shop::open(&channel.admin, "kontor", json!({})).await;
    shop.order(&order("1", "paid", now(), &format!("{customer}@example.com"))).await;
    let made = anna.post(COMPANIES, &json!({ "name": "Firma" })).await.json;
    let company = format!("{COMPANIES}/{}", text(&made["company_id"]));
    let person = |contact: &str| format!("{company}/people/{contact}");
    bob.put(&person(&talk.contact), &json!({})).await.err(404, "M_NOT_FOUND");
    let buyer = json!({ "role": "buyer", "since": "2026-01-01" });
    anna.put(&person(&talk.contact), &buyer).await.ok();
    anna.put(&person(&talk.contact), &json!({ "role": "owner" })).await.ok();
    anna.put(&person(&other.contact), &json!({ "since": "2020-01-01", "until": "2024-12-31" })).await.ok();
    for bad in [json!({ "since": "yesterday" }), json!({ "since": "2026-02-02", "until": "2026-02-01" })] {
        assert_eq!(anna.put(&person(&talk.contact), &bad).await.status, 400, "{bad}");
    }
    let seen = anna.get(&company).await.ok();
    assert_eq!(list(&seen["people"]).len(), 3, "{seen}");
    assert_eq!(seen["conversations"], json!({ "all": 2, "open": 2 }));
    assert_eq!(seen["worth"]["lifetime"], json!([{ "currency": "PLN", "amount_minor": 12_900 }]));
    assert_eq!(list(&seen["facts"]).len(), 2);
    // Who may not see them is told of nobody, and of no count.
    let hidden = bob.get(&company).await.ok();
    assert_eq!(
        (list(&hidden["people"]).len(), &hidden["conversations"]),
        (0, &json!({ "all": 0, "open": 0 }))
    );
    assert_eq!((&hidden["facts"], &hidden["worth"]["lifetime"]), (&json!([]), &json!([])));
    let told = card(&anna, &talk.contact).await;
    let roles: Vec<String> = list(&told["companies"]).iter().map(|one| text(&one["role"])).collect();
    assert_eq!(roles, ["buyer", "owner"]);
    let listed =
        anna.get(&format!("/_kontor/contacts/v1/contacts?company={}", text(&made["company_id"]))).await.ok();
    assert_eq!(list(&listed["contacts"]).len(), 2);
    anna.delete(&person(&talk.contact)).await.ok();
    assert_eq!(list(&anna.get(&company).await.ok()["people"]).len(), 1);
    channel.close().await;
}
