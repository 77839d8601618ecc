//! Whoever may not see a contact is not told that it is there: not by what is said, nor by how long it takes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use harness::{Client, Homeserver, Response, both_databases};
use reqwest::Method;
use serde_json::{Value, json};

use super::resolution::number;
use super::support::{Channel, Talk, rare, word};
use crate::client::facts::shop::{Shop, now, order};
use crate::client::support::{is_reference, text};

both_databases!(
    a_contact_of_others_is_refused_in_the_words_for_one_that_never_was,
    a_contact_of_others_is_refused_as_quickly_as_one_that_never_was,
);

const ROOT: &str = "/_kontor/contacts/v1";
/// Requests of each kind by which times are compared.
const ROUNDS: usize = 300;

/// Something that is asked about one contact or conversation, whose id stands for `$ID`.
struct Ask {
    method: Method,
    /// As the API's document writes the path, without what all paths begin with.
    path: &'static str,
    query: String,
    body: Option<Value>,
}

fn get(path: &'static str, query: &str) -> Ask {
    Ask { method: Method::GET, path, query: query.to_owned(), body: None }
}

fn delete(path: &'static str) -> Ask {
    Ask { method: Method::DELETE, path, query: String::new(), body: None }
}

fn tell(method: Method, path: &'static str, body: Value) -> Ask {
    Ask { method, path, query: String::new(), body: Some(body) }
}

fn post(path: &'static str, body: Value) -> Ask {
    tell(Method::POST, path, body)
}

impl Ask {
    async fn about(&self, client: &Client, id: &str, company: &str) -> Response {
        let path = match self.path.strip_prefix("/companies/{id}") {
            Some(rest) => format!("/companies/{company}{rest}"),
            None => self.path.to_owned(),
        };
        let path = path.replace("{id}", id).replace("{contact}", id).replace("{tag}", "vip");
        let path = format!("{ROOT}{path}{}", self.query).replace("{number}", "1").replace("$ID", id);
        let body: Option<Value> = self
            .body
            .as_ref()
            .map(|body| serde_json::from_str(&body.to_string().replace("$ID", id)).unwrap());
        match (&self.method, body) {
            (&Method::PATCH, Some(body)) => client.patch_if(&path, "1", &body).await,
            (method, body) => client.request(method.clone(), &path, body.as_ref()).await,
        }
    }

    fn named(&self) -> String {
        format!("{} {}{} {:?}", self.method, self.path, self.query, self.body)
    }
}

/// What can be asked of one contact; `own` is one that the asker sees, `order` somebody's purchase.
fn of_contacts(own: &str, number: &str, order: &Value) -> Vec<Ask> {
    let contact = "/contacts/{id}";
    let note = json!({ "fields": { "display_name": "Nobody" } });
    vec![
        get(contact, ""),
        tell(Method::PATCH, contact, note),
        // A number that somebody else has.
        tell(Method::PATCH, contact, json!({ "fields": { "phone": number } })),
        get("/contacts/{id}/timeline", ""),
        get("/contacts/{id}/timeline", "?kinds=message,order&limit=1"),
        get("/contacts/{id}/files", ""),
        get("/contacts/{id}/search", "?q=hello"),
        get("/contacts/{id}/merges", ""),
        get("/contacts/{id}/suggestions", ""),
        post("/contacts/{id}/merge", json!({ "from": [own] })),
        post("/contacts/{id}/merge", json!({ "from": [own], "despite_rejection": true, "batch": "b" })),
        post("/contacts/{id}/split", json!({ "conversations": ["$ID"] })),
        post("/contacts/{id}/facts", order.clone()),
        post("/contacts/{id}/facts/unlink", order.clone()),
        post("/contacts/{id}/links", json!({})),
        tell(Method::PUT, "/contacts/{id}/tags/{tag}", json!({})),
        delete("/contacts/{id}/tags/{tag}"),
        tell(Method::PUT, "/companies/{id}/people/{contact}", json!({ "role": "employee" })),
        delete("/companies/{id}/people/{contact}"),
        post("/merges/undo", json!({ "contact_id": "$ID" })),
        post("/suggestions/accept", json!({ "one": "$ID", "other": own })),
        post("/suggestions/accept", json!({ "one": own, "other": "$ID" })),
        post("/suggestions/reject", json!({ "one": "$ID", "other": own })),
        post("/suggestions/reject", json!({ "one": own, "other": "$ID" })),
    ]
}

/// What can be asked of one conversation.
fn of_conversations(stranger: &str, event: &str) -> Vec<Ask> {
    vec![
        get("/conversations/{id}", ""),
        post("/conversations/{id}/assign", json!({ "assignee": stranger })),
        post("/conversations/{id}/claim", json!({})),
        post("/conversations/{id}/status", json!({ "status": "closed" })),
        get("/conversations/{id}/versions", &format!("?event_id={}", harness::enc(event))),
        post("/conversations/{id}/notes", json!({ "text": "a note" })),
        post("/conversations/{id}/tasks", json!({ "text": "a task" })),
        tell(Method::PATCH, "/conversations/{id}/tasks/{number}", json!({ "done": true })),
    ]
}

/// An id made in the same moment as another, which nothing has.
fn never(id: &str) -> String {
    let (moment, noise) = id.split_at(10);
    let other = noise.chars().rev().map(|letter| if letter == 'Z' { '0' } else { letter });
    let made = format!("{moment}{}", other.collect::<String>());
    if made == id { format!("{moment}ZYXWVTSRQPNMKJHG") } else { made }
}

/// All of an answer that could tell something.
fn seen(answer: &Response) -> (u16, String, BTreeSet<(String, String)>) {
    let headers =
        answer.headers.iter().filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), format!("{value:?}")));
    (answer.status, answer.json.to_string(), headers.collect())
}

/// Contacts that others see, a stranger to them, and one that the stranger sees.
struct World {
    channel: Channel,
    theirs: Channel,
    piotr: Client,
    foreign: Talk,
    event: String,
    /// Contacts that piotr may not see: of a team, of an owner, and merged into another.
    contacts: Vec<String>,
    own: String,
    /// The number of the first.
    number: String,
    order: Value,
    company: String,
}

async fn world(server: &Homeserver) -> World {
    let (anna, piotr) = (server.register("anna").await, server.register("piotr").await);
    let channel = Channel::open(server, &[&anna]).await;
    let theirs = Channel::open(server, &[&piotr]).await;
    let own = theirs.stranger().await.contact;
    let mut opening = channel.opening(&word());
    let number = format!("+{}", number());
    opening["claims"] = json!([{ "kind": "phone", "value": number, "trust": "claimed", "source": "form" }]);
    let foreign = channel.talk_of(&opening).await;
    let event = channel.say(&foreign, "hello, it is me").await;
    for said in ["!note among us", "!task call back"] {
        anna.text(&foreign.backstage, said).await;
    }
    let shop = Shop::open(&channel.admin, "kontor", json!({})).await;
    let mut sold = order("1", "paid", now(), "someone@example.com");
    sold["customer"] = json!({ "external_id": "1" });
    shop.order(&sold).await;
    let order = json!({ "source": shop.id, "order_key": "1" });
    let path = |contact: &str| format!("{ROOT}/contacts/{contact}");
    anna.post(&format!("{}/facts", path(&foreign.contact)), &order).await.ok();
    anna.put(&format!("{}/tags/vip", path(&foreign.contact)), &json!({})).await.ok();
    let (hidden, gone) = (channel.stranger().await.contact, channel.stranger().await.contact);
    let version = anna.get(&path(&hidden)).await.ok()["version"].to_string();
    let owned = json!({ "owner": anna.user_id(), "visibility": "owner" });
    anna.patch_if(&path(&hidden), &version, &owned).await.ok();
    let merge = json!({ "from": [gone] });
    channel.admin.post(&format!("{}/merge", path(&foreign.contact)), &merge).await.ok();
    let made = piotr.post(&format!("{ROOT}/companies"), &json!({ "name": rare() })).await;
    assert_eq!(made.status, 201, "{made}");
    let company = text(&made.json["company_id"]);
    anna.put(
        &format!("{ROOT}/companies/{company}/people/{}", foreign.contact),
        &json!({ "role": "employee" }),
    )
    .await
    .ok();
    let contacts = vec![foreign.contact.clone(), hidden, gone];
    World { channel, theirs, piotr, foreign, event, contacts, own, number, order, company }
}

/// All that the document says can be asked of one contact or conversation.
async fn documented(client: &Client) -> BTreeSet<(String, String)> {
    let document = client.get("/_kontor/openapi.json").await.ok();
    let mut all = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(path) = path.strip_prefix(ROOT) else { continue };
        let of_one = ["/contacts/{id}", "/conversations/{id}", "/companies/{id}/people/{contact}"];
        if of_one.iter().any(|one| path.starts_with(one)) {
            all.extend(methods.as_object().unwrap().keys().map(|how| (how.to_uppercase(), path.to_owned())));
        }
    }
    assert!(all.len() > 15, "{all:?}");
    all
}

/// All that is known of the first of them.
async fn card(world: &World) -> Value {
    world.channel.admin.get(&format!("{ROOT}/contacts/{}", world.foreign.contact)).await.ok()
}

async fn a_contact_of_others_is_refused_in_the_words_for_one_that_never_was(server: Homeserver) {
    if is_reference() {
        return;
    }
    let world = world(&server).await;
    let contacts = of_contacts(&world.own, &world.number, &world.order);
    let conversations = of_conversations(world.piotr.user_id(), &world.event);
    let asked = contacts.iter().chain(&conversations);
    let asked: BTreeSet<_> = asked.map(|ask| (ask.method.to_string(), ask.path.to_owned())).collect();
    let left: Vec<_> = documented(&world.piotr).await.difference(&asked).cloned().collect();
    assert!(left.is_empty(), "ask these, too: {left:?}");
    let (before, mut told) = (card(&world).await, Vec::new());
    for (asks, ids) in [(&contacts, &world.contacts), (&conversations, &vec![world.foreign.id.clone()])] {
        for ask in asks {
            for id in ids {
                let there = ask.about(&world.piotr, id, &world.company).await;
                let never = ask.about(&world.piotr, &never(id), &world.company).await;
                if never.status != 404 || seen(&there) != seen(&never) {
                    told.push(format!("{}: {there} and {never}", ask.named()));
                }
            }
        }
    }
    // Lists are empty for both.
    for query in ["contact=$ID", "contact=$ID&limit=1", "contact=$ID&waiting=true&limit=1"] {
        let ask = get("/conversations", &format!("?{query}"));
        for id in &world.contacts {
            let there = ask.about(&world.piotr, id, "").await;
            let never = ask.about(&world.piotr, &never(id), "").await;
            if never.status != 200 || seen(&there) != seen(&never) {
                told.push(format!("{}: {there} and {never}", ask.named()));
            }
        }
    }
    assert!(told.is_empty(), "a stranger sees that they are there:\n{}", told.join("\n"));
    assert_eq!(card(&world).await, before, "nothing of it was done");
    world.channel.close().await;
    world.theirs.close().await;
}

#[allow(clippy::print_stdout)] // Figures for docs/CONTACTS.md.
async fn a_contact_of_others_is_refused_as_quickly_as_one_that_never_was(server: Homeserver) {
    if is_reference() {
        return;
    }
    let world = world(&server).await;
    for ask in [
        get("/contacts/{id}", ""),
        get("/contacts/{id}/timeline", ""),
        get("/contacts/{id}/search", "?q=hello"),
    ] {
        for (what, id) in ["of a team", "of an owner", "merged"].into_iter().zip(&world.contacts) {
            let ids = [id.clone(), never(id)];
            let mut waits = [Vec::new(), Vec::new()];
            for round in 0..ROUNDS {
                // Each is the first as often, so that what disturbs one disturbs the other.
                for which in [round % 2, 1 - round % 2] {
                    let asked = Instant::now();
                    let answer = ask.about(&world.piotr, &ids[which], "").await;
                    waits[which].push(asked.elapsed());
                    assert_eq!(answer.status, 404, "{answer}");
                }
            }
            let [there, never] = waits.map(median);
            let ratio = there.as_secs_f64() / never.as_secs_f64();
            println!("{} {what}: p50 {there:?}, of one that never was {never:?}: {ratio:.2}", ask.path);
            assert!((1.0 / 1.5..1.5).contains(&ratio), "{} {what}: {there:?} and {never:?}", ask.path);
        }
    }
    world.channel.close().await;
    world.theirs.close().await;
}

fn median(mut waits: Vec<Duration>) -> Duration {
    waits.sort_unstable();
    waits[waits.len() / 2]
}
