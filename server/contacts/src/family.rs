//! Families: contacts that are one by now, as a tree of merges.
//!
//! A merge moves nothing: each contact keeps its addresses, claims and fields, and points to the one that
//! all of them are. What a merge does change of the contact that stays (its stage, its owner, who sees it)
//! follows from how it stood alone and from those that were merged into it, so that undoing any merge, in
//! any order, gives exactly what would be without it. What people changed in between stays.

use kontor_model::{Nid, Result};
use kontor_store::contacts::merges::{MemberRow, Standing};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Words in the order in which they win.
const STAGES: [&str; 3] = ["visitor", "lead", "customer"];
const SEEN_BY: [&str; 3] = ["all", "team", "owner"];
const UNKNOWN: &str = "unknown";

/// Why contacts cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// They are one already.
    Same,
    /// Two people own them, and it was not said who is to.
    TwoOwners(Nid, Nid),
    /// One of them is not there, or is another by now.
    Gone,
}

/// A merge within a family.
#[derive(Clone, Copy, Debug)]
pub struct Merge<'a> {
    /// The contact that is merged.
    pub from: &'a str,
    /// The one that stays.
    pub into: &'a str,
    /// The merge's number; they are in the order in which they are made.
    pub nid: Nid,
    /// Whose both are from now on.
    pub owner: Option<Nid>,
}

/// Contacts, with all that they were merged with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Families {
    members: BTreeMap<String, MemberRow>,
    before: BTreeMap<String, MemberRow>,
}

impl Families {
    /// Takes the contacts of some families.
    pub fn new(rows: Vec<MemberRow>) -> Self {
        let members: BTreeMap<String, MemberRow> =
            rows.into_iter().map(|row| (row.id.clone(), row)).collect();
        Self { before: members.clone(), members }
    }

    /// A contact.
    pub fn get(&self, id: &str) -> Option<&MemberRow> {
        self.members.get(id)
    }

    /// The contact that one is by now.
    pub fn now<'a>(&'a self, id: &'a str) -> &'a str {
        self.members.get(id).and_then(|row| row.root.as_deref()).unwrap_or(id)
    }

    /// All contacts that are one with this one.
    pub fn of(&self, id: &str) -> Vec<&str> {
        let now = self.now(id);
        self.members.keys().map(String::as_str).filter(|other| self.now(other) == now).collect()
    }

    /// Merges.
    ///
    /// # Errors
    /// Says why not.
    pub fn merge(&mut self, merge: Merge<'_>) -> Result<(), Refused> {
        let (from, into) = (self.members.get(merge.from), self.members.get(merge.into));
        let (Some(from), Some(into)) = (from, into) else { return Err(Refused::Gone) };
        if self.now(&from.id) == self.now(&into.id) {
            return Err(Refused::Same);
        }
        if from.root.is_some() || into.root.is_some() {
            return Err(Refused::Gone);
        }
        if let (Some(a), Some(b), None) = (into.shown.owner, from.shown.owner, merge.owner)
            && a != b
        {
            return Err(Refused::TwoOwners(a, b));
        }
        let earlier = self.members.clone();
        for member in self.members.values_mut() {
            if member.id == merge.from || member.root.as_deref() == Some(merge.from) {
                member.root = Some(merge.into.to_owned());
            }
        }
        if let Some(from) = self.members.get_mut(merge.from) {
            from.parent = Some(merge.into.to_owned());
            from.merge = Some(merge.nid);
            from.chosen = merge.owner;
        }
        self.refresh(merge.into, &earlier);
        Ok(())
    }

    /// Undoes the merge of a contact into another: it stands for itself again, with what was merged into it.
    ///
    /// # Errors
    /// `Gone` when it was not merged.
    pub fn undo(&mut self, from: &str) -> Result<(), Refused> {
        let earlier = self.members.clone();
        let Some(member) = self.members.get_mut(from) else { return Err(Refused::Gone) };
        let Some(parent) = member.parent.take() else { return Err(Refused::Gone) };
        (member.merge, member.chosen, member.root) = (None, None, None);
        for id in self.below(from) {
            if let Some(member) = self.members.get_mut(&id) {
                member.root = Some(from.to_owned());
            }
        }
        self.refresh(&parent, &earlier);
        Ok(())
    }

    /// Contacts of these families.
    pub(crate) fn members(&self) -> impl Iterator<Item = &MemberRow> {
        self.members.values()
    }

    /// A contact and those that were merged into it, and into them.
    pub(crate) fn with_below(&self, id: &str) -> BTreeSet<String> {
        let mut part = self.below(id);
        part.insert(id.to_owned());
        part
    }

    /// Those that were merged into a contact, and into them.
    fn below(&self, id: &str) -> BTreeSet<String> {
        let mut below = BTreeSet::new();
        let mut open = vec![id.to_owned()];
        while let Some(id) = open.pop() {
            for child in children(&self.members, &id) {
                if below.insert(child.id.clone()) {
                    open.push(child.id.clone());
                }
            }
        }
        below
    }

    /// Brings a contact up to date after one was merged into it or taken out, then those above it.
    fn refresh(&mut self, id: &str, earlier: &BTreeMap<String, MemberRow>) {
        let mut next = Some(id.to_owned());
        while let Some(id) = next {
            let Some(was) = earlier.get(&id) else { return };
            let own = own(was);
            let (before, after) = (children(earlier, &id), children(&self.members, &id));
            let (expected, wanted) = (together(&own, &before), together(&own, &after));
            let alone = after.is_empty();
            let Some(member) = self.members.get_mut(&id) else { return };
            step(&mut member.shown, &expected, &wanted);
            member.own = (!alone).then(|| write(&own));
            next = member.parent.clone();
        }
    }

    /// Those that are not as they were.
    pub fn changed(&self) -> impl Iterator<Item = &MemberRow> {
        self.members.values().filter(|row| self.before.get(&row.id) != Some(row))
    }
}

/// Contacts that were merged into one, in that order.
fn children<'a>(members: &'a BTreeMap<String, MemberRow>, id: &str) -> Vec<&'a MemberRow> {
    let mut children: Vec<&MemberRow> =
        members.values().filter(|row| row.parent.as_deref() == Some(id)).collect();
    children.sort_by_key(|row| row.merge);
    children
}

/// As a [`Standing`] is written down.
#[derive(Deserialize, Serialize)]
struct Own {
    kind: String,
    stage: String,
    owner: Option<Nid>,
    visibility: String,
    language: Option<String>,
}

fn write(own: &Standing) -> String {
    let Standing { kind, stage, owner, visibility, language } = own.clone();
    serde_json::to_string(&Own { kind, stage, owner, visibility, language }).unwrap_or_default()
}

/// How a contact stands without those that were merged into it.
fn own(row: &MemberRow) -> Standing {
    let written = row.own.as_deref().and_then(|own| serde_json::from_str::<Own>(own).ok());
    match written {
        Some(Own { kind, stage, owner, visibility, language }) => {
            Standing { kind, stage, owner, visibility, language }
        }
        None => row.shown.clone(),
    }
}

/// As a person changed a contact: how it stands alone follows. Gives what is written down of that.
pub fn edited(own: Option<&str>, before: &Standing, after: &Standing) -> Option<String> {
    let mut alone = serde_json::from_str::<Own>(own?).ok().map(|own| Standing {
        kind: own.kind,
        stage: own.stage,
        owner: own.owner,
        visibility: own.visibility,
        language: own.language,
    })?;
    // What was not changed stays as it is alone.
    let mut edit = after.clone();
    keep(&mut edit.kind, &before.kind, &alone.kind);
    keep(&mut edit.stage, &before.stage, &alone.stage);
    keep(&mut edit.owner, &before.owner, &alone.owner);
    keep(&mut edit.visibility, &before.visibility, &alone.visibility);
    keep(&mut edit.language, &before.language, &alone.language);
    alone = edit;
    Some(write(&alone))
}

/// What is as it was before becomes what it is alone.
fn keep<T: PartialEq + Clone>(value: &mut T, before: &T, alone: &T) {
    if value == before {
        value.clone_from(alone);
    }
}

/// Moves what is as expected to what is wanted; the rest was changed by people and stays.
fn step(shown: &mut Standing, expected: &Standing, wanted: &Standing) {
    keep(&mut shown.kind, &expected.kind, &wanted.kind);
    keep(&mut shown.stage, &expected.stage, &wanted.stage);
    keep(&mut shown.owner, &expected.owner, &wanted.owner);
    keep(&mut shown.visibility, &expected.visibility, &wanted.visibility);
    keep(&mut shown.language, &expected.language, &wanted.language);
}

/// How a contact stands together with those that were merged into it: the nearest stage, the narrowest
/// circle, its own owner before theirs, unless one was chosen.
fn together(own: &Standing, children: &[&MemberRow]) -> Standing {
    let shown = || children.iter().map(|child| &child.shown);
    let place = |words: &[&str; 3], word: &str| words.iter().position(|known| *known == word);
    let strongest = |words: &[&str; 3], own: &str, all: Vec<&str>| {
        let best = all.into_iter().chain([own]).max_by_key(|word| place(words, word));
        best.unwrap_or(own).to_owned()
    };
    let known = (own.kind != UNKNOWN).then_some(&own.kind);
    let kind = known.or_else(|| shown().map(|child| &child.kind).find(|kind| *kind != UNKNOWN));
    let chosen = children.iter().rev().find_map(|child| child.chosen);
    Standing {
        kind: kind.unwrap_or(&own.kind).clone(),
        stage: strongest(&STAGES, &own.stage, shown().map(|child| child.stage.as_str()).collect()),
        owner: chosen.or(own.owner).or_else(|| shown().find_map(|child| child.owner)),
        visibility: strongest(
            &SEEN_BY,
            &own.visibility,
            shown().map(|child| child.visibility.as_str()).collect(),
        ),
        language: own.language.clone().or_else(|| shown().find_map(|child| child.language.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MANY: usize = 7;

    fn name(n: usize) -> String {
        format!("c{}", n % MANY)
    }

    fn row(n: usize) -> MemberRow {
        let pick = |words: &[&str; 3], n: usize| words[n % 3].to_owned();
        MemberRow {
            id: name(n),
            root: None,
            parent: None,
            merge: None,
            chosen: None,
            shown: Standing {
                kind: if n.is_multiple_of(2) { UNKNOWN } else { "person" }.to_owned(),
                stage: pick(&STAGES, n),
                owner: (n % 3 == 1).then_some(n as Nid),
                visibility: pick(&SEEN_BY, n / 2),
                language: (n == 4).then(|| "pl".to_owned()),
            },
            own: None,
            version: 1,
        }
    }

    #[derive(Clone, Debug)]
    enum Act {
        Merge(usize, usize, bool),
        Undo(usize),
        Edit(usize, usize),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            5 => (0..MANY, 0..MANY, any::<bool>()).prop_map(|(a, b, chosen)| Act::Merge(a, b, chosen)),
            3 => (0..MANY).prop_map(Act::Undo),
            1 => (0..MANY, 0..3_usize).prop_map(|(n, stage)| Act::Edit(n, stage)),
        ]
    }

    /// Does something; gives what a person changed.
    fn run(families: &mut Families, act: &Act, nid: Nid) -> Option<(String, String)> {
        match act {
            Act::Merge(a, b, chosen) => {
                let (from, into) = (name(*a), name(*b));
                let owner = chosen.then_some(99);
                drop(families.merge(Merge { from: &from, into: &into, nid, owner }));
                None
            }
            Act::Undo(n) => {
                drop(families.undo(&name(*n)));
                None
            }
            Act::Edit(n, stage) => {
                let id = families.now(&name(*n)).to_owned();
                let member = families.members.get_mut(&id)?;
                let before = member.shown.clone();
                let stage = STAGES[*stage].to_owned();
                if before.stage == stage {
                    return None;
                }
                member.shown.stage.clone_from(&stage);
                member.own = edited(member.own.as_deref(), &before, &member.shown);
                Some((id, stage))
            }
        }
    }

    /// Sequences that are tried; all of them where there is time.
    fn cases() -> u32 {
        if std::env::var_os("KONTOR_TESTS_FULL").is_some() { 10_000 } else { 500 }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(cases()))]

        #[test]
        fn whatever_was_merged_comes_apart_exactly(
            acts in proptest::collection::vec(act(), 1..24),
            order in Just((0..MANY).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let start: Vec<MemberRow> = (0..MANY).map(row).collect();
            let mut families = Families::new(start.clone());
            let mut expected: BTreeMap<String, MemberRow> =
                start.into_iter().map(|row| (row.id.clone(), row)).collect();
            for (nid, act) in acts.iter().enumerate() {
                if let Some((id, stage)) = run(&mut families, act, nid as Nid) {
                    expected.get_mut(&id).unwrap().shown.stage = stage;
                }
                for member in families.members.values() {
                    // Redirects are never chains, and lead to where the merges lead.
                    let mut top = member;
                    while let Some(parent) = &top.parent {
                        top = &families.members[parent];
                    }
                    prop_assert_eq!(families.now(&member.id), &top.id);
                    prop_assert_eq!(member.root.is_some(), member.parent.is_some());
                }
            }
            for n in order {
                drop(families.undo(&name(n)));
            }
            prop_assert_eq!(families.members, expected);
        }
    }

    #[test]
    fn what_stays_takes_the_nearest_stage_and_the_narrowest_circle() {
        let mut families = Families::new((0..3).map(row).collect());
        let merge = |from, into, nid| Merge { from, into, nid, owner: None };
        families.merge(merge("c2", "c0", 1)).unwrap();
        let shown = &families.get("c0").unwrap().shown;
        assert_eq!((shown.stage.as_str(), shown.visibility.as_str()), ("customer", "team"));
        assert_eq!(families.merge(merge("c0", "c0", 2)), Err(Refused::Same));
        assert_eq!(families.merge(merge("c2", "c0", 2)), Err(Refused::Same));
        assert_eq!(families.merge(merge("c2", "c1", 2)), Err(Refused::Gone));
        assert_eq!(families.of("c2"), ["c0", "c2"]);
        families.undo("c2").unwrap();
        assert_eq!(families.changed().count(), 0);
        assert_eq!(families.undo("c2"), Err(Refused::Gone));
    }

    #[test]
    fn of_two_owners_one_is_chosen() {
        let mut rows: Vec<MemberRow> = (0..2).map(row).collect();
        (rows[0].shown.owner, rows[1].shown.owner) = (Some(5), Some(6));
        let mut families = Families::new(rows);
        let merge = |owner| Merge { from: "c0", into: "c1", nid: 1, owner };
        assert_eq!(families.merge(merge(None)), Err(Refused::TwoOwners(6, 5)));
        families.merge(merge(Some(5))).unwrap();
        assert_eq!(families.get("c1").unwrap().shown.owner, Some(5));
        families.undo("c0").unwrap();
        assert_eq!(families.get("c1").unwrap().shown.owner, Some(6));
    }
}
