//! Contacts that are kept in step with a CRM: which field is which, whose word counts, what follows from a record there
//! and from a contact here. Pure rules and planned changes; how a CRM is spoken to is the business of whoever asks.
//!
//! A field has one master. Where both sides changed it since they agreed, and neither is the master, both values are
//! kept and a person decides: never the clock. Nothing is overwritten by nothing.

pub mod decide;
pub mod hook;
mod inbound;
mod outbound;
mod setup;
mod timeline;

pub use inbound::Followed;
pub use outbound::Outgoing;
pub use setup::{Connection, Decision};

use kontor_model::{Error, Ms, Result};
use kontor_store::contacts::crm::ConnectorRow;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Fields of a contact that a CRM can have.
pub const FIELDS: [&str; 5] = ["display_name", "phone", "email", "company", "language"];
/// Systems that a change may come through before it is taken for one that goes in a circle.
pub const MOST_HOPS: i64 = 3;
/// Changes of one record in a minute; more are taken for two programs that answer one another.
pub const MOST_CHANGES: i64 = 20;
/// The window of that count.
pub const WINDOW: Ms = 60_000;
/// How long such a record is left alone.
pub const PAUSE: Ms = 60 * 60_000;

/// Whose word counts for a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Master {
    /// Ours.
    Us,
    /// The CRM's.
    Them,
    /// Whoever changed it; of two who did a person decides.
    NewestHuman,
}

/// A field there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name there.
    pub theirs: String,
    /// Whose word counts.
    pub master: Master,
}

/// Which field is which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// What kind of record contacts are there, such as `Contact`.
    pub external_type: String,
    /// By our fields: display_name, phone, email, company, language.
    pub fields: BTreeMap<String, Field>,
    /// Whether the CRM is told, as lines on a record's timeline, what employees did with the contact: conversations
    /// that were given to somebody or closed, notes, decisions, tasks that were done. Never what the customer wrote.
    #[serde(default)]
    pub timeline: bool,
}

impl Mapping {
    /// The mapping of a connector.
    ///
    /// # Errors
    /// `Internal` when the archive's is none.
    pub fn of(row: &ConnectorRow) -> Result<Self> {
        serde_json::from_str(&row.mapping).map_err(Error::internal)
    }

    /// What a record says, by our fields; what is empty is not said.
    pub fn ours(&self, record: &Record) -> Values {
        let said = |field: &Field| {
            let value = record.fields.get(&field.theirs).map(|value| value.trim());
            value.filter(|value| !value.is_empty() && !value.chars().any(char::is_control)).map(str::to_owned)
        };
        self.fields.iter().filter_map(|(ours, field)| Some((ours.clone(), said(field)?))).collect()
    }

    /// The same by their fields.
    pub fn theirs(&self, values: &Values) -> Values {
        let named =
            |(ours, value): (&String, &String)| Some((self.fields.get(ours)?.theirs.clone(), value.clone()));
        values.iter().filter_map(named).collect()
    }
}

/// Values by field.
pub type Values = BTreeMap<String, String>;

/// A record of a CRM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its id there.
    pub id: String,
    /// Moves with every change there.
    pub version: String,
    /// When it changed last, milliseconds.
    pub ts: Ms,
    /// Its fields, by their names.
    #[serde(default)]
    pub fields: Values,
    /// The record that it was merged into.
    pub merged_into: Option<String>,
    /// Whether it is there no more.
    #[serde(default)]
    pub deleted: bool,
    /// How many systems its last change came through.
    #[serde(default)]
    pub hop: i64,
}

/// A digest of what a record says, as far as it is mapped: what comes back with the same one is our own echo.
pub fn digest(values: &Values) -> String {
    let mut hash = Sha256::new();
    for (field, value) in values {
        for text in [field, value] {
            hash.update(text.len().to_be_bytes());
            hash.update(text.as_bytes());
        }
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
