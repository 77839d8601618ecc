//! Merging contacts and taking them apart again, by people and by resolution.

use crate::Contacts;
use crate::family::{Families, Merge, Refused};
use crate::news::News;
use crate::ulid::is_ulid;
use kontor_model::{Code, Error, Nid, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::merges::{self, MergeRow, NewMerge};
use kontor_store::contacts::queue::Reader;
use std::collections::BTreeSet;

/// Contacts of one request, and merges that are undone in one.
pub const MOST: usize = 100;
/// Merges that the journal shows.
const SHOWN: i64 = 500;
/// The rule of what people do.
pub const PERSON: &str = "person";

/// What somebody wants merged.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The contact that stays.
    pub into: &'a str,
    /// Those that are merged into it.
    pub from: &'a [String],
    /// Whose all of them are since.
    pub owner: Option<Nid>,
    /// What it is done together with; a batch of its own when absent.
    pub batch: Option<&'a str>,
    /// Whether it is done although somebody said that they are different people.
    pub despite: bool,
}

/// What became of a wish.
#[derive(Clone, Debug)]
pub enum Planned {
    /// This is to be written.
    Done(Box<Plan>),
    /// Two people own them: it must be said who is to.
    TwoOwners(Nid, Nid),
    /// Somebody said that these are different people.
    Apart(String, String),
}

/// What is to be written, and what it means.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The change.
    pub change: Change,
    /// Contacts whose rooms are to be named anew.
    pub touched: Vec<String>,
    /// The batch that undoes it.
    pub batch: String,
    /// Merges, by their numbers.
    pub merges: Vec<Nid>,
}

impl Contacts {
    /// The contact that one is by now, if the reader may see it.
    ///
    /// # Errors
    /// `NotFound` otherwise.
    pub async fn now_of(&self, reader: Reader, id: &str) -> Result<String> {
        let found = match is_ulid(id) {
            true => merges::now(&mut self.store.reader(), reader, id).await?,
            false => None,
        };
        found.ok_or_else(|| Error::not_found("There is no such contact."))
    }

    /// Merges of a contact and of those merged into it, the newest first.
    ///
    /// # Errors
    /// `NotFound` for what the reader may not see.
    pub async fn merges_of(&self, reader: Reader, id: &str) -> Result<Vec<MergeRow>> {
        let now = self.now_of(reader, id).await?;
        let mut source = self.store.reader();
        let families = Families::new(merges::families(&mut source, &[&now]).await?);
        merges::of_contacts(&mut source, &families.of(&now), SHOWN).await
    }

    /// Plans what somebody wants merged. Submitting ends in `Conflict` when a contact changed meanwhile.
    ///
    /// # Errors
    /// `NotFound` for what the reader may not see; `Conflict` for contacts that are one already;
    /// `InvalidParam` for a wish without contacts.
    pub async fn plan_merge(&self, reader: Reader, wish: Wish<'_>, actor: Actor) -> Result<Planned> {
        if wish.from.is_empty() || wish.from.len() > MOST {
            return Err(Error::invalid_param(format!("from must name 1 to {MOST} contacts.")));
        }
        let into = self.now_of(reader, wish.into).await?;
        let mut from = Vec::new();
        for id in wish.from {
            from.push(self.now_of(reader, id).await?);
        }
        let (mut ids, mut source) = (vec![into.as_str()], self.store.reader());
        ids.extend(from.iter().map(String::as_str));
        let mut families = Families::new(merges::families(&mut source, &ids).await?);
        let all: Vec<&str> = ids.iter().flat_map(|id| families.of(id)).collect();
        let apart = merges::others(&mut source, &all).await?;
        if let (Some((a, b)), false) = (apart.first(), wish.despite) {
            return Ok(Planned::Apart(families.now(a).to_owned(), families.now(b).to_owned()));
        }
        let mut change = Change::default();
        change.forget_apart(&all, &all);
        let (now, first) = (self.now(), self.store.nid().await?);
        let batch = wish.batch.map_or_else(|| first.to_string(), str::to_owned);
        let mut numbers = Vec::new();
        for from in &from {
            let nid = if numbers.is_empty() { first } else { self.store.nid().await? };
            match families.merge(Merge { from, into: &into, nid, owner: wish.owner }) {
                Ok(()) => {}
                Err(Refused::TwoOwners(a, b)) => return Ok(Planned::TwoOwners(a, b)),
                Err(Refused::Same) => {
                    let said = "These are one contact already: there is nothing to merge.";
                    return Err(Error::new(Code::Conflict, said));
                }
                Err(Refused::Gone) => return Err(crate::card::moved()),
            }
            change.add_merge(NewMerge {
                nid,
                from,
                into: &into,
                rule: PERSON,
                actor: actor.user,
                owner: wish.owner,
                batch: &batch,
                now,
            });
            self.tell_merged(&mut change, "contact.merged", from, &into).await?;
            numbers.push(nid);
        }
        self.write(&mut change, &families);
        let mut audit = Audit::done(Action::ContactMerge, actor, now).on("contact", into.as_str());
        audit.detail =
            Some(serde_json::json!({ "from": from, "batch": batch, "despite": wish.despite }).to_string());
        change.audit(self.store.nid().await?, audit);
        let touched = vec![into.clone()];
        Ok(Planned::Done(Box::new(Plan { change, touched, batch, merges: numbers })))
    }

    /// Adds merges that resolution decided, as far as they can be made; the others become suggestions.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub(crate) async fn add_merges(
        &self,
        change: &mut Change,
        into: &str,
        from: &[&str],
        rule: &str,
        batch: &str,
    ) -> Result<Vec<String>> {
        let ids: Vec<&str> = from.iter().copied().chain([into]).collect();
        let mut families = Families::new(merges::families(&mut self.store.reader(), &ids).await?);
        let (now, mut merged) = (self.now(), Vec::new());
        for from in from {
            let nid = self.store.nid().await?;
            match families.merge(Merge { from, into, nid, owner: None }) {
                Ok(()) => {}
                Err(Refused::Same) => continue,
                Err(Refused::TwoOwners(..)) => {
                    let evidence = serde_json::json!([{ "what": "key_same", "bits": 12.0 }]).to_string();
                    change.suggest((into, from), 1_200, &evidence, now);
                    continue;
                }
                // It changed since it was decided by: what was decided is decided anew.
                Err(Refused::Gone) => return Err(crate::card::moved()),
            }
            let new = NewMerge { nid, from, into, rule, actor: None, owner: None, batch, now };
            change.add_merge(new);
            self.tell_merged(change, "contact.merged", from, into).await?;
            merged.push((*from).to_owned());
        }
        self.write(change, &families);
        Ok(merged)
    }

    /// Plans to undo merges, the newest first. Of what resolution merged it is remembered that they are
    /// different people.
    ///
    /// # Errors
    /// `NotFound` when there are none that the reader may see.
    pub async fn plan_undo(&self, reader: Reader, rows: Vec<MergeRow>, actor: Actor) -> Result<Plan> {
        let none = || Error::not_found("There is no such merge, or it was undone already.");
        let first = rows.first().ok_or_else(none)?;
        let batch = first.batch.clone();
        let ids: Vec<&str> = rows.iter().flat_map(|row| [row.from.as_str(), row.into.as_str()]).collect();
        let mut families = Families::new(merges::families(&mut self.store.reader(), &ids).await?);
        let roots: BTreeSet<&str> = rows.iter().map(|row| families.now(&row.into)).collect();
        for root in roots {
            self.now_of(reader, root).await.map_err(|_| none())?;
        }
        let (now, mut change) = (self.now(), Change::default());
        let mut touched = BTreeSet::new();
        for row in &rows {
            touched.insert(families.now(&row.into).to_owned());
            families.undo(&row.from).map_err(|_| crate::card::moved())?;
            touched.insert(row.from.clone());
            change.undo_merge(row.nid, actor.user, now);
            if row.actor.is_none() {
                change.set_apart(&row.from, &row.into);
            }
            self.tell_merged(&mut change, "contact.unmerged", &row.from, &row.into).await?;
        }
        self.write(&mut change, &families);
        let mut audit = Audit::done(Action::ContactUnmerge, actor, now).on("contact", first.from.as_str());
        let undone: Vec<Nid> = rows.iter().map(|row| row.nid).collect();
        audit.detail = Some(serde_json::json!({ "merges": undone, "batch": batch }).to_string());
        change.audit(self.store.nid().await?, audit);
        Ok(Plan { change, touched: touched.into_iter().collect(), batch, merges: undone })
    }

    /// The merge by which a contact is another by now, the batch's merges, or one by its number.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn merges_to_undo(&self, wish: &Undo) -> Result<Vec<MergeRow>> {
        let mut source = self.store.reader();
        let limit = i64::try_from(MOST * 10).unwrap_or(i64::MAX);
        match (&wish.merge_id, &wish.batch, &wish.contact_id) {
            (Some(id), None, None) => {
                let nid = id.parse().map_err(|_| Error::invalid_param("merge_id must be a number."))?;
                Ok(merges::one(&mut source, nid).await?.into_iter().collect())
            }
            (None, Some(batch), None) => merges::of_batch(&mut source, batch, limit).await,
            (None, None, Some(id)) if is_ulid(id) => {
                let rows = merges::of_contacts(&mut source, &[id], limit).await?;
                Ok(rows.into_iter().filter(|row| row.from == *id && row.undone.is_none()).collect())
            }
            (None, None, Some(_)) => Ok(Vec::new()),
            _ => Err(Error::invalid_param("Name one of: merge_id, batch, contact_id.")),
        }
    }

    /// Plans to remember that two contacts are different people.
    ///
    /// # Errors
    /// `NotFound` for what the reader may not see; `Conflict` for contacts that are one.
    pub async fn plan_apart(&self, reader: Reader, one: &str, other: &str, actor: Actor) -> Result<Change> {
        let (a, b) = (self.now_of(reader, one).await?, self.now_of(reader, other).await?);
        if a == b {
            return Err(Error::new(Code::Conflict, "These are one contact. Undo the merge first."));
        }
        let now = self.now();
        let mut change = Change::default();
        change.set_apart(&a, &b);
        change.decide_suggestion((&a, &b), "rejected");
        let mut audit = Audit::done(Action::ContactApart, actor, now).on("contact", a.as_str());
        audit.detail = Some(serde_json::json!({ "other": b }).to_string());
        change.audit(self.store.nid().await?, audit);
        Ok(change)
    }

    /// Plans to give an arrival that was nobody's to a contact. Submitting ends in `Conflict` when it is
    /// somebody's.
    ///
    /// # Errors
    /// `NotFound` for what the reader may not see.
    pub async fn plan_whose(
        &self,
        reader: Reader,
        arrival: &str,
        contact: &str,
        actor: Actor,
    ) -> Result<Change> {
        let contact = self.now_of(reader, contact).await?;
        let mut change = Change::default();
        change.give_arrival(arrival, &contact);
        let audit = Audit::done(Action::ContactUpdate, actor, self.now()).on("contact", contact.as_str());
        change.audit(self.store.nid().await?, audit);
        Ok(change)
    }

    fn write(&self, change: &mut Change, families: &Families) {
        let now = self.now();
        for row in families.changed() {
            change.set_member(row, now);
            if row.root.is_none() {
                change.weigh_contact(&row.id, now);
            }
        }
    }

    async fn tell_merged(
        &self,
        change: &mut Change,
        kind: &'static str,
        from: &str,
        into: &str,
    ) -> Result<()> {
        let news = News { kind, contact: into, from: Some(from), ..News::default() };
        self.tell(change, &news, None).await
    }
}

/// What somebody wants undone; one of the three.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// A merge, as the journal names it.
    pub merge_id: Option<String>,
    /// All merges of a batch.
    pub batch: Option<String>,
    /// The merge by which this contact became another.
    pub contact_id: Option<String>,
}
