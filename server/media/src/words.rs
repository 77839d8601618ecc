//! What clients say about their files: names and content types, made fit to be kept and handed on.

/// Longest file name that is kept, bytes: what file systems take.
const MAX_NAME: usize = 255;
/// Of which at most so many for the ending.
const MAX_ENDING: usize = 16;
/// Longest content type that is kept, bytes.
const MAX_CONTENT_TYPE: usize = 255;

/// The type of files about which nothing is known.
pub(crate) const UNKNOWN_TYPE: &str = "application/octet-stream";

/// A file name without what could harm whoever saves the file: control characters, characters that
/// turn the reading direction (they make `gpj.exe` look like `exe.jpg`), separators of folders.
///
/// Nothing when nothing is left. A name that is too long keeps its ending.
pub fn file_name(said: &str) -> Option<String> {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let harmless = |c: &char| !c.is_control() && !turns(*c) && *c != '\u{feff}';
    let plain: String =
        said.chars().filter(harmless).map(|c| if matches!(c, '/' | '\\') { '_' } else { c }).collect();
    let plain = plain.trim();
    if !is_name(plain) {
        return None;
    }
    if plain.len() <= MAX_NAME {
        return Some(plain.to_owned());
    }
    let ending = plain.rfind('.').and_then(|at| plain.get(at..)).filter(|ending| ending.len() <= MAX_ENDING);
    let ending = ending.unwrap_or_default();
    let mut room = MAX_NAME - ending.len();
    while !plain.is_char_boundary(room) {
        room -= 1;
    }
    let kept = format!("{}{ending}", plain.get(..room).unwrap_or_default().trim_end());
    is_name(&kept).then_some(kept)
}

/// Whether there is more than the names that folders have for themselves and each other.
fn is_name(text: &str) -> bool {
    text.chars().any(|c| c != '.')
}

/// A content type as it is handed on: what the client said if it has the form of one, else the type
/// of files about which nothing is known.
pub fn content_type(said: Option<&str>) -> String {
    let said = said.map(str::trim).filter(|said| is_content_type(said));
    said.unwrap_or(UNKNOWN_TYPE).to_owned()
}

fn is_content_type(said: &str) -> bool {
    let token = |text: &str| {
        let special = b"!#$&-^_.+";
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || special.contains(&byte))
    };
    let (essence, parameters) = said.split_once(';').unwrap_or((said, ""));
    let formed =
        essence.trim_end_matches(' ').split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub));
    formed && said.len() <= MAX_CONTENT_TYPE && parameters.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_kept_unless_they_could_harm() {
        for (said, kept) in [
            ("War and Peace.pdf", Some("War and Peace.pdf")),
            ("żółć \"x\" 'y' %41 ☃.png", Some("żółć \"x\" 'y' %41 ☃.png")),
            ("../../etc/passwd", Some(".._.._etc_passwd")),
            ("C:\\x\\y.exe", Some("C:_x_y.exe")),
            ("a\r\nSet-Cookie: b=c\0", Some("aSet-Cookie: b=c")),
            ("photo\u{202e}gpj.exe", Some("photogpj.exe")),
            ("  spaced  ", Some("spaced")),
            ("", None),
            ("..", None),
            (" \n\u{feff} ", None),
        ] {
            assert_eq!(file_name(said).as_deref(), kept, "{said:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let kept = file_name(&format!("{}.jpeg", "ż".repeat(400))).unwrap();
        assert!(kept.len() <= MAX_NAME && kept.ends_with("ż.jpeg"));
        assert_eq!(file_name(&"x".repeat(400)).unwrap().len(), MAX_NAME);
        assert_eq!(
            file_name(&format!("{}{}", ".".repeat(400), "x".repeat(20))),
            None,
            "nothing but dots is left"
        );
        assert_eq!(file_name(&format!("a.{}", "x".repeat(400))).unwrap().len(), MAX_NAME);
    }

    #[test]
    fn content_types_are_kept_if_they_are_some() {
        let long = format!("text/plain; x={}", "y".repeat(300));
        for (said, kept) in [
            (Some("image/png"), "image/png"),
            (Some(" text/plain; charset=UTF-8 "), "text/plain; charset=UTF-8"),
            (Some("application/vnd.oasis+xml;x=\"y z\""), "application/vnd.oasis+xml;x=\"y z\""),
            (None, UNKNOWN_TYPE),
            (Some(""), UNKNOWN_TYPE),
            (Some("png"), UNKNOWN_TYPE),
            (Some("image/"), UNKNOWN_TYPE),
            (Some("image/png\r\nX: y"), UNKNOWN_TYPE),
            (Some("image/png; a=\u{1}"), UNKNOWN_TYPE),
            (Some("image/png ;a=b"), "image/png ;a=b"),
            (Some("image/png\n;a=b"), UNKNOWN_TYPE),
            (Some("image/png\t;a=b"), UNKNOWN_TYPE),
            (Some("image/png\u{a0};a=b"), UNKNOWN_TYPE),
            (Some("ima ge/png"), UNKNOWN_TYPE),
            (Some(&long), UNKNOWN_TYPE),
        ] {
            assert_eq!(content_type(said), kept, "{said:?}");
        }
    }

    proptest! {
        #[test]
        fn no_name_gets_through_that_could_harm(said in ".{0,400}") {
            if let Some(kept) = file_name(&said) {
                prop_assert!(!kept.is_empty() && kept.len() <= MAX_NAME);
                prop_assert!(!kept.contains(['/', '\\']) && !kept.chars().any(char::is_control));
                prop_assert_eq!(file_name(&kept), Some(kept.clone()), "cleaning twice changes nothing");
            }
        }

        #[test]
        fn a_kept_content_type_fits_into_a_header(said in ".{0,300}") {
            prop_assert!(content_type(Some(&said)).bytes().all(|byte| matches!(byte, b' '..=b'~')));
        }
    }
}
