//! What all tests of one process share: a PostgreSQL cluster and a server per database. They
//! live until the process ends; the watchdog of `scratch` removes them.

use std::sync::OnceLock;

use crate::config::Db;
use crate::homeserver::Homeserver;
use crate::postgres::Cluster;
use crate::server::Server;

pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start_fast)
}

pub(crate) fn server(db: Db) -> &'static Server {
    static SQLITE: OnceLock<Server> = OnceLock::new();
    static POSTGRES: OnceLock<Server> = OnceLock::new();
    match db {
        Db::Sqlite => SQLITE.get_or_init(|| Server::start(db)),
        Db::Postgres => POSTGRES.get_or_init(|| Server::start(db)),
    }
}

/// The homeserver that `KONTOR_TEST_URL` names instead of one of ours.
pub fn other_homeserver() -> Option<Homeserver> {
    let url = std::env::var("KONTOR_TEST_URL").ok()?;
    let secret = std::env::var("KONTOR_TEST_SHARED_SECRET")
        .expect("KONTOR_TEST_SHARED_SECRET: KONTOR_TEST_URL is of no use without it");
    Some(Homeserver::new(url.trim_end_matches('/').to_owned(), secret))
}
