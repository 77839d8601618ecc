//! The power fails while SQLite writes its log: the last transaction is there by half.

use std::fs;
use std::path::{Path, PathBuf};

use harness::{Db, Server, full_tier, run_claim};

use crate::traffic::{Steps, Traffic};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

#[test]
fn a_torn_tail_of_the_wal_loses_nothing_acknowledged() {
    run_claim(the_tail_is_torn, Db::Sqlite);
}

async fn the_tail_is_torn(db: Db) {
    let cycles = if full_tier() { 20 } else { 3 };
    let mut server = Server::start(db);
    let doors = [server.homeserver()];
    let mut traffic = Traffic::prepare(&doors[0], 4).await;
    traffic.read(&doors, Steps::Large).await;
    traffic.send(&doors, 20, None);
    let mut torn = 0;
    for _ in 0..cycles * 10 {
        traffic.acknowledge(30).await;
        server.kill();
        torn += usize::from(tear(&wal_of(&server)));
        server.start_again();
        if torn == cycles {
            break;
        }
    }
    assert!(torn > 0, "there was never a log to tear");
    traffic.acknowledge(30).await;
    traffic.finish().await;
}

fn wal_of(server: &Server) -> PathBuf {
    PathBuf::from(format!("{}-wal", server.database_url().trim_start_matches("sqlite://")))
}

/// Cuts the log after its last complete transaction and puts the beginning of another one there:
/// a frame of this log's generation whose page never made it. False when there is no log.
fn tear(path: &Path) -> bool {
    let Ok(mut wal) = fs::read(path) else { return false };
    if wal.len() < HEADER {
        return false;
    }
    let page = usize::try_from(u32::from_be_bytes(wal[8..12].try_into().unwrap())).unwrap();
    let salts = wal[16..24].to_vec();
    let frame = FRAME_HEADER + page;
    let (mut at, mut end) = (HEADER, HEADER);
    while at + frame <= wal.len() && wal[at + 8..at + 16] == salts {
        at += frame;
        let commits = wal[at - frame + 4..at - frame + 8] != [0; 4];
        if commits {
            end = at;
        }
    }
    wal.truncate(end);
    wal.extend(2_u32.to_be_bytes());
    wal.extend(0_u32.to_be_bytes());
    wal.extend(&salts);
    wal.extend([0xA5; 8]);
    wal.extend(vec![0x5A; page / 2]);
    fs::write(path, wal).expect("the log of a server that is down");
    true
}
