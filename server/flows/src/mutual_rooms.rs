//! Which rooms one is in together with somebody else (client-server API, "Mutual rooms").

use crate::Flows;
use kontor_model::position::as_given_out;
use kontor_model::{Error, Nid, Requester, Result, ids};
use kontor_store::rooms::mutual;
use std::fmt;
use std::str::FromStr;

/// Rooms of one page.
const PAGE: usize = 100;

/// Rooms that two users are both in.
#[derive(Clone, Debug, Default)]
pub struct MutualRooms {
    /// Some of them.
    pub joined: Vec<String>,
    /// How many there are in all.
    pub count: i64,
    /// Where to go on, if there are more.
    pub next_batch: Option<String>,
}

/// A place in the list, `m1_{room}`: rooms are told in the order of their numeric ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MutualPlace(Nid);

impl fmt::Display for MutualPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m1_{}", self.0)
    }
}

impl FromStr for MutualPlace {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let room =
            text.strip_prefix("m1_").and_then(|room| room.parse::<i64>().ok()).filter(|room| *room >= 0);
        let forged = || Error::invalid_param("The page token was not given out by this server.");
        room.and_then(|room| as_given_out(Self(room), text)).ok_or_else(forged)
    }
}

impl Flows {
    /// Rooms that both the caller and another user have joined.
    ///
    /// # Errors
    /// `InvalidParam` for the caller's own user id, for what is none, and for forged tokens.
    pub async fn mutual_rooms(
        &self,
        requester: &Requester,
        user_id: &str,
        from: Option<&str>,
    ) -> Result<MutualRooms> {
        let other = ids::user_id(user_id)?;
        if other == requester.user_id {
            return Err(Error::invalid_param("These are all of your rooms; name another user."));
        }
        let after = from.map_or(Ok(MutualPlace(0)), str::parse)?.0;
        let Some(other) = self.store.known_name(other.as_str()).await? else {
            return Ok(MutualRooms::default());
        };
        let users = [requester.user, other];
        let mut snapshot = self.store.snapshot().await?;
        let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
        let mut rooms = mutual::page(&mut snapshot, users, after, limit).await?;
        let count = mutual::count(&mut snapshot, users).await?;
        let more = rooms.len() > PAGE;
        rooms.truncate(PAGE);
        let last = rooms.last().map(|(room, _)| MutualPlace(*room).to_string());
        let joined = rooms.into_iter().map(|(_, room_id)| room_id).collect();
        Ok(MutualRooms { joined, count, next_batch: last.filter(|_| more) })
    }
}
