//! Links by which a customer who is known comes to a channel: `https://t.me/your_bot?start=CODE` in a letter, and the
//! conversation that begins there is on the customer's card. A code is random, works once and for some time, and
//! counts only when the network vouches for it.

use crate::Contacts;
use crate::claim::{Claim, Trust};
use crate::merge::{Plan, Planned, Wish};
use kontor_model::random::opaque;
use kontor_model::{Ms, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::link_codes;
use kontor_store::contacts::queue::Reader;
use sha2::{Digest as _, Sha256};

/// The kind of claim that carries a code.
const KIND: &str = "link_code";
/// How codes begin.
const PREFIX: &str = "ct_";
/// Random letters of a code.
const LETTERS: usize = 32;
/// How long a code works.
const KEPT: Ms = 30 * 86_400_000;

/// A code that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The code.
    pub code: String,
    /// Until when it works.
    pub expires: Ms,
}

fn hash(code: &str) -> Vec<u8> {
    Sha256::digest(code.as_bytes()).to_vec()
}

impl Contacts {
    /// Plans a code for a contact.
    ///
    /// # Errors
    /// `NotFound` for what the reader may not see.
    pub async fn new_link(&self, reader: Reader, contact: &str, actor: Actor) -> Result<(Change, Made)> {
        let contact = self.now_of(reader, contact).await?;
        let (code, now) = (format!("{PREFIX}{}", opaque(&*self.random, LETTERS)), self.now());
        let made = Made { code, expires: now + KEPT };
        let mut change = Change::default();
        change.add_contact_link(&hash(&made.code), &contact, now, made.expires);
        let audit = Audit::done(Action::ContactLink, actor, now).on("contact", contact.as_str());
        change.audit(self.store.nid().await?, audit);
        Ok((change, made))
    }

    /// Whose the code among these claims is, with the code's hash.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub(crate) async fn linked(&self, claims: &[Claim]) -> Result<Option<(Vec<u8>, String)>> {
        let code = claims.iter().find(|claim| claim.kind == KIND && claim.trust >= Trust::Platform);
        let Some(code) = code.filter(|claim| claim.value.starts_with(PREFIX)) else { return Ok(None) };
        let hash = hash(&code.value);
        let contact = link_codes::contact(&mut self.store.reader(), &hash, self.now()).await?;
        Ok(contact.map(|contact| (hash, contact)))
    }

    /// Plans what follows when the customer of a conversation that is there already comes by a link: both cards are
    /// one. Nothing when there is no such code, or people have to decide.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn follow_link(&self, contact: &str, claims: &[Claim], actor: Actor) -> Result<Option<Plan>> {
        let Some((hash, into)) = self.linked(claims).await?.filter(|(_, into)| into != contact) else {
            return Ok(None);
        };
        let everything = Reader { user: 0, admin: true };
        let from = [contact.to_owned()];
        let wish = Wish { into: &into, from: &from, owner: None, batch: None, despite: false };
        match self.plan_merge(everything, wish, actor).await? {
            Planned::Done(mut plan) => {
                plan.change.use_contact_link(&hash);
                Ok(Some(*plan))
            }
            Planned::TwoOwners(..) | Planned::Apart(..) => Ok(None),
        }
    }
}
