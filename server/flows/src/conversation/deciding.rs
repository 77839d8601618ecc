//! Whether two contacts are one, as somebody decides it on the card's page: by the same rules as with a reaction or
//! a command backstage, written at once.

use super::reader;
use crate::Flows;
use crate::caller::Caller;
use kontor_contacts::merge::{Plan, Planned, Undo, Wish};
use kontor_contacts::proposal::stays;
use kontor_model::Result;
use kontor_store::contacts::merges;
use ruma::UserId;

/// What became of the wish that two contacts are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// They are.
    One,
    /// Two people own them, Matrix ids: it must be said who is to.
    TwoOwners([String; 2]),
    /// Somebody said that these are different people.
    Apart,
}

impl Flows {
    /// Makes two contacts one; the nearer one stays, and of equally near ones the older. `owner` is whose both are
    /// from now on, `despite` whether it is done although somebody said that they are different people.
    ///
    /// # Errors
    /// `NotFound` for what the caller may not see; `Conflict` when one of them changed meanwhile.
    pub async fn join_contacts(
        &self,
        by: &Caller<'_>,
        (one, other): (&str, &str),
        owner: Option<&UserId>,
        despite: bool,
    ) -> Result<Decided> {
        let who = reader(by.requester)?;
        let (one, other) = (self.contacts.now_of(who, one).await?, self.contacts.now_of(who, other).await?);
        // It is so already, which is what was wanted.
        if one == other {
            return Ok(Decided::One);
        }
        let owner = match owner {
            Some(owner) => Some(self.employee(owner).await?),
            None => None,
        };
        let (own, other) = (self.contacts.card(who, &one).await?, self.contacts.card(who, &other).await?);
        let into = stays(&own, &other);
        let from = if std::ptr::eq(into, &own) { &other } else { &own };
        let from = [from.contact.id.clone()];
        let wish = Wish { into: &into.contact.id, from: &from, owner, batch: None, despite };
        match self.contacts.plan_merge(who, wish, by.actor.clone()).await? {
            Planned::Done(plan) => {
                self.write_merges(*plan).await?;
                Ok(Decided::One)
            }
            Planned::TwoOwners(a, b) => {
                let mut source = self.store.reader();
                let names = [merges::user_id(&mut source, a).await?, merges::user_id(&mut source, b).await?];
                Ok(Decided::TwoOwners(names.map(Option::unwrap_or_default)))
            }
            Planned::Apart(..) => Ok(Decided::Apart),
        }
    }

    /// Remembers that two contacts are different people.
    ///
    /// # Errors
    /// `NotFound` for what the caller may not see; `Conflict` for contacts that are one.
    pub async fn set_contacts_apart(&self, by: &Caller<'_>, (one, other): (&str, &str)) -> Result<()> {
        let who = reader(by.requester)?;
        let change = self.contacts.plan_apart(who, one, other, by.actor.clone()).await?;
        self.store.submit(change).await.map(|_| ())
    }

    /// Undoes a merge.
    ///
    /// # Errors
    /// `NotFound` for what is not there, not to be seen, or undone already; `Conflict` when one of the contacts
    /// changed meanwhile.
    pub async fn undo_contact_merge(&self, by: &Caller<'_>, merge: &str) -> Result<()> {
        let wish = Undo { merge_id: Some(merge.to_owned()), ..Undo::default() };
        let rows = self.contacts.merges_to_undo(&wish).await?;
        let plan = self.contacts.plan_undo(reader(by.requester)?, rows, by.actor.clone()).await?;
        self.write_merges(plan).await
    }

    /// Writes what was planned of merges; rooms are called by their new names.
    ///
    /// # Errors
    /// `Conflict` when one of the contacts changed meanwhile.
    pub async fn write_merges(&self, plan: Plan) -> Result<()> {
        self.store.submit(plan.change).await.map_err(|error| match error.is_conflict() {
            true => kontor_contacts::card::moved(),
            false => error,
        })?;
        for contact in &plan.touched {
            self.relabel(contact).await;
        }
        Ok(())
    }
}
