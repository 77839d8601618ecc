//! Connectors to CRMs: administrators make them and decide what they cannot; CRMs say that something changed.

use super::api::{Api, Doc, Who};
use super::cards::{PAGES, Page, cut};
use crate::admin::Administrator;
use crate::error::Answer;
use crate::extract::{Body, Path, Query, State};
use crate::respond;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode};
use kontor_contacts::crm::{Connection, Decision, Mapping};
use kontor_model::Error;
use kontor_store::contacts::crm::{self, ConnectorRow};
use serde_json::{Value, json};

/// Reports that are shown.
const REPORTS: i64 = 31;

/// Adds the routes for administrators.
pub fn routes(api: Api) -> Api {
    let doc = |method, path, summary| Doc::new(method, path, Who::Administrator, summary);
    let all = "/_kontor/admin/v1/connectors";
    let api =
        api.add(doc(Method::GET, all, "Lists connectors to CRMs with what they are yet to be told."), list);
    let summary = "Makes a connector; the answer shows the secret of its webhook, once.";
    let api = api.add(doc(Method::POST, all, summary).taking::<Connection>(), create);
    let summary = "Removes a connector; what contacts are called there is kept.";
    let api = api.add(doc(Method::DELETE, "/_kontor/admin/v1/connectors/{system}", summary), remove);
    let path = "/_kontor/admin/v1/connectors/{system}/reports";
    let api = api
        .add(doc(Method::GET, path, "Shows what the nightly comparisons found, the newest first."), reports);
    let path = "/_kontor/admin/v1/connectors/{system}/compare";
    let summary = "Compares all linked records with their contacts now, as every night; the report tells what was found.";
    let api = api.add(doc(Method::POST, path, summary), compare);
    let path = "/_kontor/admin/v1/connector_tasks";
    let summary = "Lists what people have to decide or do about connectors, the oldest first.";
    let api = api.add(doc(Method::GET, path, summary).asking(PAGES), tasks);
    let path = "/_kontor/admin/v1/connector_tasks/{id}/done";
    let summary = "Says that it is done; of a conflict whose value counts: us, them; of a record that is gone the one that remains.";
    api.add(doc(Method::POST, path, summary).taking::<Decision>(), done)
}

/// Adds the route for CRMs.
pub fn hooks(api: Api) -> Api {
    let summary =
        "A CRM says that something changed there; its signature is checked, its words are not believed.";
    let path = "/_kontor/hooks/v1/crm/{system}";
    api.add(Doc::new(Method::POST, path, Who::Signed, summary), hook)
}

fn shown(row: &ConnectorRow) -> Value {
    let mapping = Mapping::of(row).ok();
    json!({
        "system": row.system, "kind": row.kind, "url": row.url, "mapping": mapping, "read_up_to_ts": row.cursor.0,
        "failures": row.failures, "next_ts": row.next_ts, "compared_day_ts": row.compared_day * 86_400_000, "waiting": row.waiting, "tasks": row.tasks,
    })
}

/// `GET /_kontor/admin/v1/connectors`
async fn list(state: State, _: Administrator) -> Answer {
    let rows = crm::connectors(&mut state.store.reader()).await?;
    Ok(respond::ok(&json!({ "connectors": rows.iter().map(shown).collect::<Vec<_>>() })))
}

/// `POST /_kontor/admin/v1/connectors`
async fn create(state: State, Administrator(caller): Administrator, Body(wish): Body<Connection>) -> Answer {
    let (change, row) = state.contacts.plan_connector(&wish, caller.actor()).await?;
    state.store.submit(change).await?;
    let mut told = shown(&row);
    if let Some(fields) = told.as_object_mut() {
        fields.insert("hook_secret".to_owned(), row.hook_secret.clone().into());
    }
    let mut response = respond::ok(&told);
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// `DELETE /_kontor/admin/v1/connectors/{system}`
async fn remove(state: State, Administrator(caller): Administrator, Path(system): Path<String>) -> Answer {
    let row = state.contacts.connector(&system).await?;
    let change = state.contacts.plan_connector_removal(&row.system, caller.actor()).await?;
    state.store.submit(change).await?;
    Ok(respond::empty())
}

/// `GET /_kontor/admin/v1/connectors/{system}/reports`
async fn reports(state: State, _: Administrator, Path(system): Path<String>) -> Answer {
    let row = state.contacts.connector(&system).await?;
    let rows = crm::reports(&mut state.store.reader(), &row.system, REPORTS).await?;
    let told = rows.iter().map(|(day, figures)| {
        let figures: Value = serde_json::from_str(figures).unwrap_or_default();
        json!({ "day_ts": day * 86_400_000, "figures": figures })
    });
    Ok(respond::ok(&json!({ "reports": told.collect::<Vec<_>>() })))
}

/// `POST /_kontor/admin/v1/connectors/{system}/compare`
async fn compare(state: State, Administrator(caller): Administrator, Path(system): Path<String>) -> Answer {
    let row = state.contacts.connector(&system).await?;
    let change = state.contacts.plan_comparison(&row.system, caller.actor()).await?;
    state.store.submit(change).await?;
    Ok(respond::empty())
}

/// `GET /_kontor/admin/v1/connector_tasks`
async fn tasks(state: State, _: Administrator, Query(page): Query<Page>) -> Answer {
    let limit = page.limit()?;
    let after = page.from.as_deref().map_or(Ok(0), str::parse);
    let after = after.map_err(|_| Error::invalid_param("from must be the \"next\" of an earlier answer."))?;
    let mut rows = crm::tasks(&mut state.store.reader(), after, limit + 1).await?;
    let more = cut(&mut rows, limit);
    let next = rows.last().filter(|_| more).map(|row| row.task.to_string());
    let told = rows.iter().map(|row| {
        let detail: Value = serde_json::from_str(&row.detail).unwrap_or_default();
        json!({
            "task_id": row.task.to_string(), "system": row.system, "kind": row.kind, "contact_id": row.contact,
            "detail": detail, "since_ts": row.ts,
        })
    });
    Ok(respond::ok(&json!({ "tasks": told.collect::<Vec<_>>(), "next": next })))
}

/// `POST /_kontor/admin/v1/connector_tasks/{id}/done`
async fn done(
    state: State,
    Administrator(caller): Administrator,
    Path(id): Path<String>,
    Body(decision): Body<Decision>,
) -> Answer {
    let none = || Error::not_found("There is nothing to be done.");
    let task = id.parse().map_err(|_| none())?;
    let change = state.contacts.plan_crm_decision(task, &decision, caller.actor()).await?;
    match state.store.submit(change).await {
        Err(error) if error.is_conflict() => Err(none().into()),
        outcome => {
            outcome?;
            Ok(respond::empty())
        }
    }
}

/// `POST /_kontor/hooks/v1/crm/{system}`
async fn hook(state: State, Path(system): Path<String>, headers: HeaderMap, body: Bytes) -> Answer {
    let of = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signature = of("kontor-signature").or_else(|| of("signature")).unwrap_or_default();
    state.flows.crm_says(&system, signature, &body).await?;
    Ok(respond::empty())
}
