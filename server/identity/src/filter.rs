//! Filters that clients store, to name them in `/sync` and `/messages` (client-server API,
//! "Filtering"). What they mean is [`kontor_model::filter`].

use crate::Identity;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use kontor_model::filter::Filter;
use kontor_model::{Code, Error, Nid, Requester, Result};
use kontor_store::Change;
use kontor_store::identity::filters;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Filters that a user may store.
const MOST_FILTERS: i64 = 200;

/// Parsed filters that are remembered; a filter never changes under its id.
pub(crate) type Parsed = moka::sync::Cache<(Nid, String), Arc<Filter>>;

/// A memory for so many filters.
pub(crate) fn parsed() -> Parsed {
    moka::sync::Cache::new(1_000)
}

impl Identity {
    /// Plans to store a filter. The same filter gets the same id again.
    ///
    /// # Errors
    /// `BadJson` when it is none; `TooLarge` when it is, or the user stored too many.
    pub async fn add_filter(
        &self,
        user: &Requester,
        definition: Map<String, Value>,
    ) -> Result<(String, Change)> {
        let definition = Value::Object(definition).to_string();
        Filter::parse(&definition)?;
        let digest = Sha256::digest(definition.as_bytes());
        let id = BASE64_URL_SAFE_NO_PAD.encode(digest.get(..12).unwrap_or_default());
        let mut reader = self.store.reader();
        if filters::definition(&mut reader, user.user, &id).await?.is_some() {
            return Ok((id, Change::default()));
        }
        if filters::count(&mut reader, user.user).await? >= MOST_FILTERS {
            let message = "You stored too many filters. Use one of them, or send the filter itself.";
            return Err(Error::new(Code::TooLarge, message));
        }
        let mut change = Change::default();
        change.add_filter(user.user, &id, &definition);
        Ok((id, change))
    }

    /// A filter as it was stored.
    ///
    /// # Errors
    /// `NotFound` when the caller has none of this id.
    pub async fn stored_filter(&self, user: &Requester, id: &str) -> Result<Value> {
        let found = filters::definition(&mut self.store.reader(), user.user, id).await?;
        let found = found.ok_or_else(|| Error::new(Code::NotFound, "You have no filter with this id."))?;
        serde_json::from_str(&found).map_err(Error::internal)
    }

    /// The filter that a request asks for: `None` lets everything through, a text that begins with
    /// `{` is a filter itself, any other is the id of a stored one.
    ///
    /// # Errors
    /// `InvalidParam` for an id that the caller has not stored; as [`Filter::parse`].
    pub async fn filter(&self, user: &Requester, asked: Option<&str>) -> Result<Arc<Filter>> {
        let Some(asked) = asked.filter(|text| !text.is_empty()) else { return Ok(Arc::default()) };
        if asked.trim_start().starts_with('{') {
            return Filter::parse(asked).map(Arc::new);
        }
        let key = (user.user, asked.to_owned());
        if let Some(filter) = self.filters.get(&key) {
            return Ok(filter);
        }
        let found = filters::definition(&mut self.store.reader(), user.user, asked).await?;
        let found = found.ok_or_else(|| Error::invalid_param("You have no filter with this id."))?;
        let filter = Arc::new(Filter::parse(&found)?);
        self.filters.insert(key, Arc::clone(&filter));
        Ok(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::House;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            other => panic!("{other}"),
        }
    }

    #[tokio::test]
    async fn filters_are_stored_once_and_belong_to_one_user() {
        let house = House::new(|_| {}).await;
        let (me, other) = (house.somebody("@me:localhost").await, house.somebody("@other:localhost").await);
        let id = &house.identity;
        let definition = json!({"room": {"timeline": {"limit": 5}}, "org.example": [1]});
        let (first, change) = id.add_filter(&me, object(definition.clone())).await.unwrap();
        house.store.submit(change).await.unwrap();
        let (second, change) = id.add_filter(&me, object(definition.clone())).await.unwrap();
        assert!(first == second && change.is_empty() && !first.starts_with('{'));
        assert_eq!(id.stored_filter(&me, &first).await.unwrap(), definition);
        for _ in 0..2 {
            assert_eq!(id.filter(&me, Some(&first)).await.unwrap().room.timeline.limit, Some(5));
        }
        assert_eq!(id.stored_filter(&other, &first).await.unwrap_err().code, Code::NotFound);
        assert_eq!(id.filter(&other, Some(&first)).await.unwrap_err().code, Code::InvalidParam);
        let inline = id.filter(&me, Some(r#"{"room":{"include_leave":true}}"#)).await.unwrap();
        assert!(inline.room.include_leave);
        assert_eq!(*id.filter(&me, None).await.unwrap(), Filter::default());
        assert_eq!(id.add_filter(&me, object(json!({"room": []}))).await.unwrap_err().code, Code::BadJson);
    }
}
