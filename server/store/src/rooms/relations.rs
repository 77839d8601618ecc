//! Events that relate to others: what of them is told with their parents, pages of them, and the
//! threads of a room.
//!
//! Redacted events relate to nothing any more, nor do events of another room than their parent's.
//! Parts of rooms are given as triples of room, `after`, `until`, which is how readers' visibility
//! is told to the archive: sums over events that a reader may not see would tell of them.

use crate::db::Source;
use crate::value::{Value, id_set, triple_set};
use kontor_model::{Nid, Result};

/// Edits of one event that are looked at: the newest valid one counts, and hardly any is invalid.
const EDITS: i64 = 5;
/// References to one event that are told with it; the others are found by asking for them.
const REFERENCES: i64 = 250;

/// Who asks for relations, and what may be counted for them.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The reader.
    pub user: Nid,
    /// Senders that the reader ignores.
    pub ignored: &'a [Nid],
    /// The parts of rooms that the reader may see: room, `after`, `until`.
    pub ranges: &'a [(Nid, i64, i64)],
}

impl Seen<'_> {
    fn values(self) -> Vec<Value> {
        vec![
            self.user.into(),
            id_set(self.ignored.iter().copied()),
            triple_set(self.ranges.iter().copied()),
        ]
    }
}

/// Events that relate to one event in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Children {
    /// The event that they relate to.
    pub parent: Nid,
    /// `m.thread`, `m.replace` or `m.reference`.
    pub rel_type: String,
    /// How many there are.
    pub total: i64,
    /// Whether one of them is the reader's.
    pub own: bool,
    /// The newest of them, newest first: numeric id and Matrix id. One of a thread, a few edits, as
    /// many references as are told.
    pub newest: Vec<(Nid, String)>,
}

/// What can be counted: `seen` are the visible parts, `c` a child that counts for `$1`.
macro_rules! counts {
    () => {
        "c.ord IS NOT NULL AND c.redacted_by_nid IS NULL AND c.sender_nid NOT IN ID_SET($2) \
         AND EXISTS (SELECT 1 FROM seen v WHERE v.a = c.room_nid AND c.ord > v.b AND c.ord <= v.c) "
    };
}

/// The children of some events that are told with them (client-server API, "Aggregations of child
/// events"), by parent and kind. Of edits only those by the same sender of the same type. One
/// statement; nothing where nothing relates to the events.
///
/// # Errors
/// See [`Source::all`].
pub async fn children<S: Source>(source: &mut S, seen: Seen<'_>, parents: &[Nid]) -> Result<Vec<Children>> {
    if parents.is_empty() {
        return Ok(Vec::new());
    }
    // The newest edit is the one with the latest time of sending, all others are in room order.
    let sql = concat!(
        "WITH seen AS MATERIALIZED (SELECT t.a, t.b, t.c FROM TRIPLE_SET($3) t) \
         SELECT parent AS c1, rel AS c2, total AS c3, own AS c4, nid AS c5, id AS c6 FROM (\
         SELECT p.event_nid AS parent, c.rel_type AS rel, c.event_nid AS nid, c.event_id AS id, \
         count(*) OVER (PARTITION BY p.event_nid, c.rel_type) AS total, \
         max(CASE WHEN c.sender_nid = $1 THEN 1 ELSE 0 END) OVER (PARTITION BY p.event_nid, c.rel_type) AS own, \
         row_number() OVER (PARTITION BY p.event_nid, c.rel_type ORDER BY \
         CASE WHEN c.rel_type = 'm.replace' THEN c.origin_ts ELSE c.ord END DESC, c.ord DESC) AS place \
         FROM ID_SET($4) w CROSS JOIN event p CROSS JOIN event c \
         WHERE p.event_nid = w.id AND c.relates_to = p.event_id AND c.room_nid = p.room_nid \
         AND (c.rel_type IN ('m.thread', 'm.reference') OR (c.rel_type = 'm.replace' AND c.type = p.type \
         AND c.sender_nid = p.sender_nid AND c.state_key_nid IS NULL)) AND ",
        counts!(),
        ") found WHERE place <= CASE rel WHEN 'm.thread' THEN 1 WHEN 'm.replace' THEN $5 ELSE $6 END \
         ORDER BY parent, rel, place"
    );
    let mut values = seen.values();
    values.extend([id_set(parents.iter().copied()), EDITS.into(), REFERENCES.into()]);
    let mut found: Vec<Children> = Vec::new();
    for row in source.packed(sql, 6, values).await? {
        let (parent, rel_type, child) = (row.int(0)?, row.text(1)?, (row.int(4)?, row.text(5)?));
        match found.iter_mut().rev().find(|known| known.parent == parent && known.rel_type == rel_type) {
            Some(known) => known.newest.push(child),
            None => found.push(Children {
                parent,
                rel_type,
                total: row.int(2)?,
                own: row.bool(3)?,
                newest: vec![child],
            }),
        }
    }
    Ok(found)
}
