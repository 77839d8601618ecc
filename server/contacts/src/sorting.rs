//! Tags by which contacts are sorted, and roles by which employees see more of them.

use crate::shop::linking::{COSTS, FACTS};
use crate::{Contacts, one_of, text};
use kontor_model::{Error, Nid, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::queue::Reader;
use kontor_store::contacts::tags;
use serde::Deserialize;

/// Tags of one contact.
const MOST: usize = 50;
/// Roles that employees may have.
pub const ROLES: [&str; 2] = [COSTS, FACTS];

/// What roles somebody has.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// costs: sees what facts cost the company; facts: sees those that are nobody's yet.
    pub roles: Vec<String>,
}

/// A tag as it is kept: small letters.
///
/// # Errors
/// `InvalidParam` for what no tag can be.
pub fn tag(value: &str) -> Result<String> {
    let tag = text(value, "tag", 60)?.to_lowercase();
    match tag.contains([',', '/']) {
        true => Err(Error::invalid_param("A tag holds no comma and no slash.")),
        false => Ok(tag),
    }
}

impl Contacts {
    /// Plans that a contact has a tag, or has it no longer.
    ///
    /// # Errors
    /// `NotFound` for what the reader may not see; `InvalidParam` for what no tag can be, or too many.
    pub async fn plan_tag(
        &self,
        reader: Reader,
        (contact, value): (&str, &str),
        has: bool,
        actor: Actor,
    ) -> Result<Change> {
        let contact = self.now_of(reader, contact).await?;
        let tag = tag(value)?;
        let known = tags::of_contact(&mut self.store.reader(), &contact).await?;
        let mut change = Change::default();
        if has == known.contains(&tag) {
            return Ok(change);
        }
        match has {
            true if known.len() >= MOST => {
                return Err(Error::invalid_param(format!("A contact may have {MOST} tags.")));
            }
            true => change.add_tag(&contact, &tag, reader.user, self.now()),
            false => change.remove_tag(&contact, &tag),
        }
        change.touch_contact(&contact, self.now());
        let mut audit = Audit::done(Action::ContactTag, actor, self.now()).on("contact", contact.as_str());
        audit.detail = Some(serde_json::json!({ "set": has }).to_string());
        change.audit(self.store.nid().await?, audit);
        Ok(change)
    }

    /// Plans what roles an employee has.
    ///
    /// # Errors
    /// `InvalidParam` for words that are no roles.
    pub async fn plan_roles(&self, user: Nid, user_id: &str, wish: &Roles, actor: Actor) -> Result<Change> {
        let mut roles: Vec<&str> =
            wish.roles.iter().map(|role| one_of(role, "roles", &ROLES)).collect::<Result<_>>()?;
        roles.sort_unstable();
        roles.dedup();
        let mut change = Change::default();
        change.set_roles(user, &roles);
        let mut audit = Audit::done(Action::UserRoleGrant, actor, self.now()).on("user", user_id);
        audit.detail = Some(serde_json::json!({ "roles": roles }).to_string());
        change.audit(self.store.nid().await?, audit);
        Ok(change)
    }
}
