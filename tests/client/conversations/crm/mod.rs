//! What every connector to a CRM keeps to, whatever is spoken there: run against stubs of the generic dialect and of
//! EspoCRM's. No CRM of anybody's was run.

mod comparing;
mod stub;
mod timeline;

use harness::{Client, Db, Server, eventually, on_each_database};
use serde_json::{Value, json};

use super::resolution::number;
use super::support::rare;
use crate::client::support::{list, text};
use stub::Stub;

on_each_database!(
    what_is_made_here_is_there_once_though_the_answer_was_lost,
    what_changes_on_one_side_is_on_the_other_and_does_not_come_back,
    of_what_both_changed_both_values_are_kept_until_a_person_decides,
    merges_of_one_side_are_no_merges_of_the_other,
    many_changes_of_one_second_are_all_read,
    who_is_there_already_is_not_made_again,
    what_goes_wrong_is_told_and_what_goes_in_a_circle_is_stopped,
);

const CONTACTS: &str = "/_kontor/contacts/v1/contacts";
const CONNECTORS: &str = "/_kontor/admin/v1/connectors";
const KINDS: [&str; 2] = ["http", "espocrm"];

/// A server with a connector to a stub.
struct Step {
    _process: Server,
    admin: Client,
    stub: Stub,
}

impl Step {
    async fn with(db: Db, kind: &'static str, master: &str) -> Self {
        Self::start(db, kind, |stub| stub.connection(master)).await
    }

    async fn start(db: Db, kind: &'static str, wish: impl FnOnce(&Stub) -> Value) -> Self {
        let process = Server::start(db);
        let admin = process.homeserver().register_admin("admin").await;
        let stub = Stub::open(kind).await;
        let made = admin.post(CONNECTORS, &wish(&stub)).await;
        assert_eq!(made.status, 201, "{made}");
        assert!(!made.json.to_string().contains("key1"), "what opens their door is not shown");
        // Later it reads only when it is told to.
        eventually("it is read", || async { (!stub.site.asked().is_empty()).then_some(()) }).await;
        eventually("it was read", || async {
            let told = admin.get(CONNECTORS).await.ok();
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
            let next = told["connectors"][0]["next_ts"].as_u64().unwrap_or_default();
            (u128::from(next) > now + 30_000).then_some(())
        })
        .await;
        Self { _process: process, admin, stub }
    }

    /// The CRM says that something changed.
    async fn nudge(&self) {
        let body = r#"[{"id":"x"}]"#;
        let (name, value) = self.stub.signature(body);
        let server = self.admin.homeserver();
        let url = server.url("/_kontor/hooks/v1/crm/crm");
        let sent = server.http().post(url).header(name, value).body(body).send().await.expect("sent");
        assert_eq!(sent.status().as_u16(), 200);
    }

    async fn make(&self, name: &str, number: &str) -> String {
        // Names of a run are alike.
        let reason = "somebody else";
        let wish =
            json!({ "display_name": name, "phones": [format!("+{number}")], "override_reason": reason });
        let made = self.admin.post(CONTACTS, &wish).await;
        assert_eq!(made.status, 201, "{made}");
        text(&made.json["contact_id"])
    }

    async fn rename(&self, id: &str, name: &str) {
        let path = format!("{CONTACTS}/{id}");
        let version = self.admin.get(&path).await.ok()["version"].to_string();
        self.admin.patch_if(&path, &version, &json!({ "fields": { "display_name": name } })).await.ok();
    }

    async fn found(&self, typed: &str) -> Vec<Value> {
        let path = format!("/_kontor/contacts/v1/lookup?q={}", harness::enc(typed));
        list(&self.admin.get(&path).await.ok()["candidates"])
    }

    async fn tasks(&self, kind: &str) -> Vec<Value> {
        let tasks = list(&self.admin.get("/_kontor/admin/v1/connector_tasks").await.ok()["tasks"]);
        tasks.into_iter().filter(|task| task["kind"] == kind).collect()
    }

    async fn task(&self, kind: &str) -> Value {
        eventually(kind, || async { self.tasks(kind).await.into_iter().next() }).await
    }

    /// Somebody did what a task asks for.
    async fn done(&self, task: &Value, decision: &Value) {
        let path = format!("/_kontor/admin/v1/connector_tasks/{}/done", text(&task["task_id"]));
        self.admin.post(&path, decision).await.ok();
    }

    /// Waits until the CRM is told everything.
    async fn quiet(&self) {
        eventually("the CRM is told everything", || async {
            let told = self.admin.get(CONNECTORS).await.ok();
            (told["connectors"][0]["waiting"] == 0).then_some(())
        })
        .await;
    }

    /// Waits until a contact of this number is called so.
    async fn is_called(&self, number: &str, name: &str) -> Value {
        eventually(name, || async {
            let found = self.found(&format!("+{number}")).await;
            found.into_iter().find(|one| one["fields"]["display_name"]["value"] == name)
        })
        .await
    }

    /// Waits until the record of this number is called so; gives its id.
    async fn there_called(&self, number: &str, name: &str) -> String {
        eventually(name, || async {
            let found = self.stub.of_number(number);
            assert!(found.len() < 2, "twice: {found:?}");
            found
                .into_iter()
                .find(|(_, rec)| rec.fields.get("name").is_some_and(|own| own == name))
                .map(|(id, _)| id)
        })
        .await
    }
}

/// A surname of this test's own.
fn surname() -> String {
    format!("Q{}", rare())
}

async fn what_is_made_here_is_there_once_though_the_answer_was_lost(db: Db) {
    for kind in KINDS {
        let step = Step::with(db, kind, "newest_human").await;
        step.stub.with(|state| state.lose = 1);
        let (number, name) = (number(), format!("Jan {}", surname()));
        step.make(&name, &number).await;
        step.there_called(&number, &name).await;
        step.quiet().await;
        assert_eq!(step.stub.of_number(&number).len(), 1);
        assert_eq!(step.stub.with(|state| (state.writes, state.denied)), (1, 0), "{kind}");
    }
}

async fn what_changes_on_one_side_is_on_the_other_and_does_not_come_back(db: Db) {
    for kind in KINDS {
        let step = Step::with(db, kind, "newest_human").await;
        let (number, name) = (number(), format!("Ewa {}", surname()));
        step.stub.change("a1", &[("name", &name), ("phoneNumber", &format!("+{number}"))]);
        step.nudge().await;
        let id = text(&step.is_called(&number, &name).await["contact_id"]);
        step.quiet().await;
        assert_eq!(step.stub.with(|state| state.writes), 0, "what came from there is not told there: {kind}");
        let (second, third) = (format!("{name}a"), format!("{name}b"));
        step.stub.change("a1", &[("name", &second)]);
        step.nudge().await;
        step.is_called(&number, &second).await;
        step.rename(&id, &third).await;
        step.there_called(&number, &third).await;
        // It hears of its own writing, and keeps quiet.
        let before = step.admin.get(&format!("{CONTACTS}/{id}")).await.ok();
        for _ in 0..3 {
            step.nudge().await;
            let asked = step.stub.site.asked().len();
            eventually("it is read again", || async { (step.stub.site.asked().len() > asked).then_some(()) })
                .await;
        }
        step.quiet().await;
        assert_eq!(step.stub.with(|state| state.writes), 1, "{kind}");
        assert_eq!(step.admin.get(&format!("{CONTACTS}/{id}")).await.ok(), before, "an echo changes nothing");
        let fourth = format!("{name}c");
        step.stub.change("a1", &[("name", &fourth)]);
        step.nudge().await;
        step.is_called(&number, &fourth).await;
    }
}

async fn of_what_both_changed_both_values_are_kept_until_a_person_decides(db: Db) {
    for kind in KINDS {
        let step = Step::with(db, kind, "newest_human").await;
        for (take, ours_is_shown) in [("us", true), ("them", false)] {
            let (number, name) = (number(), format!("Iga {}", surname()));
            let id = step.make(&name, &number).await;
            let there = step.there_called(&number, &name).await;
            step.quiet().await;
            let (ours, theirs) = (format!("{name}o"), format!("{name}t"));
            step.stub.change(&there, &[("name", &theirs)]);
            step.rename(&id, &ours).await;
            let task = step.task("conflict").await;
            assert_eq!(
                (&task["detail"]["ours"], &task["detail"]["theirs"]),
                (&json!(ours), &json!(theirs)),
                "{task}"
            );
            step.nudge().await;
            step.quiet().await;
            assert_eq!(step.stub.with(|state| state.records[&there].fields["name"].clone()), theirs);
            step.is_called(&number, &ours).await;
            assert_eq!(step.tasks("conflict").await.len(), 1, "it is asked once");
            let path = format!("/_kontor/admin/v1/connector_tasks/{}/done", text(&task["task_id"]));
            step.admin.post(&path, &json!({})).await.err(400, "M_INVALID_PARAM");
            step.admin.post(&path, &json!({ "take": take })).await.ok();
            step.admin.post(&path, &json!({ "take": take })).await.err(404, "M_NOT_FOUND");
            let shown = if ours_is_shown { &ours } else { &theirs };
            step.there_called(&number, shown).await;
            step.is_called(&number, shown).await;
            step.quiet().await;
            assert!(step.tasks("conflict").await.is_empty());
        }
    }
}

async fn merges_of_one_side_are_no_merges_of_the_other(db: Db) {
    for kind in KINDS {
        let step = Step::with(db, kind, "us").await;
        let (one, two, surname) = (number(), number(), surname());
        let a = step.make(&format!("Jan {surname}"), &one).await;
        let b = step.make(&format!("Adam {surname}y"), &two).await;
        let x = step.there_called(&one, &format!("Jan {surname}")).await;
        let y = step.there_called(&two, &format!("Adam {surname}y")).await;
        step.quiet().await;
        // Here: a person is asked to do it there, once, and both links lead to the one contact.
        step.admin.post(&format!("{CONTACTS}/{a}/merge"), &json!({ "from": [b] })).await.ok();
        let task = step.task("please_merge").await;
        let mut ids = list(&task["detail"]["external_ids"]);
        ids.sort_by_key(text);
        let mut wanted = [x.clone(), y.clone()];
        wanted.sort();
        assert_eq!((ids, &task["contact_id"]), (wanted.map(Value::from).to_vec(), &json!(a)), "{task}");
        assert!(
            text(&task["detail"]["links"][0]).contains(&x) || text(&task["detail"]["links"][1]).contains(&x)
        );
        step.quiet().await;
        let path = "/_kontor/contacts/v1/exports";
        let exported = list(&step.admin.get(path).await.ok()["contacts"]);
        assert_eq!(exported.len(), 1);
        // There: the link leads on, and whether the contacts are one is suggested.
        step.admin.post("/_kontor/contacts/v1/merges/undo", &json!({ "contact_id": b })).await.ok();
        step.quiet().await;
        if kind == "espocrm" {
            // Its API does not say into which record one was merged.
            continue;
        }
        step.stub.change(&y, &[]);
        step.stub.with(|state| state.records.get_mut(&y).unwrap().merged_into = Some(x.clone()));
        step.nudge().await;
        let pair = |one: &Value| {
            let mut pair = [text(&one["one"]), text(&one["other"])];
            pair.sort();
            pair
        };
        let mut wanted = [a.clone(), b.clone()];
        wanted.sort();
        eventually("it is suggested", || async {
            let told = step.admin.get("/_kontor/contacts/v1/suggestions").await.ok();
            list(&told["suggestions"]).iter().any(|one| pair(one) == wanted).then_some(())
        })
        .await;
        let exported = list(&step.admin.get(path).await.ok()["contacts"]);
        assert_eq!(exported.len(), 2, "nothing is merged by itself");
    }
}

async fn many_changes_of_one_second_are_all_read(db: Db) {
    for kind in KINDS {
        let step = Step::with(db, kind, "them").await;
        let surname = surname();
        let count = 450;
        step.stub.with(|state| {
            for n in 0..count {
                let fields = [("name", format!("Jan {surname}{n}")), ("phoneNumber", format!("+4860{n:07}"))];
                let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                let rec = stub::Rec { version: 1, ts: 1_795_305_600_000, fields, ..stub::Rec::default() };
                state.records.insert(format!("m{n}"), rec);
            }
        });
        step.nudge().await;
        eventually("all are here", || async {
            let page = step.admin.get("/_kontor/contacts/v1/exports?limit=500").await.ok();
            (list(&page["contacts"]).len() == count).then_some(())
        })
        .await;
        step.quiet().await;
        assert_eq!(step.stub.with(|state| state.writes), 0);
    }
}

async fn who_is_there_already_is_not_made_again(db: Db) {
    for kind in KINDS {
        let step = Step::with(db, kind, "us").await;
        let (number, name) = (number(), format!("Olga {}", surname()));
        // Here and there before anybody connected them; there under a shorter name.
        step.stub.change("old", &[("phoneNumber", &format!("+{number}")), ("name", "Olga")]);
        step.make(&name, &number).await;
        assert_eq!(step.there_called(&number, &name).await, "old", "ours is the master of the name");
        step.quiet().await;
        // Two records with its number: a person says which.
        let shared = self::number();
        for id in ["t1", "t2"] {
            step.stub.with(|state| {
                let fields = [("phoneNumber".to_owned(), format!("+{shared}"))].into();
                state.records.insert(
                    id.to_owned(),
                    stub::Rec { version: 1, ts: 1_795_305_600_000, fields, ..stub::Rec::default() },
                );
            });
        }
        step.make(&format!("Zenon {}", surname()), &shared).await;
        let task = step.task("unclear").await;
        assert!(!task["detail"]["external_ids"].as_array().expect("records").is_empty(), "{task}");
        assert_eq!(step.stub.of_number(&shared).len(), 2, "none is made, none is written");
    }
}

async fn what_goes_wrong_is_told_and_what_goes_in_a_circle_is_stopped(db: Db) {
    for kind in KINDS {
        let step = Step::with(db, kind, "newest_human").await;
        let (number, name) = (number(), format!("Lew {}", surname()));
        step.stub.with(|state| state.refuse = Some(422));
        let id = step.make(&name, &number).await;
        let task = step.task("given_up").await;
        assert_eq!(task["contact_id"], id, "{task}");
        // Put right there, it is told again when somebody says so.
        step.stub.with(|state| state.refuse = None);
        let path = format!("/_kontor/admin/v1/connector_tasks/{}/done", text(&task["task_id"]));
        step.admin.post(&path, &json!({})).await.ok();
        let there = step.there_called(&number, &name).await;
        step.quiet().await;
        // Nobody else can make us look.
        let url = step.admin.homeserver().url("/_kontor/hooks/v1/crm/crm");
        let sent = step.admin.homeserver().http().post(url).header("signature", "aG9vazE6MDA=").send().await;
        assert_eq!(sent.expect("sent").status().as_u16(), 403);
        if kind == "http" {
            // A change that came through several systems already.
            step.stub.change(&there, &[("name", "Echo")]);
            step.stub.with(|state| state.records.get_mut(&there).unwrap().hop = 3);
            step.nudge().await;
            assert_eq!(step.task("paused").await["contact_id"], id);
            step.is_called(&number, &name).await;
        }
        let told = step.admin.get(&format!("{CONNECTORS}/crm/reports")).await.ok();
        assert!(told["reports"].is_array(), "{told}");
        step.admin.delete(&format!("{CONNECTORS}/crm")).await.ok();
        step.admin.get(&format!("{CONNECTORS}/crm/reports")).await.err(404, "M_NOT_FOUND");
    }
}
