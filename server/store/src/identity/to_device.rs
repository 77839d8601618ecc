//! Messages from device to device, and what a device is told of its own keys: read together, in one
//! statement.

use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, Value, device_set, id_set};
use crate::{Change, Stream};
use kontor_model::{Ms, Nid, Pos, Result};

/// A message that waits for a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Where it stands in the order.
    pub pos: i64,
    /// Who sent it, Matrix id.
    pub sender: String,
    /// Its type.
    pub kind: String,
    /// Its content, a JSON object.
    pub content: String,
}

/// What waits for a device, and how its keys stand.
#[derive(Clone, Debug, Default)]
pub struct DeviceNews {
    /// Messages after the place that was asked for, oldest first.
    pub messages: Vec<Waiting>,
    /// Whether there are messages up to that place.
    pub received: bool,
    /// Place of the newest message.
    pub newest: Option<i64>,
    /// Waiting one-time keys by algorithm.
    pub one_time_keys: Vec<(String, i64)>,
    /// Algorithms of fallback keys that were not given out.
    pub unused_fallback_keys: Vec<String>,
}

/// Up to `limit` messages for a device in `(since, until]` and the numbers of its keys, in one
/// statement.
///
/// # Errors
/// See [`Source::all`].
pub async fn news<S: Source>(
    source: &mut S,
    user: Nid,
    device_id: &str,
    (since, until): (Pos, Pos),
    limit: i64,
) -> Result<DeviceNews> {
    let sql = "SELECT * FROM (SELECT t.pos AS c1, n.text AS c2, t.type AS c3, t.content AS c4 FROM (SELECT * \
               FROM to_device WHERE user_nid = $1 AND device_id = $2 AND pos > $3 AND pos <= $4 \
               ORDER BY pos LIMIT $5) t JOIN name n ON n.nid = t.sender_nid) messages \
               UNION ALL SELECT count(*), '', 'one_time', algorithm FROM one_time_key \
               WHERE user_nid = $1 AND device_id = $2 AND claim_nid IS NULL GROUP BY algorithm \
               UNION ALL SELECT 0, '', 'fallback', algorithm FROM fallback_key \
               WHERE user_nid = $1 AND device_id = $2 AND used = 0 \
               UNION ALL SELECT coalesce(min(pos), 0), '', 'oldest', '' FROM to_device \
               WHERE user_nid = $1 AND device_id = $2 \
               UNION ALL SELECT coalesce(max(pos), 0), '', 'newest', '' FROM to_device \
               WHERE user_nid = $1 AND device_id = $2";
    let values = vec![user.into(), device_id.into(), since.0.into(), until.0.into(), limit.into()];
    let mut news = DeviceNews::default();
    for row in source.packed(sql, 4, values).await? {
        sort(&mut news, &row, since)?;
    }
    // A union promises no order.
    news.messages.sort_unstable_by_key(|message| message.pos);
    Ok(news)
}

fn sort(news: &mut DeviceNews, row: &Row, since: Pos) -> Result<()> {
    let (number, sender, kind, text) = (row.int(0)?, row.text(1)?, row.text(2)?, row.text(3)?);
    // Nobody has an empty user id: such rows are no messages.
    match (sender.is_empty(), kind.as_str()) {
        (true, "one_time") => news.one_time_keys.push((text, number)),
        (true, "fallback") => news.unused_fallback_keys.push(text),
        (true, "oldest") => news.received = number > 0 && number <= since.0,
        (true, _) => news.newest = Some(number).filter(|newest| *newest > 0),
        (false, _) => news.messages.push(Waiting { pos: number, sender, kind, content: text }),
    }
    Ok(())
}

/// A device that messages reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its owner.
    pub user: Nid,
    /// Its id.
    pub device_id: String,
    /// Messages that wait for it; counted up to the bound that was asked for.
    pub waiting: i64,
}

macro_rules! targets {
    ($from:literal) => {
        concat!(
            "SELECT d.user_nid, d.device_id, (SELECT count(*) FROM (SELECT 1 FROM to_device t \
             WHERE t.user_nid = d.user_nid AND t.device_id = d.device_id LIMIT $2) waiting) FROM ",
            $from,
            " JOIN account a ON a.user_nid = d.user_nid AND a.state IN ('active', 'suspended')"
        )
    };
}

/// The known devices among some, and all devices of some users; those of accounts that are locked or
/// closed are left out. `bound` is the highest number of waiting messages that matters.
///
/// # Errors
/// See [`Source::all`].
pub async fn targets<S: Source>(
    source: &mut S,
    devices: &[(Nid, &str)],
    whole: &[Nid],
    bound: i64,
) -> Result<Vec<Target>> {
    let named = targets!("DEVICE_SET($1) w JOIN device d ON d.user_nid = w.id AND d.device_id = w.text");
    let all = targets!("ID_SET($1) w JOIN device d ON d.user_nid = w.id");
    let mut found = Vec::new();
    if !devices.is_empty() {
        found.extend(source.all(named, vec![device_set(devices.iter().copied()), bound.into()]).await?);
    }
    if !whole.is_empty() {
        found.extend(source.all(all, vec![id_set(whole.iter().copied()), bound.into()]).await?);
    }
    let target = |row: &Row| Ok(Target { user: row.int(0)?, device_id: row.text(1)?, waiting: row.int(2)? });
    found.iter().map(target).collect()
}

impl Change {
    /// Refuses the change with `Conflict` when a device used the transaction id, given as the digest
    /// of the request's path, before.
    pub fn expect_new_to_device_txn(&mut self, user: Nid, device_id: &str, digest: &[u8], now: Ms) {
        let sql = "INSERT INTO to_device_txn (user_nid, device_id, digest, ts) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT DO NOTHING";
        self.guard(sql, vec![user.into(), device_id.into(), digest.into(), now.into()]);
    }

    /// Puts a message of one sender into the inboxes of one user's devices, each given with the
    /// content for it, a JSON object. A device appears once.
    pub fn send_to_devices(&mut self, sender: Nid, kind: &str, user: Nid, messages: &[(&str, &str)]) {
        let pos = self.position(Stream::ToDevice, None, Some(user));
        for (device_id, content) in messages {
            let mut row: Vec<Value> = vec![user.into(), (*device_id).into(), pos.clone()];
            row.extend([sender.into(), kind.into(), (*content).into()]);
            self.insert(Table::ToDevice, row);
        }
    }

    /// Makes room in a full inbox: of more than `kept` messages the oldest go.
    pub fn shorten_inbox(&mut self, user: Nid, device_id: &str, kept: i64) {
        let sql = "DELETE FROM to_device WHERE user_nid = $1 AND device_id = $2 AND pos <= (SELECT pos \
                   FROM to_device WHERE user_nid = $1 AND device_id = $2 ORDER BY pos DESC LIMIT 1 OFFSET $3)";
        self.run(sql, vec![user.into(), device_id.into(), kept.into()]);
    }

    /// Forgets the messages that a device has received: those up to a place.
    pub fn received_to_device(&mut self, user: Nid, device_id: &str, until: Pos) {
        let sql = "DELETE FROM to_device WHERE user_nid = $1 AND device_id = $2 AND pos <= $3";
        self.run(sql, vec![user.into(), device_id.into(), until.0.into()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stores;

    #[tokio::test]
    async fn news_of_a_device_come_in_order_with_the_state_of_its_keys() {
        for store in stores().await {
            let sender = store.name("@a:x").await.unwrap();
            let mut change = Change::default();
            for n in 0..5 {
                change.send_to_devices(sender, "t", 1, &[("D", &format!("{{\"n\":{n}}}")), ("E", "{}")]);
            }
            let first = store.submit(change).await.unwrap();
            let mut reader = store.reader();
            let part = (first.first, first.last);
            let found = news(&mut reader, 1, "D", part, 3).await.unwrap();
            let contents: Vec<_> = found.messages.iter().map(|message| message.content.as_str()).collect();
            assert_eq!(contents, ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"]);
            assert!(found.received, "one is at or before the place");
            assert_eq!(found.newest, Some(first.last.0));
            let mut change = Change::default();
            change.received_to_device(1, "D", first.first);
            store.submit(change).await.unwrap();
            let found = news(&mut reader, 1, "D", part, 9).await.unwrap();
            assert!(!found.received && found.messages.len() == 4);
            assert_eq!(news(&mut reader, 1, "E", (Pos(0), first.last), 9).await.unwrap().messages.len(), 5);
            let none = news(&mut reader, 2, "D", (Pos(0), first.last), 9).await.unwrap();
            assert!(none.messages.is_empty() && none.newest.is_none() && !none.received);
            store.close().await;
        }
    }

    #[tokio::test]
    async fn of_a_full_inbox_the_oldest_messages_go() {
        for store in stores().await {
            let sender = store.name("@a:x").await.unwrap();
            let mut change = Change::default();
            for n in 0..10 {
                change.send_to_devices(sender, "t", 1, &[("D", &n.to_string())]);
            }
            store.submit(change).await.unwrap();
            let mut change = Change::default();
            change.shorten_inbox(1, "D", 3);
            change.shorten_inbox(1, "D", 5);
            change.send_to_devices(sender, "t", 1, &[("D", "10")]);
            let last = store.submit(change).await.unwrap().last;
            let left = news(&mut store.reader(), 1, "D", (Pos(0), last), 99).await.unwrap().messages;
            assert_eq!(left.iter().map(|m| m.content.as_str()).collect::<Vec<_>>(), ["7", "8", "9", "10"]);
            store.close().await;
        }
    }
}
