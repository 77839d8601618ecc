//! The shop's page: one document, for whoever asks.

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;

/// Answers everybody with the page.
pub async fn serve(listener: TcpListener, page: String) {
    let page: Arc<str> = page.into();
    let listener = listener.set_nonblocking(true).and_then(|()| tokio::net::TcpListener::from_std(listener));
    let listener = match listener {
        Ok(listener) => listener,
        Err(error) => return eprintln!("The shop's page cannot be shown: {error}."),
    };
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let page = Arc::clone(&page);
        let answer = service_fn(move |_: Request<Incoming>| {
            let mut answer = Response::new(page.to_string());
            let kind = HeaderValue::from_static("text/html; charset=utf-8");
            answer.headers_mut().insert(CONTENT_TYPE, kind);
            async { Ok::<_, Infallible>(answer) }
        });
        tokio::spawn(async move {
            let http = hyper::server::conn::http1::Builder::new();
            let _ = http.serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}
