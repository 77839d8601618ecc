//! Which routes exist, and which of them a listener serves.

use crate::app::App;
use crate::{admin, card, client, company, confirm, health, middleware, setup};
use axum::Router;
use axum::routing::MethodRouter;
use kontor_model::{Code, Error};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A group of routes that a listener can serve (configuration key `listener.serve`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Serve {
    /// The client-server API.
    Client,
    /// Upload and download.
    Media,
    /// Administration.
    Admin,
    /// Pages in the browser: the first administrator's set-up.
    Console,
    /// What other homeservers ask: so far, who a widget's user is.
    Federation,
    /// Who somebody is, for others.
    Identity,
    /// Contacts, conversations, and what bridges ask of them.
    Company,
    /// `/health/live` and `/health/ready`.
    Health,
    /// Prometheus text; its handler is the binary's.
    Metrics,
}

/// The routes of one listener, with everything around them.
pub fn router(app: Arc<App>, serve: &BTreeSet<Serve>) -> Router {
    let mut routes = Router::new();
    if serve.contains(&Serve::Client) {
        routes = routes.merge(client::routes());
        routes = admin::client_routes(routes);
        routes = confirm::routes(routes);
    }
    // Widgets ask where clients are served, unless a listener of its own is made for that.
    if [Serve::Client, Serve::Federation, Serve::Identity].iter().any(|group| serve.contains(group)) {
        routes = client::openid::public_routes(routes);
    }
    if serve.contains(&Serve::Media) {
        routes = client::media::routes(routes);
    }
    if serve.contains(&Serve::Admin) {
        routes = routes.merge(admin::routes());
    }
    routes = company::routes(routes, serve);
    if serve.contains(&Serve::Company) {
        routes = card::routes(routes);
    }
    if serve.contains(&Serve::Admin) || serve.contains(&Serve::Console) {
        routes = setup::routes(routes);
    }
    if serve.contains(&Serve::Health) {
        routes = health::routes(routes);
    }
    let routes = routes
        .fallback(async || fault(Code::Unrecognized))
        .method_not_allowed_fallback(async || fault(Code::MethodNotAllowed));
    middleware::around(routes.with_state(Arc::clone(&app)), app)
}

fn fault(code: Code) -> crate::error::ErrorResponse {
    Error::new(code, "This server does not have such an endpoint.").into()
}

/// Adds a client-server route under `/v3` and, for older clients, under `/r0`.
pub(crate) fn v3(routes: Router<Arc<App>>, path: &str, methods: MethodRouter<Arc<App>>) -> Router<Arc<App>> {
    routes
        .route(&format!("/_matrix/client/v3{path}"), methods.clone())
        .route(&format!("/_matrix/client/r0{path}"), methods)
}
