//! Folding text for search: what people type without accents, capitals or the right keyboard finds
//! what others wrote with them ("zolc" finds "żółć").
//!
//! Texts and questions are folded alike, so it matters only that the same word always comes out the
//! same; folded text is never shown.

use std::str::CharIndices;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Letters of a folded word that are kept; longer words are equal if so many letters are.
pub const MAX_WORD: usize = 40;

/// Letters whose plain form is no decomposition that Unicode knows.
const PLAIN: &[(char, &str)] = &[
    ('ß', "ss"),
    ('æ', "ae"),
    ('ð', "d"),
    ('ø', "o"),
    ('þ', "th"),
    ('đ', "d"),
    ('ħ', "h"),
    ('ı', "i"),
    ('ĸ', "k"),
    ('ł', "l"),
    ('ŋ', "n"),
    ('œ', "oe"),
    ('ŧ', "t"),
    ('ς', "σ"),
    ('є', "е"),
    ('ґ', "г"),
];

/// A text without capitals, accents and ligatures. What is neither letter nor digit stays.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.nfkd().flat_map(char::to_lowercase).filter(|letter| !is_combining_mark(*letter)) {
        match PLAIN.binary_search_by_key(&letter, |(known, _)| *known).ok().and_then(|at| PLAIN.get(at)) {
            Some((_, plain)) => folded.push_str(plain),
            None => folded.push(letter),
        }
    }
    folded
}

/// The words of a text, each as it is written and folded.
pub fn words(text: &str) -> Words<'_> {
    Words { text, letters: text.char_indices() }
}

/// Iterator over the words of a text; see [`words`].
#[derive(Clone, Debug)]
pub struct Words<'a> {
    text: &'a str,
    letters: CharIndices<'a>,
}

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// As it is written.
    pub written: &'a str,
    /// Folded, letters and digits only, at most [`MAX_WORD`] of them, never empty.
    pub folded: String,
}

fn is_part(letter: char) -> bool {
    (letter.is_alphanumeric() || is_combining_mark(letter)) && !is_apostrophe(letter)
}

/// Signs that stand inside words: "м'ята", "don't".
fn is_apostrophe(letter: char) -> bool {
    matches!(letter, '\'' | '’' | 'ʼ' | '`')
}

/// Scripts that put no spaces between words: each sign counts as a word.
fn stands_alone(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

impl<'a> Words<'a> {
    /// The next stretch of letters, as it is written.
    fn stretch(&mut self) -> Option<&'a str> {
        let (start, first) = self.letters.find(|(_, letter)| is_part(*letter))?;
        let mut end = start + first.len_utf8();
        if stands_alone(first) {
            return self.text.get(start..end);
        }
        loop {
            let mut ahead = self.letters.clone();
            let Some((mut at, mut letter)) = ahead.next() else { break };
            if is_apostrophe(letter) {
                let Some(next) = ahead.next() else { break };
                (at, letter) = next;
            }
            if !is_part(letter) || stands_alone(letter) {
                break;
            }
            self.letters = ahead;
            end = at + letter.len_utf8();
        }
        self.text.get(start..end)
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        loop {
            let written = self.stretch()?;
            let letters = fold(written);
            let letters =
                letters.chars().filter(|letter| letter.is_alphanumeric() && !is_apostrophe(*letter));
            let folded: String = letters.take(MAX_WORD).collect();
            if !folded.is_empty() {
                return Some(Word { written, folded });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folded(text: &str) -> Vec<String> {
        words(text).map(|word| word.folded).collect()
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(PLAIN.is_sorted_by_key(|(letter, _)| *letter));
    }

    #[test]
    fn letters_lose_what_keyboards_lack() {
        for (text, plain) in [
            ("Żółć", "zolc"),
            ("ZAŻÓŁĆ GĘŚLĄ JAŹŃ", "zazolc gesla jazn"),
            ("Łódź", "lodz"),
            ("Ґанок", "ганок"),
            ("Їжак", "іжак"),
            ("Єдність", "едність"),
            ("йод", "иод"),
            ("Ёлка", "елка"),
            ("Straße", "strasse"),
            ("STRASSE", "strasse"),
            ("Ærøskøbing", "aeroskobing"),
            ("Đorđe", "dorde"),
            ("İstanbul ILIK ılık", "istanbul ilik ilik"),
            ("ﬁnance ① ½ ㎏", "finance 1 1\u{2044}2 kg"),
            ("Ｆｕｌｌ", "full"),
            ("ΣΊΣΥΦΟΣ Σίσυφος", "σισυφοσ σισυφοσ"),
            ("e\u{301}te\u{301}", "ete"),
            ("ŐÜŰ čřžšťď ăâîșț", "ouu crzstd aaist"),
        ] {
            assert_eq!(fold(text), plain, "{text}");
        }
    }

    #[test]
    fn texts_fall_into_words() {
        for (text, found) in [
            ("", vec![]),
            ("  --  ", vec![]),
            ("Umowa nr FV/2024-07, podpisana!", vec!["umowa", "nr", "fv", "2024", "07", "podpisana"]),
            ("м'ята м’ята мʼята м`ята", vec!["мята", "мята", "мята", "мята"]),
            ("'quoted' don't' ''", vec!["quoted", "dont"]),
            ("anna.k@firma.example", vec!["anna", "k", "firma", "example"]),
            ("明天开会 ok", vec!["明", "天", "开", "会", "ok"]),
            ("a\u{301}b", vec!["ab"]),
            ("\u{301}", vec![]),
        ] {
            assert_eq!(folded(text), found, "{text}");
        }
        let long = "x".repeat(1_000);
        assert_eq!(folded(&long), ["x".repeat(MAX_WORD)]);
        let word = words("Pani Żółć").nth(1).unwrap();
        assert_eq!((word.written, word.folded.as_str()), ("Żółć", "zolc"));
    }

    proptest! {
        #[test]
        fn any_text_folds_and_folding_again_changes_nothing(text in any::<String>()) {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once.clone());
            for word in words(&text) {
                prop_assert!(!word.folded.is_empty() && word.folded.chars().count() <= MAX_WORD);
                prop_assert!(word.folded.chars().all(char::is_alphanumeric));
                prop_assert!(text.contains(word.written));
            }
        }

        #[test]
        fn a_word_is_found_in_any_case(word in "[a-zżółćęśąźńа-яґїєі]{1,12}") {
            prop_assert_eq!(folded(&word.to_uppercase()), folded(&word));
        }
    }
}
