//! The web, for previews of links.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use kontor_flows::preview::{Fetched, Wanted, Web};
use kontor_wire::{Ask, Outbound};
use std::time::Duration;

/// Time for one page or picture.
const TIME: Duration = Duration::from_secs(10);
/// How often a redirect is followed: short links of short links exist.
const REDIRECTS: usize = 5;

/// The web as flows know it.
pub struct Pages(pub Outbound);

impl Web for Pages {
    fn fetch<'a>(&'a self, wanted: Wanted<'a>) -> BoxFuture<'a, Option<Fetched>> {
        async move {
            let headers = [("accept", wanted.accept), ("accept-language", wanted.language)];
            let ask = Ask {
                url: wanted.url,
                headers: &headers,
                json: None,
                put: false,
                time: TIME,
                most_bytes: wanted.most_bytes,
                redirects: REDIRECTS,
            };
            let answer = self.0.ask(&ask).await;
            let answer = answer.inspect_err(|error| tracing::debug!(%error, "A page gives no preview."));
            let answer = answer.ok().filter(kontor_wire::Answer::is_success)?;
            let content_type = answer.header("content-type").map(str::to_owned);
            Some(Fetched { url: answer.url, content_type, body: answer.body, cut: answer.cut })
        }
        .boxed()
    }
}
