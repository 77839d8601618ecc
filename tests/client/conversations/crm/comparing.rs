//! What is found by comparing all linked records with their contacts, and what becomes of records that are gone or change
//! again and again.

use harness::{Db, eventually, on_each_database};
use serde_json::{Value, json};

use super::{CONNECTORS, CONTACTS, KINDS, Step};
use crate::client::support::{list, text};

on_each_database!(
    what_differs_is_found_by_comparing_and_told_again,
    a_record_that_is_gone_is_a_task_that_a_person_can_do,
    records_that_a_person_merged_there_as_asked_need_nobody_any_more,
    a_record_that_changes_again_and_again_is_left_alone_until_somebody_looked,
);

impl Step {
    /// Compares everything; gives what was found.
    async fn compared(&self) -> Value {
        let path = format!("{CONNECTORS}/crm/reports");
        self.admin.post(&format!("{CONNECTORS}/crm/compare"), &json!({})).await.ok();
        eventually("all is compared", || async {
            let now = self.admin.get(CONNECTORS).await.ok();
            let told = self.admin.get(&path).await.ok();
            let report = &told["reports"][0];
            // While it is not over, the day of the last one is another.
            (now["connectors"][0]["compared_day_ts"] == report["day_ts"]).then(|| report["figures"].clone())
        })
        .await
    }

    /// A contact that is a record there: its id here, its id there.
    async fn linked(&self, name: &str) -> (String, String, String) {
        let number = super::number();
        let id = self.make(name, &number).await;
        let there = self.there_called(&number, name).await;
        self.quiet().await;
        (id, there, number)
    }

    /// Somebody removes a record there, without a word.
    fn remove(&self, id: &str) {
        self.stub.with(|state| state.records.remove(id));
    }
}

async fn what_differs_is_found_by_comparing_and_told_again(db: Db) {
    for kind in KINDS {
        let step = Step::with(db, kind, "us").await;
        let (one, two) = (format!("Jan {}", super::surname()), format!("Ewa {}", super::surname()));
        let (_, a, number) = step.linked(&one).await;
        step.linked(&two).await;
        let figures = step.compared().await;
        assert_eq!(
            (&figures["looked_at"], &figures["same"], &figures["differ"]),
            (&json!(2), &json!(2), &json!(0)),
            "{figures}"
        );
        // A change there that left no trace: neither its version nor its moment moved.
        step.stub.with(|state| {
            let rec = state.records.get_mut(&a).unwrap();
            rec.fields.insert("name".to_owned(), "Somebody Else".to_owned());
        });
        let figures = step.compared().await;
        assert_eq!((&figures["same"], &figures["differ"]), (&json!(1), &json!(1)), "{figures}");
        step.there_called(&number, &one).await;
        step.quiet().await;
        let figures = step.compared().await;
        assert_eq!((&figures["same"], &figures["differ"]), (&json!(2), &json!(0)), "{figures}");
        let path = format!("{CONNECTORS}/none/compare");
        step.admin.post(&path, &json!({})).await.err(404, "M_NOT_FOUND");
    }
}

async fn a_record_that_is_gone_is_a_task_that_a_person_can_do(db: Db) {
    for kind in KINDS {
        let step = Step::with(db, kind, "us").await;
        let (one, two) = (format!("Jan {}", super::surname()), format!("Ewa {}", super::surname()));
        let (a, x, number) = step.linked(&one).await;
        let (b, y, _) = step.linked(&two).await;
        // Merged there into one that nobody here knows: of EspoCRM all that is seen is that it is there no more.
        step.stub.with(|state| {
            let rec = state.records.remove(&x).unwrap();
            state.records.insert("merged1".to_owned(), rec);
        });
        assert_eq!(step.compared().await["gone"], 1);
        let task = step.task("gone").await;
        assert_eq!((&task["contact_id"], &task["detail"]["external_id"]), (&json!(a), &json!(x)), "{task}");
        step.compared().await;
        assert_eq!(step.tasks("gone").await.len(), 1, "it is asked once");
        let path = format!("/_kontor/admin/v1/connector_tasks/{}/done", text(&task["task_id"]));
        step.admin.post(&path, &json!({ "record": x })).await.err(400, "M_INVALID_PARAM");
        step.done(&task, &json!({ "record": "merged1" })).await;
        step.quiet().await;
        // The link leads there now.
        let name = format!("{one}b");
        step.rename(&a, &name).await;
        assert_eq!(step.there_called(&number, &name).await, "merged1");
        step.quiet().await;
        // Deleted, and that was meant: it is not made again, and not asked about again.
        step.remove(&y);
        step.rename(&b, &format!("{two}b")).await;
        let task = step.task("gone").await;
        assert_eq!(task["contact_id"], json!(b), "{task}");
        step.done(&task, &json!({})).await;
        step.rename(&b, &format!("{two}c")).await;
        step.quiet().await;
        assert_eq!(step.compared().await["gone"], 0);
        assert!(step.tasks("gone").await.is_empty());
        assert_eq!(step.stub.with(|state| state.records.len()), 1);
    }
}

async fn records_that_a_person_merged_there_as_asked_need_nobody_any_more(db: Db) {
    for kind in KINDS {
        let step = Step::with(db, kind, "us").await;
        let (one, two) = (format!("Jan {}", super::surname()), format!("Adam {}", super::surname()));
        let (a, x, _) = step.linked(&one).await;
        let (b, y, _) = step.linked(&two).await;
        step.admin.post(&format!("{CONTACTS}/{a}/merge"), &json!({ "from": [b] })).await.ok();
        let task = step.task("please_merge").await;
        let links: Vec<String> = list(&task["detail"]["links"]).iter().map(text).collect();
        let part = if kind == "espocrm" { "/#Contact/view/" } else { "/Contact/" };
        for id in [&x, &y] {
            assert!(links.iter().any(|link| link.ends_with(&format!("{part}{id}"))), "{id}: {links:?}");
        }
        // The person does it there, and says so.
        step.remove(&y);
        step.done(&task, &json!({})).await;
        step.quiet().await;
        assert!(step.tasks("gone").await.is_empty(), "the contact's other record is the one");
        let name = format!("{one}b");
        step.rename(&a, &name).await;
        eventually("it is told", || async {
            let told = |state: &mut super::stub::State| state.records[&x].fields["name"] == name;
            step.stub.with(told).then_some(())
        })
        .await;
        step.quiet().await;
        assert_eq!(step.compared().await["looked_at"], 1);
        assert!(step.tasks("please_merge").await.is_empty());
    }
}

async fn a_record_that_changes_again_and_again_is_left_alone_until_somebody_looked(db: Db) {
    for kind in KINDS {
        let step = Step::with(db, kind, "newest_human").await;
        let name = format!("Jan {}", super::surname());
        let (id, there, number) = step.linked(&name).await;
        // Another program answers every change: each of its changes is a new one.
        let mut told = 0;
        while step.tasks("paused").await.is_empty() {
            told += 1;
            assert!(told < 200, "nobody stops it");
            step.stub.change(&there, &[("name", &format!("{name} {told}"))]);
            let asked = step.stub.site.asked().len();
            step.nudge().await;
            eventually("it is read", || async { (step.stub.site.asked().len() > asked).then_some(()) }).await;
        }
        assert!(told > 20, "twenty in a minute are taken: {told}");
        let task = step.task("paused").await;
        assert_eq!(task["contact_id"], json!(id), "{task}");
        // Neither side hears of the other.
        let (last, ours) = (format!("{name} last"), format!("{name} ours"));
        let writes = step.stub.with(|state| state.writes);
        step.stub.change(&there, &[("name", &last)]);
        step.nudge().await;
        let (other, second) = (super::number(), format!("Ewa {}", super::surname()));
        step.make(&second, &other).await;
        step.there_called(&other, &second).await;
        assert!(
            step.found(&format!("+{number}"))
                .await
                .iter()
                .all(|one| one["fields"]["display_name"]["value"] != json!(last))
        );
        assert_eq!(step.stub.with(|state| state.writes), writes + 1);
        // Somebody looked: what was changed there meanwhile is taken, and what is changed here is told.
        step.done(&task, &json!({})).await;
        step.is_called(&number, &last).await;
        step.rename(&id, &ours).await;
        step.there_called(&number, &ours).await;
    }
}
