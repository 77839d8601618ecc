//! Pages of the web, of which previews are made: the first letter chooses what the answer said of
//! their content, the rest is the page. What is told of a page is short, and text.

use kontor_media::preview::{Page, read};

const CONTENT_TYPES: [Option<&str>; 6] = [
    None,
    Some("text/html"),
    Some("text/html; charset=utf-8"),
    Some("text/html; charset=\"windows-1251\""),
    Some("text/html;charset=utf-16le"),
    Some("application/xhtml+xml; charset=Shift_JIS"),
];

pub(crate) fn run(data: &[u8]) {
    let Some((first, html)) = data.split_first() else { return };
    let content_type = CONTENT_TYPES[usize::from(*first) % CONTENT_TYPES.len()];
    let page = read(html, content_type);
    let Page { title, description, site_name, kind, url, image, image_alt, base } = &page;
    for (text, longest) in [(title, 200), (site_name, 200), (kind, 200), (image_alt, 200), (description, 500)]
    {
        let Some(text) = text else { continue };
        let letters = text.chars().count();
        assert!(letters > 0 && letters <= longest + 1, "{letters} letters: {text}");
        assert!(!text.chars().any(hidden), "{text:?}");
        assert_eq!(text.trim(), text);
    }
    for address in [url, image, base].into_iter().flatten() {
        assert!(!address.is_empty() && address.len() <= 2_048);
        assert!(!address.chars().any(char::is_control), "{address:?}");
    }
}

/// Letters that are not seen, or that make others be seen elsewhere.
fn hidden(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
