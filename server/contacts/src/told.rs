//! Answers that every client can show: as plain text, and as simple HTML with the same words.

use std::fmt::Write as _;

/// A word with a place that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    words: String,
    to: String,
}

/// A line of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Title(String),
    Said(String),
    Named(String, String),
    Item(String, Option<Link>),
    Leads(Link),
}

/// An answer, line by line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    lines: Vec<Line>,
}

impl Told {
    /// One sentence.
    pub fn sentence(text: impl Into<String>) -> Self {
        Self::default().say(text)
    }

    /// Adds a title.
    pub fn title(mut self, text: impl Into<String>) -> Self {
        self.lines.push(Line::Title(text.into()));
        self
    }

    /// Adds a line of text.
    pub fn say(mut self, text: impl Into<String>) -> Self {
        self.lines.push(Line::Said(text.into()));
        self
    }

    /// Adds something with its name.
    pub fn name(mut self, name: &str, value: impl Into<String>) -> Self {
        self.lines.push(Line::Named(name.to_owned(), value.into()));
        self
    }

    /// Adds something with its name, if there is one.
    pub fn name_some(self, name: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.name(name, value),
            None => self,
        }
    }

    /// Adds an item of a list.
    pub fn item(mut self, text: impl Into<String>) -> Self {
        self.lines.push(Line::Item(text.into(), None));
        self
    }

    /// Adds an item of a list that ends with a link.
    pub fn linked(mut self, text: impl Into<String>, words: &str, to: impl Into<String>) -> Self {
        let link = Link { words: words.to_owned(), to: to.into() };
        self.lines.push(Line::Item(text.into(), Some(link)));
        self
    }

    /// Adds a link.
    pub fn lead(mut self, words: &str, to: impl Into<String>) -> Self {
        self.lines.push(Line::Leads(Link { words: words.to_owned(), to: to.into() }));
        self
    }

    /// Adds the lines of another answer.
    pub fn join(mut self, other: Self) -> Self {
        self.lines.extend(other.lines);
        self
    }

    /// As plain text.
    pub fn plain(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            let _ = match line {
                Line::Title(title) if text.is_empty() => writeln!(text, "{title}"),
                Line::Title(title) => writeln!(text, "\n{title}"),
                Line::Said(said) => writeln!(text, "{said}"),
                Line::Named(name, value) => writeln!(text, "{name}: {value}"),
                Line::Item(said, None) => writeln!(text, "• {said}"),
                Line::Item(said, Some(link)) => writeln!(text, "• {said} {}", link.to),
                Line::Leads(link) => writeln!(text, "{}: {}", link.words, link.to),
            };
        }
        text.trim_end().to_owned()
    }

    /// As HTML that Matrix clients show (client-server API, "m.room.message msgtypes").
    pub fn html(&self) -> String {
        let (mut html, mut list) = (String::new(), false);
        for line in &self.lines {
            let item = matches!(line, Line::Item(..));
            if item != list {
                html.push_str(if item { "<ul>" } else { "</ul>" });
                list = item;
            }
            let _ = match line {
                Line::Title(title) => write!(html, "<h4>{}</h4>", escaped(title)),
                Line::Said(said) => write!(html, "<p>{}</p>", escaped(said)),
                Line::Named(name, value) => {
                    write!(html, "<strong>{}:</strong> {}<br>", escaped(name), escaped(value))
                }
                Line::Item(said, None) => write!(html, "<li>{}</li>", escaped(said)),
                Line::Item(said, Some(link)) => write!(html, "<li>{} {}</li>", escaped(said), anchor(link)),
                Line::Leads(link) => write!(html, "<p>{}</p>", anchor(link)),
            };
        }
        if list {
            html.push_str("</ul>");
        }
        html
    }
}

fn anchor(link: &Link) -> String {
    format!("<a href=\"{}\">{}</a>", escaped(&link.to), escaped(&link.words))
}

/// Text as HTML: nothing in it is markup, and line breaks stay.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' => safe.push_str("<br>"),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same_and_nothing_is_markup() {
        let told = Told::default()
            .title("Anna <b>\"x\"</b>")
            .name("E-mail", "a&b@example.com")
            .name_some("Phone", None::<String>)
            .title("Files")
            .linked("one.pdf", "open", "https://x.example/?a=1&b=2")
            .item("two\nlines")
            .say("end");
        assert_eq!(
            told.plain(),
            "Anna <b>\"x\"</b>\nE-mail: a&b@example.com\n\nFiles\n• one.pdf https://x.example/?a=1&b=2\n• two\nlines\nend"
        );
        assert_eq!(
            told.html(),
            "<h4>Anna &lt;b&gt;&quot;x&quot;&lt;/b&gt;</h4><strong>E-mail:</strong> a&amp;b@example.com<br>\
             <h4>Files</h4><ul><li>one.pdf <a href=\"https://x.example/?a=1&amp;b=2\">open</a></li>\
             <li>two<br>lines</li></ul><p>end</p>"
        );
    }
}
