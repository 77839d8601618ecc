//! Reports on the quality of what is known of contacts: administrators make them and give them to somebody, who signs
//! them off. They are kept.

use super::api::{Api, Doc, Who};
use super::cards::{PAGES, Page, cut};
use crate::admin::Administrator;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Path, Query, State};
use crate::respond;
use axum::http::{Method, StatusCode};
use kontor_flows::conversation::reader;
use kontor_model::{Code, Error, Result, ids};
use kontor_store::contacts::quality::{self, ReportRow};
use serde::Deserialize;
use serde_json::{Value, json};

/// Adds the routes.
pub fn routes(api: Api) -> Api {
    let all = "/_kontor/contacts/v1/quality/reports";
    let doc = |method, path, who, summary| Doc::new(method, path, who, summary);
    let summary =
        "Lists reports on the quality of what is known of contacts, the newest first; without their figures.";
    let api = api.add(doc(Method::GET, all, Who::Administrator, summary).asking(PAGES), list);
    let api = api.add(doc(Method::POST, all, Who::Administrator, "Makes a report now."), make);
    let summary = "Gives a report, to administrators and to whom it was given to.";
    let one = "/_kontor/contacts/v1/quality/reports/{id}";
    let api = api.add(doc(Method::GET, one, Who::Employee, summary), get);
    let path = "/_kontor/contacts/v1/quality/reports/{id}/assign";
    let summary = "Gives a report to somebody, or to nobody.";
    let api = api.add(doc(Method::POST, path, Who::Administrator, summary).taking::<Assign>(), assign);
    let path = "/_kontor/contacts/v1/quality/reports/{id}/sign-off";
    let summary = "Signs a report off, once: by an administrator or by whom it was given to.";
    api.add(doc(Method::POST, path, Who::Employee, summary).taking::<SignOff>(), sign_off)
}

fn told(row: &ReportRow, figures: bool) -> Value {
    let found: Value = serde_json::from_str(&row.figures).unwrap_or_default();
    let mut told = json!({
        "report_id": row.id, "month": row.month, "made_ts": row.made_ts, "made_by": row.made_by,
        "assignee": row.assignee, "signed_ts": row.signed_ts, "signed_by": row.signed_by, "note": row.note,
    });
    if let Some(fields) = told.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
        if figures {
            fields.insert("figures".to_owned(), found);
        }
    }
    told
}

/// `GET /_kontor/contacts/v1/quality/reports`
async fn list(state: State, _: Administrator, Query(page): Query<Page>) -> Answer {
    let limit = page.limit()?;
    let before = page.from.as_deref().unwrap_or_default();
    ids::storable_key(before, "parameter")?;
    let mut rows = quality::reports(&mut state.store.reader(), before, limit + 1).await?;
    let more = cut(&mut rows, limit);
    let next = rows.last().filter(|_| more).map(|row| row.id.clone());
    let reports: Vec<Value> = rows.iter().map(|row| told(row, false)).collect();
    Ok(respond::ok(&json!({ "reports": reports, "next": next })))
}

/// `POST /_kontor/contacts/v1/quality/reports`
async fn make(state: State, Administrator(caller): Administrator) -> Answer {
    let id = state.flows.make_quality_report(caller.actor()).await?;
    let mut response = respond::ok(&told(&state.contacts.quality_report(&id, None).await?, true));
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// The report, if the caller may see it.
async fn seen(state: &App, caller: &Caller, id: &str) -> Result<ReportRow> {
    reader(&caller.requester)?;
    let user = caller.requester.user_id.as_str();
    state.contacts.quality_report(id, Some(user).filter(|_| !caller.requester.admin)).await
}

/// `GET /_kontor/contacts/v1/quality/reports/{id}`
async fn get(state: State, caller: Caller, Path(id): Path<String>) -> Answer {
    Ok(respond::ok(&told(&seen(&state, &caller, &id).await?, true)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Assign {
    /// Who is to look at it; nobody when absent.
    user_id: Option<String>,
}

fn signed(error: Error) -> Error {
    match error.is_conflict() {
        true => Error::new(Code::Conflict, "The report was signed off already: it stays as it is."),
        false => error,
    }
}

/// `POST /_kontor/contacts/v1/quality/reports/{id}/assign`
async fn assign(
    state: State,
    Administrator(caller): Administrator,
    Path(id): Path<String>,
    Body(to): Body<Assign>,
) -> Answer {
    let row = state.contacts.quality_report(&id, None).await?;
    let to = match &to.user_id {
        Some(user_id) => Some(state.flows.employee(&ids::user_id(user_id)?).await?),
        None => None,
    };
    let change = state.contacts.plan_report_assignment(&row.id, to, caller.actor()).await?;
    state.store.submit(change).await.map_err(signed)?;
    Ok(respond::ok(&told(&state.contacts.quality_report(&id, None).await?, true)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignOff {
    /// What is said of it.
    note: Option<String>,
}

/// `POST /_kontor/contacts/v1/quality/reports/{id}/sign-off`
async fn sign_off(state: State, caller: Caller, Path(id): Path<String>, Body(body): Body<SignOff>) -> Answer {
    let row = seen(&state, &caller, &id).await?;
    let change = state.contacts.plan_sign_off(&row.id, body.note.as_deref(), caller.actor()).await?;
    state.store.submit(change).await.map_err(signed)?;
    Ok(respond::ok(&told(&seen(&state, &caller, &id).await?, true)))
}
