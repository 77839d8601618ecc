//! Public keys of devices: identity keys, one-time keys and fallback keys.

use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, Value, device_set, id_set, text_set};
use crate::{Change, Stream};
use kontor_model::{Ms, Nid, Result};

/// A device with identity keys, as others see it.
#[derive(Clone, Debug)]
pub struct DeviceKeysRow {
    /// Its owner.
    pub user: Nid,
    /// Its id.
    pub device_id: String,
    /// What was uploaded, canonical JSON.
    pub content: String,
    /// The device's name for people.
    pub display_name: Option<String>,
}

fn device_keys(row: &Row) -> Result<DeviceKeysRow> {
    Ok(DeviceKeysRow {
        user: row.int(0)?,
        device_id: row.text(1)?,
        content: row.text(2)?,
        display_name: row.text_opt(3)?,
    })
}

/// The identity keys of all devices of some users.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_users<S: Source>(source: &mut S, users: &[Nid]) -> Result<Vec<DeviceKeysRow>> {
    let sql = "SELECT k.user_nid, k.device_id, k.content, d.display_name FROM ID_SET($1) w \
               JOIN device_keys k ON k.user_nid = w.id \
               LEFT JOIN device d ON d.user_nid = k.user_nid AND d.device_id = k.device_id";
    source.all(sql, vec![id_set(users.iter().copied())]).await?.iter().map(device_keys).collect()
}

/// The identity keys of one device, canonical JSON.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_device<S: Source>(source: &mut S, user: Nid, device_id: &str) -> Result<Option<String>> {
    let sql = "SELECT content FROM device_keys WHERE user_nid = $1 AND device_id = $2";
    let row = source.first(sql, vec![user.into(), device_id.into()]).await?;
    row.map(|row| row.text(0)).transpose()
}

/// Those of some user ids that have an account, with its numeric id.
///
/// # Errors
/// See [`Source::all`].
pub async fn accounts<S: Source>(source: &mut S, user_ids: &[&str]) -> Result<Vec<(Nid, String)>> {
    let sql = "SELECT a.user_nid, n.text FROM TEXT_SET($1) w JOIN name n ON n.text = w.text \
               JOIN account a ON a.user_nid = n.nid";
    let rows = source.all(sql, vec![text_set(user_ids)]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect()
}

/// How many one-time keys of a device wait, by algorithm.
///
/// # Errors
/// See [`Source::all`].
pub async fn counts<S: Source>(source: &mut S, user: Nid, device_id: &str) -> Result<Vec<(String, i64)>> {
    let sql = "SELECT algorithm, count(*) FROM one_time_key WHERE user_nid = $1 AND device_id = $2 \
               AND claim_nid IS NULL GROUP BY algorithm";
    let rows = source.all(sql, vec![user.into(), device_id.into()]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.int(1)?))).collect()
}

/// A one-time or fallback key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// The device's owner.
    pub user: Nid,
    /// The device.
    pub device_id: String,
    /// Such as `signed_curve25519`.
    pub algorithm: String,
    /// Its id among the device's keys of the algorithm.
    pub key_id: String,
    /// Canonical JSON.
    pub content: String,
    /// Whether it was given out.
    pub used: bool,
}

fn key(row: &Row) -> Result<KeyRow> {
    Ok(KeyRow {
        user: row.int(0)?,
        device_id: row.text(1)?,
        algorithm: row.text(2)?,
        key_id: row.text(3)?,
        content: row.text(4)?,
        used: row.bool(5)?,
    })
}

/// A device's one-time keys of some ids, also those that were given out lately.
///
/// # Errors
/// See [`Source::all`].
pub async fn one_time_keys<S: Source>(
    source: &mut S,
    user: Nid,
    device_id: &str,
    key_ids: &[&str],
) -> Result<Vec<KeyRow>> {
    let sql = "SELECT k.user_nid, k.device_id, k.algorithm, k.key_id, k.content, \
               CAST(CASE WHEN k.claim_nid IS NULL THEN 0 ELSE 1 END AS BIGINT) FROM one_time_key k \
               WHERE k.user_nid = $1 AND k.device_id = $2 AND k.key_id IN TEXT_SET($3)";
    let values = vec![user.into(), device_id.into(), text_set(key_ids)];
    source.all(sql, values).await?.iter().map(key).collect()
}

/// A device's fallback keys.
///
/// # Errors
/// See [`Source::all`].
pub async fn fallback_keys<S: Source>(source: &mut S, user: Nid, device_id: &str) -> Result<Vec<KeyRow>> {
    fallback_keys_of(source, &[(user, device_id)]).await
}

/// The fallback keys of some devices.
///
/// # Errors
/// See [`Source::all`].
pub async fn fallback_keys_of<S: Source>(source: &mut S, devices: &[(Nid, &str)]) -> Result<Vec<KeyRow>> {
    let sql = "SELECT k.user_nid, k.device_id, k.algorithm, k.key_id, k.content, k.used \
               FROM DEVICE_SET($1) w JOIN fallback_key k ON k.user_nid = w.id AND k.device_id = w.text";
    source.all(sql, vec![device_set(devices.iter().copied())]).await?.iter().map(key).collect()
}

/// Those of some devices that have a one-time key of an algorithm.
///
/// # Errors
/// See [`Source::all`].
pub async fn with_one_time_key<S: Source>(
    source: &mut S,
    algorithm: &str,
    devices: &[(Nid, &str)],
) -> Result<Vec<(Nid, String)>> {
    let sql = "SELECT w.id, w.text FROM DEVICE_SET($1) w WHERE EXISTS (SELECT 1 FROM one_time_key k \
               WHERE k.user_nid = w.id AND k.device_id = w.text AND k.algorithm = $2 AND k.claim_nid IS NULL)";
    let rows = source.all(sql, vec![device_set(devices.iter().copied()), algorithm.into()]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect()
}

/// What a claim took.
///
/// # Errors
/// See [`Source::all`].
pub async fn claimed<S: Source>(source: &mut S, claim: Nid) -> Result<Vec<KeyRow>> {
    let sql = "SELECT user_nid, device_id, algorithm, key_id, content, CAST(1 AS BIGINT) \
               FROM one_time_key WHERE claim_nid = $1";
    source.all(sql, vec![claim.into()]).await?.iter().map(key).collect()
}

/// A one-time or fallback key to be kept.
#[derive(Clone, Copy, Debug)]
pub struct NewKey<'a> {
    /// Such as `signed_curve25519`.
    pub algorithm: &'a str,
    /// Its id among the device's keys of the algorithm.
    pub key_id: &'a str,
    /// Canonical JSON.
    pub content: &'a str,
}

impl Change {
    /// Refuses the change with `Conflict` when there is no such device.
    pub fn expect_device(&mut self, user: Nid, device_id: &str) {
        let sql = "UPDATE device SET created_ts = created_ts WHERE user_nid = $1 AND device_id = $2";
        self.guard(sql, vec![user.into(), device_id.into()]);
    }

    /// Refuses the change with `Conflict` when the device has identity keys.
    pub fn expect_no_device_keys(&mut self, user: Nid, device_id: &str) {
        // The row is a place holder that the change's own row replaces.
        let sql = "INSERT INTO device_keys (user_nid, device_id, content) VALUES ($1, $2, '{}') \
                   ON CONFLICT DO NOTHING";
        self.guard(sql, vec![user.into(), device_id.into()]);
    }

    /// Refuses the change with `Conflict` unless the device's identity keys are those that were read.
    pub fn expect_device_keys(&mut self, user: Nid, device_id: &str, content: &str) {
        let sql = "UPDATE device_keys SET content = content \
                   WHERE user_nid = $1 AND device_id = $2 AND content = $3";
        self.guard(sql, vec![user.into(), device_id.into(), content.into()]);
    }

    /// Sets a device's identity keys, canonical JSON. To be told with [`Change::device_list_changed`].
    pub fn set_device_keys(&mut self, user: Nid, device_id: &str, content: &str) {
        self.insert(Table::DeviceKeys, vec![user.into(), device_id.into(), content.into()]);
    }

    /// Adds one-time keys of a device. Refused with `Conflict` when one of their ids is taken by a key
    /// that was not given out; one that was is forgotten.
    pub fn add_one_time_keys(&mut self, user: Nid, device_id: &str, keys: &[NewKey<'_>]) {
        let sql = "DELETE FROM one_time_key WHERE user_nid = $1 AND device_id = $2 \
                   AND key_id IN TEXT_SET($3) AND claim_nid IS NOT NULL";
        let ids = text_set(keys.iter().map(|key| key.key_id));
        self.run(sql, vec![user.into(), device_id.into(), ids]);
        let pos = self.position(Stream::KeyCounts, None, Some(user));
        for key in keys {
            let row = vec![
                user.into(),
                device_id.into(),
                key.algorithm.into(),
                key.key_id.into(),
                key.content.into(),
                pos.clone(),
                Value::Int(None),
                Value::Int(None),
            ];
            self.insert(Table::OneTimeKey, row);
        }
    }

    /// Sets a device's fallback key of an algorithm, unused.
    pub fn set_fallback_key(&mut self, user: Nid, device_id: &str, key: NewKey<'_>) {
        let mut row: Vec<Value> = vec![user.into(), device_id.into()];
        row.extend([key.algorithm.into(), key.key_id.into(), key.content.into(), false.into()]);
        self.insert(Table::FallbackKey, row);
        self.position(Stream::KeyCounts, None, Some(user));
    }

    /// Takes the oldest waiting one-time key of an algorithm of each device, for `claim`: a numeric id
    /// of its own, by which [`claimed`] tells what was taken. Two claims never take the same key, and
    /// devices without keys are passed over.
    pub fn claim_one_time_keys(&mut self, claim: Nid, algorithm: &str, devices: &[(Nid, &str)], now: Ms) {
        let sql = "UPDATE one_time_key SET claim_nid = $1, claimed_ts = $2 FROM DEVICE_SET($3) w \
                   WHERE one_time_key.user_nid = w.id AND one_time_key.device_id = w.text \
                   AND one_time_key.algorithm = $4 AND one_time_key.key_id = (SELECT k.key_id \
                   FROM one_time_key k WHERE k.user_nid = w.id AND k.device_id = w.text AND k.algorithm = $4 \
                   AND k.claim_nid IS NULL ORDER BY k.pos, k.key_id LIMIT 1)";
        let set = device_set(devices.iter().copied());
        self.run(sql, vec![claim.into(), now.into(), set, algorithm.into()]);
        self.key_counts_changed(devices);
    }

    /// Notes that a fallback key is given out; refused with `Conflict` when the device has another one
    /// by now.
    pub fn use_fallback_key(&mut self, key: &KeyRow) {
        let sql = "UPDATE fallback_key SET used = 1 WHERE user_nid = $1 AND device_id = $2 \
                   AND algorithm = $3 AND key_id = $4 AND content = $5";
        let (device_id, algorithm) = (key.device_id.as_str(), key.algorithm.as_str());
        let mut values: Vec<Value> = vec![key.user.into(), device_id.into(), algorithm.into()];
        values.extend([key.key_id.as_str().into(), key.content.as_str().into()]);
        self.guard(sql, values);
        self.key_counts_changed(&[(key.user, device_id)]);
    }

    fn key_counts_changed(&mut self, devices: &[(Nid, &str)]) {
        let users: std::collections::BTreeSet<Nid> = devices.iter().map(|(user, _)| *user).collect();
        for user in users {
            self.position(Stream::KeyCounts, None, Some(user));
        }
    }

    /// Removes everything that others know of devices and everything that waits for them.
    pub(crate) fn remove_device_keys(&mut self, user: Nid, device_ids: &[String]) {
        let set = || text_set(device_ids);
        for sql in [
            "DELETE FROM device_keys WHERE user_nid = $1 AND device_id IN TEXT_SET($2)",
            "DELETE FROM one_time_key WHERE user_nid = $1 AND device_id IN TEXT_SET($2)",
            "DELETE FROM fallback_key WHERE user_nid = $1 AND device_id IN TEXT_SET($2)",
            "DELETE FROM to_device WHERE user_nid = $1 AND device_id IN TEXT_SET($2)",
            "DELETE FROM to_device_txn WHERE user_nid = $1 AND device_id IN TEXT_SET($2)",
            "DELETE FROM dehydrated_device WHERE user_nid = $1 AND device_id IN TEXT_SET($2)",
            "DELETE FROM key_signature WHERE user_nid = $1 AND key_name IN TEXT_SET($2)",
            "DELETE FROM key_signature WHERE user_nid = $1 AND signer_nid = $1 \
             AND signer_key IN (SELECT 'ed25519:' || d.text FROM TEXT_SET($2) d)",
        ] {
            self.run(sql, vec![user.into(), set()]);
        }
    }

    /// As [`Change::remove_device_keys`], for all devices of an account but `except`.
    pub(crate) fn remove_other_device_keys(&mut self, user: Nid, except: &str) {
        for sql in [
            "DELETE FROM key_signature WHERE user_nid = $1 AND key_name <> $2 AND key_name IN \
             (SELECT device_id FROM device WHERE user_nid = $1)",
            "DELETE FROM key_signature WHERE user_nid = $1 AND signer_nid = $1 AND signer_key <> 'ed25519:' || $2 \
             AND signer_key IN (SELECT 'ed25519:' || device_id FROM device WHERE user_nid = $1)",
            "DELETE FROM device_keys WHERE user_nid = $1 AND device_id <> $2",
            "DELETE FROM one_time_key WHERE user_nid = $1 AND device_id <> $2",
            "DELETE FROM fallback_key WHERE user_nid = $1 AND device_id <> $2",
            "DELETE FROM to_device WHERE user_nid = $1 AND device_id <> $2",
            "DELETE FROM to_device_txn WHERE user_nid = $1 AND device_id <> $2",
            "DELETE FROM dehydrated_device WHERE user_nid = $1 AND device_id <> $2",
        ] {
            self.run(sql, vec![user.into(), except.into()]);
        }
    }

    /// Forgets what was given out before `before`: nobody repeats so old an upload or a request.
    pub fn tidy_device_keys(&mut self, before: Ms) {
        self.run("DELETE FROM one_time_key WHERE claimed_ts < $1", vec![before.into()]);
        self.run("DELETE FROM to_device_txn WHERE ts < $1", vec![before.into()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stores;
    use std::collections::HashSet;

    const ALGORITHM: &str = "signed_curve25519";

    fn upload(names: &[String]) -> Change {
        let names = names.iter().map(String::as_str);
        let keys: Vec<_> =
            names.map(|key_id| NewKey { algorithm: ALGORITHM, key_id, content: "{}" }).collect();
        let mut change = Change::default();
        change.add_one_time_keys(1, "D", &keys);
        change
    }

    #[tokio::test]
    async fn claims_of_two_processes_take_each_key_once_and_the_oldest_first() {
        for store in stores().await {
            let other = store.other_process().await;
            for part in ["b", "a"] {
                let names: Vec<_> = (0..10).map(|n| format!("{part}{n}")).collect();
                store.submit(upload(&names)).await.unwrap();
            }
            let mut claims = Vec::new();
            for (index, process) in [&*store, &other].into_iter().cycle().take(25).enumerate() {
                let claim = process.nid().await.unwrap();
                let mut change = Change::default();
                change.claim_one_time_keys(claim, ALGORITHM, &[(1, "D"), (1, "NOSUCH")], 5);
                claims.push((index, claim, process.enqueue(change).await));
            }
            let mut taken = Vec::new();
            for (_, claim, receipt) in claims {
                receipt.wait().await.unwrap();
                taken.extend(claimed(&mut store.reader(), claim).await.unwrap());
            }
            assert_eq!(taken.len(), 20);
            assert_eq!(taken.iter().map(|row| row.key_id.as_str()).collect::<HashSet<_>>().len(), 20);
            assert!(counts(&mut store.reader(), 1, "D").await.unwrap().is_empty());
            other.close().await;
            store.close().await;
        }
    }

    #[tokio::test]
    async fn an_id_is_free_again_once_its_key_was_given_out() {
        for store in stores().await {
            let names = ["a".to_owned()];
            store.submit(upload(&names)).await.unwrap();
            assert!(store.submit(upload(&names)).await.unwrap_err().is_conflict());
            let mut change = Change::default();
            change.claim_one_time_keys(7, ALGORITHM, &[(1, "D")], 5);
            store.submit(change).await.unwrap();
            assert!(one_time_keys(&mut store.reader(), 1, "D", &["a"]).await.unwrap()[0].used);
            store.submit(upload(&names)).await.unwrap();
            assert!(!one_time_keys(&mut store.reader(), 1, "D", &["a"]).await.unwrap()[0].used);
            let mut change = Change::default();
            change.claim_one_time_keys(8, ALGORITHM, &[(1, "D")], 5);
            store.submit(change).await.unwrap();
            let mut change = Change::default();
            change.tidy_device_keys(6);
            store.submit(change).await.unwrap();
            assert!(one_time_keys(&mut store.reader(), 1, "D", &["a"]).await.unwrap().is_empty());
            store.close().await;
        }
    }
}
