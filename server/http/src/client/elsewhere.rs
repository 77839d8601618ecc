//! Ways to log in that this server does not offer: single sign-on, and the OAuth API. Clients ask to
//! find out, and are told that there is no such endpoint (client-server API, "Server metadata
//! discovery": `M_UNRECOGNIZED` for servers without the OAuth API).

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Origin, State};
use crate::router::v3;
use axum::Router;
use axum::routing::get;
use kontor_model::{Code, Error};
use std::sync::Arc;

/// Adds the routes.
pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = routes.route("/_matrix/client/v1/auth_metadata", get(refuse));
    let routes = v3(routes, "/login/sso/redirect", get(refuse));
    v3(routes, "/login/sso/redirect/{idp_id}", get(refuse))
}

/// `GET /_matrix/client/v1/auth_metadata`, `GET /_matrix/client/v3/login/sso/redirect`
async fn refuse(state: State, origin: Origin) -> Answer {
    state.limits.spend_anonymous(&state, &origin)?;
    let message = "This server has no single sign-on. Log in with a user name and a password.";
    Err(Error::new(Code::Unrecognized, message).into())
}
