//! Companies, for employees: who works where, and what they buy.

use super::api::{Api, Doc, Who};
use super::cards::{bounded, by, cut, expected, tagged};
use super::facts::{amounts, fact};
use crate::error::{Answer, ErrorResponse};
use crate::extract::{Body, Caller, Path, Query, State};
use crate::respond;
use axum::http::{HeaderMap, Method, StatusCode};
use kontor_contacts::company::{CompanyView, PersonWish, Wish, domain, vat};
use kontor_contacts::shop::worth;
use kontor_flows::conversation::reader;
use kontor_model::{Code, Error, Nid, Result, ids};
use kontor_store::contacts::companies::{self, CompanyRow, PersonRow};
use serde::Deserialize;
use serde_json::{Map, Value, json};

const ALL: &str = "/_kontor/contacts/v1/companies";
const ONE: &str = "/_kontor/contacts/v1/companies/{id}";
const PERSON: &str = "/_kontor/contacts/v1/companies/{id}/people/{contact}";
/// Parameters of the list.
const QUERY: &[(&str, &str)] = &[
    ("from", "The \"next\" of an earlier answer."),
    ("limit", "How many, 1 to 500; 50 when absent."),
    ("vat", "Only those of this VAT number."),
    ("domain", "Only those of this mail domain."),
];

/// Adds the routes.
pub fn routes(api: Api) -> Api {
    let doc = |method, path, summary| Doc::new(method, path, Who::Employee, summary);
    let api = api.add(doc(Method::GET, ALL, "Lists companies, oldest first.").asking(QUERY), list);
    let api = api.add(doc(Method::POST, ALL, "Makes a company.").taking::<Wish>(), create);
    let summary = "Gives a company with its people, their conversations and facts, as far as the caller sees them; its version is the ETag.";
    let api = api.add(doc(Method::GET, ONE, summary), get);
    let summary = "Changes a company that is still at the version of If-Match.";
    let api = api.add(doc(Method::PATCH, ONE, summary).taking::<Wish>(), patch);
    let api = api.add(doc(Method::DELETE, ONE, "Forgets a company; its people stay."), remove);
    let summary = "Says what somebody is in a company, and from when to when.";
    let api = api.add(doc(Method::PUT, PERSON, summary).taking::<PersonWish>(), set_person);
    api.add(doc(Method::DELETE, PERSON, "Somebody was never in a company."), remove_person)
}

fn shown(row: &CompanyRow, domains: &[&str]) -> Map<String, Value> {
    let told = json!({
        "company_id": row.id,
        "name": row.name,
        "vat": row.vat,
        "vat_verified_ts": row.vat_verified_ts,
        "domains": domains,
        "owner": row.owner_id,
        "version": row.version,
        "created_ts": row.created_ts,
        "updated_ts": row.updated_ts,
    });
    match told {
        Value::Object(mut told) => {
            told.retain(|_, value| !value.is_null());
            told
        }
        _ => Map::new(),
    }
}

fn person(row: &PersonRow) -> Value {
    json!({ "contact_id": row.contact, "role": row.role, "since": row.since, "until": row.until })
}

fn whole(view: &CompanyView) -> Map<String, Value> {
    let domains: Vec<&str> = view.domains.iter().map(String::as_str).collect();
    let mut told = shown(&view.company, &domains);
    let (all, open) = view.conversations;
    told.insert("people".to_owned(), view.people.iter().map(person).collect());
    told.insert("conversations".to_owned(), json!({ "all": all, "open": open }));
    told.insert("facts".to_owned(), view.facts.iter().map(fact).collect());
    let worth = json!({
        "lifetime": amounts(&worth::lifetime(&view.sums)), "open_deals": amounts(&worth::deals(&view.sums)),
    });
    told.insert("worth".to_owned(), worth);
    told
}

#[derive(Deserialize)]
struct Asked {
    from: Option<String>,
    limit: Option<i64>,
    vat: Option<String>,
    domain: Option<String>,
}

/// `GET /_kontor/contacts/v1/companies`
async fn list(state: State, caller: Caller, Query(asked): Query<Asked>) -> Answer {
    reader(&caller.requester)?;
    let limit = bounded(asked.limit)?;
    let after = asked.from.as_deref().unwrap_or_default();
    ids::storable_key(after, "parameter")?;
    let number = asked.vat.as_deref().map(vat).transpose()?;
    let name = asked.domain.as_deref().map(domain).transpose()?;
    let mut source = state.store.snapshot().await?;
    let mut rows = companies::page(&mut source, after, number.as_deref(), name.as_deref(), limit + 1).await?;
    let more = cut(&mut rows, limit);
    let next = rows.last().filter(|_| more).map(|row| row.id.clone());
    let known: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let domains = companies::domains(&mut source, &known).await?;
    let list = rows.iter().map(|row| {
        let own = domains.iter().filter(|(company, _)| *company == row.id).map(|(_, domain)| domain.as_str());
        Value::Object(shown(row, &own.collect::<Vec<_>>()))
    });
    Ok(respond::ok(&json!({ "companies": list.collect::<Vec<_>>(), "next": next })))
}

async fn owner(state: &State, wish: &Wish) -> Result<Option<Nid>> {
    match &wish.owner {
        Some(Some(owner)) => state.flows.employee(&ids::user_id(owner)?).await.map(Some),
        _ => Ok(None),
    }
}

/// The refusal of a number that another company has.
fn taken() -> ErrorResponse {
    Error::new(Code::Conflict, "Another company has this verified VAT number. Look it up by its number.")
        .into()
}

/// `POST /_kontor/contacts/v1/companies`
async fn create(state: State, caller: Caller, Body(wish): Body<Wish>) -> Answer {
    let reader = reader(&caller.requester)?;
    let owner = owner(&state, &wish).await?;
    let (change, id) = state.contacts.new_company(&wish, owner, caller.actor()).await?;
    match state.store.submit(change).await {
        Err(error) if error.is_conflict() => return Err(taken()),
        outcome => outcome?,
    };
    let view = state.contacts.company_view(reader, &id).await?;
    let mut response = respond::ok(&whole(&view));
    *response.status_mut() = StatusCode::CREATED;
    Ok(tagged(response, view.company.version))
}

/// `GET /_kontor/contacts/v1/companies/{id}`
async fn get(state: State, caller: Caller, Path(id): Path<String>) -> Answer {
    let view = state.contacts.company_view(reader(&caller.requester)?, &id).await?;
    Ok(tagged(respond::ok(&whole(&view)), view.company.version))
}

/// `PATCH /_kontor/contacts/v1/companies/{id}`
async fn patch(
    state: State,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(wish): Body<Wish>,
) -> Answer {
    let reader = reader(&caller.requester)?;
    let version = expected(&headers)?;
    let by = by(&state, &caller);
    let owner = owner(&state, &wish).await?;
    let changed = match state.contacts.change_company(&id, version, &wish, owner, by.actor.clone()).await {
        Ok(change) => state.store.submit(change).await.map(|_| ()),
        Err(error) => Err(error),
    };
    match changed {
        Err(error) if error.is_conflict() => {
            // Somebody was quicker, or another company has the number.
            if state.contacts.company(&id).await?.version == version {
                return Err(taken());
            }
            let body =
                json!({ "errcode": "DEV_KONTOR_CHANGED", "error": kontor_contacts::card::moved().message });
            return Err(ErrorResponse::with_body(StatusCode::PRECONDITION_FAILED, body));
        }
        outcome => outcome?,
    }
    let view = state.contacts.company_view(reader, &id).await?;
    Ok(tagged(respond::ok(&whole(&view)), view.company.version))
}

/// `DELETE /_kontor/contacts/v1/companies/{id}`
async fn remove(state: State, caller: Caller, Path(id): Path<String>) -> Answer {
    reader(&caller.requester)?;
    let change = state.contacts.remove_company(&id, caller.actor()).await?;
    match state.store.submit(change).await {
        Err(error) if error.is_conflict() => {
            return Err(Error::not_found("There is no such company.").into());
        }
        outcome => outcome?,
    };
    Ok(respond::empty())
}

/// `PUT /_kontor/contacts/v1/companies/{id}/people/{contact}`
async fn set_person(
    state: State,
    caller: Caller,
    Path((id, contact)): Path<(String, String)>,
    Body(wish): Body<PersonWish>,
) -> Answer {
    let reader = reader(&caller.requester)?;
    let change = state.contacts.say_person(reader, (&id, &contact), &wish, caller.actor()).await?;
    state.store.submit(change).await?;
    Ok(respond::empty())
}

/// `DELETE /_kontor/contacts/v1/companies/{id}/people/{contact}`
async fn remove_person(state: State, caller: Caller, Path((id, contact)): Path<(String, String)>) -> Answer {
    let reader = reader(&caller.requester)?;
    let change = state.contacts.remove_person(reader, (&id, &contact), caller.actor()).await?;
    state.store.submit(change).await?;
    Ok(respond::empty())
}
