//! Formatted text of employees as the widget builds it: a short list of marks, no markup.
//!
//! What comes in was cleaned by the kit, so it is well-formed and of few tags. What goes out is JSON: a
//! text, or an object with a mark `t`, its contents `c` and for links `h`. The widget makes elements of
//! the marks that it knows and never parses HTML.

use kontor_bridge_kit::html;
use serde_json::{Value, json};

/// Marks within marks.
const DEEPEST: usize = 8;
/// Texts and marks of one message.
const MOST: usize = 2000;

/// The mark of a tag; others vanish and their contents stay.
fn mark(tag: &str) -> Option<&'static str> {
    Some(match tag {
        "b" | "strong" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => "b",
        "i" | "em" => "i",
        "s" | "del" => "s",
        "code" => "code",
        "pre" => "pre",
        "ul" => "ul",
        "ol" => "ol",
        "li" => "li",
        "blockquote" => "blockquote",
        "p" => "p",
        "a" => "a",
        _ => return None,
    })
}

struct Open {
    tag: String,
    href: Option<String>,
    contents: Vec<Value>,
}

struct Builder {
    stack: Vec<Open>,
    count: usize,
}

impl Builder {
    fn add(&mut self, value: Value) {
        self.count += 1;
        if self.count <= MOST
            && let Some(open) = self.stack.last_mut()
        {
            open.contents.push(value);
        }
    }

    fn text(&mut self, raw: &str) {
        if !raw.is_empty() {
            self.add(Value::String(html::unescape(raw)));
        }
    }

    fn tag(&mut self, raw: &str) {
        if let Some(name) = raw.strip_prefix('/') {
            return self.close(name);
        }
        let (name, rest) = raw.split_once(' ').unwrap_or((raw, ""));
        if name == "br" {
            return self.add(Value::String("\n".to_owned()));
        }
        let href = rest.split_once("href=\"").and_then(|(_, rest)| rest.split_once('"'));
        let href = href.map(|(href, _)| html::unescape(href));
        self.stack.push(Open { tag: name.to_owned(), href, contents: Vec::new() });
    }

    fn close(&mut self, name: &str) {
        if self.stack.len() < 2 || self.stack.last().is_none_or(|open| open.tag != name) {
            return;
        }
        let Some(done) = self.stack.pop() else { return };
        let known = mark(name).filter(|mark| *mark != "a" || done.href.is_some());
        match known.filter(|_| self.stack.len() <= DEEPEST) {
            Some("a") => self.add(json!({ "t": "a", "h": done.href, "c": done.contents })),
            Some(mark) => self.add(json!({ "t": mark, "c": done.contents })),
            None => done.contents.into_iter().for_each(|value| self.add(value)),
        }
    }
}

/// The marks of an HTML text; `None` when it says no more than plain text does.
pub fn marks(raw: &str) -> Option<Value> {
    let clean = html::clean(raw);
    let root = Open { tag: String::new(), href: None, contents: Vec::new() };
    let mut builder = Builder { stack: vec![root], count: 0 };
    let mut rest = clean.as_str();
    while let Some((text, after)) = rest.split_once('<') {
        builder.text(text);
        let (tag, after) = after.split_once('>').unwrap_or((after, ""));
        builder.tag(tag);
        rest = after;
    }
    builder.text(rest);
    let root = builder.stack.into_iter().next()?;
    let says_more = root.contents.iter().any(Value::is_object);
    says_more.then_some(Value::Array(root.contents))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_employees_format_is_kept() {
        let html = "Proszę <strong>kliknąć <em>tu</em></strong>:<br><a href=\"https://x.example/?a=1&amp;b=2\">link</a>";
        assert_eq!(
            marks(html),
            Some(json!([
                "Proszę ",
                { "t": "b", "c": ["kliknąć ", { "t": "i", "c": ["tu"] }] },
                ":",
                "\n",
                { "t": "a", "h": "https://x.example/?a=1&b=2", "c": ["link"] },
            ]))
        );
        assert_eq!(
            marks("<ul><li>1 &lt; 2</li></ul>"),
            Some(json!([{ "t": "ul", "c": [{ "t": "li", "c": ["1 < 2"] }] }]))
        );
    }

    #[test]
    fn plain_text_needs_no_marks() {
        assert_eq!(marks("a &amp; b"), None);
        assert_eq!(marks(""), None);
        assert_eq!(marks("<u>x</u>"), None);
    }

    #[test]
    fn nothing_harmful_and_nothing_endless_passes() {
        let said = marks("<a href=\"javascript:alert(1)\">x</a><b onclick=\"y()\">z</b><script>q</script>");
        let said = said.unwrap().to_string();
        assert!(!said.contains("javascript") && !said.contains("onclick") && !said.contains('q'), "{said}");
        let deep = marks(&format!("{}x{}", "<b>".repeat(100), "</b>".repeat(100))).unwrap();
        assert!(deep.to_string().matches("\"t\"").count() <= DEEPEST + 1);
        let _ = marks(&"<li>x</li>".repeat(20_000));
        for odd in ["<", "<<b>", "</b>", "<a href=\"https://x.example", "&lt;script&gt;"] {
            let _ = marks(odd);
        }
        assert_eq!(
            marks("<b>&lt;script&gt;&amp;amp;</b>"),
            Some(json!([{ "t": "b", "c": ["<script>&amp;"] }]))
        );
    }
}
