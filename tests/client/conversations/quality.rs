//! The report on the quality of what is known of contacts: what it counts, who looks at it, how long it takes.

use std::process::Command;
use std::time::{Duration, Instant};

use harness::{Client, Db, Server, full_tier, on_each_database, program};
use serde_json::{Value, json};

use super::size::change;
use crate::client::support::{list, text};

on_each_database!(
    a_report_counts_what_is_wrong_and_is_signed_off_once,
    a_report_of_many_contacts_is_made_quickly,
);

const CONTACTS: &str = "/_kontor/contacts/v1/contacts";
const REPORTS: &str = "/_kontor/contacts/v1/quality/reports";
/// Longest time for a report of 100,000 contacts; five times that where the machine does other things besides.
const LIMIT: Duration = Duration::from_secs(60);

async fn contact(by: &Client, wish: Value) -> String {
    let made = by.post(CONTACTS, &wish).await;
    assert_eq!(made.status, 201, "{made}");
    text(&made.json["contact_id"])
}

async fn a_report_counts_what_is_wrong_and_is_signed_off_once(db: Db) {
    let process = Server::start(db);
    let server = process.homeserver();
    let (admin, anna, piotr) =
        (server.register_admin("admin").await, server.register("anna").await, server.register("piotr").await);
    let of = |name: &str, phone: &str, reason: Option<&str>| json!({ "display_name": name, "phones": [phone], "override_reason": reason });
    let one = contact(&anna, of("Jan Kowalski", "+48512342152", None)).await;
    let two = contact(&anna, of("Piotr Nowak", "+48512342152", Some("his brother"))).await;
    // A line of many is no reason to think so.
    contact(&anna, of("Ewa Lis", "+48226021234", None)).await;
    contact(&anna, of("Adam Sowa", "+48226021234", Some("a switchboard"))).await;
    let nobody = contact(&anna, json!({ "display_name": "Zenon Bez" })).await;
    let rest = contact(&anna, of("Iga Mak", "+48601234567", None)).await;
    admin.post(&format!("{CONTACTS}/{nobody}/merge"), &json!({ "from": [rest] })).await.ok();
    admin.post("/_kontor/contacts/v1/merges/undo", &json!({ "contact_id": rest })).await.ok();
    // As an older import left it.
    change_sql(&process, db, &format!("UPDATE claim SET key = '+4899' WHERE contact_id = '{rest}'"));
    let made = admin.post(REPORTS, &json!({})).await;
    assert_eq!(made.status, 201, "{made}");
    let (id, figures) = (text(&made.json["report_id"]), &made.json["figures"]);
    assert_eq!(figures["contacts"], 6, "{figures}");
    let mut pair = [one, two];
    pair.sort();
    assert_eq!(figures["duplicates"]["pairs"], json!([pair]), "{figures}");
    assert_eq!(
        (&figures["duplicates"]["by_key"], &figures["duplicates"]["shared_keys"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(figures["missing"]["key"], json!({ "count": 1, "contacts": [nobody] }), "{figures}");
    assert_eq!(figures["missing"]["consent"]["count"], 6);
    assert_eq!(figures["missing"]["owner"]["count"], 0);
    let impossible = &figures["impossible_numbers"];
    assert_eq!((&impossible["count"], &impossible["contacts"]), (&json!(1), &json!([rest])), "{figures}");
    assert_eq!(figures["overrides"], json!([{ "user_id": anna.user_id(), "count": 2 }]));
    assert_eq!(figures["undone_merges"][0]["count"], 1, "{figures}");
    for secret in ["Kowalski", "512342152"] {
        assert!(!figures.to_string().contains(secret), "ids and counts only");
    }
    // Given to somebody, who signs it off; once, and everything is kept.
    let path = format!("{REPORTS}/{id}");
    anna.get(&path).await.err(404, "M_NOT_FOUND");
    anna.post(REPORTS, &json!({})).await.err(403, "M_FORBIDDEN");
    let ctl = |arguments: &[&str]| {
        let run = Command::new(program("kontorctl"))
            .args(["--url", server.base_url(), "--lang", "pl", "contacts", "quality"])
            .args(arguments)
            .env("KONTORCTL_TOKEN", admin.token())
            .output()
            .expect("it runs");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8_lossy(&run.stdout).into_owned()
    };
    let said = ctl(&["assign", &id, anna.localpart()]);
    assert!(said.contains("Kontakty: 6") && said.contains(anna.user_id()), "{said}");
    assert_eq!(anna.get(&path).await.ok()["assignee"], anna.user_id());
    piotr.post(&format!("{path}/sign-off"), &json!({})).await.err(404, "M_NOT_FOUND");
    let signed = anna.post(&format!("{path}/sign-off"), &json!({ "note": "two brothers" })).await.ok();
    assert_eq!((&signed["signed_by"], &signed["note"]), (&json!(anna.user_id()), &json!("two brothers")));
    anna.post(&format!("{path}/sign-off"), &json!({})).await.err(409, "M_UNKNOWN");
    admin.post(&format!("{path}/assign"), &json!({})).await.err(409, "M_UNKNOWN");
    ctl(&["make"]);
    assert_eq!(list(&admin.get(REPORTS).await.ok()["reports"]).len(), 2);
    assert!(ctl(&["show"]).contains(&id) && ctl(&["show", &id]).contains("two brothers"));
}

fn change_sql(process: &Server, db: Db, sql: &str) {
    change(process, db, sql);
}

#[allow(clippy::print_stdout)] // Figures for docs/CONTACTS.md.
async fn a_report_of_many_contacts_is_made_quickly(db: Db) {
    let count = if full_tier() { 100_000 } else { 3_000 };
    let mut process = Server::start(db);
    process.homeserver().register_admin("before").await;
    process.terminate();
    let source = format!(
        "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {count}) INSERT INTO"
    );
    let id = "'00' || substr(CAST(1000000000 + i AS TEXT) || 'AAAAAAAAAAAAAAAAAAAAAAAA', 1, 24)";
    // One in fifty shares a mobile number with the one before it, one in a hundred has one that does not exist.
    let sql = [
        format!(
            "{source} contact (contact_id, kind, stage, visibility, version, created_ts, updated_ts) \
             SELECT {id}, 'person', 'lead', 'all', 1, 1, 1 FROM s"
        ),
        format!(
            "{source} claim (contact_id, kind, key, value, trust, source, since_ts) SELECT {id}, 'phone', CASE \
             WHEN i % 100 = 1 THEN '+4899' || CAST(i AS TEXT) WHEN i % 50 = 0 THEN '+48' || CAST(600000000 + i - 1 AS TEXT) \
             ELSE '+48' || CAST(600000000 + i AS TEXT) END, 'x', 0, 'import', 1 FROM s"
        ),
        format!(
            "{source} claim (contact_id, kind, key, value, trust, source, since_ts) SELECT {id}, 'email', \
             'jan' || CAST(i AS TEXT) || '@example.com', 'x', 0, 'import', 1 FROM s"
        ),
    ]
    .join(";\n");
    change(&process, db, &sql);
    process.start_again();
    let admin = process.homeserver().register_admin("admin").await;
    let begun = Instant::now();
    let made = admin.post(REPORTS, &json!({})).await;
    let took = begun.elapsed();
    let figures = &made.json["figures"];
    println!("{db:?}, {count} contacts: a report in {took:?}");
    assert_eq!(figures["contacts"], count, "{made}");
    assert_eq!(figures["duplicates"]["by_key"], count / 50, "{figures}");
    assert_eq!(figures["impossible_numbers"]["count"], count / 100, "{figures}");
    assert_eq!(figures["missing"]["owner"]["count"], count);
    assert!(took < LIMIT, "{took:?}");
}
