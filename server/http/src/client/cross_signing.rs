//! Cross-signing keys and signatures (client-server API, "Cross-signing").

use super::keys::{ATTEMPTS, too_busy, written};
use super::uia;
use crate::app::App;
use crate::error::{Answer, status_and_errcode};
use crate::extract::{Body, Caller, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::post;
use kontor_identity::keys::signatures::SignatureUpload;
use kontor_identity::keys::{CrossSigningPlan, CrossSigningUpload};
use kontor_model::Error;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = v3(routes, "/keys/device_signing/upload", post(upload));
    v3(routes, "/keys/signatures/upload", post(sign))
}

#[derive(Deserialize)]
struct Proof {
    auth: Option<Value>,
}

/// `POST /_matrix/client/v3/keys/device_signing/upload`
async fn upload(state: State, caller: Caller, Body(body): Body<Box<RawValue>>) -> Answer {
    // Raw values cannot be read out of a part of a struct: the body is read twice.
    let keys: CrossSigningUpload = crate::extract::json(body.get().as_bytes())?;
    let proof: Proof = crate::extract::json(body.get().as_bytes())?;
    let requester = &caller.requester;
    for _ in 0..ATTEMPTS {
        match state.identity.upload_cross_signing(requester, &keys, caller.actor()).await? {
            CrossSigningPlan::Unchanged => return Ok(respond::empty()),
            CrossSigningPlan::First(change) => {
                if written(&state, requester.user, change, true).await? {
                    return Ok(respond::empty());
                }
            }
            CrossSigningPlan::Replaces(mut change) => {
                let ask = uia::password("device_signing", requester);
                let passed = uia::passed(&state, &caller, &ask, proof.auth.as_ref()).await?;
                change.join(passed.change);
                if written(&state, requester.user, change, true).await? {
                    return Ok(respond::empty());
                }
                let message = "Your keys were changed meanwhile. Look at them, and begin again.";
                return Err(Error::forbidden(message).into());
            }
        }
    }
    Err(too_busy().into())
}

/// `POST /_matrix/client/v3/keys/signatures/upload`
async fn sign(state: State, caller: Caller, Body(body): Body<SignatureUpload>) -> Answer {
    let requester = &caller.requester;
    for _ in 0..ATTEMPTS {
        let plan = state.identity.upload_signatures(requester, &body).await?;
        if plan.change.is_empty() || written(&state, requester.user, plan.change, plan.told).await? {
            let mut failures = Map::new();
            for (user, keys) in plan.failures {
                let failed = |(key, error): (String, Error)| {
                    let errcode = status_and_errcode(error.code).1;
                    (key, json!({ "errcode": errcode, "error": error.message }))
                };
                failures.insert(user, Value::Object(keys.into_iter().map(failed).collect()));
            }
            return Ok(respond::ok(&json!({ "failures": failures })));
        }
    }
    Err(too_busy().into())
}
