//! Push gateways (push gateway API, `POST /_matrix/push/v1/notify`).

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use kontor_flows::push::{Gateway, Heard};
use kontor_wire::{Answer, Ask, Outbound, Unheard};
use serde::Deserialize;
use std::time::Duration;

/// Time for one request.
const TIME: Duration = Duration::from_secs(20);
/// Of an answer at most so much is read: a list of a few keys.
const MOST_BYTES: usize = 64 * 1_024;

/// Gateways as flows know them.
pub struct Gateways(pub Outbound);

impl Gateway for Gateways {
    fn notify<'a>(&'a self, url: &'a str, body: String) -> BoxFuture<'a, Heard> {
        async move {
            let ask = Ask {
                url,
                headers: &[],
                json: Some(body),
                put: false,
                time: TIME,
                most_bytes: MOST_BYTES,
                redirects: 0,
            };
            heard(self.0.ask(&ask).await)
        }
        .boxed()
    }
}

fn heard(answer: Result<Answer, Unheard>) -> Heard {
    #[derive(Default, Deserialize)]
    struct Said {
        #[serde(default)]
        rejected: Vec<String>,
    }
    match answer {
        Ok(answer) if answer.is_success() => {
            // A gateway that took it but says nothing sensible rejected nothing.
            let said: Said = serde_json::from_slice(&answer.body).unwrap_or_default();
            Heard::Taken { rejected: said.rejected }
        }
        Ok(answer) => {
            let seconds = answer.header("retry-after").and_then(|value| value.trim().parse().ok());
            let why = format!("it answers with status {}", answer.status);
            Heard::Failed { why, retry_after: seconds.map(Duration::from_secs) }
        }
        Err(error) => Heard::Failed { why: super::why(&error), retry_after: None },
    }
}
