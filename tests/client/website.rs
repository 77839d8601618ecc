//! A web server of the tests' own: a push gateway, or a page on the web.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use harness::eventually;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Path with query.
    pub path: String,
    /// The fields, as sent.
    pub head: String,
    /// The body; null if it is no JSON.
    pub json: Value,
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// An empty JSON object with this status.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: b"{}".to_vec() }
    }

    /// A success of this content type.
    pub fn of(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, headers: vec![("content-type", content_type.to_owned())], body: body.into() }
    }

    /// A redirect.
    pub fn redirect(to: impl Into<String>) -> Self {
        Self { status: 302, headers: vec![("location", to.into())], body: Vec::new() }
    }
}

type Say = Box<dyn FnMut(&Asked) -> Reply + Send>;

struct Inner {
    asked: Mutex<Vec<Asked>>,
    say: Mutex<Say>,
}

/// The server; it closes when dropped.
pub(crate) struct Website {
    address: SocketAddr,
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

impl Drop for Website {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Website {
    /// Opens; `say` answers each request.
    pub async fn open(say: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let inner = Arc::new(Inner { asked: Mutex::default(), say: Mutex::new(Box::new(say)) });
        let shared = Arc::clone(&inner);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move { serve(stream, &shared).await });
            }
        });
        Self { address, inner, task }
    }

    /// Answers differently from now on.
    pub fn say(&self, say: impl FnMut(&Asked) -> Reply + Send + 'static) {
        *self.inner.say.lock().unwrap() = Box::new(say);
    }

    /// Its address with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.inner.asked.lock().unwrap().clone()
    }

    /// Waits until something was asked that `found` takes.
    pub async fn until<T>(&self, what: &str, found: impl Fn(&Asked) -> Option<T>) -> T {
        eventually(what, || async { self.asked().iter().find_map(&found) }).await
    }
}

async fn serve(mut stream: TcpStream, inner: &Inner) -> Option<()> {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let length = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        break (head, end + 4 + length.unwrap_or(0));
    };
    while bytes.len() < length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = &bytes[bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4..];
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let asked = Asked { path, head, json: serde_json::from_slice(body).unwrap_or_default() };
    let reply = (inner.say.lock().unwrap())(&asked);
    inner.asked.lock().unwrap().push(asked);
    let mut answer = format!(
        "HTTP/1.1 {} X\r\ncontent-length: {}\r\nconnection: close\r\n",
        reply.status,
        reply.body.len()
    );
    for (name, value) in &reply.headers {
        answer.push_str(&format!("{name}: {value}\r\n"));
    }
    answer.push_str("\r\n");
    stream.write_all(answer.as_bytes()).await.ok()?;
    stream.write_all(&reply.body).await.ok()?;
    stream.shutdown().await.ok()
}
