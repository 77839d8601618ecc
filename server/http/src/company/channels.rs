//! Channels, for administrators.

use super::api::{Api, Doc, Who};
use crate::admin::Administrator;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Path, State};
use crate::respond;
use axum::http::{Method, StatusCode};
use kontor_contacts::channel::Wish;
use kontor_model::{Code, Error, Nid, Result, ids};
use kontor_store::contacts::channels::{self, ChannelRow, MemberRow};
use serde_json::{Value, json};

/// Adds the routes.
pub fn routes(api: Api) -> Api {
    let doc = |method, path, summary| Doc::new(method, path, Who::Administrator, summary);
    let all = "/_kontor/admin/v1/channels";
    let api = api.add(doc(Method::GET, all, "Lists channels with their members and how they are."), list);
    let api = api.add(doc(Method::POST, all, "Makes a channel.").taking::<Wish>(), create);
    let one = "/_kontor/admin/v1/channels/{id}";
    let api = api.add(doc(Method::GET, one, "Gives a channel."), get);
    let summary =
        "Changes a channel. Who is new among its members comes into the rooms of its open conversations.";
    let api = api.add(doc(Method::PATCH, one, summary).taking::<Wish>(), change);
    api.add(doc(Method::DELETE, one, "Removes a channel; its conversations stay."), remove)
}

fn shown(row: &ChannelRow, members: &[MemberRow]) -> Value {
    let members: Vec<&str> = members
        .iter()
        .filter(|member| member.channel == row.id && !member.leaving)
        .map(|member| member.user_id.as_str())
        .collect();
    json!({
        "id": row.id,
        "kind": row.kind,
        "account": row.account,
        "name": row.name,
        "application_service": row.service,
        "members": members,
        "exclusive": row.exclusive,
        "language": row.language,
        "visibility": row.visibility,
        "created_ts": row.created_ts,
        "health": row.health.as_deref().and_then(|health| serde_json::from_str::<Value>(health).ok()),
        "health_ts": row.health_ts,
    })
}

/// The numeric ids of those whom a wish names; the service that it names must be there.
async fn named(app: &App, wish: &Wish) -> Result<Option<Vec<Nid>>> {
    if let Some(service) = &wish.application_service
        && app.identity.services().now().by_id(service).is_none()
    {
        return Err(Error::invalid_param("There is no application service of this id. Register it first."));
    }
    let Some(members) = wish.member_ids()? else { return Ok(None) };
    let mut users = Vec::with_capacity(members.len());
    for member in members {
        users.push(app.flows.employee(&ids::user_id(&member)?).await?);
    }
    Ok(Some(users))
}

/// `GET /_kontor/admin/v1/channels`
async fn list(state: State, _: Administrator) -> Answer {
    let mut source = state.store.snapshot().await?;
    let rows = channels::all(&mut source).await?;
    let members = channels::members(&mut source, None).await?;
    let list: Vec<Value> = rows.iter().map(|row| shown(row, &members)).collect();
    Ok(respond::ok(&json!({ "channels": list })))
}

async fn one(state: &State, id: &str) -> Result<Value> {
    let row = state.contacts.channel(id).await?;
    let members = channels::members(&mut state.store.reader(), Some(id)).await?;
    Ok(shown(&row, &members))
}

/// `GET /_kontor/admin/v1/channels/{id}`
async fn get(state: State, _: Administrator, Path(id): Path<String>) -> Answer {
    Ok(respond::ok(&one(&state, &id).await?))
}

/// `POST /_kontor/admin/v1/channels`
async fn create(state: State, Administrator(caller): Administrator, Body(wish): Body<Wish>) -> Answer {
    let members = named(&state, &wish).await?.unwrap_or_default();
    let (change, row) = state.contacts.new_channel(&wish, &members, caller.actor()).await?;
    // The company's own user is there from the first channel on.
    state.flows.company().await?;
    match state.store.submit(change).await {
        Err(error) if error.is_conflict() => {
            return Err(
                Error::new(Code::Conflict, "There is a channel of this id already. Choose another.").into()
            );
        }
        outcome => outcome?,
    };
    let mut response = respond::ok(&one(&state, &row.id).await?);
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// `PATCH /_kontor/admin/v1/channels/{id}`
async fn change(
    state: State,
    Administrator(caller): Administrator,
    Path(id): Path<String>,
    Body(wish): Body<Wish>,
) -> Answer {
    let members = named(&state, &wish).await?;
    let (change, _) = state.contacts.change_channel(&id, &wish, members.as_deref(), caller.actor()).await?;
    match state.store.submit(change).await {
        Err(error) if error.is_conflict() => return Err(kontor_contacts::card::moved().into()),
        outcome => outcome?,
    };
    if members.is_some() {
        // The timer would do it as well, later.
        let flows = state.flows.clone();
        tokio::spawn(async move {
            if let Err(error) = flows.move_members().await {
                tracing::warn!(error.cause = ?error, "members of a channel come into its rooms later");
            }
        });
    }
    Ok(respond::ok(&one(&state, &id).await?))
}

/// `DELETE /_kontor/admin/v1/channels/{id}`
async fn remove(state: State, Administrator(caller): Administrator, Path(id): Path<String>) -> Answer {
    let change = state.contacts.remove_channel(&id, caller.actor()).await?;
    match state.store.submit(change).await {
        Err(error) if error.is_conflict() => return Err(Error::not_found("There is no such channel.").into()),
        outcome => outcome?,
    };
    Ok(respond::empty())
}
