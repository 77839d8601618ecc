//! One log line per request, and the id that connects it with other lines and with the audit log.

use crate::app::App;
use crate::extract::Origin;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use kontor_model::random::opaque;
use std::sync::Arc;
use std::time::Instant;
use tracing::Instrument;

/// Length of request ids: enough to be unique among the lines that anybody keeps.
const LENGTH: usize = 12;

/// Gives the request an id of ours (none is accepted from outside, where anybody could repeat
/// one), runs it, and writes its line.
pub async fn record(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = opaque(&*app.random, LENGTH);
    let ip = request.extensions().get::<Origin>().and_then(|origin| origin.ip);
    request.extensions_mut().insert(Origin { ip, request_id: Some(id.clone()) });
    let method = request.method().clone();
    // The route and not the path: paths hold ids of rooms and people, queries even tokens.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "unknown".to_owned());
    let span = tracing::info_span!("request", request.id = id, http.method = %method, http.route = &route);
    let _under_way = UnderWay::new();
    let began = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status().as_u16();
    let took = began.elapsed();
    tracing::event!(
        target: "kontor::metrics",
        tracing::Level::TRACE,
        histogram.kontor_http_request_duration_seconds = took.as_secs_f64(),
        http.method = known(&method),
        http.route = route,
        http.status = status,
    );
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| match status {
        500.. => tracing::warn!(http.status = status, duration_ms, "answered"),
        400.. => tracing::info!(http.status = status, duration_ms, "answered"),
        _ => tracing::debug!(http.status = status, duration_ms, "answered"),
    });
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// The method as a label of metrics: from outside comes any word, and each would be a series.
fn known(method: &Method) -> &str {
    match *method {
        Method::GET | Method::POST | Method::PUT | Method::DELETE | Method::HEAD | Method::OPTIONS => {
            method.as_str()
        }
        _ => "other",
    }
}

/// Counts a request that is being answered, long polls included, until it is dropped.
struct UnderWay;

impl UnderWay {
    fn new() -> Self {
        tracing::event!(target: "kontor::metrics", tracing::Level::TRACE, counter.kontor_http_requests_under_way = 1_i64);
        Self
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        tracing::event!(target: "kontor::metrics", tracing::Level::TRACE, counter.kontor_http_requests_under_way = -1_i64);
    }
}
