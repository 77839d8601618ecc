//! HTML from outside made harmless: a short list of tags, links of a few kinds, and nothing else.

use html5gum::emitters::default::StartTag;
use html5gum::{DefaultEmitter, Token, Tokenizer};

/// Tags that stay, without any attributes.
const PLAIN: [&str; 21] = [
    "p",
    "br",
    "b",
    "strong",
    "i",
    "em",
    "u",
    "s",
    "del",
    "code",
    "pre",
    "ul",
    "ol",
    "li",
    "blockquote",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
];
/// Tags that vanish with all that is in them.
const HIDDEN: [&str; 9] =
    ["script", "style", "title", "template", "noscript", "iframe", "object", "svg", "mx-reply"];
/// Where links may lead.
const SCHEMES: [&str; 4] = ["https://", "http://", "mailto:", "tel:"];
/// Tags within tags.
const DEEPEST: usize = 30;
/// Longest result, bytes.
const LONGEST: usize = 32 << 10;

/// Makes HTML harmless. Whatever comes in, what comes out is well-formed and of the known tags only.
pub fn clean(html: &str) -> String {
    let mut emitter = DefaultEmitter::default();
    // What stands in scripts and styles is no markup.
    emitter.naively_switch_states(true);
    let mut cleaner = Cleaner::default();
    for token in Tokenizer::new_with_emitter(html, emitter).flatten() {
        match token {
            Token::StartTag(tag) => cleaner.open(&tag),
            Token::EndTag(tag) => cleaner.close(&String::from_utf8_lossy(&tag.name)),
            Token::String(piece) => cleaner.text(&String::from_utf8_lossy(&piece)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
        if cleaner.out.len() > LONGEST {
            break;
        }
    }
    while let Some(tag) = cleaner.stack.pop() {
        cleaner.out.push_str(&format!("</{tag}>"));
    }
    cleaner.out
}

#[derive(Default)]
struct Cleaner {
    out: String,
    stack: Vec<String>,
    /// The hidden tag we are in, and how deep.
    hidden: Option<(String, usize)>,
}

impl Cleaner {
    fn open(&mut self, tag: &StartTag<()>) {
        let name = String::from_utf8_lossy(&tag.name).into_owned();
        if let Some((hidden, depth)) = &mut self.hidden {
            if *hidden == name && !tag.self_closing {
                *depth += 1;
            }
            return;
        }
        if HIDDEN.contains(&name.as_str()) {
            if !tag.self_closing {
                self.hidden = Some((name, 1));
            }
        } else if name == "br" {
            self.out.push_str("<br>");
        } else if self.stack.len() >= DEEPEST {
        } else if name == "a" {
            let href = tag.attributes.get("href".as_bytes());
            let href = href.map(|href| String::from_utf8_lossy(href).trim().to_owned()).unwrap_or_default();
            let lower = href.to_ascii_lowercase();
            if SCHEMES.iter().any(|scheme| lower.starts_with(scheme)) && !href.contains(char::is_control) {
                self.out.push_str(&format!("<a href=\"{}\" rel=\"noopener\">", escape(&href)));
                self.stack.push(name);
            }
        } else if PLAIN.contains(&name.as_str()) {
            self.out.push_str(&format!("<{name}>"));
            self.stack.push(name);
        }
    }

    fn close(&mut self, name: &str) {
        if let Some((hidden, depth)) = &mut self.hidden {
            if hidden == name {
                *depth -= 1;
                if *depth == 0 {
                    self.hidden = None;
                }
            }
            return;
        }
        // What was opened inside is closed first.
        if let Some(at) = self.stack.iter().rposition(|open| open == name) {
            for tag in self.stack.drain(at..).rev() {
                self.out.push_str(&format!("</{tag}>"));
            }
        }
    }

    fn text(&mut self, text: &str) {
        if self.hidden.is_none() {
            self.out.push_str(&escape(text));
        }
    }
}

/// The text that [`escape`] made HTML of.
pub fn unescape(html: &str) -> String {
    let text = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    text.replace("&amp;", "&")
}

/// Text as HTML.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && c != '\n' && c != '\t' => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_harmless_stays() {
        let html = "<p>Dzień <b>dobry</b><br><a href=\"https://x.example/?a=1&amp;b=2\">tu</a></p>";
        let same =
            "<p>Dzień <b>dobry</b><br><a href=\"https://x.example/?a=1&amp;b=2\" rel=\"noopener\">tu</a></p>";
        assert_eq!(clean(html), same);
        assert_eq!(clean(&clean(html)), same);
    }

    #[test]
    fn what_is_harmful_goes() {
        for (html, expected) in [
            ("<script>alert(1)</script>x", "x"),
            ("<img src=x onerror=alert(1)>x", "x"),
            ("<p onclick=\"x()\">y</p>", "<p>y</p>"),
            ("<a href=\"javascript:alert(1)\">y</a>", "y"),
            ("<a href=\" JaVaScRiPt:alert(1)\">y</a>", "y"),
            ("<b><i>x</b>y", "<b><i>x</i></b>y"),
            ("<svg><script>x</script></svg>y", "y"),
            ("a < b & c", "a &lt; b &amp; c"),
            ("</p></div>x", "x"),
            ("<style>p{}</style><!-- x -->y", "y"),
            ("<b", ""),
            ("<mx-reply>cytat</mx-reply>Tak", "Tak"),
        ] {
            assert_eq!(clean(html), expected, "{html}");
        }
    }

    #[test]
    fn any_nesting_ends_well_formed_and_short() {
        let deep = clean(&"<b>".repeat(10_000));
        assert_eq!(deep.matches("<b>").count(), deep.matches("</b>").count());
        assert!(clean(&"x ".repeat(100_000)).len() < 300_000);
    }
}
