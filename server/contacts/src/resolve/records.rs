//! Weighing records of master data (imports, other systems) that have addresses and dates beside names.
//! Weights are logarithms to base 2 of how much more often one person's records agree like that than two
//! persons' do, learnt on public data; a pair is one person from [`SURE`] on.

use crate::keys::alike::jaro_winkler;
use crate::keys::skeleton::fold;

/// Bits from which on two records are one person.
pub const SURE: f64 = 7.95;

/// A record, prepared for being compared; empty texts say nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Given name.
    pub given: String,
    /// Surname.
    pub surname: String,
    /// Town or part of it.
    pub suburb: String,
    /// Postcode.
    pub postcode: String,
    /// Street.
    pub street: String,
    /// House number.
    pub house: String,
    /// What else the address says.
    pub place: String,
    /// Date of birth, figures.
    pub born: String,
    /// A number that an authority gave: tax, insurance.
    pub number: String,
}

impl Record {
    /// Folds every text, so that only what matters is compared.
    #[must_use]
    pub fn prepared(mut self) -> Self {
        for text in [&mut self.given, &mut self.surname, &mut self.suburb, &mut self.street, &mut self.place]
        {
            *text = fold(text.trim());
        }
        for text in [&mut self.postcode, &mut self.house, &mut self.born, &mut self.number] {
            text.retain(char::is_alphanumeric);
        }
        self
    }
}

/// Bits of a text: the same, a slip, alike, a little alike, different.
struct Levels([f64; 5]);

const GIVEN: Levels = Levels([7.8, 6.6, 3.0, -1.6, -2.7]);
const SURNAME: Levels = Levels([7.5, 7.5, 4.6, -2.5, -3.0]);
const SUBURB: Levels = Levels([9.5, 9.1, 2.3, -3.0, -4.3]);
const STREET: Levels = Levels([9.0, 8.5, 3.0, -1.5, -3.0]);
const PLACE: Levels = Levels([8.0, 7.5, 2.5, -1.0, -1.5]);

impl Levels {
    fn weigh(&self, a: &str, b: &str) -> f64 {
        let Self([same, slip, alike, little, other]) = *self;
        if a.is_empty() || b.is_empty() {
            return 0.0;
        }
        if a == b {
            return same;
        }
        match jaro_winkler(a, b) {
            found if found >= 0.92 => slip,
            found if found >= 0.84 => alike,
            found if found >= 0.70 => little,
            _ => other,
        }
    }
}

/// Bits of a number: the same, a slip (one figure, or two changed places), different.
fn figures(a: &str, b: &str, same: f64, slip: f64, other: f64) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    if a == b {
        return same;
    }
    if a.len().abs_diff(b.len()) > 1 {
        return other;
    }
    let differing = a.bytes().zip(b.bytes()).filter(|(x, y)| x != y).count();
    let near = differing <= 2 || strsim::damerau_levenshtein(a, b) <= 1;
    if near { slip } else { other }
}

/// What speaks for two records before anything is compared: two persons drawn by lot are hardly ever one.
const PRIOR: f64 = -14.0;

/// Weighs two prepared records.
pub fn weigh(a: &Record, b: &Record) -> f64 {
    STEPS.iter().fold(PRIOR, |bits, (step, _)| bits + step(a, b))
}

/// Whether two prepared records are one person's: as weighing them, but no longer than it is open.
pub fn is_one(a: &Record, b: &Record) -> bool {
    let mut open: f64 = STEPS.iter().map(|(_, most)| most).sum();
    let mut bits = PRIOR;
    for (step, most) in &STEPS {
        if bits + open < SURE {
            return false;
        }
        bits += step(a, b);
        open -= most;
    }
    bits >= SURE
}

/// Compares something of two records.
type Step = fn(&Record, &Record) -> f64;

/// What is compared, each with the most bits that it can give; the cheapest first.
const STEPS: [(Step, f64); 7] = [
    (|a, b| figures(&a.number, &b.number, 20.0, 9.0, -6.0), 20.0),
    (|a, b| figures(&a.born, &b.born, 12.1, 5.0, -4.5), 12.1),
    (|a, b| figures(&a.postcode, &b.postcode, 9.6, 2.5, -5.0), 9.6),
    (|a, b| figures(&a.house, &b.house, 4.5, 0.5, -2.0), 4.5),
    (|a, b| SUBURB.weigh(&a.suburb, &b.suburb), 9.5),
    (names, 15.3),
    (streets, 17.0),
];

fn names(a: &Record, b: &Record) -> f64 {
    let straight = GIVEN.weigh(&a.given, &b.given) + SURNAME.weigh(&a.surname, &b.surname);
    // One in twenty has given name and surname the wrong way round.
    let swapped = || GIVEN.weigh(&a.given, &b.surname) + SURNAME.weigh(&a.surname, &b.given) - 4.0;
    if straight >= 15.3 - 4.0 { straight } else { straight.max(swapped()) }
}

fn streets(a: &Record, b: &Record) -> f64 {
    let straight = STREET.weigh(&a.street, &b.street) + PLACE.weigh(&a.place, &b.place);
    let crossed = || STREET.weigh(&a.street, &b.place) + PLACE.weigh(&a.place, &b.street) - 3.0;
    if straight >= 17.0 - 3.0 { straight } else { straight.max(crossed()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;
    use std::time::Instant;

    fn record(given: &str, surname: &str, postcode: &str, born: &str) -> Record {
        let text = str::to_owned;
        Record {
            given: text(given),
            surname: text(surname),
            postcode: text(postcode),
            born: text(born),
            ..Record::default()
        }
        .prepared()
    }

    #[test]
    fn what_is_shared_counts_for_and_what_differs_against() {
        let one = record("Jan", "Kowalski", "00-950", "19800102");
        assert!(weigh(&one, &one) > SURE);
        assert!(weigh(&one, &record("Kowalski", "Jan", "00-950", "19800102")) > SURE);
        assert!(weigh(&one, &record("Jan", "Kowalsky", "00-905", "19800120")) > SURE);
        assert!(weigh(&one, &record("Jan", "Kowalski", "31-001", "19751130")) < SURE);
        assert!(weigh(&one, &record("", "", "", "")) < SURE);
    }

    fn load(file: &Path) -> Vec<(String, Record)> {
        let text = std::fs::read_to_string(file).unwrap();
        let mut lines = text.lines();
        let head: Vec<&str> = lines.next().unwrap().split(',').map(str::trim).collect();
        let read = |line: &str| {
            let cells: BTreeMap<&str, &str> =
                head.iter().copied().zip(line.split(',').map(str::trim)).collect();
            let cell = |name: &str| cells.get(name).copied().unwrap_or_default().to_owned();
            let id = cell("rec_id");
            let person = id.split('-').nth(1).unwrap_or_default().to_owned();
            let record = Record {
                given: cell("given_name"),
                surname: cell("surname"),
                suburb: cell("suburb"),
                postcode: cell("postcode"),
                street: cell("address_1"),
                house: cell("street_number"),
                place: cell("address_2"),
                born: cell("date_of_birth"),
                number: cell("soc_sec_id"),
            };
            (person, record.prepared())
        };
        lines.filter(|line| !line.trim().is_empty()).map(read).collect()
    }

    /// Pairs that share anything at all.
    fn candidates(records: &[(String, Record)]) -> BTreeSet<(usize, usize)> {
        let mut blocks: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, (_, record)) in records.iter().enumerate() {
            let texts = [
                ("n", &record.number),
                ("b", &record.born),
                ("p", &record.postcode),
                ("g", &record.given),
                ("s", &record.surname),
                ("g", &record.surname),
                ("u", &record.suburb),
                ("t", &record.street),
                ("l", &record.place),
            ];
            for (kind, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
                blocks.entry(format!("{kind}{text}")).or_default().push(index);
            }
        }
        let mut pairs = BTreeSet::new();
        for block in blocks.values() {
            for (at, a) in block.iter().enumerate() {
                pairs.extend(block[at + 1..].iter().map(|b| (*a.min(b), *a.max(b))).filter(|(a, b)| a != b));
            }
        }
        pairs
    }

    /// Pairs that one core weighs in a second, at least.
    const PAIRS_PER_SECOND: f64 = 300_000.0;

    /// Needs the FEBRL data sets, which `tests/run` fetches: the folder that holds `dataset1.csv` to
    /// `dataset4b.csv` stands in `KONTOR_FEBRL`.
    #[test]
    #[allow(clippy::print_stdout)]
    fn records_of_one_person_are_told_from_others() {
        let Ok(folder) = std::env::var("KONTOR_FEBRL") else { return };
        let folder = Path::new(&folder);
        for (files, least) in [
            (&["dataset1.csv"][..], 0.999),
            (&["dataset2.csv"], 0.995),
            (&["dataset3.csv"], 0.995),
            (&["dataset4a.csv", "dataset4b.csv"], 0.999),
        ] {
            let records: Vec<_> = files.iter().flat_map(|file| load(&folder.join(file))).collect();
            let pairs = candidates(&records);
            let begun = Instant::now();
            let found: Vec<_> =
                pairs.iter().filter(|(a, b)| is_one(&records[*a].1, &records[*b].1)).collect();
            let rate = pairs.len() as f64 / begun.elapsed().as_secs_f64();
            let weighed = found.iter().filter(|(a, b)| weigh(&records[*a].1, &records[*b].1) >= SURE).count();
            assert_eq!(weighed, found.len(), "what is decided early is decided rightly");
            let good = found.iter().filter(|(a, b)| records[*a].0 == records[*b].0).count() as f64;
            let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
            for (person, _) in &records {
                *sizes.entry(person).or_default() += 1;
            }
            let all = sizes.values().map(|n| n * (n - 1) / 2).sum::<usize>() as f64;
            let (precision, recall) = (good / found.len() as f64, good / all);
            let f1 = 2.0 * precision * recall / (precision + recall);
            println!(
                "{files:?}: P {precision:.5} R {recall:.5} F1 {f1:.5}, {rate:.0} pairs/s of {}",
                pairs.len()
            );
            assert!(f1 >= least, "{files:?}: {f1}");
            // What is not optimised says nothing of speed; few pairs are over before a clock moves.
            if !cfg!(debug_assertions) && pairs.len() > 100_000 {
                assert!(rate >= PAIRS_PER_SECOND, "{files:?}: {rate} pairs a second");
            }
        }
    }
}
