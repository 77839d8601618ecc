//! A gateway, and what it was told.

use harness::{Client, Response};
use serde_json::{Value, json};

use crate::client::website::{Asked, Reply, Website};

/// A push gateway.
pub(super) struct Gateway(pub Website);

/// The body of `pushers/set` for a pusher with this key at a gateway.
pub(super) fn pusher(url: &str, pushkey: &str, format: Option<&str>) -> Value {
    let mut data = json!({ "url": url, "brand": "phone" });
    if let Some(format) = format {
        data["format"] = format.into();
    }
    json!({
        "app_id": "org.example.app", "pushkey": pushkey, "kind": "http", "lang": "en", "data": data,
        "app_display_name": "App", "device_display_name": "Phone",
    })
}

/// The notification in a request.
pub(super) fn notification(asked: &Asked) -> Value {
    asked.json["notification"].clone()
}

impl Gateway {
    /// One that takes everything.
    pub async fn open() -> Self {
        Self(Website::open(|_| Reply::status(200)).await)
    }

    /// Its address.
    pub fn url(&self) -> String {
        self.0.url("/_matrix/push/v1/notify")
    }

    /// Lets a client be told here, in full or ids only; the user's id is the key.
    pub async fn tell(&self, client: &Client, format: Option<&str>) {
        self.set(client, client.user_id(), format).await.ok();
    }

    /// Sets a pusher with a key.
    pub async fn set(&self, client: &Client, pushkey: &str, format: Option<&str>) -> Response {
        client.post("/pushers/set", &pusher(&self.url(), pushkey, format)).await
    }

    /// Waits until this event was told to the device with this key; gives the notification.
    pub async fn told(&self, event: &str, pushkey: &str) -> Value {
        let found = |asked: &Asked| {
            let told = notification(asked);
            (told["event_id"] == event && told["devices"][0]["pushkey"] == pushkey).then_some(told)
        };
        self.0.until("a notification of the event", found).await
    }

    /// Waits until a badge alone was told.
    pub async fn badge(&self, unread: i64) -> Value {
        let found = |asked: &Asked| {
            let told = notification(asked);
            (told["counts"]["unread"] == unread && told.get("event_id").is_none()).then_some(told)
        };
        self.0.until("a badge", found).await
    }

    /// The ids of the events that were told so far, oldest first.
    pub fn events(&self) -> Vec<String> {
        let told = self.0.asked().iter().map(notification).collect::<Vec<_>>();
        told.iter().filter_map(|told| told["event_id"].as_str().map(str::to_owned)).collect()
    }
}
