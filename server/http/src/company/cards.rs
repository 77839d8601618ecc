//! Contacts, for employees and their programs. What the caller may not see is not there.

use super::api::{Api, Doc, Who};
use super::conversations::shown as conversation;
use crate::error::{Answer, ErrorResponse};
use crate::extract::{Body, Caller, Path, Query, State};
use crate::respond;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kontor_contacts::card::{Card, Patch};
use kontor_contacts::claim::Trust;
use kontor_contacts::lookup::NewContact;
use kontor_contacts::sorting::tag;
use kontor_flows::caller;
use kontor_flows::conversation::reader;
use kontor_model::{Code, Error, Result, ids};
use kontor_store::contacts::cards::Wanted;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Contacts per page, when nothing is asked for, and at most.
const PAGE: i64 = 50;
const LARGEST_PAGE: i64 = 500;

/// Parameters of lists.
pub(super) const PAGES: &[(&str, &str)] =
    &[("from", "The \"next\" of an earlier answer."), ("limit", "How many, 1 to 500; 50 when absent.")];
/// Parameters of the list of contacts.
const LISTED: &[(&str, &str)] = &[
    ("from", "The \"next\" of an earlier answer."),
    ("limit", "How many, 1 to 500; 50 when absent."),
    ("tag", "Only those with this tag."),
    ("company", "Only those of this company, by its id."),
];

/// Adds the routes.
pub fn routes(api: Api) -> Api {
    let doc = |method, path, summary| Doc::new(method, path, Who::Employee, summary);
    let path = "/_kontor/contacts/v1/contacts";
    let summary = "Lists the contacts that the caller may see, oldest first.";
    let api = api.add(doc(Method::GET, path, summary).asking(LISTED), list);
    let path = "/_kontor/contacts/v1/contacts/{id}";
    let summary = "Makes a contact; 409 with those who hold its numbers or addresses, or are called alike.";
    let create = doc(Method::POST, "/_kontor/contacts/v1/contacts", summary).taking::<NewContact>();
    let api = api.add(create, super::lookup::create);
    let summary = "Gives a contact with its fields, addresses, claims, consents, conversations, notes, tasks, facts, tags and companies; its version is the ETag.";
    let api = api.add(doc(Method::GET, path, summary), get);
    let summary = "Changes a contact that is still at the version of If-Match.";
    api.add(doc(Method::PATCH, path, summary).taking::<Patch>(), patch)
}

/// A caller as procedures need one.
pub(super) fn by<'a>(state: &State, caller: &'a Caller) -> caller::Caller<'a> {
    caller::Caller { requester: &caller.requester, actor: caller.actor(), now: state.clock.now() }
}

#[derive(Deserialize)]
pub(super) struct Page {
    pub from: Option<String>,
    limit: Option<i64>,
}

impl Page {
    /// How many are wanted.
    pub fn limit(&self) -> Result<i64> {
        bounded(self.limit)
    }
}

/// How many are wanted of a page.
pub(super) fn bounded(limit: Option<i64>) -> Result<i64> {
    let limit = limit.unwrap_or(PAGE);
    match (1..=LARGEST_PAGE).contains(&limit) {
        true => Ok(limit),
        false => Err(Error::invalid_param(format!("The limit must be 1 to {LARGEST_PAGE}."))),
    }
}

/// What a list of contacts is asked for.
#[derive(Deserialize)]
struct Listed {
    from: Option<String>,
    limit: Option<i64>,
    tag: Option<String>,
    company: Option<String>,
}

impl Listed {
    fn limit(&self) -> Result<i64> {
        bounded(self.limit)
    }
}

/// Takes the one away that was read beyond a page; says whether there was one.
pub(super) fn cut<T>(list: &mut Vec<T>, limit: i64) -> bool {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = list.len() > limit;
    list.truncate(limit);
    more
}

/// A card as it is told.
pub(super) fn card(card: &Card) -> Map<String, Value> {
    let contact = &card.contact;
    let field = |(name, field): (&String, &kontor_store::contacts::cards::FieldRow)| {
        let told = json!({
            "value": field.value,
            "source": field.source,
            "trust": Trust::word(field.trust),
            "ts": field.ts,
        });
        (name.clone(), told)
    };
    let fields: Map<String, Value> = card.fields.iter().map(field).collect();
    let told = json!({
        "contact_id": contact.id,
        "redirect_to": contact.redirect_to,
        "kind": contact.kind,
        "stage": contact.stage,
        "owner": contact.owner_id,
        "team": contact.team,
        "visibility": contact.visibility,
        "language": contact.language,
        "version": contact.version,
        "created_ts": contact.created_ts,
        "updated_ts": contact.updated_ts,
        "fields": fields,
    });
    match told {
        Value::Object(mut told) => {
            told.retain(|_, value| !value.is_null());
            told
        }
        _ => Map::new(),
    }
}

/// `GET /_kontor/contacts/v1/contacts`
async fn list(state: State, caller: Caller, Query(asked): Query<Listed>) -> Answer {
    let limit = asked.limit()?;
    let after = asked.from.as_deref().unwrap_or_default();
    for text in [Some(after), asked.company.as_deref()].into_iter().flatten() {
        ids::storable_key(text, "parameter")?;
    }
    let tag = asked.tag.as_deref().map(tag).transpose()?;
    let wanted = Wanted { tag: tag.as_deref(), company: asked.company.as_deref() };
    let mut cards = state.contacts.cards(reader(&caller.requester)?, after, limit + 1, wanted).await?;
    let more = cut(&mut cards, limit);
    let next = cards.last().filter(|_| more).map(|card| card.contact.id.clone());
    let contacts: Vec<_> = cards.iter().map(card).collect();
    Ok(respond::ok(&json!({ "contacts": contacts, "next": next })))
}

/// `GET /_kontor/contacts/v1/contacts/{id}`
async fn get(state: State, caller: Caller, Path(id): Path<String>) -> Answer {
    let reader = reader(&caller.requester)?;
    let now = state.contacts.now_of(reader, &id).await?;
    if now != id {
        return Ok(moved(&now, ""));
    }
    let view = state.contacts.view(reader, &id).await?;
    let mut told = card(&view.card);
    let claims = view.claims.iter().map(|claim| {
        json!({
            "kind": claim.kind, "value": claim.value, "trust": Trust::word(claim.trust),
            "source": claim.source, "since_ts": claim.since_ts, "until_ts": claim.until_ts,
        })
    });
    let addresses = view.identities.iter().map(|address| {
        json!({
            "channel": address.channel, "account": address.account, "id_type": address.id_type,
            "external_id": address.external_id, "state": address.state,
            "conversation_id": address.conversation, "last_seen_ts": address.last_seen_ts,
        })
    });
    let consents = view.consents.iter().map(|consent| {
        json!({
            "purpose": consent.purpose, "state": consent.state, "text_version": consent.text_version,
            "act": consent.act, "source": consent.source, "given_ts": consent.given_ts,
        })
    });
    told.insert("claims".to_owned(), claims.collect());
    told.insert("identities".to_owned(), addresses.collect());
    told.insert("consents".to_owned(), consents.collect());
    told.insert("agreed".to_owned(), json!(view.agreed));
    told.insert("conversations".to_owned(), view.conversations.iter().map(conversation).collect());
    told.insert("notes".to_owned(), view.notes.iter().map(super::notes::note).collect());
    told.insert("tasks".to_owned(), view.tasks.iter().map(super::notes::task).collect());
    told.extend(super::facts::of_card(&view, state.clock.now()));
    Ok(tagged(respond::ok(&told), view.card.contact.version))
}

/// The answer to the id of a contact that was merged: it leads to the one that both are now, for ever.
pub(super) fn moved(now: &str, rest: &str) -> Response {
    let body = json!({ "contact_id": now, "redirect_to": now });
    let mut response = (StatusCode::PERMANENT_REDIRECT, axum::Json(body)).into_response();
    let path = format!("/_kontor/contacts/v1/contacts/{now}{rest}");
    if let Ok(location) = HeaderValue::from_str(&path) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

pub(super) fn tagged(mut response: Response, version: i64) -> Response {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The version that a request was made on.
pub(super) fn expected(headers: &HeaderMap) -> Result<i64> {
    let missing = || {
        let message = "Send the contact's version as If-Match, so that nobody's change is lost.";
        Error::new(Code::MissingParam, message)
    };
    let value = headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok()).ok_or_else(missing)?;
    value.trim().trim_start_matches("W/").trim_matches('"').parse().map_err(|_| missing())
}

/// `PATCH /_kontor/contacts/v1/contacts/{id}`
async fn patch(
    state: State,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(body): Body<Patch>,
) -> Answer {
    let reader = reader(&caller.requester)?;
    let now = state.contacts.now_of(reader, &id).await?;
    if now != id {
        return Ok(moved(&now, ""));
    }
    let others = state.contacts.in_the_way(reader, &id, &body).await?;
    if !others.is_empty() {
        return Err(super::lookup::in_the_way(&others, None));
    }
    let by = by(&state, &caller);
    match state.flows.patch_card(&by, &id, expected(&headers)?, &body).await {
        Ok(changed) => Ok(tagged(respond::ok(&card(&changed)), changed.contact.version)),
        Err(error) if error.is_conflict() => {
            let body = json!({ "errcode": "DEV_KONTOR_CHANGED", "error": error.message });
            Err(ErrorResponse::with_body(StatusCode::PRECONDITION_FAILED, body))
        }
        Err(error) => Err(error.into()),
    }
}
