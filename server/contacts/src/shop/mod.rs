//! What the company's own systems tell of deals, orders, payments, invoices and shipments: who may tell it, how each
//! kind of system words it, and whose it is. Their words are mirrored, never changed; amounts are whole numbers of the
//! smallest unit of a currency. Nothing here merges contacts or answers customers.

pub mod generic;
pub mod intake;
pub mod linking;
pub mod money;
pub mod shopify;
pub mod sources;
pub mod whose;
pub mod woocommerce;
pub mod words;
pub mod worth;

use crate::text_or_empty;
use kontor_model::{Error, Ms, Result};
use serde::{Deserialize, Serialize};

/// Longest text of a fact, bytes.
const LONGEST: usize = 500;
/// Items that are kept of an order.
const MOST_ITEMS: usize = 20;
/// Moments of systems: between 2000 and 2100.
const MOMENTS: std::ops::Range<Ms> = 946_684_800_000..4_102_444_800_000;

/// What a fact is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something that may be bought.
    Deal,
    /// Something that was bought.
    #[default]
    Order,
    /// Money.
    Payment,
    /// A bill.
    Invoice,
    /// A parcel.
    Shipment,
}

impl Kind {
    /// The word of the archive.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deal => "deal",
            Self::Order => "order",
            Self::Payment => "payment",
            Self::Invoice => "invoice",
            Self::Shipment => "shipment",
        }
    }
}

/// The customer of a case, as the system knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Telephone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The system's number of the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

/// Something of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What it is called.
    pub name: String,
    /// How many.
    #[serde(default = "one")]
    pub qty: i64,
}

fn one() -> i64 {
    1
}

/// Further words of a fact, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// By what was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The number of the transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txn: Option<String>,
    /// Who carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// The number of the parcel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking: Option<String>,
    /// Where more is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What was bought.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
}

/// A fact of a case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fact {
    /// What it is about.
    pub kind: Kind,
    /// The system's id of it.
    pub external_id: String,
    /// What people call it.
    pub number: String,
    /// How it stands; empty when nothing was said of that.
    pub status: &'static str,
    /// Smallest units.
    pub amount: Option<i64>,
    /// What of it was given back.
    pub refunded: i64,
    /// ISO 4217.
    pub currency: Option<String>,
    /// What it costs the company.
    pub cost: Option<i64>,
    /// When it happened.
    pub happened: Ms,
    /// Decides between words of the same moment.
    pub step: i64,
    /// Further words.
    pub detail: Detail,
}

/// What a system told of a case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The system's id of the case.
    pub case: String,
    /// Of which moment it is, by the system's clock.
    pub as_of: Ms,
    /// Whose it is.
    pub customer: Customer,
    /// What is known now.
    pub facts: Vec<Fact>,
}

/// What was made of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// This was told.
    Told(Box<Told>),
    /// Nothing that is kept: a greeting, or another topic.
    Nothing,
}

/// Statuses that those in the conversation are told of.
pub fn is_news(kind: Kind, status: &str) -> bool {
    match kind {
        Kind::Payment => {
            matches!(status, "paid" | "partially_paid" | "failed" | "refunded" | "partially_refunded")
        }
        Kind::Order => status == "cancelled",
        _ => false,
    }
}

/// The refusal of a body that is not what its kind of system sends.
fn unreadable(cause: impl std::fmt::Display) -> Error {
    Error::bad_json("This is not what this kind of system tells. Nothing was kept.")
        .because(cause.to_string())
}

/// A text of a system: what is no text of people is left out.
fn clean(value: Option<&str>) -> Option<String> {
    let plain: String = value?.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut plain = plain.trim();
    while plain.len() > LONGEST {
        let (last, _) = plain.char_indices().next_back()?;
        plain = plain.get(..last)?;
    }
    Some(plain.trim().to_owned()).filter(|text| !text.is_empty())
}

/// An address that a link may lead to.
fn link(value: Option<&str>) -> Option<String> {
    let value = clean(value)?;
    let parsed = url::Url::parse(&value).ok()?;
    matches!(parsed.scheme(), "http" | "https").then_some(value)
}

/// An id of a system.
///
/// # Errors
/// `InvalidParam` for none, or one that is too long.
fn id(value: &str, field: &str) -> Result<String> {
    crate::text(value, field, 200)
}

/// A moment of a system.
///
/// # Errors
/// `InvalidParam` for what is no moment of this century.
fn moment(value: Ms, field: &str) -> Result<Ms> {
    match MOMENTS.contains(&value) {
        true => Ok(value),
        false => Err(Error::invalid_param(format!("{field} is a moment in milliseconds since 1970."))),
    }
}

/// Checks what was read.
///
/// # Errors
/// `InvalidParam` for ids that are too long and moments that are none.
fn checked(mut told: Told) -> Result<Told> {
    told.case = id(&told.case, "order_key")?;
    moment(told.as_of, "occurred_at")?;
    for part in [&mut told.customer.name, &mut told.customer.email, &mut told.customer.phone] {
        *part = clean(part.as_deref());
    }
    if let Some(number) = &told.customer.external_id {
        told.customer.external_id = Some(id(number, "customer.external_id")?);
    }
    for fact in &mut told.facts {
        fact.external_id = id(&fact.external_id, "id")?;
        fact.number = text_or_empty(&fact.number, "number", 200)?;
        moment(fact.happened, "at")?;
        fact.detail.items.truncate(MOST_ITEMS);
        let items = std::mem::take(&mut fact.detail.items).into_iter();
        fact.detail.items =
            items.filter_map(|item| Some(Item { name: clean(Some(&item.name))?, qty: item.qty })).collect();
    }
    Ok(told)
}

#[cfg(test)]
pub(crate) mod tests {
    /// A body of the recorded ones.
    pub(crate) fn recorded(name: &str) -> serde_json::Value {
        let all: serde_json::Value = serde_json::from_str(include_str!("testdata/shop.json")).unwrap();
        all[name].clone()
    }
}
