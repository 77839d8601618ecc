//! Identifiers that follow from what they identify: the same thing has the same one after any crash.

use ring::digest::{Context, SHA256};

/// Letters for each half byte.
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| DIGITS.get(usize::from(half)).map_or('0', |digit| char::from(*digit));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// `kb.` and a hash of the parts; different lists of parts never give the same.
fn of(parts: &[&str]) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part.as_bytes());
    }
    let digest = context.finish();
    format!("kb.{}", hex(digest.as_ref().get(..20).unwrap_or_default()))
}

/// Transaction id of what an item says.
pub(crate) fn inbound(channel: &str, key: &str, part: &str) -> String {
    of(&["in", channel, key, part])
}

/// Our key for the network of what an agent did.
pub(crate) fn outbound(channel: &str, event_id: &str, part: u32, act: &str) -> String {
    of(&["out", channel, event_id, &part.to_string(), act])
}

/// Transaction id of what the bridge itself says about something.
pub(crate) fn note(channel: &str, about: &[&str]) -> String {
    of(&[&["note", channel], about].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_the_same_again_and_never_of_two_things() {
        assert_eq!(inbound("a", "bc", "0"), inbound("a", "bc", "0"));
        assert_ne!(inbound("a", "bc", "0"), inbound("ab", "c", "0"));
        assert_ne!(inbound("a", "b", "0"), outbound("a", "b", 0, ""));
        assert_eq!(hex(&[0, 0x1f, 0xff]), "001fff");
    }
}
