//! Tags of contacts, whose facts are, and roles of employees.

use super::api::{Api, Doc, Who};
use super::cards::{Page, cut};
use super::facts::fact;
use crate::admin::Administrator;
use crate::error::Answer;
use crate::extract::{Body, Caller, Path, Query, State};
use crate::respond;
use axum::http::Method;
use kontor_contacts::shop::linking::{Link, Unattached};
use kontor_contacts::sorting::Roles;
use kontor_flows::conversation::reader;
use kontor_model::{Error, ids};
use kontor_store::contacts::tags;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Adds the routes.
pub fn routes(api: Api) -> Api {
    let doc = |method, path, summary| Doc::new(method, path, Who::Employee, summary);
    let tag = "/_kontor/contacts/v1/contacts/{id}/tags/{tag}";
    let api = api.add(doc(Method::PUT, tag, "Gives a contact a tag."), set_tag);
    let api = api.add(doc(Method::DELETE, tag, "Takes a tag from a contact."), remove_tag);
    let path = "/_kontor/contacts/v1/contacts/{id}/facts";
    let summary = "Says that an order, a deal or an invoice is this contact's.";
    let api = api.add(doc(Method::POST, path, summary).taking::<Link>(), link);
    let path = "/_kontor/contacts/v1/contacts/{id}/facts/unlink";
    let summary = "Says that an order, a deal or an invoice is not this contact's.";
    let api = api.add(doc(Method::POST, path, summary).taking::<Link>(), unlink);
    let path = "/_kontor/contacts/v1/facts/unattached";
    let summary =
        "Lists what shops told that is nobody's yet, oldest first; for administrators and the role facts.";
    let pages: &[(&str, &str)] =
        &[("from", "The \"next\" of an earlier answer."), ("limit", "How many, 1 to 500; 50 when absent.")];
    api.add(doc(Method::GET, path, summary).asking(pages), unattached)
}

/// Adds what administrators do.
pub fn administration(api: Api) -> Api {
    let doc = |method, path, summary| Doc::new(method, path, Who::Administrator, summary);
    let path = "/_kontor/admin/v1/staff_roles";
    let api = api.add(doc(Method::GET, path, "Lists employees who may see more, and what."), roles);
    let path = "/_kontor/admin/v1/staff_roles/{user_id}";
    let summary = "Says what an employee may see besides: costs, facts.";
    api.add(doc(Method::PUT, path, summary).taking::<Roles>(), set_roles)
}

/// `PUT /_kontor/contacts/v1/contacts/{id}/tags/{tag}`
async fn set_tag(state: State, caller: Caller, Path((id, tag)): Path<(String, String)>) -> Answer {
    tagging(&state, &caller, (&id, &tag), true).await
}

/// `DELETE /_kontor/contacts/v1/contacts/{id}/tags/{tag}`
async fn remove_tag(state: State, caller: Caller, Path((id, tag)): Path<(String, String)>) -> Answer {
    tagging(&state, &caller, (&id, &tag), false).await
}

async fn tagging(state: &State, caller: &Caller, of: (&str, &str), has: bool) -> Answer {
    let change = state.contacts.plan_tag(reader(&caller.requester)?, of, has, caller.actor()).await?;
    if !change.is_empty() {
        state.store.submit(change).await?;
    }
    Ok(respond::empty())
}

/// `POST /_kontor/contacts/v1/contacts/{id}/facts`
async fn link(state: State, caller: Caller, Path(id): Path<String>, Body(body): Body<Link>) -> Answer {
    let change = state.contacts.plan_link(reader(&caller.requester)?, &id, &body, caller.actor()).await?;
    match state.store.submit(change).await {
        Err(error) if error.is_conflict() => return Err(kontor_contacts::card::moved().into()),
        outcome => outcome?,
    };
    if let Err(error) = state.flows.tell_facts().await {
        tracing::warn!(error.cause = ?error, "Those backstage are told of payments later.");
    }
    // By a payment somebody may be a customer now, which the rooms say.
    let contact = state.contacts.now_of(reader(&caller.requester)?, &id).await?;
    state.flows.relabel(&contact).await;
    Ok(respond::empty())
}

/// `POST /_kontor/contacts/v1/contacts/{id}/facts/unlink`
async fn unlink(state: State, caller: Caller, Path(id): Path<String>, Body(body): Body<Link>) -> Answer {
    let change = state.contacts.plan_unlink(reader(&caller.requester)?, &id, &body, caller.actor()).await?;
    match state.store.submit(change).await {
        Err(error) if error.is_conflict() => return Err(kontor_contacts::card::moved().into()),
        outcome => outcome?,
    };
    Ok(respond::empty())
}

fn told(one: &Unattached) -> Value {
    json!({
        "source": one.case.source,
        "order_key": one.case.key,
        "as_of": one.case.as_of,
        "customer": one.customer,
        "facts": one.facts.iter().map(fact).collect::<Vec<_>>(),
    })
}

/// `GET /_kontor/contacts/v1/facts/unattached`
async fn unattached(state: State, caller: Caller, Query(page): Query<Page>) -> Answer {
    let limit = page.limit()?;
    let after = match page.from.as_deref().unwrap_or("0").parse() {
        Ok(after) => after,
        Err(_) => return Err(Error::invalid_param("from is the \"next\" of an earlier answer.").into()),
    };
    let mut list = state.contacts.unattached(reader(&caller.requester)?, after, limit + 1).await?;
    let more = cut(&mut list, limit);
    let next = list.last().filter(|_| more).map(|one| one.case.nid.to_string());
    Ok(respond::ok(&json!({ "unattached": list.iter().map(told).collect::<Vec<_>>(), "next": next })))
}

/// `GET /_kontor/admin/v1/staff_roles`
async fn roles(state: State, _: Administrator) -> Answer {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (user, role) in tags::roles(&mut state.store.reader()).await? {
        told.entry(user).or_default().push(role);
    }
    Ok(respond::ok(&json!({ "staff_roles": told })))
}

/// `PUT /_kontor/admin/v1/staff_roles/{user_id}`
async fn set_roles(
    state: State,
    Administrator(caller): Administrator,
    Path(user_id): Path<String>,
    Body(wish): Body<Roles>,
) -> Answer {
    let user_id = ids::user_id(&user_id)?;
    let user = state.flows.employee(&user_id).await?;
    let change = state.contacts.plan_roles(user, user_id.as_str(), &wish, caller.actor()).await?;
    state.store.submit(change).await?;
    Ok(respond::empty())
}
