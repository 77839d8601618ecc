//! A user's rooms in the order of sliding sync, remembered in memory between requests.
//!
//! The log says which rooms moved since; only changes of the user's own membership are read anew.
//! What a process does not remember it reads with one statement.

use crate::Flows;
use crate::sync::Reading;
use kontor_model::{Nid, Pos, Result};
use kontor_rooms::Visibility;
use kontor_store::log::Entry as LogEntry;
use kontor_store::rooms::state;
use kontor_store::sliding::{self, ListedRoom};
use kontor_store::{Snapshot, Stream};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How a user stands to a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Joined,
    Invited,
    Knocked,
    /// Left of one's own accord, or refused an invitation.
    Left,
    /// Made to leave, or banned; of those only, who ever was in.
    Removed,
    /// Banned without ever having been in, or an invitation that was taken back.
    Never,
}

/// A room of the user.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub room: Nid,
    pub room_id: Arc<str>,
    pub standing: Standing,
    /// The user's member event.
    pub event: Nid,
    /// Position and place of the user's last change of membership.
    pub pos: i64,
    /// Who made it.
    pub sender: Nid,
    /// Place of the room's newest event.
    pub last_ord: i64,
}

impl Entry {
    /// What rooms are ordered by: the newest event; for those outside, their last change of
    /// membership (MSC4186, "Activity ordering").
    pub fn activity(&self) -> i64 {
        if self.standing == Standing::Joined { self.last_ord } else { self.pos }
    }
}

/// What filters look at.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub encrypted: bool,
    pub room_type: Option<String>,
    pub name: Option<String>,
}

/// All rooms of a user.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    pub entries: HashMap<Nid, Entry>,
    /// Most recent activity first.
    pub order: Vec<Nid>,
    /// Of rooms for which they were needed since their state changed last.
    facts: HashMap<Nid, Facts>,
}

/// A directory and the position that it is of.
#[derive(Clone)]
pub(super) struct Remembered {
    as_of: Pos,
    directory: Arc<Directory>,
}

/// What a room of the directory takes in memory, bytes.
const ENTRY: usize = 250;

impl Remembered {
    /// The directory, which may be older than what the log tells.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    pub fn weight(&self) -> u32 {
        u32::try_from((self.directory.entries.len() + 4) * ENTRY).unwrap_or(u32::MAX)
    }
}

impl Directory {
    /// The directory of a user in the moment of a reading.
    pub async fn of(reading: &mut Reading<'_>) -> Result<Arc<Self>> {
        let (flows, user, until) = (reading.flows, reading.user(), reading.until);
        let known = flows.sliding.directories.get(&user).filter(|known| known.as_of <= until);
        let news = known.as_ref().and_then(|known| flows.store.log().between(known.as_of, until));
        let directory = match known.zip(news) {
            Some((known, news)) => known.directory.after(&mut reading.snapshot, user, &news).await?,
            None => {
                let rooms = sliding::rooms_of(&mut reading.snapshot, user).await?;
                let mut directory = Self::default();
                directory.take_in(&mut reading.snapshot, user, rooms).await?;
                Arc::new(directory)
            }
        };
        remember(flows, user, until, &directory);
        Ok(directory)
    }

    /// The directory after what happened since.
    async fn after(
        self: &Arc<Self>,
        snapshot: &mut Snapshot<'_>,
        user: Nid,
        news: &[LogEntry],
    ) -> Result<Arc<Self>> {
        let mut changed: HashSet<Nid> = HashSet::new();
        let mut moved: HashMap<Nid, i64> = HashMap::new();
        for entry in news.iter().filter(|entry| entry.row.stream == Stream::Event) {
            let Some(room) = entry.row.room else { continue };
            if entry.row.user == Some(user) {
                changed.insert(room);
            } else if self.entries.contains_key(&room) {
                moved.insert(room, entry.pos);
            }
        }
        if changed.is_empty() && moved.is_empty() {
            return Ok(Arc::clone(self));
        }
        let mut next = Self::clone(self);
        for (room, ord) in moved {
            next.facts.remove(&room);
            if let Some(entry) = next.entries.get_mut(&room) {
                entry.last_ord = entry.last_ord.max(ord);
            }
        }
        for room in &changed {
            next.facts.remove(room);
            next.entries.remove(room);
        }
        let changed: Vec<Nid> = changed.into_iter().collect();
        let rooms = if changed.is_empty() {
            Vec::new()
        } else {
            sliding::rooms_among(snapshot, user, &changed).await?
        };
        next.take_in(snapshot, user, rooms).await?;
        Ok(Arc::new(next))
    }

    /// Adds rooms and puts all in order.
    async fn take_in(
        &mut self,
        snapshot: &mut Snapshot<'_>,
        user: Nid,
        rooms: Vec<ListedRoom>,
    ) -> Result<()> {
        let removed = |my: &&ListedRoom| is_removed(my, user);
        let unsure: Vec<Nid> = rooms.iter().filter(removed).map(|my| my.room).collect();
        let histories = state::histories(snapshot, &unsure, user).await?;
        let was_in = |room: Nid| {
            histories
                .get(&room)
                .is_some_and(|histories| histories.membership.iter().any(|turn| turn.value == "join"))
        };
        for my in rooms {
            let standing = match my.membership.as_str() {
                "join" => Standing::Joined,
                "invite" => Standing::Invited,
                "knock" => Standing::Knocked,
                _ if !is_removed(&my, user) => Standing::Left,
                _ if was_in(my.room) => Standing::Removed,
                _ => Standing::Never,
            };
            let entry = Entry {
                room: my.room,
                room_id: my.room_id.into(),
                standing,
                event: my.event,
                pos: my.pos,
                sender: my.sender,
                last_ord: my.last_ord,
            };
            self.entries.insert(my.room, entry);
        }
        let mut order: Vec<(i64, Nid)> =
            self.entries.values().map(|entry| (entry.activity(), entry.room)).collect();
        order.sort_unstable_by_key(|place| std::cmp::Reverse(*place));
        self.order = order.into_iter().map(|(_, room)| room).collect();
        Ok(())
    }

    /// The rooms that wake a long poll.
    pub fn watched(&self) -> impl Iterator<Item = Nid> {
        let outside =
            |entry: &&Entry| !matches!(entry.standing, Standing::Left | Standing::Removed | Standing::Never);
        self.entries.values().filter(outside).map(|entry| entry.room)
    }

    /// What filters look at.
    pub fn facts(&self, room: Nid) -> Facts {
        self.facts.get(&room).cloned().unwrap_or_default()
    }

    /// Reads what filters look at, as far as it is not remembered.
    pub async fn with_facts(self: Arc<Self>, reading: &mut Reading<'_>) -> Result<Arc<Self>> {
        let missing: Vec<Nid> =
            self.order.iter().filter(|room| !self.facts.contains_key(room)).copied().collect();
        if missing.is_empty() {
            return Ok(self);
        }
        let types = ["m.room.create", "m.room.encryption", "m.room.name"];
        let rows = sliding::contents(&mut reading.snapshot, &missing, &types).await?;
        let mut next = Self::clone(&self);
        next.facts.extend(missing.into_iter().map(|room| (room, Facts::default())));
        for (room, kind, content) in rows {
            let Some(facts) = next.facts.get_mut(&room) else { continue };
            match kind.as_str() {
                "m.room.encryption" => facts.encrypted = true,
                "m.room.create" => facts.room_type = text_in(&content, "type"),
                _ => facts.name = text_in(&content, "name"),
            }
        }
        let next = Arc::new(next);
        remember(reading.flows, reading.user(), reading.until, &next);
        Ok(next)
    }
}

fn remember(flows: &Flows, user: Nid, as_of: Pos, directory: &Arc<Directory>) {
    let newer = flows.sliding.directories.get(&user).is_some_and(|known| known.as_of > as_of);
    if !newer {
        let directory = Arc::clone(directory);
        flows.sliding.directories.insert(user, Remembered { as_of, directory });
    }
}

/// Whether somebody else ended the user's stay, or a ban stands against it.
fn is_removed(my: &ListedRoom, user: Nid) -> bool {
    my.membership == "ban" || (my.membership == "leave" && my.sender != user)
}

/// A text field of a content.
pub(super) fn text_in(content: &str, field: &str) -> Option<String> {
    let content: serde_json::Value = serde_json::from_str(content).ok()?;
    let text = content.get(field)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// The visibility of rooms whose histories must be read; one statement.
pub(super) async fn visibilities(
    reading: &mut Reading<'_>,
    rooms: &[Nid],
) -> Result<HashMap<Nid, Arc<Visibility>>> {
    let user = reading.user();
    let histories = state::histories(&mut reading.snapshot, rooms, user).await?;
    Ok(histories.into_iter().map(|(room, found)| (room, Arc::new(Visibility::new(&found)))).collect())
}
