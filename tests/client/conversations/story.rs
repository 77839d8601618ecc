//! The story of one customer, from a form to a payment: one card, each step by the rules.

use harness::{Client, Homeserver, both_databases, eventually};
use serde_json::{Value, json};

use super::resolution::{arrival, arrive, number};
use super::suggesting::{react, said, shown, weigh};
use super::support::{Channel, Talk, name, word};
use crate::client::facts::shop::{Shop, facts, now};
use crate::client::support::{is_reference, list, text};

both_databases!(a_customer_who_comes_by_four_ways_and_pays_has_one_card);

async fn contact_of(client: &Client, talk: &Talk) -> String {
    text(&talk.seen_by(client).await["contact_id"])
}

async fn claims(channel: &Channel, talk: &Talk, claims: Value) {
    let path = format!("/_kontor/bridge/v1/conversations/{}/claims", talk.id);
    channel.bot.post(&path, &json!({ "claims": claims })).await.ok();
}

/// Who she is.
struct Oksana {
    name: String,
    phone: String,
    email: String,
}

/// She comes by the form, by mail and by Telegram; gives the conversations of the first and the last.
async fn comes(anna: &Client, website: &Channel, telegram: &Channel, oksana: &Oksana) -> (Talk, Talk) {
    let Oksana { name, phone, email } = oksana;
    // She fills in the form: a lead with a number and an address, both only claimed.
    let mut form = website.opening(&word());
    form["id_type"] = json!("form");
    form["profile"]["display_name"] = json!(name);
    form["claims"] = json!([
        { "kind": "name", "value": name, "trust": "claimed", "source": "form" },
        { "kind": "phone", "value": phone, "trust": "claimed", "source": "form" },
        { "kind": "email", "value": email, "trust": "claimed", "source": "form" },
    ]);
    let form = website.talk_of(&form).await;
    let card = anna.get(&format!("/_kontor/contacts/v1/contacts/{}", form.contact)).await.ok();
    assert_eq!(list(&card["claims"]).len(), 3, "{card}");

    // Next day a mail comes from her address, with her name: hers.
    let mut mail = arrival("email", "email", email, Some(name));
    mail["emails"] = json!([{ "value": email, "proven": true }]);
    let mail = arrive(&website.admin, &mail).await;
    assert_eq!(mail["contact_id"], json!(form.contact), "{mail}");

    // She writes in Telegram under a nickname: nothing says who she is, so she is somebody new.
    let mut chat = telegram.opening(&word());
    chat["profile"] = json!({ "display_name": "kvitka" });
    chat["claims"] = json!([]);
    let chat = telegram.talk_of(&chat).await;
    telegram.say(&chat, "Dzień dobry, czy buty są?").await;
    assert_ne!(chat.contact, form.contact);
    (form, chat)
}

async fn a_customer_who_comes_by_four_ways_and_pays_has_one_card(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let polish = json!({ "language": "pl" });
    let website = Channel::open_with(&server, &[&anna], polish.clone()).await;
    let telegram = Channel::open_with(&server, &[&anna], polish).await;
    let admin = &website.admin;
    let oksana =
        Oksana { name: name(), phone: format!("+{}", number()), email: format!("{}@example.com", word()) };
    let (form, chat) = comes(&anna, &website, &telegram, &oksana).await;
    let Oksana { name, phone, email } = &oksana;

    // She is asked for her number, types one into the chat, and is still not merged by that.
    assert!(said(&anna, &chat, "!popros telefon").await.contains("telefon"));
    let asked = |told: &Value| told["room_id"] == chat.room.as_str() && told.to_string().contains("telefon");
    eventually("she reads the question", || async {
        telegram.told().iter().find(|told| asked(told)).cloned()
    })
    .await;
    let typed = json!([{ "kind": "phone", "value": phone, "trust": "claimed", "source": "customer" }]);
    claims(&telegram, &chat, typed).await;
    weigh(admin).await;
    assert_eq!(contact_of(&anna, &chat).await, chat.contact, "what is typed merges nothing");

    // Those who talk with her are told who she may be; one reaction makes both one card.
    let told = eventually("a suggestion", || async { shown(&anna, &chat.backstage).await.pop() }).await;
    let body = text(&told["content"]["body"]);
    assert!(body.contains(name) && body.contains("ten sam numer"), "{body}");
    react(&anna, &chat.backstage, &text(&told["event_id"]), "✅").await;
    eventually("one card", || async {
        (contact_of(&anna, &chat).await == contact_of(&anna, &form).await).then_some(())
    })
    .await;

    // She pays: the payment stands beside both of her conversations, and on the card.
    let shop = Shop::open(admin, "kontor", json!({})).await;
    shop.order(&json!({
        "occurred_at": now(), "order_key": "727", "number": "727", "kind": "paid", "amount_minor": 12_900, "currency": "PLN",
        "customer": { "email": email, "name": name }, "payment": { "method": "BLIK" }, "items": [],
    }))
    .await;
    telegram.say(&chat, "Zapłaciłam").await;
    eventually("the payment beside the chat", || async {
        let timeline = anna.whole_timeline(&chat.backstage).await;
        let paid = |event: &Value| text(&event["content"]["body"]).contains("Wpłynęła płatność: 129,00 PLN");
        timeline.iter().any(paid).then_some(())
    })
    .await;
    let one = contact_of(&anna, &chat).await;
    assert_eq!(facts(&anna, &one, "payment").await.len(), 1);
    let card = said(&anna, &chat, "!karta").await;
    for part in [name, phone, email, "Wpłacono łącznie: 129,00 PLN"] {
        assert!(card.contains(part), "{part}: {card}");
    }

    // All of it in one past; and what was merged comes apart again, each conversation where it was.
    let past = anna.get(&format!("/_kontor/contacts/v1/contacts/{one}/timeline")).await.ok();
    assert!(past.to_string().contains("Zapłaciłam") && past.to_string().contains("czy buty są"), "{past}");
    assert!(said(&anna, &chat, "!cofnij").await.contains("Znowu osobno"));
    assert_eq!(
        (contact_of(&anna, &chat).await, contact_of(&anna, &form).await),
        (chat.contact.clone(), form.contact.clone())
    );
    telegram.close().await;
    website.close().await;
}
