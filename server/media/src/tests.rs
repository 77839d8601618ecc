//! The department as a whole, on a database (SQLite, or PostgreSQL at `KONTOR_TEST_PG_URL`) and a
//! folder of its own.

use crate::{About, Content, Media, Options, Promise, Received, thumbnail::Wanted};
use futures_util::StreamExt;
use kontor_model::guard::Unguarded;
use kontor_model::{Clock, Code, Guard, Ms, Nid, Random, Requester, Result};
use kontor_store::audit::Actor;
use kontor_store::{Options as StoreOptions, Store};
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, SystemTime};
use tokio::sync::{Mutex, MutexGuard};

const HOUR: Ms = 3_600_000;
const LIMIT: u64 = 1_000_000;
const NOW: Duration = Duration::ZERO;

struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Ms {
        self.0.load(Ordering::Relaxed)
    }
}

struct Dice;

impl Random for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let number = RandomState::new().hash_one(0).to_ne_bytes();
            part.copy_from_slice(&number[..part.len()]);
        }
    }
}

pub(crate) struct House {
    pub media: Media,
    store: Store,
    clock: Arc<Hands>,
    dir: PathBuf,
    /// PostgreSQL's tables are shared: a sweep in one test would see the promises of another.
    _alone: Option<MutexGuard<'static, ()>>,
}

static ALONE: Mutex<()> = Mutex::const_new(());

impl Drop for House {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

pub(crate) async fn house() -> House {
    let name = kontor_model::random::opaque(&Dice, 16);
    let dir = std::env::temp_dir().join(format!("kontor-media-{name}"));
    std::fs::create_dir_all(&dir).unwrap();
    let sqlite = format!("sqlite://{}/kontor.db", dir.display());
    let shared = std::env::var("KONTOR_TEST_PG_URL").ok();
    let alone = if shared.is_some() { Some(ALONE.lock().await) } else { None };
    let url = shared.unwrap_or(sqlite);
    let store = Store::open(&StoreOptions { url, readers: 2 }).await.unwrap();
    // The folder's files have the machine's time.
    #[allow(clippy::disallowed_methods)]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64;
    let clock = Arc::new(Hands(AtomicI64::new(now)));
    let media = open(&store, &clock, &dir, false);
    House { media, store, clock, dir, _alone: alone }
}

fn open(store: &Store, clock: &Arc<Hands>, dir: &std::path::Path, legacy: bool) -> Media {
    let options = Options {
        dir: dir.join("media"),
        server_name: "example.org".try_into().unwrap(),
        upload_limit: LIMIT,
        legacy_unauthenticated: legacy,
    };
    Media::new(store.clone(), clock.clone(), Arc::new(Dice), options).unwrap()
}

pub(crate) fn requester(user: Nid) -> Requester {
    Requester {
        user_id: format!("@u{user}:example.org").try_into().unwrap(),
        user,
        device_id: "D".into(),
        session: user,
        epoch: 0,
        admin: false,
        guest: false,
        suspended: false,
        service: None,
    }
}

fn actor(user: Nid) -> Actor {
    Actor { user: Some(user), session: Some(user), ..Actor::default() }
}

impl House {
    async fn user(&self) -> Nid {
        self.store.nid().await.unwrap()
    }

    fn pass(&self, time: Ms) {
        self.clock.0.fetch_add(time, Ordering::Relaxed);
    }

    async fn receive(&self, bytes: &[u8]) -> Result<Received> {
        let mut incoming = self.media.receive(&requester(1), None)?;
        for piece in bytes.chunks(100_000) {
            incoming.write(piece).await?;
        }
        incoming.finish().await
    }

    /// Uploads; gives the media id.
    pub async fn upload(&self, bytes: &[u8]) -> String {
        self.upload_about(bytes, About::default()).await
    }

    async fn upload_about(&self, bytes: &[u8], about: About) -> String {
        let user = self.user().await;
        let received = self.receive(bytes).await.unwrap();
        let uploaded = self.media.upload(received, about, &requester(user), actor(user)).await.unwrap();
        self.store.submit(uploaded.change).await.unwrap();
        id(&uploaded.uri)
    }

    async fn promise(&self, user: Nid) -> Result<Promise> {
        let mut promise = self.media.promise(&requester(user)).await?;
        self.store.submit(std::mem::take(&mut promise.change)).await?;
        Ok(promise)
    }

    async fn fulfil(&self, media_id: &str, user: Nid, bytes: &[u8]) -> Result<()> {
        let promised = self.media.promised("example.org", media_id, &requester(user)).await?;
        let received = self.receive(bytes).await?;
        let uploaded = self.media.fulfil(&promised, received, About::default(), actor(user)).await?;
        self.store.submit(uploaded.change).await.map(|_| ())
    }

    async fn download(&self, media_id: &str) -> Result<Vec<u8>> {
        let found = self.media.find("example.org", media_id, NOW).await?;
        Ok(read(self.media.open(&found).await?).await)
    }

    pub fn files(&self) -> Vec<String> {
        let media = self.dir.join("media");
        let mut files = Vec::new();
        for shelf in std::fs::read_dir(media).unwrap() {
            let names = std::fs::read_dir(shelf.unwrap().path()).unwrap();
            files.extend(names.map(|name| name.unwrap().file_name().to_string_lossy().into_owned()));
        }
        files
    }

    /// Sweeps all shelves.
    async fn sweep(&self) -> usize {
        let mut contents = 0;
        for _ in 0..256 {
            let swept = self.media.sweep().await.unwrap();
            self.store.submit(swept.change).await.unwrap();
            contents += swept.contents;
        }
        contents
    }
}

fn id(uri: &str) -> String {
    uri.strip_prefix("mxc://example.org/").unwrap().to_owned()
}

pub(crate) async fn read(content: Content) -> Vec<u8> {
    let parts: Vec<_> = content.part(0..content.size, Arc::new(Unguarded)).collect().await;
    parts.into_iter().map(|part| part.unwrap()).collect::<Vec<_>>().concat()
}

fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    Dice.fill(&mut bytes);
    bytes
}

#[tokio::test]
async fn what_was_uploaded_comes_back() {
    let house = house().await;
    for length in [0, 1, 300_000, LIMIT as usize] {
        let bytes = noise(length);
        let id = house.upload(&bytes).await;
        assert_eq!(house.download(&id).await.unwrap(), bytes, "{length}");
    }
}

#[tokio::test]
async fn what_the_client_says_is_kept() {
    let house = house().await;
    let about = About { content_type: Some("image/png".into()), file_name: Some("a/ż\0.png".into()) };
    let id = house.upload_about(b"<html>", about).await;
    let found = house.media.find("example.org", &id, NOW).await.unwrap();
    assert_eq!((found.content_type(), found.file_name()), ("image/png", Some("a_ż.png")));
    assert!(!found.is_inline(), "a page that is said to be a picture");
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused_and_leaves_nothing() {
    let house = house().await;
    let error = house.media.receive(&requester(1), Some(LIMIT + 1)).err().unwrap();
    assert_eq!(error.code, Code::TooLarge);
    let error = house.receive(&noise(LIMIT as usize + 1)).await.err().unwrap();
    assert_eq!(error.code, Code::TooLarge);
    let mut unfinished = house.media.receive(&requester(1), None).unwrap();
    unfinished.write(&noise(400_000)).await.unwrap();
    assert_eq!(house.files().len(), 1);
    drop(unfinished);
    assert_eq!(house.files(), Vec::<String>::new());
}

#[tokio::test]
async fn guests_upload_nothing() {
    let house = house().await;
    let guest = Requester { guest: true, ..requester(1) };
    assert_eq!(house.media.receive(&guest, None).err().unwrap().code, Code::GuestAccessForbidden);
    assert_eq!(house.media.promise(&guest).await.err().unwrap().code, Code::GuestAccessForbidden);
}

#[tokio::test]
async fn hostile_addresses_find_nothing() {
    let house = house().await;
    let id = house.upload(b"x").await;
    for bad in ["", "../../etc/passwd", "..%2f", "a/b", "a\0b", "ż", &"x".repeat(300), "absent"] {
        assert_eq!(house.download(bad).await.err().unwrap().code, Code::NotFound, "{bad:?}");
    }
    for server in ["elsewhere.org", "", "../example.org", "EXAMPLE.org"] {
        assert_eq!(house.media.find(server, &id, NOW).await.err().unwrap().code, Code::NotFound);
    }
}

#[tokio::test]
async fn a_promise_is_kept_once_and_by_its_maker() {
    let house = house().await;
    let (user, other) = (house.user().await, house.user().await);
    let id = id(&house.promise(user).await.unwrap().uri);
    assert_eq!(house.download(&id).await.err().unwrap().code, Code::NotYetUploaded);
    assert_eq!(house.fulfil(&id, other, b"x").await.err().unwrap().code, Code::Forbidden);
    assert_eq!(house.fulfil("never", user, b"x").await.err().unwrap().code, Code::NotFound);
    // Two at the same moment: both were allowed to begin.
    let promised = house.media.promised("example.org", &id, &requester(user)).await.unwrap();
    house.fulfil(&id, user, b"first").await.unwrap();
    let late = house.receive(b"second").await.unwrap();
    let late = house.media.fulfil(&promised, late, About::default(), actor(user)).await.unwrap();
    assert!(house.store.submit(late.change).await.unwrap_err().is_conflict());
    let error = house.fulfil(&id, user, b"third").await.err().unwrap();
    assert_eq!(error.code, Code::CannotOverwriteMedia);
    assert_eq!(house.download(&id).await.unwrap(), b"first");
}

#[tokio::test]
async fn a_promise_lapses_and_promises_are_limited() {
    let house = house().await;
    let user = house.user().await;
    let first = house.promise(user).await.unwrap();
    for _ in 1..100 {
        house.promise(user).await.unwrap();
    }
    assert!(house.promise(user).await.err().unwrap().is_conflict());
    assert!(house.promise(house.user().await).await.is_ok(), "others have their own limit");
    house.fulfil(&id(&first.uri), user, b"x").await.unwrap();
    let last = house.promise(user).await.unwrap();
    house.pass(24 * HOUR);
    assert_eq!(house.fulfil(&id(&last.uri), user, b"x").await.err().unwrap().code, Code::NotFound);
    assert_eq!(house.download(&id(&last.uri)).await.err().unwrap().code, Code::NotFound);
    house.promise(user).await.unwrap();
    house.sweep().await;
    assert_eq!(house.download(&id(&first.uri)).await.unwrap(), b"x");
    assert_eq!(house.media.sweep().await.unwrap().change.positions(), 0);
}

#[tokio::test]
async fn who_waits_for_a_promised_file_is_woken_by_it() {
    let house = house().await;
    let user = house.user().await;
    let id = id(&house.promise(user).await.unwrap().uri);
    let wait = house.media.find("example.org", &id, Duration::from_secs(50));
    let arrive = async {
        tokio::task::yield_now().await;
        house.fulfil(&id, user, b"here").await
    };
    let (found, arrived) =
        tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(wait, arrive) })
            .await
            .expect("woken long before its own time is over");
    arrived.unwrap();
    assert_eq!(read(house.media.open(&found.unwrap()).await.unwrap()).await, b"here");
}

#[tokio::test]
async fn files_are_for_everybody_only_if_they_came_while_that_was_allowed() {
    let house = house().await;
    let legacy = open(&house.store, &house.clock, &house.dir, true);
    let before = house.upload(b"before").await;
    let open_house = House {
        media: legacy,
        store: house.store.clone(),
        clock: house.clock.clone(),
        dir: house.dir.clone(),
        _alone: None,
    };
    let during = open_house.upload(b"during").await;
    let of = async |media: &Media, id: &str| media.find_unauthenticated("example.org", id, NOW).await.is_ok();
    assert!(of(&open_house.media, &during).await);
    assert!(!of(&open_house.media, &before).await);
    assert!(!of(&house.media, &during).await, "switched off again");
}

#[tokio::test]
async fn equal_contents_are_one_file_that_goes_with_the_last() {
    let house = house().await;
    let picture = super::thumbnail::tests::png(400, 300);
    let ids = [house.upload(&picture).await, house.upload(&picture).await];
    let found = house.media.find("example.org", &ids[0], NOW).await.unwrap();
    let wanted = Wanted::new(32, 32, Some("crop"), false).unwrap();
    house.media.thumbnail(&found, wanted).await.unwrap();
    assert_eq!(house.files().len(), 2);
    let nid = async |id: &String| house.media.find("example.org", id, NOW).await.unwrap().nid;

    house.store.submit(house.media.forget([nid(&ids[0]).await])).await.unwrap();
    house.pass(2 * HOUR);
    assert_eq!(house.sweep().await, 0);
    assert_eq!(house.download(&ids[1]).await.unwrap(), picture);

    house.store.submit(house.media.forget([nid(&ids[1]).await])).await.unwrap();
    assert_eq!(house.media.remove_unnamed(&[found.sha256().to_owned()]).await.unwrap(), 1);
    assert_eq!(house.files(), Vec::<String>::new());
}

#[tokio::test]
async fn the_sweep_spares_what_is_new_or_held() {
    let house = house().await;
    let received = house.receive(b"about to be acknowledged").await.unwrap();
    house.pass(2 * HOUR);
    assert_eq!(house.sweep().await, 0, "held");
    house.pass(-2 * HOUR);
    drop(received);
    assert_eq!(house.sweep().await, 0, "new");
    house.pass(2 * HOUR);
    assert_eq!(house.sweep().await, 1);
}

#[tokio::test]
async fn the_sweep_removes_what_gone_processes_left() {
    let house = house().await;
    let tmp = house.dir.join("media/tmp");
    std::fs::write(tmp.join("gone-1"), b"half").unwrap();
    assert_eq!(house.media.sweep().await.unwrap().unfinished, 0);
    house.pass(25 * HOUR);
    let mut own = house.media.receive(&requester(1), None).unwrap();
    own.write(&noise(300_000)).await.unwrap();
    assert_eq!(house.media.sweep().await.unwrap().unfinished, 1);
    own.finish().await.unwrap();
}

#[tokio::test]
async fn a_download_breaks_off_when_the_session_ends() {
    struct Door(AtomicBool);
    impl Guard for Door {
        fn ended(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }
    let house = house().await;
    let id = house.upload(&noise(900_000)).await;
    let found = house.media.find("example.org", &id, NOW).await.unwrap();
    let content = house.media.open(&found).await.unwrap();
    let door = Arc::new(Door(AtomicBool::new(false)));
    let mut stream = Box::pin(content.part(0..content.size, door.clone()));
    assert!(stream.next().await.unwrap().is_ok());
    door.0.store(true, Ordering::Relaxed);
    assert!(stream.next().await.unwrap().is_err());
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn downloads_are_audited_once_in_ten_minutes() {
    let house = house().await;
    let id = house.upload(b"x").await;
    let found = house.media.find("example.org", &id, NOW).await.unwrap();
    let rows = async |actor: Actor| house.media.audit_download(&found, actor).await.unwrap().is_some();
    assert!(rows(actor(1)).await);
    assert!(!rows(actor(1)).await);
    assert!(rows(actor(2)).await);
    let stranger = Actor { ip: Some("192.0.2.1".into()), ..Actor::default() };
    assert!(rows(stranger.clone()).await && !rows(stranger).await);
    house.pass(10 * 60_000);
    assert!(rows(actor(1)).await);
}

#[tokio::test]
async fn a_missing_or_damaged_content_is_an_error_and_no_other_file() {
    let house = house().await;
    let id = house.upload(b"abc").await;
    let found = house.media.find("example.org", &id, NOW).await.unwrap();
    let path = house.dir.join("media").join(&found.sha256()[..2]).join(found.sha256());
    std::fs::write(&path, b"abcd").unwrap();
    assert_eq!(house.media.open(&found).await.err().unwrap().code, Code::Internal);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(house.media.open(&found).await.err().unwrap().code, Code::Internal);
}
