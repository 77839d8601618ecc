//! Pushers: where devices want to be told of events.

use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, Value, id_set, text_set};
use crate::{Change, Stream};
use kontor_model::{Ms, Nid, Pos, Result};

/// A pusher of a device that has a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PusherRow {
    /// Whose.
    pub user: Nid,
    /// Matrix id of the user.
    pub user_id: String,
    /// The application.
    pub app_id: String,
    /// What the gateway knows the device by.
    pub pushkey: String,
    /// The device that set it.
    pub device_id: String,
    /// Name of the application for people.
    pub app_display_name: String,
    /// Name of the device for people.
    pub device_display_name: String,
    /// The client's own word for a set of rules.
    pub profile_tag: Option<String>,
    /// Language for notifications.
    pub lang: String,
    /// The gateway.
    pub url: String,
    /// What the gateway is handed on, a JSON object.
    pub data: String,
    /// When it was set.
    pub set_ts: Ms,
    /// Events after this position are still owed; `None` while the gateway takes what it is sent.
    pub owed: Option<Pos>,
}

/// The columns of [`PusherRow`], of accounts that are in use.
macro_rules! pushers {
    ($condition:literal) => {
        concat!(
            "SELECT p.user_nid AS c1, n.text AS c2, p.app_id AS c3, p.pushkey AS c4, p.device_id AS c5, \
             p.app_display_name AS c6, p.device_display_name AS c7, p.profile_tag AS c8, p.lang AS c9, \
             p.url AS c10, p.data AS c11, p.set_ts AS c12, p.owed_pos AS c13 FROM pusher p \
             JOIN session s ON s.user_nid = p.user_nid AND s.device_id = p.device_id AND s.ended_ts IS NULL \
             JOIN account a ON a.user_nid = p.user_nid AND a.state IN ('active', 'suspended') \
             JOIN name n ON n.nid = p.user_nid WHERE ",
            $condition
        )
    };
}

const COLUMNS: usize = 13;

fn read(row: &Row) -> Result<PusherRow> {
    Ok(PusherRow {
        user: row.int(0)?,
        user_id: row.text(1)?,
        app_id: row.text(2)?,
        pushkey: row.text(3)?,
        device_id: row.text(4)?,
        app_display_name: row.text(5)?,
        device_display_name: row.text(6)?,
        profile_tag: row.text_opt(7)?,
        lang: row.text(8)?,
        url: row.text(9)?,
        data: row.text(10)?,
        set_ts: row.int(11)?,
        owed: row.int_opt(12)?.map(Pos),
    })
}

/// The pushers of some users.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_users<S: Source>(source: &mut S, users: &[Nid]) -> Result<Vec<PusherRow>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let sql = pushers!("p.user_nid IN ID_SET($1)");
    source.packed(sql, COLUMNS, vec![id_set(users.iter().copied())]).await?.iter().map(read).collect()
}

/// Users who have pushers, in the order of their numeric ids, after one of them.
///
/// # Errors
/// See [`Source::all`].
pub async fn users_after<S: Source>(source: &mut S, after: Nid, limit: i64) -> Result<Vec<Nid>> {
    let sql = "SELECT DISTINCT user_nid FROM pusher WHERE user_nid > $1 ORDER BY user_nid LIMIT $2";
    source.all(sql, vec![after.into(), limit.into()]).await?.iter().map(|row| row.int(0)).collect()
}

/// How many pushers a user has besides the one of that application and key, of ended sessions too.
///
/// # Errors
/// See [`Source::all`].
pub async fn others_of<S: Source>(source: &mut S, user: Nid, app_id: &str, pushkey: &str) -> Result<i64> {
    let sql = "SELECT count(*) FROM pusher WHERE user_nid = $1 AND NOT (app_id = $2 AND pushkey = $3)";
    let row = source.first(sql, vec![user.into(), app_id.into(), pushkey.into()]).await?;
    row.map_or(Ok(0), |row| row.int(0))
}

/// Users with a pusher of that application and key.
///
/// # Errors
/// See [`Source::all`].
pub async fn holders<S: Source>(source: &mut S, app_id: &str, pushkey: &str) -> Result<Vec<Nid>> {
    let sql = "SELECT user_nid FROM pusher WHERE app_id = $1 AND pushkey = $2";
    source.all(sql, vec![app_id.into(), pushkey.into()]).await?.iter().map(|row| row.int(0)).collect()
}

impl Change {
    /// Sets a pusher; nothing is owed to it.
    pub fn set_pusher(&mut self, row: &PusherRow) {
        let text = |text: &String| Value::from(text.as_str());
        self.insert(
            Table::Pusher,
            vec![
                row.user.into(),
                text(&row.app_id),
                text(&row.pushkey),
                text(&row.device_id),
                text(&row.app_display_name),
                text(&row.device_display_name),
                row.profile_tag.as_deref().into(),
                text(&row.lang),
                text(&row.url),
                text(&row.data),
                row.set_ts.into(),
                Value::Int(None),
            ],
        );
        self.position(Stream::Pushers, None, Some(row.user));
    }

    /// Removes a pusher.
    pub fn remove_pusher(&mut self, user: Nid, app_id: &str, pushkey: &str) {
        let sql = "DELETE FROM pusher WHERE user_nid = $1 AND app_id = $2 AND pushkey = $3";
        self.run(sql, vec![user.into(), app_id.into(), pushkey.into()]);
        self.position(Stream::Pushers, None, Some(user));
    }

    /// Removes the pushers of devices that go.
    pub(crate) fn remove_pushers_of(&mut self, user: Nid, device_ids: &[String]) {
        let sql = "DELETE FROM pusher WHERE user_nid = $1 AND device_id IN TEXT_SET($2)";
        self.run(sql, vec![user.into(), text_set(device_ids)]);
    }

    /// Removes the pushers of all devices but one.
    pub(crate) fn remove_pushers_but(&mut self, user: Nid, except: &str) {
        let sql = "DELETE FROM pusher WHERE user_nid = $1 AND device_id <> $2";
        self.run(sql, vec![user.into(), except.into()]);
    }

    /// Notes from which position on events are owed to a pusher, or that none are.
    pub fn owe_pusher(&mut self, user: Nid, app_id: &str, pushkey: &str, after: Option<Pos>) {
        let sql = "UPDATE pusher SET owed_pos = $4 WHERE user_nid = $1 AND app_id = $2 AND pushkey = $3";
        let after = after.map(|pos| pos.0);
        self.run(sql, vec![user.into(), app_id.into(), pushkey.into(), after.into()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::sessions::NewSession;
    use crate::testing::{TestStore, stores};

    fn pusher(user: Nid, device: &str, pushkey: &str) -> PusherRow {
        PusherRow {
            user,
            user_id: String::new(),
            app_id: "app".into(),
            pushkey: pushkey.into(),
            device_id: device.into(),
            app_display_name: "App".into(),
            device_display_name: "Phone".into(),
            profile_tag: None,
            lang: "en".into(),
            url: "https://gateway.example/_matrix/push/v1/notify".into(),
            data: "{}".into(),
            set_ts: 5,
            owed: None,
        }
    }

    async fn user(store: &TestStore, name: &str, devices: &[&str]) -> Nid {
        let user = store.name(name).await.unwrap();
        let mut change = Change::default();
        change.insert(
            Table::Account,
            vec![
                user.into(),
                "active".into(),
                0.into(),
                false.into(),
                false.into(),
                None::<String>.into(),
                0.into(),
                None::<String>.into(),
            ],
        );
        for device in devices {
            let session = store.nid().await.unwrap();
            let device_id = (*device).to_owned();
            let new = NewSession { session, user, device_id, display_name: None, kind: "password", ts: 0 };
            change.open_session(new, false);
        }
        store.submit(change).await.unwrap();
        user
    }

    async fn keys(store: &TestStore, user: Nid) -> Vec<String> {
        let rows = of_users(&mut store.reader(), &[user]).await.unwrap();
        let mut keys: Vec<_> = rows.into_iter().map(|row| row.pushkey).collect();
        keys.sort();
        keys
    }

    #[tokio::test]
    async fn pushers_count_while_their_device_has_a_session_and_go_with_it() {
        for store in stores().await {
            let anna = user(&store, "@anna:x", &["A", "B", "C"]).await;
            let bert = user(&store, "@bert:x", &["A"]).await;
            let mut change = Change::default();
            for (device, key) in [("A", "a"), ("B", "b"), ("C", "c")] {
                change.set_pusher(&pusher(anna, device, key));
            }
            change.set_pusher(&pusher(bert, "A", "a"));
            change.owe_pusher(anna, "app", "a", Some(Pos(7)));
            store.submit(change).await.unwrap();
            assert_eq!(keys(&store, anna).await, ["a", "b", "c"]);
            let rows = of_users(&mut store.reader(), &[anna]).await.unwrap();
            assert_eq!(rows.iter().find(|row| row.pushkey == "a").unwrap().user_id, "@anna:x");
            assert_eq!(users_after(&mut store.reader(), 0, 10).await.unwrap(), [anna, bert]);
            assert_eq!(holders(&mut store.reader(), "app", "a").await.unwrap().len(), 2);
            assert_eq!(others_of(&mut store.reader(), anna, "app", "a").await.unwrap(), 2);
            let mut change = Change::default();
            change.end_session_of_device(anna, "C", 1, "replaced");
            change.remove_devices(anna, &["B".into()], 1, "logout");
            store.submit(change).await.unwrap();
            assert_eq!(keys(&store, anna).await, ["a"]);
            let mut change = Change::default();
            change.end_sessions(anna, None, 1, "logout_all");
            change.remove_all_devices(anna, None);
            store.submit(change).await.unwrap();
            assert_eq!(users_after(&mut store.reader(), 0, 10).await.unwrap(), [bert]);
            store.close().await;
        }
    }
}
