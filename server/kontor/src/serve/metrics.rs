//! `GET /metrics`: Prometheus text, in front of whatever else a listener answers.

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::Service;
use hyper::{Method, Request, Response};
use std::pin::Pin;
use std::sync::Arc;

/// Makes the text, anew each time.
pub type Exposition = Arc<dyn Fn() -> String + Send + Sync>;

/// A service with `/metrics` in front.
#[derive(Clone)]
pub struct WithMetrics<S> {
    /// What answers everything else.
    pub inner: S,
    /// What makes the text.
    pub exposition: Exposition,
}

impl<S, B> Service<Request<Incoming>> for WithMetrics<S>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: From<String> + Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        if request.method() != Method::GET || request.uri().path() != "/metrics" {
            return Box::pin(self.inner.call(request));
        }
        let mut response = Response::new((self.exposition)().into());
        let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
        Box::pin(async { Ok(response) })
    }
}
