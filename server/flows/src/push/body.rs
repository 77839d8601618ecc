//! What a gateway is told: the body of `POST /_matrix/push/v1/notify`.

use kontor_identity::push::Tweaks;
use kontor_store::identity::pushers::PusherRow;
use kontor_store::rooms::pushed::News;
use serde_json::{Map, Value, json};

/// What a room and a sender are called.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Name of the room.
    pub room: Option<String>,
    /// Its canonical alias.
    pub alias: Option<String>,
    /// The sender's name in the room.
    pub sender: Option<String>,
}

/// An event that people are told of.
#[derive(Debug)]
pub(super) struct Brief {
    /// The event.
    pub news: News,
    /// Read when somebody is told more than the event's id.
    pub names: Option<Names>,
}

impl Names {
    /// From what [`kontor_store::rooms::pushed::called`] gives.
    pub fn of(contents: Vec<(String, String)>) -> Self {
        let mut names = Self::default();
        for (kind, content) in contents {
            let Ok(content) = serde_json::from_str::<Value>(&content) else { continue };
            let text =
                |key: &str| content.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
            match kind.as_str() {
                "m.room.name" => names.room = text("name"),
                "m.room.canonical_alias" => names.alias = text("alias"),
                _ => names.sender = text("displayname"),
            }
        }
        names
    }
}

/// Whether the pusher wants to be told ids only.
pub(super) fn ids_only(pusher: &PusherRow) -> bool {
    let data = serde_json::from_str::<Value>(&pusher.data).unwrap_or_default();
    data.get("format").and_then(Value::as_str) == Some("event_id_only")
}

/// Whether a phone is to be woken at once: for what makes a noise, stands out, or cannot be judged
/// before it is decrypted; the rest may wait for the phone's own time.
fn is_urgent(news: &News, tweaks: &Tweaks) -> bool {
    news.kind == "m.room.encrypted" || tweaks.contains_key("sound") || tweaks.contains_key("highlight")
}

/// The notification of one device. Without an event it only sets the badge.
///
/// The badge is told when it is 0 as well, although the specification would leave it out: a gateway
/// that is told no number leaves the old one standing.
pub(super) fn body(pusher: &PusherRow, brief: Option<&Brief>, tweaks: &Tweaks, badge: i64) -> String {
    let mut told = Map::new();
    let mut device = json!({
        "app_id": pusher.app_id,
        "pushkey": pusher.pushkey,
        "pushkey_ts": pusher.set_ts / 1_000,
        "data": serde_json::from_str::<Value>(&pusher.data).unwrap_or_default(),
    });
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            told.insert(key.to_owned(), value);
        }
    };
    put("counts", json!({ "unread": badge }));
    match brief {
        None => put("prio", "low".into()),
        Some(Brief { news, names }) => {
            put("event_id", news.event_id.as_str().into());
            put("room_id", news.room_id.as_str().into());
            put("prio", if is_urgent(news, tweaks) { "high" } else { "low" }.into());
            if !tweaks.is_empty()
                && let Some(device) = device.as_object_mut()
            {
                device.insert("tweaks".to_owned(), Value::Object(tweaks.clone()));
            }
            if !ids_only(pusher) {
                let names = names.clone().unwrap_or_default();
                put("type", news.kind.as_str().into());
                put("sender", news.sender.as_str().into());
                put("sender_display_name", names.sender.into());
                put("room_name", names.room.into());
                put("room_alias", names.alias.into());
                put("content", serde_json::from_str(&news.content).unwrap_or_default());
                if news.kind == "m.room.member" {
                    put("user_is_target", (news.state_key.as_deref() == Some(&pusher.user_id)).into());
                }
            }
        }
    }
    put("devices", json!([device]));
    json!({ "notification": told }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pusher(data: &str) -> PusherRow {
        PusherRow {
            user: 1,
            user_id: "@me:x".into(),
            app_id: "app".into(),
            pushkey: "key".into(),
            device_id: "D".into(),
            app_display_name: "App".into(),
            device_display_name: "Phone".into(),
            profile_tag: None,
            lang: "en".into(),
            url: "https://g.example/_matrix/push/v1/notify".into(),
            data: data.into(),
            set_ts: 12_345_678,
            owed: None,
        }
    }

    fn brief(kind: &str, content: Value) -> Brief {
        let news = News {
            event: 1,
            event_id: "$e".into(),
            room: 2,
            room_id: "!r:x".into(),
            ord: 3,
            kind: kind.into(),
            sender_nid: 4,
            sender: "@anna:x".into(),
            state_key: (kind == "m.room.member").then(|| "@me:x".into()),
            received_ts: 0,
            redacted: false,
            content: content.to_string(),
        };
        let names = Names { room: Some("Canteen".into()), alias: None, sender: Some("Anna".into()) };
        Brief { news, names: Some(names) }
    }

    fn told(pusher: &PusherRow, brief: Option<&Brief>, tweaks: Value) -> Value {
        let Value::Object(tweaks) = tweaks else { panic!("{tweaks}") };
        serde_json::from_str(&body(pusher, brief, &tweaks, 2)).unwrap()
    }

    #[test]
    fn a_device_that_wants_ids_is_told_ids() {
        let pusher = pusher(r#"{"format":"event_id_only","x":1}"#);
        let said = told(
            &pusher,
            Some(&brief("m.room.message", json!({"body": "secret"}))),
            json!({"sound": "default"}),
        );
        let device = json!({"app_id": "app", "pushkey": "key", "pushkey_ts": 12_345,
            "data": {"format": "event_id_only", "x": 1}, "tweaks": {"sound": "default"}});
        assert_eq!(
            said,
            json!({"notification": {"event_id": "$e", "room_id": "!r:x", "prio": "high",
            "counts": {"unread": 2}, "devices": [device]}})
        );
    }

    #[test]
    fn a_device_that_wants_everything_is_told_everything() {
        let said = told(&pusher("{}"), Some(&brief("m.room.message", json!({"body": "hi"}))), json!({}));
        let said = &said["notification"];
        assert_eq!(said["content"], json!({"body": "hi"}));
        assert_eq!((&said["sender_display_name"], &said["room_name"]), (&json!("Anna"), &json!("Canteen")));
        assert_eq!((&said["type"], &said["prio"]), (&json!("m.room.message"), &json!("low")));
        assert!(said.get("room_alias").is_none() && said.get("user_is_target").is_none());
        let said =
            told(&pusher("{}"), Some(&brief("m.room.member", json!({"membership": "invite"}))), json!({}));
        assert_eq!(said["notification"]["user_is_target"], true);
    }

    #[test]
    fn a_badge_alone_names_no_event() {
        let said = told(&pusher("{}"), None, json!({}));
        assert_eq!(said["notification"]["counts"]["unread"], 2);
        assert!(
            said["notification"].get("event_id").is_none() && said["notification"].get("room_id").is_none()
        );
    }
}
