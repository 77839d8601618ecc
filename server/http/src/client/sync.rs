//! `/sync`.

use crate::again::Question;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Caller, Query, State};
use crate::{respond, router};
use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use kontor_flows::sync::Request;
use kontor_identity::presence::{Sign, Status};
use kontor_model::{Error, Result, SyncToken};
use kontor_store::identity::sessions;
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
    let since: Option<SyncToken> =
        params.since.as_deref().filter(|since| !since.is_empty()).map(str::parse).transpose()?;
    let request = Request {
        since,
        filter: app.identity.filter(&caller.requester, params.filter.as_deref()).await?,
        full_state: params.full_state,
        timeout: timeout(params.timeout.as_deref())?,
        use_state_after: params.use_state_after,
    };
    app.flows.note_presence(&caller.requester, Sign::Sync(params.set_presence.unwrap_or(Status::Online)));
    let (full_state, use_state_after) = (params.full_state, params.use_state_after);
    let question = Question { since, filter: params.filter, full_state, use_state_after };
    if let Some(told) = app.again.take(&caller.requester, &question) {
        let (session, user) = (caller.requester.session, caller.requester.user);
        let guard = sessions::guard(&mut app.store.reader(), session, user).await?;
        kontor_identity::sessions::stands(&guard, &caller.requester)?;
        return Ok(respond::whole(told));
    }
    let answer = app.flows.sync(&caller.requester, &request).await?;
    let json = Bytes::from(serde_json::to_vec(&answer).map_err(Error::internal)?);
    // Whoever was told nothing asks the same again to wait on.
    let goes_on = since.is_none_or(|since| since.to_string() != answer.next_batch);
    if goes_on && !answer.is_empty() {
        app.again.keep(&caller.requester, question, &json);
    }
    Ok(respond::whole(json))
}

fn timeout(text: Option<&str>) -> Result<Duration> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Duration::ZERO) };
    let ms =
        text.parse().map_err(|_| Error::invalid_param("The timeout is not a number of milliseconds."))?;
    Ok(Duration::from_millis(ms))
}
