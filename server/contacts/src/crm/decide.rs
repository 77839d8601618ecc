//! What becomes of one field, given what both sides agreed on last, and what each says now. Pure.

use super::{Mapping, Master, Values};
use crate::claim;

/// What is to be done about a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing: both say the same, or it is not for us to say.
    Keep,
    /// Theirs is taken.
    Take,
    /// Ours is written there.
    Send,
    /// Both changed: a person decides.
    Ask,
}

/// Decides about a field; `base` is what both agreed on last.
pub fn field(master: Master, base: Option<&str>, ours: Option<&str>, theirs: Option<&str>) -> Fate {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) if ours == theirs => return Fate::Keep,
        (None, None) => return Fate::Keep,
        // Nothing overwrites something: what one side lacks it gets, unless the other side is none to say it.
        (Some(_), None) => {
            return if master == Master::Them && base.is_some() { Fate::Keep } else { Fate::Send };
        }
        (None, Some(_)) => {
            return if master == Master::Us && base.is_some() { Fate::Keep } else { Fate::Take };
        }
        (Some(_), Some(_)) => {}
    }
    let (we_changed, they_changed) = (base != ours, base != theirs);
    match master {
        Master::Us => Fate::Send,
        Master::Them => Fate::Take,
        Master::NewestHuman => match (we_changed, they_changed) {
            (true, false) => Fate::Send,
            (false, true) => Fate::Take,
            _ => Fate::Ask,
        },
    }
}

/// What becomes of all fields of a mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fates {
    /// Theirs that are taken.
    pub take: Values,
    /// Ours that are written there.
    pub send: Values,
    /// Both values of what a person decides: field, ours, theirs.
    pub ask: Vec<(String, String, String)>,
}

/// Decides about all fields.
pub fn all(mapping: &Mapping, base: &Values, ours: &Values, theirs: &Values) -> Fates {
    let mut fates = Fates::default();
    for (name, mapped) in &mapping.fields {
        let [base, own, other] =
            [base, ours, theirs].map(|values| values.get(name).map(|value| comparable(name, value)));
        let fate = field(mapped.master, base.as_deref(), own.as_deref(), other.as_deref());
        match (fate, ours.get(name), theirs.get(name)) {
            (Fate::Take, _, Some(value)) => drop(fates.take.insert(name.clone(), value.clone())),
            (Fate::Send, Some(value), _) => drop(fates.send.insert(name.clone(), value.clone())),
            (Fate::Ask, Some(own), Some(other)) => fates.ask.push((name.clone(), own.clone(), other.clone())),
            _ => {}
        }
    }
    fates
}

/// A value in the form in which it is compared: a number is the same however it is written.
fn comparable(field: &str, value: &str) -> String {
    match field {
        "phone" | "email" => claim::key(field, value),
        _ => value.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Fate::{Ask, Keep, Send, Take};
    use super::*;

    #[test]
    fn the_master_decides_and_of_two_who_changed_it_a_person() {
        let (us, them, newest) = (Master::Us, Master::Them, Master::NewestHuman);
        for (master, base, ours, theirs, fate) in [
            (newest, Some("a"), Some("a"), Some("a"), Keep),
            (newest, Some("a"), Some("b"), Some("a"), Send),
            (newest, Some("a"), Some("a"), Some("b"), Take),
            (newest, Some("a"), Some("b"), Some("c"), Ask),
            (newest, Some("a"), Some("b"), Some("b"), Keep),
            (newest, None, Some("b"), Some("c"), Ask),
            (newest, None, Some("b"), None, Send),
            (newest, None, None, Some("c"), Take),
            (us, Some("a"), Some("a"), Some("b"), Send),
            (us, Some("a"), Some("b"), Some("c"), Send),
            (them, Some("a"), Some("b"), Some("a"), Take),
            (them, Some("a"), Some("b"), Some("c"), Take),
            // Nothing is overwritten by nothing.
            (them, Some("a"), Some("a"), None, Keep),
            (newest, Some("a"), Some("a"), None, Send),
            (us, Some("a"), None, Some("a"), Keep),
            (newest, Some("a"), None, Some("a"), Take),
        ] {
            assert_eq!(field(master, base, ours, theirs), fate, "{master:?} {base:?} {ours:?} {theirs:?}");
        }
    }

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        let mapping: Mapping = serde_json::from_value(serde_json::json!({
            "external_type": "Contact", "fields": { "phone": { "theirs": "phoneNumber", "master": "newest_human" } },
        }))
        .unwrap();
        let of = |value: &str| Values::from([("phone".to_owned(), value.to_owned())]);
        let fates = all(&mapping, &Values::new(), &of("512 342 152"), &of("+48512342152"));
        assert_eq!(fates, Fates::default());
        let fates = all(&mapping, &of("+48512342152"), &of("512 342 152"), &of("+48601234567"));
        assert_eq!(fates.take, of("+48601234567"));
    }
}
