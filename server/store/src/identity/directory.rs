//! People whom others may look for: the user directory.

use crate::db::Source;
use crate::value::{Row, id_set};
use kontor_model::{Nid, Result};

/// An account that can be found.
#[derive(Clone, Debug)]
pub struct DirectoryRow {
    /// Numeric id.
    pub user: Nid,
    /// Matrix id.
    pub user_id: String,
    /// Display name, JSON.
    pub displayname: Option<String>,
    /// Avatar, JSON.
    pub avatar_url: Option<String>,
}

macro_rules! people {
    ($which:literal) => {
        concat!(
            "SELECT a.user_nid AS c1, n.text AS c2, d.value AS c3, v.value AS c4 FROM ",
            $which,
            " JOIN name n ON n.nid = a.user_nid \
             LEFT JOIN profile d ON d.user_nid = a.user_nid AND d.key = 'displayname' \
             LEFT JOIN profile v ON v.user_nid = a.user_nid AND v.key = 'avatar_url' \
             WHERE a.state IN ('active', 'suspended') AND a.guest = 0"
        )
    };
}

fn read(row: &Row) -> Result<DirectoryRow> {
    let (displayname, avatar_url) = (row.text_opt(2)?, row.text_opt(3)?);
    Ok(DirectoryRow { user: row.int(0)?, user_id: row.text(1)?, displayname, avatar_url })
}

/// All accounts that can be found: neither closed nor locked, and no guests.
///
/// # Errors
/// See [`Source::all`].
pub async fn all<S: Source>(source: &mut S) -> Result<Vec<DirectoryRow>> {
    source.packed(people!("account a"), 4, Vec::new()).await?.iter().map(read).collect()
}

/// Those of some accounts that can be found.
///
/// # Errors
/// See [`Source::all`].
pub async fn of<S: Source>(source: &mut S, users: &[Nid]) -> Result<Vec<DirectoryRow>> {
    let sql = people!("ID_SET($1) w JOIN account a ON a.user_nid = w.id");
    source.packed(sql, 4, vec![id_set(users.iter().copied())]).await?.iter().map(read).collect()
}

/// Those of some users whom another one knows of by their rooms: they share one, or they are in one
/// that anybody may join or read.
///
/// # Errors
/// See [`Source::all`].
pub async fn known_by<S: Source>(source: &mut S, user: Nid, users: &[Nid]) -> Result<Vec<Nid>> {
    // Skeletons keep both fields, and are written without spaces.
    let sql = "SELECT w.id AS c1 FROM ID_SET($1) w WHERE w.id = $2 OR EXISTS (SELECT 1 FROM membership m \
               WHERE m.user_nid = w.id AND m.membership = 'join' AND (\
               EXISTS (SELECT 1 FROM membership o WHERE o.room_nid = m.room_nid AND o.user_nid = $2 \
               AND o.membership = 'join') \
               OR EXISTS (SELECT 1 FROM room_state s JOIN event e ON e.event_nid = s.event_nid \
               WHERE s.room_nid = m.room_nid AND s.type = 'm.room.join_rules' \
               AND e.skeleton LIKE '%\"join_rule\":\"public\"%') \
               OR EXISTS (SELECT 1 FROM room_state s JOIN event e ON e.event_nid = s.event_nid \
               WHERE s.room_nid = m.room_nid AND s.type = 'm.room.history_visibility' \
               AND e.skeleton LIKE '%\"history_visibility\":\"world_readable\"%')))";
    let values = vec![id_set(users.iter().copied()), user.into()];
    source.packed(sql, 1, values).await?.iter().map(|row| row.int(0)).collect()
}
