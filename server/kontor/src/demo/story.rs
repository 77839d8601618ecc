//! `kontor demo --story`: the main job in one story, told in plain words while it happens. A customer fills in the shop's
//! form, goes on in Telegram, shares a telephone number, turns out to be one person, pays, says so and is answered.
//! Everything happens through the doors that everybody uses.

use super::Place;
use super::furnish::People;
use crate::bridge::Admin;
use crate::system::{SystemClock, say};
use kontor_model::{Clock as _, Secret};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long one step may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether something happened.
const LOOK: Duration = Duration::from_millis(300);
/// The customer of the story, as the emulator knows her.
const OKSANA: &str = "oksana";
const NAME: &str = "Oksana Petrenko";
/// The shop, as it is known to Kontor.
const SHOP: &str = "olcha";

/// Whoever plays it, and where.
struct Stage<'a> {
    anna: Admin,
    maria: Admin,
    telegram: Admin,
    chat: Admin,
    place: &'a Place,
    /// Distinguishes this telling from earlier ones in the same folder.
    turn: String,
}

/// A conversation.
struct Talk {
    room: String,
    backstage: String,
    contact: String,
}

/// Plays it to its end.
///
/// # Errors
/// A sentence: something did not happen.
pub async fn tell(place: &Place, people: &People) -> Result<(), String> {
    let stage = Stage::open(place, people).await?;
    say(
        "\nThe story. Customers and employees do what you see here; you can do the same on the pages below.\n",
    );
    let form = stage.form().await?;
    let talk = stage.telegram_begins().await?;
    stage.phone(&talk).await?;
    stage.one_person(&form, &talk).await?;
    stage.payment(&talk).await?;
    stage.paid(&talk).await?;
    stage.card(&talk).await?;
    for who in [&stage.anna, &stage.maria] {
        who.must(Method::POST, "/_matrix/client/v3/logout", Some(&json!({}))).await?;
    }
    say("The story is told.");
    Ok(())
}

fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(value: &'v Value, path: &str) -> impl Iterator<Item = &'v Value> {
    value.pointer(path).and_then(Value::as_array).into_iter().flatten()
}

/// Somebody's session, and what distinguishes it.
async fn log_in(server: &Admin, people: &People, name: &str) -> Result<(Admin, String), String> {
    let login = json!({
        "type": "m.login.password", "identifier": { "type": "m.id.user", "user": name },
        "password": people.password(name), "initial_device_display_name": "kontor demo --story",
    });
    let session = server.must(Method::POST, "/_matrix/client/v3/login", Some(&login)).await?;
    let token = Secret::new(text(&session, "/access_token").to_owned());
    Ok((server.with(token), text(&session, "/device_id").to_owned()))
}

/// A step that is told before it is done.
fn scene(words: &str) {
    say(format!("• {words}"));
}

impl<'a> Stage<'a> {
    async fn open(place: &'a Place, people: &People) -> Result<Self, String> {
        let nobody = || Secret::new(String::new());
        let server = Admin::new(&place.server_url(), nobody())?;
        let (anna, turn) = log_in(&server, people, "anna").await?;
        let (maria, _) = log_in(&server, people, "maria").await?;
        Ok(Self {
            anna,
            maria,
            telegram: Admin::new(&format!("http://{}", place.telegram), nobody())?,
            chat: Admin::new(&format!("http://{}", place.chat), nobody())?,
            place,
            turn,
        })
    }

    /// Waits until something is there.
    async fn until<T, F, Fut>(&self, what: &str, mut found: F) -> Result<T, String>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<Option<T>, String>>,
    {
        let began = Instant::now();
        loop {
            if let Some(found) = found().await? {
                return Ok(found);
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("The story stops: {what} did not happen."));
            }
            sleep(LOOK).await;
        }
    }

    /// The conversation of a channel in whose room this was said, newest first.
    async fn talk_with(&self, said: &str) -> Result<Talk, String> {
        let conversations = "/_kontor/contacts/v1/conversations?limit=100";
        let look = async || {
            let all = self.anna.must(Method::GET, conversations, None).await?;
            for one in list(&all, "/conversations") {
                let room = text(one, "/room_id");
                if self.timeline(room).await?.iter().any(|event| text(event, "/content/body").contains(said))
                {
                    return Ok(Some(Talk {
                        room: room.to_owned(),
                        backstage: text(one, "/backstage_room_id").to_owned(),
                        contact: text(one, "/contact_id").to_owned(),
                    }));
                }
            }
            Ok(None)
        };
        self.until("a message arriving at Anna's", look).await
    }

    /// The newest events of a room that Anna is in; none when she is not.
    async fn timeline(&self, room: &str) -> Result<Vec<Value>, String> {
        let path = format!("/_matrix/client/v3/rooms/{}/messages?dir=b&limit=50", escaped(room));
        let answer = self.anna.ask(Method::GET, &path, None, None).await?;
        Ok(list(&answer.json, "/chunk").cloned().collect())
    }

    /// Anna writes.
    async fn anna_writes(&self, room: &str, key: &str, words: &str) -> Result<(), String> {
        let txn = format!("{key}-{}", escaped(&self.turn));
        let path = format!("/_matrix/client/v3/rooms/{}/send/m.room.message/{txn}", escaped(room));
        let content = json!({ "msgtype": "m.text", "body": words });
        self.anna.must(Method::PUT, &path, Some(&content)).await.map(drop)
    }

    /// The customer does something in Telegram.
    async fn oksana_does(&self, key: &str, what: Value) -> Result<(), String> {
        let mut item = json!({ "id": format!("story-{key}-{}", self.turn), "box": OKSANA });
        if let (Some(item), Value::Object(what)) = (item.as_object_mut(), what) {
            item.extend(what);
        }
        self.telegram.must(Method::POST, "/_emu/inject", Some(&item)).await.map(drop)
    }

    /// Waits until the customer sees this in Telegram.
    async fn oksana_sees(&self, words: &str) -> Result<(), String> {
        let look = async || {
            let sent = self.telegram.must(Method::GET, "/_emu/sent", None).await?;
            let seen = list(&sent, "/sent")
                .any(|one| text(one, "/box") == OKSANA && text(one, "/text").contains(words));
            Ok(seen.then_some(()))
        };
        self.until("an answer arriving in Telegram", look).await
    }
}

/// A text as one segment of a path.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

impl Stage<'_> {
    /// The form of the shop's page.
    async fn form(&self) -> Result<Talk, String> {
        let words = format!("Czy lampa Sosna będzie jeszcze w maju? ({})", self.turn);
        scene(&format!("{NAME} fills in the form of the shop's page, with her telephone number: “{words}”"));
        let origin = format!("http://{}", self.place.shop);
        let session =
            self.chat.of_page(&origin, None, "/_kontor/widget/v1/session?w=olcha", &json!({})).await?;
        let token = text(&session, "/visitor_token").to_owned();
        let lead = json!({
            "name": NAME, "phone": "601 234 567", "message": words, "elapsed_ms": 20_000,
            "submission_id": format!("story-{}", self.turn),
        });
        self.chat.of_page(&origin, Some(&token), "/_kontor/widget/v1/lead?w=olcha", &lead).await?;
        let talk = self.talk_with(&words).await?;
        say(
            "    It is a conversation in Anna's client, with an internal room beside it. The number was typed: claimed, not proven.",
        );
        Ok(talk)
    }

    async fn telegram_begins(&self) -> Result<Talk, String> {
        let words = format!("Dzień dobry, pisałam w formularzu o lampę ({})", self.turn);
        scene(&format!("Some minutes later she writes to the shop's bot in Telegram: “{words}”"));
        self.oksana_does("hello", json!({ "type": "text", "text": words })).await?;
        let talk = self.talk_with(&words).await?;
        say(
            "    A second conversation. A name alone never says that two are one, so it is another card for now.",
        );
        Ok(talk)
    }

    async fn phone(&self, talk: &Talk) -> Result<(), String> {
        scene("Anna writes !telefon in the room; Telegram shows Oksana a button, and she shares her number");
        self.anna_writes(&talk.room, "phone", "!telefon Proszę o numer, żebym znalazła Pani pytanie.")
            .await?;
        self.oksana_sees("Proszę o numer").await?;
        self.oksana_does("share", json!({ "type": "share" })).await?;
        let look = async || {
            let shared = |event: &Value| text(event, "/content/body").contains("+48601234567");
            Ok(self.timeline(&talk.room).await?.iter().any(shared).then_some(()))
        };
        self.until("the number arriving", look).await?;
        say("    Telegram vouches that it is hers: proven.");
        Ok(())
    }

    /// Both cards have the same number by now: Kontor suggests that they are one person, and Anna agrees.
    async fn one_person(&self, form: &Talk, talk: &Talk) -> Result<(), String> {
        scene("Kontor compares the two cards");
        if self.contact_of(talk).await? == self.contact_of(form).await? {
            say("    They were one already: she told the same number before.");
            return Ok(());
        }
        let look = async || {
            let asks = |event: &&Value| {
                let body = text(event, "/content/body");
                body.contains('✅') && body.contains(NAME) && !body.starts_with('!')
            };
            Ok(self.timeline(&talk.backstage).await?.iter().find(asks).cloned())
        };
        let asked = self.until("a suggestion", look).await?;
        say("    It asks Anna in the internal room, where the customer reads nothing:\n");
        for line in text(&asked, "/content/body").lines() {
            say(format!("    {line}"));
        }
        scene("Anna answers with a reaction: ✅");
        let path = format!(
            "/_matrix/client/v3/rooms/{}/send/m.reaction/yes-{}",
            escaped(&talk.backstage),
            escaped(&self.turn)
        );
        let annotation =
            json!({ "rel_type": "m.annotation", "event_id": text(&asked, "/event_id"), "key": "✅" });
        self.anna.must(Method::PUT, &path, Some(&json!({ "m.relates_to": annotation }))).await?;
        let look = async || {
            let one = self.contact_of(talk).await? == self.contact_of(form).await?;
            Ok(one.then_some(()))
        };
        self.until("one card", look).await?;
        let path = format!("/_kontor/contacts/v1/contacts/{}", form.contact);
        let card = self.anna.must(Method::GET, &path, None).await?;
        let count = list(&card, "/conversations").count();
        say(format!("    One card with {count} conversations. Nothing moved, and !cofnij takes it back."));
        Ok(())
    }

    /// Whose a conversation is by now.
    async fn contact_of(&self, talk: &Talk) -> Result<String, String> {
        let path = format!("/_kontor/contacts/v1/contacts/{}", talk.contact);
        let card = self.anna.must(Method::GET, &path, None).await?;
        Ok(text(&card, "/contact_id").to_owned())
    }

    /// The shop tells of the payment, signed; it stands beside the chat.
    async fn payment(&self, talk: &Talk) -> Result<(), String> {
        scene("Oksana pays in the shop, and the shop tells Kontor, with its signature");
        let shops = "/_kontor/admin/v1/shops";
        let wish = json!({ "id": SHOP, "kind": "kontor", "name": "Sklep Olcha" });
        let known = self.maria.ask(Method::GET, shops, None, None).await?;
        let known = list(&known.json, "/shops").any(|shop| text(shop, "/id") == SHOP);
        // A secret is shown once: when the story was told before, there is another one.
        let shop = match known {
            false => self.maria.must(Method::POST, shops, Some(&wish)).await?,
            true => {
                self.maria.must(Method::POST, &format!("{shops}/{SHOP}/rotate"), Some(&json!({}))).await?
            }
        };
        let now = SystemClock.now();
        let number = (now / 1000 % 100_000).to_string();
        let order = json!({
            "occurred_at": now, "order_key": number, "number": number, "kind": "paid", "amount_minor": 12_900,
            "currency": "PLN", "customer": { "phone": "601 234 567", "name": NAME },
            "payment": { "method": "BLIK" }, "items": [{ "name": "Lampa Sosna", "qty": 1 }],
        });
        let body = order.to_string();
        let signature = kontor_contacts::webhook::signature(text(&shop, "/secret"), now, &body)
            .map_err(|error| error.message.into_owned())?;
        self.maria.signed(&format!("/_kontor/shop/v1/{SHOP}"), &signature, body).await?;
        let look = async || {
            let paid = |event: &&Value| {
                text(event, "/content/msgtype") == "m.notice"
                    && text(event, "/content/body").contains(&number)
            };
            let events = self.timeline(&talk.backstage).await?;
            Ok(events.iter().find(paid).map(|event| text(event, "/content/body").to_owned()))
        };
        let told = self.until("the payment beside the chat", look).await?;
        for line in told.lines() {
            say(format!("    {line}"));
        }
        Ok(())
    }

    async fn paid(&self, talk: &Talk) -> Result<(), String> {
        scene("Oksana writes in Telegram: “Zapłaciłem”… and corrects herself: “Zapłaciłam”");
        let said = format!("Zapłaciłem ({})", self.turn);
        self.oksana_does("paid", json!({ "type": "text", "text": said })).await?;
        self.talk_with(&said).await?;
        let mended = format!("Zapłaciłam ({})", self.turn);
        let of = format!("story-paid-{}", self.turn);
        self.oksana_does("mended", json!({ "type": "edit", "of": of, "text": mended })).await?;
        let answer = format!("Dziękujemy! Lampa wyjeżdża jutro. ({})", self.turn);
        scene(&format!("Anna answers in her Matrix client: “{answer}”"));
        self.anna_writes(&talk.room, "answer", &answer).await?;
        self.oksana_sees(&answer).await?;
        say("    Oksana reads it in Telegram.");
        Ok(())
    }

    /// What Anna reads when she asks for the card.
    async fn card(&self, talk: &Talk) -> Result<(), String> {
        scene("Anna types !karta in the internal room, which no customer ever sees:\n");
        self.anna_writes(&talk.backstage, "card", "!karta").await?;
        let look = async || {
            let events = self.timeline(&talk.backstage).await?;
            let asked = events.iter().position(|event| text(event, "/content/body") == "!karta");
            let answer = asked.and_then(|at| events.get(at.checked_sub(1)?));
            Ok(answer.map(|answer| text(answer, "/content/body").to_owned()))
        };
        let card = self.until("the card", look).await?;
        for line in card.lines() {
            say(format!("    {line}"));
        }
        say("");
        Ok(())
    }
}
