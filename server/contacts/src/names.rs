//! Names that follow from a customer's address, so that the same address always gives the same ones, and
//! the words that rooms of conversations show.

use kontor_model::Language;
use kontor_store::contacts::identities::Key;
use sha2::{Digest, Sha256};

/// Bytes of a customer's name that a room shows.
const LONGEST_SHOWN: usize = 120;

/// The part of names that stands for an address: 20 hexadecimal digits.
pub fn digest(key: Key<'_>) -> String {
    let mut digest = Sha256::new();
    for part in [key.channel, key.account, key.id_type, key.external_id] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest.finalize().iter().take(10).map(|byte| format!("{byte:02x}")).collect()
}

/// Local part of the user that writes for the customer.
pub fn ghost(key: Key<'_>) -> String {
    format!("kontor_{}_{}", key.channel, digest(key))
}

/// Local part of the mirrored room's alias.
pub fn alias(key: Key<'_>) -> String {
    format!("_kontor_{}_{}", key.channel, digest(key))
}

/// What a customer is called who gave no name.
pub fn nameless(language: Language, contact: &str) -> String {
    let short = contact.get(contact.len().saturating_sub(4)..).unwrap_or_default();
    let word = match language {
        Language::English => "Visitor",
        Language::Polish => "Gość",
        Language::Ukrainian => "Гість",
    };
    format!("{word} {short}")
}

/// Name of the mirrored room.
pub fn room(shown: &str, channel: &str) -> String {
    format!("{} · {channel}", cut(shown))
}

/// Name of the backstage room.
pub fn backstage(shown: &str, language: Language) -> String {
    let word = match language {
        Language::English => "internal",
        Language::Polish => "wewnętrzne",
        Language::Ukrainian => "внутрішнє",
    };
    format!("{} · {word}", cut(shown))
}

/// Topic of both rooms: how near the person is, and where the card is.
pub fn topic(stage: &str, language: Language, link: &str) -> String {
    let word = match (stage, language) {
        ("lead", Language::English) => "lead",
        ("lead", Language::Polish) => "zainteresowany",
        ("lead", Language::Ukrainian) => "зацікавлений",
        ("customer", Language::English) => "customer",
        ("customer", Language::Polish) => "klient",
        ("customer", Language::Ukrainian) => "клієнт",
        (_, Language::English) => "visitor",
        (_, Language::Polish) => "gość",
        (_, Language::Ukrainian) => "гість",
    };
    format!("{word} · {link}")
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(LONGEST_SHOWN);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_address_gives_the_same_names_and_another_one_others() {
        let key = Key { channel: "web", account: "a", id_type: "visitor", external_id: "1" };
        assert_eq!(ghost(key), ghost(key));
        let moved = Key { account: "", id_type: "avisitor", ..key };
        assert_ne!(digest(key), digest(moved));
        assert!(ghost(key).starts_with("kontor_web_") && alias(key).starts_with("_kontor_web_"));
        assert_eq!(digest(key).len(), 20);
    }

    #[test]
    fn long_names_are_cut_between_letters() {
        let name = room(&"ż".repeat(100), "Chat");
        assert_eq!(name, format!("{} · Chat", "ż".repeat(60)));
        assert_eq!(nameless(Language::Polish, "01ABCDXYZ9"), "Gość XYZ9");
    }
}
