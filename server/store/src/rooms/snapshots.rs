//! Snapshots of state: each is a difference from its parent, a short way up to a whole one.

use crate::change::Change;
use crate::db::Source;
use crate::table::Table;
use kontor_model::{Error, Nid, Result};

/// One snapshot as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Numeric id of the snapshot that ends with this layer.
    pub snapshot: Nid,
    /// The layer below; `None` for a whole snapshot.
    pub parent: Option<Nid>,
    /// How many layers there are down to the whole one, itself included.
    pub layers: i64,
    /// Event type, state key, event.
    pub added: Vec<(String, Nid, Nid)>,
    /// Event type and state key that are no longer there.
    pub removed: Vec<(String, Nid)>,
}

/// The layers of a snapshot, the whole one first; empty when there is no such snapshot.
///
/// # Errors
/// See [`Source::all`].
pub async fn layers<S: Source>(source: &mut S, snapshot: Nid) -> Result<Vec<Layer>> {
    let sql = "WITH RECURSIVE up (snapshot_nid, parent_nid, layers, added, removed) AS ( \
               SELECT snapshot_nid, parent_nid, layers, added, removed FROM state_snapshot \
               WHERE snapshot_nid = $1 UNION ALL \
               SELECT s.snapshot_nid, s.parent_nid, s.layers, s.added, s.removed FROM state_snapshot s \
               JOIN up ON s.snapshot_nid = up.parent_nid) \
               SELECT snapshot_nid, parent_nid, layers, added, removed FROM up ORDER BY layers";
    let read = |row: &crate::Row| {
        Ok(Layer {
            snapshot: row.int(0)?,
            parent: row.int_opt(1)?,
            layers: row.int(2)?,
            added: serde_json::from_str(&row.text(3)?).map_err(Error::internal)?,
            removed: serde_json::from_str(&row.text(4)?).map_err(Error::internal)?,
        })
    };
    source.all(sql, vec![snapshot.into()]).await?.iter().map(read).collect()
}

impl Change {
    /// Adds a snapshot.
    ///
    /// # Errors
    /// `Internal` when the layer cannot be written as JSON, which would be a defect.
    pub fn add_snapshot(&mut self, room: Nid, layer: &Layer) -> Result<()> {
        self.insert(
            Table::StateSnapshot,
            vec![
                layer.snapshot.into(),
                room.into(),
                layer.parent.into(),
                layer.layers.into(),
                serde_json::to_string(&layer.added).map_err(Error::internal)?.into(),
                serde_json::to_string(&layer.removed).map_err(Error::internal)?.into(),
            ],
        );
        Ok(())
    }

    /// Remembers a room's newest snapshot when no event moves the room along with it.
    pub fn newest_snapshot(&mut self, room: Nid, snapshot: Nid) {
        self.run("UPDATE room SET snapshot_nid = $2 WHERE room_nid = $1", vec![room.into(), snapshot.into()]);
    }
}
