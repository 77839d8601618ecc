//! The ways to application services: requests by the names that the specification has now, or by
//! those that it had (application service API, "Legacy routes").

use super::link::{Call, Link, Method, Reply};
use kontor_model::appservice::Service;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Of an answer at most so much is read.
const MOST_BYTES: usize = 256 * 1_024;
/// Questions to services under way at once.
const AT_ONCE: usize = 64;
/// Answers to look-ups that are remembered, and for how long.
const LOOK_UPS: u64 = 1_000;
const LOOK_UPS_FOR: Duration = Duration::from_secs(60);

/// How application services are reached.
pub struct Ways {
    link: Arc<dyn Link>,
    /// The service that last showed that it is there.
    alive: watch::Sender<Option<Arc<str>>>,
    pub(super) questions: Semaphore,
    /// Look-ups by service and path.
    pub(super) look_ups: moka::future::Cache<(Arc<str>, String), Arc<serde_json::Value>>,
}

impl Ways {
    /// Over a way to make requests.
    pub fn new(link: Arc<dyn Link>) -> Self {
        let look_ups =
            moka::future::Cache::builder().max_capacity(LOOK_UPS).time_to_live(LOOK_UPS_FOR).build();
        Self { link, alive: watch::Sender::new(None), questions: Semaphore::new(AT_ONCE), look_ups }
    }

    /// Makes a request below `/_matrix/app/v1`; by the older path when the service does not know that.
    pub(super) async fn call(
        &self,
        service: &Service,
        method: Method,
        path: &str,
        body: Option<&[u8]>,
        time: Duration,
    ) -> Reply {
        let reply = self.call_once(service, method, &format!("/_matrix/app/v1{path}"), body, time).await;
        if !reply.is_unknown() {
            return reply;
        }
        let old = if path.starts_with("/thirdparty/") {
            format!("/_matrix/app/unstable{path}")
        } else {
            path.to_owned()
        };
        let second = self.call_once(service, method, &old, body, time).await;
        if second.is_success() { second } else { reply }
    }

    /// Makes one request.
    pub(crate) async fn call_once(
        &self,
        service: &Service,
        method: Method,
        path: &str,
        body: Option<&[u8]>,
        time: Duration,
    ) -> Reply {
        let Some(base) = &service.url else { return Reply::Unreachable("it has no url".to_owned()) };
        let url = format!("{base}{path}");
        let token = service.hs_token.expose();
        self.link.call(Call { method, url: &url, token, body, time, most_bytes: MOST_BYTES }).await
    }

    /// Tells who waits for a service that it is there.
    pub(super) fn is_alive(&self, service: &Service) {
        self.alive.send_replace(Some(Arc::clone(&service.id)));
    }

    /// Hears of services that are there.
    pub(super) fn alive(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.alive.subscribe()
    }
}

/// A text as one segment of a path or as part of a query.
pub(super) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_one_segment() {
        assert_eq!(encoded("#a b/c:x"), "%23a%20b%2Fc%3Ax");
    }
}
