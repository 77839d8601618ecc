//! The caller's account: its password.

use super::uia;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, MaybeCaller, Origin, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::post;
use kontor_identity::threepid::Purpose;
use kontor_identity::uia::{Ask, Stage};
use kontor_model::{Code, Error, Secret};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    v3(routes, "/account/password", post(password))
}

#[derive(Deserialize)]
struct NewPassword {
    new_password: Secret<String>,
    logout_devices: Option<bool>,
    auth: Option<Value>,
}

/// `POST /_matrix/client/v3/account/password`
async fn password(
    state: State,
    MaybeCaller(caller): MaybeCaller,
    origin: Origin,
    Body(body): Body<NewPassword>,
) -> Answer {
    state.identity.acceptable_password(&body.new_password)?;
    match caller {
        Some(caller) => change(&state, &caller, &body).await?,
        // Whoever forgot the password is not logged in.
        None if state.identity.sends_mail() => reset(&state, &origin, &body).await?,
        None => return Err(Error::new(Code::MissingToken, "Log in first.").into()),
    }
    Ok(respond::empty())
}

/// Sets another password of somebody who is logged in.
async fn change(app: &Arc<App>, caller: &Caller, body: &NewPassword) -> Answer<()> {
    let mut flows = vec![vec![Stage::Password]];
    flows.extend(app.identity.sends_mail().then_some(vec![Stage::Email]));
    let requester = Some(&caller.requester);
    let ask = Ask { operation: "password", requester, flows, address_for: Purpose::Reset };
    let passed = uia::passed(app, caller, &ask, body.auth.as_ref()).await?;
    let logout = body.logout_devices.unwrap_or(true);
    let planned =
        app.identity.change_password(&caller.requester, &body.new_password, logout, caller.actor()).await?;
    let planned = uia::with_proof(planned, &passed);
    if logout {
        uia::submit_devices(app, &caller.requester, planned, passed).await?;
    } else {
        uia::submit(app, planned, passed).await?;
    }
    Ok(())
}

/// Sets another password of whoever proved that an address of theirs belongs to an account.
async fn reset(app: &Arc<App>, origin: &Origin, body: &NewPassword) -> Answer<()> {
    let flows = vec![vec![Stage::Email]];
    let ask = Ask { operation: "password", requester: None, flows, address_for: Purpose::Reset };
    let passed = uia::passed_anonymously(app, origin, &ask, body.auth.as_ref()).await?;
    let proof = passed.address.clone().ok_or_else(|| Error::internal("a reset without a proof"))?;
    let logout = body.logout_devices.unwrap_or(true);
    let planned = app.identity.reset_password(&proof, &body.new_password, logout, origin.actor()).await?;
    let (planned, user) = planned;
    let planned = uia::with_proof(planned, &passed);
    if logout {
        uia::submit_devices_of(app, user, planned, passed).await?;
    } else {
        uia::submit(app, planned, passed).await?;
    }
    Ok(())
}
