//! Commands in a company with many customers.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::{Client, Db, Server, full_tier, on_each_database};
use serde_json::json;

use super::support::{Channel, word};
use crate::client::facts::shop::{Shop, now, order};
use crate::client::support::{list, text};

on_each_database!(commands_are_answered_quickly_among_many_customers, contacts_are_found_quickly_among_many,);

const LIST: &str = "/_kontor/contacts/v1/conversations";
/// Longest wait for an answer, which is there when the command is (the limit; five times that where the
/// machine does other things besides).
const LIMIT: Duration = Duration::from_millis(500);
/// How often each command is given.
const ROUNDS: usize = 20;

/// Customers like the first one, with everything that belongs to them; the same words on both databases.
fn customers(count: usize) -> String {
    let source = format!(
        "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {count}) INSERT INTO"
    );
    let first = "(SELECT * FROM contact ORDER BY contact_id LIMIT 1)";
    let address = "(SELECT * FROM contact_identity ORDER BY identity_nid LIMIT 1)";
    let talk = "(SELECT * FROM conversation ORDER BY conversation_id LIMIT 1)";
    // Ids that sort before those that are made from now on.
    let id = "'00' || substr(CAST(1000000000 + i AS TEXT) || 'AAAAAAAAAAAAAAAAAAAAAAAA', 1, 24)";
    [
        format!(
            "{source} contact (contact_id, kind, stage, team, visibility, version, created_ts, updated_ts) \
             SELECT {id}, c.kind, c.stage, c.team, c.visibility, 1, c.created_ts, c.updated_ts FROM s, {first} c"
        ),
        format!(
            "{source} contact_field (contact_id, field, source, value, trust, ts) \
             SELECT {id}, 'display_name', 'network', 'Customer ' || CAST(i AS TEXT), 1, 1 FROM s"
        ),
        format!(
            "{source} claim (contact_id, kind, key, value, trust, source, since_ts) SELECT {id}, 'email', \
             CAST(i AS TEXT) || '@example.com', CAST(i AS TEXT) || '@example.com', 0, 'form', 1 FROM s"
        ),
        format!(
            "{source} contact_identity (identity_nid, contact_id, channel_id, account, id_type, external_id, state, \
             ghost_nid, first_seen_ts, last_seen_ts) SELECT -i, {id}, a.channel_id, '', 'visitor', 'n' || CAST(i AS TEXT), \
             'live', a.ghost_nid, 1, 1 FROM s, {address} a"
        ),
        format!(
            "{source} conversation (conversation_id, identity_nid, channel_id, lane, room_nid, backstage_nid, status, \
             unassigned_ts, exclusive, waits_ts, opened_ts, version) SELECT {id}, -i, v.channel_id, '', -2 * i, -2 * i - 1, \
             'open', 1, 0, 1, 1, 1 FROM s, {talk} v"
        ),
        "INSERT INTO fact_source (source_id, kind, shown_name, secret, quiet_ms, created_ts) \
         VALUES ('many', 'kontor', 'Sklep', 'none', 86400000, 1)"
            .to_owned(),
        format!(
            "{source} fact_case (case_nid, source_id, case_key, contact_id, rule, customer, as_of) \
             SELECT -i, 'many', CAST(i AS TEXT), {id}, 'key', '{{}}', 1 FROM s"
        ),
        facts(&source, "order", 1),
        facts(&source, "payment", 2),
        // Purchases that are nobody's, and payments that nobody was told of.
        format!(
            "{source} fact_case (case_nid, source_id, case_key, rule, customer, as_of) \
             SELECT -1000000 - i, 'many', 'x' || CAST(i AS TEXT), '', '{{}}', 1 FROM s WHERE i <= 10000"
        ),
        format!(
            "{source} fact_key (kind, key, case_nid) SELECT 'email', 'x' || CAST(i AS TEXT) || '@example.com', \
             -1000000 - i FROM s WHERE i <= 10000"
        ),
        // Whoever answers there was there before them.
        "UPDATE channel_member SET entered = NULL".to_owned(),
    ]
    .join(";\n")
}

/// Orders and payments of [`customers`].
fn facts(source: &str, kind: &str, n: usize) -> String {
    format!(
        "{source} fact (fact_nid, source_id, kind, external_id, case_nid, number, status, amount, refunded, currency, \
         happened_ts, as_of, step, received_ts, detail, untold) SELECT -{n} * 1000000 - i, 'many', '{kind}', \
         CAST(i AS TEXT), -i, CAST(i AS TEXT), 'paid', 12900, 0, 'PLN', i, i, 4, 1, '{{}}', 0 FROM s"
    )
}

/// Does something to the database of a server that is not running.
pub(crate) fn change(server: &Server, db: Db, sql: &str) {
    if db == Db::Postgres {
        let cluster = Server::shared_cluster();
        cluster.sql(server.database_name(), sql);
        cluster.sql(server.database_name(), "ANALYZE");
        return;
    }
    let file = server.database_url().trim_start_matches("sqlite://").to_owned();
    let script =
        "import sqlite3, sys\nd = sqlite3.connect(sys.argv[1])\nd.executescript(sys.argv[2])\nd.commit()";
    let done = Command::new("python3").args(["-c", script, &file, sql]).output().expect("python");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Time that a process has spent computing.
fn computing(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// Thirty purchases of a customer.
async fn buys(channel: &Channel, anna: &Client, contact: &str) {
    let shop = Shop::open(&channel.admin, "kontor", json!({})).await;
    for n in 0..30 {
        let mut order = order(&n.to_string(), "paid", now(), "someone@example.com");
        order["customer"] = json!({ "external_id": "1" });
        shop.order(&order).await;
    }
    let link = json!({ "source": shop.id, "order_key": "0", "customer": true });
    anna.post(&format!("/_kontor/contacts/v1/contacts/{contact}/facts"), &link).await.ok();
}

#[allow(clippy::print_stdout)] // Figures for docs/PERFORMANCE.md.
async fn commands_are_answered_quickly_among_many_customers(db: Db) {
    let mut process = Server::start(db);
    let server = process.homeserver();
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let first = channel.talk(&word()).await;
    process.terminate();
    let count = if full_tier() { 100_000 } else { 5_000 };
    change(&process, db, &customers(count));
    process.start_again();
    // A customer with a long story.
    let talk = channel.talk(&word()).await;
    for n in 0..30 {
        anna.text(&talk.backstage, &format!("!note number {n}")).await;
        anna.text(&talk.backstage, &format!("!task number {n}")).await;
        channel.say(&talk, &format!("I still wait for chair number {n}")).await;
    }
    buys(&channel, &anna, &talk.contact).await;
    let mxc = anna.upload("text/plain", "a.txt", b"a".to_vec()).await;
    anna.send(&talk.room, "m.room.message", &json!({ "msgtype": "m.file", "body": "a.txt", "url": mxc }))
        .await;
    let limit = if full_tier() { LIMIT } else { LIMIT * 5 };
    let pid = process.pid().expect("it runs");
    for command in [
        "a word",
        "!karta",
        "!moje",
        "!przypisz mnie",
        "!status open",
        "!notatka x",
        "!zadanie",
        "!pliki",
        "!szukaj chair",
        "!zamowienie",
        "!zamowienie 7",
        "!przez",
        "!popros",
        "!pomoc",
    ] {
        let before = computing(pid);
        let mut waits = Vec::new();
        for _ in 0..ROUNDS {
            let asked = Instant::now();
            anna.text(&talk.backstage, command).await;
            waits.push(asked.elapsed());
        }
        waits.sort_unstable();
        let computed = (computing(pid) - before) / ROUNDS as u32;
        let (usual, longest) = (waits[ROUNDS / 2], waits[ROUNDS - 1]);
        println!(
            "{db:?}, {count} customers, {command}: p50 {usual:?}, longest {longest:?}, {computed:?} of CPU each"
        );
        assert!(longest < limit, "{command} took {longest:?}");
    }
    let answers = anna.whole_timeline(&talk.backstage).await;
    let told = |part: &str| {
        answers
            .iter()
            .filter(|event| event["content"]["body"].as_str().is_some_and(|body| body.contains(part)))
            .count()
    };
    assert!(told("Opiekun") + told("Prowadzi:") >= ROUNDS && told("a.txt") >= ROUNDS, "they were answered");
    assert_eq!(pages(&anna, pid, limit).await, [first.id, talk.id]);
    if full_tier() {
        the_sweep_does_not_look_at_all_of_them(pid).await;
    }
}

/// What the lists of conversations cost, and all that one of them tells.
#[allow(clippy::print_stdout)] // Figures for docs/PERFORMANCE.md.
async fn pages(anna: &Client, pid: u32, limit: Duration) -> Vec<String> {
    for query in ["limit=500", "status=closed", "unassigned=true", "waiting=true", "status=open&limit=500"] {
        let (asked, before) = (Instant::now(), computing(pid));
        anna.get(&format!("{LIST}?{query}")).await.ok();
        println!("a page of {query}: {:?}, {:?} of CPU", asked.elapsed(), computing(pid) - before);
        assert!(asked.elapsed() < limit, "{query} took {:?}", asked.elapsed());
    }
    // Nothing is lost on the way, though most pages are empty: rooms that are none are not told.
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let page = anna.get(&format!("{LIST}?limit=500&from={next}")).await.ok();
        found.extend(list(&page["conversations"]).iter().map(|one| text(&one["conversation_id"])));
        let Some(from) = page["next"].as_str() else { break };
        next = from.to_owned();
    }
    found
}

/// Two rounds of a quiet house.
#[allow(clippy::print_stdout)] // Figures for docs/PERFORMANCE.md.
async fn the_sweep_does_not_look_at_all_of_them(pid: u32) {
    let before = computing(pid);
    // The time is what is measured, and the rounds begin by themselves.
    tokio::time::sleep(Duration::from_secs(31)).await;
    let computed = computing(pid) - before;
    println!("two rounds of the sweep with whatever else a quiet server does: {computed:?} of CPU");
    assert!(computed < Duration::from_millis(600), "{computed:?}");
}

/// Longest wait for what is looked up while somebody types (the limit); where the machine does other
/// things besides, only what it costs is held against it.
const LOOKED_UP: Duration = Duration::from_millis(50);

/// Names and numbers of [`customers`].
fn names(count: usize) -> String {
    let letter =
        |part: &str| format!("substr('abcdefghijklmnopqrstuvwxyz', 1 + CAST({part} AS INTEGER) % 26, 1)");
    let source = format!(
        "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {count}) INSERT INTO"
    );
    let id = "'00' || substr(CAST(1000000000 + i AS TEXT) || 'AAAAAAAAAAAAAAAAAAAAAAAA', 1, 24)";
    let surname = format!("'koval' || {} || {} || {}", letter("i"), letter("i / 26"), letter("i / 676"));
    [
        format!("{source} contact_token (token, contact_id) SELECT {surname}, {id} FROM s"),
        format!(
            "{source} contact_token (token, contact_id) SELECT 'ian' || {}, {id} FROM s",
            letter("i / 7")
        ),
        format!(
            "{source} claim (contact_id, kind, key, value, trust, source, since_ts) SELECT {id}, 'phone', \
             '+48' || CAST(500000000 + i AS TEXT), CAST(500000000 + i AS TEXT), 2, 'network', 1 FROM s"
        ),
    ]
    .join(";\n")
}

#[allow(clippy::print_stdout)] // Figures for docs/CONTACTS.md.
async fn contacts_are_found_quickly_among_many(db: Db) {
    let mut process = Server::start(db);
    let server = process.homeserver();
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    channel.talk(&word()).await;
    let piotr = server.register("piotr").await;
    process.terminate();
    let count = if full_tier() { 100_000 } else { 5_000 };
    change(&process, db, &format!("{};\n{}", customers(count), names(count)));
    process.start_again();
    let pid = process.pid().expect("it runs");
    for (who, by) in [("a member", &anna), ("a stranger", &piotr)] {
        for typed in
            ["ko", "koval", "kovala jan", "kovalzz jan", "48500", "+485000001", "500000001", "1@exa", "zz"]
        {
            let (before, mut waits) = (computing(pid), Vec::new());
            for _ in 0..100 {
                let asked = Instant::now();
                let found =
                    by.get(&format!("/_kontor/contacts/v1/lookup?q={}", harness::enc(typed))).await.ok();
                waits.push(asked.elapsed());
                assert!(who == "a member" || found["candidates"] == json!([]), "{typed}: {found}");
            }
            waits.sort_unstable();
            let (computed, usual, longest) = ((computing(pid) - before) / 100, waits[50], waits[98]);
            println!(
                "{db:?}, {count} contacts, {who} types {typed}: p50 {usual:?}, p99 {longest:?}, {computed:?} of CPU each"
            );
            assert!(computed < LOOKED_UP, "{typed} took {computed:?} of CPU");
            assert!(longest < LOOKED_UP || !full_tier(), "{typed} took {longest:?}");
        }
    }
    // What arrives is decided in a moment, whatever is known.
    let admin = server.register_admin("admin").await;
    let arrivals: Vec<_> = (0..500)
        .map(|n| {
            json!({
                "arrival_id": format!("a{n}"), "channel": "whatsapp", "id_type": "phone",
                "external_id": format!("48{}", 500_000_000 + n * 7), "display_name": format!("Jan Kowal {n}"),
            })
        })
        .collect();
    let (before, asked) = (computing(pid), Instant::now());
    let told = admin.post("/_kontor/contacts/v1/arrivals", &json!({ "arrivals": arrivals })).await.ok();
    assert_eq!(told["arrivals"].as_array().map(Vec::len), Some(500));
    println!(
        "{db:?}, {count} contacts: an arrival takes {:?} of CPU, {:?} in all",
        (computing(pid) - before) / 500,
        asked.elapsed() / 500
    );
    channel.close().await;
}
