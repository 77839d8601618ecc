//! Asking the index.

use super::{Chunk, Search, places};
use crate::value::{Row, id_set, text_set, triple_set};
use kontor_model::{Nid, Result};

/// A word at a place of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Which of the chunks that were asked for.
    pub chunk: usize,
    /// The place.
    pub ord: i64,
    /// How much the word says of the text there; at most [`super::MAX_WEIGHT`].
    pub weight: u8,
    /// Whether it is the very word that was asked for, not one that begins with it.
    pub exact: bool,
}

/// Which words are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The word, or how it begins.
    pub word: String,
    /// Whether longer words are meant too.
    pub prefix: bool,
}

/// A text that stands for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The room.
    pub room: Nid,
    /// Place of the text that was edited.
    pub root: i64,
    /// Place of the edit.
    pub ord: i64,
}

/// Above all letters.
const LAST: char = '\u{10ffff}';

fn triples(chunks: &[Chunk]) -> crate::Value {
    triple_set((0..).zip(chunks).map(|(index, chunk)| (chunk.room, chunk.base, index)))
}

fn read(row: &Row, chunks: &[Chunk], word: Option<&str>, into: &mut Vec<Posting>) -> Result<()> {
    let index = usize::try_from(row.int(0)?).unwrap_or_default();
    let Some(chunk) = chunks.get(index) else { return Ok(()) };
    let exact = match word {
        Some(word) => row.text(1)? == word,
        None => true,
    };
    let places = row.text(2)?;
    into.extend(places::read(&places).map(|(distance, weight)| Posting {
        chunk: index,
        ord: chunk.base + distance,
        weight,
        exact,
    }));
    Ok(())
}

impl Search {
    /// The chunks of rooms that begin up to a place, those with the newest places first; each with how
    /// many texts were ever indexed in it.
    ///
    /// # Errors
    /// `Unavailable` when the index cannot be read.
    pub async fn chunks(&self, rooms: &[Nid], until: i64) -> Result<Vec<(Chunk, usize)>> {
        let sql = "SELECT room_nid AS c1, base AS c2, docs AS c3 FROM search_chunk \
                   WHERE room_nid IN ID_SET($1) AND base <= $2";
        let rows = self.packed(sql, 3, vec![id_set(rooms.iter().copied()), until.into()]).await?;
        let read = |row: &Row| {
            let texts = usize::try_from(row.int(2)?).unwrap_or_default();
            Ok((Chunk { room: row.int(0)?, base: row.int(1)? }, texts))
        };
        let mut chunks: Vec<(Chunk, usize)> = rows.iter().map(read).collect::<Result<_>>()?;
        chunks.sort_unstable_by(|a, b| b.cmp(a));
        Ok(chunks)
    }

    /// Where a word stands in some chunks; in no order, and more than once at a place where several
    /// words begin with it. Also how many rows that took: each costs about as much as ten places.
    ///
    /// # Errors
    /// As [`Search::chunks`].
    pub async fn postings(&self, chunks: &[Chunk], term: &Term) -> Result<(Vec<Posting>, usize)> {
        let sql = "SELECT w.c AS c1, p.word AS c2, p.places AS c3 FROM TRIPLE_SET($1) w JOIN search_posting p \
                   ON p.room_nid = w.a AND p.base = w.b AND p.word >= $2 AND p.word <= $3";
        let mut last = term.word.clone();
        if term.prefix {
            last.push(LAST);
        }
        let values = vec![triples(chunks), term.word.as_str().into(), last.into()];
        let mut found = Vec::new();
        let rows = self.packed(sql, 3, values).await?;
        for row in &rows {
            read(row, chunks, Some(&term.word), &mut found)?;
        }
        Ok((found, rows.len()))
    }

    /// Where any of some marks stands in some chunks.
    ///
    /// # Errors
    /// As [`Search::chunks`].
    pub async fn marked(&self, chunks: &[Chunk], marks: &[String]) -> Result<Vec<Posting>> {
        let sql = "SELECT w.c AS c1, p.word AS c2, p.places AS c3 FROM TRIPLE_SET($1) w CROSS JOIN TEXT_SET($2) t \
                   JOIN search_posting p ON p.room_nid = w.a AND p.base = w.b AND p.word = t.text";
        let mut found = Vec::new();
        for row in self.packed(sql, 3, vec![triples(chunks), text_set(marks)]).await? {
            read(&row, chunks, None, &mut found)?;
        }
        Ok(found)
    }

    /// All edits in some rooms.
    ///
    /// # Errors
    /// As [`Search::chunks`].
    pub async fn edits(&self, rooms: &[Nid]) -> Result<Vec<Edit>> {
        let sql =
            "SELECT room_nid AS c1, root AS c2, ord AS c3 FROM search_edit WHERE room_nid IN ID_SET($1)";
        let rows = self.packed(sql, 3, vec![id_set(rooms.iter().copied())]).await?;
        rows.iter().map(|row| Ok(Edit { room: row.int(0)?, root: row.int(1)?, ord: row.int(2)? })).collect()
    }
}
