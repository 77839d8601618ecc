//! Contacts out of files: each row is looked for before it is made, by the rules by which arrivals are resolved.
//!
//! A row says what it means by an id of ours, or by its id in the other system, or by nothing: then whoever holds one
//! of its numbers or addresses stands in the way, unless the importer lets rows be attached and resolution is sure of
//! the one. A row adds to what is known and takes nothing away; it never merges. A number or an address that does not
//! exist is told and left out. Files themselves are read by whoever sends the rows.

mod apart;
mod consents;
mod export;
mod read;
mod write;

pub use apart::apart;
pub use consents::Consent;
pub use read::Fields;

use crate::Contacts;
use crate::resolve::Whose;
use kontor_model::{Nid, Result};
use kontor_store::Change;
use kontor_store::audit::Actor;
use kontor_store::contacts::imports;
use kontor_store::contacts::links::{self, LinkKey};
use kontor_store::contacts::queue::Reader;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Rows of one request.
pub const MOST_ROWS: usize = 500;
/// Whoever imports sees everybody.
const EVERYTHING: Reader = Reader { user: 0, admin: true };
/// The kind of record that a row of a file is in another system.
pub const RECORD: &str = "row";

/// What is done with a row whose number or address somebody holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// It is rejected.
    #[default]
    Reject,
    /// It is attached to the one of whom resolution is sure, and rejected when there is none.
    Attach,
}

/// A row as it is sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its number in the file; nought when it is of none, and is not remembered.
    pub row: i64,
    /// The contact that it is, when that is known.
    pub contact_id: Option<String>,
    /// Its id in the system that the file is from.
    pub external_id: Option<String>,
    /// What it says.
    #[serde(flatten)]
    pub fields: Fields,
    /// Whose contact it is, a user id.
    pub owner: Option<String>,
    /// Why it is taken although others hold its numbers or addresses.
    pub override_reason: Option<String>,
    /// What the person consents to, or took back.
    #[serde(default)]
    pub consents: Vec<Consent>,
}

/// What all rows of a request have in common.
#[derive(Clone, Debug)]
pub struct Import {
    /// The importer's name for the file: its rows are taken once.
    pub id: String,
    /// The system that the file is from: names the ids of its rows.
    pub system: String,
    /// What kind of record its rows are there.
    pub external_type: String,
    /// What is done with a row whose number or address somebody holds.
    pub held: Held,
    /// Numeric ids of owners, by their user ids; those that are none are absent.
    pub owners: BTreeMap<String, Nid>,
    /// Who imports.
    pub actor: Actor,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// A contact was made.
    New,
    /// A contact was made, and somebody else is called alike: the two are weighed.
    Suggested,
    /// A contact got something that it did not have.
    Updated,
    /// Everything was known.
    Unchanged,
    /// It was taken before.
    Taken,
    /// It was not taken.
    Rejected,
}

/// Why a row was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Somebody holds its number or address.
    Held,
    /// It has neither number, address nor id, and somebody is called alike.
    Alike,
    /// Nothing of it can be taken.
    Empty,
    /// A value cannot be taken.
    BadValue,
    /// Its owner is nobody's user id.
    Owner,
    /// A consent of it is none.
    Consent,
}

/// A number or an address that does not exist, or a consent that was withdrawn here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// phone, email, language, consent.
    pub field: String,
    /// As it was written.
    pub value: String,
}

/// What became of a row, as it is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Told {
    /// Its number in the file.
    pub row: i64,
    /// What became of it.
    pub outcome: Became,
    /// The contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<String>,
    /// Why it was not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Contacts that stand in its way, or are called alike.
    #[serde(default)]
    pub candidates: Vec<String>,
    /// What it says that does not exist.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
    /// Consents that are new and were given.
    #[serde(default)]
    pub consents_given: usize,
    /// Consents that are new and were withdrawn.
    #[serde(default)]
    pub consents_withdrawn: usize,
    /// Its numbers and addresses in the form in which they are compared.
    #[serde(default)]
    pub keys: Vec<String>,
}

impl Told {
    fn of(row: i64, outcome: Became) -> Self {
        Self {
            row,
            outcome,
            contact_id: None,
            reason: None,
            error: None,
            candidates: Vec::new(),
            left_out: Vec::new(),
            consents_given: 0,
            consents_withdrawn: 0,
            keys: Vec::new(),
        }
    }

    fn rejected(row: i64, reason: Reason, error: impl Into<String>) -> Self {
        Self { reason: Some(reason), error: Some(error.into()), ..Self::of(row, Became::Rejected) }
    }
}

/// What rows of a request mean by themselves.
#[derive(Clone, Debug, Default)]
pub struct Meant {
    taken: BTreeMap<i64, String>,
    ids: BTreeMap<String, String>,
    links: BTreeMap<String, String>,
}

impl Meant {
    fn contact(&self, row: &Row) -> Option<&String> {
        let by_id = row.contact_id.as_ref().and_then(|id| self.ids.get(id));
        by_id.or_else(|| row.external_id.as_ref().and_then(|id| self.links.get(id)))
    }
}

impl Contacts {
    /// Looks up what rows mean by themselves: three statements.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn rows_meant(&self, import: &Import, rows: &[Row]) -> Result<Meant> {
        let mut source = self.store.reader();
        let numbers: Vec<i64> = rows.iter().map(|row| row.row).collect();
        let ids: Vec<&str> = rows.iter().filter_map(|row| row.contact_id.as_deref()).collect();
        let external: Vec<&str> = rows.iter().filter_map(|row| row.external_id.as_deref()).collect();
        Ok(Meant {
            taken: imports::taken(&mut source, &import.id, &numbers).await?,
            ids: imports::known(&mut source, &ids).await?,
            links: links::contacts(&mut source, &import.system, &import.external_type, &external).await?,
        })
    }

    /// Plans a row. Submitting ends in `Conflict` when somebody decided by the same number or address at the same
    /// moment: then it is planned anew.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_row(&self, import: &Import, meant: &Meant, row: &Row) -> Result<(Change, Told)> {
        if let Some(contact) = meant.taken.get(&row.row) {
            let told = Told { contact_id: Some(contact.clone()), ..Told::of(row.row, Became::Taken) };
            return Ok((Change::default(), told));
        }
        let read = match read::read(import, row).and_then(|read| Ok((read, self.consents_of(row)?))) {
            Ok((read, consents)) => read::Read { consents, ..read },
            Err(told) => return Ok((Change::default(), *told)),
        };
        let (change, mut told) = match meant.contact(row) {
            Some(contact) => self.plan_known_row(import, row, &read, contact).await?,
            None if read.fields.is_empty() && read.claims.is_empty() => (Change::default(), read::empty(row)),
            None => self.plan_unknown_row(import, row, &read).await?,
        };
        told.left_out.splice(0..0, read.left_out);
        told.keys = read.arrival.arrival.keys().map(|(key, _)| key.text.clone()).collect();
        Ok((change, told))
    }

    /// A row of which nobody says which contact it is.
    async fn plan_unknown_row(
        &self,
        import: &Import,
        row: &Row,
        read: &read::Read,
    ) -> Result<(Change, Told)> {
        let (outcome, known) = self.decide(&read.arrival).await?;
        let mut holders: Vec<String> = Vec::new();
        for (contact, _) in known.facts.holders.values().flat_map(|held| &held.contacts) {
            if !holders.contains(contact) {
                holders.push(contact.clone());
            }
        }
        if row.override_reason.is_none() && !holders.is_empty() {
            return match (&outcome.whose, import.held) {
                (Whose::Known(contact), Held::Attach) => {
                    self.plan_known_row(import, row, read, contact).await
                }
                _ => Ok((Change::default(), held(row.row, holders))),
            };
        }
        let name = read.name();
        let alike = match name {
            Some(name) => self.alike(EVERYTHING, Some(name), &[], None).await?,
            None => Vec::new(),
        };
        let alike: Vec<String> = alike.into_iter().map(|found| found.card.contact.id).collect();
        let named = read.arrival.arrival.keys().next().is_some() || row.external_id.is_some();
        if row.override_reason.is_none() && !named && !alike.is_empty() {
            let said = "Somebody is called alike, and the row has neither number, address nor id to tell them apart.";
            let told = Told { candidates: alike, ..Told::rejected(row.row, Reason::Alike, said) };
            return Ok((Change::default(), told));
        }
        let became = if alike.is_empty() { Became::New } else { Became::Suggested };
        let in_the_way: Vec<String> = holders.into_iter().chain(alike.clone()).collect();
        let mut change = Change::default();
        let id = self.make_from_row(&mut change, import, row, read, &in_the_way).await?;
        self.move_own_keys(&mut change, &read.arrival, &known, &outcome);
        let mut told = Told { contact_id: Some(id.clone()), candidates: alike, ..Told::of(row.row, became) };
        self.add_consents(&mut change, import, &id, (&[], &read.consents), &mut told).await?;
        Ok((change, told))
    }
}

fn held(row: i64, candidates: Vec<String>) -> Told {
    let said = "Somebody holds the number or address of this row already: name the contact in contact_id, or say \
                in override_reason why it is another one.";
    Told { candidates, ..Told::rejected(row, Reason::Held, said) }
}

fn link<'a>(import: &'a Import, external_id: &'a str) -> LinkKey<'a> {
    LinkKey { system: &import.system, external_type: &import.external_type, external_id }
}
