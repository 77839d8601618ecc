//! Notices of the server to one person or to everybody.

use super::Administrator;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, State};
use crate::respond;
use axum::Router;
use axum::routing::post;
use kontor_flows::notices::Notice;
use kontor_model::{Error, ids};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    routes.route("/_kontor/admin/v1/server_notice", post(send))
}

#[derive(Deserialize)]
struct Sending {
    /// Whom to tell.
    user_id: Option<String>,
    /// Instead of one person: all.
    #[serde(default)]
    everybody: bool,
    #[serde(flatten)]
    notice: Notice,
}

/// `POST /_kontor/admin/v1/server_notice`
async fn send(state: State, Administrator(caller): Administrator, Body(body): Body<Sending>) -> Answer {
    let app = &state.0;
    match (&body.user_id, body.everybody) {
        (Some(user_id), false) => {
            let user_id = ids::user_id(user_id)?;
            let event_id = app.flows.send_notice(&user_id, &body.notice, caller.actor()).await?;
            Ok(respond::ok(&json!({ "event_id": event_id })))
        }
        (None, true) => {
            let notice = app.flows.begin_notice_round(&body.notice, caller.actor()).await?;
            let flows = Arc::clone(&app.flows);
            tokio::spawn(async move {
                if let Err(error) = flows.notice_rounds().await {
                    tracing::warn!(error.cause = ?error, "a notice did not reach everybody; trying again later");
                }
            });
            Ok(respond::ok(&json!({ "notice_id": notice.to_string() })))
        }
        _ => Err(Error::invalid_param("Name one \"user_id\", or say \"everybody\": true.").into()),
    }
}
