//! Rooms that two users are both in.

use crate::db::Source;
use kontor_model::{Nid, Result};

/// Rooms that two users have both joined and whose numeric ids come after one: numeric and Matrix
/// ids, in order, at most `limit`.
///
/// # Errors
/// See [`Source::all`].
pub async fn page<S: Source>(
    source: &mut S,
    users: [Nid; 2],
    after: Nid,
    limit: i64,
) -> Result<Vec<(Nid, String)>> {
    let sql = "SELECT r.room_nid, r.room_id FROM membership a JOIN membership b ON b.room_nid = a.room_nid \
               AND b.user_nid = $2 AND b.membership = 'join' JOIN room r ON r.room_nid = a.room_nid \
               WHERE a.user_nid = $1 AND a.membership = 'join' AND a.room_nid > $3 ORDER BY a.room_nid LIMIT $4";
    let values = vec![users[0].into(), users[1].into(), after.into(), limit.into()];
    source.all(sql, values).await?.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect()
}

/// How many rooms two users have both joined.
///
/// # Errors
/// See [`Source::all`].
pub async fn count<S: Source>(source: &mut S, users: [Nid; 2]) -> Result<i64> {
    let sql = "SELECT count(*) FROM membership a JOIN membership b ON b.room_nid = a.room_nid \
               AND b.user_nid = $2 AND b.membership = 'join' \
               WHERE a.user_nid = $1 AND a.membership = 'join'";
    let row = source.first(sql, vec![users[0].into(), users[1].into()]).await?;
    row.map_or(Ok(0), |row| row.int(0))
}
