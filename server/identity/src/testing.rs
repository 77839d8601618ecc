//! What the unit tests of this crate share: a clock that is moved, randomness, a store in a folder.

use crate::{Identity, Options};
use kontor_model::{Clock, Ms, Random, Requester};
use kontor_store::identity::accounts::NewAccount;
use kontor_store::{Change, Store};
use ruma::{ServerName, UserId};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A clock that stands until it is moved.
pub struct Moved(pub AtomicI64);

impl Clock for Moved {
    fn now(&self) -> Ms {
        self.0.load(Ordering::SeqCst)
    }
}

/// Randomness that always gives the same.
pub struct Fixed;

impl Random for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// Numbers that do not repeat; nobody must guess them here.
pub struct Scattered(AtomicU64);

impl Random for Scattered {
    fn fill(&self, bytes: &mut [u8]) {
        use sha2::{Digest, Sha256};
        for part in bytes.chunks_mut(32) {
            let block = Sha256::digest(self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes());
            part.copy_from_slice(&block[..part.len()]);
        }
    }
}

/// A department over a store of its own, which goes with it.
pub struct House {
    pub identity: Identity,
    pub store: Store,
    pub clock: Arc<Moved>,
    /// Where the archive is, for a second process on it.
    pub url: String,
    folder: PathBuf,
}

/// On PostgreSQL, a database of its own on the server that `KONTOR_TEST_PG_URL` names.
fn database(name: &str) -> Option<String> {
    let server = std::env::var("KONTOR_TEST_PG_URL").ok()?;
    let sql = format!("CREATE DATABASE {}", name.replace('-', "_"));
    assert!(psql(&server, &sql), "psql could not make a database");
    let (base, _) = server.rsplit_once('/').unwrap();
    Some(format!("{base}/{}", name.replace('-', "_")))
}

fn psql(server: &str, sql: &str) -> bool {
    let command = std::process::Command::new("psql").args(["-qX", "-c", sql, server]).status();
    command.is_ok_and(|status| status.success())
}

impl House {
    pub async fn new(change: impl FnOnce(&mut Options)) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("kontor-identity-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let folder = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        let sqlite = || format!("sqlite://{}", folder.join("kontor.db").display());
        let url = database(&name).unwrap_or_else(sqlite);
        let store = Store::open(&kontor_store::Options { url: url.clone(), readers: 4 }).await.unwrap();
        let mut options = Options::new(ServerName::parse("localhost").unwrap());
        options.test_only_cheap_hashing = true;
        change(&mut options);
        let clock = Arc::new(Moved(AtomicI64::new(1_000_000_000)));
        let random = Arc::new(Scattered(AtomicU64::new(0)));
        let identity = Identity::new(store.clone(), clock.clone(), random, options);
        Self { identity, store, clock, url, folder }
    }

    /// An account, as a caller.
    pub async fn somebody(&self, user_id: &str) -> Requester {
        let user = self.store.name(user_id).await.unwrap();
        let mut change = Change::default();
        change.create_account(NewAccount {
            user,
            admin: false,
            guest: false,
            user_type: None,
            created_ts: 0,
            password_hash: None,
        });
        self.store.submit(change).await.unwrap();
        Requester {
            user_id: UserId::parse(user_id).unwrap(),
            user,
            device_id: "DEVICE".into(),
            session: 1,
            epoch: 0,
            admin: false,
            guest: false,
            suspended: false,
            service: None,
        }
    }

    /// Lets time pass.
    pub fn pass(&self, ms: Ms) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
        if let (Ok(server), Some((_, name))) =
            (std::env::var("KONTOR_TEST_PG_URL"), self.url.rsplit_once('/'))
        {
            psql(&server, &format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}
