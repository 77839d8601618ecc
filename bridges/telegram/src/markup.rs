//! HTML of employees becomes text with marks as Telegram wants it. Places are counted in UTF-16 code units.

use kontor_bridge_kit::html;
use serde_json::{Value, json};

/// A text and its marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marked {
    /// The text.
    pub text: String,
    /// Where it is marked.
    pub marks: Vec<Mark>,
}

/// A mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Telegram's name of it.
    pub kind: &'static str,
    /// Where it begins, UTF-16 code units.
    pub offset: usize,
    /// How long it is.
    pub length: usize,
    /// Where it leads.
    pub url: Option<String>,
}

impl Marked {
    /// Text without marks.
    pub fn plain(text: &str) -> Self {
        Self { text: text.trim().to_owned(), marks: Vec::new() }
    }

    /// The marks as parameters.
    pub fn entities(&self) -> Value {
        let one = |mark: &Mark| {
            let mut said = json!({ "type": mark.kind, "offset": mark.offset, "length": mark.length });
            if let (Some(url), Some(fields)) = (&mark.url, said.as_object_mut()) {
                fields.insert("url".to_owned(), json!(url));
            }
            said
        };
        Value::Array(self.marks.iter().map(one).collect())
    }

    /// Its length as Telegram counts.
    pub fn length(&self) -> usize {
        self.text.encode_utf16().count()
    }
}

/// Telegram's name of a tag's mark.
fn kind(tag: &str) -> Option<&'static str> {
    Some(match tag {
        "b" | "strong" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => "bold",
        "i" | "em" => "italic",
        "u" => "underline",
        "s" | "del" => "strikethrough",
        "code" => "code",
        "pre" => "pre",
        "blockquote" => "blockquote",
        "a" => "text_link",
        _ => return None,
    })
}

/// How many line ends a block wants before and after it.
fn breaks(tag: &str) -> usize {
    match tag {
        "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => 2,
        "ul" | "ol" | "li" | "pre" | "blockquote" => 1,
        _ => 0,
    }
}

struct Open {
    tag: String,
    href: Option<String>,
    from: usize,
    /// The number of a list's next entry; nothing for bullets.
    number: Option<usize>,
}

#[derive(Default)]
struct Builder {
    out: String,
    /// Length of `out` in UTF-16 code units.
    units: usize,
    open: Vec<Open>,
    marks: Vec<Mark>,
    space: bool,
    breaks: usize,
}

impl Builder {
    fn push(&mut self, c: char) {
        self.out.push(c);
        self.units += c.len_utf16();
    }

    fn trailing_newlines(&self) -> usize {
        self.out.chars().rev().take_while(|c| *c == '\n').count()
    }

    /// Writes the line ends that are due.
    fn settle(&mut self) {
        if !self.out.is_empty() {
            for _ in self.trailing_newlines()..self.breaks {
                self.push('\n');
            }
        }
        self.breaks = 0;
    }

    fn text(&mut self, raw: &str) {
        let in_pre = self.open.iter().any(|open| open.tag == "pre");
        for c in html::unescape(raw).chars() {
            if !in_pre && matches!(c, ' ' | '\n' | '\t' | '\r') {
                self.space = true;
                continue;
            }
            let breaks = self.breaks > 0;
            self.settle();
            let begins = self.out.is_empty() || self.out.ends_with('\n');
            if std::mem::take(&mut self.space) && !breaks && !begins {
                self.push(' ');
            }
            self.push(c);
        }
    }

    fn line_end(&mut self) {
        self.space = false;
        if self.trailing_newlines() < self.breaks && !self.out.is_empty() {
            self.settle();
        } else {
            self.breaks = 0;
            self.push('\n');
        }
    }

    fn tag(&mut self, raw: &str) {
        if let Some(name) = raw.strip_prefix('/') {
            return self.close(name);
        }
        let (name, rest) = raw.split_once(' ').unwrap_or((raw, ""));
        if name == "br" {
            return self.line_end();
        }
        self.breaks = self.breaks.max(breaks(name));
        let href = rest.split_once("href=\"").and_then(|(_, rest)| rest.split_once('"'));
        let href = href.map(|(href, _)| html::unescape(href));
        if name == "li" {
            self.bullet();
        }
        let number = (name == "ol").then_some(1);
        self.open.push(Open { tag: name.to_owned(), href, from: self.units, number });
    }

    /// The beginning of a list's entry.
    fn bullet(&mut self) {
        self.settle();
        let depth = self.open.iter().filter(|open| matches!(open.tag.as_str(), "ul" | "ol")).count();
        let list = self.open.iter_mut().rev().find(|open| matches!(open.tag.as_str(), "ul" | "ol"));
        let number = list.and_then(|open| open.number.as_mut());
        let begin = match number {
            Some(number) => {
                *number += 1;
                format!("{}. ", *number - 1)
            }
            None => "• ".to_owned(),
        };
        let begin = format!("{}{begin}", "  ".repeat(depth.saturating_sub(1)));
        begin.chars().for_each(|c| self.push(c));
        self.space = false;
    }

    fn close(&mut self, name: &str) {
        if self.open.last().is_none_or(|open| open.tag != name) {
            return;
        }
        let Some(done) = self.open.pop() else { return };
        let in_pre = self.open.iter().any(|open| open.tag == "pre");
        if let Some(kind) = kind(name).filter(|_| !in_pre) {
            self.mark(kind, &done);
        }
        self.breaks = self.breaks.max(breaks(name));
    }

    fn mark(&mut self, kind: &'static str, done: &Open) {
        let inside = cut(&self.out, done.from, self.units).trim().to_owned();
        let url = done.href.clone();
        if kind == "text_link" {
            let Some(address) = &url else { return };
            let web = address.starts_with("https://") || address.starts_with("http://");
            if !web {
                // Telegram links no mail addresses and phone numbers: they are read instead.
                let plain = address.trim_start_matches("mailto:").trim_start_matches("tel:");
                if !inside.contains(plain) {
                    format!(" ({plain})").chars().for_each(|c| self.push(c));
                }
                return;
            }
            if inside == *address {
                return;
            }
        }
        self.marks.push(Mark { kind, offset: done.from, length: self.units - done.from, url });
    }

    /// Marks neither begin nor end with a space, and none is there twice.
    fn finish(self) -> Marked {
        let text = self.out.trim_end().to_owned();
        let begin = text.len() - text.trim_start().len();
        let begin = text.get(..begin).unwrap_or_default().encode_utf16().count();
        let mut marks: Vec<Mark> = Vec::new();
        for mark in self.marks {
            let inside = cut(&text, mark.offset, mark.offset + mark.length);
            let before = inside.encode_utf16().count() - inside.trim_start().encode_utf16().count();
            let length = inside.trim().encode_utf16().count();
            if let Some(offset) = (mark.offset + before).checked_sub(begin).filter(|_| length > 0) {
                let mark = Mark { offset, length, ..mark };
                if !marks.contains(&mark) {
                    marks.push(mark);
                }
            }
        }
        marks.sort_by_key(|mark| (mark.offset, usize::MAX - mark.length, mark.kind));
        Marked { text: text.trim_start().to_owned(), marks }
    }
}

/// What stands between two places.
fn cut(text: &str, from: usize, to: usize) -> &str {
    let (mut at, mut begin, mut end) = (0, text.len(), text.len());
    for (index, c) in text.char_indices() {
        if at == from {
            begin = index;
        }
        if at >= to {
            end = index;
            break;
        }
        at += c.len_utf16();
    }
    text.get(begin.min(end)..end).unwrap_or_default()
}

/// The text of HTML, with its marks.
pub fn from_html(raw: &str) -> Marked {
    let clean = html::clean(raw);
    let mut builder = Builder::default();
    let mut rest = clean.as_str();
    while let Some((text, after)) = rest.split_once('<') {
        builder.text(text);
        let (tag, after) = after.split_once('>').unwrap_or((after, ""));
        builder.tag(tag);
        rest = after;
    }
    builder.text(rest);
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::to_html;

    fn mark(kind: &'static str, offset: usize, length: usize) -> Mark {
        Mark { kind, offset, length, url: None }
    }

    #[test]
    fn what_employees_format_is_marked() {
        let said = from_html(
            "Proszę <strong>kliknąć <em>👉 tu</em></strong>:<br><a href=\"https://x.example/?a=1&amp;b=2\">link</a>",
        );
        assert_eq!(said.text, "Proszę kliknąć 👉 tu:\nlink");
        let link = Mark { url: Some("https://x.example/?a=1&b=2".to_owned()), ..mark("text_link", 22, 4) };
        assert_eq!(said.marks, [mark("bold", 7, 13), mark("italic", 15, 5), link]);
    }

    #[test]
    fn blocks_and_lists_are_lines() {
        for (html, text) in [
            ("<p>a</p>\n<p>b</p>", "a\n\nb"),
            ("<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n<p>c</p>", "• a\n• b\n\nc"),
            ("x<ol><li>a</li><li>b<ul><li>c</li></ul></li></ol>y", "x\n1. a\n2. b\n  • c\ny"),
            ("a<br>b<br><br>c", "a\nb\n\nc"),
            ("<h1>T</h1><p>x</p>", "T\n\nx"),
            ("a<blockquote>b</blockquote>c", "a\nb\nc"),
            ("<pre><code>let  a;\n  b\n</code></pre>x", "let  a;\n  b\nx"),
            ("a   b\n\tc", "a b c"),
            ("<a href=\"mailto:a@x.example\">pisz</a>", "pisz (a@x.example)"),
            ("<a href=\"tel:+48601\">+48601</a>", "+48601"),
        ] {
            assert_eq!(from_html(html).text, text, "{html}");
        }
        assert_eq!(from_html("<pre><code>a</code></pre>").marks, [mark("pre", 0, 1)]);
        assert!(from_html("<a href=\"https://x.example\">https://x.example</a>").marks.is_empty());
    }

    #[test]
    fn marks_never_begin_or_end_with_a_space() {
        assert_eq!(
            from_html("a<b> b </b>c"),
            Marked { text: "a b c".into(), marks: vec![mark("bold", 2, 1)] }
        );
        assert!(from_html("a<b> </b>c").marks.is_empty());
        assert_eq!(from_html("<p> </p><b>x</b>").marks, [mark("bold", 0, 1)]);
    }

    #[test]
    fn nothing_endless_and_nothing_odd_does_harm() {
        for odd in ["", "<", "<<b>", "</b>", "<b", "<li>", "</li></ol>", "&amp;lt;", "<pre>"] {
            let _ = from_html(odd);
        }
        let _ = from_html(&"<li>x".repeat(5000));
        assert_eq!(from_html("&lt;b&gt;").text, "<b>");
    }

    /// Dice that fall the same every time.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, most: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(self.0 >> 33).unwrap() % most
        }

        fn pick<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
            all[self.below(all.len())]
        }
    }

    /// Words with and without symbols of two units, and where they are marked: marks nest or stand apart.
    fn marked(dice: &mut Dice) -> Marked {
        const WORDS: [&str; 8] = ["a", "żółć", "x<y", "&amp;", "\"cytat\"", "👉", "👩‍🚀x", "Привіт"];
        const KINDS: [&[&str]; 6] =
            [&[], &["bold"], &["bold", "italic"], &["underline"], &["strikethrough", "text_link"], &["code"]];
        let (mut text, mut marks) = (String::new(), Vec::new());
        let count = 1 + dice.below(12);
        for index in 0..count {
            let word: String = (0..=dice.below(3)).map(|_| dice.pick(&WORDS)).collect();
            let (offset, length) = (text.encode_utf16().count(), word.encode_utf16().count());
            for kind in dice.pick(&KINDS) {
                let url = (*kind == "text_link").then(|| format!("https://x.example/?a={index}&b"));
                marks.push(Mark { kind, offset, length, url });
            }
            text.push_str(&word);
            if index + 1 < count {
                text.push_str(dice.pick(&[" ", "\n"]));
            }
        }
        marks.sort_by_key(|mark| (mark.offset, mark.kind));
        Marked { text, marks }
    }

    #[test]
    fn there_and_back_nothing_changes() {
        let mut dice = Dice(7);
        for _ in 0..3000 {
            let marked = marked(&mut dice);
            let html = to_html(&marked.text, &marked.entities());
            let html = html.unwrap_or_else(|| html::escape(&marked.text).replace('\n', "<br>"));
            assert_eq!(from_html(&html), marked, "{html}");
        }
    }

    #[test]
    fn whatever_comes_every_mark_is_inside_its_text() {
        const PIECES: [&str; 14] = [
            "<b>",
            "</b>",
            "<i>",
            "</i>",
            "<ul><li>",
            "</li></ul>",
            "<p>",
            "<pre>",
            "</pre>",
            "<br>",
            " ",
            "👉",
            "a",
            "\n",
        ];
        let mut dice = Dice(11);
        for _ in 0..3000 {
            let raw: String = (0..dice.below(40)).map(|_| dice.pick(&PIECES)).collect();
            let said = from_html(&raw);
            let units: Vec<u16> = said.text.encode_utf16().collect();
            for mark in &said.marks {
                let inside = units.get(mark.offset..mark.offset + mark.length).expect("inside");
                let inside = String::from_utf16(inside).expect("whole symbols");
                assert!(!inside.is_empty() && inside.trim() == inside, "{raw}: {said:?}");
            }
        }
    }
}
