//! What happens around every request: request id and log line, CORS, panics, budgets.

mod cors;
mod limits;
mod record;

pub use limits::Limits;

use crate::app::App;
use crate::error::ErrorResponse;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use kontor_model::Error;
use std::any::Any;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;

/// Wraps the routes. The last layer is the outermost: a panic becomes an answer first, then the
/// answer gets its CORS fields, then it is recorded.
pub fn around(routes: Router, app: Arc<App>) -> Router {
    routes
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(cors::cors))
        .layer(from_fn_with_state(app, record::record))
}

/// The answer to a request whose handler broke: a defect of ours, told in the log.
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let text = text.unwrap_or_else(|| "a panic without a text".to_owned());
    ErrorResponse::from(Error::internal(text)).into_response()
}
