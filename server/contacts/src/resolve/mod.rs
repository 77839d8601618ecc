//! Resolution: to whom an arrival belongs.
//!
//! Pure: what the archive knows is handed in as [`Facts`], read with a constant number of statements, and
//! what is to be done comes back as an [`Outcome`]. Two layers: `decide` attaches and merges, by keys and
//! never by names alone; `score` and `suggest` weigh everything else, for a person to decide.

pub mod decide;
pub mod records;
pub mod rules;
pub mod score;
pub mod suggest;

use crate::keys::name::Name;
use crate::keys::{Key, Nature};
use std::collections::BTreeMap;

/// What an id of a channel says about who is behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Medium {
    /// A telephone number: it can be shared, and given to another one day.
    Number,
    /// A mailbox: likewise.
    Mailbox,
    /// An account of one person.
    Account,
    /// A visit: a browser, a form, a withheld number. The next may be of the same person.
    Visit,
}

/// An arrival, with its keys read.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// What kind of id it has.
    pub medium: Medium,
    /// Where the id is from: channel, account and kind of id. Nobody is expected to have two ids of one
    /// place, except of visits and mailboxes.
    pub place: String,
    /// The id.
    pub external_id: String,
    /// Whether the id stands for nobody in particular, such as a withheld number.
    pub anonymous: bool,
    /// The name.
    pub name: Name,
    /// Keys that the network vouches for.
    pub proven: Vec<Key>,
    /// Keys that somebody typed.
    pub typed: Vec<Key>,
}

impl Arrival {
    /// Its keys that are compared, those that are vouched for first.
    pub fn keys(&self) -> impl Iterator<Item = (&Key, bool)> {
        let proven = self.proven.iter().map(|key| (key, true));
        let all = proven.chain(self.typed.iter().map(|key| (key, false)));
        all.filter(|(key, _)| key.nature != Nature::Nobody)
    }

    /// Whether its id is a key that stands for several people.
    pub fn is_common(&self) -> bool {
        self.anonymous
            || matches!(self.medium, Medium::Number | Medium::Mailbox)
                && self.proven.iter().any(|key| key.nature != Nature::Personal)
    }
}

/// A contact, as far as resolution looks at it.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// Names that it was seen with.
    pub names: Vec<Name>,
    /// Places and ids of its addresses that are numbers or accounts.
    pub places: Vec<(String, String)>,
    /// Whether it is a customer by now: such contacts are merged by people only.
    pub customer: bool,
    /// Whether it is no more than a visitor yet.
    pub visitor: bool,
    /// Contacts that somebody said are others.
    pub others: Vec<String>,
    /// When it was made.
    pub since: i64,
}

/// Who holds a key.
#[derive(Clone, Debug, Default)]
pub struct Holders {
    /// Contacts, each with whether a network vouches for the key.
    pub contacts: Vec<(String, bool)>,
    /// Whether two people are known to use it.
    pub contested: bool,
}

/// What is known that touches an arrival.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The contacts that its address belongs to: more than one when several people used it, the newest last.
    pub voices: Vec<String>,
    /// Who holds its keys.
    pub holders: BTreeMap<Key, Holders>,
    /// All contacts named here.
    pub people: BTreeMap<String, Person>,
}

/// What an installation lets happen by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Sure cases are attached and merged.
    Auto,
    /// New addresses are attached to nobody; everything is suggested.
    Suggest,
    /// Nothing is even suggested.
    Manual,
}

/// By which rule something was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The address is known.
    Address,
    /// The address is known, and the name tells which of several people it is.
    Voice,
    /// A key that a network vouches for.
    ProvenKey,
    /// A key that was typed, and a name that agrees.
    TypedKey,
    /// The address is known, but the name is another person's.
    Era,
    /// Nothing is known.
    New,
    /// Several people use the address, and nothing says which one it is.
    Unattributed,
}

impl Rule {
    /// The word of the archive.
    pub fn word(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Voice => "voice",
            Self::ProvenKey => "proven_key",
            Self::TypedKey => "typed_key",
            Self::Era => "era",
            Self::New => "new",
            Self::Unattributed => "unattributed",
        }
    }
}

/// Whose an arrival is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// This contact's.
    Known(String),
    /// A new one's.
    New,
    /// Nobody's yet; at most three contacts come into question.
    Open(Vec<String>),
}

/// Why two contacts may be one, as a key says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The other contact.
    pub contact: String,
    /// The key that both have.
    pub key: Key,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Whose it is.
    pub whose: Whose,
    /// Why.
    pub rule: Rule,
    /// Contacts that are merged into the arrival's, which is a known one then.
    pub merges: Vec<(String, Key)>,
    /// Keys that two people are now known to use.
    pub contested: Vec<Key>,
    /// Contacts that may be the same.
    pub hints: Vec<Hint>,
}

#[cfg(test)]
pub mod replay;
#[cfg(test)]
mod tests;
