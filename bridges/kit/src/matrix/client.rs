//! A thin client of the homeserver, as its application service.

use crate::channel::Download;
use crate::json;
use bytes::Bytes;
use futures_util::StreamExt as _;
use kontor_model::{Code, Error, Ms, Result, Secret};
use serde_json::{Value, json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
/// For files.
const LONG_PATIENCE: Duration = Duration::from_secs(300);
/// Largest answer that is read whole, bytes.
const LARGEST_ANSWER: usize = 1 << 20;

/// The homeserver. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Homeserver {
    client: reqwest::Client,
    base: String,
    token: Secret<String>,
}

/// Why the homeserver did not do it.
#[derive(Debug)]
pub(crate) enum HomeError {
    /// It does not answer, or answers that it cannot now: try again, after so many milliseconds if it said.
    Away { after: Option<Ms>, cause: String },
    /// It does not know the bridge's token.
    Credentials,
    /// It does not want this.
    Refused { errcode: String, text: String },
}

impl HomeError {
    pub(crate) fn away(cause: impl ToString) -> Self {
        Self::Away { after: None, cause: cause.to_string() }
    }

    /// Whether it says that somebody is not in the room, or that there is no such room.
    pub fn is_outside(&self) -> bool {
        matches!(self, Self::Refused { errcode, .. } if errcode == "M_FORBIDDEN" || errcode == "M_NOT_FOUND")
    }
}

impl std::fmt::Display for HomeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Away { cause, .. } => write!(f, "the homeserver does not answer: {cause}"),
            Self::Credentials => f.write_str("the homeserver does not know the bridge's as_token"),
            Self::Refused { errcode, text } => write!(f, "the homeserver refuses: {errcode}: {text}"),
        }
    }
}

impl From<HomeError> for Error {
    fn from(error: HomeError) -> Self {
        let code = match &error {
            HomeError::Refused { errcode, .. } if errcode == "M_NOT_FOUND" => Code::NotFound,
            HomeError::Refused { .. } => Code::Forbidden,
            _ => Code::Unavailable,
        };
        Self::new(code, "The homeserver did not do it.").because(error.to_string())
    }
}

type Outcome<T> = std::result::Result<T, HomeError>;

/// In whose name, and when it happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct As<'a> {
    /// A ghost; the bridge's own user when `None`.
    pub user: Option<&'a str>,
    /// Milliseconds; now when `None`.
    pub ts: Option<Ms>,
}

/// A part of a path.
fn part(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

impl Homeserver {
    pub fn new(client: reqwest::Client, base: &str, token: Secret<String>) -> Self {
        Self { client, base: base.trim_end_matches('/').to_owned(), token }
    }

    fn request(&self, method: reqwest::Method, path: &str, by: As<'_>) -> reqwest::RequestBuilder {
        let mut query: Vec<(&str, String)> = Vec::new();
        query.extend(by.user.map(|user| ("user_id", user.to_owned())));
        query.extend(by.ts.map(|ts| ("ts", ts.to_string())));
        let request = self.client.request(method, format!("{}{path}", self.base)).query(&query);
        request.bearer_auth(self.token.expose()).timeout(PATIENCE)
    }

    /// Calls with JSON and reads JSON.
    pub async fn json(&self, method: &str, path: &str, by: As<'_>, body: Option<&Value>) -> Outcome<Value> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).map_err(HomeError::away)?;
        let request = self.request(method, path, by);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        answer(request).await
    }

    /// The bridge's own user.
    pub async fn whoami(&self) -> Outcome<String> {
        let answer = self.json("GET", "/_matrix/client/v3/account/whoami", As::default(), None).await?;
        Ok(json::text(&answer, "user_id").to_owned())
    }

    /// Sends an event; the same transaction id gives the same event.
    pub async fn send(
        &self,
        room: &str,
        kind: &str,
        txn: &str,
        by: As<'_>,
        content: &Value,
    ) -> Outcome<String> {
        let (room, kind) = (part(room), part(kind));
        let path = format!("/_matrix/client/v3/rooms/{room}/send/{kind}/{}", part(txn));
        let answer = self.json("PUT", &path, by, Some(content)).await?;
        event_id(&answer)
    }

    /// Redacts an event.
    pub async fn redact(&self, room: &str, event: &str, txn: &str, by: As<'_>) -> Outcome<String> {
        let (room, event) = (part(room), part(event));
        let path = format!("/_matrix/client/v3/rooms/{room}/redact/{event}/{}", part(txn));
        let answer = self.json("PUT", &path, by, Some(&json!({}))).await?;
        event_id(&answer)
    }

    /// Joins the bridge's own user.
    pub async fn join(&self, room: &str, by: As<'_>) -> Outcome<()> {
        let path = format!("/_matrix/client/v3/join/{}", part(room));
        self.json("POST", &path, by, Some(&json!({}))).await.map(drop)
    }

    /// Marks an event as read.
    pub async fn read(&self, room: &str, event: &str, by: As<'_>) -> Outcome<()> {
        let path = format!("/_matrix/client/v3/rooms/{}/receipt/m.read/{}", part(room), part(event));
        self.json("POST", &path, by, Some(&json!({}))).await.map(drop)
    }

    /// Says that a ghost is typing, for 30 s, or stopped.
    pub async fn typing(&self, room: &str, user: &str, on: bool) -> Outcome<()> {
        let path = format!("/_matrix/client/v3/rooms/{}/typing/{}", part(room), part(user));
        let body = if on { json!({ "typing": true, "timeout": 30_000 }) } else { json!({ "typing": false }) };
        let by = As { user: Some(user), ts: None };
        self.json("PUT", &path, by, Some(&body)).await.map(drop)
    }

    /// The display name of somebody.
    pub async fn display_name(&self, user: &str) -> Outcome<Option<String>> {
        let path = format!("/_matrix/client/v3/profile/{}/displayname", part(user));
        match self.json("GET", &path, As::default(), None).await {
            Ok(answer) => Ok(answer.get("displayname").and_then(Value::as_str).map(str::to_owned)),
            Err(HomeError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Uploads a file as it comes; gives its `mxc:` address.
    pub async fn upload(
        &self,
        name: &str,
        media_type: &str,
        by: As<'_>,
        bytes: impl futures_util::Stream<Item = Result<Bytes>> + Send + 'static,
    ) -> Outcome<String> {
        let request = self.request(reqwest::Method::POST, "/_matrix/media/v3/upload", by);
        let request = request.query(&[("filename", name)]).header("content-type", media_type);
        let request = request.timeout(LONG_PATIENCE).body(reqwest::Body::wrap_stream(bytes));
        let answer = answer(request).await?;
        let mxc = answer.get("content_uri").and_then(Value::as_str);
        mxc.map(str::to_owned).ok_or_else(|| HomeError::away("an upload without an address"))
    }

    /// Opens a file.
    pub async fn download(&self, mxc: &str) -> Result<Download> {
        let none = || Error::not_found("There is no such file.");
        let (server, media) =
            mxc.strip_prefix("mxc://").and_then(|rest| rest.split_once('/')).ok_or_else(none)?;
        let path = format!("/_matrix/client/v1/media/download/{}/{}", part(server), part(media));
        let request = self.request(reqwest::Method::GET, &path, As::default()).timeout(LONG_PATIENCE);
        let answer = request.send().await.map_err(|error| HomeError::away(error.without_url()))?;
        if !answer.status().is_success() {
            return Err(refusal(answer).await.into());
        }
        let header = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
        let media_type = header.map(str::to_owned);
        let size = answer.content_length();
        let bytes = answer.bytes_stream();
        let bytes = bytes.map(|chunk| chunk.map_err(|error| Error::internal(error.without_url())));
        Ok(Download { media_type, size, bytes: bytes.boxed() })
    }
}

fn event_id(answer: &Value) -> Outcome<String> {
    let event = answer.get("event_id").and_then(Value::as_str);
    event.map(str::to_owned).ok_or_else(|| HomeError::away("an answer without an event id"))
}

async fn answer(request: reqwest::RequestBuilder) -> Outcome<Value> {
    let answer = request.send().await.map_err(|error| HomeError::away(error.without_url()))?;
    if !answer.status().is_success() {
        return Err(refusal(answer).await);
    }
    let body = body(answer).await?;
    serde_json::from_slice(&body).map_err(HomeError::away)
}

async fn body(answer: reqwest::Response) -> Outcome<Vec<u8>> {
    let mut body = Vec::new();
    let mut chunks = answer.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.map_err(|error| HomeError::away(error.without_url()))?);
        if body.len() > LARGEST_ANSWER {
            return Err(HomeError::away("the answer is too large"));
        }
    }
    Ok(body)
}

async fn refusal(answer: reqwest::Response) -> HomeError {
    let status = answer.status().as_u16();
    let body = body(answer).await.unwrap_or_default();
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let errcode = json::text(&said, "errcode").to_owned();
    let text = json::text(&said, "error").to_owned();
    match status {
        401 => HomeError::Credentials,
        429 => {
            let after =
                said.get("retry_after_ms").and_then(Value::as_i64).map(|after| after.clamp(0, 600_000));
            HomeError::Away { after, cause: "too many requests".to_owned() }
        }
        // A refusal comes in Matrix's own form; what does not is some proxy in between.
        400..=499 if !errcode.is_empty() => HomeError::Refused { errcode, text },
        _ => HomeError::away(format!("status {status}")),
    }
}
