//! What the server writes to people by mail, in their language, as plain text and as simple HTML.
//!
//! A letter lies in the outbox as its cause; it is put into words when it leaves.

mod texts;

use kontor_model::Language;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// The kind of letters in the outbox.
pub const KIND: &str = "mail";

/// Why somebody is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Somebody wants to add the address to an account.
    Add,
    /// Somebody wants to register with the address.
    Register,
    /// Somebody wants to set another password.
    Reset,
    /// Somebody wants to add or register an address that belongs to an account.
    Taken,
    /// Somebody wants to set another password with an address that belongs to no account.
    Unknown,
}

impl Cause {
    /// Whether the letter holds a link by which the address is proven.
    pub fn proves(self) -> bool {
        matches!(self, Self::Add | Self::Register | Self::Reset)
    }
}

/// A letter on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The address that it goes to.
    pub to: String,
    /// Why.
    pub cause: Cause,
    /// In which language.
    pub language: Language,
    /// The link that it is about, if it is about one.
    pub link: Option<String>,
}

/// A letter in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// Its subject.
    pub subject: String,
    /// Its plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

impl Letter {
    /// Puts the letter into words; `server` is the server's name.
    pub fn words(&self, server: &str) -> Words {
        let texts = texts::of(self.cause, self.language);
        let common = texts::common(self.language);
        let fill = |text: &str| text.replace("{server}", server);
        let (subject, lead, hint) = (fill(texts.subject), fill(texts.lead), fill(texts.hint));
        let mut text = format!("{}\n\n{lead}\n", common.greeting);
        if let Some(link) = &self.link {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n{link}\n\n{}\n", common.life);
        }
        let _ = write!(text, "\n{hint}\n\n-- \n{server}\n");
        let button = self.link.as_ref().map(|link| {
            let link = escape(link);
            format!(
                "<p style=\"margin:24px 0\"><a href=\"{link}\" style=\"display:inline-block;padding:12px 20px;\
                 border-radius:6px;background:#0b57d0;color:#ffffff;text-decoration:none;font-weight:600\">{}</a></p>\
                 <p style=\"color:#5f6368\">{}<br><a href=\"{link}\" style=\"color:#0b57d0;word-break:break-all\">\
                 {link}</a></p><p>{}</p>",
                escape(texts.button),
                escape(common.or_link),
                escape(common.life),
            )
        });
        let html = format!(
            "<!doctype html><html lang=\"{code}\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\
             <body style=\"margin:0;padding:24px;background:#f1f3f4;font:16px/1.5 sans-serif;color:#202124\">\
             <div style=\"max-width:520px;margin:0 auto;padding:24px;background:#ffffff;border-radius:8px\">\
             <p>{greeting}</p><p>{lead}</p>{button}<p>{hint}</p>\
             <p style=\"margin-top:32px;color:#5f6368\">{server}</p></div></body></html>",
            code = self.language.code(),
            title = escape(&subject),
            greeting = escape(common.greeting),
            lead = escape(&lead),
            button = button.unwrap_or_default(),
            hint = escape(&hint),
            server = escape(server),
        );
        Words { subject, text, html }
    }
}

/// Text as HTML shows it as it is.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUSES: [Cause; 5] = [Cause::Add, Cause::Register, Cause::Reset, Cause::Taken, Cause::Unknown];
    const LANGUAGES: [Language; 3] = [Language::English, Language::Polish, Language::Ukrainian];

    #[test]
    fn every_letter_is_written_in_every_language_and_names_the_server() {
        for cause in CAUSES {
            let mut subjects = std::collections::BTreeSet::new();
            for language in LANGUAGES {
                let link = cause.proves().then(|| "https://x/?a=1&b=2".to_owned());
                let letter = Letter { to: "a@b.c".into(), cause, language, link };
                let words = letter.words("chat.example");
                assert!(words.text.contains("chat.example") && words.html.contains("chat.example"));
                assert!(!words.text.contains('{') && !words.subject.contains('\n'), "{words:?}");
                assert_eq!(words.text.contains("https://x/?a=1&b=2"), cause.proves());
                assert_eq!(words.html.contains("https://x/?a=1&amp;b=2"), cause.proves());
                subjects.insert(words.subject);
            }
            assert_eq!(subjects.len(), 3, "{cause:?}");
        }
    }

    #[test]
    fn nothing_in_a_letter_is_taken_for_html() {
        assert_eq!(escape("<a href='\"&'>"), "&lt;a href=&#39;&quot;&amp;&#39;&gt;");
    }

    #[test]
    fn a_letter_comes_out_of_the_outbox_as_it_was_laid_in() {
        let letter =
            Letter { to: "a@b.c".into(), cause: Cause::Reset, language: Language::Polish, link: None };
        let text = serde_json::to_string(&letter).unwrap();
        assert_eq!(text, r#"{"to":"a@b.c","cause":"reset","language":"pl","link":null}"#);
        assert_eq!(serde_json::from_str::<Letter>(&text).unwrap(), letter);
    }
}
