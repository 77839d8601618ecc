//! What this server is and can do: versions, discovery, capabilities.

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Caller, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use kontor_model::{Error, room_version};
use serde_json::{Map, json};
use std::sync::Arc;

/// Minor versions of the specification's version 1 that are served.
const MINORS: std::ops::RangeInclusive<u8> = 1..=19;

/// What is served beyond that, under the names by which clients look for it.
const UNSTABLE: [&str; 5] = [
    "org.matrix.msc3814",
    "org.matrix.simplified_msc3575",
    "org.matrix.msc4155",
    "org.matrix.msc4380",
    "uk.half-shot.msc2666.query_mutual_rooms",
];

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = routes
        .route("/_matrix/client/versions", get(versions))
        .route("/.well-known/matrix/client", get(well_known))
        .route("/.well-known/matrix/support", get(support))
        .route("/.well-known/matrix/policy_server", get(policy_server));
    v3(routes, "/capabilities", get(capabilities))
}

/// `GET /_matrix/client/versions`
async fn versions(app: State) -> Response {
    let versions: Vec<_> = MINORS.map(|minor| format!("v1.{minor}")).collect();
    let delays = app.flows.delayed.per_user > 0;
    let calls = !app.settings.calls.livekit.is_empty();
    let unstable = UNSTABLE.iter().map(|name| (*name, true));
    let unstable = unstable.chain([("org.matrix.msc4140", delays), ("org.matrix.msc4143", calls)]);
    let unstable: Map<_, _> = unstable.map(|(name, has)| (name.to_owned(), has.into())).collect();
    respond::ok(&json!({ "versions": versions, "unstable_features": unstable }))
}

/// `GET /.well-known/matrix/client`
async fn well_known(state: State) -> Response {
    respond::ok(&discovery(&state.0))
}

/// `GET /.well-known/matrix/support`
async fn support(state: State) -> Answer {
    let support = &state.settings.support;
    if support.contacts.is_empty() && support.support_page.is_none() {
        return Err(Error::not_found("This server names nobody to ask for help.").into());
    }
    Ok(respond::ok(support))
}

/// `GET /.well-known/matrix/policy_server`
async fn policy_server() -> Answer {
    Err(Error::not_found("There is no policy server here.").into())
}

/// Where clients find this server.
pub(crate) fn discovery(app: &App) -> serde_json::Value {
    let mut document = json!({ "m.homeserver": { "base_url": app.settings.public_base_url } });
    let foci = super::rtc::foci(app);
    if let (false, Some(map)) = (foci.is_empty(), document.as_object_mut()) {
        map.insert("org.matrix.msc4143.rtc_foci".into(), foci.into());
    }
    document
}

/// Which fields of a profile its user may set: any, but guests only the name that others see.
fn profile_fields(guest: bool) -> serde_json::Value {
    if guest { json!({ "enabled": true, "allowed": ["displayname"] }) } else { json!({ "enabled": true }) }
}

/// `GET /_matrix/client/v3/capabilities`
async fn capabilities(app: State, caller: Caller) -> Answer {
    let guest = caller.requester.guest;
    let rooms: Map<_, _> =
        room_version::CREATABLE.iter().map(|version| ((*version).to_owned(), "stable".into())).collect();
    let mut capabilities = json!({
        "m.change_password": { "enabled": !guest },
        "m.room_versions": { "default": app.settings.default_room_version, "available": rooms },
        "m.set_displayname": { "enabled": true },
        "m.set_avatar_url": { "enabled": !guest },
        "m.profile_fields": profile_fields(guest),
        "m.3pid_changes": { "enabled": !guest && app.identity.sends_mail() },
        "m.get_login_token": { "enabled": !guest },
        "m.forget_forced_upon_leave": { "enabled": app.settings.forget_on_leave },
    });
    if app.flows.delayed.per_user > 0
        && let Some(map) = capabilities.as_object_mut()
    {
        let (longest, most) = (app.flows.delayed.longest, app.flows.delayed.per_user);
        let limits = json!({ "max_delay_ms": longest, "max_scheduled": most });
        map.insert("org.matrix.msc4140.delayed_events".into(), limits);
    }
    if caller.requester.admin
        && let Some(map) = capabilities.as_object_mut()
    {
        map.insert("m.account_moderation".into(), json!({ "lock": true, "suspend": true }));
    }
    Ok(respond::ok(&json!({ "capabilities": capabilities })))
}
