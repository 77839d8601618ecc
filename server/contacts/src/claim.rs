//! What is said about a customer: checked, and brought into the form in which it is compared.

use crate::arrival::REGION;
use crate::{keys, text};
use kontor_model::{Error, Ms, Result};
use kontor_store::Change;
use kontor_store::contacts::cards::FieldRow;
use kontor_store::contacts::identities::ClaimRow;
use serde::{Deserialize, Serialize};

/// Claims of one request.
const MOST: usize = 50;
/// Longest value, bytes.
const LONGEST: usize = 500;

/// How far to believe a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Somebody typed it.
    Claimed,
    /// It came with a message, but nothing vouches for it.
    Unaligned,
    /// The network vouches for it.
    Platform,
    /// It was proven, by a code or by a signature of the company's own systems.
    Proven,
}

impl Trust {
    /// As the archive has it.
    pub fn number(self) -> i64 {
        match self {
            Self::Claimed => 0,
            Self::Unaligned => 1,
            Self::Platform => 2,
            Self::Proven => 3,
        }
    }

    /// The word for a number of the archive.
    pub fn word(number: i64) -> &'static str {
        match number {
            3 => "proven",
            2 => "platform",
            1 => "unaligned",
            _ => "claimed",
        }
    }
}

/// Where a claim comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The customer wrote it.
    Customer,
    /// The network says it.
    Network,
    /// A form of the company.
    Form,
    /// A system of the company signed it.
    Shop,
    /// An employee.
    Employee,
}

impl Source {
    /// The word of the archive.
    pub fn word(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Network => "network",
            Self::Form => "form",
            Self::Shop => "shop",
            Self::Employee => "employee",
        }
    }
}

/// Something that is said about a customer.
#[derive(Clone, Debug, Deserialize)]
pub struct Claim {
    /// What it is: `phone`, `email`, `vat`, `customer_no`, `name`, …
    pub kind: String,
    /// The value.
    pub value: String,
    /// How far to believe it.
    pub trust: Trust,
    /// Where it comes from.
    pub source: Source,
    /// The event that shows it.
    pub event_id: Option<String>,
}

/// The form in which a value is compared. Nothing is guessed: what looks odd is compared as it is.
pub fn key(kind: &str, value: &str) -> String {
    let read = match kind {
        "phone" => keys::phones(value, REGION),
        "email" => keys::emails(value),
        _ => Vec::new(),
    };
    if let [key] = read.as_slice() {
        return key.text.clone();
    }
    match kind {
        "phone" => {
            let digits: String = value.chars().filter(char::is_ascii_digit).collect();
            let international = value.trim_start().starts_with('+');
            match (digits.is_empty(), international, digits.strip_prefix("00")) {
                (true, ..) => value.to_lowercase(),
                (_, true, _) => format!("+{digits}"),
                (_, false, Some(rest)) => format!("+{rest}"),
                _ => digits,
            }
        }
        "vat" | "customer_no" => {
            value.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect()
        }
        _ => value.to_lowercase(),
    }
}

/// Checks claims.
///
/// # Errors
/// `InvalidParam` for what cannot be a claim.
pub fn check(claims: &[Claim], now: Ms) -> Result<Vec<ClaimRow>> {
    if claims.len() > MOST {
        return Err(Error::invalid_param(format!("There may be {MOST} claims at a time.")));
    }
    let row = |claim: &Claim| {
        let kind = text(&claim.kind, "claims.kind", 40)?;
        if !kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            return Err(Error::invalid_param("claims.kind is a word of small letters, such as phone."));
        }
        let value = text(&claim.value, "claims.value", LONGEST)?;
        let event_id = claim.event_id.as_deref().map(|id| text(id, "claims.event_id", 255)).transpose()?;
        Ok(ClaimRow {
            key: key(&kind, &value),
            kind,
            value,
            trust: claim.trust.number(),
            source: claim.source.word().to_owned(),
            event_id,
            since_ts: now,
            until_ts: None,
            conversation: None,
        })
    };
    claims.iter().map(row).collect()
}

/// Notes claims of a conversation, and those that the card shows as values of its fields.
pub fn note(change: &mut Change, contact: &str, conversation: &str, claims: &[ClaimRow]) {
    for claim in claims {
        let conversation = Some(conversation.to_owned());
        change.add_claim(contact, &ClaimRow { conversation, ..claim.clone() });
        let field = match claim.kind.as_str() {
            "phone" => "phone",
            "email" => "email",
            "name" => "display_name",
            "language" => "language",
            _ => continue,
        };
        change.set_contact_field(&FieldRow {
            contact: contact.to_owned(),
            field: field.to_owned(),
            source: claim.source.clone(),
            value: claim.value.clone(),
            trust: claim.trust,
            ts: claim.since_ts,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_written_differently_has_one_key() {
        for (kind, value, expected) in [
            ("phone", "+48 601-234-567", "+48601234567"),
            ("phone", "0048601234567", "+48601234567"),
            ("phone", "601 234 567", "+48601234567"),
            ("phone", "601 234", "601234"),
            ("phone", "unknown", "unknown"),
            ("email", "Jan@Example.COM", "jan@example.com"),
            ("vat", "PL 526-030-02-91", "PL5260300291"),
        ] {
            assert_eq!(key(kind, value), expected);
        }
    }

    #[test]
    fn what_cannot_be_a_claim_is_refused() {
        let claim = |kind: &str, value: &str| Claim {
            kind: kind.into(),
            value: value.into(),
            trust: Trust::Claimed,
            source: Source::Form,
            event_id: None,
        };
        for bad in [
            claim("", "x"),
            claim("Phone", "1"),
            claim("phone", " "),
            claim("phone", "a\0b"),
            claim("e", &"x".repeat(501)),
        ] {
            assert!(check(&[bad], 1).is_err());
        }
        assert!(check(&vec![claim("phone", "1"); 51], 1).is_err());
        assert_eq!(check(&[claim("phone", " 1 ")], 1).unwrap()[0].value, "1");
    }
}
