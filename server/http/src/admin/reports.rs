//! What users reported.

use super::Administrator;
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Query, State};
use crate::respond;
use axum::Router;
use axum::routing::get;
use kontor_model::{Error, Nid};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Reports per page, when nothing is asked for, and at most.
const PAGE: i64 = 100;
const LARGEST_PAGE: i64 = 1_000;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    routes.route("/_kontor/admin/v1/reports", get(list))
}

#[derive(Deserialize)]
struct Page {
    from: Option<String>,
    limit: Option<i64>,
}

/// `GET /_kontor/admin/v1/reports`, newest first.
async fn list(state: State, _: Administrator, Query(page): Query<Page>) -> Answer {
    let before = match page.from {
        None => Nid::MAX,
        Some(from) => from.parse::<Nid>().map_err(|_| {
            Error::invalid_param("The parameter \"from\" must be the \"next\" of an earlier answer.")
        })?,
    };
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(Error::invalid_param(format!("The limit must be 1 to {LARGEST_PAGE}.")).into());
    }
    let mut reports = state.flows.reports(before, limit + 1).await?;
    // One more than asked for tells whether there is a next page.
    let more = reports.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        reports.pop();
    }
    let next = reports.last().filter(|_| more).map(|last| last.report.to_string());
    let reports: Vec<Value> = reports
        .into_iter()
        .map(|report| {
            json!({
                "id": report.report.to_string(),
                "kind": report.kind,
                "target": report.target,
                "room_id": report.room_id,
                "sender": report.sender,
                "reporter": report.reporter,
                "reason": report.reason,
                "ts": report.ts,
            })
        })
        .collect();
    Ok(respond::ok(&json!({ "reports": reports, "next": next })))
}
