//! Looking people and rooms of other networks up, at the bridges that speak for them.

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Caller, Path, Query, State};
use crate::{respond, router};
use axum::Router;
use axum::routing::get;
use kontor_flows::appservice::third_party::{Kind, LookUp};
use kontor_model::Error;
use std::sync::Arc;

/// What is looked up by, as names and values.
type Fields = Vec<(String, String)>;

/// Fields of one look-up, and bytes of all of them.
const MOST_FIELDS: usize = 20;
const MOST_BYTES: usize = 2_000;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = router::v3(routes, "/thirdparty/protocols", get(protocols));
    let routes = router::v3(routes, "/thirdparty/protocol/{protocol}", get(protocol));
    let routes = router::v3(routes, "/thirdparty/location", get(locations_of));
    let routes = router::v3(routes, "/thirdparty/location/{protocol}", get(locations));
    let routes = router::v3(routes, "/thirdparty/user", get(users_of));
    router::v3(routes, "/thirdparty/user/{protocol}", get(users))
}

/// `GET /_matrix/client/v3/thirdparty/protocols`
async fn protocols(app: State, _: Caller) -> Answer {
    Ok(respond::ok(&app.flows.third_party_protocols().await))
}

/// `GET /_matrix/client/v3/thirdparty/protocol/{protocol}`
async fn protocol(app: State, _: Caller, Path(name): Path<String>) -> Answer {
    Ok(respond::ok(&app.flows.third_party_protocol(&name).await?))
}

/// `GET /_matrix/client/v3/thirdparty/location`
async fn locations_of(app: State, caller: Caller, Query(fields): Query<Fields>) -> Answer {
    look_up(&app, &caller, Kind::Location, None, fields).await
}

/// `GET /_matrix/client/v3/thirdparty/location/{protocol}`
async fn locations(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Query(fields): Query<Fields>,
) -> Answer {
    look_up(&app, &caller, Kind::Location, Some(&name), fields).await
}

/// `GET /_matrix/client/v3/thirdparty/user`
async fn users_of(app: State, caller: Caller, Query(fields): Query<Fields>) -> Answer {
    look_up(&app, &caller, Kind::User, None, fields).await
}

/// `GET /_matrix/client/v3/thirdparty/user/{protocol}`
async fn users(app: State, caller: Caller, Path(name): Path<String>, Query(fields): Query<Fields>) -> Answer {
    look_up(&app, &caller, Kind::User, Some(&name), fields).await
}

async fn look_up(
    app: &App,
    caller: &Caller,
    kind: Kind,
    protocol: Option<&str>,
    mut fields: Fields,
) -> Answer {
    // Tokens, and as whom a service asks, are not what is looked up by.
    let service = caller.requester.service.is_some();
    fields.retain(|(name, _)| {
        name != "access_token" && !(service && ["user_id", "device_id"].contains(&name.as_str()))
    });
    let bytes: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
    if fields.len() > MOST_FIELDS || bytes > MOST_BYTES {
        return Err(Error::invalid_param("This is looked up by too many fields, or by too long ones.").into());
    }
    let found = app.flows.third_party(LookUp { kind, protocol, fields: &fields }).await?;
    Ok(respond::ok(&found))
}
