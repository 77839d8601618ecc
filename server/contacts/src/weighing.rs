//! Weighing contacts against one another, after what happened to them is written: what the sweep over
//! suggestions does. Nothing waits for it.

use crate::Contacts;
use crate::arrival::{REGION, persons};
use crate::keys::{Key, emails, phones};
use crate::resolve::Policy;
use crate::resolve::score::{Frequencies, Profile, Weight};
use crate::resolve::suggest::{BLOCK, is_near, suggest};
use kontor_model::Result;
use kontor_store::contacts::resolution::{self, Trait};
use kontor_store::contacts::suggestions;
use kontor_store::{Change, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

/// Contacts of one step.
const STEP: i64 = 50;
/// Words whose contacts are read in one step, and contacts that are compared in one.
const MOST_TOKENS: usize = 2_000;

/// What a step is about.
struct Table {
    profiles: BTreeMap<String, Profile>,
    frequencies: Frequencies,
    /// For each contact of the step those that are worth weighing against it.
    near: BTreeMap<String, BTreeSet<String>>,
}

impl Contacts {
    /// Weighs some of the contacts that changed: a constant number of statements. Gives how many were
    /// weighed; none is left when that is nought.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn weigh_some(&self) -> Result<(Change, usize)> {
        let mut change = Change::default();
        let mut source = self.store.snapshot().await?;
        let due = suggestions::due(&mut source, STEP).await?;
        let ids: Vec<&str> = due.iter().map(|(id, _)| id.as_str()).collect();
        // Whoever got a number or an address may have bought something before.
        let more = self.give_waiting(&mut change, &ids).await?;
        let own = profiles(resolution::traits(&mut source, &ids).await?);
        let table = self.table(&mut source, &own).await?;
        let now = self.now();
        for (id, since) in &due {
            if !more {
                change.contact_weighed(id, *since);
            }
            change.clear_suggestions(id);
            let Some(profile) = own.get(id) else { continue };
            let tokens = profile.tokens();
            change.set_contact_tokens(id, &tokens.iter().map(String::as_str).collect::<Vec<_>>());
            if self.policy == Policy::Manual {
                continue;
            }
            for (other, weight) in table.found(id, profile) {
                change.suggest((id, other), hundredths(weight.bits), &evidence(&weight), now);
            }
        }
        Ok((change, due.len()))
    }

    /// Everything that contacts are weighed by.
    async fn table(&self, source: &mut Snapshot<'_>, own: &BTreeMap<String, Profile>) -> Result<Table> {
        let tokens: BTreeSet<String> = own.values().flat_map(Profile::tokens).take(MOST_TOKENS).collect();
        let words: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let counts = suggestions::counts(source, &words).await?;
        let rare: Vec<&str> = words.into_iter().filter(|word| is_rare(counts.get(*word))).collect();
        let mut blocks: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (token, contact) in suggestions::with_tokens(source, &rare).await? {
            blocks.entry(token).or_default().push(contact);
        }
        // Those of this step may not be in the archive's blocks yet.
        for (id, profile) in own {
            for token in profile.tokens().into_iter().filter(|token| is_rare(counts.get(token))) {
                let block = blocks.entry(token).or_default();
                if !block.contains(id) {
                    block.push(id.clone());
                }
            }
        }
        let others: BTreeSet<&str> =
            blocks.values().flatten().map(String::as_str).filter(|id| !own.contains_key(*id)).collect();
        let others: Vec<&str> = others.into_iter().collect();
        let mut all = profiles(resolution::traits(source, &others).await?);
        all.extend(own.iter().map(|(id, profile)| (id.clone(), profile.clone())));
        let contacts = number(suggestions::contacts(source).await?);
        let words = |counted: BTreeMap<String, i64>| {
            counted.into_iter().map(|(word, count)| (word, number(count))).collect()
        };
        // Most of those that share a word share nothing else. What a word of theirs is worth is asked for the few
        // only that would come into question if it were the rarest of all.
        let mut table = Table {
            profiles: all,
            frequencies: Frequencies { contacts, words: words(counts) },
            near: BTreeMap::new(),
        };
        table.near = own.iter().map(|(id, profile)| (id.clone(), table.near(id, profile, &blocks))).collect();
        let asked = own.keys().chain(table.near.values().flatten());
        let asked: BTreeSet<String> =
            asked.filter_map(|id| table.profiles.get(id)).flat_map(Profile::tokens).collect();
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        table.frequencies.words = words(suggestions::counts(source, &asked).await?);
        Ok(table)
    }

    /// Plans that every contact is weighed anew.
    pub fn plan_weighing(&self) -> Change {
        let mut change = Change::default();
        change.weigh_all_contacts(self.now());
        change
    }
}

impl Table {
    /// Those that share a word of those in `blocks` and may be the same.
    fn near(&self, id: &str, profile: &Profile, blocks: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
        let tokens = profile.tokens();
        let others = tokens.iter().filter_map(|token| blocks.get(token)).flatten();
        let others: BTreeSet<&String> = others.filter(|other| *other != id).collect();
        let refused = &profile.person.others;
        let others = others.into_iter().filter(|other| !refused.contains(other));
        let others = others.filter_map(|other| self.profiles.get_key_value(other));
        let near = others.filter(|(_, other)| is_near(profile, other, &self.frequencies));
        near.map(|(other, _)| other.clone()).collect()
    }

    fn found(&self, id: &str, profile: &Profile) -> Vec<(&str, Weight)> {
        let others = self.near.get(id).into_iter().flatten();
        let others = others.filter_map(|other| self.profiles.get_key_value(other));
        suggest(profile, others.map(|(other, profile)| (other.as_str(), profile)), &self.frequencies)
    }
}

fn is_rare(count: Option<&i64>) -> bool {
    count.is_none_or(|count| usize::try_from(*count).is_ok_and(|count| count <= BLOCK))
}

fn number(count: i64) -> f64 {
    i32::try_from(count).map_or(f64::from(i32::MAX), f64::from)
}

fn hundredths(bits: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "weights are small")]
    let hundredths = (bits * 100.0).round().clamp(-10_000.0, 10_000.0) as i64;
    hundredths
}

/// The reasons, JSON.
fn evidence(weight: &Weight) -> String {
    let reasons = weight.reasons.iter().map(|reason| {
        let bits = (reason.bits * 10.0).round() / 10.0;
        serde_json::json!({ "what": reason.what.word(), "bits": bits })
    });
    serde_json::Value::from(reasons.collect::<Vec<_>>()).to_string()
}

/// Contacts with their keys, ready to be weighed.
fn profiles(traits: Vec<(String, Trait)>) -> BTreeMap<String, Profile> {
    let mut keys: BTreeMap<String, BTreeSet<Key>> = BTreeMap::new();
    for (contact, found) in &traits {
        let Trait::Key(kind, text) = found else { continue };
        let read = if kind == "phone" { phones(text, REGION) } else { emails(text) };
        keys.entry(contact.clone()).or_default().extend(read);
    }
    let people = persons(traits).into_iter();
    people
        .map(|(id, person)| {
            let keys = keys.remove(&id).unwrap_or_default().into_iter().collect();
            (id, Profile::new(person, keys))
        })
        .collect()
}
