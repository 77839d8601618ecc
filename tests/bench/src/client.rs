//! The few Matrix client-server requests that the scenarios need, over kept-alive connections. Answers are
//! parsed only as far as the generator needs them. No scenario logic here.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};
use sha1::Sha1;

/// Longer than any long poll; a server that does not answer by then has failed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// A homeserver, by URL.
#[derive(Clone)]
pub struct Server {
    http: reqwest::Client,
    base: String,
}

/// A logged-in account.
#[derive(Clone)]
pub struct User {
    server: Server,
    token: String,
}

/// What a `/sync` is asked for.
pub struct SyncRequest<'a> {
    /// Inline filter as JSON.
    pub filter: &'a str,
    /// Token of the previous answer; `None` for an initial sync.
    pub since: Option<&'a str>,
    /// How long the server may wait for news.
    pub timeout: Duration,
}

/// One page of `/messages`.
#[derive(Deserialize)]
pub struct Page {
    /// Token of the next page, absent at the end of the room.
    pub end: Option<String>,
    /// Its events, unread.
    pub chunk: Vec<IgnoredAny>,
}

/// An answer of sliding sync, as far as the scenarios look.
pub struct Slid {
    /// Rooms that were told, unread.
    pub rooms: std::collections::HashMap<String, IgnoredAny>,
    /// Size of the answer.
    pub bytes: usize,
}

#[derive(Deserialize)]
struct Account {
    access_token: String,
}

impl Server {
    /// A client for the homeserver at `url`.
    pub fn new(url: &str) -> Result<Self> {
        let http = reqwest::Client::builder()
            .tcp_nodelay(true)
            .pool_max_idle_per_host(usize::MAX)
            .no_proxy()
            .timeout(REQUEST_TIMEOUT)
            .build()?;
        Ok(Self { http, base: url.trim_end_matches('/').to_owned() })
    }

    /// Registers by Synapse's shared-secret endpoint: a nonce, and an HMAC-SHA1 over the account's data.
    pub async fn register_with_secret(&self, name: &str, secret: &str) -> Result<User> {
        #[derive(Deserialize)]
        struct Nonce {
            nonce: String,
        }
        let path = "/_synapse/admin/v1/register";
        let Nonce { nonce } = json_of(self.request(Method::GET, path)).await?;
        let mut mac =
            Hmac::<Sha1>::new_from_slice(secret.as_bytes()).context("the shared secret cannot be a key")?;
        mac.update([nonce.as_str(), name, name, "notadmin"].join("\0").as_bytes());
        let mac: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let body = json!({"nonce": nonce, "username": name, "password": name, "admin": false, "mac": mac});
        let account = json_of(self.request(Method::POST, path).json(&body)).await?;
        Ok(self.user(account))
    }

    /// Registers through user-interactive authentication with the single stage `m.login.dummy`.
    pub async fn register_with_dummy(&self, name: &str) -> Result<User> {
        #[derive(Deserialize)]
        struct Challenge {
            session: Option<String>,
        }
        let path = "/_matrix/client/v3/register";
        let mut body = json!({"username": name, "password": name});
        let answer = self.request(Method::POST, path).json(&body).send().await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(self.user(json_in(answer).await?));
        }
        let Challenge { session } = serde_json::from_slice(&answer.bytes().await?)?;
        let auth = json!({"type": "m.login.dummy", "session": session});
        body.as_object_mut().context("not an object")?.insert("auth".to_owned(), auth);
        let account = json_of(self.request(Method::POST, path).json(&body)).await?;
        Ok(self.user(account))
    }

    /// An account that is logged in already.
    pub fn user_with(&self, token: &str) -> User {
        User { server: self.clone(), token: token.to_owned() }
    }

    fn user(&self, account: Account) -> User {
        User { server: self.clone(), token: account.access_token }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }
}

impl User {
    /// Creates a room that anybody may join.
    pub async fn create_room(&self) -> Result<String> {
        #[derive(Deserialize)]
        struct Created {
            room_id: String,
        }
        let body = json!({"preset": "public_chat", "name": "Bench", "topic": "Load test"});
        let Created { room_id } = json_of(self.post("createRoom").json(&body)).await?;
        Ok(room_id)
    }

    /// Joins a room.
    pub async fn join(&self, room: &str) -> Result<()> {
        let _: IgnoredAny = json_of(self.post(&format!("join/{room}")).json(&json!({}))).await?;
        Ok(())
    }

    /// Sends a text message; `txn` must be new for this user.
    pub async fn send(&self, room: &str, txn: &str, text: &str) -> Result<()> {
        let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{txn}");
        let body = json!({"msgtype": "m.text", "body": text});
        let _: IgnoredAny = json_of(self.authorised(Method::PUT, &path).json(&body)).await?;
        Ok(())
    }

    /// The body of one `/sync`.
    pub async fn sync(&self, request: SyncRequest<'_>) -> Result<Vec<u8>> {
        let timeout = request.timeout.as_millis().to_string();
        let mut query = vec![("filter", request.filter), ("timeout", &timeout), ("set_presence", "offline")];
        query.extend(request.since.map(|since| ("since", since)));
        bytes_of(self.authorised(Method::GET, "/_matrix/client/v3/sync").query(&query)).await
    }

    /// One page of a room's history, backwards; `from` is `None` for the newest page.
    pub async fn messages(&self, room: &str, from: Option<&str>, limit: usize) -> Result<Page> {
        let limit = limit.to_string();
        let mut query = vec![("dir", "b"), ("limit", &limit)];
        query.extend(from.map(|from| ("from", from)));
        let path = format!("/_matrix/client/v3/rooms/{room}/messages");
        json_of(self.authorised(Method::GET, &path).query(&query)).await
    }

    /// Uploads a PNG; answers `SERVER/MEDIA_ID`.
    pub async fn upload(&self, image: Vec<u8>) -> Result<String> {
        #[derive(Deserialize)]
        struct Uploaded {
            content_uri: String,
        }
        let request =
            self.authorised(Method::POST, "/_matrix/media/v3/upload").header("content-type", "image/png");
        let Uploaded { content_uri } = json_of(request.body(image)).await?;
        Ok(content_uri.strip_prefix("mxc://").context("upload answered no mxc:// URI")?.to_owned())
    }

    /// Downloads media given as `SERVER/MEDIA_ID`.
    pub async fn download(&self, media: &str) -> Result<Vec<u8>> {
        bytes_of(self.authorised(Method::GET, &format!("/_matrix/client/v1/media/download/{media}"))).await
    }

    /// Fetches a thumbnail of at least 320 × 240 pixels.
    pub async fn thumbnail(&self, media: &str) -> Result<Vec<u8>> {
        let query = [("width", "320"), ("height", "240"), ("method", "scale")];
        let path = format!("/_matrix/client/v1/media/thumbnail/{media}");
        bytes_of(self.authorised(Method::GET, &path).query(&query)).await
    }

    /// One request of simplified sliding sync (MSC4186).
    pub async fn sliding_sync(&self, request: &Value) -> Result<Slid> {
        #[derive(Deserialize)]
        struct Answer {
            rooms: std::collections::HashMap<String, IgnoredAny>,
        }
        let path = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync";
        let bytes = bytes_of(self.authorised(Method::POST, path).json(request)).await?;
        let Answer { rooms } = serde_json::from_slice(&bytes).context("the answer tells no rooms")?;
        Ok(Slid { rooms, bytes: bytes.len() })
    }

    /// Searches messages; how many were found in all.
    pub async fn search(&self, term: &str) -> Result<u64> {
        #[derive(Deserialize)]
        struct Found {
            search_categories: Categories,
        }
        #[derive(Deserialize)]
        struct Categories {
            room_events: Events,
        }
        #[derive(Deserialize)]
        struct Events {
            count: u64,
        }
        let events = json!({"search_term": term, "order_by": "recent"});
        let body = json!({"search_categories": {"room_events": events}});
        let Found { search_categories } = json_of(self.post("search").json(&body)).await?;
        Ok(search_categories.room_events.count)
    }

    /// Wants to be told by a push gateway.
    pub async fn set_pusher(&self, gateway: &str, key: &str) -> Result<()> {
        let body = json!({
            "kind": "http", "app_id": "bench", "app_display_name": "bench", "device_display_name": "bench",
            "lang": "en", "pushkey": key, "append": true,
            "data": {"url": gateway, "format": "event_id_only"},
        });
        let _: IgnoredAny = json_of(self.post("pushers/set").json(&body)).await?;
        Ok(())
    }

    /// Asks who the token belongs to: the cheapest request that needs the database.
    pub async fn whoami(&self) -> Result<()> {
        let _: Value = json_of(self.authorised(Method::GET, "/_matrix/client/v3/account/whoami")).await?;
        Ok(())
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.authorised(Method::POST, &format!("/_matrix/client/v3/{path}"))
    }

    fn authorised(&self, method: Method, path: &str) -> RequestBuilder {
        self.server.request(method, path).bearer_auth(&self.token)
    }
}

/// The `next_batch` of a sync answer.
pub fn next_batch(sync: &[u8]) -> Result<String> {
    #[derive(Deserialize)]
    struct Sync {
        next_batch: String,
    }
    let Sync { next_batch } = serde_json::from_slice(sync).context("/sync answered no next_batch")?;
    Ok(next_batch)
}

/// How many joined rooms a sync answer lists.
pub fn joined_rooms(sync: &[u8]) -> Result<usize> {
    #[derive(Deserialize)]
    struct Sync {
        #[serde(default)]
        rooms: Rooms,
    }
    #[derive(Default, Deserialize)]
    struct Rooms {
        #[serde(default)]
        join: std::collections::HashMap<String, IgnoredAny>,
    }
    let Sync { rooms } = serde_json::from_slice(sync).context("/sync answered something else")?;
    Ok(rooms.join.len())
}

async fn json_of<T: DeserializeOwned>(request: RequestBuilder) -> Result<T> {
    json_in(request.send().await?).await
}

async fn json_in<T: DeserializeOwned>(answer: reqwest::Response) -> Result<T> {
    serde_json::from_slice(&checked(answer).await?)
        .context("the answer is not what the specification promises")
}

async fn bytes_of(request: RequestBuilder) -> Result<Vec<u8>> {
    checked(request.send().await?).await
}

/// The body of a 200, or an error that quotes the answer.
async fn checked(answer: reqwest::Response) -> Result<Vec<u8>> {
    let (status, path) = (answer.status(), answer.url().path().to_owned());
    let body = answer.bytes().await?;
    match status {
        StatusCode::OK => Ok(body.into()),
        StatusCode::TOO_MANY_REQUESTS => {
            bail!("{path} answered 429: switch the server's rate limits off to measure it")
        }
        _ => {
            let text: String = String::from_utf8_lossy(&body).chars().take(300).collect();
            bail!("{path} answered {status}: {text}")
        }
    }
}
