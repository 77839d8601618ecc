//! `/sync`.

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Caller, Query, State};
use crate::{respond, router};
use axum::Router;
use axum::routing::get;
use kontor_flows::sync::Request;
use kontor_identity::presence::{Sign, Status};
use kontor_model::{Error, Result};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    router::v3(routes, "/sync", get(sync))
}

#[derive(Deserialize)]
struct Params {
    filter: Option<String>,
    since: Option<String>,
    #[serde(default)]
    full_state: bool,
    #[serde(default)]
    use_state_after: bool,
    /// Milliseconds. Text, since some clients send what is no number when they mean "none".
    timeout: Option<String>,
    set_presence: Option<Status>,
}

/// `GET /_matrix/client/v3/sync`
async fn sync(axum::extract::State(app): State, caller: Caller, Query(params): Query<Params>) -> Answer {
    let since = params.since.as_deref().filter(|since| !since.is_empty()).map(str::parse).transpose()?;
    let request = Request {
        since,
        filter: app.identity.filter(&caller.requester, params.filter.as_deref()).await?,
        full_state: params.full_state,
        timeout: timeout(params.timeout.as_deref())?,
        use_state_after: params.use_state_after,
    };
    app.flows.note_presence(&caller.requester, Sign::Sync(params.set_presence.unwrap_or(Status::Online)));
    Ok(respond::ok(&app.flows.sync(&caller.requester, &request).await?))
}

fn timeout(text: Option<&str>) -> Result<Duration> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Duration::ZERO) };
    let ms =
        text.parse().map_err(|_| Error::invalid_param("The timeout is not a number of milliseconds."))?;
    Ok(Duration::from_millis(ms))
}
