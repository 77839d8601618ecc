//! Links by which a customer who is known comes to a channel.

use super::api::{Api, Doc, Who};
use crate::error::Answer;
use crate::extract::{Caller, Path, State};
use crate::respond;
use axum::http::{Method, StatusCode};
use kontor_flows::conversation::reader;
use serde_json::json;

/// Adds the routes.
pub fn routes(api: Api) -> Api {
    let path = "/_kontor/contacts/v1/contacts/{id}/links";
    let summary = "Makes a code that leads this customer from another channel to the same card, once: \
                   https://t.me/your_bot?start=CODE.";
    api.add(Doc::new(Method::POST, path, Who::Employee, summary), create)
}

/// `POST /_kontor/contacts/v1/contacts/{id}/links`
async fn create(state: State, caller: Caller, Path(id): Path<String>) -> Answer {
    let reader = reader(&caller.requester)?;
    let (change, made) = state.contacts.new_link(reader, &id, caller.actor()).await?;
    state.store.submit(change).await?;
    let mut response = respond::ok(&json!({ "code": made.code, "expires_ts": made.expires }));
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}
