//! The skeleton of a word: what is left of a name when scripts and ways of writing Slavic and English
//! names in Latin letters are levelled. For comparing only.

use unicode_normalization::UnicodeNormalization;

/// Latin small letters of a text; other signs as they are.
pub fn fold(text: &str) -> String {
    let text: String = text.nfkc().collect();
    any_ascii::any_ascii(&text).to_lowercase()
}

/// Two letters that are written as one sound.
const PAIRS: [(&str, &str); 9] = [
    ("kh", "h"),
    ("ph", "f"),
    ("sz", "s"),
    ("cz", "k"),
    ("ts", "k"),
    ("tz", "k"),
    ("ck", "k"),
    ("qu", "kv"),
    ("rz", "z"),
];

/// The skeleton of one folded word.
pub fn bones(folded: &str) -> String {
    let mut text = folded.to_owned();
    for (pair, sound) in PAIRS {
        if text.contains(pair) {
            text = text.replace(pair, sound);
        }
    }
    let mut bones = String::with_capacity(text.len());
    for c in text.chars() {
        let sound = match c {
            'y' | 'j' => 'i',
            'w' => 'v',
            'c' | 'q' => 'k',
            'z' => 's',
            'x' => {
                push(&mut bones, 'k');
                's'
            }
            'h' | '\'' | '`' => continue,
            c if c.is_ascii_lowercase() => c,
            _ => continue,
        };
        push(&mut bones, sound);
    }
    bones
}

/// Adds a sound; doubled ones count once.
fn push(bones: &mut String, sound: char) {
    if !bones.ends_with(sound) {
        bones.push(sound);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_of_writing_one_name_have_one_skeleton() {
        for same in [
            ["Маттев", "Matthew"],
            ["Юлія", "Julia"],
            ["Wójcik", "Wojcik"],
            ["Стефаніе", "Stephanie"],
            ["Шевченко", "Szewczenko"],
            ["Мацкевич", "Mackewicz"],
            ["Йохн", "John"],
            ["Ксенія", "Xenia"],
        ] {
            assert_eq!(bones(&fold(same[0])), bones(&fold(same[1])), "{same:?}");
        }
        assert_ne!(bones("anna"), bones("hanka"));
    }
}
