//! Profiles: the name and picture of a user, and fields that clients define (client-server API,
//! "Profiles").
//!
//! Telling rooms of a new name or picture is a flow: this department knows no rooms.

use crate::Identity;
use kontor_model::ids::MAX_ID_BYTES;
use kontor_model::{Code, Error, Nid, Requester, Result};
use kontor_store::Change;
use kontor_store::identity::{accounts, profile};
use ruma::UserId;
use serde_json::{Map, Value};

/// Field of the display name.
pub const DISPLAY_NAME: &str = "displayname";
/// Field of the picture.
pub const AVATAR_URL: &str = "avatar_url";

/// Longest display name, letters.
const MAX_NAME_LETTERS: usize = 256;
/// Longest address of a picture, bytes.
const MAX_AVATAR_BYTES: usize = 1_000;
/// Largest profile, bytes of JSON (specification).
const MAX_PROFILE_BYTES: usize = 65_536;

/// Name and picture, as member events carry them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Display {
    /// The display name.
    pub name: Option<String>,
    /// `mxc://` address of the picture.
    pub avatar_url: Option<String>,
}

/// Whether a text is the name of a profile field: `displayname`, `avatar_url`, or a namespaced name
/// (specification appendix, "Common Namespaced Identifier Grammar").
///
/// # Errors
/// `KeyTooLarge` above 255 bytes, `InvalidParam` otherwise.
fn check_key(key: &str) -> Result<()> {
    if key.len() > MAX_ID_BYTES {
        return Err(Error::new(Code::KeyTooLarge, "The name of the profile field is longer than 255 bytes."));
    }
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase())
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
    };
    let namespaced = key.contains('.') && key.split('.').all(part);
    if [DISPLAY_NAME, AVATAR_URL].contains(&key) || namespaced {
        return Ok(());
    }
    Err(Error::invalid_param("This is not the name of a profile field. It looks like \"org.example.field\"."))
}

/// The value to store, or `None` when the field shall be empty.
fn check_value(key: &str, value: Value) -> Result<Option<Value>> {
    match (key, value) {
        // Clients empty both fields in either way.
        (DISPLAY_NAME | AVATAR_URL, Value::Null) => Ok(None),
        (DISPLAY_NAME | AVATAR_URL, Value::String(text)) if text.is_empty() => Ok(None),
        (DISPLAY_NAME, Value::String(name)) => {
            if name.chars().count() > MAX_NAME_LETTERS || name.contains('\0') {
                return Err(Error::invalid_param("A display name has up to 256 letters, and no NUL."));
            }
            Ok(Some(Value::String(name)))
        }
        (AVATAR_URL, Value::String(url)) => {
            if !url.starts_with("mxc://") || url.len() > MAX_AVATAR_BYTES {
                return Err(Error::invalid_param("The picture must be an uploaded file, mxc://…"));
            }
            Ok(Some(Value::String(url)))
        }
        (DISPLAY_NAME | AVATAR_URL | "m.tz", value) if !value.is_string() => {
            Err(Error::bad_json("This profile field must be a text."))
        }
        (_, value) => Ok(Some(value)),
    }
}

impl Identity {
    /// All fields of a user's profile.
    ///
    /// # Errors
    /// `NotFound` when this server has no such user.
    pub async fn profile(&self, user_id: &UserId) -> Result<Map<String, Value>> {
        let mut reader = self.store.reader();
        let account = accounts::by_user_id(&mut reader, user_id.as_str()).await?;
        let Some(account) = account else {
            return Err(Error::new(Code::NotFound, "This server does not know that user."));
        };
        let fields = profile::of_user(&mut reader, account.user).await?;
        let read = |field: profile::Field| {
            Ok((field.key, serde_json::from_str(&field.value).map_err(Error::internal)?))
        };
        fields.into_iter().map(read).collect()
    }

    /// One field of a user's profile.
    ///
    /// # Errors
    /// `NotFound` when there is no such user or the field is empty; as [`Identity::set_profile_field`]
    /// for names that are none.
    pub async fn profile_field(&self, user_id: &UserId, key: &str) -> Result<Value> {
        check_key(key)?;
        let field = self.profile(user_id).await?.remove(key);
        field.ok_or_else(|| Error::new(Code::NotFound, "The user did not set this profile field."))
    }

    /// Name and picture of a local user.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn display(&self, user: Nid) -> Result<Display> {
        let mut display = Display::default();
        for field in profile::of_user(&mut self.store.reader(), user).await? {
            let place = match field.key.as_str() {
                DISPLAY_NAME => &mut display.name,
                AVATAR_URL => &mut display.avatar_url,
                _ => continue,
            };
            *place = serde_json::from_str(&field.value).ok();
        }
        Ok(display)
    }

    /// Plans to set a field of the caller's profile.
    ///
    /// # Errors
    /// `InvalidParam` or `BadJson` for values that the field cannot have; `KeyTooLarge`;
    /// `ProfileTooLarge` when the whole profile would pass 64 KiB.
    pub async fn set_profile_field(&self, user: &Requester, key: &str, value: Value) -> Result<Change> {
        check_key(key)?;
        let Some(value) = check_value(key, value)? else { return self.remove_profile_field(user, key) };
        let text = value.to_string();
        let fields = profile::of_user(&mut self.store.reader(), user.user).await?;
        let others = fields.iter().filter(|field| field.key != key);
        // Quotes, colon and comma around each name.
        let size = |key: &str, value: &str| key.len() + value.len() + 4;
        let total: usize = others.map(|field| size(&field.key, &field.value)).sum();
        if total + size(key, &text) > MAX_PROFILE_BYTES {
            return Err(Error::new(Code::ProfileTooLarge, "A profile may hold at most 64 KiB."));
        }
        let mut change = Change::default();
        change.set_profile_field(user.user, key, &text);
        Ok(change)
    }

    /// Plans to empty a field of the caller's profile.
    ///
    /// # Errors
    /// As [`Identity::set_profile_field`] for names that are none.
    pub fn remove_profile_field(&self, user: &Requester, key: &str) -> Result<Change> {
        check_key(key)?;
        let mut change = Change::default();
        change.remove_profile_field(user.user, key);
        Ok(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::House;
    use serde_json::json;

    #[test]
    fn names_of_fields_keep_to_the_grammar() {
        for good in ["displayname", "avatar_url", "m.tz", "org.example.a_b", "a.b-c.d0"] {
            assert!(check_key(good).is_ok(), "{good}");
        }
        for bad in ["", "name", "m.", ".m", "M.tz", "a..b", "a.0b", "a.b c", "a.b/c"] {
            assert_eq!(check_key(bad).unwrap_err().code, Code::InvalidParam, "{bad}");
        }
        assert_eq!(check_key(&format!("a.{}", "b".repeat(300))).unwrap_err().code, Code::KeyTooLarge);
    }

    #[tokio::test]
    async fn fields_are_set_read_emptied_and_bounded() {
        let house = House::new(|_| {}).await;
        let me = house.somebody("@me:localhost").await;
        let id = &house.identity;
        assert_eq!(id.profile(&me.user_id).await.unwrap(), Map::new());
        for (key, value) in [
            (DISPLAY_NAME, json!("Żaneta")),
            (AVATAR_URL, json!("mxc://x/y")),
            ("org.example.any", json!({"a": [1.5, null]})),
            ("m.tz", json!("Europe/Warsaw")),
        ] {
            house.store.submit(id.set_profile_field(&me, key, value).await.unwrap()).await.unwrap();
        }
        let profile = Value::Object(id.profile(&me.user_id).await.unwrap());
        assert_eq!(profile["displayname"], "Żaneta");
        assert_eq!(profile["org.example.any"], json!({"a": [1.5, null]}));
        let display = Display { name: Some("Żaneta".into()), avatar_url: Some("mxc://x/y".into()) };
        assert_eq!(id.display(me.user).await.unwrap(), display);
        let emptied = id.set_profile_field(&me, DISPLAY_NAME, json!("")).await.unwrap();
        house.store.submit(emptied).await.unwrap();
        assert_eq!(id.profile_field(&me.user_id, DISPLAY_NAME).await.unwrap_err().code, Code::NotFound);
        for (key, value, code) in [
            (DISPLAY_NAME, json!("x".repeat(257)), Code::InvalidParam),
            (DISPLAY_NAME, json!(5), Code::BadJson),
            (AVATAR_URL, json!("https://example.org/x.png"), Code::InvalidParam),
            ("m.tz", json!(["x"]), Code::BadJson),
            (DISPLAY_NAME, json!("a\0b"), Code::InvalidParam),
            ("org.example.big", json!("x".repeat(65_500)), Code::ProfileTooLarge),
        ] {
            assert_eq!(id.set_profile_field(&me, key, value).await.unwrap_err().code, code, "{key}");
        }
        let nobody = UserId::parse("@nobody:localhost").unwrap();
        assert_eq!(id.profile(&nobody).await.unwrap_err().code, Code::NotFound);
    }
}
