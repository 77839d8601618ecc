//! `Content-Disposition`: whether a browser shows or saves a file, and under which name.

use axum::http::HeaderValue;

/// The field (RFC 6266). Names beyond plain ASCII are written twice: for old clients with `_` in
/// the place of what they cannot read, and as RFC 8187 says.
pub fn disposition(inline: bool, name: Option<&str>) -> HeaderValue {
    let how = if inline { "inline" } else { "attachment" };
    let text = match name {
        None => how.to_owned(),
        Some(name) if name.chars().all(is_plain) => format!("{how}; filename=\"{name}\""),
        Some(name) => {
            let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
            format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{}", escaped(name))
        }
    };
    // Nothing but visible ASCII is in it, so it is always a field's value.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("attachment"))
}

/// What every client reads alike between quotation marks. Some undo `%` there, some do not.
fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%')
}

fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len() * 3);
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(inline: bool, name: Option<&str>) -> String {
        disposition(inline, name).to_str().unwrap().to_owned()
    }

    #[test]
    fn names_are_written_so_that_nothing_of_them_is_read_as_something_else() {
        assert_eq!(text(true, None), "inline");
        assert_eq!(text(false, Some("War and Peace.pdf")), "attachment; filename=\"War and Peace.pdf\"");
        assert_eq!(
            text(false, Some("żółć.png")),
            "attachment; filename=\"____.png\"; filename*=UTF-8''%C5%BC%C3%B3%C5%82%C4%87.png"
        );
        assert_eq!(
            text(true, Some("a\"; filename=\"b.exe")),
            "inline; filename=\"a_; filename=_b.exe\"; filename*=UTF-8''a%22%3B%20filename%3D%22b.exe"
        );
        assert_eq!(
            text(false, Some("100%41\\'.txt")),
            "attachment; filename=\"100_41_'.txt\"; filename*=UTF-8''100%2541%5C%27.txt"
        );
    }

    proptest! {
        #[test]
        fn every_name_is_one_field_from_which_it_can_be_read_back(name in ".{0,80}") {
            let text = text(false, Some(&name));
            let quoted = text.split('"').nth(1).unwrap();
            match text.split_once("filename*=UTF-8''") {
                None => prop_assert_eq!(quoted, name),
                Some((before, written)) => {
                    prop_assert_eq!(before.matches('"').count(), 2);
                    let mut bytes = Vec::new();
                    let mut rest = written.bytes();
                    while let Some(byte) = rest.next() {
                        if byte == b'%' {
                            let hex = [rest.next().unwrap(), rest.next().unwrap()];
                            bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
                        } else {
                            bytes.push(byte);
                        }
                    }
                    prop_assert_eq!(String::from_utf8(bytes).unwrap(), name);
                }
            }
        }
    }
}
