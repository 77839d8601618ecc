//! Account data and tags: what a user's clients keep on the server (client-server API, "Client
//! Config" and "Room Tagging").

use crate::Identity;
use crate::push::ruleset;
use kontor_model::{Code, Error, Nid, Requester, Result, ids};
use kontor_store::Change;
use kontor_store::identity::account_data::{self, AccountData};
use ruma::UserId;
use serde_json::{Map, Value, json};

/// Account data type of a room's tags.
pub const TAGS: &str = "m.tag";
/// Account data type of the read marker, which has doors of its own.
pub const FULLY_READ: &str = "m.fully_read";

/// Largest piece, bytes of JSON.
const MAX_BYTES: usize = 262_144;
/// Types that belong to no room.
const MOST_TYPES: i64 = 1_000;
/// Types of one room.
const MOST_TYPES_OF_ROOM: i64 = 100;
/// Tags of one room.
const MOST_TAGS: usize = 100;

/// Whether the server itself writes account data of this type, so that clients may not.
pub fn is_servers_own(kind: &str) -> bool {
    matches!(kind, FULLY_READ | ruleset::KIND)
}

/// The piece as clients see it, an event without a sender.
///
/// # Errors
/// `Internal` when the archive holds something else, which would be a defect.
pub fn event(user_id: &UserId, piece: &AccountData) -> Result<Value> {
    let content = if piece.kind == ruleset::KIND {
        ruleset::event_content(user_id, Some(&piece.content))?
    } else {
        serde_json::from_str(&piece.content).map_err(Error::internal)?
    };
    Ok(json!({ "type": piece.kind, "content": content }))
}

/// The push rules of a user who never changed any, as [`event`] shows those of others: for the
/// first answer of `/sync`, which always tells them.
///
/// # Errors
/// As [`event`].
pub fn usual_push_rules(user_id: &UserId) -> Result<Value> {
    Ok(json!({ "type": ruleset::KIND, "content": ruleset::event_content(user_id, None)? }))
}

fn parse(content: &str) -> Result<Map<String, Value>> {
    serde_json::from_str(content).map_err(Error::internal)
}

/// The tags in the content of an `m.tag` event. Clients can set that whole; what is no object is
/// as good as no tags.
fn tags(content: &mut Map<String, Value>) -> Map<String, Value> {
    match content.remove("tags") {
        Some(Value::Object(tags)) => tags,
        _ => Map::new(),
    }
}

impl Identity {
    /// Content of one piece of the caller's account data.
    ///
    /// # Errors
    /// `NotFound` when it was never set.
    pub async fn account_data(&self, user: &Requester, room: Option<Nid>, kind: &str) -> Result<Value> {
        let found = account_data::one(&mut self.store.reader(), user.user, room, kind).await?;
        if room.is_none() && kind == ruleset::KIND {
            let stored = found.as_ref().map(|found| found.content.as_str());
            return ruleset::event_content(&user.user_id, stored);
        }
        let found = found.ok_or_else(|| Error::new(Code::NotFound, "There is no such account data."))?;
        parse(&found.content).map(Value::Object)
    }

    /// Plans to set one piece of the caller's account data. The types of [`is_servers_own`] must
    /// have been refused before.
    ///
    /// # Errors
    /// `TooLarge` when the piece is, or there are too many; `InvalidParam` for types that cannot be
    /// stored.
    pub async fn set_account_data(
        &self,
        user: &Requester,
        room: Option<Nid>,
        kind: &str,
        content: Map<String, Value>,
    ) -> Result<Change> {
        ids::storable_key(kind, "type of the account data")?;
        let content = text(&Value::Object(content))?;
        let others = account_data::count_others(&mut self.store.reader(), user.user, room, kind).await?;
        let most = if room.is_some() { MOST_TYPES_OF_ROOM } else { MOST_TYPES };
        if others >= most {
            let message = "You have too many kinds of account data. Reuse the present ones.";
            return Err(Error::new(Code::TooLarge, message));
        }
        let mut change = Change::default();
        change.set_account_data(user.user, room, kind, &content);
        Ok(change)
    }

    /// The caller's tags of a room.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn tags(&self, user: &Requester, room: Nid) -> Result<Map<String, Value>> {
        let found = account_data::one(&mut self.store.reader(), user.user, Some(room), TAGS).await?;
        let Some(found) = found else { return Ok(Map::new()) };
        Ok(tags(&mut parse(&found.content)?))
    }

    /// Plans to set (`Some`) or take away a tag of a room. `Conflict` on submission means that another
    /// device changed the tags meanwhile: plan again.
    ///
    /// # Errors
    /// `InvalidParam` for names above 255 bytes and for an `order` that is no number; `TooLarge`
    /// with too many tags.
    pub async fn change_tag(
        &self,
        user: &Requester,
        room: Nid,
        tag: &str,
        data: Option<Map<String, Value>>,
    ) -> Result<Change> {
        if tag.is_empty() || tag.len() > ids::MAX_ID_BYTES || tag.contains('\0') {
            return Err(Error::invalid_param("The name of a tag has 1 to 255 bytes."));
        }
        let found = account_data::one(&mut self.store.reader(), user.user, Some(room), TAGS).await?;
        let mut content = found.as_ref().map_or_else(|| Ok(Map::new()), |found| parse(&found.content))?;
        let mut tags = tags(&mut content);
        match data {
            None if tags.remove(tag).is_none() => return Ok(Change::default()),
            None => {}
            Some(data) => {
                let ordered = data.get("order").is_none_or(|order| order.is_number() || order.is_null());
                if !ordered {
                    return Err(Error::invalid_param("The order of a tag must be a number from 0 to 1."));
                }
                tags.insert(tag.to_owned(), Value::Object(data));
                if tags.len() > MOST_TAGS {
                    return Err(Error::new(Code::TooLarge, "The room has too many tags. Remove some first."));
                }
            }
        }
        content.insert("tags".to_owned(), Value::Object(tags));
        let mut change = Change::default();
        change.expect_account_data(user.user, Some(room), TAGS, found.as_ref());
        change.set_account_data(user.user, Some(room), TAGS, &text(&Value::Object(content))?);
        Ok(change)
    }
}

fn text(content: &Value) -> Result<String> {
    let text = content.to_string();
    if text.len() > MAX_BYTES {
        return Err(Error::new(Code::TooLarge, "A piece of account data may hold at most 256 KiB."));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::House;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            other => panic!("{other}"),
        }
    }

    #[tokio::test]
    async fn account_data_is_kept_apart_by_room_and_bounded() {
        let house = House::new(|_| {}).await;
        let me = house.somebody("@me:localhost").await;
        let id = &house.identity;
        for (room, value) in [(None, json!({"a": 1})), (Some(7), json!({"a": 2.5}))] {
            let change = id.set_account_data(&me, room, "org.example", object(value.clone())).await.unwrap();
            house.store.submit(change).await.unwrap();
            assert_eq!(id.account_data(&me, room, "org.example").await.unwrap(), value);
        }
        assert_eq!(id.account_data(&me, Some(8), "org.example").await.unwrap_err().code, Code::NotFound);
        let big = object(json!({"a": "x".repeat(MAX_BYTES)}));
        assert_eq!(id.set_account_data(&me, None, "x", big).await.unwrap_err().code, Code::TooLarge);
        let nul = id.set_account_data(&me, None, "x\0", Map::new()).await.unwrap_err();
        assert_eq!(nul.code, Code::BadJson);
        let mut change = Change::default();
        for n in 0..MOST_TYPES_OF_ROOM {
            change.set_account_data(me.user, Some(9), &format!("t{n}"), "{}");
        }
        house.store.submit(change).await.unwrap();
        let refused = id.set_account_data(&me, Some(9), "one.more", Map::new()).await.unwrap_err();
        assert_eq!(refused.code, Code::TooLarge);
        assert!(id.set_account_data(&me, Some(9), "t5", Map::new()).await.is_ok());
    }

    #[tokio::test]
    async fn push_rules_are_there_before_anybody_set_any() {
        let house = House::new(|_| {}).await;
        let me = house.somebody("@me:localhost").await;
        let rules = house.identity.account_data(&me, None, "m.push_rules").await.unwrap();
        assert!(rules["global"]["override"].is_array());
        assert_eq!(usual_push_rules(&me.user_id).unwrap()["content"], rules);
    }

    #[tokio::test]
    async fn tags_come_and_go_and_two_devices_do_not_lose_each_others() {
        let house = House::new(|_| {}).await;
        let me = house.somebody("@me:localhost").await;
        let id = &house.identity;
        let order = object(json!({"order": 0.25}));
        let first = id.change_tag(&me, 7, "u.work", Some(order.clone())).await.unwrap();
        let second = id.change_tag(&me, 7, "m.favourite", Some(Map::new())).await.unwrap();
        house.store.submit(first).await.unwrap();
        assert!(house.store.submit(second).await.unwrap_err().is_conflict());
        let again = id.change_tag(&me, 7, "m.favourite", Some(Map::new())).await.unwrap();
        house.store.submit(again).await.unwrap();
        let both = json!({"u.work": {"order": 0.25}, "m.favourite": {}});
        assert_eq!(Value::Object(id.tags(&me, 7).await.unwrap()), both);
        house.store.submit(id.change_tag(&me, 7, "u.work", None).await.unwrap()).await.unwrap();
        assert_eq!(Value::Object(id.tags(&me, 7).await.unwrap()), json!({"m.favourite": {}}));
        assert!(id.change_tag(&me, 7, "never", None).await.unwrap().is_empty());
        let shown = id.account_data(&me, Some(7), TAGS).await.unwrap();
        assert_eq!(shown, json!({"tags": {"m.favourite": {}}}));
        let bad = object(json!({"order": "first"}));
        assert_eq!(id.change_tag(&me, 7, "u.x", Some(bad)).await.unwrap_err().code, Code::InvalidParam);
        let long = "x".repeat(256);
        assert_eq!(id.change_tag(&me, 7, &long, Some(order)).await.unwrap_err().code, Code::InvalidParam);
    }
}
