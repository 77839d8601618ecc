//! Contacts out of files and into files. Rows come and go as JSON; what a file looks like is the terminal program's
//! business. Importing is for administrators: whoever imports decides whose the contacts are. Exporting is for every
//! employee, of what the employee may see.

use super::api::{Api, Doc, Who};
use super::cards::{Page, cut};
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Query, State};
use crate::respond;
use axum::http::Method;
use futures_util::future::join_all;
use kontor_contacts::import::{Became, Held, Import, MOST_ROWS, Meant, RECORD, Row, Told, apart};
use kontor_flows::conversation::reader;
use kontor_model::{Code, Error, Result, ids};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// How often it is tried anew when others decide by the same keys at the same moment.
const TRIES: usize = 20;

/// Adds the routes.
pub fn routes(api: Api) -> Api {
    let summary = "Takes rows of a file as contacts, each once; answers what became of each.";
    let doc = Doc::new(Method::POST, "/_kontor/contacts/v1/imports", Who::Administrator, summary);
    let api = api.add(doc.taking::<Sent>().giving::<Answers>(), import);
    let summary =
        "Gives the contacts that the caller may see with everything that an import takes, oldest first.";
    let doc = Doc::new(Method::GET, "/_kontor/contacts/v1/exports", Who::Employee, summary);
    api.add(doc.asking(super::cards::PAGES), export)
}

/// Rows of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    /// A name for the file: each of its rows is taken once under it.
    import_id: String,
    /// The system that the file is from, a word of small letters; `file` when absent. Ids of rows are its own.
    system: Option<String>,
    /// What is done with a row whose number or address somebody holds: reject, attach. reject when absent.
    #[serde(default)]
    held: Held,
    /// Whether it is only told what would become of the rows.
    #[serde(default)]
    dry_run: bool,
    /// The rows, in the order of the file.
    rows: Vec<Row>,
}

/// What became of them.
#[derive(Deserialize, Serialize)]
struct Answers {
    /// In the same order.
    rows: Vec<Told>,
}

/// `POST /_kontor/contacts/v1/imports`
async fn import(state: State, caller: Caller, Body(sent): Body<Sent>) -> Answer {
    super::arrivals::administrator(&caller)?;
    if sent.rows.is_empty() || sent.rows.len() > MOST_ROWS {
        return Err(Error::invalid_param(format!("rows must hold 1 to {MOST_ROWS} of them.")).into());
    }
    let numbers: BTreeSet<i64> = sent.rows.iter().map(|row| row.row).collect();
    if numbers.len() < sent.rows.len() || numbers.first().is_some_and(|first| *first < 1) {
        return Err(Error::invalid_param("Each row needs a number of its own, from 1 on.").into());
    }
    let import = read(&state, &caller, &sent).await?;
    let meant = state.contacts.rows_meant(&import, &sent.rows).await?;
    let mut told = Vec::with_capacity(sent.rows.len());
    for group in apart(&sent.rows) {
        let taken = group.iter().map(|row| take(&state, &import, &meant, row, sent.dry_run));
        for one in join_all(taken).await {
            told.push(one?);
        }
    }
    let written = |one: &Told| matches!(one.outcome, Became::New | Became::Suggested | Became::Updated);
    if !sent.dry_run && told.iter().any(written) {
        state.store.submit(state.contacts.plan_import_audit(&import, &told).await?).await?;
    }
    Ok(respond::ok(&Answers { rows: told }))
}

async fn read(state: &App, caller: &Caller, sent: &Sent) -> Result<Import> {
    let word = |value: &str, field: &'static str, longest: usize| {
        ids::storable_key(value, field)?;
        match value.is_empty() || value.len() > longest {
            true => Err(Error::invalid_param(format!("{field} must have 1 to {longest} bytes."))),
            false => Ok(value.to_owned()),
        }
    };
    let system = word(sent.system.as_deref().unwrap_or("file"), "system", 40)?;
    if !system.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
    {
        return Err(Error::invalid_param("system is a word of small letters, such as shop."));
    }
    let mut owners = BTreeMap::new();
    for owner in sent.rows.iter().filter_map(|row| row.owner.as_ref()).collect::<BTreeSet<_>>() {
        let Ok(user_id) = ids::user_id(owner) else { continue };
        match state.flows.employee(&user_id).await {
            Ok(nid) => drop(owners.insert(owner.clone(), nid)),
            Err(error) if error.code == Code::Unavailable => return Err(error),
            Err(_) => {}
        }
    }
    let id = word(&sent.import_id, "import_id", 255)?;
    Ok(Import {
        id,
        system,
        external_type: RECORD.to_owned(),
        held: sent.held,
        owners,
        actor: caller.actor(),
    })
}

async fn take(state: &App, import: &Import, meant: &Meant, row: &Row, dry_run: bool) -> Result<Told> {
    let mut meant = std::borrow::Cow::Borrowed(meant);
    for _ in 0..TRIES {
        let (change, told) = match state.contacts.plan_row(import, &meant, row).await {
            Ok(planned) => planned,
            Err(error) if error.is_conflict() => continue,
            Err(error) => return Err(error),
        };
        if dry_run || change.is_empty() {
            return Ok(told);
        }
        match state.store.submit(change).await {
            Ok(_) => return Ok(told),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
        }
        // Taken by another request, or somebody decided by the same at the same moment.
        meant = std::borrow::Cow::Owned(state.contacts.rows_meant(import, std::slice::from_ref(row)).await?);
    }
    Err(Error::new(Code::Unavailable, "Many changes concern the same number at this moment. Try again."))
}

/// `GET /_kontor/contacts/v1/exports`
async fn export(state: State, caller: Caller, Query(page): Query<Page>) -> Answer {
    let limit = page.limit()?;
    let after = page.from.as_deref().unwrap_or_default();
    ids::storable_key(after, "parameter")?;
    let mut rows = state.contacts.export(reader(&caller.requester)?, after, limit + 1).await?;
    let more = cut(&mut rows, limit);
    let next = rows.last().filter(|_| more).map(|row| row.contact_id.clone());
    // What leaves the house is written down before it does.
    let audit = state.contacts.plan_export_audit(after, rows.len(), caller.actor()).await?;
    state.store.submit(audit).await?;
    Ok(respond::ok(&json!({ "contacts": rows, "next": next })))
}
