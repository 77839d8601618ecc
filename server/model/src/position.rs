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

/// Digits only: `i64::from_str` would also take a sign.
fn number(text: &str) -> Result<i64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(forged());
    }
    text.parse().map_err(|_| forged())
}

impl FromStr for SyncToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.strip_prefix("s1_").ok_or_else(forged)?.split('_');
        let mut next = || parts.next().ok_or_else(forged);
        let (pos, ephemeral, process) = (next()?, next()?, next()?);
        let pos = Pos(number(pos)?);
        let to_device = parts.next().map(number).transpose()?;
        if parts.next().is_some() || process.len() > 16 || to_device.is_some_and(|place| place >= pos.0) {
            return Err(forged());
        }
        Ok(Self {
            pos,
            to_device: to_device.map_or(pos, Pos),
            ephemeral: u64::try_from(number(ephemeral)?).map_err(|_| forged())?,
            process: u64::from_str_radix(process, 16).map_err(|_| forged())?,
        })
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
        let digits = text.strip_prefix("t1_").ok_or_else(forged)?;
        match digits.strip_prefix('-') {
            Some(digits) => Ok(Self(-number(digits)?)),
            None => Ok(Self(number(digits)?)),
        }
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
            "t1_",
            "t1_--1",
        ] {
            assert!(text.parse::<SyncToken>().is_err(), "{text}");
        }
        assert!("t1_".parse::<RoomToken>().is_err());
        assert!("t1_--1".parse::<RoomToken>().is_err());
    }
}
