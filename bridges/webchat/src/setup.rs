//! `GET /config`: everything a page needs to show the widget, in the visitor's language.

use crate::config::{Consent, Widget};
use crate::script::script;
use crate::{WebChat, answer, clean};
use kontor_bridge_kit::{HookReply, HookRequest};
use kontor_model::{Language, Ms};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// The widget's own words.
static TEXTS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../widget/texts.json")).unwrap_or_default());

/// The widget's words in a language.
fn texts(language: Language) -> &'static Value {
    TEXTS.get(language.code()).unwrap_or(&Value::Null)
}

fn consent(consent: &Consent, language: Language) -> Value {
    json!({
        "id": consent.id,
        "version": consent.version,
        "text": consent.text.get(language),
        "text_sha256": consent.sha256(language),
        "required": consent.required,
    })
}

/// Black or white, whichever is easier to read on a colour (relative luminance of WCAG 2).
fn on(colour: &str) -> &'static str {
    let part = |at: usize| {
        let digits = colour.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let value = f64::from(digits.unwrap_or(0)) / 255.0;
        if value <= 0.039_28 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    let light = 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);
    // Contrast with white is 1.05 / (light + 0.05), with black (light + 0.05) / 0.05.
    if 1.05 / (light + 0.05) >= 4.5 { "#ffffff" } else { "#000000" }
}

/// The page's answer.
pub fn page(widget: &Widget, language: Language, now: Ms) -> Value {
    let open = widget.hours.as_ref().is_none_or(|hours| hours.is_open(now));
    let opens_at = widget.hours.as_ref().filter(|_| !open).and_then(|hours| hours.opens_at(now));
    let ask = widget.ask.iter().map(|field| json!({ "name": field.name.word(), "required": field.required }));
    let files = &widget.files;
    json!({
        "widget": widget.id,
        "language": language,
        "title": widget.title.get(language),
        "greeting": widget.greeting.get(language),
        "colour": widget.colour,
        "on_colour": on(&widget.colour),
        "side": widget.side.word(),
        "online": open,
        "opens_at": opens_at,
        "ask": ask.collect::<Vec<_>>(),
        "consents": widget.consents.iter().map(|one| consent(one, language)).collect::<Vec<_>>(),
        "privacy_url": widget.privacy_url,
        "files": files.enabled.then(|| json!({ "largest": files.largest, "types": files.types })),
        "longest_text": clean::LONGEST_TEXT,
        "fastest_form_ms": widget.limits.fastest_form_ms,
        "poll": "events",
        "script": { "name": script().name, "integrity": script().integrity },
        "texts": texts(language),
    })
}

impl WebChat {
    /// Answers `GET /config`.
    pub fn setup(&self, request: &HookRequest, widget: &Widget) -> HookReply {
        let wanted = request.parameter("lang");
        let wanted = wanted.as_deref().and_then(|code| code.get(..2)).and_then(Language::of);
        HookReply::only(answer::json(&page(widget, wanted.unwrap_or(widget.language), request.at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_every_word() {
        let names = |language: Language| -> Vec<String> {
            let words = texts(language).as_object().expect("the file has every language");
            words.iter().for_each(|(name, word)| {
                assert!(word.as_str().is_some_and(|word| !word.is_empty()), "{name}")
            });
            words.keys().cloned().collect()
        };
        assert!(names(Language::English).len() > 20);
        assert_eq!(names(Language::English), names(Language::Polish));
        assert_eq!(names(Language::English), names(Language::Ukrainian));
    }

    #[test]
    fn the_script_uses_every_word_and_no_other() {
        let script = include_str!("../widget/widget.js");
        let used: std::collections::BTreeSet<&str> = script
            .match_indices("T.")
            .filter(|(at, _)| {
                script[..*at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '.')
            })
            .map(|(at, _)| {
                let rest = &script[at + 2..];
                &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())]
            })
            .collect();
        let words = texts(Language::English).as_object().unwrap();
        for word in &used {
            assert!(words.contains_key(*word), "{word} is in no language");
        }
        for word in words.keys() {
            assert!(used.contains(word.as_str()), "{word} is never said");
        }
    }

    #[test]
    fn what_stands_on_a_colour_can_be_read() {
        assert_eq!(on("#1b5e4b"), "#ffffff");
        assert_eq!(on("#ffd400"), "#000000");
        assert_eq!(on("#000000"), "#ffffff");
    }
}
