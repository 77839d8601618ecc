//! Whether the process lives, and whether it can do its work: for supervisors and load balancers.

use crate::app::App;
use crate::error::Answer;
use crate::extract::State;
use crate::respond;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use kontor_model::{Code, Error};
use std::sync::Arc;
use std::time::Duration;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    routes.route("/health/live", get(live)).route("/health/ready", get(ready))
}

/// `GET /health/live`
async fn live() -> Response {
    respond::empty()
}

/// `GET /health/ready`
async fn ready(state: State) -> Answer {
    let asked = async { state.store.snapshot().await?.position().await };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answered) => answered?,
        Err(_) => return Err(Error::new(Code::Unavailable, "The database does not answer.").into()),
    };
    Ok(respond::empty())
}
