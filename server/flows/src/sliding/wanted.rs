//! What is wanted of a room: how many events, and which state. Rooms that match several lists and
//! subscriptions get what any of them asks for.

use super::request::MAX_LIMIT;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Any type, or any state key.
const ANY: &str = "*";
/// The reader, as a state key.
const ME: &str = "$ME";
/// Those whose events are told, as a state key of member events.
const LAZY: &str = "$LAZY";
/// The type of memberships.
pub(super) const MEMBER: &str = "m.room.member";

/// Types and state keys.
type Entries = BTreeSet<(String, String)>;

/// Which state is wanted: types and state keys. Shared, since thousands of rooms of a list want the
/// same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Entries", into = "Entries")]
pub(super) struct RequiredState(Arc<Entries>);

impl From<Entries> for RequiredState {
    fn from(entries: Entries) -> Self {
        Self(Arc::new(entries))
    }
}

impl From<RequiredState> for Entries {
    fn from(state: RequiredState) -> Self {
        Arc::unwrap_or_clone(state.0)
    }
}

/// What is wanted of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Events.
    pub limit: u64,
    /// State.
    pub state: RequiredState,
}

impl Wanted {
    pub fn new(limit: u64, state: &[(String, String)]) -> Self {
        Self { limit: limit.min(MAX_LIMIT), state: state.iter().cloned().collect::<Entries>().into() }
    }

    /// Adds what else is wanted.
    pub fn join(&mut self, other: &Self) {
        self.limit = self.limit.max(other.limit);
        if !self.state.covers(&other.state) {
            Arc::make_mut(&mut self.state.0).extend(other.state.0.iter().cloned());
        }
    }
}

impl RequiredState {
    /// Whether a piece of state is wanted for its type and key alone.
    pub fn names(&self, kind: &str, key: &str, me: &str) -> bool {
        // "Everything, members lazily" means no other members.
        let lazy = kind == MEMBER && self.is_lazy();
        self.0.iter().any(|(wanted_kind, wanted_key)| {
            let kind_fits = wanted_kind == kind || (wanted_kind == ANY && !(lazy && wanted_key == ANY));
            let key_fits = match wanted_key.as_str() {
                ANY => true,
                ME => key == me,
                LAZY => false,
                other => other == key,
            };
            kind_fits && key_fits
        })
    }

    /// Whether members are wanted whose events are told.
    pub fn is_lazy(&self) -> bool {
        self.0.iter().any(|(kind, key)| kind == MEMBER && key == LAZY)
    }

    /// Whether all members are wanted.
    pub fn all_members(&self) -> bool {
        self.names(MEMBER, "", "") && self.names(MEMBER, "@", "")
    }

    /// Users whose member events are wanted by name; `me` among them if so.
    pub fn single_members<'a>(&'a self, me: &'a str) -> impl Iterator<Item = &'a str> {
        let of_members = self.0.iter().filter(|(kind, _)| kind == MEMBER || kind == ANY);
        of_members.filter_map(move |(_, key)| match key.as_str() {
            ME => Some(me),
            key if key.starts_with('@') => Some(key),
            _ => None,
        })
    }

    /// The types that are wanted, memberships aside; `None` when all are.
    pub fn types(&self) -> Option<impl Iterator<Item = &str>> {
        let any = self.0.iter().any(|(kind, _)| kind == ANY);
        (!any).then(|| self.0.iter().map(|(kind, _)| kind.as_str()).filter(|kind| *kind != MEMBER))
    }

    /// Whether `other` wants nothing more.
    pub fn covers(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.is_superset(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(list: &[(&str, &str)]) -> RequiredState {
        list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Entries>().into()
    }

    #[test]
    fn types_and_keys_match_by_name_and_wildcard() {
        let wanted = state(&[("m.room.name", ""), ("a", "*"), ("*", "key"), (MEMBER, "$ME")]);
        assert!(wanted.names("m.room.name", "", "@me:x") && !wanted.names("m.room.name", "x", "@me:x"));
        assert!(wanted.names("a", "whatever", "@me:x") && wanted.names("b", "key", "@me:x"));
        assert!(wanted.names(MEMBER, "@me:x", "@me:x") && !wanted.names(MEMBER, "@you:x", "@me:x"));
        assert!(!wanted.all_members() && !wanted.is_lazy());
        assert_eq!(wanted.single_members("@me:x").collect::<Vec<_>>(), ["@me:x"]);
        assert!(wanted.types().is_none());
        assert_eq!(state(&[("a", "b"), (MEMBER, "*")]).types().unwrap().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn everything_with_lazy_members_is_not_all_members() {
        let wanted = state(&[("*", "*"), (MEMBER, "$LAZY")]);
        assert!(wanted.names("a", "b", "@me:x") && !wanted.names(MEMBER, "@you:x", "@me:x"));
        assert!(wanted.is_lazy() && !wanted.all_members());
        assert!(state(&[("*", "*")]).all_members() && state(&[(MEMBER, "*")]).all_members());
        assert!(state(&[(MEMBER, "*"), (MEMBER, "$LAZY")]).all_members());
        assert!(!state(&[(MEMBER, "$LAZY")]).names(MEMBER, "$LAZY", "@me:x"));
    }

    #[test]
    fn several_wishes_become_one() {
        let mut wanted = Wanted::new(1, &[("a".into(), "".into())]);
        wanted.join(&Wanted::new(1_000, &[("b".into(), "".into())]));
        assert_eq!(wanted.limit, MAX_LIMIT);
        assert!(wanted.state.covers(&state(&[("a", ""), ("b", "")])));
        assert!(!state(&[("a", "")]).covers(&wanted.state));
    }
}
