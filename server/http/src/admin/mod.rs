//! The administration API: people, registration tokens, moderation, registration by shared secret.

mod application_services;
mod lock;
mod notices;
mod people;
mod reports;
mod shared_secret;
mod tokens;

use crate::app::App;
use crate::error::ErrorResponse;
use crate::extract::Caller;
use crate::refused;
use axum::Router;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::Method;
use axum::http::request::Parts;
use kontor_model::Error;
use kontor_store::audit::Action;
use std::sync::Arc;

/// All routes of the administration API.
pub fn routes() -> Router<Arc<App>> {
    let routes = people::routes(Router::new());
    let routes = application_services::routes(routes);
    let routes = tokens::routes(routes);
    let routes = notices::routes(routes);
    let routes = reports::routes(routes);
    shared_secret::routes(routes)
}

/// What the client-server API has for administrators.
pub fn client_routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    lock::routes(routes)
}

/// A caller who administers the server; refuses the request otherwise.
pub struct Administrator(pub Caller);

impl<S> FromRequestParts<S> for Administrator
where
    S: Send + Sync,
    Arc<App>: FromRef<S>,
{
    type Rejection = ErrorResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ErrorResponse> {
        let caller = Caller::from_request_parts(parts, state).await?;
        if caller.requester.admin {
            return Ok(Self(caller));
        }
        if let Some(action) = action(parts) {
            refused::note(&Arc::<App>::from_ref(state), action, caller.actor(), None);
        }
        Err(Error::forbidden("Only administrators of this server may do this.").into())
    }
}

/// What a refused request would have done; nothing for those that only look.
fn action(parts: &Parts) -> Option<Action> {
    if parts.method == Method::GET {
        return None;
    }
    let path = parts.uri.path();
    let acts = [
        ("/deactivate", Action::UserDeactivate),
        ("/people", Action::UserCreate),
        ("/application_services/", Action::SystemServiceRemove),
        ("/application_services", Action::SystemServiceAdd),
        ("/server_notice", Action::SystemNoticeSend),
        ("/registration_tokens", Action::UserRegistrationTokenCreate),
        ("/admin/lock/", Action::UserUpdate),
        ("/admin/suspend/", Action::UserUpdate),
    ];
    acts.into_iter().find(|(part, _)| path.contains(part)).map(|(_, action)| action)
}
