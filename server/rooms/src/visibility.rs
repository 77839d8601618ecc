//! Who may see which event: history visibility and the reader's own membership, as they were when
//! the event came (client-server API, "Room history visibility").
//!
//! Two short histories decide for any number of events; no state snapshot is read.

use kontor_store::rooms::cache::Erased;
use kontor_store::rooms::state::{Histories, Turn};
use std::sync::Arc;

/// What one user may see of one room.
#[derive(Clone, Debug, Default)]
pub struct Visibility {
    visibility: Vec<(i64, Setting)>,
    membership: Vec<(i64, String)>,
    /// Place of the last join: events up to here were "later joined".
    last_join: Option<i64>,
    /// Whose words are kept from those who join later.
    erased: Arc<Erased>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setting {
    WorldReadable,
    Shared,
    Invited,
    Joined,
}

impl Setting {
    fn parse(text: &str) -> Self {
        match text {
            "world_readable" => Self::WorldReadable,
            "invited" => Self::Invited,
            "joined" => Self::Joined,
            // Absent and unknown values read as "shared".
            _ => Self::Shared,
        }
    }
}

/// The value just before a place and at it; they differ only for the event that changed it.
fn around<T>(turns: &[(i64, T)], ord: i64) -> (Option<&T>, Option<&T>) {
    let before = turns.partition_point(|(at, _)| *at < ord);
    let at = turns.partition_point(|(place, _)| *place <= ord);
    let value =
        |count: usize| count.checked_sub(1).and_then(|index| turns.get(index)).map(|(_, value)| value);
    (value(before), value(at))
}

impl Visibility {
    /// From the two histories of a room.
    pub fn new(histories: &Histories) -> Self {
        let membership: Vec<_> =
            histories.membership.iter().map(|turn| (turn.ord, turn.value.clone())).collect();
        let last_join = membership.iter().filter(|(_, value)| value == "join").map(|(ord, _)| *ord).max();
        // A profile change repeats "join"; what counts for "joined later" is being joined after it.
        let setting = |turn: &Turn| (turn.ord, Setting::parse(&turn.value));
        let visibility = histories.visibility.iter().map(setting).collect();
        Self { visibility, membership, last_join, erased: Arc::clone(&histories.erased) }
    }

    /// Of somebody who has been joined for as long as it matters: no history needs to be read.
    pub fn of_member() -> Self {
        Self { membership: vec![(i64::MIN, "join".to_owned())], ..Self::default() }
    }

    /// Of somebody who stands outside with an invitation or a knock, as far as stripped state goes.
    pub fn outside(membership: &str) -> Self {
        Self { membership: vec![(i64::MIN, membership.to_owned())], ..Self::default() }
    }

    /// Whether somebody's words are kept from the reader: their account was erased before the reader
    /// first joined.
    pub fn keeps_words_of(&self, sender: &str) -> bool {
        self.erased.since(sender).is_some_and(|erased| {
            !self.membership.iter().any(|(ord, membership)| *ord <= erased && membership == "join")
        })
    }

    /// Everybody whose words are kept from the reader, sorted.
    pub fn kept_senders(&self) -> Vec<String> {
        let mut users: Vec<String> =
            self.erased.users().into_iter().filter(|user| self.keeps_words_of(user)).collect();
        users.sort_unstable();
        users
    }

    /// Whether the event at this place may be shown.
    pub fn may_see(&self, ord: i64) -> bool {
        let (setting_before, setting_at) = around(&self.visibility, ord);
        let (mine_before, mine_at) = around(&self.membership, ord);
        let joined_later = self.joined_at_or_after(ord);
        // The event that changes a setting is shown when either value allows it, and so is the
        // reader's own membership event.
        [setting_before, setting_at].into_iter().any(|setting| {
            let setting = setting.copied().unwrap_or(Setting::Shared);
            [mine_before, mine_at].into_iter().any(|mine| {
                let mine = mine.map_or("leave", String::as_str);
                match setting {
                    Setting::WorldReadable => true,
                    Setting::Shared => mine == "join" || joined_later,
                    Setting::Invited => mine == "join" || mine == "invite",
                    Setting::Joined => mine == "join",
                }
            })
        })
    }

    /// The parts of the room that may be shown, as `(after, until]`, oldest first: what
    /// [`Self::may_see`] says of every place.
    pub fn ranges(&self) -> Vec<(i64, i64)> {
        let turns =
            self.visibility.iter().map(|turn| turn.0).chain(self.membership.iter().map(|turn| turn.0));
        let mut turns: Vec<i64> = turns.filter(|ord| *ord > i64::MIN).collect();
        turns.sort_unstable();
        turns.dedup();
        // Between two turns nothing changes; the turns themselves stand for both sides.
        let mut ends: Vec<i64> = turns.iter().flat_map(|turn| [turn - 1, *turn]).collect();
        ends.push(i64::MAX);
        let mut ranges: Vec<(i64, i64)> = Vec::new();
        let mut after = i64::MIN;
        for until in ends {
            if until > after && self.may_see(until) {
                match ranges.last_mut().filter(|last| last.1 == after) {
                    Some(last) => last.1 = until,
                    None => ranges.push((after, until)),
                }
            }
            after = until;
        }
        ranges
    }

    fn joined_at_or_after(&self, ord: i64) -> bool {
        self.last_join.is_some_and(|join| join >= ord)
            || around(&self.membership, ord).1.is_some_and(|mine| mine == "join")
    }

    /// The reader's membership when the event at this place came.
    pub fn membership_at(&self, ord: i64) -> &str {
        around(&self.membership, ord).1.map_or("leave", String::as_str)
    }

    /// The reader's present membership.
    pub fn membership(&self) -> &str {
        self.membership.last().map_or("leave", |(_, value)| value)
    }

    /// Whether the room's history is open to everybody at present.
    pub fn world_readable(&self) -> bool {
        self.visibility.last().is_some_and(|(_, setting)| *setting == Setting::WorldReadable)
    }

    /// Up to which place the reader may know the room's state: everything for members, the moment
    /// of leaving for those who left, nothing for those who never were in.
    pub fn state_until(&self) -> Option<i64> {
        if self.membership() == "join" || self.world_readable() {
            return Some(i64::MAX);
        }
        let last = self.membership.iter().rposition(|(_, value)| value == "join")?;
        // The change that ended the last stay; a ban after a leave does not show more.
        self.membership.get(last + 1).map(|(ord, _)| *ord)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histories(visibility: &[(i64, &str)], membership: &[(i64, &str)]) -> Visibility {
        let turns = |list: &[(i64, &str)]| {
            list.iter().map(|(ord, v)| Turn { ord: *ord, value: (*v).to_owned() }).collect()
        };
        Visibility::new(&Histories {
            visibility: turns(visibility),
            membership: turns(membership),
            ..Histories::default()
        })
    }

    #[test]
    fn who_left_sees_what_came_before_and_nothing_after() {
        let v = histories(&[(1, "shared")], &[(5, "join"), (10, "leave")]);
        assert!(v.may_see(1) && v.may_see(7) && v.may_see(10));
        assert!(!v.may_see(11));
        assert_eq!(v.state_until(), Some(10));
    }

    #[test]
    fn joined_history_begins_with_ones_own_join() {
        let v = histories(&[(1, "joined")], &[(3, "invite"), (5, "join")]);
        assert!(!v.may_see(2) && !v.may_see(4));
        assert!(v.may_see(5) && v.may_see(6));
        let v = histories(&[(1, "invited")], &[(3, "invite"), (5, "join")]);
        assert!(!v.may_see(2));
        assert!(v.may_see(3) && v.may_see(4));
    }

    #[test]
    fn a_return_shows_shared_history_of_the_absence() {
        let v = histories(&[(1, "shared")], &[(5, "join"), (10, "leave"), (20, "join"), (30, "leave")]);
        assert!(v.may_see(15) && v.may_see(30));
        assert!(!v.may_see(31));
    }

    #[test]
    fn a_change_of_the_setting_is_shown_when_either_value_allows_it() {
        let v = histories(&[(1, "world_readable"), (8, "joined")], &[]);
        assert!(v.may_see(7) && v.may_see(8));
        assert!(!v.may_see(9));
        let v = histories(&[(1, "joined"), (8, "world_readable")], &[]);
        assert!(v.may_see(8) && !v.may_see(7));
    }

    #[test]
    fn strangers_and_invited_people_see_only_what_is_open() {
        let v = histories(&[(1, "shared")], &[]);
        assert!(!v.may_see(2));
        assert_eq!(v.state_until(), None);
        let v = histories(&[(1, "shared")], &[(4, "invite")]);
        assert!(!v.may_see(5), "an invitation alone does not open shared history");
    }

    #[test]
    fn ranges_say_of_every_place_what_may_be_seen() {
        let cases = [
            histories(&[], &[]),
            histories(&[(1, "shared")], &[(5, "join"), (10, "leave")]),
            histories(&[(1, "joined")], &[(3, "invite"), (5, "join")]),
            histories(
                &[(1, "invited"), (2, "shared"), (7, "joined")],
                &[(3, "invite"), (4, "join"), (9, "ban")],
            ),
            histories(&[(1, "world_readable"), (8, "joined")], &[]),
            histories(
                &[(1, "shared")],
                &[(5, "join"), (6, "join"), (10, "leave"), (20, "join"), (30, "leave")],
            ),
            Visibility::of_member(),
        ];
        for visibility in cases {
            let ranges = visibility.ranges();
            for ord in -1..40 {
                let within = ranges.iter().any(|(after, until)| *after < ord && ord <= *until);
                assert_eq!(within, visibility.may_see(ord), "{ord} of {visibility:?}: {ranges:?}");
            }
        }
        assert_eq!(Visibility::of_member().ranges(), [(i64::MIN, i64::MAX)]);
    }
}
