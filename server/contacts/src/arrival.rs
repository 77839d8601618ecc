//! Arrivals: what came by way of a channel, checked, looked up, decided and written down.
//!
//! One arrival costs two statements, whatever is known, and one transaction. Of two that decide by the same
//! address or key at once, one is refused and decides anew.

use crate::keys::name::Name;
use crate::keys::{Key, Kind, emails, lists, phone, phones};
use crate::resolve::{Arrival, Facts, Medium, Outcome, Person, Rule, Whose, decide};
use crate::{Contacts, text, text_or_empty};
use kontor_model::{Error, Ms, Result};
use kontor_store::Change;
use kontor_store::contacts::cards::ContactRow;
use kontor_store::contacts::identities::ClaimRow;
use kontor_store::contacts::resolution::{self, ArrivalRow, Seen, Trait, Users};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Values of one field of one arrival.
const MOST_VALUES: usize = 10;
/// Merges that resolution makes in an hour; more need a person.
const MOST_MERGES: i64 = 5_000;
const HOUR: Ms = 3_600_000;
/// The bits of a candidate of the unattributed queue, for the order of suggestions.
const CANDIDATE: i64 = 100;
/// The country of numbers without a prefix.
pub const REGION: phone::Region = phone::Region::PL;

/// Something that came by way of a channel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Came {
    /// The sender's name for it: told twice, it is resolved once.
    pub arrival_id: String,
    /// The channel.
    pub channel: String,
    /// The company's account.
    #[serde(default)]
    pub account: String,
    /// What kind of id the next one is: phone, email, visitor, or the network's own word.
    pub id_type: String,
    /// The network's id of the customer.
    pub external_id: String,
    /// The name that the network shows.
    pub display_name: Option<String>,
    /// Telephone numbers.
    #[serde(default)]
    pub phones: Vec<Said>,
    /// Mail addresses.
    #[serde(default)]
    pub emails: Vec<Said>,
    /// When it came, milliseconds; now when absent.
    pub ts: Option<Ms>,
}

/// A number or an address that came along.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// As it was written.
    pub value: String,
    /// Whether the network vouches for it; else somebody typed it.
    #[serde(default)]
    pub proven: bool,
}

/// What was made of an arrival.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resolved {
    /// The sender's name for it.
    pub arrival_id: String,
    /// Whose it is; absent when it is nobody's yet.
    pub contact_id: Option<String>,
    /// By which rule: address, voice, proven_key, typed_key, era, new, unattributed.
    pub rule: String,
    /// Contacts that come into question for what is nobody's yet.
    pub candidates: Vec<String>,
    /// Contacts that were merged into it.
    pub merged: Vec<String>,
}

/// An arrival with its keys, and the values that they were read from.
#[derive(Clone, Debug)]
pub struct Read {
    /// What resolution looks at.
    pub arrival: Arrival,
    /// The name as it is shown.
    pub shown: Option<String>,
    /// Each key with what was written.
    pub values: BTreeMap<Key, String>,
}

impl Read {
    /// The name of the address among keys.
    pub(crate) fn address_key(&self) -> String {
        format!("{} {}", self.arrival.place, self.arrival.external_id)
    }
}

/// What an id of this kind says about who is behind it.
pub fn medium(id_type: &str) -> Medium {
    match id_type {
        "phone" => Medium::Number,
        "email" => Medium::Mailbox,
        "visitor" | "session" | "form" | "order" => Medium::Visit,
        _ => Medium::Account,
    }
}

/// Reads the keys of what came.
pub fn read(address: (&str, &str, &str, &str), shown: Option<&str>, said: &[(Kind, &str, bool)]) -> Read {
    let (channel, account, id_type, external_id) = address;
    let medium = medium(id_type);
    let mut values = BTreeMap::new();
    let (mut proven, mut typed) = (Vec::new(), Vec::new());
    let own = match medium {
        Medium::Number => Some((Kind::Phone, international(external_id), true)),
        Medium::Mailbox => Some((Kind::Email, external_id.to_owned(), true)),
        _ => None,
    };
    let said = said.iter().map(|(kind, value, vouched)| (*kind, (*value).to_owned(), *vouched));
    for (kind, value, vouched) in own.into_iter().chain(said) {
        let keys = match kind {
            Kind::Phone => phones(&value, REGION),
            Kind::Email => emails(&value),
        };
        for key in keys {
            let list = if vouched { &mut proven } else { &mut typed };
            if !list.contains(&key) {
                list.push(key.clone());
            }
            values.entry(key).or_insert_with(|| value.clone());
        }
    }
    typed.retain(|key| !proven.contains(key));
    let arrival = Arrival {
        medium,
        place: format!("{channel}/{account}/{id_type}"),
        external_id: external_id.to_owned(),
        anonymous: lists::ANONYMOUS.contains(&external_id.to_lowercase().as_str()),
        name: Name::read(shown.unwrap_or_default()),
        proven,
        typed,
    };
    Read { arrival, shown: shown.map(str::to_owned), values }
}

/// Networks write numbers with the country but without a plus.
fn international(id: &str) -> String {
    let bare = !id.is_empty()
        && id.len() > 9
        && id.bytes().all(|byte| byte.is_ascii_digit())
        && !id.starts_with("00");
    if bare { format!("+{id}") } else { id.to_owned() }
}

impl Contacts {
    /// Checks and reads what came.
    ///
    /// # Errors
    /// `InvalidParam` for what cannot have come.
    pub fn read_arrival(&self, came: &Came) -> Result<(String, Read, Ms)> {
        let id = text(&came.arrival_id, "arrival_id", 255)?;
        let channel = text(&came.channel, "channel", 40)?;
        let account = text_or_empty(&came.account, "account", 255)?;
        let id_type = text(&came.id_type, "id_type", 40)?;
        let external_id = text(&came.external_id, "external_id", 255)?;
        if came.phones.len() + came.emails.len() > MOST_VALUES {
            return Err(Error::invalid_param(format!(
                "An arrival may have {MOST_VALUES} numbers and addresses."
            )));
        }
        let shown = came.display_name.as_deref().and_then(crate::opening::shown);
        let mut said = Vec::new();
        for (kind, list) in [(Kind::Phone, &came.phones), (Kind::Email, &came.emails)] {
            for one in list {
                text(&one.value, "value", 500)?;
                said.push((kind, one.value.as_str(), one.proven));
            }
        }
        let read = read((&channel, &account, &id_type, &external_id), shown.as_deref(), &said);
        Ok((id, read, came.ts.unwrap_or_else(|| self.now())))
    }

    /// Looks up what touches an arrival and decides whose it is.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn decide(&self, read: &Read) -> Result<(Outcome, Known)> {
        let address = read.address_key();
        let arrival = &read.arrival;
        let texts = |kind: Kind| {
            let keys = arrival.keys().filter(|(key, _)| key.kind == kind);
            keys.map(|(key, _)| key.text.as_str()).collect::<Vec<&str>>()
        };
        let mut source = self.store.reader();
        let place = (arrival.place.as_str(), arrival.external_id.as_str(), address.as_str());
        let (users, traits) =
            resolution::users(&mut source, place, &texts(Kind::Phone), &texts(Kind::Email)).await?;
        let mut facts = holders(arrival, &users);
        facts.people = persons(traits);
        let mut outcome = decide::decide(arrival, &facts, self.policy);
        if !outcome.merges.is_empty()
            && resolution::merges_since(&mut source, self.now() - HOUR).await? >= MOST_MERGES
        {
            leave_to_people(&mut outcome);
        }
        Ok((outcome, Known { users, facts }))
    }

    /// Adds to a change that an arrival is a contact's: what its address, names and keys now say.
    /// Submitting ends in `Conflict` when somebody decided by the same at the same moment.
    pub fn note_arrival(
        &self,
        change: &mut Change,
        read: &Read,
        known: &Known,
        outcome: &Outcome,
        contact: &str,
        now: Ms,
    ) {
        let arrival = &read.arrival;
        let is_new = !known.facts.people.contains_key(contact);
        let person = known.facts.people.get(contact);
        let voice = known.users.voices.iter().any(|(voice, _)| voice == contact);
        let seen = Seen {
            place: &arrival.place,
            external_id: &arrival.external_id,
            contact,
            single: matches!(arrival.medium, Medium::Account | Medium::Number),
            now,
        };
        let speaks = !arrival.name.words.is_empty();
        let named = !speaks || person.is_some_and(|person| person.names.contains(&arrival.name));
        let holds = |key: &Key, proven: bool| {
            known.facts.holders.get(key).is_some_and(|held| {
                held.contacts.iter().any(|(holder, vouched)| holder == contact && (*vouched || !proven))
            })
        };
        let held = arrival.keys().all(|(key, proven)| holds(key, proven));
        let nothing_new = voice && named && held && outcome.contested.is_empty() && outcome.merges.is_empty();
        // Seen again, it stays with the one of those that are one contact whom it was of.
        if voice {
            change.see_voice(seen)
        } else {
            change.add_voice(seen)
        }
        if nothing_new {
            return;
        }
        if !is_new {
            change.expect_unmerged(contact);
        }
        self.move_keys(change, read, known, outcome);
        if let (false, Some(shown)) = (named, &read.shown) {
            change.add_contact_name(contact, shown);
            change.add_contact_tokens(contact, arrival.name.full_words());
        }
        // Whoever had the number before has another by now.
        if outcome.rule == Rule::Era {
            for key in &outcome.contested {
                change.end_claims(key.kind.word(), &key.text, contact, now);
            }
        }
        for (key, proven) in arrival.keys().filter(|(key, proven)| !holds(key, *proven)) {
            change.add_claim(contact, &claim(read, key, proven, now));
        }
        change.weigh_contact(contact, now);
    }

    /// Moves what was decided by.
    fn move_keys(&self, change: &mut Change, read: &Read, known: &Known, outcome: &Outcome) {
        let address = read.address_key();
        change.move_key(
            "address",
            &address,
            known.version("address", &address).map(|(version, _)| version),
            false,
        );
        self.move_own_keys(change, read, known, outcome);
    }

    /// Moves the keys of what was decided by. Submitting ends in `Conflict` when somebody decided by the same ones
    /// at the same moment.
    pub(crate) fn move_own_keys(&self, change: &mut Change, read: &Read, known: &Known, outcome: &Outcome) {
        let mut moved = BTreeSet::new();
        for (key, _) in read.arrival.keys().filter(|(key, _)| moved.insert(*key)) {
            let found = known.version(key.kind.word(), &key.text);
            let contested = outcome.contested.contains(key) || found.is_some_and(|(_, contested)| contested);
            change.move_key(key.kind.word(), &key.text, found.map(|(version, _)| version), contested);
        }
    }

    /// Plans an arrival: gives what is written and what is answered.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_arrival(
        &self,
        id: &str,
        read: &Read,
        ts: Ms,
        batch: &str,
    ) -> Result<(Change, Resolved)> {
        let (outcome, known) = self.decide(read).await?;
        let now = self.now();
        let mut change = Change::default();
        let mut resolved = Resolved {
            arrival_id: id.to_owned(),
            contact_id: None,
            rule: outcome.rule.word().to_owned(),
            candidates: Vec::new(),
            merged: Vec::new(),
        };
        let contact = match &outcome.whose {
            Whose::Known(contact) => Some(contact.clone()),
            Whose::New => Some(self.new_contact(&mut change, read, now)),
            Whose::Open(candidates) => {
                // At a line or mailbox of many there is nothing to choose by.
                for candidate in candidates.iter().filter(|_| !read.arrival.is_common()) {
                    let evidence = serde_json::json!([{ "what": "same_address", "bits": 1.0 }]).to_string();
                    change.suggest((&format!("arrival:{id}"), candidate), CANDIDATE, &evidence, now);
                }
                resolved.candidates = candidates.clone();
                None
            }
        };
        if let Some(contact) = &contact {
            self.note_arrival(&mut change, read, &known, &outcome, contact, now);
            resolved.merged = self.plan_merges(&mut change, &known, &outcome, contact, batch).await?;
        }
        change.add_arrival(&ArrivalRow {
            id: id.to_owned(),
            contact: contact.clone(),
            place: read.arrival.place.clone(),
            external_id: read.arrival.external_id.clone(),
            rule: resolved.rule.clone(),
            ts,
        });
        resolved.contact_id = contact;
        Ok((change, resolved))
    }

    /// Adds the merges of an outcome; the older contact, or the customer, stays.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_merges(
        &self,
        change: &mut Change,
        known: &Known,
        outcome: &Outcome,
        contact: &str,
        batch: &str,
    ) -> Result<Vec<String>> {
        let age = |id: &str| {
            let person = known.facts.people.get(id);
            (
                !person.is_some_and(|person| person.customer),
                person.map_or(i64::MAX, |person| person.since),
                id.to_owned(),
            )
        };
        let all = std::iter::once(contact).chain(outcome.merges.iter().map(|(other, _)| other.as_str()));
        let mut all: Vec<&str> = all.collect();
        all.sort_by_key(|id| age(id));
        let Some((stays, go)) = all.split_first().filter(|(_, go)| !go.is_empty()) else {
            return Ok(Vec::new());
        };
        self.add_merges(change, stays, go, outcome.rule.word(), batch).await
    }

    fn new_contact(&self, change: &mut Change, read: &Read, now: Ms) -> String {
        let id = self.new_id();
        let line = read.arrival.is_common();
        change.add_contact(&ContactRow {
            id: id.clone(),
            redirect_to: None,
            kind: if read.arrival.name.speaks() {
                "person"
            } else if line {
                "line"
            } else {
                "unknown"
            }
            .to_owned(),
            stage: "visitor".to_owned(),
            owner: None,
            owner_id: None,
            team: None,
            visibility: "team".to_owned(),
            language: None,
            version: 1,
            created_ts: now,
            updated_ts: now,
            own: None,
        });
        id
    }
}

/// Beyond the rate, merges become what a person decides.
fn leave_to_people(outcome: &mut Outcome) {
    let merges = std::mem::take(&mut outcome.merges);
    let hints = merges.into_iter().map(|(contact, key)| crate::resolve::Hint { contact, key });
    outcome.hints.extend(hints);
}

/// What was looked up for a decision.
#[derive(Clone, Debug)]
pub struct Known {
    /// As the archive has it.
    pub users: Users,
    /// As it was decided by.
    pub facts: Facts,
}

impl Known {
    /// The version of a key, and whether it is contested.
    fn version(&self, kind: &str, key: &str) -> Option<(i64, bool)> {
        let mut keys = self.users.keys.iter();
        keys.find(|(k, t, ..)| k == kind && t == key).map(|(_, _, version, contested)| (*version, *contested))
    }
}

fn holders(arrival: &Arrival, users: &Users) -> Facts {
    let mut facts = Facts::default();
    for (voice, _) in &users.voices {
        // Of merged contacts the newest sighting counts.
        facts.voices.retain(|known| known != voice);
        facts.voices.push(voice.clone());
    }
    for (key, _) in arrival.keys() {
        let held = facts.holders.entry(key.clone()).or_default();
        let (kind, text) = (key.kind.word(), key.text.as_str());
        held.contested = users.keys.iter().any(|(k, t, _, contested)| k == kind && t == text && *contested);
        for (_, _, contact, trust) in users.holders.iter().filter(|(k, t, ..)| k == kind && t == text) {
            match held.contacts.iter_mut().find(|(known, _)| known == contact) {
                Some(known) => known.1 |= *trust >= 2,
                None => held.contacts.push((contact.clone(), *trust >= 2)),
            }
        }
    }
    facts
}

/// Contacts as resolution looks at them.
pub fn persons(traits: Vec<(String, Trait)>) -> BTreeMap<String, Person> {
    let mut people: BTreeMap<String, Person> = BTreeMap::new();
    for (contact, found) in traits {
        let person = people.entry(contact).or_default();
        match found {
            Trait::Name(shown) => {
                let name = Name::read(&shown);
                if !person.names.contains(&name) {
                    person.names.push(name);
                }
            }
            Trait::Place(place, id) => person.places.push((place, id)),
            Trait::Made(stage, ts) => {
                person.customer = stage == "customer";
                person.since = ts;
            }
            Trait::Other(other) => person.others.push(other),
            Trait::Key(..) => {}
        }
    }
    people
}

fn claim(read: &Read, key: &Key, proven: bool, now: Ms) -> ClaimRow {
    ClaimRow {
        kind: key.kind.word().to_owned(),
        key: key.text.clone(),
        value: read.values.get(key).cloned().unwrap_or_else(|| key.text.clone()),
        trust: if proven { 2 } else { 0 },
        source: if proven { "network" } else { "customer" }.to_owned(),
        event_id: None,
        since_ts: now,
        until_ts: None,
        conversation: None,
    }
}
