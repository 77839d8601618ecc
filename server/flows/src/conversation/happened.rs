//! Everything that happened with a contact, in one order by time: what was said in its rooms, mixed with purchases,
//! tasks done, merges and assignments. All of it is read from where it stands; nothing is kept for it.
//!
//! What was said has an order of its own, that of the archive, and the rest is ordered by its moments. A page takes
//! whichever of both is newer, again and again, and a place names how far either was told: so nothing is told twice and
//! nothing is passed over, whatever clocks say.

use super::reader;
use super::timeline::{Passed, Past, Sides, filter};
use crate::Flows;
use kontor_contacts::notes::Task;
use kontor_contacts::shop::worth;
use kontor_model::{Error, Ms, Nid, Requester, Result};
use kontor_store::contacts::conversations;
use kontor_store::contacts::facts::FactRow;
use kontor_store::contacts::queue::Reader;
use kontor_store::contacts::timeline::{
    self, ASSIGNMENT, AssignmentRow, DONE, Details, FACT, MERGE, MergeRow, Moment, UNMERGE, Wanted,
};
use std::collections::{HashMap, VecDeque};

/// Kinds of what was said.
const SAID: [&str; 4] = ["message", "note", "decision", "task"];
/// Kinds of the rest, besides those of facts.
const DID: [&str; 4] = ["task_done", "merge", "merge_undone", "assignment"];
/// Items of one page at most.
const MOST: usize = 500;

/// Something that happened.
#[derive(Debug)]
pub struct Happened {
    /// message, note, decision, task; order, payment, shipment, invoice, deal; task_done, merge, merge_undone,
    /// assignment.
    pub kind: String,
    /// When.
    pub ts: Ms,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug)]
pub enum What {
    /// This was said.
    Said(Box<Passed>),
    /// A system of the company told this.
    Fact(Box<FactRow>),
    /// This was done.
    Done(Box<Task>),
    /// Contacts became one.
    Merged(MergeRow),
    /// They were taken apart again.
    Unmerged(MergeRow),
    /// A conversation was given to somebody.
    Assigned(AssignmentRow),
}

/// How far it was told: of what was said, and of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    said: i64,
    rest: Moment,
}

impl Place {
    /// Before anything was told.
    const START: Self = Self { said: i64::MAX, rest: Moment::LAST };

    /// The place that was given out as `from`.
    ///
    /// # Errors
    /// `InvalidParam` for anything else.
    pub fn read(from: Option<&str>) -> Result<Self> {
        let Some(from) = from else { return Ok(Self::START) };
        let forged =
            || Error::invalid_param("The parameter \"from\" must be the \"next\" of an earlier answer.");
        let parts: Vec<i64> = from.split('.').filter_map(|part| part.parse().ok()).collect();
        match (parts.as_slice(), from.split('.').count()) {
            ([said, ts, what, nid], 4) if *said >= 0 => {
                Ok(Self { said: *said, rest: Moment { ts: *ts, what: *what, nid: *nid } })
            }
            _ => Err(forged()),
        }
    }

    /// As it is given out.
    pub fn text(self) -> String {
        let Moment { ts, what, nid } = self.rest;
        format!("{}.{ts}.{what}.{nid}", self.said)
    }
}

/// Which kinds are wanted.
#[derive(Clone, Debug)]
pub struct Kinds {
    said: Vec<&'static str>,
    rest: Vec<&'static str>,
}

impl Kinds {
    /// Reads a list with commas; all of them when it is absent.
    ///
    /// # Errors
    /// `InvalidParam` for a kind that is none.
    pub fn read(list: Option<&str>) -> Result<Self> {
        let rest = || worth::ORDER.into_iter().chain(DID);
        let Some(list) = list else { return Ok(Self { said: SAID.to_vec(), rest: rest().collect() }) };
        let mut kinds = Self { said: Vec::new(), rest: Vec::new() };
        for word in list.split(',').map(str::trim) {
            let said = SAID.into_iter().find(|kind| *kind == word);
            match (said, rest().find(|kind| *kind == word)) {
                (Some(kind), _) => kinds.said.push(kind),
                (None, Some(kind)) => kinds.rest.push(kind),
                (None, None) => {
                    let all: Vec<&str> = SAID.into_iter().chain(rest()).collect();
                    let said = format!("kinds must be some of: {}.", all.join(", "));
                    return Err(Error::invalid_param(said));
                }
            }
        }
        Ok(kinds)
    }

    fn wants(&self, kind: &str) -> bool {
        self.said.contains(&kind)
    }
}

impl Flows {
    /// What happened with a contact, before a place, the newest first, and where the next page begins if there is more.
    /// What was said is told as far as the caller reads the rooms; what things cost to those who may know.
    ///
    /// # Errors
    /// `NotFound` for what the reader may not see; `UnknownToken` when the session ended.
    pub async fn contact_timeline(
        &self,
        by: &Requester,
        contact: &str,
        kinds: &Kinds,
        from: Place,
        limit: usize,
    ) -> Result<(Vec<Happened>, Option<Place>)> {
        let (who, limit) = (reader(by)?, limit.clamp(1, MOST));
        let contact = self.contacts.now_of(who, contact).await?;
        let rows = conversations::of_contact(&mut self.store.reader(), &contact).await?;
        let mut sides = self.sides(by, &rows).await?;
        let open = sides.backstage_of();
        let wanted = Wanted {
            contact: &contact,
            kinds: &kinds.rest,
            conversations: &open,
            before: from.rest,
            limit: i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1),
        };
        let rest = timeline::newest(&mut sides.snapshot, wanted).await?;
        let (past, marks) = match kinds.said.is_empty() || from.said == 0 {
            true => (Past::default(), HashMap::new()),
            false => {
                let marks: HashMap<Nid, String> =
                    timeline::noted(&mut sides.snapshot, &open).await?.into_iter().collect();
                let shows = |event: Nid| kinds.wants(marks.get(&event).map_or("message", String::as_str));
                let before = Some(from.said).filter(|said| *said < i64::MAX);
                (sides.page(&filter(false), before, limit, shows).await?, marks)
            }
        };
        let mixed = mix(past, rest, from, limit);
        self.tell_mixed(&mut sides, who, mixed, &marks).await
    }

    async fn tell_mixed(
        &self,
        sides: &mut Sides<'_>,
        who: Reader,
        mixed: Mixed,
        marks: &HashMap<Nid, String>,
    ) -> Result<(Vec<Happened>, Option<Place>)> {
        let Mixed { mut said, moments, order, next } = mixed;
        sides.explain(&mut said).await?;
        let details = timeline::details(&mut sides.snapshot, who, &moments).await?;
        let (mut said, mut rest) = (said.into_iter(), moments.into_iter());
        let mut details = Found::new(details);
        let mut told = Vec::new();
        for is_said in order {
            let happened = match is_said {
                true => said.next().map(|passed| happened(passed, marks)),
                // What is gone since the moment was read is passed over.
                false => rest.next().and_then(|moment| details.at(moment)),
            };
            told.extend(happened);
        }
        Ok((told, next))
    }
}

fn happened(passed: Passed, marks: &HashMap<Nid, String>) -> Happened {
    let row = passed.event.row();
    let kind = marks.get(&row.event).map_or("message", String::as_str).to_owned();
    Happened { kind, ts: row.origin_ts, what: What::Said(Box::new(passed)) }
}

/// What a page tells: either sort in its order, and from which of both comes what.
struct Mixed {
    said: Vec<Passed>,
    moments: Vec<Moment>,
    /// Whether it was said.
    order: Vec<bool>,
    next: Option<Place>,
}

/// Takes the newer of both, again and again.
fn mix(past: Past, rest: Vec<Moment>, from: Place, limit: usize) -> Mixed {
    let (mut said, mut rest): (VecDeque<Passed>, VecDeque<Moment>) = (past.items.into(), rest.into());
    let mut mixed = Mixed { said: Vec::new(), moments: Vec::new(), order: Vec::new(), next: None };
    let mut place = from;
    while mixed.order.len() < limit {
        let is_said = match (said.front(), rest.front()) {
            (Some(passed), Some(moment)) => passed.event.row().origin_ts >= moment.ts,
            (Some(_), None) => true,
            // What was said before is not known yet: perhaps it is newer.
            (None, Some(_)) if past.next.is_some() => break,
            (None, Some(_)) => false,
            (None, None) => break,
        };
        mixed.order.push(is_said);
        if is_said {
            let passed = said.pop_front();
            place.said = passed.as_ref().and_then(|passed| passed.event.row().ord).unwrap_or(place.said);
            mixed.said.extend(passed);
        } else {
            let moment = rest.pop_front();
            place.rest = moment.unwrap_or(place.rest);
            mixed.moments.extend(moment);
        }
    }
    if said.is_empty() {
        place.said = past.next.unwrap_or(0);
    }
    let more = !said.is_empty() || past.next.is_some() || !rest.is_empty();
    mixed.next = more.then_some(place);
    mixed
}

/// What stands at moments, to be taken.
struct Found {
    facts: HashMap<Nid, FactRow>,
    tasks: HashMap<Nid, Task>,
    merges: HashMap<Nid, MergeRow>,
    assignments: HashMap<Nid, AssignmentRow>,
}

impl Found {
    fn new(details: Details) -> Self {
        let task = |(nid, row)| Task::all(vec![row]).pop().map(|task| (nid, task));
        Self {
            facts: details.facts.into_iter().map(|fact| (fact.nid, fact)).collect(),
            tasks: details.tasks.into_iter().filter_map(task).collect(),
            merges: details.merges.into_iter().collect(),
            assignments: details.assignments.into_iter().collect(),
        }
    }

    fn at(&mut self, moment: Moment) -> Option<Happened> {
        let nid = moment.nid;
        let (kind, what) = match moment.what {
            FACT => {
                let fact = self.facts.remove(&nid)?;
                (fact.kind.clone(), What::Fact(Box::new(fact)))
            }
            DONE => ("task_done".to_owned(), What::Done(Box::new(self.tasks.remove(&nid)?))),
            // Both of one merge may be on a page.
            MERGE => ("merge".to_owned(), What::Merged(self.merges.get(&nid)?.clone())),
            UNMERGE => ("merge_undone".to_owned(), What::Unmerged(self.merges.get(&nid)?.clone())),
            ASSIGNMENT => ("assignment".to_owned(), What::Assigned(self.assignments.remove(&nid)?)),
            _ => return None,
        };
        Some(Happened { kind, ts: moment.ts, what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_given_out() {
        let place = Place { said: 7, rest: Moment { ts: 12, what: FACT, nid: 3 } };
        assert_eq!(Place::read(Some(&place.text())).unwrap(), place);
        assert_eq!(Place::read(Some(&Place::START.text())).unwrap(), Place::START);
        assert_eq!(Place::read(None).unwrap(), Place::START);
        for forged in
            ["", "x", "7", "-1.1.1.1", "1.1.1", "1.1.1.1.1", "1.1.1.x", "1.1.1.99999999999999999999"]
        {
            assert!(Place::read(Some(forged)).is_err(), "{forged}");
        }
    }

    #[test]
    fn kinds_are_those_that_there_are() {
        let all = Kinds::read(None).unwrap();
        assert!(all.wants("note") && all.rest.contains(&"payment"));
        let some = Kinds::read(Some("note, payment")).unwrap();
        assert!(some.wants("note") && !some.wants("message"));
        assert_eq!(some.rest, ["payment"]);
        for wrong in ["", "notes", "note,", "note;task"] {
            assert!(Kinds::read(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
