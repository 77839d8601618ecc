//! Places in the one ordered log, and the tokens that carry them to clients.

use crate::{Code, Error, Result};
use std::fmt;
use std::str::FromStr;

/// A stream position: one integer for all streams that a client can see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pos(pub i64);

/// The `since`/`next_batch` token of `/sync`: `s1_{pos}_{ephemeral}_{process}`, and `_{to_device}` when
/// more messages to the device wait than the answer told.
///
/// `ephemeral` counts changes of typing, which are not durable; it means something only to the
/// process that gave it out, hence `process`: any other sends the present typing once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncToken {
    /// Everything up to here was delivered.
    pub pos: Pos,
    /// Typing changes up to here were delivered, if `process` is the reader's own.
    pub ephemeral: u64,
    /// Random identity of the process that counted `ephemeral`.
    pub process: u64,
    /// Messages to the device up to here were delivered; never after `pos`.
    pub to_device: Pos,
}

impl fmt::Display for SyncToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s1_{}_{}_{:x}", self.pos.0, self.ephemeral, self.process)?;
        if self.to_device < self.pos {
            write!(f, "_{}", self.to_device.0)?;
        }
        Ok(())
    }
}

fn forged() -> Error {
    Error::new(Code::InvalidParam, "This token was not given out by this server.")
}

/// A token that was read from `text`, if that is how it is given out: numbers can be written in
/// other ways too (`+1`, `01`, `-0`), and those were not this server's.
pub fn as_given_out<T: fmt::Display>(token: T, text: &str) -> Option<T> {
    (token.to_string() == text).then_some(token)
}

/// A number that is not below zero.
fn number(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number| *number >= 0)
}

impl SyncToken {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("s1_")?.split('_');
        let pos = number(parts.next()?)?;
        let ephemeral = u64::try_from(number(parts.next()?)?).ok()?;
        let process = u64::from_str_radix(parts.next()?, 16).ok()?;
        let to_device = parts.next().map_or(Some(pos), number)?;
        as_given_out(Self { pos: Pos(pos), ephemeral, process, to_device: Pos(to_device) }, text)
    }
}

impl FromStr for SyncToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::read(text).ok_or_else(forged)
    }
}

/// A place between two events of a room, for pagination: `t1_{ord}`.
///
/// The token stands after the event with this `ord`: going back returns events with `ord` at most
/// this, going forward events with a larger one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomToken(pub i64);

impl fmt::Display for RoomToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t1_{}", self.0)
    }
}

impl FromStr for RoomToken {
    type Err = Error;

    /// Sync tokens are taken too: live events have `ord = pos`.
    fn from_str(text: &str) -> Result<Self> {
        if text.starts_with("s1_") {
            return Ok(Self(text.parse::<SyncToken>()?.pos.0));
        }
        let ord = text.strip_prefix("t1_").and_then(|ord| ord.parse().ok());
        ord.and_then(|ord| as_given_out(Self(ord), text)).ok_or_else(forged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_round_trip() {
        let token = SyncToken { pos: Pos(42), ephemeral: 7, process: 0xfeed, to_device: Pos(42) };
        assert_eq!(token.to_string(), "s1_42_7_feed");
        assert_eq!(token.to_string().parse::<SyncToken>().unwrap(), token);
        let behind = SyncToken { to_device: Pos(40), ..token };
        assert_eq!(behind.to_string(), "s1_42_7_feed_40");
        assert_eq!(behind.to_string().parse::<SyncToken>().unwrap(), behind);
        for ord in [-5, 0, 9] {
            assert_eq!(RoomToken(ord).to_string().parse::<RoomToken>().unwrap(), RoomToken(ord));
        }
        assert_eq!("s1_42_7_feed".parse::<RoomToken>().unwrap(), RoomToken(42));
    }

    #[test]
    fn forged_tokens_are_refused() {
        for text in [
            "",
            "s1_",
            "s1_1",
            "s1_1_2",
            "s1_-1_0_0",
            "s1_1_2_3_4",
            "s2_1_2_3",
            "s1_1_+2_3",
            "s1_99999999999999999999_0_0",
            "s1_1_1_xyz",
            "s1_1_1_11112222333344445",
            "s1_1_1_+a",
            "s1_1_1_A",
            "s1_1_1_0a",
            "s1_01_1_a",
            "s1_1_1_a_1",
            "s1_1_1_a_2",
            "s1_2_1_a_1_",
            "t1_",
            "t1_--1",
        ] {
            assert!(text.parse::<SyncToken>().is_err(), "{text}");
        }
        for text in ["t1_", "t1_--1", "t1_+1", "t1_01", "t1_-0", "t1_1_", "s1_01_1_a", ""] {
            assert!(text.parse::<RoomToken>().is_err(), "{text}");
        }
    }
}
