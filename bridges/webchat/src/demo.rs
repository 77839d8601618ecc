//! The shop of the demonstration: a page with the widget on it, and what the channel is set up with there.

use crate::WIDGET_PATH;
use serde_json::{Value, json};

/// The widget of the demonstration shop.
pub const WIDGET: &str = "olcha";

/// The shop's page, with the widget from the bridge at `base`, such as `http://127.0.0.1:8010`.
pub fn page(base: &str) -> String {
    let script = format!("{}{WIDGET_PATH}widget.js", base.trim_end_matches('/'));
    include_str!("../demo/index.html").replace("{{script}}", &script).replace("{{widget}}", WIDGET)
}

/// The settings of the channel for a shop whose page is on `origin`.
pub fn settings(origin: &str) -> Value {
    json!({
        "language": "pl",
        "widgets": [{
            "id": WIDGET,
            "origins": [origin],
            "language": "pl",
            "title": { "pl": "Pracownia Olcha", "uk": "Майстерня «Ольха»", "en": "Olcha Workshop" },
            "greeting": {
                "pl": "Dzień dobry! W czym możemy pomóc? Odpowiada Anna lub Taras.",
                "uk": "Добрий день! Чим можемо допомогти? Відповідає Анна або Тарас.",
                "en": "Hello! How can we help? Anna or Taras will answer.",
            },
            "colour": "#2f5d50",
            "consents": [{
                "id": "contact",
                "version": "2026-05",
                "text": {
                    "pl": "Zgadzam się na kontakt w sprawie mojego zapytania.",
                    "uk": "Я погоджуюся на зв’язок щодо мого запиту.",
                    "en": "I agree to be contacted about my question.",
                },
            }],
            "limits": { "sessions_per_hour": 1000, "messages_per_30s": 30, "messages_per_30s_per_address": 1000 },
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demonstration_is_well_set_up() {
        let settings: crate::config::Settings =
            serde_json::from_value(settings("http://127.0.0.1:8010")).unwrap();
        settings.check().unwrap();
        let page = page("http://127.0.0.1:8010/");
        assert!(
            page.contains("src=\"http://127.0.0.1:8010/_kontor/widget/v1/widget.js\" data-widget=\"olcha\"")
        );
        assert!(!page.contains("}}"));
    }
}
