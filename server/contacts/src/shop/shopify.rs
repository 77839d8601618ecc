//! The words of Shopify: orders as its webhooks send them.

use super::{Customer, Detail, Fact, Item, Kind, Read, Told, checked, clean, link, money, unreadable};
use jiff::Timestamp;
use kontor_model::{Error, Ms, Result};
use serde::Deserialize;

/// Parcels that are kept of an order.
const MOST_PARCELS: usize = 10;

#[derive(Deserialize)]
struct Order {
    id: i64,
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    financial_status: Option<String>,
    fulfillment_status: Option<String>,
    total_price: String,
    currency: String,
    created_at: Option<String>,
    updated_at: String,
    cancelled_at: Option<String>,
    customer: Option<Buyer>,
    #[serde(default)]
    payment_gateway_names: Vec<String>,
    #[serde(default)]
    line_items: Vec<Line>,
    #[serde(default)]
    refunds: Vec<Refund>,
    #[serde(default)]
    fulfillments: Vec<Fulfillment>,
}

#[derive(Default, Deserialize)]
struct Buyer {
    id: Option<i64>,
    email: Option<String>,
    phone: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    title: Option<String>,
    #[serde(default)]
    quantity: i64,
}

#[derive(Deserialize)]
struct Refund {
    #[serde(default)]
    transactions: Vec<Transaction>,
}

#[derive(Deserialize)]
struct Transaction {
    kind: Option<String>,
    status: Option<String>,
    amount: Option<String>,
}

#[derive(Deserialize)]
struct Fulfillment {
    id: i64,
    status: Option<String>,
    shipment_status: Option<String>,
    tracking_company: Option<String>,
    tracking_number: Option<String>,
    tracking_url: Option<String>,
    created_at: Option<String>,
}

fn moment(text: &str) -> Option<Ms> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// Reads a body of this topic (`X-Shopify-Topic`). What of refunds and transactions matters is told with the order.
///
/// # Errors
/// `BadJson`, `InvalidParam`.
pub fn read(topic: &str, body: &[u8]) -> Result<Read> {
    if !topic.is_empty() && !topic.starts_with("orders/") || topic == "orders/delete" {
        return Ok(Read::Nothing);
    }
    let order: Order = serde_json::from_slice(body).map_err(unreadable)?;
    Ok(Read::Told(Box::new(checked(told(&order)?)?)))
}

fn status(order: &Order) -> &'static str {
    let paid = order.financial_status.as_deref().unwrap_or_default();
    match (order.cancelled_at.is_some(), order.fulfillment_status.as_deref(), paid) {
        (true, ..) => "cancelled",
        (_, _, "refunded") => "refunded",
        (_, Some("fulfilled" | "partial"), _) => "shipped",
        (_, _, "paid" | "partially_refunded") => "paid",
        (_, _, "partially_paid") => "partially_paid",
        _ => "new",
    }
}

fn told(order: &Order) -> Result<Told> {
    let wrong = |what: &str| Error::invalid_param(format!("{what} of the order cannot be read."));
    let currency = money::currency(&order.currency).ok_or_else(|| wrong("The currency"))?;
    let total = money::minor(&order.total_price, &currency).ok_or_else(|| wrong("total_price"))?;
    let as_of = moment(&order.updated_at).ok_or_else(|| wrong("updated_at"))?;
    let id = order.id.to_string();
    let named = |line: &Line| Some(Item { name: clean(line.title.as_deref())?, qty: line.quantity });
    let items = order.line_items.iter().take(super::MOST_ITEMS).filter_map(named).collect();
    let status = status(order);
    let step = ["new", "partially_paid", "paid", "shipped", "refunded", "cancelled"]
        .iter()
        .position(|known| *known == status)
        .and_then(|place| i64::try_from(place).ok());
    let main = Fact {
        kind: Kind::Order,
        external_id: id.clone(),
        number: clean(order.name.as_deref()).unwrap_or_else(|| id.clone()),
        status,
        amount: Some(total),
        refunded: 0,
        currency: Some(currency.clone()),
        cost: None,
        happened: order.created_at.as_deref().and_then(moment).unwrap_or(as_of),
        step: step.unwrap_or(0),
        detail: Detail { items, ..Detail::default() },
    };
    let mut facts = vec![main.clone()];
    facts.extend(payment(order, &main, (total, as_of), &currency));
    facts.extend(order.fulfillments.iter().take(MOST_PARCELS).map(|parcel| shipment(parcel, &main, as_of)));
    Ok(Told { case: id, as_of, customer: customer(order), facts })
}

fn customer(order: &Order) -> Customer {
    let none = Buyer::default();
    let buyer = order.customer.as_ref().unwrap_or(&none);
    let names = [&buyer.first_name, &buyer.last_name];
    let name: Vec<&str> = names.into_iter().filter_map(|part| part.as_deref()).map(str::trim).collect();
    Customer {
        name: clean(Some(&name.join(" "))),
        email: order.email.clone().or_else(|| buyer.email.clone()),
        phone: order.phone.clone().or_else(|| buyer.phone.clone()),
        external_id: buyer.id.map(|id| id.to_string()),
    }
}

fn payment(order: &Order, main: &Fact, (total, as_of): (i64, Ms), currency: &str) -> Option<Fact> {
    let back: i64 = order
        .refunds
        .iter()
        .flat_map(|refund| &refund.transactions)
        .filter(|one| {
            one.kind.as_deref() == Some("refund") && one.status.as_deref().is_none_or(|s| s == "success")
        })
        .filter_map(|one| money::minor(one.amount.as_deref()?, currency))
        .map(i64::abs)
        .fold(0, i64::saturating_add);
    let (status, refunded) = match order.financial_status.as_deref()? {
        "paid" => ("paid", back),
        "partially_paid" => ("partially_paid", back),
        "refunded" => ("refunded", if back > 0 { back } else { total }),
        "partially_refunded" => ("partially_refunded", back),
        "voided" => ("cancelled", 0),
        _ => return None,
    };
    let method = order.payment_gateway_names.first().map(String::as_str);
    Some(Fact {
        kind: Kind::Payment,
        status,
        // How much of it was paid is not said of parts.
        amount: (status != "partially_paid").then_some(total),
        refunded,
        happened: as_of,
        step: ["partially_paid", "paid", "partially_refunded", "refunded", "cancelled"]
            .iter()
            .position(|known| *known == status)
            .and_then(|place| i64::try_from(place).ok())
            .unwrap_or(0),
        detail: Detail { method: clean(method), ..Detail::default() },
        ..main.clone()
    })
}

fn shipment(parcel: &Fulfillment, main: &Fact, as_of: Ms) -> Fact {
    let status = match (parcel.status.as_deref(), parcel.shipment_status.as_deref()) {
        (Some("cancelled" | "error" | "failure"), _) => "cancelled",
        (_, Some("delivered")) => "delivered",
        _ => "shipped",
    };
    Fact {
        kind: Kind::Shipment,
        external_id: format!("{}/{}", main.external_id, parcel.id),
        status,
        amount: None,
        currency: None,
        happened: parcel.created_at.as_deref().and_then(moment).unwrap_or(as_of),
        detail: Detail {
            carrier: clean(parcel.tracking_company.as_deref()),
            tracking: clean(parcel.tracking_number.as_deref()),
            url: link(parcel.tracking_url.as_deref()),
            ..Detail::default()
        },
        ..main.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::tests::recorded;
    use serde_json::{Value, json};

    fn order(topic: &str, change: impl FnOnce(&mut Value)) -> Result<Read> {
        let mut body = recorded("shopify_orders_paid");
        change(&mut body);
        read(topic, body.to_string().as_bytes())
    }

    fn told(change: impl FnOnce(&mut Value)) -> Told {
        match order("orders/updated", change).unwrap() {
            Read::Told(told) => *told,
            Read::Nothing => panic!("nothing"),
        }
    }

    #[test]
    fn the_recorded_order_is_paid() {
        let told = told(|_| {});
        // 2026-11-21 18:05:00 +01:00
        assert_eq!((told.case.as_str(), told.as_of), ("5512345678901", 1_795_280_700_000));
        assert_eq!(told.customer.external_id.as_deref(), Some("77"));
        assert_eq!(told.customer.phone.as_deref(), Some("+48601234567"));
        let [order, payment] = told.facts.as_slice() else { panic!("two facts") };
        assert_eq!((order.number.as_str(), order.status, order.amount), ("#1001", "paid", Some(12_900)));
        assert_eq!((payment.status, payment.detail.method.as_deref()), ("paid", Some("p24")));
    }

    #[test]
    fn refunds_parcels_and_cancellations_are_told_with_the_order() {
        let part = told(|body| {
            body["financial_status"] = json!("partially_refunded");
            body["refunds"] = json!([{ "transactions": [
                { "kind": "refund", "status": "success", "amount": "20.00" },
                { "kind": "refund", "status": "failure", "amount": "5.00" },
            ] }]);
        });
        assert_eq!((part.facts[1].status, part.facts[1].refunded), ("partially_refunded", 2_000));
        let sent = told(|body| {
            body["fulfillment_status"] = json!("fulfilled");
            body["fulfillments"] = json!([{ "id": 9, "status": "success", "shipment_status": "delivered",
                "tracking_company": "DHL", "tracking_number": "1", "created_at": "2026-11-22T10:00:00+01:00" }]);
        });
        assert_eq!((sent.facts[0].status, sent.facts[2].status), ("shipped", "delivered"));
        assert_eq!(sent.facts[2].external_id, "5512345678901/9");
        let pending = told(|body| body["financial_status"] = json!("pending"));
        assert_eq!((pending.facts.len(), pending.facts[0].status), (1, "new"));
        let gone = told(|body| body["cancelled_at"] = json!("2026-11-22T10:00:00+01:00"));
        assert_eq!(gone.facts[0].status, "cancelled");
    }

    #[test]
    fn other_topics_and_broken_orders_tell_nothing() {
        for topic in ["refunds/create", "customers/redact", "orders/delete"] {
            assert_eq!(read(topic, b"{}").unwrap(), Read::Nothing, "{topic}");
        }
        for (field, value) in [
            ("updated_at", json!("2026-11-21T18:05:00")),
            ("total_price", json!(129)),
            ("currency", json!("PL")),
            ("id", json!(null)),
        ] {
            assert!(order("orders/paid", |body| body[field] = value.clone()).is_err(), "{field}");
        }
    }
}
