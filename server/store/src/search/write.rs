//! Teaching the index. One step is one transaction that also moves the cursor: nothing is ever
//! indexed twice, even if two processes try.

use super::read::Edit;
use super::{FORM, Search, places};
use crate::db::{packed, rows, unavailable};
use crate::value::{Value, text_set, triple_set};
use kontor_model::{Nid, Result};
use sqlx::{AnyConnection, Connection as _};
use std::collections::{BTreeMap, HashMap};

/// Texts of one chunk at most.
const DOCS: i64 = 1_024;

/// Before every place there is.
pub const BEGINNING: i64 = -(1 << 52);

/// A text to be found.
#[derive(Clone, Debug)]
pub struct Doc {
    /// The room.
    pub room: Nid,
    /// Its place there.
    pub ord: i64,
    /// Its words and marks, each once, with their weights.
    pub words: Vec<(String, u8)>,
}

/// What the index learns at once.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// New texts. Those of one room come in ascending order.
    pub docs: Vec<Doc>,
    /// New edits; their texts are among `docs`.
    pub edits: Vec<Edit>,
    /// Places whose texts are gone, with the edits of those.
    pub gone: Vec<(Nid, i64)>,
}

/// How far the index has come: see the table `search_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Everything up to here is indexed, but for the walk.
    pub position: i64,
    /// The walk indexes places after this one …
    pub walk_after: i64,
    /// … up to this one. It is over when both are equal.
    pub walk_until: i64,
    /// The room it is in; those before are done.
    pub walk_room: Nid,
    /// The last place in that room that is done.
    pub walk_place: i64,
}

impl Progress {
    /// Of an index that has to walk through the places after one, up to another.
    pub fn walking(after: i64, until: i64) -> Self {
        Self { position: until, walk_after: after, walk_until: until, walk_room: 0, walk_place: after }
    }

    /// Whether there is still something to walk through.
    pub fn walks(&self) -> bool {
        self.walk_after < self.walk_until
    }

    fn values(self) -> Vec<Value> {
        let all = [self.position, self.walk_after, self.walk_until, self.walk_room, self.walk_place];
        all.into_iter().map(Value::from).collect()
    }
}

type Bases = BTreeMap<(Nid, i64), i64>;

impl Search {
    /// How far the index has come. An empty one begins with a walk through everything up to
    /// `newest`.
    ///
    /// # Errors
    /// `Unavailable` when the index cannot be read or written.
    pub async fn progress(&self, newest: i64) -> Result<Progress> {
        let sql = "SELECT position, walk_after, walk_until, walk_room, walk_place FROM search_state";
        if self.all(sql, Vec::new()).await?.is_empty() {
            let make = "INSERT INTO search_state (one, form, position, walk_after, walk_until, walk_room, walk_place) \
                        VALUES (1, $6, $1, $2, $3, $4, $5) ON CONFLICT (one) DO NOTHING";
            let mut values = Progress::walking(BEGINNING, newest).values();
            values.push(FORM.into());
            self.all(make, values).await?;
        }
        let found = self.all(sql, Vec::new()).await?;
        let row =
            found.first().ok_or_else(|| kontor_model::Error::internal("a search index without state"))?;
        Ok(Progress {
            position: row.int(0)?,
            walk_after: row.int(1)?,
            walk_until: row.int(2)?,
            walk_room: row.int(3)?,
            walk_place: row.int(4)?,
        })
    }

    /// Takes a step from one progress to another. `false` when the index stands elsewhere, because
    /// another process took it: then nothing was written.
    ///
    /// # Errors
    /// As [`Search::progress`].
    pub async fn apply(&self, step: &Step, from: Progress, to: Progress) -> Result<bool> {
        let mut connection = self.pool().await?.acquire().await.map_err(unavailable)?;
        let mut tx = connection.begin_with(self.dialect.begin_write()).await.map_err(unavailable)?;
        let moved = "UPDATE search_state SET position = $1, walk_after = $2, walk_until = $3, walk_room = $4, \
                     walk_place = $5 WHERE one = 1 AND position = $6 AND walk_after = $7 AND walk_until = $8 \
                     AND walk_room = $9 AND walk_place = $10 RETURNING one";
        let mut values = to.values();
        values.extend(from.values());
        if self.run(&mut tx, moved, values).await?.is_empty() {
            tx.rollback().await.map_err(unavailable)?;
            return Ok(false);
        }
        self.learn(&mut tx, &step.docs).await?;
        if !step.edits.is_empty() {
            let sql = "INSERT INTO search_edit (room_nid, root, ord) SELECT a, b, c FROM TRIPLE_SET($1) w \
                       WHERE true ON CONFLICT DO NOTHING";
            let edits = triple_set(step.edits.iter().map(|edit| (edit.room, edit.root, edit.ord)));
            self.run(&mut tx, sql, vec![edits]).await?;
        }
        self.forget(&mut tx, &step.gone).await?;
        tx.commit().await.map_err(unavailable)?;
        Ok(true)
    }

    async fn run(
        &self,
        tx: &mut AnyConnection,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<crate::value::Row>> {
        rows(tx, self.statements.get(self.dialect, sql), values).await
    }

    /// The chunks in which places lie, with the number of their texts.
    async fn bases(&self, tx: &mut AnyConnection, places: &[(Nid, i64)]) -> Result<Bases> {
        let sql = "SELECT c.room_nid AS c1, c.base AS c2, c.docs AS c3 FROM TRIPLE_SET($1) w JOIN search_chunk c \
                   ON c.room_nid = w.a AND c.base = (SELECT max(x.base) FROM search_chunk x \
                   WHERE x.room_nid = w.a AND x.base <= w.b)";
        let places = triple_set(places.iter().map(|(room, ord)| (*room, *ord, 0)));
        let found = packed(tx, self.statements.packed(self.dialect, sql, 3), vec![places]).await?;
        found.iter().map(|row| Ok(((row.int(0)?, row.int(1)?), row.int(2)?))).collect()
    }

    async fn learn(&self, tx: &mut AnyConnection, docs: &[Doc]) -> Result<()> {
        if docs.is_empty() {
            return Ok(());
        }
        let places: Vec<_> = docs.iter().map(|doc| (doc.room, doc.ord)).collect();
        let mut bases = self.bases(tx, &places).await?;
        let mut fresh: BTreeMap<(Nid, i64), i64> = BTreeMap::new();
        let mut postings: HashMap<(Nid, i64, &str), String> = HashMap::new();
        for doc in docs {
            let last = bases.range((doc.room, i64::MIN)..=(doc.room, doc.ord)).next_back();
            let fits = |(base, docs): (i64, i64)| docs < DOCS && doc.ord - base < places::REACH;
            let base = last.map(|(key, docs)| (key.1, *docs)).filter(|last| fits(*last));
            let base = base.map_or(doc.ord, |(base, _)| base);
            *bases.entry((doc.room, base)).or_default() += 1;
            *fresh.entry((doc.room, base)).or_default() += 1;
            for (word, weight) in &doc.words {
                let list = postings.entry((doc.room, base, word.as_str())).or_default();
                places::add(list, doc.ord - base, *weight);
            }
        }
        let counted = "INSERT INTO search_chunk (room_nid, base, docs) SELECT a, b, c FROM TRIPLE_SET($1) w \
                       WHERE true ON CONFLICT (room_nid, base) DO UPDATE SET docs = search_chunk.docs + excluded.docs";
        let counts = triple_set(fresh.into_iter().map(|((room, base), docs)| (room, base, docs)));
        self.run(tx, counted, vec![counts]).await?;
        let added = "INSERT INTO search_posting (room_nid, base, word, places) \
                     SELECT room, base, word, places FROM POSTING_SET($1) w WHERE true \
                     ON CONFLICT (room_nid, base, word) DO UPDATE SET places = search_posting.places || excluded.places";
        // In the order of the table, which makes neighbours of what is written.
        let mut list: Vec<_> = postings.into_iter().collect();
        list.sort_unstable();
        self.run(tx, added, vec![posting_set(&list)]).await?;
        Ok(())
    }

    /// Takes texts out, and the edits that stood for them.
    async fn forget(&self, tx: &mut AnyConnection, gone: &[(Nid, i64)]) -> Result<()> {
        if gone.is_empty() {
            return Ok(());
        }
        let places = triple_set(gone.iter().map(|(room, ord)| (*room, *ord, 0)));
        let edits = "SELECT e.room_nid, e.ord FROM TRIPLE_SET($1) w JOIN search_edit e \
                     ON e.room_nid = w.a AND e.root = w.b";
        let mut all = gone.to_vec();
        for row in self.run(tx, edits, vec![places]).await? {
            all.push((row.int(0)?, row.int(1)?));
        }
        all.sort_unstable();
        all.dedup();
        let bases: Vec<(Nid, i64)> = self.bases(tx, &all).await?.into_keys().collect();
        let mut by_chunk: BTreeMap<(Nid, i64), Vec<i64>> = BTreeMap::new();
        for (room, ord) in all {
            let sql = "DELETE FROM search_edit WHERE room_nid = $1 AND (root = $2 OR ord = $2)";
            self.run(tx, sql, vec![room.into(), ord.into()]).await?;
            let base = bases.iter().filter(|base| base.0 == room && base.1 <= ord).max();
            if let Some(base) = base {
                by_chunk.entry(*base).or_default().push(ord - base.1);
            }
        }
        for (chunk, distances) in by_chunk {
            self.forget_in(tx, chunk, &distances).await?;
        }
        Ok(())
    }

    async fn forget_in(&self, tx: &mut AnyConnection, chunk: (Nid, i64), distances: &[i64]) -> Result<()> {
        let sql = "SELECT word AS c1, places AS c2 FROM search_posting WHERE room_nid = $1 AND base = $2 \
                   AND places LIKE $3";
        // The words of a text that is gone are not known: whatever names its place is looked at.
        let pattern = match distances {
            [one] => format!("%{}%", places::distance(*one)),
            _ => "%".to_owned(),
        };
        let values = vec![chunk.0.into(), chunk.1.into(), pattern.into()];
        let found = packed(tx, self.statements.packed(self.dialect, sql, 2), values).await?;
        let (mut empty, mut left) = (Vec::new(), Vec::new());
        for row in found {
            let (word, before) = (row.text(0)?, row.text(1)?);
            match places::without(&before, distances) {
                Some(after) if after.is_empty() => empty.push(word),
                Some(after) => left.push((word, after)),
                None => {}
            }
        }
        let sql = "DELETE FROM search_posting WHERE room_nid = $1 AND base = $2 AND word IN TEXT_SET($3)";
        self.run(tx, sql, vec![chunk.0.into(), chunk.1.into(), text_set(&empty)]).await?;
        let sql = "UPDATE search_posting SET places = w.places FROM POSTING_SET($1) w \
                   WHERE search_posting.room_nid = w.room AND search_posting.base = w.base \
                   AND search_posting.word = w.word";
        let left: Vec<_> =
            left.iter().map(|(word, places)| ((chunk.0, chunk.1, word.as_str()), places.clone())).collect();
        self.run(tx, sql, vec![posting_set(&left)]).await?;
        Ok(())
    }

    /// Empties the index, as a crash of PostgreSQL does with unlogged tables.
    #[cfg(test)]
    pub(crate) async fn lose(&self) {
        for table in super::TABLES {
            let sql = sqlx::AssertSqlSafe(format!("DELETE FROM {table}"));
            sqlx::query(sql).execute(self.pool().await.unwrap()).await.unwrap();
        }
    }
}

/// Postings as one JSON text, to be opened by `POSTING_SET`.
fn posting_set(list: &[((Nid, i64, &str), String)]) -> Value {
    let rows: Vec<_> = list.iter().map(|((room, base, word), places)| (room, base, word, places)).collect();
    // Numbers and texts always make JSON.
    serde_json::to_string(&rows).unwrap_or_default().into()
}
