//! What a page says about itself: OpenGraph, the cards of other sites, and as a last resort its title
//! and its first paragraph.

use super::charset::decode;
use html5gum::emitters::default::StartTag;
use html5gum::{DefaultEmitter, HtmlString, Token, Tokenizer};

/// Longest title and other short texts, characters.
const LONGEST_SHORT: usize = 200;
/// Longest description, characters.
const LONGEST_DESCRIPTION: usize = 500;
/// Longest address, bytes.
const LONGEST_URL: usize = 2_048;
/// A paragraph with less is no description: buttons, dates, notices.
const SHORTEST_PARAGRAPH: usize = 40;

/// What a page says about itself. All texts are short and free of markup and control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Its title.
    pub title: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// The site.
    pub site_name: Option<String>,
    /// What kind of thing it is, in OpenGraph's words.
    pub kind: Option<String>,
    /// Its address, in its own words.
    pub url: Option<String>,
    /// The address of a picture, as it stands on the page.
    pub image: Option<String>,
    /// What the picture shows.
    pub image_alt: Option<String>,
    /// What other addresses on the page are relative to.
    pub base: Option<String>,
}

/// Reads a page.
pub fn read(bytes: &[u8], content_type: Option<&str>) -> Page {
    let text = decode(bytes, content_type);
    let mut emitter = DefaultEmitter::default();
    // What stands in scripts and styles is no markup.
    emitter.naively_switch_states(true);
    let mut reader = Reader::default();
    for token in Tokenizer::new_with_emitter(&text, emitter).flatten() {
        reader.take(token);
        if reader.is_done() {
            break;
        }
    }
    reader.finish()
}

/// Where text goes at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Nowhere,
    Title,
    Paragraph,
}

#[derive(Default)]
struct Reader {
    page: Page,
    /// From `og:` properties, which win over everything else.
    open_graph: Page,
    place: Place,
    /// Text of the place, being gathered.
    text: String,
    paragraph: Option<String>,
    in_body: bool,
}

fn text(value: &HtmlString) -> String {
    String::from_utf8_lossy(value).into_owned()
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    tag.attributes.get(name.as_bytes()).map(|value| text(value))
}

/// A text on one line, without what cannot be seen, cut at a length; `None` when nothing is left.
fn tidy(text: &str, longest: usize) -> Option<String> {
    let mut tidy = String::new();
    let (mut length, mut gap) = (0, false);
    for letter in text.chars() {
        if letter.is_whitespace() {
            gap = !tidy.is_empty();
            continue;
        }
        // Control characters, and those that turn the reading direction.
        if letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        {
            continue;
        }
        if length + usize::from(gap) >= longest {
            tidy.push('…');
            break;
        }
        if gap {
            tidy.push(' ');
            length += 1;
            gap = false;
        }
        tidy.push(letter);
        length += 1;
    }
    (!tidy.is_empty()).then_some(tidy)
}

fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let good = !text.is_empty() && text.len() <= LONGEST_URL && !text.chars().any(char::is_control);
    good.then(|| text.to_owned())
}

impl Reader {
    fn take(&mut self, token: Token) {
        match token {
            Token::StartTag(tag) => self.open(&tag),
            Token::EndTag(tag) => self.close(&tag.name),
            // Much more than is shown is not gathered.
            Token::String(piece)
                if self.place != Place::Nowhere && self.text.len() < 8 * LONGEST_DESCRIPTION =>
            {
                self.text.push_str(&text(&piece));
            }
            _ => {}
        }
    }

    fn open(&mut self, tag: &StartTag<()>) {
        match tag.name.as_slice() {
            b"meta" => self.meta(tag),
            b"title" if self.page.title.is_none() && !self.in_body => self.gather(Place::Title),
            b"base" => self.page.base = self.page.base.take().or_else(|| address(&attribute(tag, "href")?)),
            b"link" if attribute(tag, "rel").is_some_and(|rel| rel.eq_ignore_ascii_case("image_src")) => {
                self.page.image = self.page.image.take().or_else(|| address(&attribute(tag, "href")?));
            }
            b"body" => self.in_body = true,
            b"p" if self.paragraph.is_none() => {
                self.end();
                self.in_body = true;
                self.gather(Place::Paragraph);
            }
            b"br" if self.place == Place::Paragraph => self.text.push(' '),
            _ => {}
        }
    }

    fn close(&mut self, name: &[u8]) {
        let ends = match self.place {
            Place::Nowhere => false,
            Place::Title => name == b"title",
            Place::Paragraph => matches!(name, b"p" | b"div" | b"article" | b"section" | b"body"),
        };
        if ends {
            self.end();
        }
    }

    fn gather(&mut self, place: Place) {
        self.place = place;
        self.text.clear();
    }

    fn end(&mut self) {
        match std::mem::take(&mut self.place) {
            Place::Nowhere => {}
            Place::Title => self.page.title = tidy(&self.text, LONGEST_SHORT),
            Place::Paragraph => {
                let found = tidy(&self.text, LONGEST_DESCRIPTION);
                self.paragraph = found.filter(|found| found.chars().count() >= SHORTEST_PARAGRAPH);
            }
        }
    }

    fn meta(&mut self, tag: &StartTag<()>) {
        let name = attribute(tag, "property").or_else(|| attribute(tag, "name"));
        let (Some(name), Some(content)) = (name, attribute(tag, "content")) else { return };
        let short = || tidy(&content, LONGEST_SHORT);
        let long = || tidy(&content, LONGEST_DESCRIPTION);
        let (own, open) = (&mut self.page, &mut self.open_graph);
        // Of several, the first counts.
        let set = |place: &mut Option<String>, value: Option<String>| {
            if place.is_none() {
                *place = value;
            }
        };
        match name.trim().to_ascii_lowercase().as_str() {
            "og:title" => set(&mut open.title, short()),
            "og:description" => set(&mut open.description, long()),
            "og:site_name" => set(&mut open.site_name, short()),
            "og:type" => set(&mut open.kind, short()),
            "og:url" => set(&mut open.url, address(&content)),
            "og:image" | "og:image:url" | "og:image:secure_url" => set(&mut open.image, address(&content)),
            "og:image:alt" => set(&mut open.image_alt, short()),
            "twitter:title" => set(&mut own.title, short()),
            "twitter:description" | "description" => set(&mut own.description, long()),
            "twitter:image" | "twitter:image:src" => set(&mut own.image, address(&content)),
            "twitter:image:alt" => set(&mut own.image_alt, short()),
            "application-name" => set(&mut own.site_name, short()),
            _ => {}
        }
    }

    /// Whether the rest of the page cannot add anything: what it says about itself stands in its
    /// head, and of its body the first paragraph is wanted at most.
    fn is_done(&self) -> bool {
        let described = self.open_graph.description.is_some() || self.page.description.is_some();
        let titled = self.open_graph.title.is_some() || self.page.title.is_some();
        self.in_body && titled && (described || self.paragraph.is_some()) && self.open_graph.image.is_some()
    }

    fn finish(mut self) -> Page {
        self.end();
        let Self { page, open_graph, paragraph, .. } = self;
        Page {
            title: open_graph.title.or(page.title),
            description: open_graph.description.or(page.description).or(paragraph),
            site_name: open_graph.site_name.or(page.site_name),
            kind: open_graph.kind,
            url: open_graph.url,
            image: open_graph.image.or(page.image),
            image_alt: open_graph.image_alt.or(page.image_alt),
            base: page.base,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Instant;

    fn page(html: &str) -> Page {
        read(html.as_bytes(), Some("text/html; charset=utf-8"))
    }

    #[test]
    fn open_graph_wins_over_cards_and_titles() {
        let page = page(
            r#"<!doctype html><html><head><title>Plain &amp; simple</title>
            <meta name="description" content="plain"><meta property="og:title" content="Żółw &amp; Co">
            <meta content="A  long
            story" property=og:description><meta property="og:image" content="/a.png"><META PROPERTY='og:type' CONTENT='article'>
            <meta property="og:image" content="/b.png"><meta name="twitter:title" content="Card">
            <meta property="og:site_name" content="Site"><base href="https://cdn.example/x/"></head><body><p>Body</p>"#,
        );
        let text = |text: &str| Some(text.to_owned());
        let wanted = Page {
            title: text("Żółw & Co"),
            description: text("A long story"),
            site_name: text("Site"),
            kind: text("article"),
            image: text("/a.png"),
            base: text("https://cdn.example/x/"),
            ..Page::default()
        };
        assert_eq!(page, wanted);
    }

    #[test]
    fn a_plain_page_is_shown_by_its_title_and_first_paragraph() {
        let page = page(
            "<title>\n A   page </title><script>document.write('<title>No</title><p>no no no no</p>')</script>\
             <style>p{}</style><p>Menu</p><p>The first paragraph with <b>enough</b> words to be<br>a description.</p>\
             <p>Another one that is long enough too, but comes later.</p><svg><title>Icon</title></svg>",
        );
        assert_eq!(page.title.as_deref(), Some("A page"));
        let wanted = "The first paragraph with enough words to be a description.";
        assert_eq!(page.description.as_deref(), Some(wanted));
    }

    #[test]
    fn nothing_of_markup_and_no_turned_text_is_handed_on() {
        let found = page("<meta property=og:title content='<b>x</b> \u{202e}evil\u{0}\u{7}'>");
        assert_eq!(found.title.as_deref(), Some("<b>x</b> evil\u{fffd}"), "text, to be shown as such");
        let long = page(&format!("<title>{}</title>", "słowo ".repeat(10_000)));
        assert_eq!(long.title.unwrap().chars().count(), LONGEST_SHORT + 1);
    }

    #[test]
    fn hostile_pages_are_read_quickly_and_without_a_deep_stack() {
        let began = Instant::now();
        for html in [
            "<div>".repeat(60_000),
            "<p>".repeat(90_000),
            format!("<a {}>", "x=1 ".repeat(60_000)),
            "<!--".repeat(60_000),
            "&amp".repeat(60_000),
            "<title>".repeat(40_000),
            format!("<meta property=og:title content='{}'>", "a".repeat(1_500_000)),
            "<meta property=og:title content=x".repeat(8_000),
            "\0".repeat(1_000_000),
        ] {
            page(&html);
        }
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn no_bytes_make_reading_panic(bytes: Vec<u8>, content_type in proptest::option::of(".{0,60}")) {
            read(&bytes, content_type.as_deref());
        }

        #[test]
        fn no_markup_makes_reading_panic_and_all_texts_stay_short(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just("<meta property=og:title content='".to_owned()), Just("<title>".to_owned()),
                    Just("</title>".to_owned()), Just("<p>".to_owned()), Just("</p>".to_owned()),
                    Just("<script>".to_owned()), Just("</scr".to_owned()), Just("<!--".to_owned()),
                    Just("-->".to_owned()), Just("<![CDATA[".to_owned()), Just("&#x".to_owned()),
                    Just("'>".to_owned()), Just("<base href=".to_owned()), Just("<meta charset=".to_owned()),
                    ".{0,300}",
                ],
                0..60,
            )
        ) {
            let found = read(pieces.concat().as_bytes(), None);
            for (text, longest) in [(&found.title, LONGEST_SHORT), (&found.description, LONGEST_DESCRIPTION)] {
                let length = text.as_ref().map_or(1, |text| text.chars().count());
                prop_assert!(length > 0 && length <= longest + 1);
            }
        }
    }
}
