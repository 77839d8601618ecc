//! What is said about files in fields: names, content types, and which part of a file is wanted. The
//! field stands in the first line, a size in decimal digits may stand in the second.

use crate::two_lines;
use kontor_http::client::media::disposition::disposition;
use kontor_http::client::media::ranges::{Wanted, wanted};
use kontor_media::{content_type, file_name};

pub(crate) fn run(data: &[u8]) {
    let Some((said, rest)) = two_lines(data) else { return };
    for said in [said, rest] {
        check_name(said);
        check_content_type(said);
    }
    check_range(said, rest.trim().parse().unwrap_or(1_000));
}

fn check_name(said: &str) {
    let Some(kept) = file_name(said) else { return };
    assert!(!kept.is_empty() && kept.len() <= 255, "{kept:?}");
    assert!(!kept.chars().any(|letter| letter.is_control() || matches!(letter, '/' | '\\')), "{kept:?}");
    assert_eq!(file_name(&kept).as_ref(), Some(&kept), "cleaning twice changes nothing");
    for (inline, how) in [(true, "inline"), (false, "attachment")] {
        let field = disposition(inline, Some(&kept));
        let text = field.to_str().expect("visible letters");
        assert!(text.starts_with(&format!("{how}; filename=\"")), "{text}");
        assert_eq!(text.matches('"').count(), 2, "{text}");
        let written = text.split_once("\"; filename*=UTF-8''").map(|(_, written)| written);
        let quoted = text.split('"').nth(1).unwrap_or_default();
        match written {
            None => assert_eq!(quoted, kept),
            Some(written) => assert_eq!(unescaped(written).as_deref(), Some(kept.as_bytes()), "{text}"),
        }
    }
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit =
            |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(if byte == b'%' { digit(rest.next())? * 16 + digit(rest.next())? } else { byte });
    }
    Some(bytes)
}

fn check_content_type(said: &str) {
    let kept = content_type(Some(said));
    assert!(kept.len() <= 255 && kept.contains('/') && kept.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    assert_eq!(content_type(Some(&kept)), kept);
    assert!(kept == said.trim() || kept == "application/octet-stream", "{said:?} became {kept}");
}

fn check_range(field: &str, size: u64) {
    if let Wanted::Parts(parts) = wanted(field, size) {
        assert!(!parts.is_empty() && parts.len() <= 16);
        assert!(parts.iter().all(|part| part.start < part.end && part.end <= size), "{field:?} of {size}");
        let total = parts.iter().map(|part| part.end - part.start).fold(0_u64, u64::saturating_add);
        assert!(total <= size, "a small request would have a large answer");
    }
}
