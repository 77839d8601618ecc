//! Places of a word in a chunk of a room, as text that grows at its end: six letters for each place.

/// Letters of one place: five for its distance from the chunk's base, one for its weight.
pub(super) const LETTERS: usize = 6;

/// Distances end here; farther places begin a chunk of their own.
pub(super) const REACH: i64 = 1 << 30;

/// Largest weight.
pub const MAX_WEIGHT: u8 = 63;

/// 64 letters that mean nothing in SQL's LIKE nor in JSON.
const ALPHABET: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-.";

fn letter(value: i64) -> char {
    let index = usize::try_from(value & 63).unwrap_or_default();
    ALPHABET.get(index).map_or('0', |letter| char::from(*letter))
}

fn value(letter: u8) -> i64 {
    i64::from(match letter {
        b'0'..=b'9' => letter - b'0',
        b'A'..=b'Z' => letter - b'A' + 10,
        b'a'..=b'z' => letter - b'a' + 36,
        b'-' => 62,
        _ => 63,
    })
}

/// The five letters of a distance.
pub(super) fn distance(distance: i64) -> String {
    [24, 18, 12, 6, 0].into_iter().map(|shift| letter(distance >> shift)).collect()
}

/// Adds a place.
pub(super) fn add(places: &mut String, distance: i64, weight: u8) {
    places.extend([24, 18, 12, 6, 0].into_iter().map(|shift| letter(distance >> shift)));
    places.push(letter(i64::from(weight.min(MAX_WEIGHT))));
}

/// The places, as distance and weight.
pub(super) fn read(places: &str) -> impl Iterator<Item = (i64, u8)> {
    places.as_bytes().chunks_exact(LETTERS).map(|place| {
        let all = place.iter().fold(0, |all, letter| all << 6 | value(*letter));
        (all >> 6, u8::try_from(all & 63).unwrap_or_default())
    })
}

/// The places without these distances, or `None` if none of them is there.
pub(super) fn without(places: &str, gone: &[i64]) -> Option<String> {
    let mut left = String::with_capacity(places.len());
    for (distance, weight) in read(places).filter(|(distance, _)| !gone.contains(distance)) {
        add(&mut left, distance, weight);
    }
    (left.len() < places.len()).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_as_they_were_put_in() {
        let mut places = String::new();
        let all: Vec<(i64, u8)> =
            (0..64_i64).map(|n| ((REACH - 1) * n / 63, u8::try_from(n).unwrap())).collect();
        for (distance, weight) in &all {
            add(&mut places, *distance, *weight);
        }
        assert_eq!(places.len(), 64 * LETTERS);
        assert_eq!(read(&places).collect::<Vec<_>>(), all);
        assert_eq!(distance(REACH - 1), ".....");
        assert_eq!(without(&places, &[5]), None);
        let left = without(&places, &[0, REACH - 1]).unwrap();
        assert_eq!(read(&left).collect::<Vec<_>>(), all[1..63]);
        assert_eq!(without(&left[..LETTERS], &[all[1].0]), Some(String::new()));
    }
}
