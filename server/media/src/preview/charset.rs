//! Which characters the bytes of a page stand for: what the page's first bytes, the answer's
//! content type and the page itself say, in this order, and UTF-8 if nobody says anything (HTML
//! standard, "Determining the character encoding").

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// How far into a page its own word for its encoding is looked for.
const PRESCAN: usize = 1_024;

/// The text of a page. Bytes that stand for nothing become replacement characters.
pub(super) fn decode(bytes: &[u8], content_type: Option<&str>) -> String {
    let said = content_type.and_then(|said| after(said.as_bytes(), b"charset="));
    let start = bytes.get(..PRESCAN).unwrap_or(bytes);
    let encoding = said.or_else(|| after(start, b"charset=")).map_or(UTF_8, |found| {
        // A page that says so in bytes of ASCII is not UTF-16, whatever it says.
        if said.is_none() && (found == UTF_16LE || found == UTF_16BE) { UTF_8 } else { found }
    });
    // A mark at the beginning wins over everything.
    let (text, _, _) = encoding.decode(bytes);
    text.into_owned()
}

/// The encoding that is named behind a word.
fn after(text: &[u8], word: &[u8]) -> Option<&'static Encoding> {
    let at = text.windows(word.len()).position(|part| part.eq_ignore_ascii_case(word))?;
    let rest = text.get(at + word.len()..)?;
    let rest = rest.strip_prefix(b"\"").or_else(|| rest.strip_prefix(b"'")).unwrap_or(rest);
    let end = rest.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"-_:.".contains(byte)));
    Encoding::for_label(rest.get(..end.unwrap_or(rest.len()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_found_where_it_is_said() {
        let polish = b"<meta charset=iso-8859-2><title>za\xbf\xf3\xb3\xe6</title>";
        assert!(decode(polish, None).contains("zażółć"));
        assert!(decode(b"za\xbf\xf3\xb3\xe6", Some("text/html; charset=ISO-8859-2")).contains("zażółć"));
        let ukrainian = "<meta http-equiv='Content-Type' content='text/html; charset=windows-1251'>";
        let bytes = [ukrainian.as_bytes(), b"\xcf\xf0\xe8\xe2\xb3\xf2"].concat();
        assert!(decode(&bytes, Some("text/html")).contains("Привіт"));
        assert_eq!(decode("żółw".as_bytes(), None), "żółw");
        assert_eq!(decode(b"\xff\xfea\0b\0", Some("text/html; charset=utf-8")), "ab");
        assert_eq!(decode(b"\xef\xbb\xbfx", Some("text/html; charset=windows-1250")), "x");
        assert_eq!(decode("<meta charset=utf-16>ż".as_bytes(), None), "<meta charset=utf-16>ż");
        assert_eq!(decode(b"\xff", Some("text/html; charset=\"nonsense\"")), "\u{fffd}");
    }
}
