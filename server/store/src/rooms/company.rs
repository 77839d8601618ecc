//! Whom somebody shares rooms with.

use crate::db::Source;
use crate::value::id_set;
use kontor_model::{Nid, Result};

/// Of some users: those who have joined a room that the asker has joined.
///
/// # Errors
/// See [`Source::all`].
pub async fn shared_with<S: Source>(source: &mut S, user: Nid, others: &[Nid]) -> Result<Vec<Nid>> {
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT DISTINCT o.user_nid FROM membership o JOIN membership m ON m.room_nid = o.room_nid \
               AND m.user_nid = $1 AND m.membership = 'join' \
               WHERE o.user_nid IN ID_SET($2) AND o.membership = 'join'";
    let values = vec![user.into(), id_set(others.iter().copied())];
    source.all(sql, values).await?.iter().map(|row| row.int(0)).collect()
}
