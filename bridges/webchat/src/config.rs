//! How the website channel is set up: widgets, forms, who may use them, and what visitors read.
//!
//! Everything is checked when the bridge starts, so that nothing has to be doubted later. Unknown keys
//! are refused: a mistyped limit must not be no limit.

use crate::hours::Hours;
use kontor_bridge_kit::proof::sha256_hex;
use kontor_model::{Language, Secret};
use serde::Deserialize;

/// The whole channel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The language of what the bridge tells employees.
    #[serde(default)]
    pub language: Language,
    /// Chat windows.
    #[serde(default)]
    pub widgets: Vec<Widget>,
    /// Contact forms.
    #[serde(default)]
    pub forms: Vec<Form>,
}

/// A chat window on the pages of one shop.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Widget {
    /// Its id in pages and signatures: letters, digits, `_` and `-`, at most 64.
    pub id: String,
    /// The origins of the pages that it is on, such as `https://shop.example`. Nothing else may call it.
    pub origins: Vec<String>,
    /// The language of visitors whose own is not spoken here.
    #[serde(default)]
    pub language: Language,
    /// The company's name, above the conversation.
    pub title: Texts,
    /// The first thing that a visitor reads.
    #[serde(default)]
    pub greeting: Texts,
    /// Colour of the button, the head and the visitor's messages: `#rrggbb`.
    #[serde(default = "colour")]
    pub colour: String,
    /// The corner of the page.
    #[serde(default)]
    pub side: Side,
    /// When somebody answers; always when left out.
    #[serde(default)]
    pub hours: Option<Hours>,
    /// What is asked before the first message; nothing when empty.
    #[serde(default)]
    pub ask: Vec<Field>,
    /// What visitors may agree to in the offline form and before the first message.
    #[serde(default)]
    pub consents: Vec<Consent>,
    /// Where the page about personal data is.
    #[serde(default)]
    pub privacy_url: Option<String>,
    /// With which the shop signs who its visitor is. Several while the secret is being changed: any is
    /// believed. None: visitors cannot be proven.
    #[serde(default)]
    pub identity_secrets: Vec<Secret<String>>,
    /// Files in both directions.
    #[serde(default)]
    pub files: FileRules,
    /// How much one visitor and one address may do.
    #[serde(default)]
    pub limits: Limits,
}

/// A contact form that is not the chat's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// Its id in the address: letters, digits, `_` and `-`, at most 64.
    pub id: String,
    /// Pages whose visitors may send it from their browsers; none: only the shop's server may.
    #[serde(default)]
    pub origins: Vec<String>,
    /// With which the shop's server signs what it sends; none: only browsers may.
    #[serde(default)]
    pub secrets: Vec<Secret<String>>,
    /// Where a plain HTML form goes afterwards.
    #[serde(default)]
    pub thanks_url: Option<String>,
    /// The language of the form and of those who fill it in.
    #[serde(default)]
    pub language: Language,
    /// What may be agreed to.
    #[serde(default)]
    pub consents: Vec<Consent>,
    /// How often one address may send it.
    #[serde(default)]
    pub limits: Limits,
}

/// A text in the languages that are spoken here. One is enough; the others fall back to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// English.
    #[serde(default)]
    pub en: Option<String>,
    /// Polski.
    #[serde(default)]
    pub pl: Option<String>,
    /// Українська.
    #[serde(default)]
    pub uk: Option<String>,
}

impl Texts {
    /// In this language, or in another one; empty when there is none at all.
    pub fn get(&self, language: Language) -> &str {
        let own = match language {
            Language::English => &self.en,
            Language::Polish => &self.pl,
            Language::Ukrainian => &self.uk,
        };
        let mut all = [own, &self.en, &self.pl, &self.uk].into_iter();
        all.find_map(|text| text.as_deref()).unwrap_or_default()
    }
}

/// The corner of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Bottom left.
    Left,
    /// Bottom right.
    #[default]
    Right,
}

impl Side {
    /// The word for the widget.
    pub fn word(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}

/// Something that is asked before the first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// What.
    pub name: FieldName,
    /// Whether it must be filled in.
    #[serde(default)]
    pub required: bool,
}

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldName {
    /// A name.
    Name,
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
}

impl FieldName {
    /// The word for the widget.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }
}

/// Something that visitors may agree to, by ticking it themselves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// What for, such as `contact` or `marketing_email`.
    pub id: String,
    /// The version of the text. A changed text is a new version.
    pub version: String,
    /// What is agreed to.
    pub text: Texts,
    /// Whether the form cannot be sent without it.
    #[serde(default)]
    pub required: bool,
}

impl Consent {
    /// SHA-256 of the text in this language, hexadecimal: what a visitor who ticked it says they read.
    pub fn sha256(&self, language: Language) -> String {
        sha256_hex(self.text.get(language).as_bytes())
    }

    /// Whether this is the hash of the text in one of its languages.
    pub fn is_text(&self, sha256: &str) -> bool {
        let all = [Language::English, Language::Polish, Language::Ukrainian];
        all.into_iter().any(|language| self.sha256(language).eq_ignore_ascii_case(sha256))
    }
}

/// Files in both directions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileRules {
    /// Whether visitors may send any.
    pub enabled: bool,
    /// Largest, bytes.
    pub largest: usize,
    /// Media types that are taken. What says that it is a picture or a PDF must begin like one.
    pub types: Vec<String>,
}

impl Default for FileRules {
    fn default() -> Self {
        let types = [
            "image/jpeg",
            "image/png",
            "image/gif",
            "image/webp",
            "application/pdf",
            "text/plain",
            "application/zip",
            "application/msword",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "application/vnd.ms-excel",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "application/vnd.oasis.opendocument.text",
            "application/vnd.oasis.opendocument.spreadsheet",
        ];
        Self { enabled: true, largest: 10 << 20, types: types.map(str::to_owned).to_vec() }
    }
}

/// How much one visitor and one address may do.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Messages of a visitor in 30 seconds.
    pub messages_per_30s: u32,
    /// Messages from one address in 30 seconds, whoever the visitors are.
    pub messages_per_30s_per_address: u32,
    /// New visitors from one address in an hour.
    pub sessions_per_hour: u32,
    /// Files of a visitor in an hour.
    pub files_per_hour: u32,
    /// Forms from one address in an hour.
    pub forms_per_hour: u32,
    /// Other requests (polls, marks, settings) from one address in a minute.
    pub requests_per_minute: u32,
    /// How long filling in a form takes at least, milliseconds.
    pub fastest_form_ms: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            messages_per_30s: 10,
            messages_per_30s_per_address: 40,
            sessions_per_hour: 5,
            files_per_hour: 30,
            forms_per_hour: 10,
            requests_per_minute: 600,
            fastest_form_ms: 3000,
        }
    }
}

fn colour() -> String {
    "#1b5e4b".to_owned()
}

/// Largest file that a widget can be set up for, bytes: it is held in memory while it comes in.
pub const LARGEST_FILE: usize = 25 << 20;

fn is_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !id.is_empty() && id.len() <= 64 && id.bytes().all(plain)
}

/// Whether this is an origin exactly as browsers write it: nothing is normalised when they are compared.
fn is_origin(origin: &str) -> bool {
    let parsed = url::Url::parse(origin).ok().map(|url| url.origin());
    parsed.is_some_and(|parsed| parsed.is_tuple() && parsed.ascii_serialization() == origin)
        && (origin.starts_with("https://") || origin.starts_with("http://"))
}

fn is_page(address: &str) -> bool {
    url::Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
}

fn is_colour(colour: &str) -> bool {
    let digits = colour.strip_prefix('#');
    digits.is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl Settings {
    /// Says what is wrong, in words for whoever wrote it.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub fn check(&self) -> Result<(), String> {
        for widget in &self.widgets {
            widget.check().map_err(|why| format!("widget {:?}: {why}", widget.id))?;
        }
        for form in &self.forms {
            form.check().map_err(|why| format!("form {:?}: {why}", form.id))?;
        }
        unique(self.widgets.iter().map(|widget| &widget.id))?;
        unique(self.forms.iter().map(|form| &form.id))
    }

    /// A widget.
    pub fn widget(&self, id: &str) -> Option<&Widget> {
        self.widgets.iter().find(|widget| widget.id == id)
    }

    /// A form.
    pub fn form(&self, id: &str) -> Option<&Form> {
        self.forms.iter().find(|form| form.id == id)
    }
}

fn unique<'a>(ids: impl Iterator<Item = &'a String>) -> Result<(), String> {
    let mut seen = std::collections::HashSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(format!("the id {id:?} is there twice"));
        }
    }
    Ok(())
}

fn check_common(id: &str, origins: &[String], secrets: &[Secret<String>]) -> Result<(), String> {
    if !is_id(id) {
        return Err("id must be letters, digits, _ or -, at most 64".to_owned());
    }
    if let Some(origin) = origins.iter().find(|origin| !is_origin(origin)) {
        return Err(format!("origins: {origin:?} is no origin such as https://shop.example"));
    }
    if secrets.iter().any(|secret| secret.expose().len() < 16) {
        return Err("a secret must have at least 16 characters".to_owned());
    }
    Ok(())
}

fn check_consents(consents: &[Consent]) -> Result<(), String> {
    for consent in consents {
        if !is_id(&consent.id) || consent.version.is_empty() || consent.version.len() > 100 {
            return Err(format!("consents: {:?} needs an id and a version", consent.id));
        }
        if consent.text == Texts::default() {
            return Err(format!("consents: {:?} needs a text", consent.id));
        }
    }
    unique(consents.iter().map(|consent| &consent.id))
}

impl Widget {
    fn check(&self) -> Result<(), String> {
        check_common(&self.id, &self.origins, &self.identity_secrets)?;
        if self.origins.is_empty() {
            return Err("origins must name the pages that the widget is on".to_owned());
        }
        if !is_colour(&self.colour) {
            return Err("colour must be #rrggbb".to_owned());
        }
        if self.title == Texts::default() {
            return Err("title needs a text".to_owned());
        }
        if self.files.largest > LARGEST_FILE {
            return Err(format!("files.largest must be at most {LARGEST_FILE}"));
        }
        if self.privacy_url.as_deref().is_some_and(|address| !is_page(address)) {
            return Err("privacy_url must be the address of a page".to_owned());
        }
        if let Some(hours) = &self.hours {
            hours.check()?;
        }
        check_consents(&self.consents)
    }
}

impl Form {
    fn check(&self) -> Result<(), String> {
        check_common(&self.id, &self.origins, &self.secrets)?;
        if self.origins.is_empty() && self.secrets.is_empty() {
            return Err("origins or secrets must say who may send it".to_owned());
        }
        if self.thanks_url.as_deref().is_some_and(|address| !is_page(address)) {
            return Err("thanks_url must be the address of a page".to_owned());
        }
        check_consents(&self.consents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(change: impl FnOnce(&mut serde_json::Value)) -> Result<Settings, String> {
        let mut value = json!({ "widgets": [{
            "id": "w_1", "origins": ["https://shop.example"], "title": { "pl": "Sklep" },
            "consents": [{ "id": "contact", "version": "2026-05", "text": { "pl": "Zgadzam się" } }],
        }] });
        change(&mut value);
        let settings: Settings = serde_json::from_value(value).map_err(|error| error.to_string())?;
        settings.check().map(|()| settings)
    }

    #[test]
    fn what_is_wrong_is_said_and_what_is_right_is_taken() {
        let good = settings(|_| {}).unwrap();
        assert_eq!(good.widget("w_1").unwrap().title.get(Language::Ukrainian), "Sklep");
        type Change = fn(&mut serde_json::Value);
        let bad: [(&str, Change); 9] = [
            ("unknown field", |value| value["widgets"][0]["colr"] = json!("#000000")),
            ("unknown field", |value| value["widgets"][0]["limits"] = json!({ "mesages": 1 })),
            ("is no origin", |value| value["widgets"][0]["origins"] = json!(["https://shop.example/"])),
            ("is no origin", |value| value["widgets"][0]["origins"] = json!(["*"])),
            ("origins must", |value| value["widgets"][0]["origins"] = json!([])),
            ("id must", |value| value["widgets"][0]["id"] = json!("a b")),
            ("#rrggbb", |value| value["widgets"][0]["colour"] = json!("red;")),
            ("16 characters", |value| value["widgets"][0]["identity_secrets"] = json!(["short"])),
            ("who may send", |value| value["forms"] = json!([{ "id": "f" }])),
        ];
        for (why, change) in bad {
            let error = settings(change).unwrap_err();
            assert!(error.contains(why), "{error} does not say {why}");
        }
    }

    #[test]
    fn secrets_are_never_printed() {
        let good =
            settings(|value| value["widgets"][0]["identity_secrets"] = json!(["0123456789abcdef!"])).unwrap();
        assert!(!format!("{good:?}").contains("0123456789abcdef"));
    }

    #[test]
    fn a_consent_is_of_one_of_its_texts() {
        let good = settings(|_| {}).unwrap();
        let consent = &good.widgets[0].consents[0];
        assert!(consent.is_text(&sha256_hex("Zgadzam się".as_bytes())));
        assert!(!consent.is_text(&sha256_hex(b"something else")));
        assert!(!consent.is_text(""));
    }
}
