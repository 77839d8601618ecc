//! How alike two words are: Jaro and Winkler's measure, without reserving memory for each pair.

/// Letters of the longest words that are compared here; longer ones are left to the general measure.
const LONGEST: usize = 64;
/// From here on a common beginning counts, for so many letters, so much each.
const ALIKE: f64 = 0.7;
const BEGINNING: usize = 4;
const WEIGHT: f64 = 0.1;

/// The measure: 0 of words that share nothing, 1 of the same word.
pub fn jaro_winkler(a: &str, b: &str) -> f64 {
    if !a.is_ascii() || !b.is_ascii() || a.len() > LONGEST || b.len() > LONGEST {
        return strsim::jaro_winkler(a, b);
    }
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let jaro = jaro(a, b);
    if jaro <= ALIKE {
        return jaro;
    }
    let same = a.iter().zip(b).take(BEGINNING).take_while(|(x, y)| x == y).count();
    jaro + WEIGHT * number(same) * (1.0 - jaro)
}

fn jaro(a: &[u8], b: &[u8]) -> f64 {
    if a.is_empty() && b.is_empty() {
        return 1.0;
    }
    let reach = (a.len().max(b.len()) / 2).saturating_sub(1);
    // Letters that were paired, a bit each.
    let (mut left, mut right) = (0_u64, 0_u64);
    for (i, x) in a.iter().enumerate() {
        let from = i.saturating_sub(reach);
        let near = b.iter().enumerate().skip(from).take(i + reach + 1 - from);
        if let Some((j, _)) = near.into_iter().find(|(j, y)| *y == x && right & (1 << j) == 0) {
            left |= 1 << i;
            right |= 1 << j;
        }
    }
    let pairs = left.count_ones();
    if pairs == 0 {
        return 0.0;
    }
    let moved = chosen(a, left).zip(chosen(b, right)).filter(|(x, y)| x != y).count() / 2;
    let pairs = f64::from(pairs);
    (pairs / number(a.len()) + pairs / number(b.len()) + (pairs - number(moved)) / pairs) / 3.0
}

/// The letters whose bits are set.
fn chosen(word: &[u8], bits: u64) -> impl Iterator<Item = u8> {
    word.iter().enumerate().filter(move |(at, _)| bits & (1 << at) != 0).map(|(_, letter)| *letter)
}

/// A length; they are small.
fn number(length: usize) -> f64 {
    u32::try_from(length).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_measure_that_everybody_uses(a in "[a-e]{0,12}|\\PC{0,8}", b in "[a-e]{0,12}|[a-z ]{0,70}") {
            prop_assert!((jaro_winkler(&a, &b) - strsim::jaro_winkler(&a, &b)).abs() < 1e-9);
        }
    }
}
