//! What the department promises of key backups, against archives of their own.

use super::*;
use crate::testing::House;
use kontor_model::{Code, Requester};
use serde_json::{Value, json};

const ALGORITHM: &str = "m.megolm_backup.v1.curve25519-aes-sha2";

fn described() -> Described {
    serde_json::from_value(json!({ "algorithm": ALGORITHM, "auth_data": { "public_key": "abc" } })).unwrap()
}

fn key(is_verified: bool, first: i64, forwarded: i64, data: &str) -> Value {
    json!({
        "is_verified": is_verified, "first_message_index": first, "forwarded_count": forwarded,
        "session_data": { "ciphertext": data },
    })
}

fn one(key: Value) -> Backup {
    Backup::of_session("!room:localhost".into(), "session".into(), serde_json::from_value(key).unwrap())
}

struct Desk {
    house: House,
    me: Requester,
}

impl Desk {
    async fn new() -> Self {
        let house = House::new(|_| {}).await;
        let me = house.somebody("@me:localhost").await;
        Self { house, me }
    }

    async fn create(&self) -> String {
        let (change, version) = self.house.identity.create_backup(&self.me, &described()).await.unwrap();
        self.house.store.submit(change).await.unwrap();
        version
    }

    async fn put(&self, version: &str, keys: &Backup) -> Result<Stored> {
        let (change, stored) = self.house.identity.store_backup_keys(&self.me, version, keys).await?;
        if !change.is_empty() {
            self.house.store.submit(change).await?;
        }
        Ok(stored)
    }

    async fn delete(&self, version: &str) -> Result<()> {
        let change = self.house.identity.delete_backup(&self.me, version).await?;
        if !change.is_empty() {
            self.house.store.submit(change).await?;
        }
        Ok(())
    }

    async fn data(&self, version: &str) -> String {
        let id = &self.house.identity;
        let key = id.backup_key(&self.me, version, "!room:localhost", "session").await.unwrap();
        let data: Value = serde_json::from_str(key.session_data.get()).unwrap();
        data["ciphertext"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn the_better_key_of_a_session_stays() {
    let desk = Desk::new().await;
    let version = desk.create().await;
    let steps = [
        (key(false, 5, 5, "first"), "first"),
        (key(false, 5, 5, "the same"), "first"),
        (key(false, 6, 0, "later index"), "first"),
        (key(false, 5, 4, "forwarded less"), "forwarded less"),
        (key(false, 4, 9, "earlier index"), "earlier index"),
        (key(true, 9, 9, "verified"), "verified"),
        (key(false, 0, 0, "not verified"), "verified"),
        (key(true, 9, 8, "verified, forwarded less"), "verified, forwarded less"),
    ];
    let mut etag = String::from("0");
    let mut data = String::new();
    for (key, expected) in steps {
        let stored = desk.put(&version, &one(key)).await.unwrap();
        assert_eq!(desk.data(&version).await, expected);
        assert_eq!(stored.count, 1);
        assert_eq!(stored.etag != etag, data != expected, "the etag moves with the keys: {expected}");
        (etag, data) = (stored.etag, expected.to_owned());
    }
}

#[tokio::test]
async fn versions_count_up_and_only_the_newest_takes_keys() {
    let desk = Desk::new().await;
    let id = &desk.house.identity;
    assert_eq!(id.backup(&desk.me, None).await.unwrap_err().code, Code::NotFound);
    let missing = desk.put("1", &one(key(false, 0, 0, ""))).await.unwrap_err();
    assert_eq!(missing.code, Code::NotFound);
    assert_eq!([desk.create().await, desk.create().await], ["1", "2"]);
    let wrong = desk.put("1", &one(key(false, 0, 0, ""))).await.unwrap_err();
    assert_eq!(wrong.code, Code::WrongRoomKeysVersion { current: 2 });
    assert_eq!(desk.put("3", &one(key(false, 0, 0, ""))).await.unwrap_err().code, Code::NotFound);
    desk.delete("2").await.unwrap();
    assert_eq!(id.backup(&desk.me, None).await.unwrap().version, "1");
    desk.delete("2").await.unwrap();
    for unknown in ["3", "01", "0", "-1", "x", ""] {
        assert_eq!(desk.delete(unknown).await.unwrap_err().code, Code::NotFound, "{unknown}");
    }
    assert_eq!(id.backup(&desk.me, Some("2")).await.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn a_number_is_never_given_twice() {
    let desk = Desk::new().await;
    for expected in ["1", "2", "3"] {
        assert_eq!(desk.create().await, expected);
        let change = desk.house.identity.delete_backup(&desk.me, expected).await.unwrap();
        desk.house.store.submit(change).await.unwrap();
    }
    assert!(desk.house.identity.delete_backup(&desk.me, "1").await.unwrap().is_empty());
}

#[tokio::test]
async fn keys_that_could_not_be_told_apart_are_refused() {
    let desk = Desk::new().await;
    let version = desk.create().await;
    let good: KeyData = serde_json::from_value(key(false, 0, 0, "")).unwrap();
    for (room, session) in [("room", "s"), ("!r:localhost", ""), ("!r:localhost", "a\0"), ("!\0", "s")] {
        let keys = Backup::of_session(room.into(), session.into(), good.clone());
        assert!(desk.put(&version, &keys).await.is_err(), "{room} {session}");
    }
    for bad in [key(false, -1, 0, ""), key(false, 0, -1, ""), key(true, 0, 0, &"x".repeat(20_000))] {
        assert!(desk.put(&version, &one(bad)).await.is_err());
    }
    let mut list = key(false, 0, 0, "");
    list["session_data"] = json!([]);
    assert_eq!(desk.put(&version, &one(list)).await.unwrap_err().code, Code::BadJson);
}

#[tokio::test]
async fn deleted_parts_are_counted() {
    let desk = Desk::new().await;
    let id = &desk.house.identity;
    let version = desk.create().await;
    let sessions: serde_json::Map<String, Value> =
        (0..5).map(|n| (format!("s{n}"), key(false, 0, 0, "x"))).collect();
    let rooms = json!({ "rooms": { "!a:b": { "sessions": sessions }, "!c:d": { "sessions": sessions } } });
    let keys: Backup = serde_json::from_value(rooms).unwrap();
    assert_eq!(desk.put(&version, &keys).await.unwrap().count, 10);
    let parts = [
        (Part::Session("!a:b", "s0"), 9, "2"),
        (Part::Session("!a:b", "s0"), 9, "2"),
        (Part::Room("!a:b"), 5, "3"),
        (Part::Room("\0"), 5, "3"),
        (Part::Whole, 0, "4"),
        (Part::Whole, 0, "4"),
    ];
    for (part, count, etag) in parts {
        let (change, stored) = id.delete_backup_keys(&desk.me, &version, part).await.unwrap();
        if !change.is_empty() {
            desk.house.store.submit(change).await.unwrap();
        }
        assert_eq!(stored, Stored { etag: etag.to_owned(), count });
        let told = id.backup(&desk.me, Some(&version)).await.unwrap();
        assert_eq!((told.count, told.etag.as_str()), (count, etag));
    }
    while let Some(change) = id.sweep_backups().await.unwrap() {
        desk.house.store.submit(change).await.unwrap();
    }
}

#[tokio::test]
async fn a_version_keeps_its_algorithm() {
    let desk = Desk::new().await;
    let id = &desk.house.identity;
    let version = desk.create().await;
    let mut new = described();
    new.auth_data = json!({ "public_key": "new" }).as_object().cloned().unwrap();
    let change = id.describe_backup(&desk.me, &version, &new).await.unwrap();
    desk.house.store.submit(change).await.unwrap();
    let told = serde_json::to_value(id.backup(&desk.me, None).await.unwrap()).unwrap();
    assert_eq!(
        told,
        json!({ "algorithm": ALGORITHM, "auth_data": { "public_key": "new" }, "count": 0, "etag": "0", "version": "1" })
    );
    new.version = Some("2".into());
    assert_eq!(id.describe_backup(&desk.me, &version, &new).await.unwrap_err().code, Code::InvalidParam);
    new.version = Some("1".into());
    new.algorithm = "other".into();
    assert_eq!(id.describe_backup(&desk.me, &version, &new).await.unwrap_err().code, Code::InvalidParam);
    assert_eq!(id.describe_backup(&desk.me, "7", &described()).await.unwrap_err().code, Code::NotFound);
}
