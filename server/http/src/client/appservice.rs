//! What application services alone may ask for (application service API, "Client-Server API
//! Extensions").

use crate::app::App;
use crate::error::{Answer, ErrorResponse};
use crate::extract::{Body, Caller, Path, State};
use crate::respond;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use kontor_flows::appservice::ping::Pinged;
use kontor_model::{Error, ids};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Adds the routes.
pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    routes.route("/_matrix/client/v1/appservice/{id}/ping", post(ping))
}

#[derive(Deserialize)]
struct Ping {
    transaction_id: Option<String>,
}

/// `POST /_matrix/client/v1/appservice/{appserviceId}/ping`
async fn ping(app: State, caller: Caller, Path(id): Path<String>, Body(body): Body<Ping>) -> Answer {
    let known = app.identity.services().now();
    let own = caller.requester.service.as_deref() == Some(&*id);
    let service = known.by_id(&id).filter(|_| own).cloned().ok_or_else(|| {
        Error::forbidden("Only the application service itself may ask this, with its own token.")
    })?;
    if let Some(txn_id) = &body.transaction_id {
        ids::storable_key(txn_id, "transaction id")?;
    }
    match app.flows.ping_service(&service, body.transaction_id.as_deref()).await {
        Pinged::Reached(took) => Ok(respond::ok(&json!({ "duration_ms": took.as_millis() as u64 }))),
        Pinged::NoUrl => {
            let error = "The application service is registered without a URL.";
            Err(refused(StatusCode::BAD_REQUEST, json!({ "errcode": "M_URL_NOT_SET", "error": error })))
        }
        Pinged::BadStatus { status, body } => Err(refused(
            StatusCode::BAD_GATEWAY,
            json!({
                "errcode": "M_BAD_STATUS",
                "error": format!("The application service answered with status {status}."),
                "status": status,
                "body": body,
            }),
        )),
        Pinged::TimedOut => {
            let error = "The application service did not answer in time.";
            let body = json!({ "errcode": "M_CONNECTION_TIMEOUT", "error": error });
            Err(refused(StatusCode::GATEWAY_TIMEOUT, body))
        }
        Pinged::Failed(why) => {
            let error = format!("The application service cannot be reached: {why}.");
            let body = json!({ "errcode": "M_CONNECTION_FAILED", "error": error });
            Err(refused(StatusCode::BAD_GATEWAY, body))
        }
    }
}

fn refused(status: StatusCode, body: Value) -> ErrorResponse {
    ErrorResponse::with_body(status, body)
}
