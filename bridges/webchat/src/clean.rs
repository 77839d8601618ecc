//! Texts from outside in the form in which they are kept: no control characters, bounded.

use kontor_model::{Error, Result};

/// Longest message, characters.
pub const LONGEST_TEXT: usize = 4000;

/// One line, at most `most` characters.
pub fn line(text: &str, most: usize) -> String {
    let visible = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !hidden(*c));
    let line: String = visible.take(most).collect();
    line.trim().to_owned()
}

/// Text of several lines, whole.
pub fn text(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let clean: String = text.chars().filter(|c| matches!(c, '\n' | '\t') || !hidden(*c)).collect();
    clean.trim().to_owned()
}

/// What is not seen, or turns around what is.
fn hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A message as it is kept.
///
/// # Errors
/// `BadJson` when there is nothing to read, `TooLarge` when it is too long.
pub fn message(raw: &str) -> Result<String> {
    let clean = text(raw);
    if clean.is_empty() {
        return Err(Error::bad_json("There is no text in this message."));
    }
    if clean.chars().count() > LONGEST_TEXT {
        let why = format!("The message is longer than {LONGEST_TEXT} characters. Divide it.");
        return Err(Error::new(kontor_model::Code::TooLarge, why));
    }
    Ok(clean)
}

/// The address of a page without what may be personal: query (but campaigns are told apart), fragment, password.
pub fn page(address: &str) -> Option<String> {
    let mut url = url::Url::parse(address.get(..address.len().min(2000))?).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(url.as_str().chars().take(500).collect())
}

/// Whether this may be an e-mail address: something, `@`, something with a dot, no spaces.
pub fn is_email(text: &str) -> bool {
    let parts = text.split_once('@');
    let fits = |(local, host): (&str, &str)| {
        !local.is_empty()
            && host.contains('.')
            && !host.starts_with('.')
            && !host.ends_with('.')
            && !host.contains('@')
    };
    text.len() <= 254 && !text.contains(char::is_whitespace) && parts.is_some_and(fits)
}

/// Whether this may be a phone number: 7 to 15 digits and what stands between them.
pub fn is_phone(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    (7..=15).contains(&digits)
        && text.len() <= 40
        && text.chars().all(|c| c.is_ascii_digit() || " +-/().".contains(c))
}

/// The browser's family and system, which is all that is kept of its name.
pub fn browser(agent: &str) -> String {
    let has = |word: &str| agent.contains(word);
    let family = match () {
        () if has("Edg/") || has("EdgA/") => "Edge",
        () if has("OPR/") => "Opera",
        () if has("SamsungBrowser/") => "Samsung Internet",
        () if has("Firefox/") || has("FxiOS/") => "Firefox",
        () if has("Chrome/") || has("CriOS/") => "Chrome",
        () if has("Safari/") => "Safari",
        () => "other",
    };
    let system = match () {
        () if has("Android") => "Android",
        () if has("iPhone") || has("iPad") => "iOS",
        () if has("Windows") => "Windows",
        () if has("Mac OS X") => "macOS",
        () if has("Linux") => "Linux",
        () => "other",
    };
    format!("{family}, {system}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_goes_and_what_is_written_stays() {
        assert_eq!(text(" Dzień\r\ndobry\u{0}\u{202e}!\u{7} "), "Dzień\ndobry!");
        assert_eq!(line("a\nb\tc", 10), "a b c");
        assert_eq!(line("ążśźęćńół", 3), "ążś");
        assert!(message(" \n\u{0} ").is_err());
        assert!(message(&"ж".repeat(LONGEST_TEXT)).is_ok());
        assert!(message(&"ж".repeat(LONGEST_TEXT + 1)).is_err());
    }

    #[test]
    fn a_page_is_told_without_what_may_be_personal() {
        assert_eq!(
            page("https://u:p@shop.example/cart?token=secret&email=a@b.c#x").as_deref(),
            Some("https://shop.example/cart")
        );
        assert_eq!(page("javascript:alert(1)"), None);
        assert_eq!(page("data:text/html,x"), None);
        assert_eq!(page("nonsense"), None);
        assert!(page(&format!("https://shop.example/{}", "ą".repeat(3000))).is_none_or(|p| p.len() <= 2000));
    }

    #[test]
    fn addresses_and_numbers_are_told_from_nonsense() {
        assert!(is_email("oksana@example.com") && is_email("a.b+c@d.co.uk"));
        for bad in ["", "a", "a@b", "@b.c", "a b@c.d", "a@b@c.d", "a@.b", "a@b."] {
            assert!(!is_email(bad), "{bad}");
        }
        assert!(is_phone("601 234 567") && is_phone("+48 (22) 123-45-67"));
        for bad in ["", "123", "abcdefgh", "1234567890123456", "<b>1234567</b>"] {
            assert!(!is_phone(bad), "{bad}");
        }
    }

    #[test]
    fn browsers_are_known_by_family() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
        assert_eq!(browser(chrome), "Chrome, Linux");
        assert_eq!(browser("<script>"), "other, other");
    }
}
