//! `kill -9` under load.

use harness::{Db, Server, full_tier, on_each_database};
use tokio::time::{Duration, sleep};

use crate::traffic::{Steps, Traffic, jitter};

on_each_database!(kill_9_under_load_loses_and_doubles_nothing);

async fn kill_9_under_load_loses_and_doubles_nothing(db: Db) {
    let cycles = if full_tier() { 100 } else { 5 };
    let mut server = Server::start(db);
    let doors = [server.homeserver()];
    let mut traffic = Traffic::prepare(&doors[0], 4).await;
    traffic.read(&doors, Steps::Large).await;
    traffic.send(&doors, 20, None);
    for _ in 0..cycles {
        traffic.acknowledge(50).await;
        // Another moment of the writer's round every time.
        sleep(Duration::from_millis(jitter(40))).await;
        server.kill_and_start_again();
    }
    traffic.acknowledge(50).await;
    traffic.finish().await;
    server.restart();
}
