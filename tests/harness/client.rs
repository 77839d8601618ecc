//! One signed-in device: requests, and the few calls that nearly every claim needs.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};

use crate::homeserver::{Homeserver, answer};
use crate::response::Response;
use crate::wait::DEADLINE;

/// A device of a user. The short calls panic on anything but success; use [`Client::get`] and
/// its siblings where the answer itself is the claim.
#[derive(Debug, Clone)]
pub struct Client {
    homeserver: Homeserver,
    user_id: String,
    token: String,
    device_id: String,
}

/// Percent-encodes one path segment.
pub fn enc(segment: &str) -> String {
    segment.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// A transaction id that was never used.
fn new_txn() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("txn{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn text_of(body: &Value, field: &str) -> String {
    body[field].as_str().unwrap_or_else(|| panic!("no {field} in {body}")).to_owned()
}

impl Client {
    pub(crate) fn new(homeserver: Homeserver, user_id: String, token: String, device_id: String) -> Self {
        Self { homeserver, user_id, token, device_id }
    }

    /// `@name:server`.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// The access token; empty for [`Homeserver::anonymous`].
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The device.
    pub fn device_id(&self) -> &str {
        &self.device_id
    }

    /// Name without `@` and server.
    pub fn localpart(&self) -> &str {
        self.user_id.trim_start_matches('@').split(':').next().unwrap_or_default()
    }

    /// The homeserver this client talks to.
    pub fn homeserver(&self) -> &Homeserver {
        &self.homeserver
    }

    /// One request, whatever comes of it. Paths that do not start with `/_` are below
    /// `/_matrix/client/v3`.
    pub async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Response {
        self.homeserver.request(method, path, self.bearer(), body).await
    }

    /// As [`Self::request`]; `None` when the server is gone.
    pub async fn try_request(&self, method: Method, path: &str, body: Option<&Value>) -> Option<Response> {
        self.homeserver.try_request(method, path, self.bearer(), body).await
    }

    fn bearer(&self) -> Option<&str> {
        (!self.token.is_empty()).then_some(self.token.as_str())
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path, None).await
    }

    /// `POST path`.
    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path, Some(body)).await
    }

    /// `PUT path`.
    pub async fn put(&self, path: &str, body: &Value) -> Response {
        self.request(Method::PUT, path, Some(body)).await
    }

    /// `PATCH path`.
    pub async fn patch(&self, path: &str, body: &Value) -> Response {
        self.request(Method::PATCH, path, Some(body)).await
    }

    /// `PATCH path` of something that was read at a version (`If-Match`).
    pub async fn patch_if(&self, path: &str, version: &str, body: &Value) -> Response {
        let mut request = self.homeserver.http().request(Method::PATCH, self.homeserver.url(path)).json(body);
        if let Some(token) = self.bearer() {
            request = request.bearer_auth(token);
        }
        let request = request.header("if-match", format!("\"{version}\""));
        answer(&Method::PATCH, path, request.send().await).await
    }

    /// `DELETE path` without a body.
    pub async fn delete(&self, path: &str) -> Response {
        self.request(Method::DELETE, path, None).await
    }

    /// A request whose body is these bytes, as they are: for malformed JSON and for files.
    pub async fn send_bytes(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Response {
        let url = self.homeserver.url(path);
        let mut request = self.homeserver.http().request(method.clone(), url);
        if let Some(token) = self.bearer() {
            request = request.bearer_auth(token);
        }
        let request = request.header("content-type", content_type).body(body);
        answer(&method, path, request.send().await).await
    }

    /// `POST path` of these bytes with further headers, without a token: as somebody else's system does it.
    pub async fn post_as_stranger(&self, path: &str, headers: &[(&str, String)], body: Vec<u8>) -> Response {
        let mut request = self.homeserver.http().post(self.homeserver.url(path)).body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        answer(&Method::POST, path, request.send().await).await
    }

    /// `GET path` for a file: status, headers, bytes.
    pub async fn get_bytes(&self, path: &str) -> (u16, reqwest::header::HeaderMap, Vec<u8>) {
        let mut request = self.homeserver.http().get(self.homeserver.url(path));
        if let Some(token) = self.bearer() {
            request = request.bearer_auth(token);
        }
        let received = request.send().await.unwrap_or_else(|e| panic!("GET {path}: {e:?}"));
        let (status, headers) = (received.status().as_u16(), received.headers().clone());
        let bytes = received.bytes().await.unwrap_or_else(|e| panic!("GET {path}: {e:?}"));
        (status, headers, bytes.to_vec())
    }

    // ---- rooms ----

    /// Makes a room; `request` is the body of `createRoom`. Gives the room id.
    pub async fn create_room(&self, request: Value) -> String {
        text_of(&self.post("/createRoom", &request).await.ok(), "room_id")
    }

    /// Makes a private room with `members` in it, all joined.
    pub async fn room_with(&self, members: &[&Client]) -> String {
        let invited: Vec<&str> = members.iter().map(|member| member.user_id()).collect();
        let room = self.create_room(json!({ "preset": "private_chat", "invite": invited })).await;
        for member in members {
            member.join(&room).await;
        }
        room
    }

    /// Makes a room that anyone may join.
    pub async fn public_room(&self) -> String {
        self.create_room(json!({ "preset": "public_chat" })).await
    }

    /// Invites `other`.
    pub async fn invite(&self, room: &str, other: &Client) {
        let body = json!({ "user_id": other.user_id() });
        self.post(&format!("/rooms/{}/invite", enc(room)), &body).await.ok();
    }

    /// Joins.
    pub async fn join(&self, room: &str) {
        self.post(&format!("/join/{}", enc(room)), &json!({})).await.ok();
    }

    /// Leaves, or refuses an invitation.
    pub async fn leave(&self, room: &str) {
        self.post(&format!("/rooms/{}/leave", enc(room)), &json!({})).await.ok();
    }

    /// Removes `other`.
    pub async fn kick(&self, room: &str, other: &Client) {
        let body = json!({ "user_id": other.user_id(), "reason": "test" });
        self.post(&format!("/rooms/{}/kick", enc(room)), &body).await.ok();
    }

    /// Bans `other`.
    pub async fn ban(&self, room: &str, other: &Client) {
        let body = json!({ "user_id": other.user_id(), "reason": "test" });
        self.post(&format!("/rooms/{}/ban", enc(room)), &body).await.ok();
    }

    // ---- events ----

    /// Sends an event. Gives its id.
    pub async fn send(&self, room: &str, kind: &str, content: &Value) -> String {
        text_of(&self.send_txn(room, kind, &new_txn(), content).await.ok(), "event_id")
    }

    /// Sends an event with this transaction id.
    pub async fn send_txn(&self, room: &str, kind: &str, txn: &str, content: &Value) -> Response {
        self.put(&format!("/rooms/{}/send/{}/{}", enc(room), enc(kind), enc(txn)), content).await
    }

    /// Sends a text message. Gives its event id.
    pub async fn text(&self, room: &str, body: &str) -> String {
        self.send(room, "m.room.message", &json!({ "msgtype": "m.text", "body": body })).await
    }

    /// Sets state. Gives the event id.
    pub async fn set_state(&self, room: &str, kind: &str, key: &str, content: &Value) -> String {
        let path = format!("/rooms/{}/state/{}/{}", enc(room), enc(kind), enc(key));
        text_of(&self.put(&path, content).await.ok(), "event_id")
    }

    /// The content of a piece of state.
    pub async fn state(&self, room: &str, kind: &str, key: &str) -> Response {
        self.get(&format!("/rooms/{}/state/{}/{}", enc(room), enc(kind), enc(key))).await
    }

    /// Redacts. Gives the redaction's event id.
    pub async fn redact(&self, room: &str, event: &str) -> String {
        let path = format!("/rooms/{}/redact/{}/{}", enc(room), enc(event), new_txn());
        text_of(&self.put(&path, &json!({ "reason": "test" })).await.ok(), "event_id")
    }

    /// One event.
    pub async fn event(&self, room: &str, event: &str) -> Response {
        self.get(&format!("/rooms/{}/event/{}", enc(room), enc(event))).await
    }

    /// Messages, from the newest backwards: the whole timeline that the user may see, oldest
    /// first.
    pub async fn whole_timeline(&self, room: &str) -> Vec<Value> {
        let mut events = Vec::new();
        let mut from = String::new();
        loop {
            let path = format!("/rooms/{}/messages?dir=b&limit=100{from}", enc(room));
            let page = self.get(&path).await.ok();
            events.extend(page["chunk"].as_array().cloned().unwrap_or_default());
            match page["end"].as_str() {
                Some(end) => from = format!("&from={}", enc(end)),
                None => break,
            }
        }
        events.reverse();
        events
    }

    // ---- sync ----

    /// One `/sync`: everything when `since` is `None`, else what came after, waiting up to
    /// `timeout_ms`.
    pub async fn sync(&self, since: Option<&str>, timeout_ms: u32) -> Value {
        let since = since.map(|since| format!("&since={}", enc(since))).unwrap_or_default();
        self.get(&format!("/sync?timeout={timeout_ms}{since}")).await.ok()
    }

    /// A token for "now": what happens later is new to it.
    pub async fn now(&self) -> String {
        text_of(&self.sync(None, 0).await, "next_batch")
    }

    /// Syncs on from `since`, moving it, until `found` gives something.
    pub async fn sync_until<T>(&self, since: &mut String, mut found: impl FnMut(&Value) -> Option<T>) -> T {
        let end = Instant::now() + DEADLINE;
        loop {
            let answer = self.sync(Some(since), 5_000).await;
            *since = text_of(&answer, "next_batch");
            if let Some(found) = found(&answer) {
                return found;
            }
            assert!(Instant::now() < end, "not seen in /sync within {DEADLINE:?}: last {answer}");
        }
    }

    /// Syncs on from `since` until the event with this id is in the room's timeline; gives it.
    pub async fn sync_until_event(&self, since: &mut String, room: &str, event: &str) -> Value {
        self.sync_until(since, |answer| {
            timeline(answer, room).into_iter().find(|seen| seen["event_id"] == event)
        })
        .await
    }

    /// Uploads a file. Gives its `mxc://` URI.
    pub async fn upload(&self, content_type: &str, name: &str, bytes: Vec<u8>) -> String {
        let path = format!("/_matrix/media/v3/upload?filename={}", enc(name));
        text_of(&self.send_bytes(Method::POST, &path, content_type, bytes).await.ok(), "content_uri")
    }
}

/// The timeline events of a joined room in a sync answer.
pub fn timeline(sync: &Value, room: &str) -> Vec<Value> {
    sync["rooms"]["join"][room]["timeline"]["events"].as_array().cloned().unwrap_or_default()
}
