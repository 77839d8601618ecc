//! Servers for group calls (MSC4143, MSC4195).

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Caller, State};
use crate::respond;
use axum::Router;
use axum::routing::get;
use kontor_model::{Code, Error};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    routes
        .route("/_matrix/client/unstable/org.matrix.msc4143/rtc/transports", get(transports))
        .route("/_matrix/client/v1/rtc/transports", get(transports))
}

/// `GET /_matrix/client/unstable/org.matrix.msc4143/rtc/transports`
///
/// Without any the endpoint is as good as absent: clients then look into the discovery document, and
/// an empty list would keep them from it.
async fn transports(axum::extract::State(app): State, _: Caller) -> Answer {
    let transports = foci(&app);
    if transports.is_empty() {
        return Err(Error::new(Code::NotFound, "This server has no servers for group calls.").into());
    }
    Ok(respond::ok(&json!({ "rtc_transports": transports })))
}

/// The servers as clients are told of them.
pub(super) fn foci(app: &App) -> Vec<Value> {
    let livekit = |url: &String| json!({ "type": "livekit", "livekit_service_url": url });
    app.settings.calls.livekit.iter().map(livekit).collect()
}
