//! Application services that administrators set up while the server runs.

use super::Administrator;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Path, State};
use crate::respond;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::{delete, get};
use kontor_identity::appservice::Wished;
use kontor_model::Error;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = routes.route("/_kontor/admin/v1/application_services", get(list).post(create));
    routes.route("/_kontor/admin/v1/application_services/{id}", delete(remove))
}

/// `POST /_kontor/admin/v1/application_services`
///
/// The tokens are made by the server and told here only.
async fn create(app: State, Administrator(caller): Administrator, Body(wish): Body<Wished>) -> Answer {
    let made = app.identity.set_service_up(&wish, caller.actor()).await?;
    match app.store.submit(made.change).await {
        Err(error) if error.is_conflict() => {
            let message = "The id or the user was taken at the same moment. Look, and try again.";
            return Err(Error::invalid_param(message).because(error).into());
        }
        outcome => drop(outcome?),
    }
    app.identity.reload_services().await?;
    let mut response = respond::ok(&json!({
        "id": wish.id,
        "as_token": made.as_token.expose(),
        "hs_token": made.hs_token.expose(),
        "sender": format!("@{}:{}", wish.sender_localpart, app.settings.server_name),
    }));
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// `GET /_kontor/admin/v1/application_services`
async fn list(app: State, _: Administrator) -> Answer {
    let dates: HashMap<_, _> = app.identity.service_dates().await?.into_iter().collect();
    let known = app.identity.services().now();
    let services = known.list().iter().map(|service| {
        json!({
            "id": *service.id,
            "url": service.url,
            "sender": service.sender,
            "rate_limited": service.rate_limited,
            "receive_ephemeral": service.ephemeral,
            "device_lists": service.devices,
            "protocols": service.protocols,
            "from_file": service.from_file,
            "created_ts": dates.get(&*service.id),
        })
    });
    Ok(respond::ok(&json!({ "application_services": services.collect::<Vec<_>>() })))
}

/// `DELETE /_kontor/admin/v1/application_services/{id}`
async fn remove(app: State, Administrator(caller): Administrator, Path(id): Path<String>) -> Answer {
    let change = app.identity.remove_service(&id, caller.actor()).await?;
    match app.store.submit(change).await {
        Err(error) if error.is_conflict() => {
            return Err(Error::not_found("The application service was removed already.").into());
        }
        outcome => drop(outcome?),
    }
    app.identity.reload_services().await?;
    Ok(respond::empty())
}
