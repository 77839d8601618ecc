//! Pushers: what clients may set, and whose they are.

use crate::Identity;
use kontor_model::{Code, Error, Nid, Requester, Result};
use kontor_store::Change;
use kontor_store::identity::pushers::{self, PusherRow};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Pushers that a user may have.
const MOST: i64 = 50;
/// Longest key, bytes, and longest application id, characters (client-server API, "pushers/set").
const LONGEST_KEY: usize = 512;
const LONGEST_APP: usize = 64;
/// Longest name or language, characters.
const LONGEST_TEXT: usize = 256;
/// Longest address of a gateway, bytes.
const LONGEST_URL: usize = 2_048;
/// What a client may want to be handed on, bytes of JSON: it goes with every notification.
const LONGEST_DATA: usize = 4_096;
/// Where every gateway takes notifications.
const PATH: &str = "/_matrix/push/v1/notify";

/// What a client asks for.
#[derive(Debug, Deserialize)]
pub struct PusherWish {
    app_id: Option<String>,
    pushkey: Option<String>,
    /// `None` when the request says nothing of it, `null` inside when the pusher is to go.
    #[serde(default, deserialize_with = "present")]
    kind: Option<Option<String>>,
    app_display_name: Option<String>,
    device_display_name: Option<String>,
    profile_tag: Option<String>,
    lang: Option<String>,
    data: Option<Map<String, Value>>,
    #[serde(default)]
    append: bool,
}

fn present<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> std::result::Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

fn text(name: &str, value: &str, longest: usize) -> Result<()> {
    if value.chars().count() > longest || value.chars().any(char::is_control) {
        return Err(Error::invalid_param(format!(
            "{name} may have {longest} characters, none of them a control character."
        )));
    }
    Ok(())
}

impl PusherWish {
    /// The key by which the pusher is known.
    fn key(&self) -> Result<(&str, &str)> {
        let missing: Vec<&str> = [
            ("app_id", self.app_id.is_none()),
            ("pushkey", self.pushkey.is_none()),
            ("kind", self.kind.is_none()),
        ]
        .iter()
        .filter_map(|(name, missing)| missing.then_some(*name))
        .collect();
        let (Some(app_id), Some(pushkey), []) = (&self.app_id, &self.pushkey, missing.as_slice()) else {
            return Err(missing_params(&missing));
        };
        text("app_id", app_id, LONGEST_APP)?;
        text("pushkey", pushkey, LONGEST_KEY)?;
        if app_id.is_empty() || pushkey.is_empty() || pushkey.len() > LONGEST_KEY {
            return Err(Error::invalid_param(
                "app_id and pushkey may not be empty; a pushkey may have 512 bytes.",
            ));
        }
        Ok((app_id, pushkey))
    }

    /// The pusher as it is stored.
    fn row(&self, requester: &Requester, now: i64) -> Result<PusherRow> {
        let (app_id, pushkey) = self.key()?;
        if self.kind.as_ref().and_then(Option::as_deref) != Some("http") {
            return Err(Error::invalid_param("This server has pushers of the kind \"http\" only."));
        }
        let texts = [
            ("app_display_name", &self.app_display_name),
            ("device_display_name", &self.device_display_name),
            ("lang", &self.lang),
        ];
        let mut missing: Vec<&str> =
            texts.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| *name).collect();
        if self.data.is_none() {
            missing.push("data");
        }
        let (Some(app_name), Some(device_name), Some(lang), Some(data)) =
            (&self.app_display_name, &self.device_display_name, &self.lang, &self.data)
        else {
            return Err(missing_params(&missing));
        };
        for (name, value) in texts.into_iter().chain([("profile_tag", &self.profile_tag)]) {
            text(name, value.as_deref().unwrap_or_default(), LONGEST_TEXT)?;
        }
        let (url, data) = handed_on(data.clone())?;
        Ok(PusherRow {
            user: requester.user,
            user_id: requester.user_id.to_string(),
            app_id: app_id.to_owned(),
            pushkey: pushkey.to_owned(),
            device_id: requester.device_id.to_string(),
            app_display_name: app_name.clone(),
            device_display_name: device_name.clone(),
            profile_tag: self.profile_tag.clone(),
            lang: lang.clone(),
            url,
            data,
            set_ts: now,
            owed: None,
        })
    }
}

fn missing_params(names: &[&str]) -> Error {
    Error::new(Code::MissingParam, format!("Missing parameters: {}", names.join(", ")))
}

/// Takes the address of the gateway out of a pusher's data.
fn handed_on(mut data: Map<String, Value>) -> Result<(String, String)> {
    let url = match data.remove("url") {
        Some(Value::String(url)) => url,
        None => return Err(missing_params(&["data.url"])),
        Some(_) => return Err(Error::invalid_param("data.url must be a text.")),
    };
    if !is_gateway(&url) {
        return Err(Error::invalid_param(format!(
            "data.url must be a web address that ends in {PATH}, without a user name, query or fragment."
        )));
    }
    if data.get("format").is_some_and(|format| !format.is_string()) {
        return Err(Error::invalid_param("data.format must be a text."));
    }
    let data = Value::Object(data).to_string();
    if data.len() > LONGEST_DATA {
        return Err(Error::new(Code::TooLarge, "The data of the pusher is larger than 4 KiB."));
    }
    Ok((url, data))
}

/// Whether this is the address of a push gateway. Plain HTTP is let through: gateways for the
/// company's own applications stand in its network, where the operator opened a range for them.
fn is_gateway(url: &str) -> bool {
    let host = ["https://", "http://"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let host = host.and_then(|rest| rest.strip_suffix(PATH));
    let letter = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    url.len() <= LONGEST_URL && host.is_some_and(|host| !host.is_empty() && host.chars().all(letter))
}

impl Identity {
    /// The requester's pushers.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn pushers(&self, requester: &Requester) -> Result<Vec<PusherRow>> {
        let mut rows = pushers::of_users(&mut self.store.reader(), &[requester.user]).await?;
        rows.sort_unstable_by(|a, b| (a.set_ts, &a.pushkey).cmp(&(b.set_ts, &b.pushkey)));
        Ok(rows)
    }

    /// Plans to set or remove a pusher.
    ///
    /// # Errors
    /// `MissingParam` and `InvalidParam` for what cannot be set; `TooLarge` with too many pushers.
    pub async fn set_pusher(&self, requester: &Requester, wish: &PusherWish) -> Result<Change> {
        let (app_id, pushkey) = wish.key()?;
        let mut change = Change::default();
        if wish.kind == Some(None) {
            change.remove_pusher(requester.user, app_id, pushkey);
            return Ok(change);
        }
        let row = wish.row(requester, self.now())?;
        let mut reader = self.store.reader();
        if pushers::others_of(&mut reader, requester.user, app_id, pushkey).await? >= MOST {
            return Err(Error::new(Code::TooLarge, "You have too many pushers. Remove some first."));
        }
        if !wish.append {
            for holder in pushers::holders(&mut reader, app_id, pushkey).await? {
                if holder != requester.user {
                    change.remove_pusher(holder, app_id, pushkey);
                }
            }
        }
        change.set_pusher(&row);
        Ok(change)
    }

    /// Plans to remove a pusher that its gateway rejected.
    pub fn drop_pusher(&self, user: Nid, app_id: &str, pushkey: &str) -> Change {
        let mut change = Change::default();
        change.remove_pusher(user, app_id, pushkey);
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::House;
    use kontor_store::identity::sessions::NewSession;
    use serde_json::json;

    fn wish(change: impl FnOnce(&mut Value)) -> PusherWish {
        let mut body = json!({
            "app_id": "app", "pushkey": "key", "kind": "http", "app_display_name": "App", "lang": "en",
            "device_display_name": "Phone", "profile_tag": "x",
            "data": {"url": "https://g.example/_matrix/push/v1/notify", "format": "event_id_only", "x": 1},
        });
        change(&mut body);
        serde_json::from_value(body).unwrap()
    }

    /// Somebody who is logged in: pushers of ended sessions do not count.
    async fn somebody(house: &House, user_id: &str) -> Requester {
        let user = house.somebody(user_id).await;
        let mut change = Change::default();
        let new = NewSession {
            session: house.store.nid().await.unwrap(),
            user: user.user,
            device_id: user.device_id.to_string(),
            display_name: None,
            kind: "password",
            ts: 0,
        };
        change.open_session(new, false);
        house.store.submit(change).await.unwrap();
        user
    }

    async fn set(house: &House, user: &Requester, wish: &PusherWish) -> Result<()> {
        let change = house.identity.set_pusher(user, wish).await?;
        house.store.submit(change).await.map(|_| ())
    }

    #[test]
    fn gateways_are_known_by_their_addresses() {
        for good in [
            "https://g.example/_matrix/push/v1/notify",
            "http://10.0.0.1:8080/_matrix/push/v1/notify",
            "https://[::1]:1/_matrix/push/v1/notify",
        ] {
            assert!(is_gateway(good), "{good}");
        }
        for bad in [
            "",
            "https:///_matrix/push/v1/notify",
            "https://g.example/",
            "https://g.example/x/_matrix/push/v1/notify",
            "https://a@g.example/_matrix/push/v1/notify",
            "https://g.example?/_matrix/push/v1/notify",
            "https://g.example/_matrix/push/v1/notify?x",
            "ftp://g.example/_matrix/push/v1/notify",
        ] {
            assert!(!is_gateway(bad), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_pusher_is_set_changed_and_removed() {
        let house = House::new(|_| {}).await;
        let me = somebody(&house, "@me:localhost").await;
        set(&house, &me, &wish(|_| {})).await.unwrap();
        set(&house, &me, &wish(|body| body["lang"] = "pl".into())).await.unwrap();
        let rows = house.identity.pushers(&me).await.unwrap();
        assert_eq!(
            (rows.len(), rows[0].lang.as_str(), rows[0].data.as_str()),
            (1, "pl", r#"{"format":"event_id_only","x":1}"#)
        );
        let gone = wish(|body| *body = json!({"app_id": "app", "pushkey": "key", "kind": null}));
        set(&house, &me, &gone).await.unwrap();
        assert!(house.identity.pushers(&me).await.unwrap().is_empty());
        set(&house, &me, &gone).await.unwrap();
    }

    #[tokio::test]
    async fn another_account_on_the_same_device_takes_the_key_over_unless_it_is_appended() {
        let house = House::new(|_| {}).await;
        let anna = somebody(&house, "@anna:localhost").await;
        let bert = somebody(&house, "@bert:localhost").await;
        set(&house, &anna, &wish(|_| {})).await.unwrap();
        set(&house, &bert, &wish(|body| body["append"] = true.into())).await.unwrap();
        assert_eq!(house.identity.pushers(&anna).await.unwrap().len(), 1);
        set(&house, &bert, &wish(|_| {})).await.unwrap();
        assert!(house.identity.pushers(&anna).await.unwrap().is_empty());
        assert_eq!(house.identity.pushers(&bert).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_cannot_be_a_pusher_is_refused() {
        let house = House::new(|_| {}).await;
        let me = somebody(&house, "@me:localhost").await;
        type Case = (fn(&mut Value), Code);
        let cases: [Case; 11] = [
            (|body| drop(body.as_object_mut().unwrap().remove("kind")), Code::MissingParam),
            (|body| drop(body.as_object_mut().unwrap().remove("lang")), Code::MissingParam),
            (|body| drop(body.as_object_mut().unwrap().remove("app_id")), Code::MissingParam),
            (|body| body["data"] = json!({}), Code::MissingParam),
            (|body| body["data"]["url"] = 5.into(), Code::InvalidParam),
            (|body| body["data"]["url"] = "https://g.example/".into(), Code::InvalidParam),
            (|body| body["kind"] = "email".into(), Code::InvalidParam),
            (|body| body["app_id"] = "a".repeat(65).into(), Code::InvalidParam),
            (|body| body["pushkey"] = "ż".repeat(300).into(), Code::InvalidParam),
            (|body| body["lang"] = "e\u{1e}n".into(), Code::InvalidParam),
            (|body| body["data"]["x"] = "x".repeat(5_000).into(), Code::TooLarge),
        ];
        for (index, (change, code)) in cases.into_iter().enumerate() {
            assert_eq!(set(&house, &me, &wish(change)).await.unwrap_err().code, code, "case {index}");
        }
        for index in 0..MOST {
            set(&house, &me, &wish(|body| body["pushkey"] = format!("k{index}").into())).await.unwrap();
        }
        assert_eq!(set(&house, &me, &wish(|_| {})).await.unwrap_err().code, Code::TooLarge);
    }
}
