//! The probabilistic layer: which contacts are shown to a person as perhaps the same, and why.

use super::Person;
use super::rules::{likeness_of, two_ids};
use super::score::{Frequencies, Profile, Reason, Weight, What, at_most, weigh};
use crate::keys::name::Likeness;

/// From how many bits on a pair is shown: of three such, one is one person.
pub const SHOWN: f64 = -1.6;
/// Contacts that share a word, at most: a word of more says nothing.
pub const BLOCK: usize = 200;
/// Pairs of one contact that are shown at a time.
const MOST: usize = 3;

/// Bits below which a rival says nothing.
const RIVAL: f64 = -4.0;
/// Rivals that are looked at.
const MOST_RIVALS: usize = 30;

/// Whether another may come into question when it is known how often the words of `one` are, and not how often the
/// other's are. Never says no to what [`suggest`] would weigh.
pub fn is_near(one: &Profile, other: &Profile, frequencies: &Frequencies) -> bool {
    at_most(one, other, frequencies) >= RIVAL
}

/// The others that a contact is perhaps the same as, the likeliest first. Of others that cannot be one
/// person with one another at most one can be right, so each takes from the odds of its rivals.
pub fn suggest<'a>(
    one: &Profile,
    others: impl IntoIterator<Item = (&'a str, &'a Profile)>,
    frequencies: &Frequencies,
) -> Vec<(&'a str, Weight)> {
    let weighed = others.into_iter().map(|(id, other)| (id, other, weigh(one, other, frequencies)));
    let mut found: Vec<(&str, &Profile, Weight)> =
        weighed.filter(|(.., weight)| weight.bits >= RIVAL).collect();
    found.sort_by(|x, y| y.2.bits.total_cmp(&x.2.bits).then_with(|| x.0.cmp(y.0)));
    found.truncate(MOST_RIVALS);
    let odds = |id: &str, profile: &Profile| {
        let rivals = found
            .iter()
            .filter(|(other, rival, _)| *other != id && are_others(&profile.person, &rival.person));
        rivals.map(|(.., weight)| weight.bits.exp2()).sum::<f64>()
    };
    let lowered: Vec<f64> = found.iter().map(|(id, profile, _)| (1.0 + odds(id, profile)).log2()).collect();
    let mut shown: Vec<(&str, Weight)> = Vec::new();
    for ((id, _, mut weight), lower) in found.into_iter().zip(lowered) {
        weight.bits -= lower;
        if lower >= 0.5 {
            weight.reasons.push(Reason { what: What::Rivals, bits: -lower });
        }
        if weight.bits >= SHOWN {
            shown.push((id, weight));
        }
    }
    shown.sort_by(|x, y| y.1.bits.total_cmp(&x.1.bits).then_with(|| x.0.cmp(y.0)));
    shown.truncate(MOST);
    shown
}

/// Whether two contacts cannot be one person, by their names or ids.
fn are_others(a: &Person, b: &Person) -> bool {
    likeness_of(&a.names, &b.names) == Likeness::Conflict || two_ids(a, b)
}
