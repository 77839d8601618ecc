//! The corpora as tests: every input of them, and variations that fall the same way every time.

use crate::{TARGETS, Target, target};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Variations of a whole corpus.
const VARIATIONS: usize = 6_000;
/// No longer than this with one target, on a machine as slow as it may be.
const LONGEST: Duration = Duration::from_secs(20);

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

/// The inputs of a corpus, always in the same order.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder(name)).expect("a corpus");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an input").path()).collect();
    paths.sort();
    let input = |path: PathBuf| (path.display().to_string(), std::fs::read(&path).expect("an input"));
    paths.into_iter().map(input).collect()
}

/// Dice that fall the same way every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or_default() % end.max(1)
    }

    /// Part of the bytes.
    fn part<'a>(&mut self, of: &'a [u8]) -> &'a [u8] {
        let from = self.below(of.len() + 1);
        &of[from..from + self.below(of.len() - from + 1)]
    }
}

/// Changes an input in one of the ways in which inputs go wrong.
fn vary(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let at = dice.below(bytes.len());
    match dice.below(7) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
        1 if !bytes.is_empty() => bytes[at] = [0, 0x7f, 0x80, 0xff, b'\n', b'*', b'"', b'9'][dice.below(8)],
        2 => bytes.truncate(at),
        3 => {
            let part = dice.part(other).to_vec();
            bytes.splice(at..at, part);
        }
        4 => {
            let end = at + dice.below(bytes.len() - at + 1);
            let part = dice.part(other).to_vec();
            bytes.splice(at..end, part);
        }
        5 => {
            let (part, times) = (dice.part(bytes).to_vec(), 1 + dice.below(8));
            bytes.splice(at..at, part.repeat(times));
        }
        _ => {
            let end = at + dice.below(bytes.len() - at + 1);
            bytes.drain(at..end);
        }
    }
    bytes.truncate(1 << 16);
}

fn run(target: &Target, what: &str, bytes: &[u8]) {
    let began = Instant::now();
    if std::panic::catch_unwind(|| (target.run)(bytes)).is_err() {
        panic!("{} fails with {what}: {}", target.name, bytes.escape_ascii());
    }
    let took = began.elapsed();
    assert!(took < LONGEST / 2, "{} takes {took:?} with {what}: {}", target.name, bytes.escape_ascii());
}

fn replay(name: &str) {
    let (target, corpus) = (target(name), corpus(name));
    assert!(!corpus.is_empty(), "the corpus of {name} is empty");
    (target.run)(b"");
    for (path, bytes) in &corpus {
        run(target, path, bytes);
    }
    let (mut dice, began) = (Dice(0x9E37_79B9_7F4A_7C15), Instant::now());
    for number in 0..VARIATIONS {
        let (path, bytes) = &corpus[number % corpus.len()];
        let mut bytes = bytes.clone();
        for _ in 0..=dice.below(4) {
            let other = dice.below(corpus.len());
            vary(&mut bytes, &corpus[other].1, &mut dice);
        }
        run(target, &format!("variation {number} of {path}"), &bytes);
        if began.elapsed() > LONGEST {
            break;
        }
    }
}

#[test]
fn filters_let_through_what_they_say() {
    replay("filter");
}

#[test]
fn patterns_match_as_they_are_defined() {
    replay("glob");
}

#[test]
fn files_of_contacts_are_read_as_they_are_written() {
    replay("files");
}

#[test]
fn numbers_addresses_and_names_have_one_key() {
    replay("keys");
}

#[test]
fn orders_of_shops_become_short_facts() {
    replay("shop");
}

#[test]
fn names_types_and_ranges_of_files_harm_nobody() {
    replay("names");
}

#[test]
fn pages_become_short_texts() {
    replay("page");
}

#[test]
fn pictures_become_small_pictures() {
    replay("picture");
}

#[test]
fn push_rules_say_the_same_however_they_are_asked() {
    replay("push_rules");
}

#[test]
fn requests_of_sliding_sync_keep_to_the_bounds() {
    replay("sliding");
}

#[test]
fn tokens_have_one_spelling() {
    replay("token");
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let entries = std::fs::read_dir(folder("")).expect("the corpora");
    let mut folders: Vec<String> =
        entries.map(|entry| entry.expect("a corpus").file_name().to_string_lossy().into_owned()).collect();
    folders.sort();
    assert_eq!(folders, TARGETS.map(|target| target.name));
}
