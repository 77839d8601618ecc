//! What the unit tests of this crate share: several processes over one archive.

use crate::caller::Caller;
use crate::{Flows, Settings};
use kontor_identity::Identity;
use kontor_model::{Clock, Ms, Random, Requester};
use kontor_rooms::{Rooms, Signer};
use kontor_store::audit::Actor;
use kontor_store::identity::accounts::NewAccount;
use kontor_store::{Change, Options, Store};
use ruma::signatures::Ed25519KeyPair;
use ruma::{OwnedUserId, ServerName};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The smallest PKCS#8 document of an ed25519 key (RFC 8410) before its 32 bytes of seed.
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

struct Still;

impl Clock for Still {
    fn now(&self) -> Ms {
        1_000
    }
}

/// Numbers that do not repeat; nobody must guess them here.
#[derive(Default)]
struct Scattered(AtomicU64);

impl Random for Scattered {
    fn fill(&self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(32) {
            let block = Sha256::digest(self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes());
            part.copy_from_slice(&block[..part.len()]);
        }
    }
}

/// Several processes over one archive, which goes with them.
pub struct Town {
    pub processes: Vec<Arc<Flows>>,
    pub store: Store,
    folder: PathBuf,
}

impl Drop for Town {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Town {
    pub async fn of(processes: usize) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("kontor-flows-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let url = format!("sqlite://{}", folder.join("kontor.db").display());
        let store = Store::open(&Options { url, readers: 4 }).await.unwrap();
        let random: Arc<dyn Random> = Arc::new(Scattered::default());
        let processes = (0..processes).map(|_| Arc::new(process(&store, &random))).collect();
        Self { processes, store, folder }
    }

    /// Makes an account.
    pub async fn person(&self, localpart: &str) -> Requester {
        let user_id = OwnedUserId::try_from(format!("@{localpart}:x")).unwrap();
        let user = self.store.name(user_id.as_str()).await.unwrap();
        let mut change = Change::default();
        change.create_account(NewAccount {
            user,
            admin: false,
            guest: false,
            user_type: None,
            created_ts: 1,
            password_hash: None,
        });
        self.store.submit(change).await.unwrap();
        let device_id = "DEVICE".into();
        Requester {
            user_id,
            user,
            device_id,
            session: 1,
            epoch: 0,
            admin: false,
            guest: false,
            suspended: false,
            service: None,
        }
    }
}

/// Where no application service is.
struct Nobody;

impl crate::appservice::Link for Nobody {
    fn call<'a>(
        &'a self,
        _: crate::appservice::link::Call<'a>,
    ) -> futures_util::future::BoxFuture<'a, crate::appservice::link::Reply> {
        Box::pin(async { crate::appservice::link::Reply::Unreachable("nobody is there".to_owned()) })
    }
}

/// The caller of a procedure.
pub fn by(requester: &Requester) -> Caller<'_> {
    let actor = Actor { user: Some(requester.user), ..Actor::default() };
    Caller { requester, actor, now: 1_000 }
}

fn process(store: &Store, random: &Arc<dyn Random>) -> Flows {
    let server_name = ServerName::parse("x").unwrap();
    let clock: Arc<dyn Clock> = Arc::new(Still);
    let document = [PKCS8_HEAD.as_slice(), &[7; 32]].concat();
    let key = Ed25519KeyPair::from_der(&document, "1".to_owned()).unwrap();
    let signer = Signer { server_name: server_name.clone(), key };
    let options = kontor_identity::Options::new(server_name.clone());
    Flows {
        rooms: Arc::new(Rooms::new(store.clone(), clock.clone(), &**random, signer)),
        identity: Arc::new(Identity::new(store.clone(), clock.clone(), random.clone(), options)),
        contacts: Arc::new(kontor_contacts::Contacts::new(store.clone(), clock.clone(), random.clone())),
        store: store.clone(),
        clock,
        random: random.clone(),
        settings: Settings {
            server_name,
            public_base_url: "http://x".into(),
            default_room_version: "12".into(),
            alias_needs_membership: true,
            only_admins_publish: false,
            directory_shows_everybody: true,
            forget_on_leave: false,
            card_widget: false,
        },
        judge: Arc::new(crate::notify::UsualRules),
        services: crate::appservice::Ways::new(Arc::new(Nobody)),
        sliding: crate::sliding::Memory::default(),
        mail: crate::mail::Mail::default(),
        people: crate::user_directory::People::default(),
        memos: crate::sync::memo::Memos::default(),
        inboxes: crate::encryption::Inboxes::default(),
        swept: crate::notifications::Sweep::default(),
        delayed: crate::delayed::Delayed::new(3, 86_400_000),
        repeats: crate::post::Repeats::default(),
        moments: crate::create_room::Moments::default(),
        stop: tokio::sync::watch::channel(false).0,
    }
}
