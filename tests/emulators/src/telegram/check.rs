//! What may be in a message: lengths and places in UTF-16 code units, as Telegram counts.

use super::Refused;
use super::state::refusal;
use serde_json::{Value, json};

/// Longest text of a message.
pub(crate) const LONGEST_TEXT: usize = 4096;
/// Longest caption.
pub(crate) const LONGEST_CAPTION: usize = 1024;

const KINDS: [&str; 20] = [
    "mention",
    "hashtag",
    "cashtag",
    "bot_command",
    "url",
    "email",
    "phone_number",
    "bold",
    "italic",
    "underline",
    "strikethrough",
    "spoiler",
    "blockquote",
    "expandable_blockquote",
    "code",
    "pre",
    "text_link",
    "text_mention",
    "custom_emoji",
    "date_time",
];

pub(crate) fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A text with its entities, as it is stored: trimmed, and the entities with it.
pub(crate) fn text(raw: &str, entities: &Value, longest: usize, what: &str) -> Result<Value, Refused> {
    let bad = |text: String| refusal(400, &format!("Bad Request: {text}"));
    let units: Vec<u16> = raw.encode_utf16().collect();
    let mut kept = Vec::new();
    for entity in entities.as_array().into_iter().flatten() {
        let kind = entity["type"].as_str().unwrap_or_default();
        if !KINDS.contains(&kind) {
            return Err(bad(format!("can't parse entities: unsupported entity type \"{kind}\"")));
        }
        let (Some(offset), Some(length)) = (entity["offset"].as_u64(), entity["length"].as_u64()) else {
            return Err(bad("can't parse entities: an entity without place".to_owned()));
        };
        let (from, to) = (usize::try_from(offset).unwrap(), usize::try_from(offset + length).unwrap());
        if length == 0 || to > units.len() {
            let text = format!(
                "entity beginning at UTF-16 offset {from} ends after the end of the text at UTF-16 offset {to}"
            );
            return Err(bad(text));
        }
        let low = |at: usize| units.get(at).is_some_and(|unit| (0xDC00..0xE000).contains(unit));
        if low(from) || low(to) {
            return Err(bad(format!("entity begins in a middle of a UTF-16 symbol at byte offset {from}")));
        }
        if kind == "text_link" && entity["url"].as_str().is_none_or(str::is_empty) {
            return Err(bad("can't parse entities: a link without address".to_owned()));
        }
        kept.push((from, to, entity.clone()));
    }
    let trimmed = raw.trim_end();
    let end = utf16(trimmed);
    let begin = end - utf16(trimmed.trim_start());
    if end - begin > longest {
        return Err(bad(what.to_owned()));
    }
    let entities: Vec<Value> = kept
        .into_iter()
        .filter_map(|(from, to, mut entity)| {
            let (from, to) = (from.max(begin), to.min(end));
            (from < to).then(|| {
                entity["offset"] = json!(from - begin);
                entity["length"] = json!(to - from);
                entity
            })
        })
        .collect();
    let mut said = json!({ "text": trimmed.trim_start() });
    if !entities.is_empty() {
        said["entities"] = json!(entities);
    }
    Ok(said)
}

/// Tags of Telegram's HTML are checked, and taken out; that is all that an emulator needs.
pub(crate) fn html(raw: &str) -> Result<String, Refused> {
    const TAGS: [&str; 14] = [
        "b",
        "strong",
        "i",
        "em",
        "u",
        "ins",
        "s",
        "strike",
        "del",
        "a",
        "code",
        "pre",
        "blockquote",
        "tg-spoiler",
    ];
    let mut out = String::new();
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let offset = raw.len() - after.len() - 1;
        let (tag, after) = after.split_once('>').unwrap_or((after, ""));
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        if !TAGS.contains(&name) {
            let text = format!(
                "Bad Request: can't parse entities: Unsupported start tag \"{name}\" at byte offset {offset}"
            );
            return Err(refusal(400, &text));
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_as_telegram_counts() {
        let bold =
            |offset: usize, length: usize| json!([{ "type": "bold", "offset": offset, "length": length }]);
        let said = text(" 👉 tu ", &bold(1, 2), 4096, "").unwrap();
        assert_eq!(
            said,
            json!({ "text": "👉 tu", "entities": [{ "type": "bold", "offset": 0, "length": 2 }] })
        );
        assert!(text("👉", &bold(1, 1), 4096, "").is_err(), "in the middle of a symbol");
        assert!(text("ab", &bold(1, 2), 4096, "").is_err(), "behind the end");
        assert!(text(&"👉".repeat(2049), &json!([]), 4096, "message is too long").is_err());
        assert!(text(&"👉".repeat(2048), &json!([]), 4096, "").is_ok());
        assert!(text("x", &json!([{ "type": "x", "offset": 0, "length": 1 }]), 4096, "").is_err());
    }

    #[test]
    fn a_stray_tag_is_refused_in_telegrams_words() {
        assert_eq!(html("<b>a &amp; b</b>").unwrap(), "a & b");
        let said = html("<div>x").unwrap_err().description;
        assert!(said.contains("Unsupported start tag \"div\" at byte offset 0"), "{said}");
    }
}
