//! The HTTP client of the tests, and a probe that needs no runtime.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Once;
use std::time::Duration;

/// A client for one test. Connections belong to the runtime that made them, so tests, which each
/// have a runtime of their own, never share one.
pub(crate) fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(90))
        .no_proxy()
        // Plain HTTP on loopback: reading the system's root certificates would only cost time.
        .tls_certs_only([])
        .build()
        .expect("an HTTP client")
}

/// True when `GET path` on `address` answers 200. Blocking, for a second at most.
pub(crate) fn answers(address: SocketAddr, path: &str) -> bool {
    probe(address, path).unwrap_or(false)
}

fn probe(address: SocketAddr, path: &str) -> std::io::Result<bool> {
    let limit = Duration::from_secs(1);
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut status_line = [0; 12];
    stream.read_exact(&mut status_line)?;
    Ok(status_line.starts_with(b"HTTP/1.1 200"))
}
