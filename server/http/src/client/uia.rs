//! The 401 answer of user-interactive authentication, and the loop around it.

use crate::app::App;
use crate::error::{Answer, ErrorResponse, status_and_errcode};
use crate::extract::{Caller, Origin};
use crate::refused;
use axum::http::StatusCode;
use kontor_identity::threepid::Purpose;
use kontor_identity::uia::{Ask, Passed, Stage};
use kontor_identity::{Challenge, Step};
use kontor_model::{Code, Error, Nid, Requester, Result};
use kontor_store::audit::Action;
use kontor_store::{Change, Committed};
use serde_json::{Value, json};
use std::sync::Arc;

/// What application services do for their users without a proof: those have no passwords (application
/// service API, "Device management" and "Cross-signing").
const UNPROVEN: [&str; 3] = ["delete_devices", "device_signing", "deactivate"];

/// The answer that asks for the next proof.
pub(crate) fn challenge(challenge: Challenge) -> ErrorResponse {
    let flows: Vec<_> = challenge.flows.iter().map(|stages| json!({ "stages": stages })).collect();
    let mut body = json!({
        "session": challenge.session,
        "flows": flows,
        "completed": challenge.completed,
        "params": challenge.params,
    });
    if let Some(error) = challenge.error
        && let Some(map) = body.as_object_mut()
    {
        map.insert("errcode".into(), status_and_errcode(error.code).1.into());
        map.insert("error".into(), error.message.into());
    }
    ErrorResponse::with_body(StatusCode::UNAUTHORIZED, body)
}

/// Lets the requester prove with their password that it is they.
///
/// # Errors
/// The challenge, until the proof is complete; `LimitExceeded` after too many wrong ones.
pub(crate) async fn passed(
    app: &Arc<App>,
    caller: &Caller,
    ask: &Ask<'_>,
    auth: Option<&Value>,
) -> Answer<Passed> {
    if caller.requester.service.is_some() && UNPROVEN.contains(&ask.operation) {
        return Ok(Passed::default());
    }
    // Asking what is to be proven is free; guessing is not.
    let user = Some(caller.requester.user_id.as_str()).filter(|_| auth.is_some());
    if user.is_some() {
        app.limits.spend_login(app, &caller.origin, user)?;
    }
    match app.identity.authenticate_interactively(ask, auth).await? {
        Step::Passed(passed) => {
            if user.is_some() {
                app.limits.refund_login(&caller.origin, user);
            }
            Ok(passed)
        }
        Step::More(next, change) => {
            app.store.submit(change).await?;
            if next.error.as_ref().is_some_and(|error| error.code == Code::Forbidden) {
                let user = caller.requester.user_id.to_string();
                refused::note(app, Action::AuthLoginFailed, caller.actor(), Some(user));
            }
            Err(challenge(next))
        }
    }
}

/// Lets somebody who is not logged in prove something.
///
/// # Errors
/// As [`passed`].
pub(crate) async fn passed_anonymously(
    app: &Arc<App>,
    origin: &Origin,
    ask: &Ask<'_>,
    auth: Option<&Value>,
) -> Answer<Passed> {
    app.limits.spend_anonymous(app, origin)?;
    match app.identity.authenticate_interactively(ask, auth).await? {
        Step::Passed(passed) => Ok(passed),
        Step::More(next, change) => {
            app.store.submit(change).await?;
            Err(challenge(next))
        }
    }
}

/// The operation's change together with the use of the address that was proven for it, if one was.
pub(crate) fn with_proof(mut change: Change, passed: &Passed) -> Change {
    if let Some(address) = &passed.address {
        change.use_validation(&address.sid);
    }
    change
}

/// The ask for the requester's password.
pub(crate) fn password<'a>(operation: &'static str, requester: &'a kontor_model::Requester) -> Ask<'a> {
    Ask {
        operation,
        requester: Some(requester),
        flows: vec![vec![Stage::Password]],
        address_for: Purpose::Add,
    }
}

/// Writes an operation together with the use of its proof.
///
/// # Errors
/// `Forbidden` when the proof was used by another request meanwhile.
pub(crate) async fn submit(app: &App, mut change: Change, passed: Passed) -> Result<()> {
    change.join(passed.change);
    settled(app.store.submit(change).await)
}

/// As [`submit`], for an operation that changes a user's devices or keys as others see them.
///
/// # Errors
/// As [`submit`].
pub(crate) async fn submit_devices(
    app: &App,
    requester: &Requester,
    change: Change,
    passed: Passed,
) -> Result<()> {
    submit_devices_of(app, requester.user, change, passed).await
}

/// As [`submit_devices`], of somebody who is not logged in.
///
/// # Errors
/// As [`submit`].
pub(crate) async fn submit_devices_of(
    app: &App,
    user: Nid,
    mut change: Change,
    passed: Passed,
) -> Result<()> {
    change.join(passed.change);
    settled(app.flows.submit_devices(user, change).await)
}

fn settled(outcome: Result<Committed>) -> Result<()> {
    match outcome {
        Ok(_) => Ok(()),
        Err(error) if error.is_conflict() => {
            Err(Error::forbidden("This was done already, or changed meanwhile. Look, and begin again.")
                .because(error))
        }
        Err(error) => Err(error),
    }
}
