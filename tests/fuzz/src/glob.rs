//! Patterns of push rules, filters and invitation rules: the pattern stands in the first line, the
//! text in the rest. Matching agrees with the definition, and takes time by the length of the text.

use crate::two_lines;
use kontor_model::glob::{Glob, MAX_LETTERS, wildcard};

/// Longest text that the definition is asked about, letters: it takes the square of that.
const LONGEST: usize = 60;

pub(crate) fn run(data: &[u8]) {
    let Some((pattern, text)) = two_lines(data) else { return };
    let letters = pattern.chars().filter(|letter| *letter != '*').count();
    let glob = Glob::new(pattern);
    assert_eq!(glob.is_some(), letters <= MAX_LETTERS, "{letters} letters");
    let as_it_stands = matches(pattern, text, false);
    assert_eq!(wildcard(pattern, text), as_it_stands, "{pattern:?} on {text:?}");
    let literal = Glob::literal(pattern);
    assert!(literal.is_none_or(|literal| literal.matches(text) == (pattern == text)));
    let Some(glob) = glob else { return };
    assert_eq!(glob.matches(text), matches(pattern, text, true), "{pattern:?} on {text:?}");
    let in_words = glob.matches_words(text);
    if text.chars().count() <= LONGEST {
        assert_eq!(in_words, words_match(pattern, text), "{pattern:?} in {text:?}");
    }
}

/// Whether a pattern in which `*` is the only wildcard matches, as the server finds it. Asked of what
/// others define by it.
pub(crate) fn agrees(pattern: &str, text: &str) -> bool {
    let found = wildcard(pattern, text);
    assert_eq!(found, matches(pattern, text, false), "{pattern:?} on {text:?}");
    found
}

/// The definition: which beginnings of the text match which beginnings of the pattern.
fn matches(pattern: &str, text: &str, letter_for_any: bool) -> bool {
    let text: Vec<char> = text.chars().collect();
    // `reached[n]`: what was read of the pattern matches the first n letters.
    let mut reached: Vec<bool> = (0..=text.len()).map(|length| length == 0).collect();
    for letter in pattern.chars() {
        if letter == '*' {
            let first = reached.iter().position(|reached| *reached).unwrap_or(text.len() + 1);
            reached.iter_mut().skip(first).for_each(|reached| *reached = true);
            continue;
        }
        for length in (1..=text.len()).rev() {
            let fits = text[length - 1] == letter || (letter_for_any && letter == '?');
            reached[length] = reached[length - 1] && fits;
        }
        reached[0] = false;
    }
    reached[text.len()]
}

fn words_match(pattern: &str, text: &str) -> bool {
    let letters: Vec<char> = text.chars().collect();
    let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let boundary = |at: usize| at == 0 || at == letters.len() || !word(letters[at - 1]) || !word(letters[at]);
    let places: Vec<usize> = (0..=letters.len()).filter(|at| boundary(*at)).collect();
    let mut parts = places.iter().flat_map(|from| places.iter().map(move |to| (*from, *to)));
    parts.any(|(from, to)| {
        (from < to || letters.is_empty())
            && matches(pattern, &letters[from.min(to)..to].iter().collect::<String>(), true)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::time::{Duration, Instant};

    /// The least time of several tries: a busy machine makes single ones longer, none shorter.
    fn least(tries: usize, mut work: impl FnMut() -> bool) -> Duration {
        let once = |_| {
            let began = Instant::now();
            black_box(work());
            began.elapsed()
        };
        (0..tries).map(once).min().unwrap_or_default()
    }

    /// Makes a text of a length.
    type Text = fn(usize) -> String;
    /// Says whether a text is meant.
    type Matcher<'a> = &'a dyn Fn(&str) -> bool;

    /// Pattern and text that make a matcher which tries one way after the other slow.
    fn hostile() -> Vec<(String, Text)> {
        vec![
            (format!("{}b", "*a".repeat(60)), |length| "a".repeat(length)),
            (format!("{}b", "*a?".repeat(42)), |length| "a".repeat(length)),
            (format!("{}c", "a*b*".repeat(30)), |length| "ab".repeat(length / 2)),
            ("*".repeat(2_000) + "b", |length| "a".repeat(length)),
            (format!("{}-", "a".repeat(100)), |length| "aa-".repeat(length / 3)),
            ("żółć*".repeat(20) + "?", |length| "żółć ".repeat(length / 5)),
            ("?".repeat(MAX_LETTERS), |length| " ".repeat(length)),
        ]
    }

    #[test]
    fn time_grows_with_the_text_and_no_faster() {
        const SHORT: usize = 4_000;
        const TIMES: usize = 16;
        for (pattern, text) in hostile() {
            let glob = Glob::new(&pattern).expect("no pattern");
            let (short, long) = (text(SHORT), text(SHORT * TIMES));
            let ways: [(&str, Matcher<'_>); 3] = [
                ("whole", &|text| glob.matches(text)),
                ("words", &|text| glob.matches_words(text)),
                ("wildcard", &|text| wildcard(&pattern, text)),
            ];
            for (name, matches) in ways {
                let (first, then) = (least(9, || matches(&short)), least(9, || matches(&long)));
                // With the square of the length it would be 256 times as much.
                let most = first.max(Duration::from_micros(20)) * 6 * TIMES as u32;
                assert!(then <= most, "{name}: {first:?} became {then:?} with {pattern:.40}");
            }
        }
    }
}
