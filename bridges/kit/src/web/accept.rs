//! Connections: how many, how long they may be idle, and their end. A page that waits for news has one, and a
//! thousand pages wait at once, so one that nobody uses is soon let go.

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use kontor_wire::Unread;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt as _;

/// Connections at once.
const CONNECTIONS: usize = 16_000;
/// How long the head of a request may take to come, and a connection may be idle before it.
const IDLE: Duration = Duration::from_secs(15);
/// Bytes that a connection buffers of what it reads.
const BUFFER: usize = 32 << 10;

/// Answers until `end`, then finishes what is under way.
pub(super) async fn serve(listener: TcpListener, routes: Router, end: impl Future<Output = ()>) {
    let (graceful, places) = (GracefulShutdown::new(), Arc::new(Semaphore::new(CONNECTIONS)));
    tokio::pin!(end);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut end => break,
        };
        match accepted {
            Ok((stream, _)) => {
                if let Ok(place) = place {
                    answer(stream, routes.clone(), &graceful, place);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "A connection was not accepted.");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

/// Lets one connection be answered.
fn answer(stream: TcpStream, routes: Router, graceful: &GracefulShutdown, place: OwnedSemaphorePermit) {
    let _ = stream.set_nodelay(true);
    let peer = stream.peer_addr();
    let service = service_fn(move |mut request: Request<Incoming>| {
        if let Ok(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        routes.clone().oneshot(Unread::of(request).map(Body::new))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(IDLE).max_buf_size(BUFFER);
    let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
    tokio::spawn(async move {
        let _place = place;
        // What goes wrong on a line is the far end's matter.
        let _ = connection.await;
    });
}
