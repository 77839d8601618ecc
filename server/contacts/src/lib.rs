//! The department of contacts: whom the company talks with, by which addresses, and how each
//! conversation stands.
//!
//! Knows customers, their addresses, claims, consents and conversations, and the channels that they come
//! by; nothing of rooms, accounts, sessions or files: what it needs of them it is given. It never commits:
//! it returns changes, and whoever called submits them. A room's delivery address belongs to the identity
//! of its conversation, never to the contact: nothing here may move it.

pub mod acts;
pub mod arrival;
pub mod asking;
pub mod card;
pub mod channel;
pub mod claim;
pub mod command;
pub mod company;
pub mod consent;
pub mod crm;
pub mod family;
pub mod health;
pub mod import;
pub mod keys;
pub mod link;
pub mod lookup;
pub mod merge;
pub mod moving;
pub mod names;
pub mod news;
pub mod notes;
pub mod opening;
pub mod proposal;
pub mod quality;
pub mod resolve;
pub mod shop;
mod signature;
pub mod sorting;
pub mod split;
#[cfg(test)]
mod testdata;
pub mod told;
pub mod ulid;
pub mod view;
pub mod visitors;
pub mod webhook;
pub mod weighing;
pub mod when;
pub mod words;

use crate::resolve::Policy;
use kontor_model::{Clock, Error, Ms, Random, Result};
use kontor_store::Store;
use std::sync::{Arc, Mutex};

/// The department.
pub struct Contacts {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    /// The company's clock, for moments that people type and read.
    pub calendar: when::Calendar,
    /// What is decided without a person.
    pub(crate) policy: Policy,
    /// Silence after which visitors of whom nothing is known are forgotten; 0 = never.
    pub(crate) silence: Ms,
    /// The contact at which the sweep over visitors stands.
    pub(crate) swept: Mutex<String>,
}

impl Contacts {
    /// Opens the department.
    pub fn new(store: Store, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            store,
            clock,
            random,
            calendar: when::Calendar::default(),
            policy: Policy::Auto,
            silence: 0,
            swept: Mutex::default(),
        }
    }

    /// The same with the company's clock; without, moments are read and shown in UTC.
    pub fn with_calendar(self, calendar: when::Calendar) -> Self {
        Self { calendar, ..self }
    }

    /// The same with another policy; without, what is sure is attached and merged.
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// The same with a silence, milliseconds, after which visitors of whom nothing is known are forgotten; 0, as
    /// without, is never.
    pub fn forgetting_visitors_after(self, silence: Ms) -> Self {
        Self { silence, ..self }
    }

    /// A new id.
    pub fn new_id(&self) -> String {
        ulid::ulid(self.clock.now(), &*self.random)
    }

    pub(crate) fn now(&self) -> Ms {
        self.clock.now()
    }
}

/// A text from outside that is to be stored: trimmed, not empty, without control characters.
///
/// # Errors
/// `InvalidParam` with the field's name.
pub(crate) fn text(value: &str, field: &str, longest: usize) -> Result<String> {
    let value = value.trim();
    if value.is_empty() || value.len() > longest || value.chars().any(char::is_control) {
        return Err(Error::invalid_param(format!(
            "{field} must have 1 to {longest} bytes, without control characters."
        )));
    }
    Ok(value.to_owned())
}

/// As [`text`], but may be empty.
///
/// # Errors
/// `InvalidParam` with the field's name.
pub(crate) fn text_or_empty(value: &str, field: &str, longest: usize) -> Result<String> {
    if value.trim().is_empty() { Ok(String::new()) } else { text(value, field, longest) }
}

/// One word of a closed list.
///
/// # Errors
/// `InvalidParam` with the list.
pub(crate) fn one_of(value: &str, field: &str, words: &[&'static str]) -> Result<&'static str> {
    let found = words.iter().find(|word| **word == value);
    found
        .copied()
        .ok_or_else(|| Error::invalid_param(format!("{field} must be one of: {}.", words.join(", "))))
}
