//! A tiny HTTP server for emulators: a function from request to answer, or to a cut connection.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A request.
#[derive(Debug)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The path's segments, decoded.
    pub path: Vec<String>,
    /// Parameters.
    pub query: Vec<(String, String)>,
    /// The bearer token.
    pub token: String,
    /// Media type of the body.
    pub media_type: String,
    /// The body.
    pub body: Bytes,
}

impl Asked {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What is answered.
#[derive(Debug)]
pub enum Said {
    /// JSON.
    Json(u16, Value),
    /// A file.
    Bytes(String, Bytes),
    /// Nothing: the connection is cut.
    Cut,
}

impl Said {
    /// JSON with status 200.
    pub fn ok(value: Value) -> Self {
        Self::Json(200, value)
    }
}

/// A running server; ends with its value.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

type Handler = Arc<dyn Fn(Asked) -> BoxFuture<'static, Said> + Send + Sync>;

impl Serving {
    /// Listens on a free loopback port.
    pub async fn start(handler: Handler) -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), handler).await
    }

    /// Listens there.
    pub async fn start_at(at: SocketAddr, handler: Handler) -> Self {
        let listener = TcpListener::bind(at).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let handler = Arc::clone(&handler);
                connections.spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&handler), request));
                    let io = TokioIo::new(stream);
                    drop(auto::Builder::new(TokioExecutor::new()).serve_connection(io, service).await);
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, _tasks: tasks }
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn decode(text: &str) -> String {
    // `+` stands for itself in a path.
    let text = text.replace('+', "%2B");
    url::form_urlencoded::parse(format!("x={text}").as_bytes())
        .next()
        .map_or(String::new(), |(_, v)| v.into_owned())
}

async fn answer(
    handler: Handler,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let cut = || std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
    let body = body.collect().await.map_err(|_| cut())?.to_bytes();
    let header =
        |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let query = head.uri.query().unwrap_or_default().as_bytes();
    let asked = Asked {
        method: head.method.to_string(),
        path: head.uri.path().split('/').filter(|part| !part.is_empty()).map(decode).collect(),
        query: url::form_urlencoded::parse(query).into_owned().collect(),
        token: header("authorization").trim_start_matches("Bearer ").to_owned(),
        media_type: header("content-type").to_owned(),
        body,
    };
    let (status, media_type, bytes) = match handler(asked).await {
        Said::Json(status, value) => (status, "application/json".to_owned(), Bytes::from(value.to_string())),
        Said::Bytes(media_type, bytes) => (200, media_type, bytes),
        Said::Cut => return Err(cut()),
    };
    let answer = Response::builder().status(status).header("content-type", media_type);
    answer.body(Full::new(bytes)).map_err(|_| cut())
}
