//! What employees do with a customer is told to the CRM, where that is wanted: once, and never what the customer wrote.

use harness::{Client, Db, eventually, on_each_database};
use serde_json::json;

use super::{CONTACTS, KINDS, Step};
use crate::client::conversations::support::{Channel, Talk, word};
use crate::client::support::text;

on_each_database!(
    what_employees_do_is_on_the_record_once_and_no_word_of_the_customer,
    without_the_wish_of_the_mapping_nothing_is_told,
    a_line_that_is_refused_is_told_when_somebody_says_so,
);

impl Step {
    async fn telling(db: Db, kind: &'static str) -> Self {
        Self::start(db, kind, |stub| {
            let mut wish = stub.connection("us");
            wish["mapping"]["timeline"] = json!(true);
            wish
        })
        .await
    }

    /// A customer with a number, who writes, and who is a record there; the record's id.
    async fn customer(&self, anna: &Client) -> (Channel, Talk, String) {
        let channel = Channel::open_with(self.admin.homeserver(), &[anna], json!({ "language": "pl" })).await;
        let (customer, number) = (word(), super::number());
        let mut opening = channel.opening(&customer);
        opening["profile"]["display_name"] = json!(format!("Jan {}", super::surname()));
        opening["claims"] = json!([{ "kind": "phone", "value": format!("+{number}"), "trust": "proven", "source": "network" }]);
        let talk = channel.talk_of(&opening).await;
        channel.say(&talk, "My secret words").await;
        let path = format!("{CONTACTS}/{}", talk.contact);
        let version = self.admin.get(&path).await.ok()["version"].to_string();
        self.admin.patch_if(&path, &version, &json!({ "stage": "lead" })).await.ok();
        let there = eventually("the record is there", || async {
            self.stub.of_number(&number).into_iter().next().map(|(id, _)| id)
        })
        .await;
        self.quiet().await;
        (channel, talk, there)
    }

    fn lines(&self) -> Vec<(String, String)> {
        self.stub.with(|state| state.notes.clone())
    }

    async fn lines_are(&self, count: usize) -> Vec<(String, String)> {
        eventually("the lines are there", || async { (self.lines().len() >= count).then_some(()) }).await;
        self.quiet().await;
        let lines = self.lines();
        assert_eq!(lines.len(), count, "{lines:?}");
        lines
    }
}

async fn what_employees_do_is_on_the_record_once_and_no_word_of_the_customer(db: Db) {
    for kind in KINDS {
        let step = Step::telling(db, kind).await;
        let anna = step.admin.homeserver().register("anna").await;
        let (_channel, talk, there) = step.customer(&anna).await;
        let writes = step.stub.with(|state| state.writes);
        // The answer to the first line is lost: it is told again, and is there once.
        step.stub.with(|state| state.lose = 1);
        anna.post(&talk.path("/claim"), &json!({})).await.ok();
        step.lines_are(1).await;
        anna.text(&talk.backstage, "!notatka Dzwonić po 15:00").await;
        anna.post(&talk.path("/notes"), &json!({ "kind": "decision", "text": "Free\ndelivery" })).await;
        anna.post(&talk.path("/tasks"), &json!({ "text": "Call back" })).await;
        anna.patch(&talk.path("/tasks/1"), &json!({ "done": true })).await.ok();
        anna.text(&talk.backstage, "!status zamknięta").await;
        let lines = step.lines_are(5).await;
        let (who, room) = (anna.user_id(), format!("https://matrix.to/#/{}", talk.room));
        for (at, said) in [
            format!("Rozmowę prowadzi teraz {who}. · {who}"),
            format!("Notatka: Dzwonić po 15:00 · {who}"),
            format!("Decyzja: Free delivery · {who}"),
            format!("Zrobione: Call back · {who}"),
            format!("Rozmowę zamknięto. · {who}"),
        ]
        .into_iter()
        .enumerate()
        {
            let (record, line) = &lines[at];
            assert_eq!(record, &there);
            assert!(line.contains(&format!(" · Shop · {said} · {room}")), "{said}: {line}");
            assert!(line.starts_with("20"), "it says when: {line}");
            assert!(!line.contains("secret"), "{line}");
        }
        // It hears of its own lines, and keeps quiet.
        step.nudge().await;
        step.quiet().await;
        assert_eq!(step.stub.with(|state| state.writes), writes, "a line is no change of a contact: {kind}");
        assert_eq!(step.lines().len(), 5);
    }
}

async fn without_the_wish_of_the_mapping_nothing_is_told(db: Db) {
    for kind in KINDS {
        let step = Step::with(db, kind, "us").await;
        let anna = step.admin.homeserver().register("anna").await;
        let (_channel, talk, _) = step.customer(&anna).await;
        anna.post(&talk.path("/claim"), &json!({})).await.ok();
        anna.post(&talk.path("/notes"), &json!({ "kind": "note", "text": "x" })).await;
        step.quiet().await;
        // A further contact takes the same way, behind whatever would have been told.
        let number = super::number();
        let name = format!("Ewa {}", super::surname());
        step.make(&name, &number).await;
        step.there_called(&number, &name).await;
        assert!(step.lines().is_empty());
    }
}

async fn a_line_that_is_refused_is_told_when_somebody_says_so(db: Db) {
    for kind in KINDS {
        let step = Step::telling(db, kind).await;
        let anna = step.admin.homeserver().register("anna").await;
        let (_channel, talk, _) = step.customer(&anna).await;
        step.stub.with(|state| state.refuse_notes = Some(422));
        let made =
            anna.post(&talk.path("/notes"), &json!({ "kind": "note", "text": "To be taken back" })).await;
        let task = step.task("given_up").await;
        assert_eq!((&task["contact_id"], &task["detail"]["timeline"]), (&json!(talk.contact), &json!(true)));
        anna.post(&talk.path("/notes"), &json!({ "kind": "note", "text": "Stays" })).await;
        eventually("both were refused", || async {
            let told = step.admin.get(super::CONNECTORS).await.ok();
            (told["connectors"][0]["waiting"] == 2).then_some(())
        })
        .await;
        // What was redacted meanwhile is told to nobody.
        anna.redact(&talk.backstage, &text(&made.json["event_id"])).await;
        step.stub.with(|state| state.refuse_notes = None);
        step.done(&task, &json!({})).await;
        let lines = step.lines_are(1).await;
        assert!(lines[0].1.contains("Notatka: Stays"), "{lines:?}");
        assert!(step.tasks("given_up").await.is_empty());
    }
}
