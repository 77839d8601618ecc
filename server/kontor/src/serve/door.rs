//! What the binary answers or notices itself, in front of the front door: the metrics, which only
//! it has, and that the first administrator exists, because it printed the token for that.

use super::first_admin;
use futures_util::future::{BoxFuture, Either, FutureExt as _};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::Service;
use hyper::{Method, Request, Response};
use std::path::Path;
use std::sync::Arc;

/// Where metrics are answered.
const METRICS: &str = "/metrics";
/// Where the first administrator is made.
pub const SETUP: &str = "/_kontor/setup";

/// Makes the text of the metrics, anew each time.
pub type Exposition = Arc<dyn Fn() -> String + Send + Sync>;

/// A service with the binary's own in front.
#[derive(Clone)]
pub struct Door<S> {
    /// What answers everything else.
    pub inner: S,
    /// What makes the text of the metrics, where they are served.
    pub exposition: Option<Exposition>,
    /// The data folder, which may hold the first administrator's token.
    pub data_dir: Arc<Path>,
}

impl<S, B, Sent> Service<Request<Sent>> for Door<S>
where
    S: Service<Request<Sent>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: From<String> + Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Either<S::Future, BoxFuture<'static, Result<Response<B>, S::Error>>>;

    fn call(&self, request: Request<Sent>) -> Self::Future {
        match (request.method(), request.uri().path(), &self.exposition) {
            (&Method::GET, METRICS, Some(exposition)) => {
                let answer = text(exposition().into());
                Either::Right(async { Ok(answer) }.boxed())
            }
            (&Method::POST, SETUP, _) => {
                let (answer, data_dir) = (self.inner.call(request), Arc::clone(&self.data_dir));
                let noticed = answer.inspect(move |answer| {
                    if answer.as_ref().is_ok_and(|answer| answer.status().is_success()) {
                        first_admin::forget(&data_dir);
                    }
                });
                Either::Right(noticed.boxed())
            }
            _ => Either::Left(self.inner.call(request)),
        }
    }
}

fn text<B>(body: B) -> Response<B> {
    let mut answer = Response::new(body);
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}
