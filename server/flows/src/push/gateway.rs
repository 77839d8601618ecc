//! What push needs of the outside world.

use futures_util::future::BoxFuture;
use std::time::Duration;

/// What became of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The gateway took it. These keys are of no use any more: their pushers go.
    Taken {
        /// The keys.
        rejected: Vec<String>,
    },
    /// It did not, and is to be asked again.
    Failed {
        /// Why, without anything of the address or of the notification.
        why: String,
        /// How long it wants to be left alone, if it said.
        retry_after: Option<Duration>,
    },
}

/// Speaks to push gateways.
pub trait Gateway: Send + Sync {
    /// Hands a notification (`POST /_matrix/push/v1/notify`, JSON) to the gateway at this address.
    fn notify<'a>(&'a self, url: &'a str, body: String) -> BoxFuture<'a, Heard>;
}
