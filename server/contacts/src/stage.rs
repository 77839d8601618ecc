//! How near a contact is, as it follows from what happens.
//!
//! Whoever looked in on the website and is known by nothing but that visit is a *visitor*. Whoever can be reached later
//! is a *lead*: they left a number or an address, or write from an account of their own (a messenger, a mailbox, a
//! telephone). Whoever paid is a *customer*. Nothing of this is ever taken back by itself, and what a person said stays:
//! a number does not change it, and a payment only if it was made later.

use crate::arrival::REGION;
use crate::keys::{Nature, emails, phones};
use crate::resolve::{Arrival, Medium};
use crate::shop::{Kind, Told};
use kontor_store::contacts::identities::ClaimRow;

/// Known by nothing but a visit.
pub const VISITOR: &str = "visitor";
/// Can be reached.
pub const LEAD: &str = "lead";
/// Paid for something.
pub const CUSTOMER: &str = "customer";

/// Where somebody begins who arrives.
pub fn first(arrival: &Arrival) -> &'static str {
    if is_reached(arrival) { LEAD } else { VISITOR }
}

/// Whether somebody who arrives can be reached later. A line of many is nobody.
pub fn is_reached(arrival: &Arrival) -> bool {
    !arrival.is_common() && (arrival.medium != Medium::Visit || arrival.keys().next().is_some())
}

/// Whether claims hold a number or an address.
pub fn reach(claims: &[ClaimRow]) -> bool {
    claims.iter().any(|claim| is_key(&claim.kind, &claim.value))
}

/// Whether a value is a number or an address at which somebody can be reached.
pub fn is_key(kind: &str, value: &str) -> bool {
    let keys = match kind {
        "phone" => phones(value, REGION),
        "email" => emails(value),
        _ => Vec::new(),
    };
    keys.iter().any(|key| key.nature != Nature::Nobody)
}

/// Whether a system tells of a payment.
pub fn is_paid(told: &Told) -> bool {
    let paid = |status: &str| matches!(status, "paid" | "partially_paid");
    told.facts.iter().any(|fact| matches!(fact.kind, Kind::Payment | Kind::Order) && paid(fact.status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrival::read;
    use crate::keys::Kind as Key;

    #[test]
    fn who_can_be_reached_is_a_lead_from_the_beginning() {
        let stage = |id_type: &str, id: &str, said: &[(Key, &str, bool)]| {
            first(&read(("c", "", id_type, id), Some("Jan Kowalski"), said).arrival)
        };
        assert_eq!(stage("visitor", "v1", &[]), VISITOR);
        assert_eq!(stage("form", "f1", &[]), VISITOR);
        assert_eq!(stage("visitor", "v1", &[(Key::Phone, "601 234 567", false)]), LEAD);
        assert_eq!(stage("form", "f1", &[(Key::Email, "jan@example.com", false)]), LEAD);
        assert_eq!(stage("form", "f1", &[(Key::Email, "brak@brak.pl", false)]), VISITOR);
        assert_eq!(stage("form", "f1", &[(Key::Phone, "601 234", false)]), VISITOR);
        assert_eq!(stage("telegram", "12345", &[]), LEAD);
        assert_eq!(stage("email", "jan.kowalski@example.com", &[]), LEAD);
        assert_eq!(stage("phone", "+48601234567", &[]), LEAD);
        assert_eq!(stage("email", "biuro@example.com", &[]), VISITOR);
    }

    #[test]
    fn what_looks_like_a_number_reaches_nobody() {
        assert!(is_key("phone", "+48 601 234 567") && is_key("email", "jan@example.com"));
        for (kind, value) in [
            ("phone", "unknown"),
            ("email", "noreply@example.com"),
            ("name", "jan@example.com"),
            ("vat", "1"),
        ] {
            assert!(!is_key(kind, value), "{kind} {value}");
        }
    }
}
