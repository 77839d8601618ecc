//! What is wrong with a configuration, said so that the reader can put it right.

use std::fmt;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file and line, or the environment variable; empty when the whole is meant.
    pub place: String,
    /// A sentence: what is wrong and what to write instead.
    pub sentence: String,
}

/// All that was found wrong; never empty when returned as an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// A list with a single problem.
    pub fn one(place: impl Into<String>, sentence: impl Into<String>) -> Self {
        let mut problems = Self::default();
        problems.add(place, sentence);
        problems
    }

    /// Notes a problem.
    pub fn add(&mut self, place: impl Into<String>, sentence: impl Into<String>) {
        self.0.push(Problem { place: place.into(), sentence: sentence.into() });
    }

    /// The value, unless something was found wrong.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let things = if count == 1 { "one thing has" } else { "several things have" };
        write!(f, "The configuration cannot be used; {things} to be put right:")?;
        for problem in &self.0 {
            match problem.place.as_str() {
                "" => write!(f, "\n  - {}", problem.sentence)?,
                place => write!(f, "\n  - {place}: {}", problem.sentence)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
