//! What the card's page shows in a browser: purchases of two shops, one of which is silent, and others who may be the
//! same person.

use harness::{Client, Db, Server, enc};
use serde_json::{Value, json};

use super::size::change;
use super::support::{Channel, Talk, word};
use crate::client::facts::shop::{Shop, now};
use crate::client::support::text;

/// What the customer is called.
pub(super) const NAME: &str = "Oksana Kowalska";
const EMAIL: &str = "oksana.kowalska@example.com";
const DAY: i64 = 86_400_000;

/// What a bridge tells of somebody of this name.
pub(super) fn called(channel: &Channel, name: &str) -> Value {
    let mut opening = channel.opening(&word());
    opening["profile"]["display_name"] = json!(name);
    opening["claims"] = json!([]);
    opening
}

/// Three customers who are alike: one who is the same, one who is not, and one whom another owns.
pub(super) async fn alike(channel: &Channel, anna: &Client, bob: &Client) -> Vec<String> {
    let mut all = Vec::new();
    for (name, phone) in [
        (NAME, Some("+48 601 234 567")),
        ("Oksana Nowak", Some("+48 601 234 567")),
        ("Oksana M. Kowalska", None),
    ] {
        let mut opening = called(channel, name);
        if let Some(phone) = phone {
            opening["claims"] =
                json!([{ "kind": "phone", "value": phone, "trust": "claimed", "source": "form" }]);
        }
        all.push(channel.talk_of(&opening).await.contact);
    }
    let path = format!("/_kontor/contacts/v1/contacts/{}", all[2]);
    let version = anna.get(&path).await.ok()["version"].to_string();
    anna.patch_if(&path, &version, &json!({ "owner": bob.user_id() })).await.ok();
    all
}

/// Lets the contact be anna's, who may know what things cost, and lets two shops tell what was bought; one of them is
/// silent since.
pub(super) async fn purchases(admin: &Client, anna: &Client, talk: &Talk, (process, db): (&mut Server, Db)) {
    let path = format!("/_kontor/contacts/v1/contacts/{}", talk.contact);
    let version = anna.get(&path).await.ok()["version"].to_string();
    anna.patch_if(&path, &version, &json!({ "owner": anna.user_id() })).await.ok();
    let path = format!("/_kontor/admin/v1/staff_roles/{}", enc(anna.user_id()));
    admin.put(&path, &json!({ "roles": ["costs"] })).await.ok();
    let shop = Shop::open(admin, "kontor", json!({ "name": "Sklep" })).await;
    let silent = Shop::open(admin, "kontor", json!({ "name": "Hurtownia", "quiet_hours": 1 })).await;
    let customer = json!({ "email": EMAIL, "name": NAME });
    let fact = |key: &str, kind: &str, days: i64, amount: i64| {
        json!({
            "occurred_at": now() - days * DAY, "order_key": key, "number": key, "kind": kind, "amount_minor": amount,
            "currency": "PLN", "customer": customer,
        })
    };
    let mut order = fact("727", "paid", 3, 129_900);
    order["cost_minor"] = json!(80_000);
    order["items"] = json!([{ "name": "Krzesło bukowe", "qty": 4 }, { "name": "Stół", "qty": 1 }]);
    order["payment"] = json!({ "method": "BLIK", "txn": "P24-A1", "at": now() - 3 * DAY });
    shop.order(&order).await;
    let mut shipped = fact("727", "shipped", 2, 129_900);
    shipped["shipment"] =
        json!({ "carrier": "InPost", "tracking": "620012", "url": "https://inpost.example/620012" });
    shop.order(&shipped).await;
    shop.order(&fact("731", "created", 1, 45_000)).await;
    let mut deal = fact("D-9", "created", 20, 1_250_000);
    deal["fact"] = json!("deal");
    silent.order(&deal).await;
    let mut invoice = fact("FV/12/2026", "created", 21, 99_000);
    invoice["fact"] = json!("invoice");
    silent.order(&invoice).await;
    process.terminate();
    let sql =
        format!("UPDATE fact_source SET heard_ts = {} WHERE source_id = '{}'", now() - 5 * DAY, silent.id);
    change(process, db, &sql);
    process.start_again();
}

/// What was clicked holds: two of the three are the customer's now.
pub(super) async fn joined(client: &Client, talk: &Talk, alike: &[String]) {
    let path = |id: &str| format!("/_kontor/contacts/v1/contacts/{id}/merges");
    let merges =
        client.get(&path(&talk.contact)).await.ok()["merges"].as_array().cloned().unwrap_or_default();
    let standing: Vec<&Value> = merges.iter().filter(|merge| merge["undone_ts"].is_null()).collect();
    assert_eq!(standing.len(), 2, "{merges:?}");
    let apart = client.get(&format!("/_kontor/contacts/v1/contacts/{}/suggestions", alike[1])).await.ok();
    assert_eq!(apart["suggestions"], json!([]), "{apart}");
    assert!(merges.iter().all(|merge| merge["by"] == text(&json!(client.user_id()))));
}
