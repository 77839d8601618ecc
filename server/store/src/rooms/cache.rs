//! Events that were read lately, shared by all who may see them.
//!
//! An event never changes, except that redaction takes its content away. So a remembered row is as
//! good as a read one if the archive, asked in the reader's own moment, has the same redaction (or
//! none) for it: one light statement for all of them. Transaction ids belong to one asker and are
//! never remembered.

use super::events::{self, Asker, EventRow};
use crate::db::Source;
use crate::value::id_set;
use kontor_model::{Nid, Result};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Memory for rows, bytes.
const MEMORY: u64 = 6 << 20;
/// What a row takes besides its content.
const ROW: usize = 700;

/// What is remembered of the archive.
#[derive(Default)]
pub struct Memory {
    /// Single events.
    pub events: EventCache,
    /// Whole rooms.
    pub faces: super::face::FaceCache,
    /// Whose words are kept from those who join later.
    pub erased: Arc<Erased>,
}

/// Closed accounts whose words are kept from those who join later, by user id, with the position from
/// which on somebody is later. Read at the start and now and then: there are few, and mostly none.
#[derive(Debug, Default)]
pub struct Erased(RwLock<HashMap<String, i64>>);

impl Erased {
    /// From which position on somebody is too late for this user's words.
    pub fn since(&self, user_id: &str) -> Option<i64> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(user_id).copied()
    }

    /// All of them.
    pub fn users(&self) -> Vec<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    pub(crate) fn set(&self, erased: HashMap<String, i64>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = erased;
    }
}

/// The rows.
pub struct EventCache(moka::sync::Cache<Nid, Arc<EventRow>>);

impl Default for EventCache {
    fn default() -> Self {
        let weigh = |_: &Nid, row: &Arc<EventRow>| {
            let replaced = row.replaces.as_ref().map_or(0, |replaced| replaced.content.get().len());
            u32::try_from(ROW + row.content.get().len() + replaced).unwrap_or(u32::MAX)
        };
        Self(moka::sync::Cache::builder().max_capacity(MEMORY).weigher(weigh).build())
    }
}

/// Events by numeric id, in no order: remembered ones that still hold, the others from the archive.
///
/// # Errors
/// See [`Source::all`].
pub async fn events<S: Source>(source: &mut S, asker: Asker<'_>, nids: &[Nid]) -> Result<Vec<Arc<EventRow>>> {
    let mut rows: HashMap<Nid, Arc<EventRow>> = HashMap::with_capacity(nids.len());
    for nid in nids {
        if let Some(row) = source.remembered().events.0.get(nid) {
            rows.insert(*nid, row);
        }
    }
    if !rows.is_empty() {
        still_holding(source, &mut rows).await?;
        own_transactions(source, asker, rows.values_mut()).await?;
    }
    let missing: Vec<Nid> = nids.iter().filter(|nid| !rows.contains_key(nid)).copied().collect();
    for row in events::read_by_nids(source, asker, &missing).await? {
        let row = Arc::new(row);
        let plain = match row.txn_id {
            None => Arc::clone(&row),
            Some(_) => Arc::new(EventRow { txn_id: None, ..(*row).clone() }),
        };
        source.remembered().events.0.insert(row.event, plain);
        rows.insert(row.event, row);
    }
    Ok(rows.into_values().collect())
}

/// Drops remembered rows whose event, or the one that it replaced, was redacted since.
async fn still_holding<S: Source>(source: &mut S, rows: &mut HashMap<Nid, Arc<EventRow>>) -> Result<()> {
    let sql = "SELECT e.event_nid AS c1, e.redacted_by_nid AS c2, r.redacted_by_nid AS c3 FROM ID_SET($1) w \
               JOIN event e ON e.event_nid = w.id LEFT JOIN event r ON r.event_nid = e.replaces_nid \
               WHERE e.redacted_by_nid IS NOT NULL OR r.redacted_by_nid IS NOT NULL";
    for row in source.packed(sql, 3, vec![id_set(rows.keys().copied())]).await? {
        let (event, redacted, replaced) = (row.int(0)?, row.int_opt(1)?, row.int_opt(2)?);
        let same = |row: &Arc<EventRow>| {
            row.redacted_by == redacted && row.replaces.as_ref().and_then(|r| r.redacted_by) == replaced
        };
        if !rows.get(&event).is_some_and(same) {
            rows.remove(&event);
        }
    }
    Ok(())
}

/// Gives the asker's own messages their transaction ids again.
///
/// # Errors
/// See [`Source::all`].
pub async fn own_transactions<S: Source>(
    source: &mut S,
    asker: Asker<'_>,
    rows: impl Iterator<Item = &mut Arc<EventRow>>,
) -> Result<()> {
    // State is set without transaction ids.
    let own = rows.filter(|row| row.sender_nid == asker.user && row.state_key.is_none());
    let mut own: HashMap<Nid, &mut Arc<EventRow>> = own.map(|row| (row.event, row)).collect();
    if own.is_empty() {
        return Ok(());
    }
    // By event, whatever a database that counted nothing yet thinks of it: a bot's device has sent
    // hundreds of thousands.
    let sql = "SELECT t.event_nid AS c1, t.txn_id AS c2 FROM ID_SET($1) w JOIN sent_txn t \
               ON t.event_nid = w.id WHERE t.user_nid + 0 = $2 AND t.scope || '' = $3";
    let values = vec![id_set(own.keys().copied()), asker.user.into(), asker.device.into()];
    for found in source.packed(sql, 2, values).await? {
        if let Some(row) = own.get_mut(&found.int(0)?) {
            **row = Arc::new(EventRow { txn_id: Some(found.text(1)?), ..(***row).clone() });
        }
    }
    Ok(())
}
