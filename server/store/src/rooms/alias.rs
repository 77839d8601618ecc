//! The directory of room aliases of this server.

use crate::change::{Change, Stream};
use crate::db::Source;
use crate::table::Table;
use crate::value::text_set;
use kontor_model::{Ms, Nid, Result};

/// Where an alias points.
#[derive(Clone, Debug)]
pub struct AliasRow {
    /// The room.
    pub room: Nid,
    /// Its Matrix id.
    pub room_id: String,
    /// Who made the alias.
    pub creator: Nid,
}

/// Where an alias points, if it exists.
///
/// # Errors
/// See [`Source::all`].
pub async fn target<S: Source>(source: &mut S, alias: &str) -> Result<Option<AliasRow>> {
    let sql = "SELECT a.room_nid, r.room_id, a.creator_nid FROM alias a JOIN room r ON r.room_nid = a.room_nid \
               WHERE a.alias = $1";
    let row = source.first(sql, vec![alias.into()]).await?;
    row.map(|row| Ok(AliasRow { room: row.int(0)?, room_id: row.text(1)?, creator: row.int(2)? })).transpose()
}

/// Of some aliases those that exist, with the Matrix ids of their rooms.
///
/// # Errors
/// See [`Source::all`].
pub async fn targets<S: Source, T: AsRef<str>>(
    source: &mut S,
    aliases: &[T],
) -> Result<Vec<(String, String)>> {
    if aliases.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT a.alias, r.room_id FROM alias a JOIN room r ON r.room_nid = a.room_nid \
               WHERE a.alias IN TEXT_SET($1)";
    let rows = source.all(sql, vec![text_set(aliases)]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}

/// The aliases of a room, oldest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_room<S: Source>(source: &mut S, room: Nid) -> Result<Vec<String>> {
    let sql = "SELECT alias FROM alias WHERE room_nid = $1 ORDER BY ts, alias";
    source.all(sql, vec![room.into()]).await?.iter().map(|row| row.text(0)).collect()
}

impl Change {
    /// Adds an alias. A taken one refuses the change with `Conflict`.
    pub fn add_alias(&mut self, alias: &str, room: Nid, creator: Nid, now: Ms) {
        self.insert(Table::Alias, vec![alias.into(), room.into(), creator.into(), now.into()]);
        self.position(Stream::Alias, None, Some(room));
    }

    /// Lets all aliases of a room point to another one.
    pub fn move_aliases(&mut self, from: Nid, to: Nid) {
        self.run("UPDATE alias SET room_nid = $2 WHERE room_nid = $1", vec![from.into(), to.into()]);
        for room in [from, to] {
            self.position(Stream::Alias, None, Some(room));
        }
    }

    /// Takes an alias away; refused with `Conflict` when it no longer points to the room.
    pub fn remove_alias(&mut self, alias: &str, room: Nid) {
        self.guard("DELETE FROM alias WHERE alias = $1 AND room_nid = $2", vec![alias.into(), room.into()]);
        self.position(Stream::Alias, None, Some(room));
    }
}
