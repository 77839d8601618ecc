//! Commands about orders, questions to the customer, and other ways to reach them; tags on cards and the page.

use harness::{Client, Homeserver, both_databases, enc};
use serde_json::{Value, json};

use super::shop::{Shop, card, known, now, order};
use crate::client::conversations::support::{Channel, Talk, word};
use crate::client::support::{is_reference, list, text};

both_databases!(
    orders_are_told_all_or_one_with_what_belongs_to_it,
    a_customer_is_asked_once_a_day_in_their_language,
    another_conversation_is_opened_and_no_address_moves,
    old_words_of_a_silent_shop_are_marked,
    contacts_are_tagged_and_listed_by_their_tags,
);

/// Types something backstage; gives its one answer.
async fn said(client: &Client, talk: &Talk, body: &str) -> String {
    let event = client.text(&talk.backstage, body).await;
    let timeline = client.whole_timeline(&talk.backstage).await;
    let answers: Vec<&Value> = timeline
        .iter()
        .filter(|one| one["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == json!(event))
        .collect();
    assert_eq!(answers.len(), 1, "one answer to {body:?}: {answers:?}");
    text(&answers[0]["content"]["body"])
}

async fn orders_are_told_all_or_one_with_what_belongs_to_it(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let customer = word();
    let talk = known(&channel, &customer).await;
    assert!(said(&anna, &talk, "!zamowienie").await.contains("Nie znamy zamówień"));
    let shop = Shop::open(&channel.admin, "kontor", json!({})).await;
    let email = format!("{customer}@example.com");
    shop.order(&order("727", "paid", now() - 9_000, &email)).await;
    let mut sent = order("727", "shipped", now() - 5_000, &email);
    sent["shipment"] =
        json!({ "carrier": "InPost", "tracking": "6200", "url": "https://inpost.example/6200" });
    shop.order(&sent).await;
    shop.order(&order("728", "created", now(), &email)).await;
    let all = said(&anna, &talk, "!zamówienie").await;
    assert!(all.contains("727 · 129,00 PLN · wysłane") && all.contains("728 · 129,00 PLN · nowe"), "{all}");
    let one = said(&anna, &talk, "!замовлення 727").await;
    for part in [
        "замовлення: 727",
        "оплата: 727 · 129,00 PLN · сплачено · BLIK",
        "InPost · 6200",
        "https://inpost.example/6200",
    ] {
        assert!(one.contains(part), "{part}: {one}");
    }
    assert!(!one.contains("728"), "{one}");
    assert!(said(&anna, &talk, "!order 999").await.contains("no order 999"));
    for odd in ["!order '; DROP TABLE fact", "!order %", &format!("!order {}", "9".repeat(500))] {
        assert!(said(&anna, &talk, odd).await.contains("no order"), "{odd}");
    }
    channel.close().await;
}

async fn a_customer_is_asked_once_a_day_in_their_language(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let channel = Channel::open(&server, &[&anna, &bob]).await;
    let mut opening = channel.opening(&word());
    opening["profile"]["language"] = json!("uk");
    let talk = channel.talk_of(&opening).await;
    assert!(said(&anna, &talk, "!popros").await.contains("!popros telefon"));
    let told = said(&anna, &talk, "!poproś telefon").await;
    assert!(told.contains("номер телефону"), "{told}");
    let in_room = || async {
        let timeline = anna.whole_timeline(&talk.room).await;
        let asked = |event: &&Value| {
            event["content"]["body"].as_str().is_some_and(|body| body.contains("номер телефону"))
        };
        timeline.iter().filter(asked).cloned().collect::<Vec<_>>()
    };
    let asked = in_room().await;
    assert_eq!(asked.len(), 1);
    // It is the employee's own message, and reaches the customer.
    assert_eq!(
        (&asked[0]["sender"], &asked[0]["content"]["msgtype"]),
        (&json!(anna.user_id()), &json!("m.text"))
    );
    channel.wait_for(&text(&asked[0]["event_id"])).await;
    let again = said(&bob, &talk, "!ask phone").await;
    assert!(again.contains(anna.user_id()), "{again}");
    assert_eq!(in_room().await.len(), 1);
    assert!(said(&bob, &talk, "!ask email").await.contains("електронної пошти"));
    channel.close().await;
}

async fn another_conversation_is_opened_and_no_address_moves(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let shop = Channel::open_with(&server, &[&anna], json!({ "name": "Sklep" })).await;
    let chat = Channel::open_with(&server, &[&anna], json!({ "name": "Telegram", "kind": "telegram" })).await;
    let (one, other) = (shop.talk(&word()).await, chat.talk(&word()).await);
    assert!(said(&anna, &one, "!przez").await.contains("jedyna rozmowa"));
    let wish = json!({ "from": [other.contact] });
    anna.post(&format!("/_kontor/contacts/v1/contacts/{}/merge", one.contact), &wish).await.ok();
    let addresses = |card: Value| {
        let mut all: Vec<String> = list(&card["identities"]).iter().map(|one| one.to_string()).collect();
        all.sort();
        all
    };
    let before = addresses(card(&anna, &one.contact).await);
    anna.post(&other.path("/status"), &json!({ "status": "closed" })).await.ok();
    let listed = said(&anna, &one, "!przez").await;
    assert!(listed.contains("Telegram") && listed.contains(&other.room), "{listed}");
    let led = said(&anna, &one, "!przez telegram").await;
    assert!(led.contains(&format!("https://matrix.to/#/{}", other.room)), "{led}");
    assert_eq!(other.seen_by(&anna).await["status"], "open");
    anna.text(&other.room, "here I am").await;
    assert!(said(&anna, &one, "!через whatsapp").await.contains("whatsapp"));
    assert_eq!(addresses(card(&anna, &one.contact).await), before);
    shop.close().await;
    chat.close().await;
}

async fn old_words_of_a_silent_shop_are_marked(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let customer = word();
    let talk = known(&channel, &customer).await;
    let shop = Shop::open(&channel.admin, "kontor", json!({ "quiet_hours": 1 })).await;
    shop.order(&order("1", "paid", now() - 86_400_000, &format!("{customer}@example.com"))).await;
    let told = card(&anna, &talk.contact).await;
    assert_eq!(told["fact_sources"][0]["stale"], json!(false), "{told}");
    let fact = &told["facts"][0];
    assert!(
        now() - fact["as_of"].as_i64().unwrap() >= 86_400_000,
        "the age is that of the shop's words: {fact}"
    );
    assert!(!said(&anna, &talk, "!karta").await.contains("milczy"));
    channel.close().await;
}

async fn contacts_are_tagged_and_listed_by_their_tags(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, bob) = (server.register("anna").await, server.register("bob").await);
    let channel = Channel::open(&server, &[&anna]).await;
    let (one, other) = (channel.talk(&word()).await, channel.talk(&word()).await);
    let tag = format!("VIP {}", word());
    let path = |contact: &str| format!("/_kontor/contacts/v1/contacts/{contact}/tags/{}", enc(&tag));
    bob.put(&path(&one.contact), &json!({})).await.err(404, "M_NOT_FOUND");
    for _ in 0..2 {
        anna.put(&path(&one.contact), &json!({})).await.ok();
    }
    anna.put(&path(&other.contact), &json!({})).await.ok();
    assert_eq!(card(&anna, &one.contact).await["tags"], json!([tag.to_lowercase()]));
    assert!(said(&anna, &one, "!karta").await.contains(&format!("Tagi: {}", tag.to_lowercase())));
    let listed = |client: &Client| {
        let (client, tag) = (client.clone(), enc(&tag));
        async move {
            let found = client.get(&format!("/_kontor/contacts/v1/contacts?tag={tag}")).await.ok();
            list(&found["contacts"]).iter().map(|one| text(&one["contact_id"])).collect::<Vec<_>>()
        }
    };
    let mut both = vec![one.contact.clone(), other.contact.clone()];
    both.sort();
    assert_eq!(listed(&anna).await, both);
    assert!(listed(&bob).await.is_empty(), "who may not see them is told of none");
    anna.delete(&path(&other.contact)).await.ok();
    assert_eq!(listed(&anna).await, [one.contact.clone()]);
    let bad = format!("/_kontor/contacts/v1/contacts/{}/tags/{}", one.contact, enc("a,b"));
    assert_eq!(anna.put(&bad, &json!({})).await.status, 400);
    channel.close().await;
}
