//! What people type for telephone numbers, mail addresses and names: three fields in three lines.

use kontor_contacts::keys::{email, name, phone};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines: Vec<&str> = text.lines().chain(std::iter::repeat("")).take(3).collect();
    for line in &lines {
        check_phones(line);
        check_emails(line);
    }
    let names = [name::Name::read(lines[1]), name::Name::read(lines[2])];
    let found = name::compare(&names[0], &names[1]);
    assert_eq!(found, name::compare(&names[1], &names[0]), "{names:?}");
    for name in &names {
        assert_ne!(name::compare(name, name), name::Likeness::Conflict, "{name:?}");
    }
}

fn check_phones(line: &str) {
    for found in phone::all(line, phone::Region::PL) {
        let digits = found.e164.strip_prefix('+').expect("an international number");
        assert!((5..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()), "{found:?}");
        let again = phone::one(&found.e164, phone::Region::PL).expect("a key is a number");
        assert_eq!(again.e164, found.e164, "{line:?}");
    }
}

fn check_emails(line: &str) {
    for found in email::all(line) {
        assert!(found.key.contains('@') && !found.key.chars().any(char::is_control), "{found:?}");
        for again in email::all(&found.key) {
            assert_eq!(again.key, found.key, "{line:?}");
        }
    }
    let _ = email::compare(line, line);
}
