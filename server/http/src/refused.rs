//! Refused acts in the audit log, written after the answer: its time must not tell whether an
//! account exists.

use crate::app::App;
use kontor_model::Result;
use kontor_store::audit::{Action, Actor};
use std::sync::Arc;

/// Notes that somebody was refused. `user` is the name that was typed, if one was.
pub(crate) fn note(app: &Arc<App>, action: Action, actor: Actor, user: Option<String>) {
    let app = Arc::clone(app);
    tokio::spawn(async move {
        if let Err(error) = write(&app, action, actor, user).await {
            tracing::error!(error.cause = ?error, "a refused act is missing in the audit log");
        }
    });
}

async fn write(app: &App, action: Action, actor: Actor, user: Option<String>) -> Result<()> {
    // What was typed may be a password in the wrong field: only names of accounts are kept.
    let user_id = user.and_then(|user| app.identity.local_user_id(&user));
    let target = match user_id {
        Some(id) if app.identity.account_state(&id).await.is_ok() => Some(("user", id.to_string())),
        _ => None,
    };
    match app.identity.denied(action, actor, target).await? {
        Some(change) => app.store.submit_bulk(change).await.map(|_| ()),
        None => Ok(()),
    }
}
