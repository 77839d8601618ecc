//! The words of WooCommerce: orders of its REST API, version 3.

use super::{Customer, Detail, Fact, Item, Kind, Read, Told, checked, clean, money, unreadable};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use kontor_model::{Error, Ms, Result};
use serde::Deserialize;

#[derive(Deserialize)]
struct Order {
    id: i64,
    number: Option<String>,
    status: String,
    currency: String,
    date_created_gmt: Option<String>,
    date_modified_gmt: String,
    date_paid_gmt: Option<String>,
    total: String,
    #[serde(default)]
    customer_id: i64,
    #[serde(default)]
    billing: Billing,
    payment_method: Option<String>,
    payment_method_title: Option<String>,
    transaction_id: Option<String>,
    #[serde(default)]
    line_items: Vec<Line>,
    #[serde(default)]
    refunds: Vec<Refund>,
}

#[derive(Default, Deserialize)]
struct Billing {
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    name: Option<String>,
    #[serde(default)]
    quantity: i64,
}

#[derive(Deserialize)]
struct Refund {
    total: Option<String>,
}

/// A moment of theirs: UTC, without saying so.
fn moment(text: &str) -> Option<Ms> {
    let at: DateTime = text.trim_end_matches('Z').parse().ok()?;
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// Reads a body of this topic (`X-WC-Webhook-Topic`); `now` is the moment of a deletion, which names none.
///
/// # Errors
/// `BadJson`, `InvalidParam`.
pub fn read(topic: &str, body: &[u8], now: Ms) -> Result<Read> {
    if topic == "order.deleted" {
        #[derive(Deserialize)]
        struct Gone {
            id: i64,
        }
        let gone: Gone = serde_json::from_slice(body).map_err(unreadable)?;
        let id = gone.id.to_string();
        let order = Fact {
            external_id: id.clone(),
            number: id.clone(),
            status: "cancelled",
            happened: now,
            step: step("trash"),
            ..Fact::default()
        };
        let told = Told { case: id, as_of: now, customer: Customer::default(), facts: vec![order] };
        return Ok(Read::Told(Box::new(checked(told)?)));
    }
    if !topic.is_empty() && !topic.starts_with("order.") {
        return Ok(Read::Nothing);
    }
    let order: Order = serde_json::from_slice(body).map_err(unreadable)?;
    if order.status.ends_with("draft") {
        return Ok(Read::Nothing);
    }
    Ok(Read::Told(Box::new(checked(told(&order)?)?)))
}

/// Whether it is the greeting by which they try an address: not JSON, not signed, and nothing is told by it.
pub fn is_greeting(body: &[u8]) -> bool {
    let number = body.strip_prefix(b"webhook_id=").unwrap_or_default();
    !number.is_empty() && number.len() <= 20 && number.iter().all(u8::is_ascii_digit)
}

fn status(word: &str) -> &'static str {
    match word {
        "on-hold" => "on_hold",
        "processing" => "processing",
        "completed" => "completed",
        "cancelled" | "trash" => "cancelled",
        "refunded" => "refunded",
        "failed" => "failed",
        _ => "new",
    }
}

/// They send no number of a word, and moments of seconds only: of one moment the later in an order's life counts.
fn step(word: &str) -> i64 {
    match word {
        "pending" => 0,
        "on-hold" => 1,
        "failed" => 2,
        "processing" => 3,
        "completed" => 4,
        "refunded" => 5,
        "cancelled" => 6,
        "trash" => 7,
        _ => 1,
    }
}

fn told(order: &Order) -> Result<Told> {
    let wrong = |what: &str| Error::invalid_param(format!("{what} of the order cannot be read."));
    let currency = money::currency(&order.currency).ok_or_else(|| wrong("The currency"))?;
    let total = money::minor(&order.total, &currency).ok_or_else(|| wrong("The total"))?;
    let as_of = moment(&order.date_modified_gmt).ok_or_else(|| wrong("date_modified_gmt"))?;
    let id = order.id.to_string();
    let main = Fact {
        kind: Kind::Order,
        external_id: id.clone(),
        number: clean(order.number.as_deref()).unwrap_or_else(|| id.clone()),
        status: status(&order.status),
        amount: Some(total),
        refunded: 0,
        currency: Some(currency.clone()),
        cost: None,
        happened: order.date_created_gmt.as_deref().and_then(moment).unwrap_or(as_of),
        step: step(&order.status),
        detail: Detail { items: items(&order.line_items), ..Detail::default() },
    };
    let mut facts = vec![main.clone()];
    let back: i64 = order
        .refunds
        .iter()
        .filter_map(|refund| money::minor(refund.total.as_deref()?, &currency))
        .map(i64::abs)
        .fold(0, i64::saturating_add);
    facts.extend(payment(order, &main, total, back));
    let named = [&order.billing.first_name, &order.billing.last_name];
    let name: Vec<&str> = named.into_iter().filter_map(|part| part.as_deref()).map(str::trim).collect();
    let customer = Customer {
        name: clean(Some(&name.join(" "))),
        email: order.billing.email.clone(),
        phone: order.billing.phone.clone(),
        external_id: (order.customer_id > 0).then(|| order.customer_id.to_string()),
    };
    Ok(Told { case: id, as_of, customer, facts })
}

/// Paid is what has a moment of payment, whatever the status says.
fn payment(order: &Order, main: &Fact, total: i64, back: i64) -> Option<Fact> {
    let paid = order.date_paid_gmt.as_deref().and_then(moment);
    let (status, refunded) = match (paid, order.status.as_str()) {
        (Some(_), "refunded") => ("refunded", if back > 0 { back } else { total }),
        (Some(_), _) if back >= total && back > 0 => ("refunded", back),
        (Some(_), _) if back > 0 => ("partially_refunded", back),
        (Some(_), _) => ("paid", 0),
        (None, "failed") => ("failed", 0),
        (None, _) => return None,
    };
    let method = order.payment_method_title.as_deref().or(order.payment_method.as_deref());
    Some(Fact {
        kind: Kind::Payment,
        status,
        refunded,
        happened: paid.unwrap_or(main.happened),
        detail: Detail {
            method: clean(method),
            txn: clean(order.transaction_id.as_deref()),
            ..Detail::default()
        },
        ..main.clone()
    })
}

fn items(lines: &[Line]) -> Vec<Item> {
    let named = |line: &Line| Some(Item { name: clean(line.name.as_deref())?, qty: line.quantity });
    lines.iter().take(super::MOST_ITEMS).filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::tests::recorded;
    use serde_json::{Value, json};

    fn order(change: impl FnOnce(&mut Value)) -> Result<Read> {
        let mut body = recorded("woo_order_updated");
        change(&mut body);
        read("order.updated", body.to_string().as_bytes(), 0)
    }

    fn told(change: impl FnOnce(&mut Value)) -> Told {
        match order(change).unwrap() {
            Read::Told(told) => *told,
            Read::Nothing => panic!("nothing"),
        }
    }

    #[test]
    fn the_recorded_order_is_paid() {
        let told = told(|_| {});
        // 2026-11-21 17:05:00 UTC
        assert_eq!((told.case.as_str(), told.as_of), ("727", 1_795_280_700_000));
        assert_eq!(told.customer.name.as_deref(), Some("Oksana Petrenko"));
        assert_eq!((told.customer.phone.as_deref(), told.customer.external_id), (Some("601 234 567"), None));
        let [order, payment] = told.facts.as_slice() else { panic!("two facts") };
        assert_eq!(
            (order.status, order.amount, order.happened),
            ("processing", Some(12_900), 1_795_280_400_000)
        );
        assert_eq!(
            (payment.status, payment.amount, payment.happened),
            ("paid", Some(12_900), 1_795_280_700_000)
        );
        assert_eq!(payment.detail.method.as_deref(), Some("Przelewy24"));
    }

    #[test]
    fn orders_without_a_moment_of_payment_are_not_paid() {
        assert_eq!(told(|body| body["date_paid_gmt"] = json!(null)).facts.len(), 1);
        let failed = told(|body| {
            body["date_paid_gmt"] = json!(null);
            body["status"] = json!("failed");
        });
        assert_eq!(failed.facts[1].status, "failed");
        let part = told(|body| body["refunds"] = json!([{ "id": 1, "total": "-29.00" }]));
        assert_eq!((part.facts[1].status, part.facts[1].refunded), ("partially_refunded", 2_900));
        let back = told(|body| body["status"] = json!("refunded"));
        assert_eq!((back.facts[1].status, back.facts[1].refunded), ("refunded", 12_900));
    }

    #[test]
    fn other_topics_drafts_and_greetings_tell_nothing() {
        assert_eq!(read("product.updated", b"{}", 0).unwrap(), Read::Nothing);
        assert_eq!(order(|body| body["status"] = json!("checkout-draft")).unwrap(), Read::Nothing);
        assert!(is_greeting(b"webhook_id=12"));
        for no in [&b"webhook_id="[..], b"webhook_id=1&x=2", b"{}", b""] {
            assert!(!is_greeting(no));
        }
        let gone = read("order.deleted", b"{\"id\":727}", 1_795_280_900_000).unwrap();
        assert!(
            matches!(gone, Read::Told(told) if told.facts[0].status == "cancelled" && told.case == "727")
        );
        for (field, value) in [
            ("total", json!(129.0)),
            ("total", json!("much")),
            ("date_modified_gmt", json!("yesterday")),
            ("currency", json!("")),
            ("id", json!("x")),
        ] {
            assert!(order(|body| body[field] = value.clone()).is_err(), "{field}");
        }
    }
}
