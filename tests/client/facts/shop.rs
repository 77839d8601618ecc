//! A shop that tells of orders, signed.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::{Client, Response};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::client::conversations::support::{Channel, Talk, word};
use crate::client::support::text;

pub(crate) const SHOPS: &str = "/_kontor/admin/v1/shops";

/// A shop of some kind, with its secret.
pub(crate) struct Shop {
    pub id: String,
    pub kind: &'static str,
    pub secret: String,
    pub admin: Client,
}

/// The present moment, milliseconds.
pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn mac(secret: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// `Kontor-Signature` of a body at a moment.
pub(crate) fn signature(secret: &str, at: i64, body: &[u8]) -> String {
    let stamp = (at / 1000).to_string();
    let code: String =
        mac(secret, &[stamp.as_bytes(), b".", body]).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={stamp},v1={code}")
}

impl Shop {
    /// Makes one known.
    pub async fn open(admin: &Client, kind: &'static str, more: Value) -> Self {
        let mut wish = json!({ "id": word(), "kind": kind, "name": "Sklep" });
        for (key, value) in more.as_object().cloned().unwrap_or_default() {
            wish[key] = value;
        }
        let made = admin.post(SHOPS, &wish).await;
        assert_eq!(made.status, 201, "{made}");
        let (id, secret) = (text(&made.json["id"]), text(&made.json["secret"]));
        Self { id, kind, secret, admin: admin.clone() }
    }

    /// Where it calls.
    pub fn path(&self) -> String {
        format!("/_kontor/shop/v1/{}", self.id)
    }

    /// Tells something with these fields.
    pub async fn call(&self, headers: &[(&str, String)], body: &[u8]) -> Response {
        self.admin.post_as_stranger(&self.path(), headers, body.to_vec()).await
    }

    /// Tells something signed with a secret.
    pub async fn tell_with(&self, secret: &str, topic: &str, body: &Value) -> Response {
        let bytes = body.to_string().into_bytes();
        let headers = match self.kind {
            "woocommerce" => vec![
                ("x-wc-webhook-signature", STANDARD.encode(mac(secret, &[&bytes]))),
                ("x-wc-webhook-topic", topic.to_owned()),
                ("x-wc-webhook-delivery-id", word()),
            ],
            "shopify" => vec![
                ("x-shopify-hmac-sha256", STANDARD.encode(mac(secret, &[&bytes]))),
                ("x-shopify-topic", topic.to_owned()),
                ("x-shopify-webhook-id", word()),
            ],
            _ => vec![("kontor-signature", signature(secret, now(), &bytes)), ("kontor-delivery", word())],
        };
        self.call(&headers, &bytes).await
    }

    /// Tells something, properly signed.
    pub async fn tell(&self, topic: &str, body: &Value) {
        let told = self.tell_with(&self.secret, topic, body).await.ok();
        assert_eq!(told, json!({ "ok": true }));
    }

    /// Says that something happened to an order.
    pub async fn order(&self, order: &Value) {
        self.tell("", order).await;
    }
}

/// An order of a customer by mail address, as our own form has it.
pub(crate) fn order(key: &str, kind: &str, at: i64, email: &str) -> Value {
    json!({
        "occurred_at": at, "order_key": key, "number": key, "kind": kind, "amount_minor": 12_900, "currency": "PLN",
        "customer": { "email": email, "name": NAME }, "payment": { "method": "BLIK" }, "items": [{ "name": "Buty", "qty": 1 }],
    })
}

/// Who buys.
const NAME: &str = "Oksana Petrenko";

/// The conversation of a customer who has a name and a mail address.
pub(crate) async fn known(channel: &Channel, customer: &str) -> Talk {
    let mut opening = channel.opening(customer);
    opening["profile"]["display_name"] = json!(NAME);
    channel.talk_of(&opening).await
}

/// A contact as somebody sees it.
pub(crate) async fn card(client: &Client, contact: &str) -> Value {
    client.get(&format!("/_kontor/contacts/v1/contacts/{contact}")).await.ok()
}

/// Its facts of a kind: number, status.
pub(crate) async fn facts(client: &Client, contact: &str, kind: &str) -> Vec<(String, String)> {
    let card = card(client, contact).await;
    let all = card["facts"].as_array().cloned().unwrap_or_default();
    let of_kind = all.iter().filter(|fact| fact["kind"] == kind);
    of_kind.map(|fact| (text(&fact["number"]), text(&fact["status"]))).collect()
}
