//! Webhooks of the company's own programs (`POST`, JSON, signed).

use super::why;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use kontor_flows::conversation::webhooks::{Call, Caller};
use kontor_wire::{Ask, Outbound};
use std::time::Duration;

/// Time for one request.
const TIME: Duration = Duration::from_secs(20);
/// Of an answer at most so much is read: only its status is of interest.
const MOST_BYTES: usize = 1_024;

/// Webhooks as flows know them. Their addresses are guarded like everything that somebody names.
pub struct Hooks(pub Outbound);

impl Caller for Hooks {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<(), String>> {
        async move {
            let headers = [("kontor-signature", call.signature), ("kontor-delivery", call.delivery)];
            let ask = Ask {
                url: call.url,
                headers: &headers,
                json: Some(call.body.to_owned()),
                put: false,
                time: TIME,
                most_bytes: MOST_BYTES,
                redirects: 0,
            };
            match self.0.ask(&ask).await {
                Ok(answer) if answer.is_success() => Ok(()),
                Ok(answer) => Err(format!("it answers with status {}", answer.status)),
                Err(error) => Err(why(&error)),
            }
        }
        .boxed()
    }
}
