//! Mail addresses: what people type, taken apart, and what is known of providers.

use super::Nature;
use super::lists;
use email_address::{EmailAddress, Options};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longest text that is looked at, in characters.
const LONGEST: usize = 400;
/// Addresses in one field.
const MOST: usize = 4;

/// An address that can be written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// The mailbox: equal keys are one mailbox.
    pub key: String,
    /// A looser form: equal forms are perhaps one mailbox, or were meant to be.
    pub likely: String,
    /// Who reads it.
    pub nature: Nature,
    /// Whether it was repaired: what was written is no address.
    pub repaired: bool,
}

/// What follows from two addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// One mailbox of one person.
    Auto,
    /// Perhaps: a person decides.
    Suggest,
    /// Nothing.
    Different,
}

/// Compares what two fields hold.
pub fn compare(a: &str, b: &str) -> Verdict {
    let (Some(a), Some(b)) = (likely_one(a), likely_one(b)) else { return Verdict::Different };
    if a.nature == Nature::Nobody || b.nature == Nature::Nobody || a.likely != b.likely {
        return Verdict::Different;
    }
    let sure = a.key == b.key && !a.repaired && !b.repaired && a.nature == Nature::Personal;
    if sure { Verdict::Auto } else { Verdict::Suggest }
}

/// The address of a field, if it holds exactly one, also one that needs repair.
fn likely_one(raw: &str) -> Option<Email> {
    let mut found = all(raw);
    match found.len() {
        0 => repair(raw),
        1 => found.pop(),
        _ => None,
    }
}

/// All addresses of a field that are written as such.
pub fn all(raw: &str) -> Vec<Email> {
    let text: String = raw.chars().take(LONGEST).filter(|c| !invisible(*c)).collect();
    let parts = text.split([';', ',', '\n']).filter(|part| part.contains('@')).take(MOST);
    parts.filter_map(|part| understand(extract(part), false)).collect()
}

fn invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}')
}

/// The address in `Name <address>`, `mailto:address`, `address.`
fn extract(part: &str) -> &str {
    let part = part.trim();
    let inner =
        part.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(part, |(inner, _)| inner);
    let inner = inner.trim();
    let scheme = inner.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    inner.get(if scheme { 7 } else { 0 }..).unwrap_or_default().trim_end_matches(['.', '!', ')']).trim()
}

/// An address that was disguised or has slips: spaces, `(at)`, what follows a question mark.
fn repair(raw: &str) -> Option<Email> {
    let text: String = raw.chars().take(LONGEST).filter(|c| !invisible(*c)).collect();
    if text.contains([',', ';', '"']) {
        return None;
    }
    let mut text = text.trim().to_lowercase();
    for at in ["(at)", "[at]", "(małpa)", " at ", " małpa "] {
        text = text.replace(at, "@");
    }
    for dot in ["(dot)", "[dot]", "(kropka)", " dot ", " kropka "] {
        text = text.replace(dot, ".");
    }
    let text = text.split('?').next().unwrap_or_default();
    let text: String = extract(text).split_whitespace().collect();
    understand(&text, true)
}

fn understand(address: &str, repaired: bool) -> Option<Email> {
    let (local, domain) = address.rsplit_once('@')?;
    if domain.contains('?') {
        // What remains of a link: probably the address before it.
        let bare = format!("{local}@{}", domain.split('?').next().unwrap_or_default());
        return understand(&bare, true);
    }
    let local = unquoted(&local.nfkc().collect::<String>())?;
    let domain = canonical_domain(domain)?;
    let written = format!("{local}@{domain}");
    EmailAddress::parse_with_options(&written, Options::default().without_display_text()).ok()?;
    let local = small(&local);
    let domain = lists::SAME_DOMAIN
        .iter()
        .find(|(other, _)| *other == domain)
        .map_or(domain.as_str(), |(_, same)| same);
    let mailbox = mailbox(&local, domain);
    Some(Email {
        key: format!("{mailbox}@{domain}"),
        likely: likely(&mailbox, domain),
        nature: nature(&mailbox, domain),
        repaired,
    })
}

/// A local part without quotes that it does not need.
fn unquoted(local: &str) -> Option<String> {
    let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return (!local.contains(['"', '@'])).then(|| local.to_owned());
    };
    let plain = inner.chars().all(|c| c.is_alphanumeric() || "._+-".contains(c))
        && !inner.starts_with('.')
        && !inner.ends_with('.')
        && !inner.contains("..");
    Some(if plain && !inner.is_empty() { inner.to_owned() } else { local.to_owned() })
}

/// A domain as the network writes it, or an address in brackets as it is.
fn canonical_domain(domain: &str) -> Option<String> {
    let domain = domain.trim_end_matches('.');
    if domain.starts_with('[') && domain.ends_with(']') {
        return Some(domain.to_lowercase());
    }
    let ascii = idna::domain_to_ascii_strict(domain).ok()?;
    let bad = |label: &str| label.is_empty() || label.starts_with('-') || label.ends_with('-');
    let public = ascii.contains('.') && !ascii.split('.').any(bad);
    let top = ascii.rsplit('.').next().unwrap_or_default();
    (public && top.len() >= 2 && !top.bytes().all(|b| b.is_ascii_digit())).then_some(ascii)
}

/// Small letters, each for itself: what depends on the language stays apart.
fn small(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).nfc().collect()
}

/// The mailbox that a provider delivers to.
fn mailbox(local: &str, domain: &str) -> String {
    if local.starts_with('"') {
        return local.to_owned();
    }
    let base = match local.split_once('+') {
        Some((base, _)) if lists::PLUS.contains(&domain) && !base.is_empty() => base,
        _ => local,
    };
    if domain == "gmail.com" { base.replace('.', "") } else { base.to_owned() }
}

fn likely(mailbox: &str, domain: &str) -> String {
    let base = mailbox.split('+').next().filter(|base| !base.is_empty()).unwrap_or(mailbox);
    let base = if domain.starts_with("yahoo.") { base.split('-').next().unwrap_or(base) } else { base };
    let domain = match domain.strip_suffix(".con") {
        Some(rest) => format!("{rest}.com"),
        None => domain.to_owned(),
    };
    let labels = domain.split('.').count();
    let parent = domain
        .split_once('.')
        .filter(|(first, _)| labels > 2 && ["mail", "poczta", "email", "www"].contains(first));
    let domain = parent.map_or(domain.as_str(), |(_, rest)| rest);
    let domain =
        lists::LIKELY_DOMAIN.iter().find(|(other, _)| *other == domain).map_or(domain, |(_, meant)| meant);
    format!("{}@{domain}", without_marks(base))
}

/// Latin letters without their marks; other scripts as they are, so that lookalikes stay apart.
fn without_marks(text: &str) -> String {
    let bare = text.nfd().filter(|c| !is_combining_mark(*c));
    bare.map(|c| match c {
        'ł' => 'l',
        'đ' => 'd',
        'ø' => 'o',
        'ı' => 'i',
        c => c,
    })
    .collect()
}

fn nature(mailbox: &str, domain: &str) -> Nature {
    let base = mailbox.split('+').next().unwrap_or(mailbox);
    let name = domain.split('.').next().unwrap_or_default();
    let placeholder = base == name && (lists::NOT_GIVEN.contains(&base) || base.chars().count() <= 2)
        || lists::NOT_GIVEN.contains(&base) && lists::NOT_GIVEN.contains(&name)
        || lists::PLACEHOLDERS.contains(&format!("{base}@{domain}").as_str());
    let whole = base.trim_end_matches(|c: char| c.is_ascii_digit());
    let word = whole.split(['.', '-', '_']).next().unwrap_or(whole);
    if placeholder || lists::NOBODY.contains(&whole) {
        Nature::Nobody
    } else if lists::ROLES.contains(&whole)
        || lists::ROLES.contains(&word)
        || lists::HOUSEHOLD.iter().any(|word| whole.contains(word))
    {
        Nature::Common
    } else {
        Nature::Personal
    }
}

/// Words of a local part that may be names, with figures cut off.
pub fn words(key: &str) -> Vec<String> {
    let local = key.rsplit_once('@').map_or(key, |(local, _)| local);
    let local = local.split('+').next().unwrap_or(local);
    let parts = local.split(|c: char| !c.is_alphabetic()).filter(|part| part.chars().count() >= 2);
    parts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sixty_pairs_of_addresses_have_their_verdicts() {
        let rows = crate::testdata::rows(include_str!("../resolve/testdata/email_equivalence.csv"));
        let wrong: Vec<String> = rows
            .iter()
            .filter_map(|row| {
                let expected = match row["verdict"].as_str() {
                    "auto" => Verdict::Auto,
                    "suggest" => Verdict::Suggest,
                    _ => Verdict::Different,
                };
                let verdict = compare(&row["a"], &row["b"]);
                (verdict != expected).then(|| format!("{} {} {}: {verdict:?}", row["id"], row["a"], row["b"]))
            })
            .collect();
        assert_eq!(rows.len(), 60);
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn mailboxes_of_many_are_not_personal() {
        for (raw, nature) in [
            ("jan@firma.example", Nature::Personal),
            ("biuro@firma.example", Nature::Common),
            ("Sklep+2@firma.example", Nature::Common),
            ("kowalscyrodzina@poczta.example", Nature::Common),
            ("no-reply@firma.example", Nature::Nobody),
        ] {
            assert_eq!(all(raw)[0].nature, nature, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_understood_the_same_again(raw in "\\PC{0,40}|[a-zA-Z.+@ \"-]{0,24}@[a-z.-]{0,16}") {
            for email in all(&raw) {
                let again = all(&email.key);
                prop_assert!(again.len() <= 1);
                if let Some(again) = again.first() {
                    prop_assert_eq!(&again.key, &email.key);
                }
            }
            let _ = compare(&raw, &raw);
        }
    }
}
