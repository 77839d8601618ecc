//! The languages that Kontor speaks with people.

/// A language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Language {
    /// The one for everybody whose language is not spoken here.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Polski.
    #[serde(rename = "pl")]
    Polish,
    /// Українська.
    #[serde(rename = "uk")]
    Ukrainian,
}

impl Language {
    /// Its code (ISO 639-1).
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Polish => "pl",
            Self::Ukrainian => "uk",
        }
    }

    /// The language of a code, if it is spoken here.
    pub fn of(code: &str) -> Option<Self> {
        [Self::English, Self::Polish, Self::Ukrainian].into_iter().find(|language| language.code() == code)
    }

    /// The one that a reader prefers among those that there are, by the value of `Accept-Language`.
    pub fn preferred(wishes: &str) -> Self {
        let mut wishes: Vec<(&str, f32)> = wishes.split(',').map(wish).collect();
        // Stable: of equally wished languages the first one counts.
        wishes.sort_by(|a, b| b.1.total_cmp(&a.1));
        let wished = wishes.into_iter().filter(|(_, weight)| *weight > 0.0);
        wished.into_iter().find_map(|(code, _)| Self::of(code)).unwrap_or_default()
    }
}

/// One part of the field: primary language and weight.
fn wish(part: &str) -> (&str, f32) {
    let (range, parameters) = part.split_once(';').unwrap_or((part, ""));
    let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |weight| weight.trim().parse().ok());
    let code = range.trim().split('-').next().unwrap_or_default();
    (code, weight.unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_that_the_reader_prefers_is_spoken() {
        for (field, code) in [
            ("pl-PL,pl;q=0.9,en;q=0.8", "pl"),
            ("uk", "uk"),
            ("de-DE, uk;q=0.5, pl;q=0.7", "pl"),
            ("fr", "en"),
            ("", "en"),
            ("pl;q=0, uk;q=nonsense", "en"),
            ("en-GB, pl", "en"),
        ] {
            assert_eq!(Language::preferred(field).code(), code, "{field}");
        }
    }
}
