//! Text with marks as Telegram writes it becomes HTML. Places are counted in UTF-16 code units.

use kontor_bridge_kit::html::escape;
use serde_json::Value;

/// Marks that one message may have; Telegram allows a hundred.
const MOST: usize = 200;

/// A mark that shows.
struct Mark {
    from: usize,
    to: usize,
    tag: &'static str,
    href: Option<String>,
}

impl Mark {
    fn is_block(&self) -> bool {
        matches!(self.tag, "pre" | "blockquote")
    }

    fn open(&self, out: &mut String) {
        match &self.href {
            Some(href) => out.push_str(&format!("<a href=\"{}\">", escape(href))),
            None => out.push_str(&format!("<{}>", self.tag)),
        }
    }
}

/// The tag of a kind; what links by itself or says no more than its text has none.
fn tag(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "bold" => "strong",
        "italic" => "em",
        "underline" => "u",
        "strikethrough" => "del",
        "code" => "code",
        "pre" => "pre",
        "blockquote" | "expandable_blockquote" => "blockquote",
        "text_link" => "a",
        _ => return None,
    })
}

fn marks(entities: &Value) -> Vec<Mark> {
    let place = |entity: &Value, field: &str| {
        entity.get(field).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok())
    };
    let mark = |entity: &Value| {
        let tag = tag(entity.get("type")?.as_str()?)?;
        let (from, length) = (place(entity, "offset")?, place(entity, "length")?);
        let href = entity.get("url").and_then(Value::as_str).map(str::to_owned).filter(|_| tag == "a");
        let linked = tag != "a" || href.is_some();
        (length > 0 && linked).then(|| Mark { from, to: from.saturating_add(length), tag, href })
    };
    let all = entities.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut marks: Vec<Mark> = all.iter().take(MOST).filter_map(mark).collect();
    // Of those that begin together the longest is outside.
    marks.sort_by_key(|mark| (mark.from, usize::MAX - mark.to));
    marks
}

/// The HTML of a text; `None` when it says no more than the text does.
pub fn to_html(text: &str, entities: &Value) -> Option<String> {
    let marks = marks(entities);
    if marks.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(text.len() * 2);
    let mut open: Vec<&Mark> = Vec::new();
    let mut waiting = marks.iter().peekable();
    let mut at = 0;
    // A block begins and ends its line by itself.
    let mut ended_block = false;
    for c in text.chars() {
        ended_block |= close(&mut open, at, &mut out);
        let mut begins_block = false;
        while let Some(mark) = waiting.next_if(|mark| mark.from <= at) {
            if mark.to > at {
                mark.open(&mut out);
                begins_block |= mark.is_block();
                open.push(mark);
            }
        }
        let end = at + c.len_utf16();
        let before_block = marks.iter().any(|mark| mark.is_block() && mark.from == end);
        let in_pre = open.iter().any(|mark| mark.tag == "pre");
        match c {
            '\n' if in_pre => out.push('\n'),
            '\n' if (ended_block && !begins_block) || before_block => {}
            '\n' => out.push_str("<br>"),
            c => out.push_str(&escape(c.encode_utf8(&mut [0; 4]))),
        }
        ended_block = false;
        at = end;
    }
    close(&mut open, usize::MAX, &mut out);
    Some(out)
}

/// Closes what ends here, and what is inside of it for a moment. Says whether a block ended.
fn close<'a>(open: &mut Vec<&'a Mark>, at: usize, out: &mut String) -> bool {
    let Some(first) = open.iter().position(|mark| mark.to <= at || at == usize::MAX) else { return false };
    let inside: Vec<&'a Mark> = open.drain(first..).collect();
    for mark in inside.iter().rev() {
        out.push_str(&format!("</{}>", mark.tag));
    }
    let mut ended_block = false;
    for mark in inside {
        if mark.to > at {
            mark.open(out);
            open.push(mark);
        } else {
            ended_block |= mark.is_block();
        }
    }
    ended_block
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn marks_stand_where_utf_16_says() {
        let entities = json!([
            { "type": "bold", "offset": 0, "length": 6 },
            { "type": "text_link", "offset": 10, "length": 5, "url": "https://shop.example/o/77?a=1&b=2" },
        ]);
        assert_eq!(
            to_html("Zobacz 👉 tutaj", &entities).unwrap(),
            "<strong>Zobacz</strong> 👉 <a href=\"https://shop.example/o/77?a=1&amp;b=2\">tutaj</a>"
        );
    }

    #[test]
    fn what_overlaps_is_well_formed() {
        let entities = json!([
            { "type": "bold", "offset": 0, "length": 4 },
            { "type": "italic", "offset": 2, "length": 4 },
        ]);
        let html = to_html("abcdef", &entities).unwrap();
        assert_eq!(html, "<strong>ab<em>cd</em></strong><em>ef</em>");
        assert_eq!(kontor_bridge_kit::html::clean(&html), html);
    }

    #[test]
    fn blocks_have_their_own_lines() {
        let entities = json!([{ "type": "blockquote", "offset": 2, "length": 3 }]);
        assert_eq!(to_html("a\nbcd\ne\nf", &entities).unwrap(), "a<blockquote>bcd</blockquote>e<br>f");
        let entities = json!([{ "type": "pre", "offset": 0, "length": 3, "language": "rust" }]);
        assert_eq!(to_html("a\nb", &entities).unwrap(), "<pre>a\nb</pre>");
    }

    #[test]
    fn what_says_no_more_than_text_is_text() {
        assert_eq!(
            to_html("@a https://x.example", &json!([{ "type": "url", "offset": 3, "length": 17 }])),
            None
        );
        assert_eq!(to_html("x", &Value::Null), None);
    }

    #[test]
    fn odd_places_do_no_harm() {
        for entities in [
            json!([{ "type": "bold", "offset": 99, "length": 1 }]),
            json!([{ "type": "bold", "offset": 1, "length": u64::MAX }]),
            json!([{ "type": "bold", "offset": 1, "length": 1 }]),
            json!([{ "type": "bold", "offset": -1, "length": 1 }]),
            json!([{ "type": "text_link", "offset": 0, "length": 1 }]),
            json!({ "type": "bold" }),
        ] {
            if let Some(html) = to_html("👉<b>", &entities) {
                assert_eq!(kontor_bridge_kit::html::clean(&html), html);
            }
        }
    }
}
