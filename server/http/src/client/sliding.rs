//! Simplified sliding sync (MSC4186), at its unstable address.

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Query, State};
use crate::respond;
use axum::Router;
use axum::routing::post;
use kontor_flows::sliding::request::Request;
use kontor_model::Error;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

const PRESENCES: [&str; 3] = ["online", "offline", "unavailable"];

/// Adds the route.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    routes.route("/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", post(sync))
}

#[derive(Deserialize)]
struct Params {
    pos: Option<String>,
    /// Milliseconds.
    timeout: Option<u64>,
    /// Taken and not used: syncing does not make anybody present.
    set_presence: Option<String>,
}

/// `POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync`
async fn sync(
    axum::extract::State(app): State,
    caller: Caller,
    Query(params): Query<Params>,
    Body(mut request): Body<Request>,
) -> Answer {
    if params.set_presence.is_some_and(|presence| !PRESENCES.contains(&presence.as_str())) {
        return Err(Error::invalid_param("set_presence must be online, offline or unavailable.").into());
    }
    request.pos = params.pos;
    request.timeout = Duration::from_millis(params.timeout.unwrap_or_default());
    Ok(respond::ok(&app.flows.sliding_sync(&caller.requester, &request).await?))
}
