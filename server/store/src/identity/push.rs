//! What push rules make of rooms, and what the rules of single users need to be evaluated.

use crate::db::Source;
use crate::table::Table;
use crate::value::{Value, id_set, text_set};
use crate::{Change, Stream};
use kontor_model::{Nid, Result};

/// A local member of a room whose rules are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub user: Nid,
    /// Matrix id.
    pub user_id: String,
}

/// Joined members of a room whose own rules decide event by event (mode 3).
///
/// # Errors
/// See [`Source::all`].
pub async fn members_with_own_rules<S: Source>(
    source: &mut S,
    room: Nid,
    room_id: &str,
) -> Result<Vec<Member>> {
    let sql = "SELECT p.user_nid, n.text FROM push_mode p \
               JOIN membership m ON m.room_nid = $1 AND m.user_nid = p.user_nid AND m.membership = 'join' \
               JOIN name n ON n.nid = p.user_nid \
               WHERE p.mode = 3 AND p.room_id IN ('', $2) AND (p.room_id <> '' OR NOT EXISTS \
               (SELECT 1 FROM push_mode o WHERE o.user_nid = p.user_nid AND o.room_id = $2))";
    members(source, sql, vec![room.into(), room_id.into()]).await
}

/// Those of some users who are joined members of a room.
///
/// # Errors
/// See [`Source::all`].
pub async fn members_among<S: Source>(source: &mut S, room: Nid, user_ids: &[&str]) -> Result<Vec<Member>> {
    let sql = "SELECT n.nid, n.text FROM name n JOIN membership m \
               ON m.room_nid = $1 AND m.user_nid = n.nid AND m.membership = 'join' \
               WHERE n.text IN TEXT_SET($2)";
    members(source, sql, vec![room.into(), text_set(user_ids)]).await
}

async fn members<S: Source>(source: &mut S, sql: &'static str, values: Vec<Value>) -> Result<Vec<Member>> {
    let rows = source.all(sql, values).await?;
    rows.iter().map(|row| Ok(Member { user: row.int(0)?, user_id: row.text(1)? })).collect()
}

/// What a user's rules are evaluated with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The user.
    pub user: Nid,
    /// Stored push rules, JSON; `None` for users who never changed any.
    pub rules: Option<String>,
    /// Display name of the profile, JSON.
    pub display_name: Option<String>,
}

/// Rules and display names of some users, in one statement.
///
/// # Errors
/// See [`Source::all`].
pub async fn settings<S: Source>(source: &mut S, users: &[Nid]) -> Result<Vec<Settings>> {
    let sql = "SELECT w.id, a.content, p.value FROM ID_SET($1) w \
               LEFT JOIN account_data a ON a.user_nid = w.id AND a.room_nid = 0 AND a.type = 'm.push_rules' \
               LEFT JOIN profile p ON p.user_nid = w.id AND p.key = 'displayname'";
    let rows = source.all(sql, vec![id_set(users.iter().copied())]).await?;
    let read = |row: &crate::Row| {
        Ok(Settings { user: row.int(0)?, rules: row.text_opt(1)?, display_name: row.text_opt(2)? })
    };
    rows.iter().map(read).collect()
}

/// What a user's rules make of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mode {
    /// The room's Matrix id; empty = every room without a mode of its own.
    pub room_id: String,
    /// 0 all as usual, 1 mentions only, 2 nothing, 3 own rules decide event by event.
    pub mode: i64,
    /// Of mode 3: up to this position `before` holds; `None` = up to the change that writes it.
    pub since: Option<i64>,
    /// Of mode 3: the mode of older events.
    pub before: i64,
}

/// What a user's rules make of rooms, as it is stored.
///
/// # Errors
/// See [`Source::all`].
pub async fn modes<S: Source>(source: &mut S, user: Nid) -> Result<Vec<Mode>> {
    let sql = "SELECT room_id, mode, since, before FROM push_mode WHERE user_nid = $1";
    let rows = source.all(sql, vec![user.into()]).await?;
    let read = |row: &crate::Row| {
        let since = Some(row.int(2)?);
        Ok(Mode { room_id: row.text(0)?, mode: row.int(1)?, since, before: row.int(3)? })
    };
    rows.iter().map(read).collect()
}

impl Change {
    /// Replaces what a user's rules make of rooms. Processes that remember members with own rules
    /// hear of it.
    pub fn replace_push_modes(&mut self, user: Nid, modes: &[Mode]) {
        let pos = self.position(Stream::PushRules, None, Some(user));
        self.run("DELETE FROM push_mode WHERE user_nid = $1", vec![user.into()]);
        for mode in modes {
            let since = mode.since.map_or_else(|| pos.clone(), Value::from);
            let room_id = mode.room_id.as_str().into();
            self.insert(
                Table::PushMode,
                vec![user.into(), room_id, mode.mode.into(), since, mode.before.into()],
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::events::NewMembership;
    use crate::testing::stores;

    fn own(room_id: &str, mode: i64) -> Mode {
        Mode { room_id: room_id.into(), mode, since: None, before: 0 }
    }

    #[tokio::test]
    async fn own_rules_count_where_no_row_of_the_room_says_otherwise() {
        for store in stores().await {
            let mut users = Vec::new();
            for name in ["@a:x", "@b:x", "@c:x", "@d:x", "@gone:x"] {
                users.push(store.name(name).await.unwrap());
            }
            let mut change = Change::default();
            for (index, user) in users.iter().enumerate() {
                let pos = change.position(Stream::Event, Some(7), Some(*user));
                let membership = if index == 4 { "leave" } else { "join" };
                let row = NewMembership { room: 7, user: *user, membership, event: 1, pos, sender: 1 };
                change.set_membership(row);
            }
            change.replace_push_modes(users[0], &[own("", 3)]);
            change.replace_push_modes(users[1], &[own("", 3), own("!r:x", 2)]);
            change.replace_push_modes(users[2], &[own("!r:x", 3)]);
            change.replace_push_modes(users[3], &[own("!other:x", 3)]);
            change.replace_push_modes(users[4], &[own("", 3)]);
            store.submit(change).await.unwrap();
            let mut reader = store.reader();
            let own = members_with_own_rules(&mut reader, 7, "!r:x").await.unwrap();
            let mut names: Vec<_> = own.iter().map(|m| m.user_id.as_str()).collect();
            names.sort_unstable();
            assert_eq!(names, ["@a:x", "@c:x"]);
            let mut change = Change::default();
            change.replace_push_modes(users[0], &[]);
            store.submit(change).await.unwrap();
            assert_eq!(members_with_own_rules(&mut reader, 7, "!r:x").await.unwrap().len(), 1);
            let among = members_among(&mut reader, 7, &["@d:x", "@gone:x", "@nobody:x"]).await.unwrap();
            assert_eq!(among, [Member { user: users[3], user_id: "@d:x".into() }]);
            assert_eq!(settings(&mut reader, &users).await.unwrap().len(), 5);
            store.close().await;
        }
    }
}
