//! The deterministic layer: attaches and merges what is sure.

use super::rules::{Joined, hinted, holds_a_name, is_free, likeness, likeness_of, may_merge, second_id};
use super::{Arrival, Facts, Hint, Medium, Outcome, Person, Policy, Rule, Whose};
use crate::keys::Key;
use crate::keys::name::{Likeness, Name};

/// Contacts that are named for what is nobody's yet.
const MOST_CANDIDATES: usize = 3;

/// Decides whose an arrival is.
pub fn decide(arrival: &Arrival, facts: &Facts, policy: Policy) -> Outcome {
    let mut outcome = match facts.voices.is_empty() {
        false => known_address(arrival, facts),
        true => new_address(arrival, facts, policy),
    };
    if let Whose::Known(contact) = &outcome.whose
        && policy == Policy::Auto
    {
        let contact = contact.clone();
        outcome.merges = merges(arrival, facts, &contact);
    }
    outcome.hints = if policy == Policy::Manual { Vec::new() } else { hints(arrival, facts, &outcome) };
    outcome
}

fn plain(whose: Whose, rule: Rule) -> Outcome {
    Outcome { whose, rule, merges: Vec::new(), contested: Vec::new(), hints: Vec::new() }
}

/// Keys that the address itself is.
fn own_keys(arrival: &Arrival) -> Vec<Key> {
    match arrival.medium {
        Medium::Number | Medium::Mailbox => arrival.proven.clone(),
        Medium::Account | Medium::Visit => Vec::new(),
    }
}

fn names<'a>(facts: &'a Facts, contact: &str) -> &'a [Name] {
    facts.people.get(contact).map_or(&[], |person| person.names.as_slice())
}

/// An address that was seen before.
fn known_address(arrival: &Arrival, facts: &Facts) -> Outcome {
    let newest = facts.voices.last().cloned().unwrap_or_default();
    if arrival.anonymous {
        return open(arrival, facts);
    }
    if matches!(arrival.medium, Medium::Account | Medium::Visit) {
        return plain(Whose::Known(newest), Rule::Address);
    }
    if !arrival.name.speaks() {
        let contested =
            own_keys(arrival).iter().any(|key| facts.holders.get(key).is_some_and(|h| h.contested));
        return match facts.voices.len() == 1 && !contested && !arrival.is_common() {
            true => plain(Whose::Known(newest), Rule::Address),
            false => open(arrival, facts),
        };
    }
    let agreeing = |wanted: &[Likeness]| {
        let found = facts
            .voices
            .iter()
            .filter(|voice| wanted.contains(&likeness(&arrival.name, names(facts, voice))));
        found.cloned().collect::<Vec<String>>()
    };
    let several = facts.voices.len() > 1;
    for wanted in [&[Likeness::Same][..], &[Likeness::Compatible], &[Likeness::Unknown]] {
        let found = agreeing(wanted);
        let sure = found.len() == 1 || wanted == [Likeness::Same];
        if let (Some(voice), true) = (found.last(), sure) {
            // A name for an address of several people that had none says nothing of who that was.
            if wanted == [Likeness::Unknown] && (several || arrival.is_common()) {
                break;
            }
            return plain(Whose::Known(voice.clone()), if several { Rule::Voice } else { Rule::Address });
        }
    }
    let contested = own_keys(arrival);
    // The person may be known by other keys or by having the same number elsewhere.
    let elsewhere = by_keys(arrival, facts);
    match elsewhere {
        Some((contact, rule)) => Outcome { contested, ..plain(Whose::Known(contact), rule) },
        None => Outcome { contested, ..plain(Whose::New, Rule::Era) },
    }
}

/// An address that is new.
fn new_address(arrival: &Arrival, facts: &Facts, policy: Policy) -> Outcome {
    if !arrival.name.speaks() && arrival.is_common() {
        return open(arrival, facts);
    }
    let own_is_taken = own_keys(arrival).iter().any(|key| {
        facts.holders.get(key).is_some_and(|holders| holders.contested || holders.contacts.len() > 1)
    });
    if policy == Policy::Auto
        && let Some((contact, rule)) = by_keys(arrival, facts)
    {
        return plain(Whose::Known(contact), rule);
    }
    if !arrival.name.speaks() && own_is_taken {
        return open(arrival, facts);
    }
    Outcome { contested: contradicted(arrival, facts), ..plain(Whose::New, Rule::New) }
}

/// Keys that the network vouches for, and that somebody of another name holds.
fn contradicted(arrival: &Arrival, facts: &Facts) -> Vec<Key> {
    let differs = |key: &&Key| {
        let holders = facts.holders.get(key);
        holders.is_some_and(|holders| {
            holders.contacts.iter().any(|(contact, proven)| {
                *proven && likeness(&arrival.name, names(facts, contact)) == Likeness::Conflict
            })
        })
    };
    arrival.proven.iter().filter(differs).cloned().collect()
}

/// A contact that a key of an arrival shows.
struct Shown<'a> {
    likeness: Likeness,
    /// Whether the key is this contact's alone.
    free: bool,
    /// Whether the network vouches for the key of the arrival, and of the contact.
    proven: bool,
    vouched: bool,
    contact: &'a str,
    person: &'a Person,
}

/// The contact that the arrival's keys show, if that is sure.
fn by_keys(arrival: &Arrival, facts: &Facts) -> Option<(String, Rule)> {
    let hints = hinted(arrival);
    let mut shown: Vec<Shown<'_>> = Vec::new();
    for (key, proven) in arrival.keys() {
        let Some(holders) = facts.holders.get(key) else { continue };
        let vouched = holders.contacts.iter().filter(|(_, proven)| *proven).count();
        for (contact, vouched_here) in &holders.contacts {
            // Of several, the one whom the network vouches for; else the only one.
            let only = holders.contacts.len() == 1 || (*vouched_here && vouched == 1);
            let free = is_free(key, holders) && only;
            let Some(person) = facts.people.get(contact) else { continue };
            let likeness = likeness(&arrival.name, &person.names);
            let found = Shown { likeness, free, proven, vouched: *vouched_here, contact, person };
            if attaches(arrival, &found, &hints) {
                shown.push(found);
            }
        }
    }
    // The likeliest; of equals the oldest.
    shown.sort_by_key(|one| {
        let rank = (one.likeness, one.free, one.proven);
        (std::cmp::Reverse(rank), one.person.since, one.contact)
    });
    let best = shown.first()?;
    let rival = |other: &&Shown<'_>| {
        other.contact != best.contact
            && (other.likeness, other.free) == (best.likeness, best.free)
            && likeness_of(&best.person.names, &other.person.names) != Likeness::Same
    };
    if shown.iter().any(|other| rival(&other)) {
        return None;
    }
    Some((best.contact.to_owned(), if best.proven { Rule::ProvenKey } else { Rule::TypedKey }))
}

/// Whether a key that a contact holds attaches an arrival to it; `hints`: names that the arrival hints at.
fn attaches(arrival: &Arrival, shown: &Shown<'_>, hints: &[Name]) -> bool {
    let second = second_id(arrival, shown.person);
    match shown.likeness {
        Likeness::Conflict => false,
        Likeness::Same => !second || arrival.medium == Medium::Number,
        Likeness::Compatible => shown.free && !second,
        // Whoever shows no name and types a number does not become another, unless the other has no
        // name either or a handle or an address holds it.
        Likeness::Unknown => {
            let names = &shown.person.names;
            let handle = holds_a_name(hints, names);
            let named = names.iter().any(Name::speaks);
            let typed = match shown.proven {
                true => shown.vouched || named,
                false => arrival.name.speaks() || (arrival.name.handle && !named),
            };
            shown.free && !second && (typed || handle)
        }
    }
}

/// Nobody's yet.
fn open(arrival: &Arrival, facts: &Facts) -> Outcome {
    let mut candidates: Vec<String> = if arrival.anonymous { Vec::new() } else { facts.voices.clone() };
    candidates.reverse();
    for (key, _) in arrival.keys() {
        let holders = facts.holders.get(key).map(|holders| holders.contacts.as_slice()).unwrap_or_default();
        for (contact, _) in holders.iter().rev() {
            if !candidates.contains(contact) {
                candidates.push(contact.clone());
            }
        }
    }
    candidates.truncate(MOST_CANDIDATES);
    plain(Whose::Open(candidates), Rule::Unattributed)
}

/// Contacts that a key of the arrival shows to be the same as its own.
fn merges(arrival: &Arrival, facts: &Facts, contact: &str) -> Vec<(String, Key)> {
    let Some(person) = facts.people.get(contact) else { return Vec::new() };
    // As the contact will be with this arrival.
    let mut person = person.clone();
    person.names.push(arrival.name.clone());
    person.names.extend(hinted(arrival));
    if matches!(arrival.medium, Medium::Account | Medium::Number) {
        person.places.push((arrival.place.clone(), arrival.external_id.clone()));
    }
    let mut merged: Vec<(String, Key)> = Vec::new();
    for (key, proven) in arrival.keys() {
        let Some(holders) = facts.holders.get(key) else { continue };
        let free = is_free(key, holders);
        for (other, vouched) in holders.contacts.iter().filter(|(other, _)| other != contact) {
            let Some(candidate) = facts.people.get(other) else { continue };
            let joined = if free { Joined::Alone { proven: proven && *vouched } } else { Joined::Among };
            let sure = may_merge((contact, &person), (other, candidate), joined);
            if sure && !merged.iter().any(|(known, _)| known == other) {
                merged.push((other.clone(), key.clone()));
                person.names.extend(candidate.names.iter().cloned());
                person.places.extend(candidate.places.iter().cloned());
            }
        }
    }
    merged
}

/// Contacts that hold a key of the arrival and were neither attached nor merged.
fn hints(arrival: &Arrival, facts: &Facts, outcome: &Outcome) -> Vec<Hint> {
    let mut hints: Vec<Hint> = Vec::new();
    let own = match &outcome.whose {
        Whose::Known(contact) => Some(contact),
        _ => None,
    };
    for (key, _) in arrival.keys() {
        let Some(holders) =
            facts.holders.get(key).filter(|holders| holders.contacts.len() <= super::rules::MOST_HOLDERS)
        else {
            continue;
        };
        for (contact, _) in &holders.contacts {
            let done = own == Some(contact) || outcome.merges.iter().any(|(merged, _)| merged == contact);
            let refused = own.is_some_and(|own| {
                facts.people.get(own).is_some_and(|person| person.others.contains(contact))
            });
            if !done && !refused && !hints.iter().any(|hint| hint.contact == *contact) {
                hints.push(Hint { contact: contact.clone(), key: key.clone() });
            }
        }
    }
    hints
}
