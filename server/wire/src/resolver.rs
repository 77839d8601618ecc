//! Looking names up, and leaving out addresses that are denied: the connection goes to one of the
//! addresses that remain, so nothing can change between the look and the connection.

use crate::ranges::Denied;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::SocketAddr;
use std::sync::Arc;

/// Every address of a name is denied.
#[derive(Debug, thiserror::Error)]
#[error("every address of the host lies in a denied range")]
pub(crate) struct AllDenied;

/// The system's resolver behind the denied ranges.
pub(crate) struct Guarded(pub Arc<Denied>);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let denied = Arc::clone(&self.0);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let known = !found.is_empty();
            let allowed: Vec<_> = found.into_iter().filter(|at| !denied.refuses(at.ip())).collect();
            if known && allowed.is_empty() {
                return Err(AllDenied.into());
            }
            Ok::<Addrs, _>(Box::new(allowed.into_iter()))
        })
    }
}
