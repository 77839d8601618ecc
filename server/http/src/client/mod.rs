//! The client-server API: one file per family of endpoints.

mod account;
mod account_data;
mod aliases;
mod create_room;
mod cross_signing;
mod dehydrated;
pub(crate) mod deactivate;
mod devices;
mod discovery;
mod elsewhere;
mod filters;
mod history;
mod keys;
pub(crate) mod login;
pub(crate) mod media;
mod members;
mod membership;
pub(crate) mod openid;
mod own;
mod presence;
mod profile;
mod push_rules;
mod receipts;
mod register;
mod reports;
mod room_keys;
mod relations;
mod pushers;
mod room_state;
mod send;
mod session;
mod sliding;
mod sync;
mod to_device;
mod threads;
mod threepid;
mod typing;
mod uia;
mod upgrade;
mod versions;

use crate::app::App;
use axum::Router;
use std::sync::Arc;

/// All routes of the client-server API except media.
pub fn routes() -> Router<Arc<App>> {
    let routes = versions::routes(Router::new());
    let routes = login::routes(routes);
    let routes = register::routes(routes);
    let routes = session::routes(routes);
    let routes = account::routes(routes);
    let routes = threepid::routes(routes);
    let routes = deactivate::routes(routes);
    let routes = elsewhere::routes(routes);
    let routes = openid::routes(routes);
    let routes = presence::routes(routes);
    let routes = devices::routes(routes);
    let routes = dehydrated::routes(routes);
    let routes = keys::routes(routes);
    let routes = cross_signing::routes(routes);
    let routes = to_device::routes(routes);
    let routes = profile::routes(routes);
    let routes = account_data::routes(routes);
    let routes = filters::routes(routes);
    let routes = push_rules::routes(routes);
    let routes = receipts::routes(routes);
    let routes = typing::routes(routes);
    let routes = sync::routes(routes);
    let routes = sliding::routes(routes);
    let routes = create_room::routes(routes);
    let routes = membership::routes(routes);
    let routes = members::routes(routes);
    let routes = aliases::routes(routes);
    let routes = room_state::routes(routes);
    let routes = discovery::routes(routes);
    let routes = reports::routes(routes);
    let routes = upgrade::routes(routes);
    let routes = room_keys::routes(routes);
    let routes = send::routes(routes);
    let routes = pushers::routes(routes);
    let routes = relations::routes(routes);
    let routes = threads::routes(routes);
    history::routes(routes)
}
