//! Whose a fact is: by the rules of arrivals, later when a key appears, or as a person says.

use harness::{Client, Db, Homeserver, Server, both_databases, eventually, on_each_database};
use serde_json::{Value, json};

use super::shop::{Shop, card, facts, known, now, order};
use crate::client::conversations::support::{Channel, word};
use crate::client::support::{is_reference, list, text};

both_databases!(
    what_is_not_sure_is_nobody_s_until_a_person_says_it,
    a_customer_number_that_a_person_gave_holds_for_later_orders,
    what_things_cost_is_told_to_those_who_may_know,
    facts_of_merged_contacts_are_together_and_come_apart,
);

on_each_database!(what_was_bought_before_the_customer_wrote_is_found_when_they_write,);

const UNATTACHED: &str = "/_kontor/contacts/v1/facts/unattached";

async fn waiting(client: &Client, shop: &Shop) -> Vec<Value> {
    let all = client.get(&format!("{UNATTACHED}?limit=500")).await.ok();
    list(&all["unattached"]).iter().filter(|one| one["source"] == json!(shop.id)).cloned().collect()
}

fn path(contact: &str, rest: &str) -> String {
    format!("/_kontor/contacts/v1/contacts/{contact}{rest}")
}

async fn what_is_not_sure_is_nobody_s_until_a_person_says_it(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let channel = Channel::open(&server, &[&anna]).await;
    let customer = word();
    let talk = known(&channel, &customer).await;
    let shop = Shop::open(&channel.admin, "kontor", json!({})).await;
    let email = format!("{customer}@example.com");
    // Somebody of another name buys with the address: it is nobody's, and makes nobody.
    let mut other = order("1", "paid", now(), &email);
    other["customer"]["name"] = json!("Jan Kowalski");
    shop.order(&other).await;
    // Somebody buys without a name or an address.
    let mut nameless = order("2", "paid", now(), &email);
    nameless["customer"] = json!({});
    shop.order(&nameless).await;
    assert_eq!(card(&anna, &talk.contact).await["facts"], json!([]));
    anna.get(UNATTACHED).await.err(403, "M_FORBIDDEN");
    let open = waiting(&channel.admin, &shop).await;
    assert_eq!(open.iter().map(|one| text(&one["order_key"])).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(open[0]["customer"]["name"], json!("Jan Kowalski"));
    let staff = format!("/_kontor/admin/v1/staff_roles/{}", harness::enc(anna.user_id()));
    anna.put(&staff, &json!({ "roles": ["facts"] })).await.err(403, "M_FORBIDDEN");
    assert_eq!(channel.admin.put(&staff, &json!({ "roles": ["boss"] })).await.status, 400);
    channel.admin.put(&staff, &json!({ "roles": ["facts"] })).await.ok();
    assert_eq!(waiting(&anna, &shop).await.len(), 2);
    // Whoever may not see the contact cannot give it anything, nor learn that an order is somebody's.
    let link = json!({ "source": shop.id, "order_key": "2" });
    bob.post(&path(&talk.contact, "/facts"), &link).await.err(404, "M_NOT_FOUND");
    anna.post(&path(&talk.contact, "/facts"), &link).await.ok();
    assert_eq!(facts(&anna, &talk.contact, "order").await, [("2".to_owned(), "paid".to_owned())]);
    assert_eq!(waiting(&anna, &shop).await.len(), 1);
    // What a person said, later words do not change.
    nameless["customer"] = json!({ "email": "else@example.com", "name": "Jan Kowalski" });
    nameless["kind"] = json!("shipped");
    nameless["occurred_at"] = json!(now());
    shop.order(&nameless).await;
    assert_eq!(facts(&anna, &talk.contact, "order").await, [("2".to_owned(), "shipped".to_owned())]);
    anna.post(&path(&talk.contact, "/facts/unlink"), &link).await.ok();
    anna.post(&path(&talk.contact, "/facts/unlink"), &link).await.err(404, "M_NOT_FOUND");
    assert_eq!(card(&anna, &talk.contact).await["facts"], json!([]));
    assert_eq!(waiting(&anna, &shop).await.len(), 2);
    let nothing = json!({ "source": shop.id, "order_key": "3" });
    anna.post(&path(&talk.contact, "/facts"), &nothing).await.err(404, "M_NOT_FOUND");
    channel.close().await;
}

async fn a_customer_number_that_a_person_gave_holds_for_later_orders(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let (talk, other) = (known(&channel, &word()).await, known(&channel, &word()).await);
    let shop = Shop::open(&channel.admin, "kontor", json!({})).await;
    let bought = |key: &str| {
        let mut order = order(key, "paid", now(), "");
        order["customer"] = json!({ "external_id": "77" });
        order
    };
    shop.order(&bought("1")).await;
    shop.order(&bought("2")).await;
    let link = json!({ "source": shop.id, "order_key": "1", "customer": true });
    anna.post(&path(&talk.contact, "/facts"), &link).await.ok();
    shop.order(&bought("3")).await;
    assert_eq!(facts(&anna, &talk.contact, "order").await.len(), 3);
    // It is another's only if that is said.
    let link = json!({ "source": shop.id, "order_key": "1" });
    assert_eq!(anna.post(&path(&other.contact, "/facts"), &link).await.status, 409);
    let link = json!({ "source": shop.id, "order_key": "1", "take": true });
    anna.post(&path(&other.contact, "/facts"), &link).await.ok();
    assert_eq!(facts(&anna, &talk.contact, "order").await.len(), 2);
    assert_eq!(facts(&anna, &other.contact, "order").await.len(), 1);
    channel.close().await;
}

async fn what_things_cost_is_told_to_those_who_may_know(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, boss) = (server.register("anna").await, server.register("boss").await);
    let channel = Channel::open(&server, &[&anna, &boss]).await;
    let customer = word();
    let talk = known(&channel, &customer).await;
    let shop = Shop::open(&channel.admin, "kontor", json!({})).await;
    let mut bought = order("1", "paid", now(), &format!("{customer}@example.com"));
    bought["cost_minor"] = json!(7_777);
    shop.order(&bought).await;
    let staff = format!("/_kontor/admin/v1/staff_roles/{}", harness::enc(boss.user_id()));
    channel.admin.put(&staff, &json!({ "roles": ["costs"] })).await.ok();
    let company = anna.post("/_kontor/contacts/v1/companies", &json!({ "name": "Firma" })).await.json;
    let company = format!("/_kontor/contacts/v1/companies/{}", text(&company["company_id"]));
    anna.put(&format!("{company}/people/{}", talk.contact), &json!({})).await.ok();
    for (client, knows) in [(&anna, false), (&boss, true), (&channel.admin, true)] {
        let told = card(client, &talk.contact).await;
        assert_eq!(told.to_string().contains("7777"), knows);
        let order = list(&told["facts"]).iter().find(|fact| fact["kind"] == "order").cloned().unwrap();
        assert_eq!(order["margin_minor"].as_i64(), knows.then_some(12_900 - 7_777));
        let whole = client.get(&company).await.ok();
        assert!(
            whole.to_string().contains("12900") && whole.to_string().contains("7777") == knows,
            "{whole}"
        );
    }
    // Everybody backstage reads an answer, so it tells nobody.
    for command in ["!karta", "!zamowienie", "!zamowienie 1"] {
        let event = boss.text(&talk.backstage, command).await;
        let timeline = boss.whole_timeline(&talk.backstage).await;
        let answers =
            |one: &&Value| one["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == json!(event);
        let body = text(&timeline.iter().find(answers).unwrap()["content"]["body"]);
        assert!(body.contains("129,00 PLN") && !body.contains("77,77"), "{command}: {body}");
    }
    channel.close().await;
}

async fn facts_of_merged_contacts_are_together_and_come_apart(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let (one, other) = (word(), word());
    let (first, second) = (known(&channel, &one).await, known(&channel, &other).await);
    let shop = Shop::open(&channel.admin, "kontor", json!({})).await;
    shop.order(&order("1", "paid", now(), &format!("{one}@example.com"))).await;
    shop.order(&order("2", "paid", now(), &format!("{other}@example.com"))).await;
    let wish = json!({ "from": [second.contact] });
    anna.post(&path(&first.contact, "/merge"), &wish).await.ok();
    assert_eq!(facts(&anna, &first.contact, "order").await.len(), 2);
    // What comes while they are one goes to the one whose address it is.
    shop.order(&order("3", "paid", now(), &format!("{other}@example.com"))).await;
    assert_eq!(facts(&anna, &first.contact, "order").await.len(), 3);
    let worth = card(&anna, &first.contact).await["worth"]["lifetime"][0]["amount_minor"].clone();
    assert_eq!(worth, json!(3 * 12_900));
    anna.post("/_kontor/contacts/v1/merges/undo", &json!({ "contact_id": second.contact })).await.ok();
    let numbers = |found: Vec<(String, String)>| {
        let mut numbers: Vec<String> = found.into_iter().map(|(number, _)| number).collect();
        numbers.sort();
        numbers
    };
    assert_eq!(numbers(facts(&anna, &first.contact, "order").await), ["1"]);
    assert_eq!(numbers(facts(&anna, &second.contact, "order").await), ["2", "3"]);
    channel.close().await;
}

async fn what_was_bought_before_the_customer_wrote_is_found_when_they_write(db: Db) {
    let process = Server::start(db);
    let server = process.homeserver();
    let anna = server.register("anna").await;
    let channel = Channel::open_with(&server, &[&anna], json!({ "language": "uk" })).await;
    let shop = Shop::open(&channel.admin, "kontor", json!({})).await;
    let customer = word();
    shop.order(&order("1", "paid", now(), &format!("{customer}@example.com"))).await;
    assert_eq!(waiting(&channel.admin, &shop).await.len(), 1);
    let talk = known(&channel, &customer).await;
    let found = || async { (facts(&anna, &talk.contact, "order").await.len() == 1).then_some(()) };
    eventually("the order is found", found).await;
    assert_eq!(waiting(&channel.admin, &shop).await.len(), 0);
    let told = || async {
        let timeline = anna.whole_timeline(&talk.backstage).await;
        let told = |event: &Value| {
            event["content"]["body"]
                .as_str()
                .is_some_and(|body| body.starts_with("Надійшла оплата: 129,00 PLN"))
        };
        timeline.iter().any(told).then_some(())
    };
    eventually("the payment is told", told).await;
    channel.close().await;
}
