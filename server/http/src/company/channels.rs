//! Channels, for administrators.

use super::api::{Api, Doc, Who};
use crate::admin::Administrator;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Path, State};
use crate::respond;
use axum::http::{Method, StatusCode};
use kontor_contacts::channel::Wish;
use kontor_contacts::health;
use kontor_flows::conversation::channels::Said;
use kontor_model::{Code, Error, Ms, Nid, Result, ids};
use kontor_store::audit::Actor;
use kontor_store::contacts::channel_state::{self, StateRow};
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
    let summary = "Lets a channel rest: what comes is kept by its bridge, and what goes out waits.";
    let api = api.add(doc(Method::POST, "/_kontor/admin/v1/channels/{id}/pause", summary), pause);
    let summary = "Lets a channel go on that was paused.";
    let api = api.add(doc(Method::POST, "/_kontor/admin/v1/channels/{id}/resume", summary), resume);
    let summary = "Asks the channel's bridge whether the network accepts its access, now.";
    let api = api.add(doc(Method::POST, "/_kontor/admin/v1/channels/{id}/test", summary), test);
    api.add(doc(Method::DELETE, one, "Removes a channel; its conversations stay."), remove)
}

fn shown(row: &ChannelRow, members: &[MemberRow], states: &[StateRow], now: Ms) -> Value {
    let members: Vec<&str> = members
        .iter()
        .filter(|member| member.channel == row.id && !member.leaving)
        .map(|member| member.user_id.as_str())
        .collect();
    let paused = states.iter().find(|state| state.channel == row.id).and_then(|state| state.paused_since);
    let how = health::now_of(row, paused.is_some(), now);
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
        "state": how.state,
        "detail": how.detail,
        "paused_ts": paused,
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
    let states = channel_state::all(&mut source).await?;
    let now = state.clock.now();
    let list: Vec<Value> = rows.iter().map(|row| shown(row, &members, &states, now)).collect();
    Ok(respond::ok(&json!({ "channels": list })))
}

async fn one(state: &State, id: &str) -> Result<Value> {
    let row = state.contacts.channel(id).await?;
    let members = channels::members(&mut state.store.reader(), Some(id)).await?;
    let states = channel_state::all(&mut state.store.reader()).await?;
    Ok(shown(&row, &members, &states, state.clock.now()))
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
    state.flows.tend_channels().await?;
    Ok(respond::empty())
}

async fn rest(state: &State, actor: Actor, id: &str, paused: bool) -> Answer {
    let said = state.flows.pause_channel(id, paused, actor).await?;
    let mut channel = one(state, id).await?;
    if let Some(fields) = channel.as_object_mut() {
        let away = match said {
            Said::Done(_) => Value::Null,
            Said::Silent(why) => Value::from(why),
        };
        fields.insert("bridge_away".to_owned(), away);
    }
    Ok(respond::ok(&channel))
}

/// `POST /_kontor/admin/v1/channels/{id}/pause`
async fn pause(state: State, Administrator(caller): Administrator, Path(id): Path<String>) -> Answer {
    rest(&state, caller.actor(), &id, true).await
}

/// `POST /_kontor/admin/v1/channels/{id}/resume`
async fn resume(state: State, Administrator(caller): Administrator, Path(id): Path<String>) -> Answer {
    rest(&state, caller.actor(), &id, false).await
}

/// `POST /_kontor/admin/v1/channels/{id}/test`
async fn test(state: State, _: Administrator, Path(id): Path<String>) -> Answer {
    let row = state.contacts.channel(&id).await?;
    let said = match state.flows.ask_bridge(&row, "test").await? {
        Said::Done(said) => said,
        Said::Silent(why) => {
            json!({ "state": "silent", "detail": format!("The bridge does not answer: {why}.") })
        }
    };
    Ok(respond::ok(&said))
}
