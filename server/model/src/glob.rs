//! Glob patterns (specification appendix, "Glob-style matching"): `*` is any text, `?` one letter.
//!
//! Patterns come from outside and are matched against texts from outside, so matching takes time
//! proportional to the text, whatever the pattern: all ways through the pattern are followed at
//! once, one bit each.

/// Letters and `?` that a [`Glob`] may have; its ways through the pattern fit one machine word.
pub const MAX_LETTERS: usize = 127;

/// A compiled pattern with `*` and `?`.
#[derive(Clone, Debug)]
pub struct Glob {
    /// At which places of the pattern each of its letters stands, sorted by letter.
    letters: Vec<(char, u128)>,
    /// Places that take any letter.
    any: u128,
    /// Places before which a `*` stands: a way may stay there.
    stars: u128,
    /// The place behind the last letter.
    goal: u128,
}

/// Letters that words consist of (client-server API, "Push rules").
fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

impl Glob {
    /// Compiles a pattern; `None` above [`MAX_LETTERS`] letters, `*` not counted.
    pub fn new(pattern: &str) -> Option<Self> {
        Self::compile(pattern, true)
    }

    /// Compiles a text that stands for itself, `*` and `?` included; `None` as in [`Glob::new`].
    pub fn literal(text: &str) -> Option<Self> {
        Self::compile(text, false)
    }

    fn compile(pattern: &str, wildcards: bool) -> Option<Self> {
        let mut letters: Vec<(char, u128)> = Vec::new();
        let (mut any, mut stars, mut place) = (0_u128, 0_u128, 0_usize);
        for letter in pattern.chars() {
            if wildcards && letter == '*' {
                stars |= 1 << place;
                continue;
            }
            if place == MAX_LETTERS {
                return None;
            }
            let bit = 1_u128 << place;
            place += 1;
            if wildcards && letter == '?' {
                any |= bit;
                continue;
            }
            match letters.iter_mut().find(|(known, _)| *known == letter) {
                Some((_, places)) => *places |= bit,
                None => letters.push((letter, bit)),
            }
        }
        letters.sort_unstable();
        Some(Self { letters, any, stars, goal: 1 << place })
    }

    /// The places that can be reached from `ways` by one letter of the text.
    fn step(&self, ways: u128, letter: char) -> u128 {
        let found = self.letters.binary_search_by_key(&letter, |(known, _)| *known);
        let places = found.ok().and_then(|index| self.letters.get(index)).map_or(0, |(_, places)| *places);
        ((ways & (places | self.any)) << 1) | (ways & self.stars)
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        let mut ways = 1;
        for letter in text.chars() {
            ways = self.step(ways, letter);
            if ways == 0 {
                return false;
            }
        }
        ways & self.goal != 0
    }

    /// Whether any part of the text matches that begins and ends at a word boundary: the ends of
    /// the text and every letter but `A-Z`, `a-z`, `0-9` and `_`.
    pub fn matches_words(&self, text: &str) -> bool {
        let mut ways = 0;
        let mut before: Option<char> = None;
        let mut letters = text.chars().peekable();
        if text.is_empty() {
            return self.matches(text);
        }
        while let Some(letter) = letters.next() {
            if !before.is_some_and(is_word) || !is_word(letter) {
                ways |= 1;
            }
            ways = self.step(ways, letter);
            let ends = !is_word(letter) || !letters.peek().copied().is_some_and(is_word);
            if ends && ways & self.goal != 0 {
                return true;
            }
            before = Some(letter);
        }
        false
    }
}

/// Whether the whole text matches a pattern in which `*` is the only wildcard.
pub fn wildcard(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut pieces: Vec<_> = rest.split('*').collect();
    let tail = pieces.pop().unwrap_or_default();
    for piece in pieces {
        // The earliest place leaves most for the rest, so there is nothing to come back to.
        let Some((_, behind)) = text.split_once(piece) else { return false };
        text = behind;
    }
    text.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// The definition itself, slow and plain.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
            Some((letter, rest)) => text
                .split_first()
                .is_some_and(|(head, tail)| (*letter == '?' || letter == head) && naive(rest, tail)),
        }
    }

    fn naive_words(pattern: &[char], text: &[char]) -> bool {
        let boundary =
            |at: usize| at == 0 || at == text.len() || !is_word(text[at - 1]) || !is_word(text[at]);
        let starts = (0..text.len().max(1)).filter(|at| boundary(*at));
        let mut parts = starts.flat_map(|from| (from..=text.len()).map(move |to| (from, to)));
        parts.any(|(from, to)| {
            (to > from || text.is_empty()) && boundary(to) && naive(pattern, &text[from..to])
        })
    }

    /// All texts over an alphabet up to a length.
    fn texts(alphabet: &[char], length: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..length {
            last = last.iter().flat_map(|t| alphabet.iter().map(move |c| format!("{t}{c}"))).collect();
            all.extend(last.clone());
        }
        all
    }

    #[test]
    fn every_short_pattern_agrees_with_the_definition() {
        let patterns = texts(&['a', 'b', '*', '?'], 4);
        let subjects = texts(&['a', 'b', ' '], 5);
        for pattern in &patterns {
            let letters: Vec<_> = pattern.chars().collect();
            let glob = Glob::new(pattern).unwrap();
            for subject in &subjects {
                let text: Vec<_> = subject.chars().collect();
                let (expected, in_words) = (naive(&letters, &text), naive_words(&letters, &text));
                assert_eq!(glob.matches(subject), expected, "{pattern:?} on {subject:?}");
                assert_eq!(glob.matches_words(subject), in_words, "{pattern:?} in {subject:?}");
                if !pattern.contains('?') {
                    assert_eq!(wildcard(pattern, subject), expected, "{pattern:?} on {subject:?}");
                }
            }
        }
    }

    #[test]
    fn words_are_found_as_the_specification_says() {
        let found = |pattern: &str, text: &str| Glob::new(pattern).unwrap().matches_words(text);
        assert!(found("ex*ple", "An example event."));
        assert!(found("exple", "exple"));
        assert!(found("exple", "An exciting triple-whammy, exple"));
        assert!(found("żółć", "to jest żółć!"));
        assert!(found("@room", "hi @room"));
        assert!(!found("cake", "pancakes"));
        assert!(found("cake*lie", "the cake is a lie"));
        assert!(!found("ex*ple", "inexample_"));
        assert!(Glob::literal("*a?").unwrap().matches_words("say *a? now"));
        assert!(!Glob::literal("*a?").unwrap().matches_words("say aab now"));
    }

    #[test]
    fn no_pattern_makes_matching_slow() {
        let text = "a".repeat(65_000);
        let started = Instant::now();
        let glob = Glob::new(&format!("{}b", "*a?".repeat(60))).unwrap();
        assert!(!glob.matches(&text));
        assert!(!glob.matches_words(&text));
        assert!(!wildcard(&format!("{}b", "*a".repeat(500)), &text));
        assert!(!Glob::new(&"aa-".repeat(42)).unwrap().matches_words(&"aa aa-".repeat(10_000)));
        assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
        assert!(Glob::new(&"a".repeat(MAX_LETTERS)).unwrap().matches(&"a".repeat(MAX_LETTERS)));
        assert!(Glob::new(&"a".repeat(MAX_LETTERS + 1)).is_none());
    }
}
