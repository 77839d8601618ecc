//! Addresses of people outside Matrix (client-server API, "Adding Account Administrative Contact
//! Information"): the mails that prove them, and the list of one's own.
//!
//! There is no identity server here: nothing is published by which strangers could find somebody.

use super::uia;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Origin, State, language};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use kontor_identity::threepid::{Purpose, TokenRequest, in_use};
use kontor_model::{Code, Error};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// How often a request that met the same one at the same moment is tried.
const TRIES: usize = 3;

/// Adds the routes.
pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = v3(routes, "/account/3pid", get(list).post(add_older));
    let routes = v3(routes, "/account/3pid/add", post(add));
    let routes = v3(routes, "/account/3pid/bind", post(bind));
    let routes = v3(routes, "/account/3pid/delete", post(remove));
    let routes = v3(routes, "/account/3pid/unbind", post(unbind));
    let routes = v3(routes, "/account/3pid/email/requestToken", post(mail_to_add));
    let routes = v3(routes, "/account/password/email/requestToken", post(mail_to_reset));
    let routes = v3(routes, "/register/email/requestToken", post(mail_to_register));
    let routes = v3(routes, "/account/3pid/msisdn/requestToken", post(no_phones));
    let routes = v3(routes, "/account/password/msisdn/requestToken", post(no_phones));
    v3(routes, "/register/msisdn/requestToken", post(no_phones))
}

#[derive(Deserialize)]
struct Wish {
    client_secret: String,
    email: String,
    send_attempt: i64,
    next_link: Option<String>,
}

/// `POST /_matrix/client/v3/account/3pid/email/requestToken`
async fn mail_to_add(state: State, origin: Origin, headers: HeaderMap, Body(wish): Body<Wish>) -> Answer {
    request(&state, &origin, &headers, Purpose::Add, wish).await
}

/// `POST /_matrix/client/v3/account/password/email/requestToken`
async fn mail_to_reset(state: State, origin: Origin, headers: HeaderMap, Body(wish): Body<Wish>) -> Answer {
    request(&state, &origin, &headers, Purpose::Reset, wish).await
}

/// `POST /_matrix/client/v3/register/email/requestToken`
async fn mail_to_register(
    state: State,
    origin: Origin,
    headers: HeaderMap,
    Body(wish): Body<Wish>,
) -> Answer {
    state.identity.expect_registration()?;
    request(&state, &origin, &headers, Purpose::Register, wish).await
}

/// Nobody need be logged in: clients ask for these mails without a token. So the answer is the same
/// whether the address belongs to an account or not; only its reader learns that.
async fn request(app: &App, origin: &Origin, headers: &HeaderMap, purpose: Purpose, wish: Wish) -> Answer {
    app.limits.spend_mail(app, origin, &wish.email)?;
    let request = TokenRequest {
        purpose,
        email: wish.email,
        client_secret: wish.client_secret,
        send_attempt: wish.send_attempt,
        next_link: wish.next_link,
        language: language(headers),
    };
    for _ in 0..TRIES {
        let (sid, change) = app.identity.request_email_token(&request).await?;
        if let Some(change) = change {
            match app.store.submit(change).await {
                Ok(_) => app.flows.mail.laid_out.notify_one(),
                // The same request at the same moment: the next round finds what it did.
                Err(error) if error.is_conflict() => continue,
                Err(error) => return Err(error.into()),
            }
        }
        return Ok(respond::ok(&json!({ "sid": sid })));
    }
    Err(Error::new(Code::Unavailable, "The same mail is asked for many times at this moment. Try again.")
        .into())
}

/// `POST …/msisdn/requestToken`
async fn no_phones(state: State, origin: Origin) -> Answer {
    state.limits.spend_anonymous(&state, &origin)?;
    let message = "This server does not work with telephone numbers. Use an e-mail address.";
    Err(Error::new(Code::ThreepidMediumNotSupported, message).into())
}

/// `GET /_matrix/client/v3/account/3pid`
async fn list(state: State, caller: Caller) -> Answer {
    let mine = state.identity.addresses(&caller.requester).await?;
    let mine: Vec<Value> = mine
        .into_iter()
        .map(|row| {
            json!({
                "medium": row.medium,
                "address": row.address,
                "validated_at": row.validated_ts,
                "added_at": row.added_ts,
            })
        })
        .collect();
    Ok(respond::ok(&json!({ "threepids": mine })))
}

#[derive(Deserialize)]
struct Addition {
    sid: String,
    client_secret: String,
    auth: Option<Value>,
}

/// `POST /_matrix/client/v3/account/3pid/add`
async fn add(state: State, caller: Caller, Body(body): Body<Addition>) -> Answer {
    let ask = uia::password("add_address", &caller.requester);
    let passed = uia::passed(&state, &caller, &ask, body.auth.as_ref()).await?;
    let Addition { sid, client_secret, .. } = body;
    let change = state.identity.add_address(&caller.requester, &sid, &client_secret, caller.actor()).await?;
    match uia::submit(&state, change, passed).await {
        // Somebody else was given the address meanwhile, or the same request was quicker.
        Err(error) if error.code == Code::Forbidden => Err(in_use().because(error).into()),
        outcome => {
            outcome?;
            Ok(respond::empty())
        }
    }
}

#[derive(Deserialize)]
struct OlderAddition {
    #[serde(alias = "threePidCreds")]
    three_pid_creds: OlderCredentials,
    auth: Option<Value>,
}

#[derive(Deserialize)]
struct OlderCredentials {
    #[serde(alias = "clientSecret")]
    client_secret: String,
    sid: String,
}

/// `POST /_matrix/client/v3/account/3pid`, of older clients. The password is asked for as well: an
/// address is a way to another password.
async fn add_older(state: State, caller: Caller, Body(body): Body<OlderAddition>) -> Answer {
    let OlderCredentials { client_secret, sid } = body.three_pid_creds;
    add(state, caller, Body(Addition { sid, client_secret, auth: body.auth })).await
}

#[derive(Deserialize)]
struct Removal {
    medium: String,
    address: String,
}

/// `POST /_matrix/client/v3/account/3pid/delete`
async fn remove(state: State, caller: Caller, Body(body): Body<Removal>) -> Answer {
    let Removal { medium, address } = body;
    let change = state.identity.remove_address(&caller.requester, &medium, &address, caller.actor()).await?;
    match state.store.submit(change).await {
        // The same request was quicker.
        Err(error) if error.is_conflict() => {}
        outcome => outcome.map(|_| ())?,
    }
    Ok(unbound())
}

/// `POST /_matrix/client/v3/account/3pid/unbind`
async fn unbind(_: Caller, Body(_): Body<Removal>) -> Answer {
    Ok(unbound())
}

/// Nothing was ever bound by way of this server.
fn unbound() -> Response {
    respond::ok(&json!({ "id_server_unbind_result": "no-support" }))
}

/// `POST /_matrix/client/v3/account/3pid/bind`
async fn bind(_: Caller) -> Answer {
    let message = "This server works with no identity server: addresses are not published.";
    Err(Error::new(Code::ServerNotTrusted, message).into())
}
