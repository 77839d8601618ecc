//! Names of people as networks show them: words in any order, initials, short forms, handles.

use super::alike::jaro_winkler;
use super::lists;
use super::skeleton::{bones, fold};
use std::collections::HashMap;
use std::sync::LazyLock;

/// Longest name that is looked at, in characters, and words of one.
const LONGEST: usize = 120;
const MOST_WORDS: usize = 6;
/// Words that look alike from here on (Jaro and Winkler's measure) are one word with a slip.
const ALIKE: f64 = 0.92;
/// Letters of the shortest word that may stand for a longer one that it begins, or have a slip.
const SHORT: usize = 3;

/// A word of a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Word {
    /// Its skeleton; of an initial, the letter.
    pub bones: String,
    /// Its first letter.
    pub first: char,
    /// Whether it is one letter.
    pub initial: bool,
}

/// A name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Name {
    /// Its words.
    pub words: Vec<Word>,
    /// Whether it is one that people give themselves in networks: no name to rely on.
    pub handle: bool,
}

/// How two names stand to one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// They cannot be names of one person, short of a slip.
    Conflict,
    /// At least one says nothing.
    Unknown,
    /// What both say agrees, but it is one word or an initial.
    Compatible,
    /// Two words agree, or one and an initial.
    Same,
}

impl Name {
    /// Reads a name. Placeholders of programs are no names.
    pub fn read(shown: &str) -> Self {
        let shown: String = shown.chars().take(LONGEST).collect();
        let folded = fold(shown.trim());
        let handle = is_handle(&folded);
        let parts = folded.split(|c: char| !(c.is_ascii_alphabetic() || c == '\'' || c == '`'));
        let mut words: Vec<Word> = Vec::new();
        for part in parts.map(|part| part.trim_matches(['\'', '`'])) {
            // The Cyrillic Kha is written with two Latin letters.
            let part = part.strip_prefix('k').filter(|rest| rest.starts_with('h')).unwrap_or(part);
            let mut letters = part.chars().filter(char::is_ascii_alphabetic);
            let (Some(first), initial) = (letters.next(), letters.next().is_none()) else { continue };
            let bones = if initial { first.to_string() } else { bones(part) };
            if !bones.is_empty() && !lists::NAMELESS.contains(&part) {
                words.push(Word { bones, first, initial });
            }
        }
        words.truncate(MOST_WORDS);
        if words.iter().all(|word| word.initial) && !handle {
            words.clear();
        }
        Self { words, handle }
    }

    /// Whether it says who somebody is.
    pub fn speaks(&self) -> bool {
        !self.handle && !self.words.is_empty()
    }

    /// Its words that are more than initials.
    pub fn full_words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().filter(|word| !word.initial).map(|word| word.bones.as_str())
    }
}

fn is_handle(folded: &str) -> bool {
    let spaced = folded.contains(char::is_whitespace);
    let figures = folded.chars().any(|c| c.is_ascii_digit());
    let inner = |sign| folded.trim_matches(sign).contains(sign);
    figures || (!spaced && (inner('_') || inner('.') || folded.starts_with('@')))
}

/// How two words stand to one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    /// Not at all.
    None,
    /// One is the initial of the other.
    Initial,
    /// One is a short form of the other.
    Short,
    /// The same but for a slip.
    Alike,
    /// The same.
    Exact,
}

/// Compares two words.
pub fn match_words(a: &Word, b: &Word) -> Match {
    if a.initial || b.initial {
        // Letters that other scripts write alike.
        let level = |letter: char| match letter {
            'y' | 'j' => 'i',
            'w' => 'v',
            letter => letter,
        };
        return if level(a.first) == level(b.first) { Match::Initial } else { Match::None };
    }
    if a.bones == b.bones {
        return Match::Exact;
    }
    let shorter = a.bones.len().min(b.bones.len());
    if shorter < SHORT {
        return Match::None;
    }
    if are_short_forms(&a.bones, &b.bones) {
        return Match::Short;
    }
    if shorter > SHORT && jaro_winkler(&a.bones, &b.bones) >= ALIKE {
        return Match::Alike;
    }
    let begins = a.bones.starts_with(b.bones.as_str()) || b.bones.starts_with(a.bones.as_str());
    if begins { Match::Short } else { Match::None }
}

/// Which names a short form stands for.
static GROUPS: LazyLock<HashMap<String, Vec<usize>>> = LazyLock::new(|| {
    let mut groups: HashMap<String, Vec<usize>> = HashMap::new();
    for (group, names) in lists::NICKNAMES.iter().enumerate() {
        for name in *names {
            groups.entry(bones(&fold(name))).or_default().push(group);
        }
    }
    groups
});

fn are_short_forms(a: &str, b: &str) -> bool {
    match (GROUPS.get(a), GROUPS.get(b)) {
        (Some(a), Some(b)) => a.iter().any(|group| b.contains(group)),
        _ => false,
    }
}

/// The best way to pair the words of two names: each pair with how it matches.
pub fn pairs<'a>(a: &'a Name, b: &'a Name) -> Vec<(&'a Word, &'a Word, Match)> {
    let mut all: Vec<(Match, usize, usize)> = Vec::new();
    for (i, x) in a.words.iter().enumerate() {
        for (j, y) in b.words.iter().enumerate() {
            let found = match_words(x, y);
            if found > Match::None {
                all.push((found, i, j));
            }
        }
    }
    all.sort_by(|x, y| y.0.cmp(&x.0).then((x.1, x.2).cmp(&(y.1, y.2))));
    let (mut left, mut right, mut found) = (0_u64, 0_u64, Vec::new());
    for (kind, i, j) in all {
        if left & (1 << i) == 0 && right & (1 << j) == 0 {
            left |= 1 << i;
            right |= 1 << j;
            if let (Some(x), Some(y)) = (a.words.get(i), b.words.get(j)) {
                found.push((x, y, kind));
            }
        }
    }
    found
}

/// Compares two names.
pub fn compare(a: &Name, b: &Name) -> Likeness {
    if !a.speaks() || !b.speaks() {
        return Likeness::Unknown;
    }
    let paired = pairs(a, b);
    let words = paired.iter().filter(|(_, _, kind)| *kind >= Match::Short).count();
    let initials =
        paired.iter().filter(|(x, y, kind)| *kind == Match::Initial && x.initial != y.initial).count();
    let same_initials = paired.iter().filter(|(x, y, _)| x.initial && y.initial).count();
    let open = a.words.len().min(b.words.len()) > paired.len();
    match (words, initials + same_initials) {
        (2.., _) => Likeness::Same,
        (1, 1..) => Likeness::Same,
        (1, 0) if !open => Likeness::Compatible,
        (0, 1..) if !open => Likeness::Compatible,
        _ => Likeness::Conflict,
    }
}

/// Whether a handle holds a word of a name: what both say agrees, though a handle alone says nothing.
pub fn handle_agrees(handle: &Name, name: &Name) -> bool {
    handle.handle && name.speaks() && pairs(handle, name).iter().any(|(.., kind)| *kind >= Match::Short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_agree_in_any_order_script_and_short_form() {
        for (a, b, expected) in [
            ("Jan Kowalski", "KOWALSKI Jan", Likeness::Same),
            ("Маттев Станлеи", "Matthew Stanley", Likeness::Same),
            ("Хаиден Вилліе", "H. Wyllie", Likeness::Same),
            ("Shelbey Hayball", "Shel H.", Likeness::Same),
            ("Zachariah Morcom", "Zacariah Morcom", Likeness::Same),
            ("Amelia", "Amelia Benger", Likeness::Compatible),
            ("Amelia", "A. Benger", Likeness::Compatible),
            ("Bob Nowak", "Robert Nowak", Likeness::Same),
            ("Jake Green", "Tayla Green", Likeness::Conflict),
            ("K. Kooymans", "Cameron", Likeness::Conflict),
            ("Magn", "Conn B.", Likeness::Conflict),
            ("Gość", "Jan Kowalski", Likeness::Unknown),
            ("foxyro12", "Roisin Lorraway", Likeness::Unknown),
            ("", "Jan", Likeness::Unknown),
        ] {
            assert_eq!(compare(&Name::read(a), &Name::read(b)), expected, "{a} / {b}");
        }
    }

    #[test]
    fn what_is_no_name_says_nothing() {
        for shown in
            ["", "  ", "Gość", "Guest", "Гость", "J.", "user_1234", "48512345678", "beau.ru", "@ania", "🙂"]
        {
            assert!(!Name::read(shown).speaks(), "{shown}");
        }
        assert!(Name::read("Anna-Maria O'Neill").speaks());
    }

    proptest! {
        #[test]
        fn comparing_is_symmetric_and_a_name_never_contradicts_itself(a in "\\PC{0,24}", b in "[A-Za-zа-яё .]{0,20}") {
            let (a, b) = (Name::read(&a), Name::read(&b));
            prop_assert_eq!(compare(&a, &b), compare(&b, &a));
            prop_assert_ne!(compare(&a, &a), Likeness::Conflict);
        }
    }
}
