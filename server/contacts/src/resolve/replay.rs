//! A registry in memory that takes a stream of arrivals, for tests: what it does with the outcomes is what
//! the archive does.

use super::score::{Frequencies, Profile};
use super::{Arrival, Facts, Holders, Medium, Person, Policy, Whose, decide};
use crate::keys::name::Name;
use crate::keys::phone::Region;
use crate::keys::{Key, emails, phones};
use crate::testdata::Row;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Reads a line of the stream.
pub fn read(row: &Row) -> Arrival {
    let (channel, id) = (row["channel"].as_str(), row["channel_user_id"].as_str());
    let vouched = |kind: &str| row[kind] == "channel";
    let number = id.trim_start_matches('+').bytes().all(|b| b.is_ascii_digit());
    let (medium, id_type) = match channel {
        "whatsapp" if number => (Medium::Number, "phone"),
        "sms" | "phone" => (Medium::Number, "phone"),
        "whatsapp" => (Medium::Account, "bsuid"),
        "email" => (Medium::Mailbox, "email"),
        "livechat" | "webform" => (Medium::Visit, "visitor"),
        _ => (Medium::Account, "user"),
    };
    let (phone, mail) = (phones(&row["phone_raw"], Region::PL), emails(&row["email_raw"]));
    let mut arrival = Arrival {
        medium,
        place: format!("{channel}/{id_type}"),
        external_id: id.to_owned(),
        anonymous: crate::keys::lists::ANONYMOUS.contains(&id),
        name: Name::read(&row["display_name"]),
        proven: Vec::new(),
        typed: Vec::new(),
    };
    for (keys, source) in [(phone, "phone_source"), (mail, "email_source")] {
        if vouched(source) { arrival.proven.extend(keys) } else { arrival.typed.extend(keys) }
    }
    arrival
}

/// The registry.
#[derive(Default)]
pub struct Registry {
    /// Contacts that were not merged into others.
    pub people: BTreeMap<String, Person>,
    voices: HashMap<(String, String), Vec<String>>,
    holders: BTreeMap<Key, Holders>,
    redirects: HashMap<String, String>,
    /// Each event with the contact that it was given to.
    pub arrived: Vec<(String, String)>,
    /// Arrivals that are nobody's yet, each with a contact that comes into question.
    pub hints: Vec<(String, String)>,
}

impl Registry {
    /// The contact that one is by now, after all merges.
    pub fn now(&self, id: &str) -> String {
        let mut id = id;
        while let Some(next) = self.redirects.get(id) {
            id = next;
        }
        id.to_owned()
    }

    fn facts(&self, arrival: &Arrival) -> Facts {
        let mut facts = Facts::default();
        let address = (arrival.place.clone(), arrival.external_id.clone());
        for voice in self.voices.get(&address).into_iter().flatten() {
            let voice = self.now(voice);
            facts.voices.retain(|known| *known != voice);
            facts.voices.push(voice);
        }
        for (key, _) in arrival.keys() {
            let mut held = self.holders.get(key).cloned().unwrap_or_default();
            let mut contacts: Vec<(String, bool)> = Vec::new();
            for (contact, proven) in held.contacts {
                let contact = self.now(&contact);
                match contacts.iter_mut().find(|(known, _)| *known == contact) {
                    Some(known) => known.1 |= proven,
                    None => contacts.push((contact, proven)),
                }
            }
            held.contacts = contacts;
            facts.holders.insert(key.clone(), held);
        }
        let held = facts.holders.values().flat_map(|held| held.contacts.iter().map(|(contact, _)| contact));
        for id in facts.voices.iter().chain(held) {
            facts.people.insert(id.clone(), self.people[id].clone());
        }
        facts
    }

    /// Takes an arrival.
    pub fn arrive(&mut self, event: &str, arrival: &Arrival) {
        let facts = self.facts(arrival);
        let outcome = decide::decide(arrival, &facts, Policy::Auto);
        for key in &outcome.contested {
            self.holders.entry(key.clone()).or_default().contested = true;
        }
        let contact = match &outcome.whose {
            Whose::Known(contact) => contact.clone(),
            Whose::New => {
                let id = format!("c{event}");
                self.people
                    .insert(id.clone(), Person { since: self.arrived.len() as i64, ..Person::default() });
                id
            }
            Whose::Open(candidates) => {
                let id = format!("u{event}");
                if !arrival.is_common() {
                    self.hints.extend(candidates.iter().map(|candidate| (id.clone(), candidate.clone())));
                }
                self.arrived.push((event.to_owned(), id));
                return;
            }
        };
        self.note(arrival, &contact);
        self.arrived.push((event.to_owned(), contact.clone()));
        for (other, _) in &outcome.merges {
            self.merge(other, &contact);
        }
    }

    fn note(&mut self, arrival: &Arrival, contact: &str) {
        let address = (arrival.place.clone(), arrival.external_id.clone());
        let person = self.people.get_mut(contact).unwrap();
        if !arrival.name.words.is_empty() && !person.names.contains(&arrival.name) {
            person.names.push(arrival.name.clone());
        }
        if matches!(arrival.medium, Medium::Account | Medium::Number) && !person.places.contains(&address) {
            person.places.push(address.clone());
        }
        let voices = self.voices.entry(address).or_default();
        voices.retain(|voice| voice != contact);
        voices.push(contact.to_owned());
        for (key, proven) in arrival.keys() {
            let held = self.holders.entry(key.clone()).or_default();
            match held.contacts.iter_mut().find(|(known, _)| known == contact) {
                Some(known) => known.1 |= proven,
                None => held.contacts.push((contact.to_owned(), proven)),
            }
        }
    }

    fn merge(&mut self, a: &str, b: &str) {
        let (a, b) = (self.now(a), self.now(b));
        if a == b {
            return;
        }
        let (from, into) = if self.people[&a].since < self.people[&b].since { (b, a) } else { (a, b) };
        let gone = self.people.remove(&from).unwrap();
        let person = self.people.get_mut(&into).unwrap();
        for name in gone.names {
            if !person.names.contains(&name) {
                person.names.push(name);
            }
        }
        person.places.extend(gone.places);
        self.redirects.insert(from, into);
    }

    /// All contacts as they are weighed, and how often words are.
    pub fn profiles(&self) -> (BTreeMap<String, Profile>, Frequencies) {
        let mut keys: HashMap<String, BTreeSet<Key>> = HashMap::new();
        for (key, held) in &self.holders {
            for (contact, _) in &held.contacts {
                keys.entry(self.now(contact)).or_default().insert(key.clone());
            }
        }
        let mut profiles = BTreeMap::new();
        let mut frequencies = Frequencies::default();
        for (id, person) in &self.people {
            let keys = keys.remove(id).unwrap_or_default().into_iter().collect();
            let profile = Profile::new(person.clone(), keys);
            if profile.speaks() {
                frequencies.contacts += 1.0;
            }
            for token in profile.tokens() {
                *frequencies.words.entry(token).or_default() += 1.0;
            }
            profiles.insert(id.clone(), profile);
        }
        (profiles, frequencies)
    }
}
