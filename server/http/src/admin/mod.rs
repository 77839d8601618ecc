//! The administration API: people, registration tokens, locking, registration by shared secret.

mod lock;
mod people;
mod shared_secret;
mod tokens;

use crate::app::App;
use crate::error::ErrorResponse;
use crate::extract::Caller;
use axum::Router;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use kontor_model::Error;
use std::sync::Arc;

/// All routes of the administration API.
pub fn routes() -> Router<Arc<App>> {
    let routes = people::routes(Router::new());
    let routes = tokens::routes(routes);
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
        Err(Error::forbidden("Only administrators of this server may do this.").into())
    }
}
