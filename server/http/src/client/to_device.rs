//! Messages from device to device (client-server API, "Send-to-Device messaging").

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Path, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::put;
use kontor_identity::to_device::Messages;
use serde::Deserialize;
use std::sync::Arc;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    v3(routes, "/sendToDevice/{kind}/{txn_id}", put(send))
}

#[derive(Deserialize)]
struct Request {
    messages: Messages,
}

/// `PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}`
async fn send(
    state: State,
    caller: Caller,
    Path((kind, txn_id)): Path<(String, String)>,
    Body(body): Body<Request>,
) -> Answer {
    let change = state.identity.send_to_devices(&caller.requester, &kind, &txn_id, &body.messages).await?;
    if !change.is_empty() {
        match state.store.submit(change).await {
            // The same request was served before.
            Err(error) if error.is_conflict() => {}
            outcome => drop(outcome?),
        }
    }
    Ok(respond::empty())
}
