//! The client-server API: one file per family of endpoints.

use crate::app::App;
use axum::Router;
use std::sync::Arc;

/// All routes of the client-server API except media.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
}
