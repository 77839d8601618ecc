//! A homeserver as clients see it: a URL, and ways to get accounts on it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha1::Sha1;

use crate::client::Client;
use crate::conformance::demand;
use crate::http;
use crate::response::Response;

/// Password of every user that the tests make.
const PASSWORD: &str = "correct horse battery staple";

/// One homeserver, reached by one test. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Homeserver {
    base_url: String,
    shared_secret: String,
    http: reqwest::Client,
}

impl Homeserver {
    /// The homeserver at `base_url` (no slash at the end).
    pub fn new(base_url: String, shared_secret: String) -> Self {
        Self { base_url, shared_secret, http: http::client() }
    }

    /// Where it is, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The secret of shared-secret registration.
    pub fn shared_secret(&self) -> &str {
        &self.shared_secret
    }

    /// The HTTP client, for requests that [`Client`] cannot make.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Password of the users that [`Self::register`] makes.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// A client without an access token.
    pub fn anonymous(&self) -> Client {
        Client::new(self.clone(), String::new(), String::new(), String::new())
    }

    /// The same account seen through this homeserver's URL: for several processes on one
    /// database, and after a restart on another port.
    pub fn client_like(&self, client: &Client) -> Client {
        let token = client.token().to_owned();
        Client::new(self.clone(), client.user_id().into(), token, client.device_id().into())
    }

    /// Makes a user whose name starts with `name` and is new, and logs in.
    pub async fn register(&self, name: &str) -> Client {
        self.register_exactly(&unique(name), false).await
    }

    /// As [`Self::register`]; the user is a server administrator.
    pub async fn register_admin(&self, name: &str) -> Client {
        self.register_exactly(&unique(name), true).await
    }

    /// Makes the user with this localpart by shared-secret registration.
    pub async fn register_exactly(&self, localpart: &str, admin: bool) -> Client {
        const PATH: &str = "/_synapse/admin/v1/register";
        let anonymous = self.anonymous();
        let nonce = anonymous.get(PATH).await.ok()["nonce"].as_str().expect("a nonce").to_owned();
        let kind = if admin { "admin" } else { "notadmin" };
        let signed = [nonce.as_str(), localpart, PASSWORD, kind].join("\0");
        let body = json!({
            "nonce": nonce,
            "username": localpart,
            "password": PASSWORD,
            "admin": admin,
            "mac": hmac_sha1(&self.shared_secret, &signed),
        });
        self.signed_in(anonymous.post(PATH, &body).await)
    }

    /// Logs the user in once more: a new device.
    pub async fn login(&self, user_id: &str) -> Client {
        let body = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": user_id },
            "password": PASSWORD,
        });
        self.signed_in(self.anonymous().post("/login", &body).await)
    }

    /// The client of an answer that carries an access token (login, registration).
    #[track_caller]
    pub fn signed_in(&self, answer: Response) -> Client {
        let body = answer.ok();
        let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Client::new(self.clone(), field("user_id"), field("access_token"), field("device_id"))
    }

    /// One request. Paths that do not start with `/_` are below `/_matrix/client/v3`.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Response {
        let mut request = self.http.request(method.clone(), self.url(path));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        answer(&method, path, request.send().await).await
    }

    /// As [`Self::request`], for tests in which the server may be gone: `None` when no whole
    /// answer came.
    pub async fn try_request(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Option<Response> {
        let mut request = self.http.request(method.clone(), self.url(path));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let received = request.send().await.ok()?;
        let (status, headers) = (received.status().as_u16(), received.headers().clone());
        let json = serde_json::from_slice(&received.bytes().await.ok()?).ok()?;
        demand(method.as_str(), &whole_path(path), status, &json);
        Some(Response { asked: format!("{method} {path}"), status, headers, json })
    }

    /// The whole URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{}", self.base_url, whole_path(path))
    }
}

/// Paths that do not start with `/_` are below `/_matrix/client/v3`.
fn whole_path(path: &str) -> String {
    let whole = ["/_", "/health/", "/.well-known/"].iter().any(|start| path.starts_with(start));
    let prefix = if whole { "" } else { "/_matrix/client/v3" };
    format!("{prefix}{path}")
}

pub(crate) async fn answer(
    method: &Method,
    path: &str,
    sent: Result<reqwest::Response, reqwest::Error>,
) -> Response {
    let asked = format!("{method} {path}");
    let received = sent.unwrap_or_else(|error| panic!("{asked}: no answer: {error:?}"));
    let (status, headers) = (received.status().as_u16(), received.headers().clone());
    let bytes = received.bytes().await.unwrap_or_else(|error| panic!("{asked}: cut off: {error:?}"));
    let json = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()))
    };
    demand(method.as_str(), &whole_path(path), status, &json);
    Response { asked, status, headers, json }
}

/// A localpart that no other test, and no earlier run on the same homeserver, has used.
fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    format!("{name}-{now:x}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn hmac_sha1(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("any length is a key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
