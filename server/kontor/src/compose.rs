//! The house put together: the archive, the departments, the flows and the front door, each given
//! what it needs from the configuration. No rule of any of them lives here.

use crate::config::{self, Config};
use crate::serve::{Door, Exposition, Open};
use crate::system::{SystemClock, SystemRandom};
use crate::telemetry::Telemetry;
use crate::{adapters, departments, housekeeping, mail, signing_key};
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::service::TowerToHyperService;
use kontor_flows::Flows;
use kontor_flows::preview::Previews;
use kontor_http::App;
use kontor_http::again::Again;
use kontor_http::extract::Origin;
use kontor_http::middleware::Limits;
use kontor_identity::Identity;
use kontor_media::Media;
use kontor_model::{Clock, Error, Random};
use kontor_rooms::{Rooms, Signer};
use kontor_store::{Options, Store};
use kontor_wire::{Authorities, Outbound};
use ruma::ServerName;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Connections for reading. PostgreSQL allows 100 in all by default.
const READERS: u32 = 8;
/// SQLite reads on our own processors, and each connection keeps the memory that its largest answer
/// once took: no more than can be busy at once.
const SQLITE_READERS: u32 = 4;

/// The house.
pub struct House {
    app: Arc<App>,
    exposition: Option<Exposition>,
    data_dir: Arc<Path>,
    tasks: Tasks,
}

/// What happens although nobody asks.
struct Tasks {
    housekeeping: JoinHandle<()>,
    indexing: JoinHandle<()>,
    push: JoinHandle<()>,
    serving: JoinHandle<()>,
    telling: JoinHandle<()>,
    connecting: JoinHandle<()>,
}

impl Tasks {
    fn begin(app: &Arc<App>, outbound: Outbound, stopping: watch::Receiver<bool>) -> Self {
        let hooks = Arc::new(adapters::webhook::Hooks(outbound.clone()));
        let crms = adapters::crm::crms(&outbound);
        let gateways = Arc::new(adapters::push::Gateways(outbound));
        let keeping = Arc::clone(app);
        let housekeeping = tokio::spawn(async move {
            tokio::join!(
                housekeeping::keep(Arc::clone(&keeping), stopping),
                keeping.flows.keep_mailing(),
                keeping.flows.keep_delayed(),
                keeping.flows.keep_services(),
            );
        });
        let flows = Arc::clone(&app.flows);
        let indexing = tokio::spawn(async move { flows.follow_for_search().await });
        let stop = app.flows.stop.subscribe();
        let push = kontor_flows::push::follow(Arc::clone(&app.flows), gateways, stop.clone());
        let serving = kontor_flows::appservice::follow(Arc::clone(&app.flows), stop.clone());
        let telling =
            kontor_flows::conversation::webhooks::follow(Arc::clone(&app.flows), hooks, stop.clone());
        let connecting = kontor_flows::crm::follow(Arc::clone(&app.flows), crms, stop);
        Self {
            housekeeping,
            indexing,
            push: tokio::spawn(push),
            serving: tokio::spawn(serving),
            telling: tokio::spawn(telling),
            connecting: tokio::spawn(connecting),
        }
    }

    /// Waits until all of them ended.
    async fn end(self) {
        let ends = [
            ("The search index was left with a panic.", self.indexing),
            ("Push notifications were left with a panic.", self.push),
            ("Telling application services was left with a panic.", self.serving),
            ("Telling webhooks was left with a panic.", self.telling),
            ("Connectors to CRMs were left with a panic.", self.connecting),
            ("Housekeeping ended with a panic.", self.housekeeping),
        ];
        for (message, task) in ends {
            if let Err(error) = task.await {
                tracing::error!(%error, "{message}");
            }
        }
    }
}

/// Opens the archive, brings its schema up to date, and makes sure that it is this server's.
///
/// # Errors
/// A sentence: the database cannot be reached, is damaged, newer than this binary, or another
/// server's.
pub async fn open_store(config: &Config) -> Result<Store, String> {
    let readers = if config.is_sqlite() { SQLITE_READERS } else { READERS };
    let options = Options { url: config.database_url(), readers };
    let store = Store::open(&options).await.map_err(|error| sentence(&error))?;
    match store.belongs_to(&config.top.server_name).await {
        Ok(()) => Ok(store),
        Err(error) => {
            store.close().await;
            Err(sentence(&error))
        }
    }
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
    pub async fn build(config: &Config, telemetry: &Telemetry) -> Result<Self, String> {
        let data_dir = &config.top.data_dir;
        let server_name = ServerName::parse(&config.top.server_name).map_err(|error| error.to_string())?;
        let key_file = config.top.signing_key.clone().unwrap_or_else(|| data_dir.join("signing.key"));
        let key = signing_key::load(&key_file, &SystemRandom)?;
        let services = config::read_appservices(config)?;
        let store = open_store(config).await?;
        store.remember_erased().await.map_err(|error| sentence(&error))?;
        let (clock, random): (Arc<dyn Clock>, Arc<dyn Random>) =
            (Arc::new(SystemClock), Arc::new(SystemRandom));

        let signer = Signer { server_name: server_name.clone(), key };
        let rooms = Arc::new(Rooms::new(store.clone(), clock.clone(), &*random, signer));
        let mut options = departments::identity(config, server_name.clone());
        options.services = services;
        let identity = Arc::new(Identity::new(store.clone(), clock.clone(), random.clone(), options));
        let options = departments::media(config, server_name.clone());
        let media = Media::new(store.clone(), clock.clone(), random.clone(), options).map(Arc::new);
        let media = media.map_err(|error| sentence(&error))?;
        let contacts = departments::contacts(config, &store, &clock, &random);
        let (stop, stopping) = watch::channel(false);
        let authorities = Authorities::read(&config.outbound.extra_ca_files)?;
        let mail = mail::way(config, &authorities)?;
        let outbound = adapters::outbound(config, &authorities)?;
        let link = Arc::new(adapters::appservice::Services(adapters::trusted(&authorities)?));
        let flows = Arc::new(Flows {
            store: store.clone(),
            rooms: rooms.clone(),
            identity: identity.clone(),
            contacts: contacts.clone(),
            clock: clock.clone(),
            random: random.clone(),
            settings: departments::flows(config, server_name.clone()),
            judge: Arc::new(kontor_flows::notify::UsualRules),
            services: kontor_flows::appservice::Ways::new(link),
            sliding: kontor_flows::sliding::Memory::default(),
            mail,
            people: kontor_flows::user_directory::People::default(),
            memos: kontor_flows::sync::memo::Memos::default(),
            inboxes: kontor_flows::encryption::Inboxes::default(),
            swept: kontor_flows::notifications::Sweep::default(),
            delayed: departments::delayed(config),
            repeats: kontor_flows::post::Repeats::default(),
            moments: kontor_flows::create_room::Moments::default(),
            stop,
        });
        flows.prepare_services().await.map_err(|error| sentence(&error))?;
        let settings = departments::http(config, server_name);
        let limits = Limits::default();
        let web = || Arc::new(adapters::web::Pages(outbound.clone()));
        let previews =
            config.media.url_previews.then(|| Arc::new(Previews::new(store.clone(), media.clone(), web())));
        let again = Again::new(Duration::from_secs(config.sync.response_cache_seconds.into()));
        let app = Arc::new(App {
            store,
            clock,
            random,
            rooms,
            identity,
            contacts,
            media,
            flows,
            previews,
            settings,
            limits,
            again,
        });
        let tasks = Tasks::begin(&app, outbound, stopping);
        Ok(Self { app, exposition: telemetry.exposition(), data_dir: data_dir.as_path().into(), tasks })
    }

    /// Whether anybody administers this server yet.
    ///
    /// # Errors
    /// A sentence when the database does not answer.
    pub async fn has_administrator(&self) -> Result<bool, String> {
        self.app.identity.has_administrator().await.map_err(|error| sentence(&error))
    }

    /// Lets whoever shows the token become the first administrator.
    pub fn allow_first_administrator(&self, token: &str) {
        self.app.identity.allow_first_administrator(token);
    }

    /// Lets the front door answer what arrives at a listener.
    pub fn attach(
        &self,
        open: Open,
        serves: &[config::Serve],
        patience: Duration,
        listeners: &mut JoinSet<()>,
    ) {
        let exposition = self.exposition.clone().filter(|_| serves.contains(&config::Serve::Metrics));
        let serves: BTreeSet<_> = serves.iter().copied().filter_map(group).collect();
        let inner = TowerToHyperService::new(kontor_http::router(Arc::clone(&self.app), &serves));
        let door = Door { inner, exposition, data_dir: Arc::clone(&self.data_dir) };
        let stop = self.app.flows.stop.subscribe();
        listeners.spawn(open.serve(door, note_origin, stop, patience));
    }

    /// Begins to end: no new connections, long polls are answered.
    pub fn stop(&self) {
        self.app.flows.stop();
    }

    /// Writes what is still queued and closes the database. The listeners have ended before.
    pub async fn close(self) {
        self.tasks.end().await;
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
        config::Serve::Federation => kontor_http::Serve::Federation,
        config::Serve::Identity => kontor_http::Serve::Identity,
        config::Serve::Company => kontor_http::Serve::Company,
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
