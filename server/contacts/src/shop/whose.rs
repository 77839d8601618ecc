//! Whose a case is: by the number that the system has for its customer, then by the rules of arrivals. A case never
//! makes a contact and never merges any; what is not sure is nobody's until a key appears or a person says it.

use super::Customer;
use crate::arrival::{Read, read};
use crate::claim;
use crate::keys::name::Likeness;
use crate::keys::{Kind, Nature};
use crate::resolve::Whose;
use crate::resolve::rules::likeness;
use crate::{Contacts, keys};
use kontor_model::Result;
use kontor_store::Change;
use kontor_store::contacts::cards;
use kontor_store::contacts::facts::{self, CaseRow};
use std::collections::BTreeSet;

/// Cases that are looked at when a contact got a key.
const MOST_WAITING: i64 = 200;

/// A contact that a case belongs to, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The contact, as it stands in its family.
    pub contact: String,
    /// customer, key.
    pub rule: &'static str,
}

/// The case of a customer as an arrival: nobody vouches for a number that was typed at a till, but what was bought is
/// confirmed to the address.
fn arrival(system: &str, case: &str, customer: &Customer) -> Read {
    let mut said = Vec::new();
    if let Some(email) = &customer.email {
        said.push((Kind::Email, email.as_str(), true));
    }
    if let Some(phone) = &customer.phone {
        said.push((Kind::Phone, phone.as_str(), false));
    }
    let shown = customer.name.as_deref().and_then(crate::opening::shown);
    read((system, "", "order", case), shown.as_deref(), &said)
}

/// By what a case is found when somebody has it: kind and key.
pub fn case_keys(system: &str, case: &str, customer: &Customer) -> Vec<(&'static str, String)> {
    let read = arrival(system, case, customer);
    let found = read.arrival.keys().map(|(key, _)| (key.kind.word(), key.text.clone()));
    let number = customer.external_id.iter().map(|id| ("customer_no", claim::key("customer_no", id)));
    found.chain(number).collect()
}

impl Contacts {
    /// Whose a case is, if that is sure.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn whose_case(&self, system: &str, case: &str, customer: &Customer) -> Result<Option<Owner>> {
        if let Some(owner) = self.by_customer_number(system, customer).await? {
            return Ok(Some(owner));
        }
        let read = arrival(system, case, customer);
        if read.arrival.keys().next().is_none() {
            return Ok(None);
        }
        let (outcome, known) = self.decide(&read).await?;
        let Whose::Known(contact) = outcome.whose else { return Ok(None) };
        let names = known.facts.people.get(&contact).map_or(&[][..], |person| person.names.as_slice());
        let same = likeness(&read.arrival.name, names) == Likeness::Same;
        if !same && self.contradicts(&read, &contact).await? {
            return Ok(None);
        }
        let keys: Vec<&str> = read.arrival.keys().map(|(key, _)| key.text.as_str()).collect();
        let holder = facts::holder(&mut self.store.reader(), &contact, &keys).await?;
        Ok(Some(Owner { contact: holder.unwrap_or(contact), rule: "key" }))
    }

    /// By the system's own number of the customer: as people said, else as exactly one contact was proven to have it.
    async fn by_customer_number(&self, system: &str, customer: &Customer) -> Result<Option<Owner>> {
        let Some(number) = &customer.external_id else { return Ok(None) };
        let key = claim::key("customer_no", number);
        let found = facts::by_customer(&mut self.store.reader(), system, number, &key).await?;
        if let Some((contact, ..)) = found.iter().find(|(_, _, said)| *said) {
            return Ok(Some(Owner { contact: contact.clone(), rule: "customer" }));
        }
        let families: BTreeSet<&str> = found.iter().map(|(_, family, _)| family.as_str()).collect();
        let sole = found.first().filter(|_| families.len() == 1);
        Ok(sole.map(|(contact, ..)| Owner { contact: contact.clone(), rule: "customer" }))
    }

    /// Whether a contact that was found by a number has addresses, and none is the one of the case: people buy with
    /// the numbers of others.
    async fn contradicts(&self, read: &Read, contact: &str) -> Result<bool> {
        let wanted: Vec<&str> = read
            .arrival
            .keys()
            .filter(|(key, _)| key.kind == Kind::Email && key.nature == Nature::Personal)
            .map(|(key, _)| key.text.as_str())
            .collect();
        if wanted.is_empty() {
            return Ok(false);
        }
        let known = cards::keys(&mut self.store.reader(), &[contact]).await?;
        let mut addresses = known
            .iter()
            .filter(|(_, kind, _)| kind == "email")
            .flat_map(|(_, _, value)| keys::emails(value))
            .peekable();
        Ok(addresses.peek().is_some() && !addresses.any(|key| wanted.contains(&key.text.as_str())))
    }

    /// Adds to a change that cases which were nobody's belong to contacts that got a number or an address. Says whether
    /// there may be more.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn give_waiting(&self, change: &mut Change, contacts: &[&str]) -> Result<bool> {
        let rows = facts::waiting(&mut self.store.reader(), contacts, MOST_WAITING).await?;
        let mut given = 0;
        for row in &rows {
            let customer = customer_of(row);
            if let Some(owner) = self.whose_case(&row.source, &row.key, &customer).await? {
                change.give_case(row, &owner.contact, owner.rule);
                change.raise_to_customer(&owner.contact, self.now());
                given += 1;
            }
        }
        Ok(given > 0 && i64::try_from(rows.len()).is_ok_and(|count| count == MOST_WAITING))
    }
}

/// The customer as the archive has it.
pub fn customer_of(row: &CaseRow) -> Customer {
    serde_json::from_str(&row.customer).unwrap_or_default()
}
