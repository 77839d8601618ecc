//! Publishing, asking for and claiming keys (client-server API, "Key management API").

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, OptionalBody, Query, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::{get, post};
use kontor_identity::keys::{KeyUpload, Owner};
use kontor_model::{Code, Error, Nid, Result, SyncToken, ids};
use kontor_store::Change;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How often a plan is made anew when the same device writes at the same moment.
pub(super) const ATTEMPTS: usize = 8;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = v3(routes, "/keys/upload", post(upload));
    let routes = v3(routes, "/keys/query", post(query));
    let routes = v3(routes, "/keys/claim", post(claim));
    v3(routes, "/keys/changes", get(changes))
}

/// Writes a change of keys; false when somebody was quicker. `told`: others must hear of it.
pub(super) async fn written(app: &App, user: Nid, change: Change, told: bool) -> Result<bool> {
    let outcome = match told {
        true => app.flows.submit_devices(user, change).await,
        false => app.store.submit(change).await,
    };
    match outcome {
        Err(error) if error.is_conflict() => Ok(false),
        outcome => outcome.map(|_| true),
    }
}

pub(super) fn too_busy() -> Error {
    Error::new(
        Code::Unavailable,
        "Your other requests change the same keys right now. Try again in a moment.",
    )
}

/// `POST /_matrix/client/v3/keys/upload`
async fn upload(state: State, caller: Caller, OptionalBody(body): OptionalBody<KeyUpload>) -> Answer {
    caller.requester.device()?;
    let owner = Owner::from(&caller.requester);
    for _ in 0..ATTEMPTS {
        let plan = state.identity.upload_keys(owner, &body).await?;
        if plan.change.is_empty() || written(&state, owner.user, plan.change, plan.told).await? {
            let counts = state.identity.one_time_key_counts(owner).await?;
            return Ok(respond::ok(&json!({ "one_time_key_counts": counts })));
        }
    }
    Err(too_busy().into())
}

/// Takes users of other servers out of a request by user, and says of their servers that they could
/// not be asked. What is no user id is no user.
fn foreign<T>(app: &App, users: &mut BTreeMap<String, T>) -> Map<String, Value> {
    let mut failures = Map::new();
    users.retain(|user, _| {
        let Ok(user) = ids::user_id(user) else { return false };
        let local = user.server_name() == app.settings.server_name;
        if !local {
            let error = "This server does not talk to other servers yet.";
            failures
                .insert(user.server_name().to_string(), json!({ "errcode": "M_UNKNOWN", "error": error }));
        }
        local
    });
    failures
}

#[derive(Deserialize)]
struct Wanted {
    device_keys: BTreeMap<String, Vec<String>>,
}

/// `POST /_matrix/client/v3/keys/query`
async fn query(state: State, caller: Caller, Body(mut body): Body<Wanted>) -> Answer {
    let failures = foreign(&state, &mut body.device_keys);
    let found = state.identity.query_keys(&caller.requester, &body.device_keys).await?;
    Ok(respond::ok(&json!({
        "failures": failures,
        "device_keys": found.device_keys,
        "master_keys": found.master_keys,
        "self_signing_keys": found.self_signing_keys,
        "user_signing_keys": found.user_signing_keys,
    })))
}

#[derive(Deserialize)]
struct Claimed {
    one_time_keys: BTreeMap<String, BTreeMap<String, String>>,
}

/// `POST /_matrix/client/v3/keys/claim`
async fn claim(state: State, _: Caller, Body(mut body): Body<Claimed>) -> Answer {
    let failures = foreign(&state, &mut body.one_time_keys);
    let mut claim = state.identity.claim(&body.one_time_keys).await?;
    while let Some(change) = state.identity.plan_claim(&mut claim).await? {
        let committed = match state.store.submit(change).await {
            Err(error) if error.is_conflict() => false,
            outcome => outcome.map(|_| true)?,
        };
        state.identity.settle_claim(&mut claim, committed).await?;
    }
    Ok(respond::ok(&json!({ "failures": failures, "one_time_keys": claim.into_keys()? })))
}

#[derive(Deserialize)]
struct Range {
    from: String,
    to: String,
}

/// `GET /_matrix/client/v3/keys/changes`
async fn changes(state: State, caller: Caller, Query(range): Query<Range>) -> Answer {
    let (from, to): (SyncToken, SyncToken) = (range.from.parse()?, range.to.parse()?);
    let lists = state.flows.device_list_changes(&caller.requester, from.pos, to.pos).await?;
    Ok(respond::ok(&lists))
}
