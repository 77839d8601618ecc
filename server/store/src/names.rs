//! Numeric ids: reserved in blocks, so that they are known before anything is written, and the
//! texts that they stand for.

use crate::db::unavailable;
use kontor_model::{Error, Nid, Result};
use sqlx::{AnyPool, Row};
use std::ops::Range;
use tokio::sync::Mutex;

/// Ids per reservation. What a process did not use when it ends is lost, which harms nobody.
const BLOCK: i64 = 1_000;

/// User ids and state keys remembered; about 150 bytes each.
const REMEMBERED: u64 = 50_000;

pub(crate) struct Names {
    pool: AnyPool,
    block: Mutex<Range<Nid>>,
    known: moka::sync::Cache<String, Nid>,
}

impl Names {
    pub fn new(pool: AnyPool) -> Self {
        Self { pool, block: Mutex::new(0..0), known: moka::sync::Cache::new(REMEMBERED) }
    }

    pub fn cached(&self, text: &str) -> Option<Nid> {
        self.known.get(text)
    }

    pub fn remember(&self, text: &str, nid: Nid) {
        self.known.insert(text.to_owned(), nid);
    }

    pub async fn reserve(&self) -> Result<Nid> {
        let mut block = self.block.lock().await;
        if let Some(nid) = block.next() {
            return Ok(nid);
        }
        let sql = "UPDATE nid_block SET next = next + $1 WHERE one = 1 RETURNING next";
        let row = sqlx::query(sql).bind(BLOCK).fetch_one(&self.pool).await.map_err(unavailable)?;
        let end: i64 = row.try_get(0).map_err(Error::internal)?;
        *block = end - BLOCK..end;
        block.next().ok_or_else(|| Error::internal("an empty block of ids"))
    }

    /// Makes the name, or finds the one that somebody else made meanwhile.
    pub async fn make(&self, text: &str) -> Result<Nid> {
        let nid = self.reserve().await?;
        let sql = "INSERT INTO name (nid, text) VALUES ($1, $2) \
                   ON CONFLICT (text) DO UPDATE SET text = excluded.text RETURNING nid";
        let row = sqlx::query(sql).bind(nid).bind(text).fetch_one(&self.pool).await.map_err(unavailable)?;
        let nid = row.try_get(0).map_err(Error::internal)?;
        self.remember(text, nid);
        Ok(nid)
    }
}
