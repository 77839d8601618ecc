//! What a connection was told: of each room, up to which place, how many events, which state.
//!
//! Rooms that were in the last answer's reach need no position of their own: they were told up to
//! the position that the client's token carries. So while a client follows the same rooms, whatever
//! happens in them, this does not change and nothing is written.

use super::wanted::RequiredState;
use kontor_model::position::as_given_out;
use kontor_model::{Error, Nid, Pos, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Rooms that one connection remembers. Of those that were out of reach for longest it forgets
/// what was told; they would be told anew.
const MAX_ROOMS: usize = 20_000;

/// Up to where something was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mark {
    /// Not at all.
    #[default]
    Never,
    /// Up to a position.
    Upto(i64),
    /// Up to the position of the token.
    Live,
}

impl Mark {
    /// The position up to which it was told, for a token that stands at `pos`.
    pub fn since(self, pos: i64) -> Option<i64> {
        match self {
            Self::Never => None,
            Self::Upto(place) => Some(place),
            Self::Live => Some(pos),
        }
    }

    /// The mark of something that is not told this time, though it may have changed.
    pub fn left_behind(self, pos: i64) -> Self {
        if self == Self::Live { Self::Upto(pos) } else { self }
    }

    fn number(self) -> i64 {
        match self {
            Self::Never => -2,
            Self::Live => -1,
            Self::Upto(pos) => pos,
        }
    }

    fn from_number(number: i64) -> Self {
        match number {
            -2 => Self::Never,
            -1 => Self::Live,
            pos => Self::Upto(pos),
        }
    }
}

/// What was told of one room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Which of the connection's required states.
    pub state: usize,
    /// The newest so many events were told without a gap, or all there were.
    pub limit: u64,
    /// That it is a direct chat.
    pub dm: bool,
    /// The room itself.
    pub events: Mark,
    /// Receipts.
    pub receipts: Mark,
    /// The reader's account data of the room.
    pub account_data: Mark,
}

/// What a connection was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    states: Vec<RequiredState>,
    /// By room.
    pub rooms: BTreeMap<Nid, Told>,
    /// Account data that belongs to no room.
    pub account_data: Mark,
    /// Changes of device lists.
    pub devices: Mark,
}

/// A row of [`Saved::r`]: room, required state, limit, direct chat, the three marks.
type Row = (Nid, usize, u64, u8, i64, i64, i64);

#[derive(Serialize, Deserialize)]
struct Saved {
    s: Vec<RequiredState>,
    a: i64,
    d: i64,
    r: Vec<Row>,
}

impl State {
    /// The required state that was told of a room.
    pub fn state_of(&self, told: &Told) -> RequiredState {
        self.states.get(told.state).cloned().unwrap_or_default()
    }

    /// The number by which rooms name a required state.
    pub fn number_of(&mut self, state: &RequiredState) -> usize {
        let known = self.states.iter().position(|known| known == state);
        known.unwrap_or_else(|| {
            self.states.push(state.clone());
            self.states.len() - 1
        })
    }

    /// Forgets required states that no room names any more.
    pub fn compact(&mut self) {
        let mut used: Vec<usize> = self.rooms.values().map(|told| told.state).collect();
        used.sort_unstable();
        used.dedup();
        if used.len() == self.states.len() {
            return;
        }
        for told in self.rooms.values_mut() {
            told.state = used.binary_search(&told.state).unwrap_or_default();
        }
        self.states = used.iter().filter_map(|state| self.states.get(*state).cloned()).collect();
    }

    /// As text.
    pub fn encode(&self) -> Result<String> {
        let row = |(room, told): (&Nid, &Told)| {
            let marks = (told.events.number(), told.receipts.number(), told.account_data.number());
            (*room, told.state, told.limit, told.dm.into(), marks.0, marks.1, marks.2)
        };
        let saved = Saved {
            s: self.states.clone(),
            a: self.account_data.number(),
            d: self.devices.number(),
            r: self.rooms.iter().map(row).collect(),
        };
        serde_json::to_string(&saved).map_err(Error::internal)
    }

    /// From [`State::encode`].
    pub fn decode(text: &str) -> Result<Self> {
        let saved: Saved = serde_json::from_str(text).map_err(Error::internal)?;
        let told = |row: Row| {
            let (room, state, limit, dm, events, receipts, account_data) = row;
            let told = Told {
                state,
                limit,
                dm: dm != 0,
                events: Mark::from_number(events),
                receipts: Mark::from_number(receipts),
                account_data: Mark::from_number(account_data),
            };
            (room, told)
        };
        Ok(Self {
            states: saved.s,
            rooms: saved.r.into_iter().map(told).collect(),
            account_data: Mark::from_number(saved.a),
            devices: Mark::from_number(saved.d),
        })
    }

    /// Keeps within bounds.
    pub fn trim(&mut self) {
        self.compact();
        if self.rooms.len() <= MAX_ROOMS {
            return;
        }
        let upto = |told: &Told| told.events.since(i64::MAX).unwrap_or(i64::MIN);
        let mut by_age: Vec<(i64, Nid)> = self.rooms.iter().map(|(room, told)| (upto(told), *room)).collect();
        by_age.sort_unstable();
        for (_, room) in by_age.into_iter().take(self.rooms.len() - MAX_ROOMS) {
            self.rooms.remove(&room);
        }
    }
}

/// Up to where a connection was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Everything up to here.
    pub pos: Pos,
    /// Changes of typing up to here, if `process` is the reader's own.
    pub ephemeral: u64,
    /// Random identity of the process that counted them.
    pub process: u64,
}

/// Where a connection stands: `k1_{state}_{pos}_{ephemeral}_{process}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What the connection was told; 0 = nothing that is worth remembering.
    pub state: Nid,
    /// Up to where.
    pub at: Place,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "k1_{}_{}_{}_{:x}", self.state, self.at.pos.0, self.at.ephemeral, self.at.process)
    }
}

impl FromStr for Token {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.strip_prefix("k1_").unwrap_or_default().split('_').collect();
        let [state, pos, ephemeral, process] = parts.as_slice() else { return Err(super::unknown_pos()) };
        let number = |text: &str| {
            let digits = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<i64>().ok().filter(|_| digits).ok_or_else(super::unknown_pos)
        };
        let ephemeral = u64::try_from(number(ephemeral)?).map_err(|_| super::unknown_pos())?;
        let process = Some(process).filter(|text| text.len() <= 16);
        let process = process.and_then(|text| u64::from_str_radix(text, 16).ok());
        let process = process.ok_or_else(super::unknown_pos)?;
        let token = Self { state: number(state)?, at: Place { pos: Pos(number(pos)?), ephemeral, process } };
        as_given_out(token, text).ok_or_else(super::unknown_pos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sliding::wanted::Wanted;

    #[test]
    fn what_was_told_survives_being_saved() {
        let mut state = State { account_data: Mark::Live, devices: Mark::Upto(7), ..State::default() };
        let first = Wanted::new(1, &[("a".into(), "b".into())]).state;
        let second = Wanted::new(1, &[("c".into(), "*".into())]).state;
        assert_eq!((state.number_of(&first), state.number_of(&second), state.number_of(&first)), (0, 1, 0));
        let told = Told { state: 1, limit: 20, dm: true, events: Mark::Live, ..Told::default() };
        state.rooms.insert(9, told);
        state.compact();
        let again = State::decode(&state.encode().unwrap()).unwrap();
        // The first required state was of no room any more.
        assert_eq!(again.state_of(&again.rooms[&9]), second);
        assert_eq!(again.rooms[&9], Told { state: 0, ..told });
        assert_eq!((again.account_data, again.devices), (Mark::Live, Mark::Upto(7)));
    }

    #[test]
    fn tokens_survive_the_round_trip_and_forged_ones_are_unknown() {
        let at = Place { pos: Pos(42), ephemeral: 7, process: 0xfeed };
        let token = Token { state: 5, at };
        assert_eq!(token.to_string().parse::<Token>().unwrap(), token);
        for forged in [
            "",
            "k1_",
            "k1_5",
            "k1_-5_1_1_1",
            "k1_x_1_1_1",
            "s1_1_1_1",
            "k1_5_1_1",
            "k1_5_1_1_g",
            "k1_5_1_1_+a",
            "k1_05_1_1_a",
        ] {
            let refused = forged.parse::<Token>().unwrap_err();
            assert_eq!(refused.code, kontor_model::Code::UnknownPos, "{forged}");
        }
    }

    #[test]
    fn a_connection_remembers_a_bounded_number_of_rooms() {
        let mut state = State::default();
        for room in 0..(MAX_ROOMS as i64 + 10) {
            let events = if room == 3 { Mark::Live } else { Mark::Upto(room) };
            state.rooms.insert(room, Told { events, ..Told::default() });
        }
        state.trim();
        assert_eq!(state.rooms.len(), MAX_ROOMS);
        assert!(state.rooms.contains_key(&3) && !state.rooms.contains_key(&4));
    }
}
