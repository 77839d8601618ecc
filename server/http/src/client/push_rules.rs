//! Push rules (client-server API, "Push Rules: API").

use super::own::submit;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Path, Query, State};
use crate::respond;
use crate::router::v3;
use axum::Router;
use axum::routing::get;
use kontor_identity::push::{Edit, edit, ruleset};
use kontor_model::{Code, Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Adds the routes. Clients ask for lists with and without a slash at the end.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let mut routes = routes;
    for slash in ["", "/"] {
        routes = v3(routes, &format!("/pushrules{slash}"), get(all));
        routes = v3(routes, &format!("/pushrules/{{scope}}{slash}"), get(of_scope));
        routes = v3(routes, &format!("/pushrules/{{scope}}/{{kind}}{slash}"), get(of_kind));
    }
    routes = v3(routes, "/pushrules/{scope}/{kind}/{rule_id}", get(one).put(put_rule).delete(delete_rule));
    v3(routes, "/pushrules/{scope}/{kind}/{rule_id}/{attribute}", get(attribute).put(put_attribute))
}

fn check_scope(scope: &str) -> Result<()> {
    if scope == "global" {
        return Ok(());
    }
    Err(Error::invalid_param("There is no such scope of push rules; the only one is \"global\"."))
}

/// All rules as clients see them, by kind.
async fn shown(state: &State, caller: &Caller) -> Result<Value> {
    Ok(ruleset::shown(&state.identity.push_rules(&caller.requester).await?))
}

/// `GET /_matrix/client/v3/pushrules/`
async fn all(state: State, caller: Caller) -> Answer {
    Ok(respond::ok(&json!({ "global": shown(&state, &caller).await? })))
}

/// `GET /_matrix/client/v3/pushrules/global/`
async fn of_scope(state: State, caller: Caller, Path(scope): Path<String>) -> Answer {
    check_scope(&scope)?;
    Ok(respond::ok(&shown(&state, &caller).await?))
}

async fn list(state: &State, caller: &Caller, scope: &str, kind: &str) -> Result<Value> {
    check_scope(scope)?;
    edit::kind(kind)?;
    Ok(shown(state, caller).await?.get_mut(kind).map(Value::take).unwrap_or_default())
}

/// `GET /_matrix/client/v3/pushrules/global/{kind}/`, of older versions of the specification.
async fn of_kind(state: State, caller: Caller, Path((scope, kind)): Path<(String, String)>) -> Answer {
    Ok(respond::ok(&list(&state, &caller, &scope, &kind).await?))
}

async fn find(state: &State, caller: &Caller, (scope, kind, rule_id): (&str, &str, &str)) -> Result<Value> {
    let mut rules = list(state, caller, scope, kind).await?;
    let rules = rules.as_array_mut().map(std::mem::take).unwrap_or_default();
    let is_it = |rule: &Value| rule.get("rule_id").and_then(Value::as_str) == Some(rule_id);
    rules.into_iter().find(is_it).ok_or_else(edit::no_such_rule)
}

/// `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`
async fn one(
    state: State,
    caller: Caller,
    Path((scope, kind, id)): Path<(String, String, String)>,
) -> Answer {
    Ok(respond::ok(&find(&state, &caller, (&scope, &kind, &id)).await?))
}

async fn apply(state: &State, caller: &Caller, edit: Edit) -> Answer {
    let user = caller.requester.user;
    submit(&state.store, user, || state.identity.change_push_rules(&caller.requester, &edit)).await?;
    Ok(respond::empty())
}

#[derive(Deserialize)]
struct Where {
    before: Option<String>,
    after: Option<String>,
}

/// `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`
async fn put_rule(
    state: State,
    caller: Caller,
    Path((scope, kind, id)): Path<(String, String, String)>,
    Query(place): Query<Where>,
    Body(body): Body<Map<String, Value>>,
) -> Answer {
    check_scope(&scope)?;
    let rule = edit::rule(&edit::kind(&kind)?, &id, body)?;
    apply(&state, &caller, Edit::Put { rule, after: place.after, before: place.before }).await
}

/// `DELETE /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`
async fn delete_rule(
    state: State,
    caller: Caller,
    Path((scope, kind, rule_id)): Path<(String, String, String)>,
) -> Answer {
    check_scope(&scope)?;
    apply(&state, &caller, Edit::Delete { kind: edit::kind(&kind)?, rule_id }).await
}

fn no_such_attribute() -> Error {
    Error::invalid_param("A push rule has no such attribute; there are \"enabled\" and \"actions\".")
}

/// `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled` and `…/actions`
async fn attribute(
    state: State,
    caller: Caller,
    Path((scope, kind, id, attribute)): Path<(String, String, String, String)>,
) -> Answer {
    if !["enabled", "actions"].contains(&attribute.as_str()) {
        return Err(no_such_attribute().into());
    }
    let mut rule = find(&state, &caller, (&scope, &kind, &id)).await?;
    let value = rule.get_mut(&attribute).map(Value::take).unwrap_or_default();
    Ok(respond::ok(&Map::from_iter([(attribute, value)])))
}

/// `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled` and `…/actions`
async fn put_attribute(
    state: State,
    caller: Caller,
    Path((scope, kind, rule_id, attribute)): Path<(String, String, String, String)>,
    Body(mut body): Body<Map<String, Value>>,
) -> Answer {
    check_scope(&scope)?;
    let kind = edit::kind(&kind)?;
    let missing = || Error::new(Code::MissingParam, "The request does not hold the attribute.");
    let value = body.remove(&attribute);
    let edit = match (attribute.as_str(), value) {
        ("enabled", Some(Value::Bool(enabled))) => Edit::Enable { kind, rule_id, enabled },
        ("enabled", Some(_)) => return Err(Error::bad_json("Enabled is either true or false.").into()),
        ("actions", Some(Value::Array(list))) => Edit::Act { kind, rule_id, actions: edit::actions(list)? },
        ("actions", Some(_)) => return Err(Error::bad_json("Actions are a list.").into()),
        ("enabled" | "actions", None) => return Err(missing().into()),
        _ => return Err(no_such_attribute().into()),
    };
    apply(&state, &caller, edit).await
}
