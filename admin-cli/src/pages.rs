//! Lists that the server gives page by page.

use crate::api::Server;
use crate::failure::Failure;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Entries asked for at a time.
const PAGE: &str = "500";

/// All entries of a list, which stands under `field` in the server's answers.
///
/// # Errors
/// Those of the requests; an unexpected answer when the list is not there.
pub async fn all<T: DeserializeOwned>(server: &Server, path: &str, field: &str) -> Result<Vec<T>, Failure> {
    let mut entries: Vec<T> = Vec::new();
    let mut from: Option<String> = None;
    loop {
        let mut query = vec![("limit", PAGE)];
        if let Some(from) = &from {
            query.push(("from", from));
        }
        let mut page: Map<String, Value> = server.ask(Method::GET, path, &query, None).await?;
        let list = page.remove(field).unwrap_or_default();
        let list: Vec<T> = serde_json::from_value(list).map_err(|_| server.bad_answer())?;
        let empty = list.is_empty();
        entries.extend(list);
        // An empty page ends the list too: a server must not be able to keep us here for ever.
        match page.remove("next") {
            Some(Value::String(next)) if !empty => from = Some(next),
            _ => return Ok(entries),
        }
    }
}
