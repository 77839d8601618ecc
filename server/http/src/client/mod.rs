//! The client-server API: one file per family of endpoints.

mod account;
mod devices;
mod history;
pub(crate) mod login;
mod register;
mod session;
mod sync;
mod uia;
mod versions;

use crate::app::App;
use axum::Router;
use std::sync::Arc;

/// All routes of the client-server API except media.
pub fn routes() -> Router<Arc<App>> {
    let routes = versions::routes(Router::new());
    let routes = login::routes(routes);
    let routes = register::routes(routes);
    let routes = session::routes(routes);
    let routes = account::routes(routes);
    let routes = devices::routes(routes);
    let routes = sync::routes(routes);
    history::routes(routes)
}
