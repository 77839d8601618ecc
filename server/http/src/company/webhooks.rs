//! Webhooks, for administrators.

use super::api::{Api, Doc, Who};
use crate::admin::Administrator;
use crate::error::Answer;
use crate::extract::{Body, Path, State};
use crate::respond;
use axum::http::{Method, StatusCode};
use kontor_contacts::webhook::Wish;
use kontor_model::Error;
use kontor_store::contacts::webhooks::{self, WebhookRow};
use serde_json::{Value, json};

/// Adds the routes.
pub fn routes(api: Api) -> Api {
    let doc = |method, path, summary| Doc::new(method, path, Who::Administrator, summary);
    let all = "/_kontor/admin/v1/webhooks";
    let api = api.add(doc(Method::GET, all, "Lists webhooks, and how much each is yet to be told."), list);
    let summary = "Makes a webhook; the answer shows its secret, once.";
    let api = api.add(doc(Method::POST, all, summary).taking::<Wish>(), create);
    let one = "/_kontor/admin/v1/webhooks/{id}";
    api.add(doc(Method::DELETE, one, "Removes a webhook and what it was yet to be told."), remove)
}

fn shown(row: &WebhookRow) -> Value {
    let kinds: Value = serde_json::from_str(&row.kinds).unwrap_or_default();
    json!({ "id": row.id, "url": row.url, "kinds": kinds, "created_ts": row.created_ts, "waiting": row.waiting })
}

/// `GET /_kontor/admin/v1/webhooks`
async fn list(state: State, _: Administrator) -> Answer {
    let rows = webhooks::all(&mut state.store.reader()).await?;
    let list: Vec<Value> = rows.iter().map(shown).collect();
    Ok(respond::ok(&json!({ "webhooks": list })))
}

/// `POST /_kontor/admin/v1/webhooks`
async fn create(state: State, Administrator(caller): Administrator, Body(wish): Body<Wish>) -> Answer {
    let (change, row) = state.contacts.new_webhook(&wish, caller.actor()).await?;
    state.store.submit(change).await?;
    let mut told = shown(&row);
    if let Some(fields) = told.as_object_mut() {
        fields.insert("secret".to_owned(), row.secret.as_str().into());
    }
    let mut response = respond::ok(&told);
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// `DELETE /_kontor/admin/v1/webhooks/{id}`
async fn remove(state: State, Administrator(caller): Administrator, Path(id): Path<String>) -> Answer {
    let change = state.contacts.remove_webhook(&id, caller.actor()).await?;
    match state.store.submit(change).await {
        Err(error) if error.is_conflict() => return Err(Error::not_found("There is no such webhook.").into()),
        outcome => outcome?,
    };
    Ok(respond::empty())
}
