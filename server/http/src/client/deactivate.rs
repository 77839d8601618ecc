//! Closing one's own account (client-server API, "Account deactivation").

use super::uia;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Caller, OptionalBody, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::post;
use kontor_model::Result;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Adds the routes.
pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    v3(routes, "/account/deactivate", post(deactivate))
}

#[derive(Deserialize)]
struct Closing {
    auth: Option<Value>,
    #[serde(default)]
    erase: bool,
}

/// `POST /_matrix/client/v3/account/deactivate`
async fn deactivate(state: State, caller: Caller, OptionalBody(body): OptionalBody<Closing>) -> Answer {
    let app = &state.0;
    let ask = uia::password("deactivate", &caller.requester);
    let passed = uia::passed(app, &caller, &ask, body.auth.as_ref()).await?;
    let change = app.identity.deactivate_own(&caller.requester, body.erase, caller.actor()).await?;
    uia::submit_devices(app, &caller.requester, change, passed).await?;
    leave_rooms(app).await?;
    // No address was ever bound at an identity server by way of this server.
    Ok(respond::ok(&json!({ "id_server_unbind_result": "success" })))
}

/// Begins what the closed account has yet to do; housekeeping goes on with it after a crash.
///
/// # Errors
/// `Unavailable` when the database is gone.
pub(crate) async fn leave_rooms(app: &Arc<App>) -> Result<()> {
    app.store.remember_erased().await?;
    let flows = Arc::clone(&app.flows);
    tokio::spawn(async move {
        if let Err(error) = flows.depart().await {
            tracing::warn!(error.cause = ?error, "a closed account did not leave all rooms; trying again later");
        }
    });
    Ok(())
}
