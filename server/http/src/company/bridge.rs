//! What bridges tell: customers, what is said about them, what they agreed to, and how channels are.

use super::api::{Api, Doc, Who};
use crate::app::App;
use crate::error::{Answer, ErrorResponse};
use crate::extract::{Body, Caller, Path, State};
use crate::respond;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::Method;
use axum::http::request::Parts;
use kontor_contacts::claim::Claim;
use kontor_contacts::consent::Consent;
use kontor_contacts::moving::NewAddress;
use kontor_contacts::opening::Opening;
use kontor_contacts::ulid::is_ulid;
use kontor_model::appservice::Service;
use kontor_model::{Error, Result};
use kontor_store::contacts::channel_state;
use kontor_store::contacts::conversations::{self, ConversationRow};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// After so long the message that opened a conversation is there.
const FIRST_MESSAGE: Duration = Duration::from_secs(1);

/// Adds the routes.
pub fn routes(api: Api) -> Api {
    let doc = |method, path, summary| Doc::new(method, path, Who::Bridge, summary);
    let api = api.add(
        doc(
            Method::POST,
            "/_kontor/bridge/v1/conversations",
            "Gives the conversation of a customer, opened if it is new.",
        )
        .taking::<Opening>()
        .giving::<OpenedDoc>(),
        open,
    );
    let path = "/_kontor/bridge/v1/conversations/{id}/claims";
    let api =
        api.add(doc(Method::POST, path, "Adds what is said about the customer.").taking::<Claims>(), claims);
    let path = "/_kontor/bridge/v1/conversations/{id}/consents";
    let summary = "Records what the customer agreed to by an explicit act, or took back.";
    let api = api.add(doc(Method::POST, path, summary).taking::<Consents>(), consents);
    let path = "/_kontor/bridge/v1/conversations/{id}/address";
    let summary = "The customer has a new id in the network; the old one still leads to the conversation.";
    let api = api.add(doc(Method::PUT, path, summary).taking::<NewAddress>(), address);
    let path = "/_kontor/bridge/v1/channels/{id}/health";
    api.add(doc(Method::PUT, path, "Tells how the channel is.").taking::<HealthDoc>(), health)
}

/// The answer of an opening, for the document.
#[derive(Deserialize)]
#[allow(dead_code)]
struct OpenedDoc {
    conversation_id: String,
    room_id: String,
    contact_id: String,
    ghost_user_id: String,
    language: String,
}

/// The report about a channel, for the document; further fields are kept.
#[derive(Deserialize)]
#[allow(dead_code)]
struct HealthDoc {
    state: String,
    detail: Option<String>,
    since: Option<i64>,
}

/// An application service that speaks for itself.
pub struct Bridge {
    /// The service.
    service: Arc<Service>,
    caller: Caller,
}

impl<S> FromRequestParts<S> for Bridge
where
    S: Send + Sync,
    Arc<App>: FromRef<S>,
{
    type Rejection = ErrorResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ErrorResponse> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let known = Arc::<App>::from_ref(state).identity.services().now();
        let service = caller.requester.service.as_deref().and_then(|id| known.by_id(id)).cloned();
        let service =
            service.ok_or_else(|| Error::forbidden("Only bridges, with their own token, may do this."))?;
        Ok(Self { service, caller })
    }
}

impl Bridge {
    /// A conversation of one of the bridge's channels.
    async fn conversation(&self, app: &App, id: &str) -> Result<ConversationRow> {
        let unknown = || Error::not_found("There is no such conversation.");
        if !is_ulid(id) {
            return Err(unknown());
        }
        let row = conversations::by_id(&mut app.store.reader(), id).await?.ok_or_else(unknown)?;
        app.flows.channel_of(&self.service, &row.channel).await.map_err(|_| unknown())?;
        Ok(row)
    }
}

/// `POST /_kontor/bridge/v1/conversations`
async fn open(state: State, bridge: Bridge, Body(opening): Body<Opening>) -> Answer {
    let actor = bridge.caller.actor();
    let limited = opening.window_ms.is_some();
    let opened = state.flows.open_conversation(&bridge.service, opening, actor).await?;
    if limited {
        let flows = state.flows.clone();
        tokio::spawn(async move {
            // The message that opens it comes next; the timer would do it as well, later.
            tokio::time::sleep(FIRST_MESSAGE).await;
            if let Err(error) = flows.tend_windows().await {
                tracing::warn!(error.cause = ?error, "people are told later until when answers are taken");
            }
        });
    }
    Ok(respond::ok(&opened))
}

#[derive(Deserialize)]
struct Claims {
    claims: Vec<Claim>,
}

/// `POST /_kontor/bridge/v1/conversations/{id}/claims`
async fn claims(state: State, bridge: Bridge, Path(id): Path<String>, Body(body): Body<Claims>) -> Answer {
    let row = bridge.conversation(&state, &id).await?;
    let change = state.contacts.add_claims(&row.contact, &row.id, &body.claims).await?;
    state.store.submit(change).await?;
    let mut contact = row.contact.clone();
    if let Some(plan) = state.contacts.follow_link(&contact, &body.claims, bridge.caller.actor()).await? {
        match state.store.submit(plan.change).await {
            // Somebody changed one of them meanwhile: people see the code on the card.
            Err(error) if error.is_conflict() => {}
            outcome => {
                outcome?;
                contact = plan.touched.into_iter().next().unwrap_or(contact);
            }
        }
    }
    state.flows.relabel(&contact).await;
    Ok(respond::empty())
}

#[derive(Deserialize)]
struct Consents {
    consents: Vec<Consent>,
}

/// `POST /_kontor/bridge/v1/conversations/{id}/consents`
async fn consents(
    state: State,
    bridge: Bridge,
    Path(id): Path<String>,
    Body(body): Body<Consents>,
) -> Answer {
    let row = bridge.conversation(&state, &id).await?;
    let change = state.contacts.record_consents(&row, &body.consents, bridge.caller.actor()).await?;
    state.store.submit(change).await?;
    Ok(respond::empty())
}

/// `PUT /_kontor/bridge/v1/conversations/{id}/address`
async fn address(
    state: State,
    bridge: Bridge,
    Path(id): Path<String>,
    Body(new): Body<NewAddress>,
) -> Answer {
    let row = bridge.conversation(&state, &id).await?;
    let (change, moved) = state.contacts.plan_move(&row, &new, bridge.caller.actor()).await?;
    state.store.submit(change).await?;
    Ok(respond::ok(&json!({ "moved": moved })))
}

/// `PUT /_kontor/bridge/v1/channels/{id}/health`
async fn health(state: State, bridge: Bridge, Path(id): Path<String>, Body(report): Body<Value>) -> Answer {
    state.flows.channel_of(&bridge.service, &id).await?;
    state.store.submit(state.contacts.report_health(&id, &report)?).await?;
    let paused = channel_state::paused(&mut state.store.reader(), &id).await?.is_some();
    // The timer would do it as well, later.
    let flows = state.flows.clone();
    tokio::spawn(async move {
        if let Err(error) = flows.tend_channels().await {
            tracing::warn!(error.cause = ?error, "people are told later how a channel is");
        }
    });
    Ok(respond::ok(&json!({ "paused": paused })))
}
