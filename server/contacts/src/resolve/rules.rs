//! The rules that attaching and merging share: when names agree, when two contacts may be one.

use super::score::names_of;
use super::{Arrival, Holders, Medium, Person};
use crate::keys::name::{Likeness, Match, Name, compare, handle_agrees, pairs};
use crate::keys::{Key, Kind, Nature};

/// A key that more contacts than these hold belongs to nobody in particular.
pub const MOST_HOLDERS: usize = 3;

/// How a name stands to those of a contact: agreement in full outweighs everything, then a contradiction,
/// since a first name alone agrees with many.
pub fn likeness(name: &Name, names: &[Name]) -> Likeness {
    let (mut compatible, mut conflict) = (false, false);
    for known in names {
        match compare(name, known) {
            Likeness::Same => return Likeness::Same,
            Likeness::Compatible => compatible = true,
            Likeness::Conflict => conflict = true,
            Likeness::Unknown => {}
        }
    }
    match (conflict, compatible) {
        (true, _) => Likeness::Conflict,
        (false, true) => Likeness::Compatible,
        _ => Likeness::Unknown,
    }
}

/// How the names of two contacts stand to one another.
pub fn likeness_of(a: &[Name], b: &[Name]) -> Likeness {
    let mut least = Likeness::Unknown;
    let mut best = Likeness::Conflict;
    for name in a.iter().filter(|name| name.speaks()) {
        let found = likeness(name, b);
        if found == Likeness::Same {
            return Likeness::Same;
        }
        if found == Likeness::Conflict {
            least = Likeness::Conflict;
        }
        best = best.max(found);
    }
    if least == Likeness::Conflict { least } else { best.max(least) }
}

/// Whether a key may attach or merge by itself.
pub fn is_free(key: &Key, holders: &Holders) -> bool {
    key.nature == Nature::Personal && !holders.contested && holders.contacts.len() <= MOST_HOLDERS
}

/// Whether an arrival's id is a second one in a place where people have one.
pub fn second_id(arrival: &Arrival, person: &Person) -> bool {
    matches!(arrival.medium, Medium::Account | Medium::Number)
        && person.places.iter().any(|(place, id)| *place == arrival.place && *id != arrival.external_id)
}

/// Whether two contacts have different ids in one place.
pub fn two_ids(a: &Person, b: &Person) -> bool {
    let differs = |(place, id): &(String, String)| {
        let mut same_place = b.places.iter().filter(|(other, _)| other == place).peekable();
        same_place.peek().is_some() && !same_place.any(|(_, other)| other == id)
    };
    a.places.iter().any(differs)
}

/// Names that an arrival hints at without showing them: its handle, what its own mailboxes are called.
pub fn hinted(arrival: &Arrival) -> Vec<Name> {
    let mut hints = Vec::new();
    if arrival.name.handle {
        hints.push(arrival.name.clone());
    }
    let mailboxes = arrival.proven.iter().filter(|key| key.kind == Kind::Email);
    for key in mailboxes.filter(|key| key.nature == Nature::Personal) {
        hints.extend(names_of(&key.text));
    }
    hints
}

/// Whether one of some handles holds a word of one of some names.
pub fn holds_a_name(handles: &[Name], names: &[Name]) -> bool {
    names.iter().any(|name| handles.iter().any(|handle| handle_agrees(handle, name)))
}

/// How a key joins two contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// It is a personal one that hardly anybody else has; `proven`: the network vouches for it on both sides.
    Alone {
        /// Whether nobody can have mistyped it.
        proven: bool,
    },
    /// Several people use it.
    Among,
}

/// Whether two contacts may be merged without a person's decision, given that a key joins them. One that
/// somebody typed does not do it alone: the names must agree, or a handle must hold one; of a key that
/// several people use, two whole words of them.
pub fn may_merge(a: (&str, &Person), b: (&str, &Person), joined: Joined) -> bool {
    let forbidden =
        a.1.others.iter().any(|other| other == b.0) || b.1.others.iter().any(|other| other == a.0);
    let (x, y) = (&a.1.names, &b.1.names);
    let agrees = match (likeness_of(x, y), joined) {
        (Likeness::Same, Joined::Among) => whole_names_agree(x, y),
        (Likeness::Same | Likeness::Compatible, Joined::Alone { .. }) => true,
        (Likeness::Unknown, Joined::Alone { proven }) => proven || holds_a_name(x, y) || holds_a_name(y, x),
        (Likeness::Conflict, _) | (_, Joined::Among) => false,
    };
    let in_the_way = forbidden || two_ids(a.1, b.1) || (a.1.customer && b.1.customer);
    agrees && !in_the_way
}

/// Whether two words of a name of each agree, initials not counted.
fn whole_names_agree(a: &[Name], b: &[Name]) -> bool {
    let agree = |x: &Name, y: &Name| {
        x.speaks() && y.speaks() && pairs(x, y).iter().filter(|(.., kind)| *kind >= Match::Short).count() > 1
    };
    a.iter().any(|x| b.iter().any(|y| agree(x, y)))
}
