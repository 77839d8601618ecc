//! Asking application services for users and aliases that nobody has made yet (application service
//! API, "Querying"): whoever knows them makes them before it answers.

use super::link::{Method, Reply};
use super::ways::encoded;
use crate::Flows;
use kontor_model::appservice::Service;
use kontor_model::{Code, Error, Result};
use ruma::{RoomAliasId, UserId};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Time for all tries together.
const TIME: Duration = Duration::from_secs(10);
/// Tries while nobody is there, and the pause between them.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(500);

impl Flows {
    /// Whether a service made a user that was unknown before. Services are not asked for the sake of
    /// their own users, whose existence they know.
    ///
    /// # Errors
    /// `TimedOut` when nobody made it and one that may know it did not answer.
    pub(crate) async fn ask_for_user(&self, user: &UserId, asker: &UserId) -> Result<bool> {
        let known = self.identity.services().now();
        let may = |service: &&Arc<Service>| {
            service.url.is_some() && service.has_user(user.as_str()) && !service.has_user(asker.as_str())
        };
        let path = format!("/users/{}", encoded(user.as_str()));
        self.ask_each(known.list().iter().filter(may), &path).await
    }

    /// Whether a service made an alias that was unknown before.
    ///
    /// # Errors
    /// As [`Flows::ask_for_user`].
    pub(crate) async fn ask_for_alias(&self, alias: &RoomAliasId) -> Result<bool> {
        let known = self.identity.services().now();
        let may = |service: &&Arc<Service>| service.url.is_some() && service.has_alias(alias);
        let path = format!("/rooms/{}", encoded(alias.as_str()));
        self.ask_each(known.list().iter().filter(may), &path).await
    }

    async fn ask_each<'a>(
        &self,
        services: impl Iterator<Item = &'a Arc<Service>>,
        path: &str,
    ) -> Result<bool> {
        let mut unheard = false;
        for service in services {
            match timeout(TIME, self.ask(service, path)).await {
                Ok(reply) if reply.is_success() => return Ok(true),
                Ok(Reply::Answer { .. }) => {}
                _ => unheard = true,
            }
        }
        if unheard {
            let message = "The bridge that may know this does not answer. Try again in a moment.";
            return Err(Error::new(Code::TimedOut, message));
        }
        Ok(false)
    }

    async fn ask(&self, service: &Service, path: &str) -> Reply {
        let _turn = self.services.questions.acquire().await;
        let mut reply = Reply::Slow;
        for attempt in 0..TRIES {
            if attempt > 0 {
                sleep(PAUSE).await;
            }
            reply = self.services.call(service, Method::Get, path, None, TIME).await;
            if !matches!(reply, Reply::Unreachable(_)) {
                break;
            }
        }
        reply
    }
}
