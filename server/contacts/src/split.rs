//! Taking addresses off a contact: whoever writes from there is somebody else.
//!
//! What was merged comes apart as it was. What was never two (an address that was given to a contact by its number)
//! becomes a contact of its own, with what was said there and nowhere else. Conversations, rooms and delivery
//! addresses stay as they are; merging both again brings everything back together.

use crate::arrival::Read;
use crate::family::Families;
use crate::merge::Plan;
use crate::moving::read;
use crate::news::News;
use crate::{Contacts, stage};
use kontor_model::{Code, Error, Nid, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::cards::{self, ContactRow, FieldRow};
use kontor_store::contacts::identities::{self, ClaimRow};
use kontor_store::contacts::merges;
use kontor_store::contacts::queue::Reader;
use kontor_store::contacts::splits::{self, AddressRow, Leaving};
use std::collections::BTreeSet;

/// Conversations of one request.
const MOST: usize = 100;

/// What is to be written, and whose the addresses are then.
#[derive(Clone, Debug)]
pub struct Split {
    /// The change, and what it means.
    pub plan: Plan,
    /// The contact that the addresses belong to.
    pub to: String,
}

impl Contacts {
    /// Plans to take the addresses of some conversations off their contact. Submitting ends in `Conflict` when it
    /// changed meanwhile.
    ///
    /// # Errors
    /// `NotFound` for what the reader may not see and for conversations of others; `InvalidParam` for none;
    /// `Conflict` when nothing would be left.
    pub async fn plan_split(
        &self,
        reader: Reader,
        id: &str,
        conversations: &[String],
        actor: Actor,
    ) -> Result<Split> {
        if conversations.is_empty() || conversations.len() > MOST {
            return Err(Error::invalid_param(format!("conversations must name 1 to {MOST} of the contact.")));
        }
        let whole = self.now_of(reader, id).await?;
        let mut source = self.store.reader();
        let named: BTreeSet<&str> = conversations.iter().map(String::as_str).collect();
        let all = splits::addresses(&mut source, &whole).await?;
        let (leaving, staying): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|row| named.contains(row.conversation.as_str()));
        if leaving.len() != named.len() {
            return Err(Error::not_found("This contact has no such conversation."));
        }
        let families = Families::new(merges::families(&mut source, &[&whole]).await?);
        if let Some(merge) = merged_as(&families, &leaving, &staying) {
            return self.split_merged(reader, merge, actor).await;
        }
        if staying.is_empty() && !self.is_more(&whole, &leaving).await? {
            let said = "Nothing would be left of this contact: it is these conversations and no more.";
            return Err(Error::new(Code::Conflict, said));
        }
        let root = cards::by_id(&mut source, reader, &whole).await?;
        let root = root.ok_or_else(|| Error::not_found("There is no such contact."))?;
        self.split_new(&root, &families.of(&whole), (&leaving, &staying), actor).await
    }

    /// The addresses came by a merge: it is undone, and remembered that they are different people.
    async fn split_merged(&self, reader: Reader, merge: Nid, actor: Actor) -> Result<Split> {
        let row = merges::one(&mut self.store.reader(), merge).await?;
        let row = row.ok_or_else(crate::card::moved)?;
        let (from, into) = (row.from.clone(), row.into.clone());
        let mut plan = self.plan_undo(reader, vec![row], actor).await?;
        plan.change.set_apart(&from, &into);
        Ok(Split { plan, to: from })
    }

    /// Whether something is known of a contact beyond some of its addresses.
    async fn is_more(&self, contact: &str, leaving: &[AddressRow]) -> Result<bool> {
        let own: Vec<Read> = leaving.iter().map(read).collect();
        let claims = identities::claims(&mut self.store.reader(), contact).await?;
        Ok(claims.iter().any(|claim| {
            let said = claim
                .conversation
                .as_ref()
                .is_some_and(|said| leaving.iter().any(|row| row.conversation == *said));
            let is_key = own.iter().flat_map(|read| read.arrival.keys());
            let is_key =
                is_key.into_iter().any(|(key, _)| key.kind.word() == claim.kind && key.text == claim.key);
            !said && !is_key
        }))
    }

    async fn split_new(
        &self,
        root: &ContactRow,
        members: &[&str],
        (leaving, staying): (&[AddressRow], &[AddressRow]),
        actor: Actor,
    ) -> Result<Split> {
        let (now, to, mut change) = (self.now(), self.new_id(), Change::default());
        let last = leaving.iter().rev().find_map(name);
        let kept: BTreeSet<String> = staying.iter().filter_map(name).collect();
        // Names that are told there and nowhere else.
        let gone: BTreeSet<String> =
            leaving.iter().filter_map(name).filter(|name| !kept.contains(name)).collect();
        change.add_contact(&ContactRow {
            id: to.clone(),
            kind: if last.is_some() { "person" } else { "unknown" }.to_owned(),
            stage: self.stage_of_leaving(&root.id, leaving).await?.to_owned(),
            team: leaving.first().map(|row| row.channel.clone()),
            version: 1,
            created_ts: now,
            updated_ts: now,
            own: None,
            ..root.clone()
        });
        self.move_rows(&mut change, members, &to, (leaving, &gone));
        if let Some(name) = &last {
            change.set_contact_field(&network_name(&to, name, now));
        }
        for name in leaving.iter().filter_map(name) {
            change.add_contact_name(&to, &name);
        }
        // The contact is called as it is called where it is still written to.
        let told = cards::fields(&mut self.store.reader(), &[&root.id]).await?;
        let is_gone = |row: &FieldRow| {
            row.field == "display_name" && row.source == "network" && gone.contains(&row.value)
        };
        if let (true, Some(name)) = (told.iter().any(is_gone), staying.iter().rev().find_map(name)) {
            change.set_contact_field(&network_name(&root.id, &name, now));
        }
        change.set_apart(&to, &root.id);
        change.expect_unmerged(&root.id);
        change.touch_contact(&root.id, now);
        for contact in [&root.id, &to] {
            change.weigh_contact(contact, now);
        }
        let news = News { kind: "contact.created", contact: &to, ..News::default() };
        self.tell(&mut change, &news, None).await?;
        let news = News { kind: "contact.unmerged", contact: &root.id, from: Some(&to), ..News::default() };
        self.tell(&mut change, &news, None).await?;
        let mut audit = Audit::done(Action::ContactSplit, actor, now).on("contact", root.id.as_str());
        let conversations: Vec<&str> = leaving.iter().map(|row| row.conversation.as_str()).collect();
        audit.detail = Some(serde_json::json!({ "to": to, "conversations": conversations }).to_string());
        change.audit(self.store.nid().await?, audit);
        let touched = vec![to.clone(), root.id.clone()];
        Ok(Split { plan: Plan { change, touched, batch: String::new(), merges: Vec::new() }, to })
    }

    /// How near somebody is of whom these addresses and what was said there is all that is known.
    async fn stage_of_leaving(&self, contact: &str, leaving: &[AddressRow]) -> Result<&'static str> {
        let mut claims = identities::claims(&mut self.store.reader(), contact).await?;
        let own = |claim: &ClaimRow| {
            leaving.iter().any(|row| claim.conversation.as_ref() == Some(&row.conversation))
        };
        claims.retain(own);
        let known = stage::reach(&claims) || leaving.iter().any(|row| stage::is_reached(&read(row).arrival));
        Ok(if known { stage::LEAD } else { stage::VISITOR })
    }

    fn move_rows(
        &self,
        change: &mut Change,
        members: &[&str],
        to: &str,
        (leaving, names): (&[AddressRow], &BTreeSet<String>),
    ) {
        let reads: Vec<Read> = leaving.iter().map(read).collect();
        let keys: Vec<(&str, &str)> = reads
            .iter()
            .flat_map(|read| read.arrival.keys().map(|(key, _)| (key.kind.word(), key.text.as_str())))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let identities: Vec<Nid> = leaving.iter().map(|row| row.identity).collect();
        let conversations: Vec<&str> = leaving.iter().map(|row| row.conversation.as_str()).collect();
        change.split_addresses(Leaving {
            members,
            to,
            identities: &identities,
            conversations: &conversations,
            keys: &keys,
            names: &names,
        });
        for read in &reads {
            let arrival = &read.arrival;
            change.split_voice(members, to, (&arrival.place, &arrival.external_id, &read.address_key()));
        }
    }
}

/// The merge by which exactly these addresses came to their contact, if there is one.
fn merged_as(families: &Families, leaving: &[AddressRow], staying: &[AddressRow]) -> Option<Nid> {
    let owners: BTreeSet<&str> = leaving.iter().map(|row| row.contact.as_str()).collect();
    let whole = families.members().filter(|row| row.merge.is_some()).find(|row| {
        let part = families.with_below(&row.id);
        owners.iter().all(|owner| part.contains(*owner))
            && !staying.iter().any(|row| part.contains(&row.contact))
    });
    whole.and_then(|row| row.merge)
}

/// What whoever is at an address is called there.
fn name(row: &AddressRow) -> Option<String> {
    serde_json::from_str(row.shown.as_deref()?).ok()
}

fn network_name(contact: &str, name: &str, now: kontor_model::Ms) -> FieldRow {
    FieldRow {
        contact: contact.to_owned(),
        field: "display_name".to_owned(),
        source: "network".to_owned(),
        value: name.to_owned(),
        trust: 1,
        ts: now,
    }
}
