//! Namespaces: names that an application service speaks for, as regular expressions.
//!
//! They are matched in linear time, begin where the name begins, and need not reach its end: so the
//! patterns of existing registration files mean here what they mean elsewhere.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

/// Patterns of one kind that a service may have.
const MOST: usize = 100;
/// Memory that one compiled pattern may take, bytes.
const LARGEST: usize = 1 << 20;

/// One namespace, as registered.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Pattern {
    /// Whether nobody else may have such names.
    #[serde(default)]
    pub exclusive: bool,
    /// Regular expression over the whole name, with its sigil and its server.
    pub regex: String,
}

/// The namespaces of one kind.
#[derive(Clone, Debug, Default)]
pub struct Names {
    exclusive: Vec<Regex>,
    shared: Vec<Regex>,
}

impl Names {
    /// Compiles patterns.
    ///
    /// # Errors
    /// A sentence for each that cannot be used.
    pub fn new(patterns: &[Pattern]) -> Result<Self, Vec<String>> {
        if patterns.len() > MOST {
            return Err(vec![format!("there may be {MOST} patterns.")]);
        }
        let (mut names, mut wrong) = (Self::default(), Vec::new());
        for pattern in patterns {
            match compile(&pattern.regex) {
                Ok(regex) if pattern.exclusive => names.exclusive.push(regex),
                Ok(regex) => names.shared.push(regex),
                Err(error) => wrong.push(error),
            }
        }
        if wrong.is_empty() { Ok(names) } else { Err(wrong) }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.exclusive.is_empty() && self.shared.is_empty()
    }

    /// Whether a name is in one of them.
    pub fn has(&self, name: &str) -> bool {
        self.owns(name) || self.shared.iter().any(|regex| regex.is_match(name))
    }

    /// Whether a name is in one that nobody else may use.
    pub fn owns(&self, name: &str) -> bool {
        self.exclusive.iter().any(|regex| regex.is_match(name))
    }
}

fn compile(pattern: &str) -> Result<Regex, String> {
    let anchored = format!("^(?:{pattern})");
    let built = RegexBuilder::new(&anchored).size_limit(LARGEST).dfa_size_limit(LARGEST).build();
    built.map_err(|error| {
        let reason = match error {
            regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
            // The parser draws a picture of several lines; its last line says what is wrong.
            error => error.to_string().lines().last().unwrap_or_default().replace("error: ", ""),
        };
        format!("the pattern {pattern:?} cannot be used: {reason}. Look-ahead and back references do not exist here.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(patterns: &[(bool, &str)]) -> Names {
        let pattern =
            |(exclusive, regex): &(bool, &str)| Pattern { exclusive: *exclusive, regex: (*regex).to_owned() };
        Names::new(&patterns.iter().map(pattern).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_pattern_begins_with_the_name_and_may_end_before_it() {
        let names = names(&[(true, "@_irc_.*"), (false, "@a|@b:x")]);
        for (name, has, owns) in [
            ("@_irc_anna:x", true, true),
            ("x@_irc_anna:x", false, false),
            ("@anna:x", true, false),
            ("@b:x", true, false),
            ("@c:x", false, false),
        ] {
            assert_eq!((names.has(name), names.owns(name)), (has, owns), "{name}");
        }
        assert!(Names::default().is_empty() && !names.is_empty());
    }
}
