//! Filters that clients stored.

use crate::Change;
use crate::db::Source;
use crate::table::Table;
use kontor_model::{Nid, Result};

/// The definition of a user's filter, JSON.
///
/// # Errors
/// See [`Source::all`].
pub async fn definition<S: Source>(source: &mut S, user: Nid, filter_id: &str) -> Result<Option<String>> {
    let sql = "SELECT definition FROM sync_filter WHERE user_nid = $1 AND filter_id = $2";
    let row = source.first(sql, vec![user.into(), filter_id.into()]).await?;
    row.map(|row| row.text(0)).transpose()
}

/// How many filters a user stored.
///
/// # Errors
/// See [`Source::all`].
pub async fn count<S: Source>(source: &mut S, user: Nid) -> Result<i64> {
    let sql = "SELECT count(*) FROM sync_filter WHERE user_nid = $1";
    source.first(sql, vec![user.into()]).await?.map_or(Ok(0), |row| row.int(0))
}

impl Change {
    /// Stores a filter; storing the same one again changes nothing.
    pub fn add_filter(&mut self, user: Nid, filter_id: &str, definition: &str) {
        self.insert(Table::SyncFilter, vec![user.into(), filter_id.into(), definition.into()]);
    }
}
