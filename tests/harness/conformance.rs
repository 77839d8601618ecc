//! Holds every answer against the specification: its schema for the operation and status, or at
//! least the form of errors. What is checked was derived from the specification's OpenAPI files by
//! `tests/spec/derive`.

use jsonschema::Validator;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Everything that is checked.
#[derive(Debug, Deserialize)]
pub struct Specification {
    /// Version of the specification.
    pub version: String,
    /// The operations of the client-server API.
    pub operations: Vec<Operation>,
    definitions: Value,
}

/// One operation.
#[derive(Debug, Deserialize)]
pub struct Operation {
    /// Its name in the specification.
    pub id: String,
    /// The chapter that it belongs to.
    pub family: String,
    /// HTTP method.
    pub method: String,
    /// Path with `{parameters}`.
    pub path: String,
    /// Whether the specification advises against it.
    pub deprecated: bool,
    answers: BTreeMap<String, Option<Value>>,
}

/// The specification that Kontor follows.
pub static SPECIFICATION: LazyLock<Specification> =
    LazyLock::new(|| serde_json::from_str(include_str!("../spec/operations.json")).expect("operations.json"));

/// Compiled schemas by operation and status.
type Validators = HashMap<(usize, u16), Arc<Validator>>;
static VALIDATORS: LazyLock<Mutex<Validators>> = LazyLock::new(Mutex::default);

/// What is wrong with an answer, if anything. `path` begins with `/_matrix/`; other paths are none
/// of the specification's business.
pub fn violation(method: &str, path: &str, status: u16, body: &Value) -> Option<String> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    // A filter that cuts events down, and a missing token where the specification speaks of further
    // authentication only, are right and not in the schemas.
    let token = ["M_MISSING_TOKEN", "M_UNKNOWN_TOKEN"].iter().any(|code| body["errcode"] == *code);
    if query.contains("event_fields") || (status == 401 && token) {
        return None;
    }
    // Nor is what a proposal's parameter asks for (delayed events), nor how every server says that
    // there are no TURN servers.
    if query.starts_with("org.matrix.msc") || (path.ends_with("/voip/turnServer") && *body == json!({})) {
        return None;
    }
    if !path.starts_with("/_matrix/client/") && !path.starts_with("/_matrix/media/") {
        return None;
    }
    let error = || format!("{method} {path} answered {status}, which is against the specification: {body}");
    if status >= 400 && !(body["errcode"].is_string() && body["error"].is_string()) {
        // Of user-interactive authentication the error is optional.
        return (status != 401 || !body["flows"].is_array()).then(error);
    }
    let candidates: Vec<usize> = operations(method, path);
    let mut faults = Vec::new();
    for index in candidates {
        match validator(index, status) {
            None => return None,
            Some(validator) => {
                let fault = validator.iter_errors(body).next().map(|fault| {
                    format!("{} at {}: {fault}", SPECIFICATION.operations[index].id, fault.instance_path())
                });
                faults.push(fault?);
            }
        }
    }
    (!faults.is_empty()).then(|| format!("{}\n{}", faults.join("\n"), error()))
}

/// The operations that a request can mean: those with the fewest parameters.
fn operations(method: &str, path: &str) -> Vec<usize> {
    let path = path.replacen("/_matrix/client/r0/", "/_matrix/client/v3/", 1);
    let mut best: (usize, Vec<usize>) = (usize::MAX, Vec::new());
    for (index, operation) in SPECIFICATION.operations.iter().enumerate() {
        let Some(parameters) = fits(&operation.path, &path).filter(|_| operation.method == method) else {
            continue;
        };
        if parameters < best.0 {
            best = (parameters, vec![index]);
        } else if parameters == best.0 {
            best.1.push(index);
        }
    }
    best.1
}

/// How many parameters of a path template a path fills in, if it fits.
fn fits(template: &str, path: &str) -> Option<usize> {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    if template.len() != path.len() {
        return None;
    }
    let is_parameter = |part: &str| part.starts_with('{');
    let same = |(expected, given): (&&str, &&str)| is_parameter(expected) || expected == given;
    let parameters = template.iter().filter(|part| is_parameter(part)).count();
    template.iter().zip(&path).all(same).then_some(parameters)
}

fn validator(index: usize, status: u16) -> Option<Arc<Validator>> {
    let schema = SPECIFICATION.operations[index].answers.get(&status.to_string())?.as_ref()?;
    let mut known = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let compile = || {
        let whole = json!({ "allOf": [schema], "definitions": SPECIFICATION.definitions });
        Arc::new(jsonschema::draft202012::new(&whole).unwrap_or_else(|error| panic!("{error}")))
    };
    Some(Arc::clone(known.entry((index, status)).or_insert_with(compile)))
}

/// Panics when an answer violates the specification. Other homeservers, against which claims are
/// checked, are not ours to judge.
#[track_caller]
pub(crate) fn demand(method: &str, path: &str, status: u16, body: &Value) {
    if crate::shared::other_homeserver().is_some() || matches!(method, "HEAD" | "OPTIONS") {
        return;
    }
    if let Some(violation) = violation(method, path, status, body) {
        panic!("{violation}");
    }
}
