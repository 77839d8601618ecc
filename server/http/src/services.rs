//! Requests of application services: as whom they are made, and at what time (application service
//! API, "Client-Server API Extensions").

use crate::app::App;
use crate::extract::{Caller, access_token};
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use kontor_identity::appservice::Masquerade;
use kontor_model::appservice::Service;
use kontor_model::{Code, Error, Ms, Requester, Result};
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::Arc;

/// Largest time of an event: what JSON numbers hold exactly.
const LATEST: Ms = (1 << 53) - 1;

/// As whom a request wants to be made.
#[derive(Deserialize)]
struct Wish {
    user_id: Option<String>,
    device_id: Option<String>,
    /// The name before the specification had it.
    #[serde(rename = "org.matrix.msc3202.device_id")]
    old_device_id: Option<String>,
}

/// The requester of an application service's request, whose budget was looked at.
///
/// # Errors
/// As [`kontor_identity::Identity::act_as`]; `LimitExceeded`; `InvalidParam` for repeated parameters.
pub(crate) async fn requester(app: &App, service: &Service, parts: &Parts) -> Result<Requester> {
    let Query(wish) = Query::<Wish>::try_from_uri(&parts.uri).map_err(|cause| {
        Error::invalid_param("A query parameter has a wrong value.").because(cause.to_string())
    })?;
    let device_id = wish.device_id.or(wish.old_device_id);
    let requester = app.identity.act_as(service, &Masquerade { user_id: wish.user_id, device_id }).await?;
    app.flows.check_masquerade(service, &requester).await?;
    if service.rate_limited && requester.user_id != service.sender {
        app.limits.spend(app, &requester)?;
    }
    Ok(requester)
}

/// The access token of a request, if there is one, whatever it is worth.
pub(crate) struct ServiceToken(Option<String>);

impl ServiceToken {
    /// The application service whose token it is.
    ///
    /// # Errors
    /// `MissingToken`, `UnknownToken`.
    pub fn service(&self, app: &App) -> Result<Arc<Service>> {
        let token = self.0.as_ref().ok_or_else(|| {
            Error::new(Code::MissingToken, "The token of an application service is needed for this.")
        })?;
        let known = app.identity.services().now();
        known.by_token(token).cloned().ok_or_else(|| {
            let code = Code::UnknownToken { soft_logout: false };
            Error::new(code, "This is not the token of an application service.")
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ServiceToken {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(access_token(parts)))
    }
}

/// The time that an event is to have, which application services may say.
#[derive(Deserialize)]
pub(crate) struct Stamp {
    ts: Option<String>,
}

impl Stamp {
    /// The time, if the caller may say it and does.
    ///
    /// # Errors
    /// `InvalidParam` when no event can have it.
    pub fn of(&self, caller: &Caller) -> Result<Option<Ms>> {
        let Some(ts) = self.ts.as_ref().filter(|_| caller.requester.service.is_some()) else {
            return Ok(None);
        };
        let ts = ts.parse().ok().filter(|ts| (0..=LATEST).contains(ts));
        ts.map(Some).ok_or_else(|| Error::invalid_param("ts is a number of milliseconds since 1970."))
    }
}
