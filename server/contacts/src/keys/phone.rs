//! Telephone numbers: what people type, cleaned, and understood by the numbering plans of all countries.

use super::Nature;
use phonenumber::Mode;
use phonenumber::country::Id;
use phonenumber::metadata::{DATABASE, Descriptor, Descriptors};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use unicode_normalization::UnicodeNormalization;

/// The country whose numbers are written without a prefix.
pub type Region = Id;

/// Longest text that is looked at, in characters.
const LONGEST: usize = 120;
/// Numbers in one field.
const MOST: usize = 4;
/// Digits of the shortest number that is looked for beside another.
const SHORTEST: usize = 6;
/// Digits of the longest number, with the prefix for calls abroad.
const LONGEST_NUMBER: usize = 18;
/// What is remembered, twice: numbers of mixed countries cost half a millisecond each to check.
const REMEMBERED: usize = 16_384;

/// A number that exists in its country's plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    /// `+` and digits.
    pub e164: String,
    /// What it reaches.
    pub line: Line,
    /// Whether more was written than the number: a person behind a switchboard.
    pub extension: bool,
}

/// What a number reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// A telephone that somebody carries; also where the plan does not tell it from a fixed one.
    Mobile,
    /// A place.
    Fixed,
    /// A service: free, charged, shared.
    Service,
}

impl Phone {
    /// Whom it can stand for.
    pub fn nature(&self) -> Nature {
        match (self.line, self.extension) {
            (Line::Service, _) => Nature::Nobody,
            (Line::Mobile, false) => Nature::Personal,
            _ => Nature::Common,
        }
    }
}

/// The number of a field, if it holds exactly one.
pub fn one(raw: &str, region: Region) -> Option<Phone> {
    let mut found = all(raw, region);
    if found.len() == 1 { found.pop() } else { None }
}

/// All numbers of a field.
pub fn all(raw: &str, region: Region) -> Vec<Phone> {
    let text: String = raw.chars().take(LONGEST).nfkc().flat_map(digit).collect();
    split(&text).iter().filter_map(|part| understand(part, region)).collect()
}

/// A digit of any script as an ASCII one; everything else as it is.
fn digit(c: char) -> Option<char> {
    if c.is_ascii() || !c.is_numeric() {
        return Some(c);
    }
    let mut ascii = any_ascii::any_ascii_char(c).chars();
    ascii.next().filter(|c| c.is_ascii_digit()).or(Some('?'))
}

/// The parts of a field that may each be a number.
fn split(text: &str) -> Vec<String> {
    // Parameters belong to the number before them.
    let text = text.trim();
    let (number, parameters) = text.split_once(';').unwrap_or((text, ""));
    if parameters.starts_with("ext=") || parameters.contains("phone-context=") {
        let context = parameters.split("phone-context=").nth(1).filter(|context| context.starts_with('+'));
        let extension = if parameters.contains("ext=") { " ext. 1" } else { "" };
        let number = number.trim_start_matches("tel:");
        return vec![format!("{}{number}{extension}", context.unwrap_or_default())];
    }
    let mut parts = Vec::new();
    for part in text.split(['/', ',', ';', '|', '\n']) {
        let digits = |part: &str| part.chars().filter(char::is_ascii_digit).count();
        // A plus inside begins another number.
        let inner = part.char_indices().skip(1).filter(|(_, c)| *c == '+').map(|(at, _)| at);
        let mut start = 0;
        for at in inner.chain([part.len()]) {
            let piece = part.get(start..at).unwrap_or_default();
            if digits(piece) >= SHORTEST {
                parts.push(format!(
                    "{}{piece}",
                    part.get(..start).filter(|before| digits(before) == 0).unwrap_or_default()
                ));
                start = at;
            }
        }
    }
    parts.truncate(MOST + 1);
    parts
}

/// Cleans one number: gives `+` and digits, and whether an extension was cut off.
fn clean(text: &str) -> Option<(String, bool)> {
    let (text, extension) = without_extension(text);
    let text = without_remarks(&text);
    // A label before the number.
    let start = text.find(|c: char| c.is_ascii_digit() || c == '+')?;
    let (label, number) = text.split_at(start);
    let opens = label.trim_end().ends_with('(');
    if label.chars().any(|c| !(c.is_alphabetic() || " .:([-".contains(c))) {
        return None;
    }
    let number = number.trim();
    let international = number.starts_with('+') || number.starts_with("00");
    let number = if international && !opens { number.replacen("(0)", "", 1) } else { number.to_owned() };
    let mut digits = String::new();
    for c in number.chars() {
        match c {
            '0'..='9' => digits.push(c),
            '+' if digits.is_empty() => {}
            c if c.is_whitespace() || "-.()[]~\u{2010}\u{2011}\u{2012}\u{2013}\u{2212}".contains(c) => {}
            // Letters inside are a slip or a word; neither is guessed.
            _ => return None,
        }
    }
    let prefix = if number.starts_with('+') { "+" } else { "" };
    (digits.len() <= LONGEST_NUMBER).then(|| (format!("{prefix}{digits}"), extension))
}

/// Cuts an extension off: `wew. 12`, `ext. 5`, `x 44`, `# 3`, `доб. 7`.
fn without_extension(text: &str) -> (String, bool) {
    let lower = text.to_lowercase();
    if lower.len() != text.len() {
        return (text.to_owned(), false);
    }
    for mark in ["wewn", "wew", "ext", "x", "#", "доб", "вн", "int", "app"] {
        let found = lower.find(mark).filter(|at| {
            let before = lower.get(..*at).unwrap_or_default();
            let after = lower.get(at + mark.len()..).unwrap_or_default();
            let after = after.trim_start_matches(|c: char| !c.is_ascii_digit() && !c.is_alphabetic());
            before.chars().filter(char::is_ascii_digit).count() >= SHORTEST
                && (1..=7).contains(&after.trim_end().len())
                && after.trim_end().chars().all(|c| c.is_ascii_digit())
        });
        if let Some(at) = found {
            return (text.get(..at).unwrap_or_default().to_owned(), true);
        }
    }
    (text.to_owned(), false)
}

/// Leaves out what stands in brackets and has letters.
fn without_remarks(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, inner)) = rest.split_once('(') {
        kept.push_str(before);
        match inner.split_once(')') {
            Some((remark, after)) if remark.chars().any(char::is_alphabetic) => rest = after,
            _ => {
                kept.push('(');
                rest = inner;
            }
        }
    }
    kept + rest
}

#[derive(Default)]
struct Memory {
    young: HashMap<(String, Region), Option<(String, Line)>>,
    old: HashMap<(String, Region), Option<(String, Line)>>,
}

/// What was understood before: two generations, so that it stays small and forgets what nobody uses.
static MEMORY: LazyLock<Mutex<Memory>> = LazyLock::new(Mutex::default);

fn understand(text: &str, region: Region) -> Option<Phone> {
    let (digits, extension) = clean(text)?;
    let key = (digits, region);
    let remembered = {
        let mut memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
        match memory.young.get(&key) {
            Some(known) => Some(known.clone()),
            None => memory.old.remove(&key).inspect(|known| {
                memory.young.insert(key.clone(), known.clone());
            }),
        }
    };
    let known = remembered.unwrap_or_else(|| {
        let known = check(&key.0, region);
        let mut memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.young.len() >= REMEMBERED {
            memory.old = std::mem::take(&mut memory.young);
        }
        memory.young.insert(key, known.clone());
        known
    });
    known.map(|(e164, line)| Phone { e164, line, extension })
}

/// Asks the numbering plans.
fn check(digits: &str, region: Region) -> Option<(String, Line)> {
    let number = phonenumber::parse(Some(region), digits).ok()?;
    let line = line(number.country().code(), &number.national().to_string())?;
    Some((number.format().mode(Mode::E164).to_string(), line))
}

/// What a number reaches by the plan of its country, among those of one prefix the one that knows it. The library's
/// own answer forgets the zeros that numbers of some countries begin with, and asks for each number twice.
fn line(prefix: u16, national: &str) -> Option<Line> {
    for plan in DATABASE.by_code(&prefix)? {
        let begins =
            plan.leading_digits().map(|digits| digits.find(national).is_some_and(|at| at.start() == 0));
        match begins {
            Some(true) => return planned(plan.descriptors(), national),
            Some(false) => {}
            None => {
                if let Some(line) = planned(plan.descriptors(), national) {
                    return Some(line);
                }
            }
        }
    }
    None
}

fn planned(plan: &Descriptors, national: &str) -> Option<Line> {
    let is = |kind: Option<&Descriptor>| kind.is_some_and(|kind| kind.is_match(national));
    if !plan.general().is_match(national) {
        return None;
    }
    // Ranges overlap: the narrower ones come first.
    if [plan.premium_rate(), plan.toll_free(), plan.shared_cost(), plan.voip()].into_iter().any(is) {
        return Some(Line::Service);
    }
    if is(plan.personal_number()) {
        return Some(Line::Mobile);
    }
    if [plan.pager(), plan.uan(), plan.voicemail()].into_iter().any(is) {
        return Some(Line::Service);
    }
    if is(plan.mobile()) {
        return Some(Line::Mobile);
    }
    is(plan.fixed_line()).then_some(Line::Fixed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn three_hundred_raw_numbers_have_the_keys_that_they_should() {
        let rows = crate::testdata::rows(include_str!("../resolve/testdata/phones_300.csv"));
        let (mut wrong, mut accepted, mut missed) = (Vec::new(), Vec::new(), Vec::new());
        for row in &rows {
            let key = one(&row["raw"], Id::PL).map(|phone| phone.e164).unwrap_or_default();
            let expected = row["key_expected"].as_str();
            match (key.is_empty(), expected.is_empty()) {
                _ if key == expected => {}
                (true, _) => missed.push(row["raw"].clone()),
                (_, true) => accepted.push(row["raw"].clone()),
                _ => wrong.push(row["raw"].clone()),
            }
        }
        assert_eq!(rows.len(), 300);
        assert!(wrong.is_empty(), "other keys: {wrong:?}");
        assert!(accepted.is_empty(), "accepted: {accepted:?}");
        assert!(missed.len() <= 3, "missed: {missed:?}");
    }

    #[test]
    fn several_numbers_in_one_field_are_several() {
        let keys = |raw| all(raw, Id::PL).into_iter().map(|phone| phone.e164).collect::<Vec<_>>();
        let two = ["+48512345678", "+48600700800"];
        for raw in ["512 345 678 / 600 700 800", "512 345 678, 600 700 800", "+48512345678+48600700800"] {
            assert_eq!(keys(raw), two, "{raw}");
            assert_eq!(one(raw, Id::PL), None);
        }
    }

    #[test]
    fn lines_of_many_people_are_not_personal() {
        for (raw, nature) in [
            ("512 345 678", Nature::Personal),
            ("12 345 98 76", Nature::Common),
            ("12 345 98 76 wew. 12", Nature::Common),
            ("512 345 678 wew. 12", Nature::Common),
            ("800 123 456", Nature::Nobody),
            ("700 123 456", Nature::Nobody),
            ("+39 06 4208 2345", Nature::Common),
            ("+39 333 123 4567", Nature::Personal),
            ("+380 44 234 5678", Nature::Common),
            ("+1 202 456 1111", Nature::Personal),
        ] {
            assert_eq!(one(raw, Id::PL).unwrap().nature(), nature, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_gives_valid_keys_or_none(raw in "\\PC{0,40}|[0-9+() .x/-]{0,30}") {
            for phone in all(&raw, Id::PL) {
                let again = one(&phone.e164, Id::PL);
                prop_assert_eq!(again.map(|phone| phone.e164), Some(phone.e164));
            }
        }

        #[test]
        fn how_a_number_is_written_does_not_matter(digits in 500_000_000_u32..=899_999_999, style in 0_usize..6) {
            let d = digits.to_string();
            let (a, b, c) = (&d[..3], &d[3..6], &d[6..]);
            let raw = [
                format!("+48{d}"), format!("{a} {b} {c}"), format!("0048 {a}-{b}-{c}"), format!("(+48) {a}.{b}.{c}"),
                format!("+48 (0) {d}"), format!("tel. {a} {b} {c} (Ola)"),
            ];
            prop_assert_eq!(one(&raw[style], Id::PL), one(&d, Id::PL));
        }
    }
}
