//! Who is perhaps the same person, on the card's page: shown to those who see both, and decided there by forms.

use harness::{Client, Homeserver, both_databases};
use serde_json::json;

use super::page::{Browser, Page, field};
use super::suggesting::weigh;
use super::support::{Channel, Talk, name, word};
use crate::client::support::{is_reference, text};

both_databases!(
    on_the_page_two_contacts_become_one_and_are_taken_apart_again,
    of_two_owners_the_page_asks_whose_it_is,
    who_may_not_see_both_is_shown_nothing_and_decides_nothing,
);

const CONTACTS: &str = "/_kontor/contacts/v1/contacts";

/// Two customers of one name, who are not known to be one.
async fn alike(channel: &Channel) -> (Talk, Talk) {
    let name = name();
    let mut talks = Vec::new();
    for _ in 0..2 {
        let mut opening = channel.opening(&word());
        opening["profile"]["display_name"] = json!(name);
        talks.push(channel.talk_of(&opening).await);
    }
    let other = talks.pop().unwrap();
    (talks.pop().unwrap(), other)
}

async fn contact_of(client: &Client, talk: &Talk) -> String {
    text(&talk.seen_by(client).await["contact_id"])
}

async fn owned(client: &Client, talk: &Talk, patch: serde_json::Value) {
    let path = format!("{CONTACTS}/{}", talk.contact);
    let version = client.get(&path).await.ok()["version"].to_string();
    client.patch_if(&path, &version, &patch).await.ok();
}

/// Somebody who reads the card of a conversation.
struct Reading<'a> {
    browser: Browser,
    talk: &'a Talk,
}

impl<'a> Reading<'a> {
    async fn new(server: &Homeserver, client: &Client, talk: &'a Talk) -> Self {
        let mut browser = Browser::new(server);
        browser.sign_in(&talk.id, client).await;
        Self { browser, talk }
    }

    async fn page(&mut self) -> Page {
        self.browser.open(&self.talk.id).await
    }

    async fn send(&mut self, act: &str, more: &[(&str, &str)]) -> Page {
        let word = field(&self.page().await.html, "word");
        let mut form = vec![("word", word.as_str()), ("act", act)];
        form.extend(more);
        self.browser.send(&self.talk.id, &form).await
    }

    /// Decides about the contact of the card and another one.
    async fn decide(&mut self, act: &str, other: &str, more: &[(&str, &str)]) -> Page {
        let own = self.talk.contact.clone();
        let mut form = vec![("contact", own.as_str()), ("other", other)];
        form.extend(more);
        self.send(act, &form).await
    }
}

/// How the page shows somebody who is perhaps the same.
fn shows(page: &Page, contact: &str) -> bool {
    page.html.contains(&format!("href=\"/_kontor/card/{contact}\""))
}

async fn on_the_page_two_contacts_become_one_and_are_taken_apart_again(server: Homeserver) {
    if is_reference() {
        return;
    }
    let anna = server.register("anna").await;
    let channel = Channel::open(&server, &[&anna]).await;
    let (one, other) = alike(&channel).await;
    let mut reading = Reading::new(&server, &anna, &other).await;
    let before = reading.page().await;
    assert!(before.html.contains("Nobody else looks like") && !shows(&before, &one.contact));
    weigh(&channel.admin).await;
    let page = reading.page().await;
    let email =
        text(&anna.get(&format!("{CONTACTS}/{}", one.contact)).await.ok()["fields"]["email"]["value"]);
    for part in ["Perhaps the same person", "a word of the name is the same", &email] {
        assert!(page.html.contains(part), "{part}: {}", page.html);
    }
    assert!(shows(&page, &one.contact) && !page.html.contains("Nobody else looks like"));
    assert_eq!(reading.decide("same", &one.contact, &[]).await.status, 303);
    assert_eq!(contact_of(&anna, &other).await, one.contact);
    // Twice is as good as once.
    assert_eq!(reading.decide("same", &one.contact, &[]).await.status, 303);
    let page = reading.page().await;
    assert!(page.html.contains("Merged contacts") && page.html.contains(anna.user_id()));
    let merge = field(&page.html, "merge");
    assert_eq!(reading.send("undo", &[("merge", &merge)]).await.status, 303);
    assert_eq!(contact_of(&anna, &other).await, other.contact);
    let page = reading.send("undo", &[("merge", &merge)]).await;
    assert!(page.status == 400 && page.html.contains("role=\"alert\""), "{}", page.html);
    // What was said once is asked before it is done all the same.
    assert_eq!(reading.decide("different", &one.contact, &[]).await.status, 303);
    assert!(!shows(&reading.page().await, &one.contact));
    let page = reading.decide("same", &one.contact, &[]).await;
    assert!(page.status == 200 && page.html.contains("name=\"despite\""), "{}", page.html);
    assert_eq!(contact_of(&anna, &other).await, other.contact);
    assert_eq!(reading.decide("same", &one.contact, &[("despite", "1")]).await.status, 303);
    assert_eq!(contact_of(&anna, &other).await, one.contact);
    channel.close().await;
}

async fn of_two_owners_the_page_asks_whose_it_is(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, piotr) = (server.register("anna").await, server.register("piotr").await);
    let channel = Channel::open(&server, &[&anna, &piotr]).await;
    let (one, other) = alike(&channel).await;
    owned(&anna, &one, json!({ "owner": anna.user_id() })).await;
    owned(&anna, &other, json!({ "owner": piotr.user_id() })).await;
    let mut reading = Reading::new(&server, &anna, &other).await;
    let page = reading.decide("same", &one.contact, &[]).await;
    assert_eq!(page.status, 200);
    for owner in [&anna, &piotr] {
        let button = format!("name=\"owner\" value=\"{}\"", owner.user_id());
        assert!(page.html.contains(&button), "{button}: {}", page.html);
    }
    assert_eq!(contact_of(&anna, &other).await, other.contact);
    for nobody in [other.ghost.as_str(), "piotr", "@nobody:elsewhere.example"] {
        assert_eq!(reading.decide("same", &one.contact, &[("owner", nobody)]).await.status, 400, "{nobody}");
    }
    assert_eq!(reading.decide("same", &one.contact, &[("owner", piotr.user_id())]).await.status, 303);
    assert_eq!(contact_of(&anna, &other).await, one.contact);
    let card = anna.get(&format!("{CONTACTS}/{}", one.contact)).await.ok();
    assert_eq!(card["owner"], json!(piotr.user_id()));
    channel.close().await;
}

async fn who_may_not_see_both_is_shown_nothing_and_decides_nothing(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, piotr) = (server.register("anna").await, server.register("piotr").await);
    let channel = Channel::open(&server, &[&anna, &piotr]).await;
    let (one, other) = alike(&channel).await;
    owned(&anna, &one, json!({ "owner": anna.user_id(), "visibility": "owner" })).await;
    weigh(&channel.admin).await;
    assert!(shows(&Reading::new(&server, &anna, &other).await.page().await, &one.contact));
    let mut reading = Reading::new(&server, &piotr, &other).await;
    let page = reading.page().await;
    assert!(!shows(&page, &one.contact) && page.html.contains("Nobody else looks like"), "{}", page.html);
    for act in ["same", "different"] {
        for who in [one.contact.as_str(), "01ARZ3NDEKTSV4RRFFQ69G5FAV", "", "x"] {
            let page = reading.decide(act, who, &[("despite", "1")]).await;
            assert!(
                page.status == 400 && !page.html.contains("name=\"owner\""),
                "{act} {who}: {}",
                page.html
            );
        }
    }
    assert_eq!(contact_of(&anna, &other).await, other.contact);
    // Nor is a merge undone of those whom one does not see.
    let path = format!("{CONTACTS}/{}/merge", one.contact);
    let merged = anna.post(&path, &json!({ "from": [other.contact] })).await.ok();
    let elsewhere = channel.talk(&word()).await;
    let mut reading = Reading::new(&server, &piotr, &elsewhere).await;
    let merge = text(&merged["merges"][0]);
    assert_eq!(reading.send("undo", &[("merge", &merge)]).await.status, 400);
    assert_eq!(reading.send("undo", &[("merge", "x")]).await.status, 400);
    assert_eq!(contact_of(&anna, &other).await, one.contact);
    channel.close().await;
}
