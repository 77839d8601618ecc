//! Accepting connections: sockets, TLS, HTTP/1.1 and HTTP/2, their limits, and a calm end. What
//! is answered is `http`'s matter.

use super::tls::Tls;
use crate::config::Listener;
use hyper::body::{Body, Incoming};
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use kontor_wire::Unread;
use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Connections that may wait for being accepted.
const BACKLOG: u32 = 1024;
/// Time for the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// Time for the head of a request to arrive, and for an idle connection to be used again.
const HEAD: Duration = Duration::from_secs(75);
/// Bytes that the head of an HTTP/1.1 request may have.
const HEAD_BYTES: usize = 64 * 1024;
/// Bytes that the head of an HTTP/2 request may have, as HTTP/2 counts them.
const HEAD_BYTES_HTTP2: u32 = 32 * 1024;
/// Fields that the head of an HTTP/1.1 request may have.
const HEAD_FIELDS: usize = 100;
/// Requests that one HTTP/2 connection may have under way.
const STREAMS: u32 = 256;
/// How often a silent HTTP/2 connection is asked whether it lives.
const PING: Duration = Duration::from_secs(30);

/// A socket that has its address but does not listen yet: whoever connects is refused, and no
/// other server can take the address.
#[derive(Debug)]
pub struct Bound {
    socket: TcpSocket,
    tls: Option<Arc<Tls>>,
    /// The configuration it was made from.
    pub config: Listener,
}

impl Bound {
    /// Takes the listener's address and reads its certificate.
    ///
    /// # Errors
    /// A sentence: the address is taken or not this machine's, or the certificate is unusable.
    pub fn new(config: &Listener) -> Result<Self, String> {
        let tls = Tls::of(config)?.map(Arc::new);
        let failed = |error: std::io::Error| sentence(config.bind, &error);
        let socket = if config.bind.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.map_err(failed)?;
        // Otherwise a restart would have to wait for connections of before to fade away.
        socket.set_reuseaddr(true).map_err(failed)?;
        socket.bind(config.bind).map_err(failed)?;
        Ok(Self { socket, tls, config: config.clone() })
    }

    /// The certificate, for reading it anew.
    pub fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.clone()
    }

    /// Starts to listen.
    ///
    /// # Errors
    /// A sentence when another server listens there after all.
    pub fn listen(self) -> Result<Open, String> {
        let listener = self.socket.listen(BACKLOG).map_err(|error| sentence(self.config.bind, &error))?;
        let address = listener.local_addr().map_err(|error| sentence(self.config.bind, &error))?;
        Ok(Open { listener, tls: self.tls, address })
    }
}

fn sentence(address: SocketAddr, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "Something else already listens on {address}, perhaps another Kontor. End it, or set another address \
             as listener.bind."
        ),
        std::io::ErrorKind::PermissionDenied => format!(
            "The system does not allow listening on {address}. Ports below 1024 need a privilege; use another \
             port behind a reverse proxy."
        ),
        std::io::ErrorKind::AddrNotAvailable => {
            format!("{address} is not an address of this machine. Correct listener.bind.")
        }
        _ => format!("Listening on {address} failed: {error}."),
    }
}

/// A listening socket.
#[derive(Debug)]
pub struct Open {
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    /// Where it really listens; differs from the configuration when that says port 0.
    address: SocketAddr,
}

impl Open {
    /// The address as a browser on this machine would write it.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Accepts connections and lets `service` answer until `stop` turns true; then waits at most
    /// `patience` for the requests under way. `peer` puts the client's address into a request.
    pub async fn serve<S, B, F>(
        self,
        service: S,
        peer: F,
        mut stop: watch::Receiver<bool>,
        patience: Duration,
    ) where
        S: Service<Request<Unread<Incoming>>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
        F: Fn(&mut Request<Incoming>, SocketAddr) + Copy + Send + Sync + 'static,
    {
        let open = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok((stream, address)) => {
                    let service = Addressed { service: service.clone(), address, peer };
                    tokio::spawn(connection(stream, self.tls.clone(), service, open.watcher(), stop.clone()));
                }
                Err(error) => {
                    // Out of file descriptors, mostly: the connections that end will free some.
                    tracing::warn!(listener.address = %self.address, %error, "A connection was not accepted.");
                    sleep(Duration::from_millis(200)).await;
                }
            }
        }
        drop(self.listener);
        if timeout(patience, open.shutdown()).await.is_err() {
            tracing::warn!(
                listener.address = %self.address,
                "Some requests did not end in time and were cut off."
            );
        }
    }
}

/// A service whose requests know who sent them.
#[derive(Clone)]
struct Addressed<S, F> {
    service: S,
    address: SocketAddr,
    peer: F,
}

impl<S, F> Service<Request<Incoming>> for Addressed<S, F>
where
    S: Service<Request<Unread<Incoming>>>,
    F: Fn(&mut Request<Incoming>, SocketAddr),
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        (self.peer)(&mut request, self.address);
        self.service.call(Unread::of(request))
    }
}

async fn connection<S, B>(
    stream: TcpStream,
    tls: Option<Arc<Tls>>,
    service: S,
    watcher: Watcher,
    mut stop: watch::Receiver<bool>,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // Answers are small and awaited: no waiting for more of them to fill a packet.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return exchange(stream, builder().http1_only(), service, watcher).await;
    };
    let shaken = tokio::select! {
        shaken = timeout(HANDSHAKE, tls.acceptor().accept(stream)) => shaken,
        _ = stop.wait_for(|stop| *stop) => return,
    };
    match shaken {
        Ok(Ok(stream)) => {
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let builder = if http2 { builder().http2_only() } else { builder().http1_only() };
            exchange(stream, builder, service, watcher).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "A TLS handshake failed."),
        Err(_) => tracing::debug!("A TLS handshake took too long."),
    }
}

/// The limits that every connection has.
fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEAD_FIELDS)
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES_HTTP2)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}

async fn exchange<IO, S, B>(stream: IO, builder: Builder<TokioExecutor>, service: S, watcher: Watcher)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(error, "A connection ended with an error.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Serve;
    use hyper::service::service_fn;
    use std::path::PathBuf;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::task::JoinHandle;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn config(port: u16) -> Listener {
        let bind = SocketAddr::from(([127, 0, 0, 1], port));
        Listener { bind, serve: vec![Serve::Client], ..Listener::default() }
    }

    /// Serves answers that name the client and the version of HTTP, after a moment.
    fn start(config: &Listener) -> (SocketAddr, watch::Sender<bool>, JoinHandle<()>) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let open = Bound::new(config).and_then(Bound::listen).expect("a free port");
        let address = open.address;
        let (stop, stopping) = watch::channel(false);
        let service = service_fn(|request: Request<Unread<Incoming>>| async move {
            sleep(Duration::from_millis(150)).await;
            let peer = request.extensions().get::<SocketAddr>().copied();
            let peer = peer.map_or_else(String::new, |peer| peer.ip().to_string());
            Ok::<_, Infallible>(Response::new(format!("{peer} {:?}", request.version())))
        });
        let peer = |request: &mut Request<Incoming>, peer: SocketAddr| {
            request.extensions_mut().insert(peer);
        };
        (address, stop, tokio::spawn(open.serve(service, peer, stopping, PATIENCE)))
    }

    #[tokio::test]
    async fn a_request_under_way_is_finished_and_nobody_else_comes_in() {
        let (address, stop, serving) = start(&config(0));
        let under_way = tokio::spawn(reqwest::get(format!("http://{address}/")));
        sleep(Duration::from_millis(50)).await;
        stop.send(true).expect("serving");
        let answer = under_way.await.expect("no panic").expect("an answer");
        assert_eq!(answer.text().await.expect("text"), "127.0.0.1 HTTP/1.1");
        timeout(PATIENCE, serving).await.expect("ended in time").expect("no panic");
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn an_idle_connection_does_not_hold_up_the_end() {
        let (address, stop, serving) = start(&config(0));
        let mut idle = TcpStream::connect(address).await.expect("connected");
        let mut silent = TcpStream::connect(address).await.expect("connected");
        idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
        let mut first = [0_u8; 12];
        idle.read_exact(&mut first).await.expect("answered");
        stop.send(true).expect("serving");
        timeout(PATIENCE / 2, serving).await.expect("ended at once").expect("no panic");
        assert_eq!(silent.read(&mut first).await.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn a_head_without_end_is_refused() {
        let (address, _stop, _serving) = start(&config(0));
        let mut stream = TcpStream::connect(address).await.expect("connected");
        let head = format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(2 * HEAD_BYTES));
        let _ = stream.write_all(head.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("refused, not awaited");
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{answer:?}");
    }

    #[tokio::test]
    async fn a_taken_address_is_said_in_a_sentence() {
        let (address, _stop, _serving) = start(&config(0));
        let said = Bound::new(&config(address.port())).and_then(Bound::listen).expect_err("taken");
        assert!(said.contains(&format!("already listens on {address}")), "{said}");
    }

    /// A self-signed certificate for 127.0.0.1 in a new folder.
    fn certificate(name: &str) -> (PathBuf, Listener) {
        let folder = std::env::temp_dir().join(format!("kontor-tls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("made");
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("certificate");
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        std::fs::write(&cert, made.cert.pem()).expect("written");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
        (folder, Listener { tls_cert: Some(cert), tls_key: Some(key), ..config(0) })
    }

    #[tokio::test]
    async fn tls_speaks_both_versions_of_http_and_a_new_certificate_is_taken_up() {
        let (folder, config) = certificate("both");
        let cert = config.tls_cert.clone().expect("set");
        let (address, _stop, _serving) = start(&config);
        let client = |http1: bool| {
            let extra = kontor_wire::authorities::certificates(&cert).expect("readable");
            let extra = extra.iter().map(|der| reqwest::Certificate::from_der(der).expect("readable"));
            let builder = reqwest::Client::builder().tls_certs_only(extra);
            if http1 { builder.http1_only() } else { builder }.build().expect("client")
        };
        for (http1, said) in [(true, "127.0.0.1 HTTP/1.1"), (false, "127.0.0.1 HTTP/2.0")] {
            let answer = client(http1).get(format!("https://{address}/")).send().await.expect("an answer");
            assert_eq!(answer.text().await.expect("text"), said);
        }
        let tls = Tls::of(&config).expect("readable").expect("set");
        let before = tls.acceptor().config().clone();
        tls.reload().expect("readable");
        assert!(!Arc::ptr_eq(&before, tls.acceptor().config()));
        std::fs::write(&cert, "nonsense").expect("written");
        assert!(tls.reload().expect_err("unreadable").contains("cert.pem"));
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
