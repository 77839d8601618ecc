//! Requests to providers: timeouts, size limits, and the knowledge whether anything was written.
//!
//! Addresses and headers may hold tokens and are never logged.

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use kontor_model::{Code, Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::channel::Download;

/// Largest answer that is read whole, bytes.
const LARGEST_ANSWER: usize = 4 << 20;
const CONNECT: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(30);

/// The way out.
#[derive(Clone, Debug)]
pub struct Outward {
    client: reqwest::Client,
}

/// One request.
#[derive(Clone, Default)]
pub struct Call {
    /// `GET`, `POST`, …
    pub method: String,
    /// Where.
    pub url: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
    /// How long the answer may take; 30 s when `None`. Long polls need more.
    pub patience: Option<Duration>,
}

/// An answer of any status.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The value of `retry-after` in milliseconds, if it is there and a number of seconds.
    pub retry_after: Option<i64>,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether the status says that it worked.
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// No answer.
#[derive(Debug)]
pub struct CallError {
    /// True when the provider may have got the request.
    pub written: bool,
    /// What happened, without the address.
    pub cause: String,
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        Self::new(Code::Unavailable, "The network does not answer.").because(error.cause)
    }
}

impl From<CallError> for crate::channel::SendError {
    fn from(error: CallError) -> Self {
        Self { written: error.written, cause: error.cause }
    }
}

impl CallError {
    fn of(error: reqwest::Error) -> Self {
        // Only what failed before a connection stood is certainly unwritten.
        let written = !(error.is_connect() || error.is_builder());
        Self { written, cause: error.without_url().to_string() }
    }
}

impl Outward {
    /// With this client.
    pub(crate) fn new(client: reqwest::Client) -> Self {
        Self { client }
    }

    /// Asks and reads the whole answer, of whatever status.
    ///
    /// # Errors
    /// When there is no answer, or a larger one than 4 MB.
    pub async fn call(&self, call: Call) -> std::result::Result<Response, CallError> {
        let body = call.body.clone().into();
        let answer = self.start(call, body).await.map_err(CallError::of)?;
        read(answer).await
    }

    /// Asks with a body of `size` bytes that is passed through as it comes; the call's own is not used.
    ///
    /// # Errors
    /// As [`Outward::call`]. A body that breaks off is unwritten: nobody takes half of it.
    pub async fn upload(
        &self,
        mut call: Call,
        body: BoxStream<'static, Result<Bytes>>,
        size: Option<u64>,
    ) -> std::result::Result<Response, CallError> {
        let broken = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&broken);
        let body = body.inspect(move |chunk| flag.store(chunk.is_err(), Ordering::Relaxed));
        call.headers.extend(size.map(|size| ("content-length".to_owned(), size.to_string())));
        match self.start(call, reqwest::Body::wrap_stream(body)).await {
            Ok(answer) => read(answer).await,
            Err(_) if broken.load(Ordering::Relaxed) => {
                Err(CallError { written: false, cause: "the file broke off on its way".to_owned() })
            }
            Err(error) => Err(CallError::of(error)),
        }
    }

    /// Opens a file.
    ///
    /// # Errors
    /// `NotFound` when it is gone (404, 410), `Forbidden` when it is refused, `Unavailable` otherwise.
    pub async fn open(&self, call: Call) -> Result<Download> {
        let body = call.body.clone().into();
        let answer = self.start(call, body).await.map_err(CallError::of)?;
        match answer.status().as_u16() {
            200..=299 => {}
            404 | 410 => return Err(Error::not_found("The network has this file no more.")),
            401 | 403 => return Err(Error::forbidden("The network does not give this file.")),
            status => {
                let text = "The network does not give this file now.";
                return Err(Error::new(Code::Unavailable, text).because(format!("status {status}")));
            }
        }
        let media_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
        let media_type = media_type.map(str::to_owned);
        let size = answer.content_length();
        let bytes = answer.bytes_stream().map(|chunk| chunk.map_err(|error| CallError::of(error).into()));
        Ok(Download { media_type, size, bytes: bytes.boxed() })
    }

    async fn start(
        &self,
        call: Call,
        body: reqwest::Body,
    ) -> std::result::Result<reqwest::Response, reqwest::Error> {
        let method = reqwest::Method::from_bytes(call.method.as_bytes()).unwrap_or_default();
        let mut request = self.client.request(method, &call.url).timeout(call.patience.unwrap_or(PATIENCE));
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        request.body(body).send().await
    }
}

/// Reads a whole answer.
async fn read(answer: reqwest::Response) -> std::result::Result<Response, CallError> {
    let status = answer.status().as_u16();
    let seconds = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    let retry_after = seconds.map(|seconds: i64| seconds.clamp(0, 86_400) * 1000);
    let mut body = Vec::new();
    let mut chunks = answer.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.map_err(CallError::of)?);
        if body.len() > LARGEST_ANSWER {
            return Err(CallError { written: true, cause: "the answer is too large".to_owned() });
        }
    }
    Ok(Response { status, retry_after, body: body.into() })
}

/// The one client of the process.
pub(crate) fn client() -> Result<reqwest::Client> {
    // The whole process shares one provider; whoever was first has set it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .pool_max_idle_per_host(8)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent("Kontor");
    builder.build().map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Networks that put their tokens into addresses rely on this.
    #[tokio::test]
    async fn no_address_is_in_what_is_said_about_a_failure() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let outward = Outward::new(client().unwrap());
        for url in [format!("http://{closed}/bot-secret-token/send"), "http://[bad/secret-token".to_owned()] {
            let call = Call { method: "GET".to_owned(), url, ..Call::default() };
            let error = outward.call(call.clone()).await.unwrap_err();
            assert!(!error.written, "nothing left: {error:?}");
            let opened = outward.open(call).await.err().unwrap();
            let said = format!("{error:?} {opened:?}");
            assert!(!said.contains("secret-token"), "{said}");
        }
    }
}
