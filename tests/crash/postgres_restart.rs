//! PostgreSQL goes away under load and comes back.

use harness::{Cluster, Db, Server, StopMode, full_tier, run_claim};
use tokio::time::{Duration, sleep};

use crate::traffic::{Steps, Traffic, jitter};

#[test]
fn a_restart_of_postgresql_under_load_loses_and_doubles_nothing() {
    run_claim(postgresql_restarts, Db::Postgres);
}

async fn postgresql_restarts(_: Db) {
    let mut cluster = Cluster::start();
    let mut server = Server::start_on(Some(&cluster.create_database()), &[]);
    let doors = [server.homeserver()];
    let mut traffic = Traffic::prepare(&doors[0], 4).await;
    traffic.read(&doors, Steps::Large).await;
    traffic.send(&doors, 20, None);
    // A lost commit that is taken for a written one is rare: many restarts find it.
    let rounds = if full_tier() { 8 } else { 1 };
    for mode in [StopMode::Immediate, StopMode::Fast, StopMode::Immediate].repeat(rounds) {
        traffic.acknowledge(50).await;
        sleep(Duration::from_millis(jitter(40))).await;
        cluster.stop(mode);
        // Long enough for every connection to notice.
        sleep(Duration::from_millis(500)).await;
        cluster.start_again();
        assert!(server.is_running(), "kontor ended with its database:\n{}", server.log());
    }
    traffic.acknowledge(50).await;
    traffic.finish().await;
}
