//! The words of the company's own systems: the form of `docs/SHOP_EVENTS.md`.

use super::{Customer, Detail, Fact, Item, Kind, Read, Told, checked, clean, link, money, unreadable};
use kontor_model::{Error, Ms, Result};
use serde::Deserialize;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// It is there.
    Created,
    /// Something of it changed.
    Updated,
    /// It was paid.
    Paid,
    /// A part was paid.
    PartiallyPaid,
    /// A payment was tried in vain.
    PaymentFailed,
    /// It was paid back, whole or in part.
    Refunded,
    /// It will not be.
    Cancelled,
    /// It is on its way.
    Shipped,
    /// It arrived.
    Delivered,
    /// A deal was made.
    Won,
    /// A deal was not made.
    Lost,
}

/// Something that happened, as the company's own systems tell it.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// When it happened, milliseconds; older words never replace newer ones.
    pub occurred_at: Ms,
    /// Decides between words of the same moment.
    pub seq: Option<i64>,
    /// The system's id of the order, deal or invoice.
    pub order_key: String,
    /// What people call it.
    pub number: Option<String>,
    /// deal, order, invoice; an order when absent.
    #[serde(default)]
    pub fact: Kind,
    /// What happened.
    pub kind: Happened,
    /// Smallest units of the currency.
    pub amount_minor: Option<i64>,
    /// What of it was paid back; all of it when absent.
    pub refunded_minor: Option<i64>,
    /// What it costs the company.
    pub cost_minor: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// Whose it is.
    #[serde(default)]
    pub customer: Customer,
    /// How it was paid.
    pub payment: Option<Payment>,
    /// How it is sent.
    pub shipment: Option<Shipment>,
    /// What was bought.
    #[serde(default)]
    pub items: Vec<Item>,
    /// Where more is shown.
    pub admin_url: Option<String>,
}

/// How something was paid.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Payment {
    /// By what.
    pub method: Option<String>,
    /// The number of the transaction: payments in parts have one each.
    pub txn: Option<String>,
    /// When, milliseconds.
    pub at: Option<Ms>,
    /// Smallest units; the amount of the order when absent.
    pub amount_minor: Option<i64>,
}

/// How something is sent.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Shipment {
    /// Who carries it.
    pub carrier: Option<String>,
    /// The number of the parcel.
    pub tracking: Option<String>,
    /// Where the parcel is shown.
    pub url: Option<String>,
}

/// Reads a body.
///
/// # Errors
/// `BadJson`, `InvalidParam`.
pub fn read(body: &[u8]) -> Result<Read> {
    let event: Event = serde_json::from_slice(body).map_err(unreadable)?;
    Ok(Read::Told(Box::new(checked(told(event)?)?)))
}

fn amount(value: Option<i64>, field: &str) -> Result<Option<i64>> {
    match value {
        Some(value) if !(0..=money::LARGEST).contains(&value) => Err(Error::invalid_param(format!(
            "{field} is a whole number of the currency's smallest units, not negative."
        ))),
        value => Ok(value),
    }
}

/// Of words of the same moment the later in the life of a thing counts.
fn step(happened: Happened) -> i64 {
    match happened {
        Happened::Created => 0,
        Happened::Updated => 1,
        Happened::PaymentFailed => 2,
        Happened::PartiallyPaid => 3,
        Happened::Paid | Happened::Won => 4,
        Happened::Shipped => 5,
        Happened::Delivered => 6,
        Happened::Refunded | Happened::Cancelled | Happened::Lost => 7,
    }
}

fn told(event: Event) -> Result<Told> {
    let currency =
        match event.currency.as_deref() {
            None => None,
            Some(code) => {
                let known = money::currency(code);
                Some(known.ok_or_else(|| {
                    Error::invalid_param("currency is a code of three letters, such as PLN.")
                })?)
            }
        };
    let whole = amount(event.amount_minor, "amount_minor")?;
    let cost = amount(event.cost_minor, "cost_minor")?;
    if currency.is_none() && (whole.is_some() || cost.is_some()) {
        return Err(Error::invalid_param("An amount needs its currency."));
    }
    let paid = event.payment.clone().unwrap_or_default();
    let part = amount(paid.amount_minor, "payment.amount_minor")?;
    let back = amount(event.refunded_minor, "refunded_minor")?;
    let main = Fact {
        kind: event.fact,
        external_id: event.order_key.clone(),
        number: clean(event.number.as_deref()).unwrap_or_default(),
        status: status(event.kind),
        amount: whole,
        refunded: 0,
        currency: currency.clone(),
        cost,
        happened: event.occurred_at,
        step: event.seq.unwrap_or_else(|| step(event.kind)),
        detail: Detail {
            url: link(event.admin_url.as_deref()),
            items: event.items.clone(),
            ..Detail::default()
        },
    };
    let mut facts = Vec::new();
    // A payment or a parcel without anything around it is a case of its own.
    if !matches!(event.fact, Kind::Payment | Kind::Shipment) {
        facts.push(main.clone());
    }
    facts.extend(payment(&event, &paid, &main, part.or(whole), back));
    facts.extend(shipment(&event, &main));
    if facts.is_empty() {
        return Err(Error::invalid_param(
            "A payment is paid, failed or refunded; a shipment is shipped or delivered.",
        ));
    }
    Ok(Told { case: event.order_key, as_of: event.occurred_at, customer: event.customer, facts })
}

/// How a thing stands after something happened; empty when that says nothing.
fn status(happened: Happened) -> &'static str {
    match happened {
        Happened::Created => "new",
        Happened::Updated => "",
        Happened::Paid => "paid",
        Happened::PartiallyPaid => "partially_paid",
        Happened::PaymentFailed => "failed",
        Happened::Refunded => "refunded",
        Happened::Cancelled => "cancelled",
        Happened::Shipped => "shipped",
        Happened::Delivered => "delivered",
        Happened::Won => "won",
        Happened::Lost => "lost",
    }
}

fn payment(
    event: &Event,
    paid: &Payment,
    main: &Fact,
    amount: Option<i64>,
    back: Option<i64>,
) -> Option<Fact> {
    let refunded = match (event.kind, back, amount) {
        (Happened::Refunded, Some(back), _) => back,
        (Happened::Refunded, None, amount) => amount.unwrap_or(0),
        _ => 0,
    };
    let status = match event.kind {
        Happened::Refunded if amount.is_some_and(|amount| refunded < amount) => "partially_refunded",
        Happened::Paid | Happened::PartiallyPaid | Happened::PaymentFailed | Happened::Refunded => {
            main.status
        }
        _ => return None,
    };
    // What was paid in parts are several payments.
    let external_id = match (&paid.txn, event.kind) {
        (Some(txn), Happened::PartiallyPaid) => format!("{}/{txn}", event.order_key),
        _ => event.order_key.clone(),
    };
    let detail = Detail {
        method: clean(paid.method.as_deref()),
        txn: clean(paid.txn.as_deref()),
        ..Detail::default()
    };
    let happened = paid.at.unwrap_or(event.occurred_at);
    Some(Fact {
        kind: Kind::Payment,
        external_id,
        status,
        amount,
        refunded,
        happened,
        detail,
        cost: None,
        ..main.clone()
    })
}

fn shipment(event: &Event, main: &Fact) -> Option<Fact> {
    let sent = event.shipment.clone();
    if !matches!(event.kind, Happened::Shipped | Happened::Delivered) {
        return None;
    }
    let sent = sent.unwrap_or_default();
    let tracking = clean(sent.tracking.as_deref());
    let external_id = match &tracking {
        Some(tracking) => format!("{}/{tracking}", event.order_key),
        None => event.order_key.clone(),
    };
    let detail = Detail {
        carrier: clean(sent.carrier.as_deref()),
        url: link(sent.url.as_deref()),
        tracking,
        ..Detail::default()
    };
    Some(Fact {
        kind: Kind::Shipment,
        external_id,
        detail,
        amount: None,
        cost: None,
        currency: None,
        ..main.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::tests::recorded;
    use serde_json::{Value, json};

    fn event(change: impl FnOnce(&mut Value)) -> Result<Told> {
        let mut body = recorded("kontor_generic");
        change(&mut body);
        match read(body.to_string().as_bytes())? {
            Read::Told(told) => Ok(*told),
            Read::Nothing => panic!("nothing"),
        }
    }

    #[test]
    fn the_recorded_event_is_an_order_and_its_payment() {
        let told = event(|_| {}).unwrap();
        assert_eq!((told.case.as_str(), told.as_of), ("sklep:727", 1_795_280_000_000));
        assert_eq!(told.customer.email.as_deref(), Some("oksana@example.com"));
        let [order, payment] = told.facts.as_slice() else { panic!("{told:?}") };
        assert_eq!((order.kind, order.status, order.number.as_str()), (Kind::Order, "paid", "727"));
        assert_eq!((order.amount, order.currency.as_deref()), (Some(12_900), Some("PLN")));
        assert_eq!(order.detail.items, [Item { name: "Buty".into(), qty: 1 }]);
        assert_eq!((payment.kind, payment.status, payment.amount), (Kind::Payment, "paid", Some(12_900)));
        assert_eq!(payment.detail.method.as_deref(), Some("P24"));
    }

    #[test]
    fn parts_refunds_parcels_and_deals_are_facts_of_their_own() {
        let part = event(|body| {
            body["kind"] = json!("partially_paid");
            body["payment"]["amount_minor"] = json!(5_000);
        });
        let part = part.unwrap().facts.remove(1);
        assert_eq!(
            (part.external_id.as_str(), part.amount, part.status),
            ("sklep:727/P24-A1", Some(5_000), "partially_paid")
        );
        let back = event(|body| {
            body["kind"] = json!("refunded");
            body["refunded_minor"] = json!(900);
        });
        let back = back.unwrap().facts.remove(1);
        assert_eq!(
            (back.status, back.refunded, back.external_id.as_str()),
            ("partially_refunded", 900, "sklep:727")
        );
        let sent = event(|body| {
            body["kind"] = json!("shipped");
            body["shipment"] =
                json!({ "carrier": "InPost", "tracking": "6200", "url": "javascript:alert(1)" });
        });
        let sent = sent.unwrap().facts.remove(1);
        assert_eq!(
            (sent.kind, sent.external_id.as_str(), sent.detail.url),
            (Kind::Shipment, "sklep:727/6200", None)
        );
        let deal = event(|body| {
            body["fact"] = json!("deal");
            body["kind"] = json!("won");
        });
        assert_eq!(deal.unwrap().facts.len(), 1);
        let updated = event(|body| body["kind"] = json!("updated")).unwrap();
        assert_eq!((updated.facts.len(), updated.facts[0].status), (1, ""));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (field, value) in [
            ("amount_minor", json!(129.5)),
            ("amount_minor", json!(-1)),
            ("amount_minor", json!("129")),
            ("currency", json!("złoty")),
            ("currency", json!(null)),
            ("order_key", json!("")),
            ("order_key", json!("x".repeat(201))),
            ("occurred_at", json!(1_795_280_000)),
            ("occurred_at", json!(null)),
            ("kind", json!("bought")),
            ("items", json!("Buty")),
        ] {
            assert!(event(|body| body[field] = value.clone()).is_err(), "{field} {value}");
        }
        assert!(read(b"").is_err() && read(b"[]").is_err() && read(&[0xff]).is_err());
        // More items than people look at, and signs that no line holds.
        let many =
            event(|body| body["items"] = json!(vec![json!({ "name": "a\nb", "qty": 2 }); 50])).unwrap();
        assert_eq!(
            (many.facts[0].detail.items.len(), many.facts[0].detail.items[0].name.as_str()),
            (20, "a b")
        );
    }
}
