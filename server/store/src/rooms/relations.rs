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
        vec![self.user.into(), id_set(self.ignored.iter().copied()), triple_set(self.ranges.iter().copied())]
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

// The newest edit is the one with the latest time of sending, all others are in room order. What
// relates is found by what it relates to (hence `+ 0`), never by walking through the room.
const CHILDREN: &str = concat!(
    "WITH seen AS MATERIALIZED (SELECT t.a, t.b, t.c FROM TRIPLE_SET($3) t) \
     SELECT parent AS c1, rel AS c2, total AS c3, own AS c4, nid AS c5, id AS c6 FROM (\
     SELECT p.event_nid AS parent, c.rel_type AS rel, c.event_nid AS nid, c.event_id AS id, \
     count(*) OVER (PARTITION BY p.event_nid, c.rel_type) AS total, \
     max(CASE WHEN c.sender_nid = $1 THEN 1 ELSE 0 END) OVER (PARTITION BY p.event_nid, c.rel_type) AS own, \
     row_number() OVER (PARTITION BY p.event_nid, c.rel_type ORDER BY \
     CASE WHEN c.rel_type = 'm.replace' THEN c.origin_ts ELSE c.ord END DESC, c.ord DESC) AS place \
     FROM ID_SET($4) w CROSS JOIN event p CROSS JOIN event c \
     WHERE p.event_nid = w.id AND c.relates_to = p.event_id AND c.room_nid + 0 = p.room_nid \
     AND (c.rel_type IN ('m.thread', 'm.reference') OR (c.rel_type = 'm.replace' AND c.type = p.type \
     AND c.sender_nid = p.sender_nid AND c.state_key_nid IS NULL)) AND ",
    counts!(),
    ") found WHERE place <= CASE rel WHEN 'm.thread' THEN 1 WHEN 'm.replace' THEN $5 ELSE $6 END \
     ORDER BY parent, rel, place"
);

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
    let mut values = seen.values();
    values.extend([id_set(parents.iter().copied()), EDITS.into(), REFERENCES.into()]);
    let mut found: Vec<Children> = Vec::new();
    for row in source.packed(CHILDREN, 6, values).await? {
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

/// Whether an event relates to another one.
///
/// # Errors
/// See [`Source::all`].
pub async fn relates<S: Source>(source: &mut S, event_id: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM event WHERE event_id = $1 AND relates_to IS NOT NULL";
    Ok(source.first(sql, vec![event_id.into()]).await?.is_some())
}

/// Which events that relate to one are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The room.
    pub room: Nid,
    /// The event that they relate to.
    pub parent: &'a str,
    /// How; in any way if empty.
    pub rel_type: &'a str,
    /// Their type; any if empty.
    pub kind: &'a str,
    /// How many relations away they may be.
    pub depth: i64,
    /// Places after this one …
    pub after: i64,
    /// … and up to this one.
    pub until: i64,
    /// Whether the newest are wanted first.
    pub backward: bool,
    /// At most so many.
    pub limit: i64,
}

/// Events that relate to one, as far as the reader may see them: numeric ids in the wanted order. An
/// event counts only if all relations between are of the wanted kind.
///
/// # Errors
/// See [`Source::all`].
pub async fn page<S: Source>(source: &mut S, seen: Seen<'_>, wanted: Wanted<'_>) -> Result<Vec<Nid>> {
    macro_rules! found {
        ($order:literal) => {
            concat!(
                "WITH RECURSIVE seen AS MATERIALIZED (SELECT t.a, t.b, t.c FROM TRIPLE_SET($3) t), \
                 found(nid, id, ord, depth) AS (\
                 SELECT c.event_nid, c.event_id, c.ord, 1 FROM event c WHERE c.relates_to = $4 \
                 AND c.room_nid + 0 = $5 AND ($6 = '' OR c.rel_type = $6) AND ($7 = '' OR c.type = $7) AND ",
                counts!(),
                "UNION ALL SELECT c.event_nid, c.event_id, c.ord, f.depth + 1 FROM found f \
                 JOIN event c ON c.relates_to = f.id WHERE f.depth < $8 AND c.room_nid + 0 = $5 \
                 AND ($6 = '' OR c.rel_type = $6) AND ($7 = '' OR c.type = $7) AND ",
                counts!(),
                ") SELECT nid AS c1, ord AS c2 FROM found WHERE ord > $9 AND ord <= $10 AND $1 = $1 ORDER BY ord",
                $order,
                " LIMIT $11"
            )
        };
    }
    let sql = if wanted.backward { found!(" DESC") } else { found!("") };
    let mut values = seen.values();
    values.extend([wanted.parent.into(), wanted.room.into(), wanted.rel_type.into(), wanted.kind.into()]);
    values.extend([wanted.depth.into(), wanted.after.into(), wanted.until.into(), wanted.limit.into()]);
    let rows = source.packed(sql, 2, values).await?;
    let mut found: Vec<(i64, Nid)> =
        rows.iter().map(|row| Ok((row.int(1)?, row.int(0)?))).collect::<Result<_>>()?;
    found.sort_unstable();
    if wanted.backward {
        found.reverse();
    }
    Ok(found.into_iter().map(|(_, nid)| nid).collect())
}

/// A thread of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// The event that it begins with.
    pub event: Nid,
    /// Place of its newest event that the reader may see.
    pub latest: i64,
}

/// Threads of a room whose newest event is at `until` or before it, the one with the newest event
/// first; with `participated` those in which the reader wrote, or which the reader began.
///
/// # Errors
/// See [`Source::all`].
pub async fn threads<S: Source>(
    source: &mut S,
    seen: Seen<'_>,
    room: Nid,
    until: i64,
    participated: bool,
    limit: i64,
) -> Result<Vec<Root>> {
    let sql = concat!(
        "WITH seen AS MATERIALIZED (SELECT t.a, t.b, t.c FROM TRIPLE_SET($3) t), \
         threads AS MATERIALIZED (SELECT c.relates_to AS root, max(c.ord) AS latest, \
         max(CASE WHEN c.sender_nid = $1 THEN 1 ELSE 0 END) AS own FROM event c \
         WHERE c.room_nid = $4 AND c.rel_type = 'm.thread' AND ",
        counts!(),
        "GROUP BY c.relates_to) \
         SELECT p.event_nid AS c1, t.latest AS c2 FROM threads t CROSS JOIN event p \
         WHERE p.event_id = t.root AND p.room_nid = $4 AND p.relates_to IS NULL AND p.state_key_nid IS NULL \
         AND EXISTS (SELECT 1 FROM seen v WHERE v.a = p.room_nid AND p.ord > v.b AND p.ord <= v.c) \
         AND t.latest <= $5 AND ($6 = 0 OR t.own = 1 OR p.sender_nid = $1) ORDER BY t.latest DESC LIMIT $7"
    );
    let mut values = seen.values();
    values.extend([room.into(), until.into(), participated.into(), limit.into()]);
    let rows = source.packed(sql, 2, values).await?;
    let read = |row: &crate::Row| Ok(Root { event: row.int(0)?, latest: row.int(1)? });
    let mut roots: Vec<Root> = rows.iter().map(read).collect::<Result<_>>()?;
    roots.sort_unstable_by_key(|root| std::cmp::Reverse(root.latest));
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stores;

    #[tokio::test]
    async fn what_relates_is_found_by_what_it_relates_to() {
        for store in stores().await {
            if store.is_sqlite() {
                let sql: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {CHILDREN}").into_boxed_str());
                let values = vec![1.into(), "[]".into(), "[]".into(), "[]".into(), 1.into(), 1.into()];
                let rows = store.reader().all(sql, values).await.unwrap();
                let plan: Vec<String> = rows.iter().map(|row| row.text(3).unwrap()).collect();
                assert!(plan.iter().any(|step| step.contains("event_relation (relates_to=?)")), "{plan:#?}");
            }
            store.close().await;
        }
    }
}
