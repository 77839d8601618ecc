//! The monthly report on the quality of what is known: what is perhaps there twice, what is missing, what cannot be, and
//! what people had to put right. By the rules of resolution: what a key stands for and how many may hold it is said there.
//! Ids and counts only, so that nothing of a person is kept in reports.

use crate::arrival::REGION;
use crate::keys::{Key, emails, phones};
use crate::resolve::Holders;
use crate::resolve::rules::is_free;
use crate::ulid::is_ulid;
use crate::{Contacts, text};
use kontor_model::{Error, Ms, Nid, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::quality::{self, ReportRow, SharedRow};
use kontor_store::contacts::{lookups, suggestions};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Contacts of each kind that a report names.
const NAMED: i64 = 50;
/// Keys of several contacts that a report looks at.
const MOST_SHARED: i64 = 5_000;
/// Numbers of one page.
pub const PAGE: i64 = 5_000;

/// Numbers that cannot be, so far.
#[derive(Clone, Debug, Default)]
pub struct Impossible {
    looked_at: usize,
    count: usize,
    first: BTreeSet<String>,
}

impl Impossible {
    /// Looks at more numbers: key, contact. Costs time, not the archive's.
    pub fn look(&mut self, numbers: &[(String, String)]) {
        self.looked_at += numbers.len();
        for (key, contact) in numbers {
            if phones(key, REGION).iter().any(|read| read.text == *key) {
                continue;
            }
            self.count += 1;
            if self.first.len() < usize::try_from(NAMED).unwrap_or_default() {
                self.first.insert(contact.clone());
            }
        }
    }
}

/// Whether contacts that hold a key are perhaps one: it is a person's own, and not too many hold it.
fn may_be_one(row: &SharedRow) -> bool {
    let read = if row.kind == "phone" { phones(&row.key, REGION) } else { emails(&row.key) };
    let contacts = (0..row.holders).map(|_| (String::new(), false)).collect();
    let holders = Holders { contacts, contested: row.contested };
    read.into_iter().find(|key: &Key| key.text == row.key).is_some_and(|key| is_free(&key, &holders))
}

impl Contacts {
    /// Everything of a report but the numbers, since a moment: a dozen statements, however many contacts there are.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn quality_figures(&self, since: Ms, numbers: &Impossible) -> Result<Value> {
        let mut source = self.store.snapshot().await?;
        let [contacts, suggested, contested] = quality::totals(&mut source).await?;
        let gaps = quality::gaps(&mut source, NAMED).await?;
        let shared = quality::shared(&mut source, MOST_SHARED).await?;
        let ids: BTreeSet<&str> = shared.iter().map(|row| row.pair.0.as_str()).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let apart: BTreeSet<(String, String)> =
            quality::apart(&mut source, &ids).await?.into_iter().collect();
        let heaviest = quality::heaviest(&mut source, NAMED).await?;
        let overrides = lookups::overrides(&mut source, since).await?;
        let undone = quality::undone(&mut source, since).await?;
        let waiting = suggestions::due(&mut source, 1).await?.len();
        drop(source);
        let twice: Vec<&SharedRow> =
            shared.iter().filter(|row| may_be_one(row) && !apart.contains(&row.pair)).collect();
        let pairs: BTreeSet<&(String, String)> = twice.iter().map(|row| &row.pair).collect();
        let named = usize::try_from(NAMED).unwrap_or_default();
        let gaps: serde_json::Map<String, Value> = gaps
            .into_iter()
            .map(|(what, gap)| (what.to_owned(), json!({ "count": gap.count, "contacts": gap.first })))
            .collect();
        Ok(json!({
            "since_ts": since,
            "contacts": contacts,
            "duplicates": {
                "by_key": pairs.len(),
                "pairs": pairs.iter().take(named).collect::<Vec<_>>(),
                "shared_keys": shared.len(),
                "cut": shared.len() >= usize::try_from(MOST_SHARED).unwrap_or_default(),
                "suggested": suggested,
                "heaviest": heaviest.iter().map(|(one, other, weight)| json!([one, other, hundredths(*weight)])).collect::<Vec<_>>(),
                "yet_to_be_weighed": waiting > 0,
            },
            "missing": gaps,
            "impossible_numbers": { "looked_at": numbers.looked_at, "count": numbers.count, "contacts": numbers.first },
            "contested_keys": contested,
            "overrides": overrides.iter().map(|(user, count)| json!({ "user_id": user, "count": count })).collect::<Vec<_>>(),
            "undone_merges": undone.iter().map(|(rule, user, count)| json!({ "rule": rule, "by": user, "count": count })).collect::<Vec<_>>(),
        }))
    }

    /// Plans that a report is kept. Submitting ends in `Conflict` when the month has one.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_report(
        &self,
        month: Option<&str>,
        figures: &Value,
        actor: Actor,
    ) -> Result<(Change, String)> {
        let (id, mut change) = (self.new_id(), Change::default());
        change.add_quality_report(&id, month, actor.user, &figures.to_string(), self.now());
        self.note_report(&mut change, &id, Action::QualityReportMake, actor, None).await?;
        Ok((change, id))
    }

    /// A report, for an administrator or for whom it was given to.
    ///
    /// # Errors
    /// `NotFound` for everybody else.
    pub async fn quality_report(&self, id: &str, for_user: Option<&str>) -> Result<ReportRow> {
        let row = match is_ulid(id) {
            true => quality::report(&mut self.store.reader(), id).await?,
            false => None,
        };
        row.filter(|row| for_user.is_none_or(|user| row.assignee.as_deref() == Some(user)))
            .ok_or_else(|| Error::not_found("There is no such report."))
    }

    /// Plans who is to look at a report. Submitting ends in `Conflict` when it was signed off.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_report_assignment(&self, id: &str, to: Option<Nid>, actor: Actor) -> Result<Change> {
        let mut change = Change::default();
        change.assign_quality_report(id, to);
        self.note_report(&mut change, id, Action::QualityReportAssign, actor, to).await?;
        Ok(change)
    }

    /// Plans that a report is signed off. Submitting ends in `Conflict` when it was already.
    ///
    /// # Errors
    /// `InvalidParam` for a note that is none.
    pub async fn plan_sign_off(&self, id: &str, note: Option<&str>, actor: Actor) -> Result<Change> {
        let note = note.map(|note| text(note, "note", 2_000)).transpose()?;
        let mut change = Change::default();
        change.sign_quality_report(id, actor.user.unwrap_or_default(), note.as_deref(), self.now());
        self.note_report(&mut change, id, Action::QualityReportSign, actor, None).await?;
        Ok(change)
    }

    async fn note_report(
        &self,
        change: &mut Change,
        id: &str,
        action: Action,
        actor: Actor,
        to: Option<Nid>,
    ) -> Result<()> {
        let mut audit = Audit::done(action, actor, self.now()).on("quality_report", id);
        audit.detail = to.map(|to| json!({ "to_nid": to }).to_string());
        change.audit(self.store.nid().await?, audit);
        Ok(())
    }
}

fn hundredths(weight: i64) -> f64 {
    f64::from(i32::try_from(weight).unwrap_or_default()) / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_do_not_exist_are_counted() {
        let mut found = Impossible::default();
        let number = |key: &str| (key.to_owned(), format!("C{key}"));
        found.look(&[
            number("+48512342152"),
            number("+4899"),
            number("12"),
            number("zadzwon"),
            number("512342152"),
        ]);
        assert_eq!((found.looked_at, found.count, found.first.len()), (5, 4, 4));
    }

    #[test]
    fn who_shares_a_key_is_perhaps_one_only_where_resolution_says_so() {
        let row = |kind: &str, key: &str, holders: i64, contested: bool| SharedRow {
            kind: kind.into(),
            key: key.into(),
            holders,
            pair: ("A".into(), "B".into()),
            contested,
        };
        assert!(may_be_one(&row("phone", "+48512342152", 2, false)));
        assert!(may_be_one(&row("email", "jan.kowalski@example.com", 3, false)));
        assert!(!may_be_one(&row("phone", "+48512342152", 4, false)));
        assert!(!may_be_one(&row("phone", "+48512342152", 2, true)));
        assert!(!may_be_one(&row("phone", "+48226021234", 2, false)), "a fixed line");
        assert!(!may_be_one(&row("email", "biuro@firma.pl", 2, false)));
        assert!(!may_be_one(&row("phone", "+4899", 2, false)));
    }
}
