//! The `Range` field (RFC 9110, section 14): which parts of a file are asked for.

use std::ops::Range;

/// Parts of one answer at most; whoever asks for more gets the whole.
const MAX_PARTS: usize = 16;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Everything: nothing else is asked for, or in a way that is to be ignored.
    Whole,
    /// These parts, in this order; none is empty, and together they are no longer than the file.
    Parts(Vec<Range<u64>>),
    /// Parts that the file does not have.
    Unsatisfiable,
}

/// Reads the field for a file of `size` bytes.
pub fn wanted(field: &str, size: u64) -> Wanted {
    let Some(list) = field.split_once('=').filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"))
    else {
        return Wanted::Whole;
    };
    let mut parts = Vec::new();
    let mut total = 0_u64;
    for (count, spec) in list.1.split(',').map(str::trim).filter(|spec| !spec.is_empty()).enumerate() {
        // A field that is wrong anywhere is ignored, as if it were not there.
        let Some(part) = part(spec, size).filter(|_| count < MAX_PARTS) else { return Wanted::Whole };
        if part.start < part.end {
            total = total.saturating_add(part.end - part.start);
            parts.push(part);
        }
    }
    match parts.len() {
        0 => Wanted::Unsatisfiable,
        // The same bytes again and again would make a small request a large answer.
        _ if total > size => Wanted::Whole,
        _ => Wanted::Parts(parts),
    }
}

/// One part, empty when the file does not have it; nothing when it is no part at all.
fn part(spec: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = spec.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    match (first, last) {
        (None, None) => None,
        (None, Some(length)) => Some(size.saturating_sub(length)..size),
        (Some(first), None) => Some(first.min(size)..size),
        (Some(first), Some(last)) if first > last => None,
        (Some(first), Some(last)) => Some(first.min(size)..last.saturating_add(1).min(size)),
    }
}

/// A number that may be left out. One with too many digits is beyond the end of every file.
fn number(text: &str) -> Option<Option<u64>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(None);
    }
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)] // A list of parts may have one.
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_are_read_as_the_rfc_says() {
        let parts = |list: &[Range<u64>]| Wanted::Parts(list.to_vec());
        for (field, expected) in [
            ("bytes=0-499", parts(&[0..500])),
            ("bytes=500-999", parts(&[500..1000])),
            ("bytes=-500", parts(&[500..1000])),
            ("bytes=999-", parts(&[999..1000])),
            ("Bytes = 0-0 , -1", parts(&[0..1, 999..1000])),
            ("bytes=900-5000", parts(&[900..1000])),
            ("bytes=-5000", parts(&[0..1000])),
            ("bytes=0-99999999999999999999999", parts(&[0..1000])),
            ("bytes=5-5,2000-", parts(&[5..6])),
            ("bytes=700-800,0-100", parts(&[700..801, 0..101])),
            ("bytes=1000-", Wanted::Unsatisfiable),
            ("bytes=99999999999999999999999-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=", Wanted::Unsatisfiable),
            ("bytes=5-2", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=1", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=1-2-3", Wanted::Whole),
            ("items=0-5", Wanted::Whole),
            ("0-5", Wanted::Whole),
            ("", Wanted::Whole),
            ("bytes=0-,0-", Wanted::Whole),
        ] {
            assert_eq!(wanted(field, 1000), expected, "{field}");
        }
        let many = |count| format!("bytes={}", vec!["0-0"; count].join(","));
        assert!(matches!(wanted(&many(16), 1000), Wanted::Parts(_)));
        assert_eq!(wanted(&many(17), 1000), Wanted::Whole);
        for field in ["bytes=0-", "bytes=-1", "bytes=0-0"] {
            assert_eq!(wanted(field, 0), Wanted::Unsatisfiable, "{field} of an empty file");
        }
    }

    proptest! {
        #[test]
        fn parts_never_leave_the_file(field in "bytes=[0-9, -]{0,60}|.{0,60}", size in 0..2_000_u64) {
            if let Wanted::Parts(parts) = wanted(&field, size) {
                prop_assert!(!parts.is_empty() && parts.len() <= MAX_PARTS);
                prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= size));
                prop_assert!(parts.iter().map(|part| part.end - part.start).sum::<u64>() <= size);
            }
        }

        #[test]
        fn a_single_part_is_what_was_asked_for(first in 0..1_000_u64, length in 1..1_000_u64) {
            let field = format!("bytes={first}-{}", first + length - 1);
            prop_assert_eq!(wanted(&field, 1_000), Wanted::Parts(vec![first..(first + length).min(1_000)]));
        }
    }
}
