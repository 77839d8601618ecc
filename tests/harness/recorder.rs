//! Stands between a client that we did not write and the homeserver, and holds every answer against
//! the specification.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::conformance::violation;
use crate::http;

/// What passed by.
#[derive(Debug, Default)]
struct Seen {
    answers: usize,
    violations: Vec<String>,
}

/// The one in between. Ends with its value.
#[derive(Debug)]
pub struct Recorder {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    _tasks: JoinSet<()>,
}

impl Recorder {
    /// Listens on a free loopback port and passes on to `target` (a URL without a slash at its end).
    pub async fn before(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let way = Way { target: target.to_owned(), http: http::client(), seen: Arc::clone(&seen) };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let way = way.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let way = way.clone();
                        async move { way.pass(request).await }
                    });
                    let served = auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                    drop(served); // The client went away.
                });
            }
        });
        Self { address, seen, _tasks: tasks }
    }

    /// Where clients should go instead of the homeserver.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Panics unless at least `least` answers passed, all as the specification wants them.
    #[track_caller]
    pub fn all_conform(&self, least: usize) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(seen.violations.is_empty(), "{}", seen.violations.join("\n\n"));
        assert!(seen.answers >= least, "only {} answers passed by", seen.answers);
    }
}

#[derive(Debug, Clone)]
struct Way {
    target: String,
    http: reqwest::Client,
    seen: Arc<Mutex<Seen>>,
}

impl Way {
    async fn pass(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let body = body.collect().await?.to_bytes();
        let mut headers = parts.headers.clone();
        headers.remove("host");
        let sent = self.http.request(parts.method.clone(), format!("{}{path}", self.target));
        let Ok(answer) = sent.headers(headers).body(body).send().await else {
            let mut gone = Response::new(Full::default());
            *gone.status_mut() = StatusCode::BAD_GATEWAY;
            return Ok(gone);
        };
        let (status, headers) = (answer.status(), answer.headers().clone());
        let bytes = answer.bytes().await.unwrap_or_default();
        if let Ok(json) = serde_json::from_slice::<Value>(&bytes) {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.answers += 1;
            seen.violations.extend(violation(parts.method.as_str(), path, status.as_u16(), &json));
        }
        let mut passed = Response::new(Full::new(bytes));
        *passed.status_mut() = status;
        *passed.headers_mut() = headers;
        passed.headers_mut().remove("transfer-encoding");
        Ok(passed)
    }
}
