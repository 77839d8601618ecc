//! CRMs, as flows know them. Their addresses are guarded like everything that somebody names: one in the company's own
//! network must be let through by `outbound.denied_ip_ranges`.

mod espo;
mod generic;

use super::why;
use kontor_flows::crm::{Crms, Trouble};
use kontor_model::Ms;
use kontor_wire::outbound::Answer;
use kontor_wire::{Ask, Outbound};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// Time for one request.
const TIME: Duration = Duration::from_secs(30);
/// Of an answer at most so much is read: a page of records.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The kinds that can be spoken to.
pub fn crms(outbound: &Outbound) -> Crms {
    let mut crms = Crms::new();
    crms.insert("http", Arc::new(generic::Generic(outbound.clone())));
    crms.insert("espocrm", Arc::new(espo::Espo(outbound.clone())));
    crms
}

/// A request of a connector.
struct Call<'a> {
    url: &'a str,
    headers: &'a [(&'static str, &'a str)],
    json: Option<String>,
    put: bool,
}

/// Asks, and gives every answer that the kind of CRM has to understand itself: success, not found, conflict.
async fn ask(outbound: &Outbound, call: Call<'_>) -> Result<Answer, Trouble> {
    let ask = Ask {
        url: call.url,
        headers: call.headers,
        json: call.json,
        put: call.put,
        time: TIME,
        most_bytes: MOST_BYTES,
        redirects: 0,
    };
    let answer = outbound.ask(&ask).await.map_err(|error| Trouble::Later(None, why(&error)))?;
    let said = || format!("it answers with status {}", answer.status);
    match answer.status {
        200..=299 | 404 | 409 | 412 => Ok(answer),
        // A key that is refused today may be right tomorrow: an administrator puts it right.
        401 | 403 | 408 | 425 | 429 | 500..=599 => Err(Trouble::Later(retry_after(&answer), said())),
        _ => Err(Trouble::Never(said())),
    }
}

/// How long it wants to be left alone, milliseconds.
fn retry_after(answer: &Answer) -> Option<Ms> {
    answer.header("retry-after")?.trim().parse::<Ms>().ok().map(|seconds| seconds.saturating_mul(1_000))
}

/// An answer as what it should be.
fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Trouble> {
    if answer.cut || !answer.is_success() && answer.status != 409 {
        return Err(Trouble::Never(format!("an unexpected answer with status {}", answer.status)));
    }
    serde_json::from_slice(&answer.body)
        .map_err(|_| Trouble::Later(None, "an answer that is not understood".to_owned()))
}

/// A segment of a path, or a value of a query.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
