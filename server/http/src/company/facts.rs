//! Facts: what shops and other systems of the company tell, and the systems themselves, for administrators.

use super::api::{Api, Doc, Who};
use crate::admin::Administrator;
use crate::error::Answer;
use crate::extract::{Body, Origin, Path, State, bounded};
use crate::respond;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use kontor_contacts::shop::generic::Event;
use kontor_contacts::shop::intake::{Call, fields};
use kontor_contacts::shop::sources::{NewSecret, Wish, unknown};
use kontor_contacts::shop::worth;
use kontor_contacts::view::CardView;
use kontor_model::{Code, Error};
use kontor_store::contacts::facts::FactRow;
use kontor_store::contacts::sources::{self, SourceRow};
use serde_json::{Value, json};

/// Larger than any order.
const LARGEST: usize = 512 * 1024;
/// How often something is planned anew when the same is told twice at once.
const ATTEMPTS: usize = 5;

/// Adds what systems call.
pub fn routes(api: Api) -> Api {
    let summary = "Takes in what a shop tells, signed by its secret; told twice, it is taken once.";
    let doc = Doc::new(Method::POST, "/_kontor/shop/v1/{source}", Who::Signed, summary).taking::<Event>();
    api.add(doc, take_in)
}

/// Adds what administrators do with systems.
pub fn administration(api: Api) -> Api {
    let doc = |method, path, summary| Doc::new(method, path, Who::Administrator, summary);
    let all = "/_kontor/admin/v1/shops";
    let api = api.add(doc(Method::GET, all, "Lists shops, and when each was last heard of."), list);
    let summary = "Makes a shop known; the answer shows its secret, once.";
    let api = api.add(doc(Method::POST, all, summary).taking::<Wish>(), create);
    let summary = "Gives a shop another secret, shown once; the one before holds for a day, too.";
    let path = "/_kontor/admin/v1/shops/{id}/rotate";
    let api = api.add(doc(Method::POST, path, summary).taking::<NewSecret>(), rotate);
    let one = "/_kontor/admin/v1/shops/{id}";
    api.add(doc(Method::DELETE, one, "Forgets a shop and everything that it told."), remove)
}

/// `POST /_kontor/shop/v1/{source}`
async fn take_in(
    state: State,
    origin: Origin,
    Path(source): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Answer {
    let body = bounded(request, LARGEST).await?;
    let done = taken(&state, &source, &headers, &body).await;
    if let Err(error) = &done
        && matches!(error.code, Code::UnknownToken { .. })
    {
        // Guessing is slow.
        state.limits.spend_anonymous(&state, &origin)?;
    }
    if let Some((case, paid)) = done? {
        // Whoever tells does not wait for those who hear of it; what fails is told by the timer.
        let flows = state.flows.clone();
        tokio::spawn(async move {
            if let Err(error) = flows.settle_case(&source, &case, paid).await {
                tracing::warn!(error.cause = ?error, "Those backstage are told of payments later.");
            }
        });
    }
    Ok(respond::ok(&json!({ "ok": true })))
}

/// Takes a call in; gives the case that it told something new of, and whether that is a payment.
async fn taken(
    state: &State,
    source: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<(String, bool)>, Error> {
    let row = state.contacts.caller(source).await?;
    let [signature, delivery, topic] =
        fields(&row.kind).map(|name| headers.get(name).and_then(|value| value.to_str().ok()));
    let call =
        Call { signature: signature.unwrap_or_default(), delivery, topic: topic.unwrap_or_default(), body };
    for _ in 1..ATTEMPTS {
        let Some(taken) = state.contacts.take_in(&row, call).await? else { return Ok(None) };
        match state.store.submit(taken.change).await {
            // The same was told at the same moment.
            Err(error) if error.is_conflict() => {}
            outcome => return outcome.map(|_| Some((taken.case, taken.paid))),
        }
    }
    Err(Error::new(Code::Unavailable, "This could not be written now. Tell it again."))
}

fn shown(row: &SourceRow) -> Value {
    json!({
        "id": row.id,
        "kind": row.kind,
        "name": row.name,
        "path": format!("/_kontor/shop/v1/{}", row.id),
        "quiet_hours": row.quiet / 3_600_000,
        "created_ts": row.created_ts,
        "heard_ts": row.heard_ts,
    })
}

fn shown_once(row: &SourceRow, status: StatusCode) -> Answer {
    let mut told = shown(row);
    if let Some(fields) = told.as_object_mut() {
        fields.insert("secret".to_owned(), row.secret.as_str().into());
    }
    let mut response = respond::ok(&told);
    *response.status_mut() = status;
    Ok(response)
}

/// A fact as it is told.
pub(super) fn fact(row: &FactRow) -> Value {
    let detail: Value = serde_json::from_str(&row.detail).unwrap_or_default();
    let mut told = json!({
        "kind": row.kind,
        "source": row.source,
        "external_id": row.external_id,
        "order_key": row.case,
        "number": row.number,
        "status": row.status,
        "amount_minor": row.amount,
        "refunded_minor": Some(row.refunded).filter(|refunded| *refunded > 0),
        "currency": row.currency,
        "cost_minor": row.cost,
        "margin_minor": row.amount.zip(row.cost).map(|(amount, cost)| amount - cost),
        "happened_ts": row.happened_ts,
        "as_of": row.as_of,
        "received_ts": row.received_ts,
        "detail": detail,
    });
    if let Some(fields) = told.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    told
}

/// Amounts as they are told.
pub(super) fn amounts(amounts: &worth::Amounts) -> Value {
    amounts.iter().map(|(currency, amount)| json!({ "currency": currency, "amount_minor": amount })).collect()
}

/// What of a card comes from systems and from whoever sorts contacts.
pub(super) fn of_card(view: &CardView, now: i64) -> [(String, Value); 5] {
    let told = |source: &&SourceRow| view.facts.iter().any(|fact| fact.source == source.id);
    let sources = view.sources.iter().filter(told).map(|source| {
        let silent = worth::silent_since(source, now);
        json!({ "id": source.id, "name": source.name, "heard_ts": source.heard_ts, "stale": silent.is_some() })
    });
    let companies = view.companies.iter().map(|person| {
        json!({
            "company_id": person.company, "name": person.company_name, "role": person.role,
            "since": person.since, "until": person.until,
        })
    });
    [
        ("facts".to_owned(), view.facts.iter().map(fact).collect()),
        ("fact_sources".to_owned(), sources.collect()),
        (
            "worth".to_owned(),
            json!({ "lifetime": amounts(&worth::lifetime(&view.sums)), "open_deals": amounts(&worth::deals(&view.sums)) }),
        ),
        ("tags".to_owned(), json!(view.tags)),
        ("companies".to_owned(), companies.collect()),
    ]
}

/// `GET /_kontor/admin/v1/shops`
async fn list(state: State, _: Administrator) -> Answer {
    let rows = sources::all(&mut state.store.reader()).await?;
    let list: Vec<Value> = rows.iter().map(shown).collect();
    Ok(respond::ok(&json!({ "shops": list })))
}

/// `POST /_kontor/admin/v1/shops`
async fn create(state: State, Administrator(caller): Administrator, Body(wish): Body<Wish>) -> Answer {
    let (change, row) = state.contacts.new_source(&wish, caller.actor()).await?;
    match state.store.submit(change).await {
        Err(error) if error.is_conflict() => {
            let message = "There is a shop of this id already. Choose another.";
            return Err(Error::new(Code::Conflict, message).into());
        }
        outcome => outcome?,
    };
    shown_once(&row, StatusCode::CREATED)
}

/// `POST /_kontor/admin/v1/shops/{id}/rotate`
async fn rotate(
    state: State,
    Administrator(caller): Administrator,
    Path(id): Path<String>,
    Body(new): Body<NewSecret>,
) -> Answer {
    let (change, row) = state.contacts.rotate_source(&id, &new, caller.actor()).await?;
    match state.store.submit(change).await {
        Err(error) if error.is_conflict() => return Err(unknown().into()),
        outcome => outcome?,
    };
    shown_once(&row, StatusCode::OK)
}

/// `DELETE /_kontor/admin/v1/shops/{id}`
async fn remove(state: State, Administrator(caller): Administrator, Path(id): Path<String>) -> Answer {
    let change = state.contacts.remove_source(&id, caller.actor()).await?;
    match state.store.submit(change).await {
        Err(error) if error.is_conflict() => return Err(unknown().into()),
        outcome => outcome?,
    };
    Ok(respond::empty())
}
