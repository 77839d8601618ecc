//! People: making accounts, listing them.

use super::Administrator;
use crate::app::App;
use crate::client::deactivate::leave_rooms;
use crate::error::Answer;
use crate::extract::{Body, OptionalBody, Path, Query, State};
use crate::respond;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use kontor_model::{Code, Error, Nid, Secret, ids};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// People per page, when nothing is asked for, and at most.
const PAGE: i64 = 100;
const LARGEST_PAGE: i64 = 1_000;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    routes
        .route("/_kontor/admin/v1/people", get(list).post(create))
        .route("/_kontor/admin/v1/people/{user_id}/deactivate", post(deactivate))
}

#[derive(Deserialize)]
struct Page {
    from: Option<String>,
    limit: Option<i64>,
}

/// `GET /_kontor/admin/v1/people`
async fn list(state: State, _: Administrator, Query(page): Query<Page>) -> Answer {
    let after = match page.from {
        None => 0,
        Some(from) => from.parse::<Nid>().ok().filter(|after| *after >= 0).ok_or_else(|| {
            Error::invalid_param("The parameter \"from\" must be the \"next\" of an earlier answer.")
        })?,
    };
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(Error::invalid_param(format!("The limit must be 1 to {LARGEST_PAGE}.")).into());
    }
    let mut people = state.identity.people(after, limit + 1).await?;
    // One more than asked for tells whether there is a next page.
    let more = people.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        people.pop();
    }
    let next = people.last().filter(|_| more).map(|last| last.user.to_string());
    let people: Vec<Value> = people
        .iter()
        .map(|person| {
            json!({
                "user_id": person.user_id,
                "admin": person.admin,
                "created_ts": person.created_ts,
                "state": person.state.word(),
            })
        })
        .collect();
    Ok(respond::ok(&json!({ "people": people, "next": next })))
}

#[derive(Deserialize)]
struct NewPerson {
    localpart: String,
    password: Option<Secret<String>>,
    #[serde(default)]
    admin: bool,
    display_name: Option<String>,
}

/// `POST /_kontor/admin/v1/people`
async fn create(state: State, Administrator(caller): Administrator, Body(body): Body<NewPerson>) -> Answer {
    let made = state.identity.person_by_administrator(
        &body.localpart,
        body.password,
        body.admin,
        body.display_name,
        caller.actor(),
    );
    let (change, user_id, password) = made.await?;
    match state.store.submit(change).await {
        Err(error) if error.is_conflict() => {
            return Err(Error::new(Code::UserInUse, "This user name is taken. Choose another.").into());
        }
        outcome => outcome?,
    };
    let mut answer = json!({ "user_id": user_id });
    if let (Some(password), Some(map)) = (password, answer.as_object_mut()) {
        map.insert("password".into(), password.into());
    }
    let mut response = respond::ok(&answer);
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

#[derive(Deserialize)]
struct Closing {
    #[serde(default)]
    erase: bool,
}

/// `POST /_kontor/admin/v1/people/{userId}/deactivate`
async fn deactivate(
    state: State,
    Administrator(caller): Administrator,
    Path(user_id): Path<String>,
    OptionalBody(body): OptionalBody<Closing>,
) -> Answer {
    let user_id = ids::user_id(&user_id)?;
    let change = state.identity.deactivate_person(&user_id, body.erase, caller.actor()).await?;
    let user = state.store.name(user_id.as_str()).await?;
    match state.flows.submit_devices(user, change).await {
        Err(error) if error.is_conflict() => {
            return Err(Error::new(Code::Conflict, "The account changes at this moment. Try again.").into());
        }
        outcome => outcome?,
    };
    leave_rooms(&state).await?;
    Ok(respond::empty())
}
