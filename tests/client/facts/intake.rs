//! What is taken in, from whom, and how often.

use harness::{Homeserver, both_databases};
use serde_json::{Value, json};

use super::shop::{SHOPS, Shop, card, facts, known, now, order, signature};
use crate::client::conversations::support::{Channel, word};
use crate::client::support::{is_reference, list, text};

both_databases!(
    only_administrators_make_shops_and_see_their_secret_once,
    what_is_not_signed_is_not_kept,
    what_cannot_be_read_is_not_kept,
    what_is_told_twice_is_taken_once_and_older_words_replace_no_newer_ones,
    woocommerce_and_shopify_tell_in_their_own_words,
    a_secret_is_changed_without_a_gap,
);

async fn only_administrators_make_shops_and_see_their_secret_once(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, admin) = (server.register("anna").await, server.register_admin("admin").await);
    let id = word();
    let wish = json!({ "id": id, "kind": "kontor" });
    anna.post(SHOPS, &wish).await.err(403, "M_FORBIDDEN");
    for bad in [
        json!({ "id": "Has Spaces", "kind": "kontor" }),
        json!({ "id": id, "kind": "ebay" }),
        json!({ "id": id, "kind": "kontor", "secret": "short" }),
        json!({ "id": id, "kind": "kontor", "quiet_hours": 0 }),
        json!({ "id": id }),
    ] {
        assert_eq!(admin.post(SHOPS, &bad).await.status, 400, "{bad}");
    }
    let made = admin.post(SHOPS, &wish).await;
    assert_eq!((made.status, text(&made.json["secret"]).len()), (201, 43));
    assert_eq!(made.json["path"], format!("/_kontor/shop/v1/{id}"));
    assert_eq!(admin.post(SHOPS, &wish).await.status, 409);
    let listed = admin.get(SHOPS).await.ok();
    assert!(!listed.to_string().contains(&text(&made.json["secret"])));
    assert!(list(&listed["shops"]).iter().any(|shop| shop["id"] == json!(id)));
    let one = format!("{SHOPS}/{id}");
    anna.delete(&one).await.err(403, "M_FORBIDDEN");
    admin.delete(&one).await.ok();
    admin.delete(&one).await.err(404, "M_NOT_FOUND");
}

async fn what_is_not_signed_is_not_kept(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let customer = word();
    let talk = known(&channel, &customer).await;
    let shop = Shop::open(&channel.admin, "kontor", json!({})).await;
    let body = order("1", "paid", now(), &format!("{customer}@example.com")).to_string().into_bytes();
    let sign = |secret: &str, at: i64| vec![("kontor-signature", signature(secret, at, &body))];
    shop.call(&[], &body).await.err(401, "M_UNKNOWN_TOKEN");
    shop.call(&sign("another secret", now()), &body).await.err(401, "M_UNKNOWN_TOKEN");
    // A recorded call is of no use after five minutes, nor before its time.
    shop.call(&sign(&shop.secret, now() - 301_000), &body).await.err(401, "M_UNKNOWN_TOKEN");
    shop.call(&sign(&shop.secret, now() + 310_000), &body).await.err(401, "M_UNKNOWN_TOKEN");
    let mut tampered = body.clone();
    let at = tampered.windows(5).position(|part| part == b"12900").unwrap();
    tampered[at] = b'9';
    shop.call(&sign(&shop.secret, now()), &tampered).await.err(401, "M_UNKNOWN_TOKEN");
    let nowhere = format!("/_kontor/shop/v1/{}", word());
    let signed = sign(&shop.secret, now());
    channel.admin.post_as_stranger(&nowhere, &signed, body.clone()).await.err(401, "M_UNKNOWN_TOKEN");
    assert_eq!(card(&anna, &talk.contact).await["facts"], json!([]));
    let heard = |listed: Value| {
        list(&listed["shops"]).iter().find(|one| one["id"] == json!(shop.id)).unwrap()["heard_ts"].clone()
    };
    assert_eq!(heard(channel.admin.get(SHOPS).await.ok()), json!(null));
    shop.call(&sign(&shop.secret, now()), &body).await.ok();
    assert_eq!(facts(&anna, &talk.contact, "payment").await, [("1".to_owned(), "paid".to_owned())]);
    assert!(heard(channel.admin.get(SHOPS).await.ok()).is_i64());
    // Who is not backstage sees nothing of it.
    let stranger = server.register("stranger").await;
    stranger.get(&format!("/_kontor/contacts/v1/contacts/{}", talk.contact)).await.err(404, "M_NOT_FOUND");
    channel.close().await;
}

async fn what_cannot_be_read_is_not_kept(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let customer = word();
    let talk = known(&channel, &customer).await;
    let shop = Shop::open(&channel.admin, "kontor", json!({})).await;
    let email = format!("{customer}@example.com");
    for (field, value) in [
        ("amount_minor", json!(129.5)),
        ("currency", json!("złoty")),
        ("kind", json!("bought")),
        ("occurred_at", json!("today")),
        ("order_key", json!("")),
    ] {
        let mut bad = order("1", "paid", now(), &email);
        bad[field] = value;
        assert_eq!(shop.tell_with(&shop.secret, "", &bad).await.status, 400, "{bad}");
    }
    for bad in [&b""[..], b"{", b"[]", b"\xff\xfe"] {
        let headers = [("kontor-signature", signature(&shop.secret, now(), bad))];
        assert_eq!(shop.call(&headers, bad).await.status, 400, "{bad:?}");
    }
    let large = vec![b' '; 600 * 1024];
    let headers = [("kontor-signature", signature(&shop.secret, now(), &large))];
    shop.call(&headers, &large).await.err(413, "M_TOO_LARGE");
    assert_eq!(card(&anna, &talk.contact).await["facts"], json!([]));
    channel.close().await;
}

async fn what_is_told_twice_is_taken_once_and_older_words_replace_no_newer_ones(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let customer = word();
    let talk = known(&channel, &customer).await;
    let shop = Shop::open(&channel.admin, "kontor", json!({})).await;
    let (email, start) = (format!("{customer}@example.com"), now() - 60_000);
    // Paid before it was made known, as networks have it.
    shop.order(&order("7", "paid", start + 2_000, &email)).await;
    shop.order(&order("7", "created", start, &email)).await;
    assert_eq!(facts(&anna, &talk.contact, "order").await, [("7".to_owned(), "paid".to_owned())]);
    let before = card(&anna, &talk.contact).await;
    let body = order("7", "paid", start + 2_000, &email).to_string().into_bytes();
    let headers =
        [("kontor-signature", signature(&shop.secret, now(), &body)), ("kontor-delivery", "d".to_owned())];
    for _ in 0..3 {
        shop.call(&headers, &body).await.ok();
    }
    assert_eq!(card(&anna, &talk.contact).await["facts"], before["facts"], "the same words change nothing");
    // Another body in the name of the same delivery is the same delivery.
    let other = order("7", "refunded", start + 9_000, &email).to_string().into_bytes();
    let headers =
        [("kontor-signature", signature(&shop.secret, now(), &other)), ("kontor-delivery", "d".to_owned())];
    shop.call(&headers, &other).await.ok();
    assert_eq!(facts(&anna, &talk.contact, "payment").await, [("7".to_owned(), "paid".to_owned())]);
    // What only changed says nothing of how it stands; of one moment the later in an order's life counts.
    shop.order(&order("7", "updated", start + 3_000, &email)).await;
    assert_eq!(facts(&anna, &talk.contact, "order").await, [("7".to_owned(), "paid".to_owned())]);
    shop.order(&order("7", "cancelled", start + 3_000, &email)).await;
    shop.order(&order("7", "paid", start + 3_000, &email)).await;
    assert_eq!(facts(&anna, &talk.contact, "order").await, [("7".to_owned(), "cancelled".to_owned())]);
    assert_eq!(
        card(&anna, &talk.contact).await["worth"]["lifetime"],
        json!([{ "currency": "PLN", "amount_minor": 12_900 }])
    );
    shop.order(&order("7", "refunded", start + 5_000, &email)).await;
    let worth = card(&anna, &talk.contact).await["worth"]["lifetime"].clone();
    assert_eq!(worth, json!([{ "currency": "PLN", "amount_minor": 0 }]));
    channel.close().await;
}

/// A recorded body.
fn recorded(name: &str) -> Value {
    let all: Result<Value, _> =
        serde_json::from_str(include_str!("../../../server/contacts/src/shop/testdata/shop.json"));
    all.unwrap()[name].clone()
}

async fn woocommerce_and_shopify_tell_in_their_own_words(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let customer = word();
    let talk = known(&channel, &customer).await;
    let email = format!("{customer}@example.com");
    let woo = Shop::open(&channel.admin, "woocommerce", json!({ "secret": "chosen in the shop" })).await;
    assert_eq!(woo.secret, "chosen in the shop");
    let mut body = recorded("woo_order_updated");
    body["billing"]["email"] = json!(email);
    body["billing"]["phone"] = json!("");
    woo.tell_with("something else", "order.updated", &body).await.err(401, "M_UNKNOWN_TOKEN");
    woo.tell("order.updated", &body).await;
    let mut older = body.clone();
    older["date_modified_gmt"] = json!("2026-11-21T17:01:00");
    older["status"] = json!("pending");
    woo.tell("order.updated", &older).await;
    woo.tell("product.updated", &json!({ "id": 1 })).await;
    // The greeting by which an address is tried is no JSON and not signed.
    woo.call(&[], b"webhook_id=7").await.ok();
    assert_eq!(facts(&anna, &talk.contact, "order").await, [("727".to_owned(), "processing".to_owned())]);
    let shopify = Shop::open(&channel.admin, "shopify", json!({})).await;
    let mut body = recorded("shopify_orders_paid");
    body["email"] = json!(email);
    body["customer"]["phone"] = json!(null);
    shopify.tell_with(&woo.secret, "orders/paid", &body).await.err(401, "M_UNKNOWN_TOKEN");
    shopify.tell("orders/paid", &body).await;
    shopify.tell("refunds/create", &json!({ "id": 1 })).await;
    let mut payments = facts(&anna, &talk.contact, "payment").await;
    payments.sort();
    assert_eq!(payments, [("#1001".to_owned(), "paid".to_owned()), ("727".to_owned(), "paid".to_owned())]);
    let told = card(&anna, &talk.contact).await;
    assert_eq!(told["worth"]["lifetime"], json!([{ "currency": "PLN", "amount_minor": 25_800 }]));
    channel.close().await;
}

async fn a_secret_is_changed_without_a_gap(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let shop = Shop::open(&admin, "kontor", json!({})).await;
    let rotate = format!("{SHOPS}/{}/rotate", shop.id);
    let second = text(&admin.post(&rotate, &json!({})).await.ok()["secret"]);
    let body = order("1", "paid", now(), "nobody@example.com");
    for secret in [&shop.secret, &second] {
        shop.tell_with(secret, "", &body).await.ok();
    }
    let third = text(&admin.post(&rotate, &json!({})).await.ok()["secret"]);
    shop.tell_with(&shop.secret, "", &body).await.err(401, "M_UNKNOWN_TOKEN");
    for secret in [&second, &third] {
        shop.tell_with(secret, "", &body).await.ok();
    }
    admin.post(&format!("{SHOPS}/{}/rotate", word()), &json!({})).await.err(404, "M_NOT_FOUND");
}
