//! Other people's device lists: whose a client must look at again, and whose it may forget.
//!
//! Somebody is told as changed who shares a room with the reader and whose devices or keys changed,
//! or who did not share one before; as left, who shared one and shares none any more.

use crate::Flows;
use kontor_model::{Error, Nid, Pos, Requester, Result};
use kontor_store::identity::device_lists::Move;
use kontor_store::identity::{cross_signing, device_lists, sessions};
use kontor_store::{Snapshot, Stream};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Above so many people who came in at once it is not asked who shared another room before: telling
/// too much is allowed and cheaper.
const ASKED: usize = 200;

/// Whose devices a client must look at again, and whose it may forget: Matrix ids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeviceLists {
    /// Devices or keys changed, or the user now shares a room with the reader.
    pub changed: BTreeSet<String>,
    /// The user no longer shares a room with the reader.
    pub left: BTreeSet<String>,
}

impl DeviceLists {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.left.is_empty()
    }
}

/// What can have changed, as far as the log in memory tells.
#[derive(Debug, Default)]
struct Hints {
    /// Users whose devices or keys changed; `None` = ask the archive.
    changed: Option<HashSet<Nid>>,
    /// Whether the reader may have signed keys of others.
    signed: bool,
    /// Whether anybody's membership changed anywhere.
    moves: bool,
}

/// People by what became of sharing rooms with the reader.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sharing {
    gained: HashSet<Nid>,
    lost: HashSet<Nid>,
    /// Rooms through which somebody was gained.
    through: HashSet<Nid>,
}

impl Flows {
    /// What became of other people's device lists in `(since, until]`, as of `until`, the snapshot's
    /// newest position. No statement when nothing can have changed, at most five.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn device_lists(
        &self,
        snapshot: &mut Snapshot<'_>,
        requester: &Requester,
        since: Pos,
        until: Pos,
    ) -> Result<DeviceLists> {
        let me = requester.user;
        let hints = self.device_hints(me, since, until);
        let mut changed: HashSet<Nid> = match hints.changed {
            Some(users) => users,
            None => device_lists::changed(snapshot, since, until).await?.into_iter().collect(),
        };
        let sharing = match hints.moves {
            true => self.sharing(snapshot, me, since, until).await?,
            false => Sharing::default(),
        };
        let mut lists = DeviceLists::default();
        if hints.signed {
            lists.changed.extend(cross_signing::signed_since(snapshot, me, since, until).await?);
        }
        if changed.remove(&me) {
            lists.changed.insert(requester.user_id.to_string());
        }
        let asked = sharing.gained.len() <= ASKED;
        let besides: Vec<Nid> = if asked { sharing.through.iter().copied().collect() } else { Vec::new() };
        let users: BTreeSet<Nid> =
            changed.iter().chain(&sharing.gained).chain(&sharing.lost).copied().collect();
        let users: Vec<Nid> = users.into_iter().collect();
        for tie in device_lists::ties(snapshot, me, &users, &besides).await? {
            let new = sharing.gained.contains(&tie.user) && !(asked && tie.shares_elsewhere);
            if tie.shares && (new || changed.contains(&tie.user)) {
                lists.changed.insert(tie.user_id);
            } else if !tie.shares && sharing.lost.contains(&tie.user) {
                lists.left.insert(tie.user_id);
            }
        }
        Ok(lists)
    }

    /// What became of other people's device lists since a place that `/sync` gave out. `to` is another
    /// one, up to which the client knows of at least; what came later is told as well.
    ///
    /// # Errors
    /// `InvalidParam` for places that this server did not give out; `UnknownToken` when the session
    /// ended.
    pub async fn device_list_changes(
        &self,
        requester: &Requester,
        from: Pos,
        to: Pos,
    ) -> Result<DeviceLists> {
        let mut snapshot = self.store.snapshot().await?;
        let guard = sessions::guard(&mut snapshot, requester.session, requester.user).await?;
        kontor_identity::sessions::stands(&guard, requester)?;
        if from > guard.newest || to > guard.newest {
            return Err(Error::invalid_param("This token was not given out by this server."));
        }
        self.device_lists(&mut snapshot, requester, from, guard.newest).await
    }

    fn device_hints(&self, me: Nid, since: Pos, until: Pos) -> Hints {
        let Some(entries) = self.store.log().between(since, until) else {
            return Hints { changed: None, signed: true, moves: true };
        };
        let mut changed = HashSet::new();
        let mut hints = Hints::default();
        for row in entries.iter().map(|entry| entry.row) {
            match (row.stream, row.user) {
                (Stream::DeviceList, Some(user)) => {
                    hints.signed |= user == me;
                    changed.insert(user);
                }
                (Stream::KeySignatures, Some(user)) => hints.signed |= user == me,
                (Stream::Event, Some(_)) => hints.moves = true,
                _ => {}
            }
        }
        hints.changed = Some(changed);
        hints
    }

    /// Who began and who ceased to share a room with the reader.
    async fn sharing(&self, snapshot: &mut Snapshot<'_>, me: Nid, since: Pos, until: Pos) -> Result<Sharing> {
        let moves = device_lists::moves(snapshot, me, since, until).await?;
        let own = moves.iter().filter(|moved| moved.user == me && moved.joined != moved.was_joined);
        let own: Vec<Nid> = own.map(|moved| moved.room).collect();
        let members = match own.is_empty() {
            true => Vec::new(),
            false => device_lists::members(snapshot, &own).await?,
        };
        Ok(sharing(me, &moves, &members))
    }
}

/// Compares who shared which room before and after. `members` are the present members of the rooms
/// that the reader came into or left.
fn sharing(me: Nid, moves: &[Move], members: &[(Nid, Nid)]) -> Sharing {
    let own: HashMap<Nid, (bool, bool)> = moves
        .iter()
        .filter(|moved| moved.user == me)
        .map(|moved| (moved.room, (moved.was_joined, moved.joined)))
        .collect();
    let mut sharing = Sharing::default();
    let mut compare = |room: Nid, user: Nid, mine: (bool, bool), theirs: (bool, bool)| {
        let (before, after) = (mine.0 && theirs.0, mine.1 && theirs.1);
        if !before && after {
            sharing.gained.insert(user);
            sharing.through.insert(room);
        } else if before && !after {
            sharing.lost.insert(user);
        }
    };
    let mut moved = HashSet::new();
    for theirs in moves.iter().filter(|moved| moved.user != me) {
        let mine = own.get(&theirs.room).copied().unwrap_or((theirs.reader_joined, theirs.reader_joined));
        moved.insert((theirs.room, theirs.user));
        compare(theirs.room, theirs.user, mine, (theirs.was_joined, theirs.joined));
    }
    // Those who did not move were there all the time.
    for (room, user) in members.iter().filter(|(_, user)| *user != me) {
        if let Some(mine) = own.get(room).filter(|_| !moved.contains(&(*room, *user))) {
            compare(*room, *user, *mine, (true, true));
        }
    }
    sharing
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Nid = 1;

    fn moved(room: Nid, user: Nid, was_joined: bool, joined: bool) -> Move {
        Move { room, user, joined, was_joined, reader_joined: true }
    }

    fn set(list: &[Nid]) -> HashSet<Nid> {
        list.iter().copied().collect()
    }

    #[test]
    fn who_comes_is_gained_who_goes_is_lost_and_a_new_name_is_neither() {
        let moves = [moved(10, 2, false, true), moved(10, 3, true, false), moved(10, 4, true, true)];
        let found = sharing(ME, &moves, &[]);
        assert_eq!(found, Sharing { gained: set(&[2]), lost: set(&[3]), through: set(&[10]) });
    }

    #[test]
    fn a_room_that_the_reader_comes_into_brings_all_of_its_members() {
        let moves = [moved(10, ME, false, true), moved(10, 2, false, true)];
        let found = sharing(ME, &moves, &[(10, ME), (10, 2), (10, 3)]);
        assert_eq!(found.gained, set(&[2, 3]));
    }

    #[test]
    fn a_room_that_the_reader_leaves_takes_those_who_were_there() {
        let left = |moved: Move| Move { reader_joined: false, ..moved };
        let moves = [left(moved(10, ME, true, false)), left(moved(10, 2, true, false))];
        let moves = [moves[0].clone(), moves[1].clone(), left(moved(10, 4, false, true))];
        let found = sharing(ME, &moves, &[(10, 3), (10, 4)]);
        assert_eq!(found.lost, set(&[2, 3]), "4 came when the reader may have been gone");
        assert!(found.gained.is_empty());
    }
}
