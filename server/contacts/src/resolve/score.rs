//! How much speaks for two contacts being one, in bits: what they share counts the more the rarer it is in
//! this installation, what contradicts counts against it. The sum is a logarithm of odds: at nought it is
//! as likely as not.

use super::Person;
use super::rules::{likeness_of, two_ids};
use crate::keys::name::{Likeness, Match, Name, Word, pairs};
use crate::keys::skeleton::{bones, fold};
use crate::keys::{Key, Kind, Nature, email};
use std::collections::{BTreeMap, BTreeSet};

/// Words by which a contact is found, at most.
const MOST_TOKENS: usize = 40;
/// Letters of the beginning of a word that also finds it, and the sign before it.
const BEGINNING: usize = 4;
const BEGINS: char = '^';
/// The signs before a key, and before what keys with a slip share.
const SAME: char = '=';
const NEAR: char = '~';
/// Bits of words that differ, and of an initial that agrees.
const OTHER: f64 = -7.0;
const INITIAL: f64 = 3.7;
/// Bits of a second id in a place where people have one, and what a short form says less than the whole.
const OTHER_ID: f64 = -10.0;
const SHORTENED: f64 = 3.5;
/// Bits of a personal key that both have, at least.
const SAME_KEY: f64 = 12.0;
/// More than this nothing rare can say.
const RAREST: f64 = 11.0;

/// What is weighed of a contact.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// The contact.
    pub person: Person,
    /// Its keys.
    pub keys: Vec<Key>,
    /// Names that its addresses and handles hint at.
    hinted: Vec<Name>,
}

impl Profile {
    /// Takes a contact and its keys.
    pub fn new(person: Person, keys: Vec<Key>) -> Self {
        let mut hinted: Vec<Name> = person.names.iter().filter(|name| name.handle).cloned().collect();
        for key in keys.iter().filter(|key| key.kind == Kind::Email && key.nature == Nature::Personal) {
            hinted.extend(names_of(&key.text));
        }
        Self { person, keys, hinted }
    }

    /// The words by which it is found and counted.
    pub fn tokens(&self) -> BTreeSet<String> {
        let spoken = self.person.names.iter().filter(|name| name.speaks());
        let mut tokens = BTreeSet::new();
        for word in spoken.chain(&self.hinted).flat_map(Name::full_words) {
            if word.len() > 2 {
                tokens.insert(word.to_owned());
                if word.len() >= BEGINNING {
                    tokens.insert(format!("{BEGINS}{}", word.get(..BEGINNING).unwrap_or(word)));
                }
            }
            if tokens.len() >= MOST_TOKENS {
                break;
            }
        }
        for key in self.keys.iter().filter(|key| key.nature != Nature::Nobody) {
            tokens.insert(format!("{SAME}{}", key.text));
            if key.nature == Nature::Personal {
                tokens.extend(near(key));
            }
        }
        tokens
    }

    /// Whether there is anything to weigh.
    pub fn speaks(&self) -> bool {
        !self.hinted.is_empty() || self.person.names.iter().any(Name::speaks)
    }
}

/// What keys that differ in a slip share: the likely form of an address, either end of a number.
fn near(key: &Key) -> Vec<String> {
    match key.kind {
        Kind::Email => {
            email::all(&key.text).into_iter().map(|email| format!("{NEAR}{}", email.likely)).collect()
        }
        Kind::Phone => {
            let (head, tail) = (key.text.len().saturating_sub(4), key.text.len().saturating_sub(5));
            let ends = [key.text.get(..head), key.text.get(tail..)];
            ends.into_iter().flatten().map(|end| format!("{NEAR}{end}")).collect()
        }
    }
}

/// The names that the local part of an address can be made of: `a.b`, `ab`, `xname`.
pub fn names_of(address: &str) -> Vec<Name> {
    let words = email::words(address);
    let word = |text: &str| {
        let folded = fold(text);
        let first = folded.chars().next().filter(char::is_ascii_alphabetic)?;
        Some(Word { bones: bones(&folded), first, initial: false }).filter(|word| word.bones.len() > 1)
    };
    let mut names = vec![Name { words: words.iter().filter_map(|text| word(text)).collect(), handle: true }];
    if let [single] = words.as_slice()
        && let Some((at, _)) = single.char_indices().nth(1)
        && let (Some(whole), Some(rest)) = (word(single), single.get(at..).and_then(word))
        && rest.bones.len() > 3
    {
        let initial = Word { bones: whole.first.to_string(), first: whole.first, initial: true };
        names.push(Name { words: vec![initial, rest], handle: true });
    }
    names.retain(|name| !name.words.is_empty());
    names
}

/// How often words are in the names of this installation.
#[derive(Clone, Debug, Default)]
pub struct Frequencies {
    /// Contacts with a name.
    pub contacts: f64,
    /// Contacts by word.
    pub words: BTreeMap<String, f64>,
}

impl Frequencies {
    /// Bits that two contacts have in common before anything is known of them.
    fn prior(&self) -> f64 {
        -self.contacts.max(16.0).log2()
    }

    /// Bits of sharing a word.
    fn bits(&self, word: &str) -> f64 {
        let count = self.words.get(word).copied().unwrap_or(1.0).max(1.0);
        (self.contacts.max(16.0) / count).log2().clamp(0.0, RAREST)
    }
}

/// A reason, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// What it is about.
    pub what: What,
    /// Bits; below nought it speaks against.
    pub bits: f64,
}

/// What a reason is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A word of the name is the same.
    SameWord,
    /// A word of the name is the same but for a slip.
    AlikeWord,
    /// A word of the name is a short form.
    ShortWord,
    /// An initial agrees.
    Initial,
    /// A word of the name differs.
    OtherWord,
    /// An address or a handle holds the name.
    Handle,
    /// The same number or mailbox.
    SameKey,
    /// A number or mailbox that differs in a slip.
    AlikeKey,
    /// Another id in a place where people have one.
    OtherId,
    /// Somebody else fits as well.
    Rivals,
}

impl What {
    /// The word of the archive and of the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::SameWord => "name_same",
            Self::AlikeWord => "name_alike",
            Self::ShortWord => "name_short",
            Self::Initial => "name_initial",
            Self::OtherWord => "name_differs",
            Self::Handle => "name_in_address",
            Self::SameKey => "key_same",
            Self::AlikeKey => "key_alike",
            Self::OtherId => "second_id",
            Self::Rivals => "rivals",
        }
    }
}

/// What was weighed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weight {
    /// The reasons, the weightiest first.
    pub reasons: Vec<Reason>,
    /// The logarithm of the odds.
    pub bits: f64,
}

/// Weighs two contacts.
pub fn weigh(a: &Profile, b: &Profile, frequencies: &Frequencies) -> Weight {
    let mut reasons = Compared::new(a, b, frequencies).telling();
    let keys = weigh_keys(a, b, frequencies);
    // Whoever has the same number may well have a nickname elsewhere: that says nothing against.
    if keys.iter().any(|reason| reason.what == What::SameKey) && (is_nickname(a) || is_nickname(b)) {
        reasons.retain(|reason| reason.what != What::OtherWord);
    }
    reasons.extend(keys);
    if two_ids(&a.person, &b.person) {
        reasons.push(Reason { what: What::OtherId, bits: OTHER_ID });
    }
    let bits = frequencies.prior() + reasons.iter().map(|reason| reason.bits).sum::<f64>();
    reasons.sort_by(|x, y| y.bits.abs().total_cmp(&x.bits.abs()));
    Weight { reasons, bits }
}

/// Whether nothing but single words is known of a name.
fn is_nickname(profile: &Profile) -> bool {
    profile.person.names.iter().filter(|name| name.speaks()).all(|name| name.words.len() < 2)
}

fn sum(reasons: &[Reason]) -> f64 {
    reasons.iter().map(|reason| reason.bits).sum()
}

/// The names of two contacts, compared.
struct Compared {
    /// The reasons of each pair of names, one of each contact.
    pairs: Vec<Vec<Reason>>,
    /// The names that are said, of both.
    said: [Vec<Name>; 2],
}

impl Compared {
    fn new(a: &Profile, b: &Profile, frequencies: &Frequencies) -> Self {
        let [x, y] = [a, b].map(|profile| {
            profile.person.names.iter().filter(|name| name.speaks()).cloned().collect::<Vec<_>>()
        });
        let mut pairs = Vec::new();
        for p in &x {
            pairs.extend(y.iter().map(|q| weigh_pair(p, q, frequencies, false)));
        }
        for (names, hints) in [(&x, &b.hinted), (&y, &a.hinted), (&a.hinted, &b.hinted)] {
            for p in names {
                pairs.extend(hints.iter().map(|q| weigh_pair(p, q, frequencies, true)));
            }
        }
        Self { pairs, said: [x, y] }
    }

    /// What an address hints at does not outweigh what the names themselves say.
    fn is_contradicted(&self, reasons: &[Reason]) -> bool {
        let [x, y] = &self.said;
        let says = reasons.iter().any(|reason| reason.what == What::OtherWord);
        !says && likeness_of(x, y) == Likeness::Conflict
    }

    /// The reasons of the pair that says most.
    fn telling(&self) -> Vec<Reason> {
        let mut best: Option<&Vec<Reason>> = None;
        for found in &self.pairs {
            if best.is_none_or(|known| sum(known) < sum(found)) {
                best = Some(found);
            }
        }
        let mut best = best.cloned().unwrap_or_default();
        if self.is_contradicted(&best) {
            best.push(Reason { what: What::OtherWord, bits: OTHER });
        }
        best
    }
}

/// What [`weigh`] finds at most, whatever is found of words that are not in `frequencies`, which count as the rarest.
pub fn at_most(a: &Profile, b: &Profile, frequencies: &Frequencies) -> f64 {
    let keys = weigh_keys(a, b, frequencies);
    if keys.iter().any(|reason| reason.what == What::SameKey) {
        return f64::INFINITY;
    }
    let names = Compared::new(a, b, frequencies);
    let worth =
        |reasons: &Vec<Reason>| sum(reasons) + if names.is_contradicted(reasons) { OTHER } else { 0.0 };
    let names = names.pairs.iter().map(worth).fold(f64::NEG_INFINITY, f64::max);
    let names = if names.is_finite() { names } else { 0.0 };
    frequencies.prior() + names + sum(&keys) + if two_ids(&a.person, &b.person) { OTHER_ID } else { 0.0 }
}

fn weigh_pair(p: &Name, q: &Name, frequencies: &Frequencies, hinted: bool) -> Vec<Reason> {
    let paired = pairs(p, q);
    let mut reasons: Vec<Reason> = Vec::new();
    for (x, y, kind) in &paired {
        let longer = if x.bones.len() >= y.bones.len() { x } else { y };
        let rare = frequencies.bits(&longer.bones);
        let (what, bits) = match kind {
            Match::Exact => (What::SameWord, rare),
            // An address has no slips of its own.
            Match::Alike if hinted => continue,
            Match::Alike => (What::AlikeWord, rare - 2.0),
            Match::Short => (What::ShortWord, rare - SHORTENED),
            Match::Initial => (What::Initial, INITIAL),
            Match::None => continue,
        };
        let what = if hinted && *kind != Match::Initial { What::Handle } else { what };
        reasons.push(Reason { what, bits });
    }
    let open = p.words.len().min(q.words.len()) - paired.len().min(p.words.len().min(q.words.len()));
    if open > 0 && !hinted {
        reasons.push(Reason { what: What::OtherWord, bits: OTHER });
    }
    reasons
}

fn weigh_keys(a: &Profile, b: &Profile, frequencies: &Frequencies) -> Vec<Reason> {
    // The more people there are, the less it is chance that two have the same number.
    let same = SAME_KEY.max(frequencies.contacts.max(16.0).log2());
    let mut reasons = Vec::new();
    for x in &a.keys {
        for y in &b.keys {
            if x == y && x.nature == Nature::Personal {
                reasons.push(Reason { what: What::SameKey, bits: same });
            } else if x == y {
                reasons.push(Reason { what: What::SameKey, bits: 4.0 });
            } else if alike(x, y) {
                reasons.push(Reason { what: What::AlikeKey, bits: 6.0 });
            }
        }
    }
    reasons.truncate(1);
    reasons
}

/// Whether two keys differ in what may be a slip.
fn alike(x: &Key, y: &Key) -> bool {
    if x.kind != y.kind || x.nature != Nature::Personal || y.nature != Nature::Personal {
        return false;
    }
    match x.kind {
        Kind::Email => {
            email::all(&x.text).first().map(|x| x.likely.clone())
                == email::all(&y.text).first().map(|y| y.likely.clone())
        }
        Kind::Phone => x.text.len() == y.text.len() && strsim::damerau_levenshtein(&x.text, &y.text) == 1,
    }
}
