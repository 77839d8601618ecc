//! Which language the person reads.

/// A language in which every text exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English, also for whoever reads none of the others.
    English,
    /// Polish.
    Polish,
    /// Ukrainian.
    Ukrainian,
}

impl Language {
    /// The language of `--lang`, or else of the terminal's locale. Read before the command line is
    /// parsed, because the help texts depend on it.
    pub fn find(arguments: &[String], variable: impl Fn(&str) -> Option<String>) -> Self {
        let asked = arguments.iter().enumerate().find_map(|(index, argument)| {
            match argument.strip_prefix("--lang")? {
                "" => arguments.get(index + 1).cloned(),
                value => value.strip_prefix('=').map(str::to_owned),
            }
        });
        let locale = || {
            ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|name| variable(name).filter(|v| !v.is_empty()))
        };
        asked.or_else(locale).map_or(Self::English, |tag| Self::of_tag(&tag))
    }

    fn of_tag(tag: &str) -> Self {
        match tag.get(..2).unwrap_or_default() {
            "pl" => Self::Polish,
            "uk" => Self::Ukrainian,
            _ => Self::English,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(arguments: &[&str], variables: &[(&str, &str)]) -> Language {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Language::find(&arguments, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_option_wins_over_the_locale_and_english_is_the_rest() {
        let polish = [("LANG", "pl_PL.UTF-8")];
        assert_eq!(find(&[], &polish), Language::Polish);
        assert_eq!(find(&["--lang", "uk"], &polish), Language::Ukrainian);
        assert_eq!(find(&["user", "--lang=en"], &polish), Language::English);
        assert_eq!(find(&[], &[("LANG", "pl_PL"), ("LC_ALL", "uk_UA")]), Language::Ukrainian);
        assert_eq!(find(&[], &[("LC_ALL", ""), ("LANG", "pl")]), Language::Polish);
        for locale in ["C", "de_DE", "", "ż"] {
            assert_eq!(find(&[], &[("LANG", locale)]), Language::English, "{locale}");
        }
        assert_eq!(find(&["--lang"], &[]), Language::English);
    }
}
