//! What one arrival costs among many contacts: CPU of the whole process, on SQLite, for arrivals of several
//! kinds. `cargo run --release -p kontor-bench --example arrival_cost [CONTACTS]` prints a table and fails
//! when the resolver takes more than it may: 100 µs usually, 2 ms in 99 of 100 cases.
//!
//! Arrivals are decided one after another, and then others each after the one before was written: waiting for
//! the disk leaves the processor's caches and SQLite's pages cold, which is told apart from deciding.

use kontor_contacts::Contacts;
use kontor_contacts::arrival::Came;
use kontor_model::{Clock, Ms, Random};
use kontor_store::{Change, Options, Store};
use rustix::time::{ClockId, clock_gettime};
use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Arrivals of each kind.
const EACH: u64 = 2_000;
/// Arrivals that are written at once while the archive is filled.
const BATCH: u64 = 500;
/// What the resolver may take usually, and in 99 of 100 cases.
const USUAL: Duration = Duration::from_micros(100);
const LONGEST: Duration = Duration::from_millis(2);

/// As in the server.
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Failed = Box<dyn std::error::Error>;

/// A clock that every look at moves on by a second: arrivals are not all of one moment.
struct Now(AtomicI64);

impl Clock for Now {
    fn now(&self) -> Ms {
        self.0.fetch_add(1_000, Ordering::Relaxed)
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(AtomicU64);

impl Dice {
    fn next(&self) -> u64 {
        let mut word = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    fn below(&self, end: u64) -> u64 {
        self.next() % end
    }
}

impl Random for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.iter_mut().zip(word).for_each(|(byte, random)| *byte = random);
        }
    }
}

/// A word of some syllables: there are about a hundred thousand of four, so that surnames are mostly rare.
fn word(mut seed: u64, syllables: usize) -> String {
    const SYLLABLES: [&str; 18] = [
        "ko", "wal", "ski", "no", "wak", "ma", "ria", "jan", "ew", "cza", "pie", "tro", "len", "ola", "kra",
        "zy", "dor", "mik",
    ];
    (0..syllables)
        .map(|_| {
            let one = SYLLABLES.get((seed % 18) as usize).copied().unwrap_or_default();
            seed /= 18;
            one
        })
        .collect()
}

fn name(n: u64) -> String {
    format!("{} {}", word(n % 300, 2), word(n.wrapping_mul(2_654_435_761) % 104_976, 4))
}

fn number(n: u64) -> String {
    format!("48{}", 500_000_000 + n)
}

fn came(id: u64, channel: &str, id_type: &str, external_id: String, shown: Option<String>) -> Came {
    let json = serde_json::json!({
        "arrival_id": format!("a{id}"), "channel": channel, "id_type": id_type, "external_id": external_id,
        "display_name": shown,
    });
    serde_json::from_value(json).unwrap_or_else(|error| unreachable!("{error}"))
}

fn cpu() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap_or_default())
}

/// Everybody has a number, every second an address of mail too, and every fifth writes from elsewhere under a
/// nickname.
async fn fill(contacts: &Contacts, store: &Store, count: u64) -> Result<(), Failed> {
    for from in (0..count).step_by(BATCH as usize) {
        let mut change = Change::default();
        for n in from..(from + BATCH).min(count) {
            let mut one = came(n, "whatsapp", "phone", number(n), Some(name(n)));
            if n % 2 == 0 {
                let mail = format!("{}.{n}@mail.example", word(n, 3));
                one.emails = serde_json::from_value(serde_json::json!([{ "value": mail, "proven": false }]))?;
            }
            let mut told = vec![one];
            if n % 5 == 0 {
                told.push(came(count + n, "telegram", "user", format!("{n}"), Some(word(n, 3))));
            }
            for one in &told {
                let (id, read, ts) = contacts.read_arrival(one)?;
                change.join(contacts.plan_arrival(&id, &read, ts, "fill").await?.0);
            }
        }
        store.submit_bulk(change).await?;
    }
    Ok(())
}

/// One arrival of a kind.
type Kind = (&'static str, fn(u64, u64, &Dice) -> Came);

const KINDS: [Kind; 5] = [
    ("known address", |id, count, dice| {
        let n = dice.below(count);
        came(id, "whatsapp", "phone", number(n), Some(name(n)))
    }),
    ("known number, new channel", |id, count, dice| {
        let n = dice.below(count);
        came(id, "sms", "phone", number(n), Some(name(n)))
    }),
    ("known number, another name", |id, count, dice| {
        came(id, "viber", "phone", number(dice.below(count)), Some(name(dice.below(count))))
    }),
    ("new person", |id, count, _| came(id, "whatsapp", "phone", number(count + id), Some(name(id)))),
    ("nickname", |id, count, dice| {
        came(id, "telegram", "user", format!("new{id}"), Some(word(dice.below(count), 2)))
    }),
];

fn percentiles(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    (at(50), at(99))
}

/// CPU that deciding took, and writing.
struct Spent {
    decided: Vec<Duration>,
    written: Vec<Duration>,
}

/// Decides [`EACH`] arrivals of a kind, numbered from `first`; writes each if it shall.
async fn decide(
    (contacts, store): (&Contacts, &Store),
    make: impl Fn(u64) -> Came,
    first: u64,
    write: bool,
) -> Result<Spent, Failed> {
    let mut spent = Spent { decided: Vec::new(), written: Vec::new() };
    for id in first..first + EACH {
        let came = make(id);
        let before = cpu();
        let (id, read, ts) = contacts.read_arrival(&came)?;
        let (change, _) = contacts.plan_arrival(&id, &read, ts, "measured").await?;
        spent.decided.push(cpu() - before);
        if write {
            let before = cpu();
            store.submit(change).await?;
            spent.written.push(cpu() - before);
        }
    }
    Ok(spent)
}

fn line(label: &str, columns: &mut [&mut Vec<Duration>]) -> std::io::Result<()> {
    let mut out = stdout().lock();
    write!(out, "{label:<28}")?;
    for times in columns {
        let (p50, p99) = percentiles(times);
        write!(out, " {:>9} {:>9}", format!("{p50:.0?}"), format!("{p99:.0?}"))?;
    }
    writeln!(out)
}

async fn measure(count: u64) -> Result<bool, Failed> {
    let folder = std::env::temp_dir().join(format!("kontor-arrivals-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let url = format!("sqlite:{}", folder.join("kontor.db").display());
    let store = Store::open(&Options { url, readers: 2 }).await?;
    let dice = Arc::new(Dice(AtomicU64::new(7)));
    let contacts = Contacts::new(
        store.clone(),
        Arc::new(Now(AtomicI64::new(1_700_000_000_000))),
        Arc::clone(&dice) as Arc<dyn Random>,
    );
    let begun = Instant::now();
    fill(&contacts, &store, count).await?;
    writeln!(stdout(), "{count} contacts written in {:.0?}", begun.elapsed())?;
    writeln!(
        stdout(),
        "{:<28} {:>19} {:>19} {:>19}",
        "CPU, p50 and p99",
        "decided",
        "after a write",
        "written"
    )?;
    let (mut alone, mut after, mut id) = (Vec::new(), Vec::new(), count * 3);
    for (kind, make) in KINDS {
        let make = |id| make(id, count, &dice);
        let mut first = decide((&contacts, &store), make, id, false).await?;
        let mut second = decide((&contacts, &store), make, id + EACH, true).await?;
        id += 2 * EACH;
        line(kind, &mut [&mut first.decided, &mut second.decided, &mut second.written])?;
        alone.append(&mut first.decided);
        after.append(&mut second.decided);
    }
    line("all", &mut [&mut alone, &mut after])?;
    let (p50, p99) = percentiles(&mut alone);
    store.close().await;
    std::fs::remove_dir_all(&folder)?;
    Ok(p50 <= USUAL && p99 <= LONGEST && percentiles(&mut after).1 <= LONGEST)
}

fn main() -> Result<ExitCode, Failed> {
    let count = std::env::args().nth(1).map_or(Ok(100_000), |count| count.parse())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(if runtime.block_on(measure(count))? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
