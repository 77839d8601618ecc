//! Whose a case is, as a person says: of what no rule could tell, or told wrongly.

use super::whose::customer_of;
use crate::Contacts;
use kontor_model::{Code, Error, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::facts::{self, CaseRow, FactRow};
use kontor_store::contacts::queue::Reader;
use kontor_store::contacts::{merges, tags};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The role of employees who see what is nobody's yet.
pub const FACTS: &str = "facts";
/// The role of employees who see what things cost.
pub const COSTS: &str = "costs";

/// A case, and whose it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The shop.
    pub source: String,
    /// The shop's id of the order, deal or invoice.
    pub order_key: String,
    /// Whether everything of the same customer number of the shop is this contact's, too, from now on.
    #[serde(default)]
    pub customer: bool,
    /// Whether it is taken from the contact that it belongs to.
    #[serde(default)]
    pub take: bool,
}

fn unknown() -> Error {
    Error::not_found("There is no such order.")
}

impl Contacts {
    /// A case as far as a reader may see it: nobody's, or of a contact that they may see.
    async fn case_for(&self, reader: Reader, source: &str, key: &str) -> Result<CaseRow> {
        let stored = |text: &str| !text.is_empty() && text.len() <= 200 && !text.contains('\0');
        if !stored(source) || !stored(key) {
            return Err(unknown());
        }
        let row = facts::case(&mut self.store.reader(), source, key).await?.ok_or_else(unknown)?;
        if let Some(contact) = &row.contact {
            merges::now(&mut self.store.reader(), reader, contact).await?.ok_or_else(unknown)?;
        }
        Ok(row)
    }

    /// Plans that a case belongs to a contact. Submitting ends in `Conflict` when somebody else said otherwise meanwhile.
    ///
    /// # Errors
    /// `NotFound` for what the reader may not see; `Conflict` when it is another's and is not to be taken.
    pub async fn plan_link(
        &self,
        reader: Reader,
        contact: &str,
        link: &Link,
        actor: Actor,
    ) -> Result<Change> {
        let contact = self.now_of(reader, contact).await?;
        let row = self.case_for(reader, &link.source, &link.order_key).await?;
        if row.contact.is_some() && row.contact.as_deref() != Some(&contact) && !link.take {
            let message = "This belongs to another contact. Send take to give it to this one.";
            return Err(Error::new(Code::Conflict, message));
        }
        let mut change = Change::default();
        change.link_case(&row, Some(&contact));
        if let (true, Some(customer)) = (link.customer, &row.customer_id) {
            change.link_customer(&row.source, customer, &contact);
        }
        change.raise_to_customer(&contact, self.now());
        change.touch_contact(&contact, self.now());
        self.audit_link(&mut change, Action::FactLink, &row, &contact, actor).await?;
        Ok(change)
    }

    /// Plans that a case is not a contact's, nor given to anybody by a rule again.
    ///
    /// # Errors
    /// `NotFound` for what the reader may not see, or is not the contact's.
    pub async fn plan_unlink(
        &self,
        reader: Reader,
        contact: &str,
        link: &Link,
        actor: Actor,
    ) -> Result<Change> {
        let now = self.now_of(reader, contact).await?;
        let row = self.case_for(reader, &link.source, &link.order_key).await?;
        let held = row.contact.clone().ok_or_else(unknown)?;
        let holder = self.now_of(reader, &held).await?;
        if holder != now {
            return Err(unknown());
        }
        let mut change = Change::default();
        change.link_case(&row, None);
        if let (true, Some(customer)) = (link.customer, &row.customer_id) {
            change.unlink_customer(&row.source, customer);
        }
        change.touch_contact(&now, self.now());
        self.audit_link(&mut change, Action::FactUnlink, &row, &now, actor).await?;
        Ok(change)
    }

    async fn audit_link(
        &self,
        change: &mut Change,
        action: Action,
        row: &CaseRow,
        contact: &str,
        actor: Actor,
    ) -> Result<()> {
        let mut audit = Audit::done(action, actor, self.now()).on("contact", contact);
        audit.detail = Some(serde_json::json!({ "source": row.source, "case": row.nid }).to_string());
        change.audit(self.store.nid().await?, audit);
        Ok(())
    }

    /// Cases that are nobody's, with what is known of them, after a number.
    ///
    /// # Errors
    /// `Forbidden` for those who do not have the role.
    pub async fn unattached(&self, reader: Reader, after: i64, limit: i64) -> Result<Vec<Unattached>> {
        let mut source = self.store.snapshot().await?;
        if !reader.admin && !tags::has_role(&mut source, reader.user, FACTS).await? {
            let message = "Only administrators, and those with the role facts, see what is nobody's yet.";
            return Err(Error::forbidden(message));
        }
        let cases = facts::open_cases(&mut source, after, limit).await?;
        let nids: Vec<i64> = cases.iter().map(|case| case.nid).collect();
        let mut told: BTreeMap<(String, String), Vec<FactRow>> = BTreeMap::new();
        for fact in facts::of_cases(&mut source, reader, &nids).await? {
            told.entry((fact.source.clone(), fact.case.clone())).or_default().push(fact);
        }
        let whole = |case: CaseRow| Unattached {
            facts: told.remove(&(case.source.clone(), case.key.clone())).unwrap_or_default(),
            customer: customer_of(&case),
            case,
        };
        Ok(cases.into_iter().map(whole).collect())
    }
}

/// A case that is nobody's.
#[derive(Clone, Debug)]
pub struct Unattached {
    /// The case.
    pub case: CaseRow,
    /// Whose it is, as the system knows them.
    pub customer: super::Customer,
    /// What is known of it.
    pub facts: Vec<FactRow>,
}
