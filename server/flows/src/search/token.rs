//! Tokens that carry a place in a list of results to the next request.

use kontor_model::position::as_given_out;
use kontor_model::{Error, Nid, Result};
use std::fmt;
use std::str::FromStr;

/// What the results are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupBy {
    /// The room.
    Room,
    /// The sender.
    Sender,
}

/// Results of one room, or of one sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Of what kind.
    pub by: GroupBy,
    /// Numeric id of the room or the sender.
    pub of: Nid,
}

/// A place between two results: `q1_{newest}_{score}_{place}`, and `_r{room}` or `_s{sender}` where
/// the next page is one of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchToken {
    /// The newest position when the first page was made: what came later is not told on later pages.
    pub newest: i64,
    /// Score of the last result; 0 where time alone decides.
    pub score: i64,
    /// Its place.
    pub place: i64,
    /// The group that it pages through.
    pub group: Option<Group>,
}

impl fmt::Display for SearchToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "q1_{}_{}_{}", self.newest, self.score, self.place)?;
        match self.group {
            Some(Group { by: GroupBy::Room, of }) => write!(f, "_r{of}"),
            Some(Group { by: GroupBy::Sender, of }) => write!(f, "_s{of}"),
            None => Ok(()),
        }
    }
}

fn forged() -> Error {
    Error::invalid_param("The parameter next_batch was not given out by this server.")
}

impl SearchToken {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("q1_")?.split('_');
        let mut number = || parts.next()?.parse().ok();
        let (newest, score, place) = (number()?, number()?, number()?);
        let group = match parts.next() {
            None => None,
            Some(group) => Some(match (group.strip_prefix('r'), group.strip_prefix('s')) {
                (Some(of), _) => Group { by: GroupBy::Room, of: of.parse().ok()? },
                (_, Some(of)) => Group { by: GroupBy::Sender, of: of.parse().ok()? },
                _ => return None,
            }),
        };
        as_given_out(Self { newest, score, place, group }, text)
    }
}

impl FromStr for SearchToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::read(text).ok_or_else(forged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_round_trip() {
        for group in
            [None, Some(Group { by: GroupBy::Room, of: 7 }), Some(Group { by: GroupBy::Sender, of: 8 })]
        {
            let token = SearchToken { newest: 90, score: 12, place: -3, group };
            assert_eq!(token.to_string().parse::<SearchToken>().unwrap(), token);
        }
    }

    #[test]
    fn forged_tokens_are_refused() {
        for text in [
            "",
            "q1_",
            "q1_1_2",
            "q1_1_2_x",
            "q1_1_2_3_4",
            "q1_1_2_3_r",
            "q1_1_2_3_r1_2",
            "q1_+1_2_3",
            "q1_1_02_3",
            "q1_1_2_3_r+1",
            "q2_1_2_3",
            "q1_1_2_--3",
        ] {
            assert!(text.parse::<SearchToken>().is_err(), "{text}");
        }
    }
}
