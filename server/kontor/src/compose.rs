//! The house put together: the archive, the departments, the flows and the front door, each given
//! what it needs from the configuration. No rule of any of them lives here.

use crate::config::{self, Config};
use crate::serve::{Exposition, Open, WithMetrics};
use crate::system::{SystemClock, SystemRandom};
use crate::telemetry::Telemetry;
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::service::TowerToHyperService;
use kontor_flows::Flows;
use kontor_http::extract::Origin;
use kontor_http::middleware::Limits;
use kontor_http::{App, Settings};
use kontor_identity::Identity;
use kontor_media::Media;
use kontor_model::Error;
use kontor_rooms::Rooms;
use kontor_store::{Options, Store};
use ruma::ServerName;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Connections for reading. SQLite reads in the caller's processor time, so a few per processor
/// are plenty; PostgreSQL allows 100 in all by default.
const READERS: u32 = 8;

/// Largest body of a request that is not an upload: room for the largest event and its wrapping,
/// and for a day's keys of a device.
const BODY_LIMIT: usize = 1 << 20;

/// The house.
pub struct House {
    app: Arc<App>,
    exposition: Option<Exposition>,
}

/// Opens the archive and brings its schema up to date.
///
/// # Errors
/// A sentence: the database cannot be reached, is damaged, or is newer than this binary.
pub async fn open_store(config: &Config) -> Result<Store, String> {
    let options = Options { url: config.database_url(), readers: READERS };
    Store::open(&options).await.map_err(|error| sentence(&error))
}

/// What a person is told of an error at the start: the message and its cause.
pub fn sentence(error: &Error) -> String {
    let mut said = error.message.to_string();
    let mut cause: Option<&dyn std::error::Error> = match &error.cause {
        Some(cause) => Some(cause.as_ref()),
        None => None,
    };
    while let Some(inner) = cause {
        said.push_str(&format!("\n  Cause: {inner}"));
        cause = inner.source();
    }
    said
}

impl House {
    /// Puts the house together.
    ///
    /// # Errors
    /// A sentence for the person who starts the server.
    pub async fn build(
        config: &Config,
        telemetry: &Telemetry,
        stopping: watch::Receiver<bool>,
    ) -> Result<Self, String> {
        let _ = stopping;
        let store = open_store(config).await?;
        let server_name = ServerName::parse(&config.top.server_name).map_err(|error| error.to_string())?;
        let app = App {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            rooms: Arc::new(Rooms {}),
            identity: Arc::new(Identity {}),
            media: Arc::new(Media {}),
            flows: Arc::new(Flows {}),
            settings: Settings {
                server_name,
                public_base_url: config.public_base_url(),
                rate_limits: config.rate_limits.enabled,
                body_limit: BODY_LIMIT,
            },
            limits: Limits::default(),
            store,
        };
        Ok(Self { app: Arc::new(app), exposition: telemetry.exposition() })
    }

    /// Whether anybody administers this server yet.
    ///
    /// # Errors
    /// A sentence when the database does not answer.
    pub async fn has_administrator(&self) -> Result<bool, String> {
        Ok(false)
    }

    /// Lets the front door answer what arrives at a listener.
    pub fn attach(
        &self,
        open: Open,
        serves: &[config::Serve],
        stop: watch::Receiver<bool>,
        patience: Duration,
        listeners: &mut JoinSet<()>,
    ) {
        let exposition = self.exposition.clone().filter(|_| serves.contains(&config::Serve::Metrics));
        let serves: BTreeSet<_> = serves.iter().copied().filter_map(group).collect();
        let inner = TowerToHyperService::new(kontor_http::router(Arc::clone(&self.app), &serves));
        match exposition {
            Some(exposition) => {
                let service = WithMetrics { inner, exposition };
                listeners.spawn(open.serve(service, note_origin, stop, patience))
            }
            None => listeners.spawn(open.serve(inner, note_origin, stop, patience)),
        };
    }

    /// Writes what is still queued and closes the database.
    pub async fn close(&self) {
        self.app.store.close().await;
    }
}

/// The front door's word for a group of addresses, if it has any of them.
fn group(serve: config::Serve) -> Option<kontor_http::Serve> {
    Some(match serve {
        config::Serve::Client => kontor_http::Serve::Client,
        config::Serve::Media => kontor_http::Serve::Media,
        config::Serve::Admin => kontor_http::Serve::Admin,
        config::Serve::Console => kontor_http::Serve::Console,
        config::Serve::Health => kontor_http::Serve::Health,
        _ => return None,
    })
}

/// Puts the client's address into a request.
fn note_origin(request: &mut Request<Incoming>, peer: SocketAddr) {
    let ip = client_address(request, peer.ip());
    request.extensions_mut().insert(Origin { ip: Some(ip), request_id: None });
}

/// The address of the client. A connection from this machine itself comes from a reverse proxy,
/// which appends whom it speaks for to `X-Forwarded-For`; from elsewhere that field proves nothing.
fn client_address<B>(request: &Request<B>, peer: IpAddr) -> IpAddr {
    let forwarded = || {
        let field = request.headers().get_all("x-forwarded-for").iter().next_back()?;
        field.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
    };
    let peer = peer.to_canonical();
    if peer.is_loopback() { forwarded().unwrap_or(peer) } else { peer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxy_on_this_machine_may_name_another_client() {
        let request = |fields: &[&str]| {
            let builder = Request::builder();
            fields
                .iter()
                .fold(builder, |builder, field| builder.header("X-Forwarded-For", *field))
                .body(())
                .expect("request")
        };
        let local: IpAddr = "127.0.0.1".parse().expect("address");
        let remote: IpAddr = "203.0.113.9".parse().expect("address");
        for (fields, peer, client) in [
            (vec!["198.51.100.7"], local, "198.51.100.7"),
            (vec!["6.6.6.6, 198.51.100.7"], local, "198.51.100.7"),
            (vec!["6.6.6.6", "198.51.100.7"], local, "198.51.100.7"),
            (vec!["198.51.100.7"], remote, "203.0.113.9"),
            (vec!["nonsense"], local, "127.0.0.1"),
            (vec![], local, "127.0.0.1"),
        ] {
            assert_eq!(client_address(&request(&fields), peer).to_string(), client, "{fields:?}");
        }
    }
}
