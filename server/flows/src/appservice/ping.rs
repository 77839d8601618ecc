//! Whether the server reaches an application service (application service API, "Pinging").

use super::link::{Method, Reply};
use crate::Flows;
use kontor_model::appservice::Service;
use serde_json::json;
use std::time::{Duration, Instant};

/// Time for the answer.
const TIME: Duration = Duration::from_secs(30);

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pinged {
    /// It answered, after so long.
    Reached(Duration),
    /// It wants to hear nothing.
    NoUrl,
    /// It answered with another status than success.
    BadStatus {
        /// HTTP status.
        status: u16,
        /// Its body as text.
        body: String,
    },
    /// It did not answer in time.
    TimedOut,
    /// Nobody is there. Why.
    Failed(String),
}

impl Flows {
    /// Asks an application service whether it is there. If it is, what waits for it is sent at once.
    pub async fn ping_service(&self, service: &Service, txn_id: Option<&str>) -> Pinged {
        if service.url.is_none() {
            return Pinged::NoUrl;
        }
        let body = match txn_id {
            Some(txn_id) => json!({ "transaction_id": txn_id }),
            None => json!({}),
        };
        let body = body.to_string();
        let began = Instant::now();
        let path = "/_matrix/app/v1/ping";
        match self.services.call_once(service, Method::Post, path, Some(body.as_bytes()), TIME).await {
            reply if reply.is_success() => {
                self.services.is_alive(service);
                Pinged::Reached(began.elapsed())
            }
            Reply::Answer { status, body } => {
                Pinged::BadStatus { status, body: String::from_utf8_lossy(&body).into_owned() }
            }
            Reply::Slow => Pinged::TimedOut,
            Reply::Unreachable(why) => Pinged::Failed(why),
        }
    }
}
