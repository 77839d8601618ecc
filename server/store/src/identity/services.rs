//! Application services that were set up while the server ran, and what devices of their users are
//! told.

use crate::change::NOBODY;
use crate::db::Source;
use crate::follower::service_follower;
use crate::table::Table;
use crate::value::{Row, id_set, triple_set};
use crate::{Change, Stream};
use kontor_model::{Ms, Nid, Result};

/// A registered application service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRow {
    /// Its name.
    pub id: String,
    /// SHA-256 of the token with which it proves itself.
    pub token_hash: Vec<u8>,
    /// With which the server proves itself to it.
    pub hs_token: String,
    /// Everything else, JSON.
    pub definition: String,
    /// When it was set up.
    pub created_ts: Ms,
}

/// All of them, by name.
///
/// # Errors
/// See [`Source::all`].
pub async fn all<S: Source>(source: &mut S) -> Result<Vec<ServiceRow>> {
    let sql = "SELECT service_id, token_hash, hs_token, definition, created_ts \
               FROM application_service ORDER BY service_id";
    let read = |row: &Row| {
        Ok(ServiceRow {
            id: row.text(0)?,
            token_hash: row.blob(1)?,
            hs_token: row.text(2)?,
            definition: row.text(3)?,
            created_ts: row.int(4)?,
        })
    };
    source.all(sql, Vec::new()).await?.iter().map(read).collect()
}

/// A message to a device, as an application service is told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedMessage {
    /// Whose device.
    pub user_id: String,
    /// Which device.
    pub device_id: String,
    /// Who sent it.
    pub sender: String,
    /// Its type.
    pub kind: String,
    /// Its content, a JSON object.
    pub content: String,
    /// Where it stands in the order.
    pub pos: i64,
}

/// Messages to devices that were written at places, given as (user, position), oldest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn messages<S: Source>(source: &mut S, places: &[(Nid, i64)]) -> Result<Vec<ServedMessage>> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT u.text AS c1, t.device_id AS c2, s.text AS c3, t.type AS c4, t.content AS c5, t.pos AS c6 \
               FROM TRIPLE_SET($1) w JOIN to_device t ON t.user_nid = w.a AND t.pos = w.b \
               JOIN name u ON u.nid = t.user_nid JOIN name s ON s.nid = t.sender_nid";
    let read = |row: &Row| {
        Ok(ServedMessage {
            user_id: row.text(0)?,
            device_id: row.text(1)?,
            sender: row.text(2)?,
            kind: row.text(3)?,
            content: row.text(4)?,
            pos: row.int(5)?,
        })
    };
    let set = triple_set(places.iter().map(|(user, pos)| (*user, *pos, 0)));
    let rows = source.packed(sql, 6, vec![set]).await?;
    let mut messages: Vec<ServedMessage> = rows.iter().map(read).collect::<Result<_>>()?;
    messages.sort_unstable_by_key(|message| message.pos);
    Ok(messages)
}

/// How the keys of a device stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCount {
    /// Whose device.
    pub user_id: String,
    /// Which device.
    pub device_id: String,
    /// The algorithm; `None` when the device has no unused fallback key.
    pub algorithm: Option<String>,
    /// Waiting one-time keys; `None` in a row about fallback keys.
    pub one_time: Option<i64>,
}

/// How the keys of all devices of some users stand.
///
/// # Errors
/// See [`Source::all`].
pub async fn key_counts<S: Source>(source: &mut S, users: &[Nid]) -> Result<Vec<KeyCount>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT n.text AS c1, d.device_id AS c2, coalesce(k.algorithm, 'signed_curve25519') AS c3, \
               CAST(sum(CASE WHEN k.key_id IS NOT NULL AND k.claim_nid IS NULL THEN 1 ELSE 0 END) AS BIGINT) AS c4 \
               FROM ID_SET($1) w JOIN name n ON n.nid = w.id JOIN device_keys d ON d.user_nid = w.id \
               LEFT JOIN one_time_key k ON k.user_nid = d.user_nid AND k.device_id = d.device_id \
               GROUP BY n.text, d.device_id, k.algorithm \
               UNION ALL SELECT n.text, d.device_id, f.algorithm, CAST(NULL AS BIGINT) FROM ID_SET($1) w \
               JOIN name n ON n.nid = w.id JOIN device_keys d ON d.user_nid = w.id \
               LEFT JOIN fallback_key f ON f.user_nid = d.user_nid AND f.device_id = d.device_id AND f.used = 0";
    let read = |row: &Row| {
        Ok(KeyCount {
            user_id: row.text(0)?,
            device_id: row.text(1)?,
            algorithm: row.text_opt(2)?,
            one_time: row.int_opt(3)?,
        })
    };
    source.packed(sql, 4, vec![id_set(users.iter().copied())]).await?.iter().map(read).collect()
}

impl Change {
    /// Registers an application service; it is told of what happens from here on if it `listens`. A name or
    /// token that is taken refuses the change with `Conflict`.
    pub fn add_service(&mut self, row: &ServiceRow, creator: Option<Nid>, listens: bool) {
        let pos = self.position(Stream::Services, None, Some(NOBODY));
        self.insert(
            Table::ApplicationService,
            vec![
                row.id.as_str().into(),
                row.token_hash.as_slice().into(),
                row.hs_token.as_str().into(),
                row.definition.as_str().into(),
                row.created_ts.into(),
                creator.into(),
            ],
        );
        if listens {
            self.run(
                "INSERT INTO follower (name, pos) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET pos = excluded.pos",
                vec![service_follower(&row.id).into(), pos],
            );
        }
    }

    /// Forgets an application service and what is on its way to it; refused with `Conflict` when it is
    /// not there.
    pub fn remove_service(&mut self, id: &str) {
        self.guard("DELETE FROM application_service WHERE service_id = $1", vec![id.into()]);
        self.end_follower(&service_follower(id));
        self.run("DELETE FROM network_room WHERE service_id = $1", vec![id.into()]);
        self.position(Stream::Services, None, Some(NOBODY));
    }

    /// Shows a room in the directory of a service's network, or no longer.
    pub fn list_in_network(&mut self, service: &str, network: &str, room: Nid, shown: bool) {
        let values = vec![service.into(), network.into(), room.into()];
        if shown {
            return self.insert(Table::NetworkRoom, values);
        }
        let sql = "DELETE FROM network_room WHERE service_id = $1 AND network_id = $2 AND room_nid = $3";
        self.run(sql, values);
    }

    /// Forgets messages to devices that were handed over: those of a user at a position.
    pub fn handed_over(&mut self, user: Nid, pos: i64) {
        let sql = "DELETE FROM to_device WHERE user_nid = $1 AND pos = $2";
        self.run(sql, vec![user.into(), pos.into()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follower;
    use crate::testing::stores;

    fn service(id: &str, token: &[u8]) -> ServiceRow {
        ServiceRow {
            id: id.into(),
            token_hash: token.into(),
            hs_token: "h".into(),
            definition: "{}".into(),
            created_ts: 5,
        }
    }

    #[tokio::test]
    async fn a_service_is_followed_from_its_registration_to_its_removal() {
        for store in stores().await {
            let mut change = Change::default();
            change.position(Stream::Profile, None, Some(1));
            change.add_service(&service("irc", b"1"), None, true);
            let done = store.submit(change).await.unwrap();
            let mut reader = store.reader();
            assert_eq!(all(&mut reader).await.unwrap(), [service("irc", b"1")]);
            let name = service_follower("irc");
            assert_eq!(follower::position(&mut reader, &name).await.unwrap(), Some(done.last));
            for taken in [service("irc", b"2"), service("xmpp", b"1")] {
                let mut change = Change::default();
                change.add_service(&taken, None, true);
                assert!(store.submit(change).await.unwrap_err().is_conflict());
            }
            let mut change = Change::default();
            change.remove_service("irc");
            store.submit(change.clone()).await.unwrap();
            assert!(store.submit(change).await.unwrap_err().is_conflict());
            assert_eq!(follower::position(&mut reader, &name).await.unwrap(), None);
            store.close().await;
        }
    }

    #[tokio::test]
    async fn messages_are_found_by_their_place_and_go_when_they_were_handed_over() {
        for store in stores().await {
            let (from, to) = (store.name("@a:x").await.unwrap(), store.name("@g:x").await.unwrap());
            let mut change = Change::default();
            change.send_to_devices(from, "t", to, &[("D", "{}"), ("E", "{}")]);
            let done = store.submit(change).await.unwrap();
            let mut reader = store.reader();
            let found = messages(&mut reader, &[(to, done.last.0)]).await.unwrap();
            assert_eq!(found.len(), 2);
            assert_eq!((found[0].user_id.as_str(), found[0].sender.as_str()), ("@g:x", "@a:x"));
            assert!(key_counts(&mut reader, &[to]).await.unwrap().is_empty(), "no keys, no counts");
            let mut change = Change::default();
            change.handed_over(to, done.last.0);
            store.submit(change).await.unwrap();
            assert!(messages(&mut reader, &[(to, done.last.0)]).await.unwrap().is_empty());
            store.close().await;
        }
    }
}
