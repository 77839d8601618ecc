//! A page with the widget in front of a running shop, and strings to pull: what employees do.

use super::{Shop, until};
use kontor_emulators::database::Db;
use kontor_emulators::serve::{Asked, Said, Serving};
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};
use tokio::sync::RwLock;

/// A stage.
pub struct Stage {
    serving: Serving,
    pub shop: Arc<OnceLock<RwLock<Shop>>>,
}

/// The demonstration shop, a widget that is never open, and one that asks first.
fn settings(origin: &str) -> Value {
    let mut settings = kontor_bridge_webchat::demo::settings(origin);
    settings["widgets"][0]["identity_secrets"] = json!([super::IDENTITY_SECRET]);
    let widget = settings["widgets"][0].clone();
    let mut closed = widget.clone();
    closed["id"] = json!("closed");
    closed["hours"] = json!({ "zone": "Europe/Warsaw" });
    closed["privacy_url"] = json!("https://shop.example/dane");
    let mut asking = widget.clone();
    asking["id"] = json!("asking");
    asking["side"] = json!("left");
    asking["colour"] = json!("#ffd400");
    asking["ask"] = json!([{ "name": "name", "required": true }, { "name": "phone" }]);
    settings["widgets"] = json!([widget, closed, asking]);
    settings
}

impl Stage {
    pub async fn open() -> Self {
        let shop: Arc<OnceLock<RwLock<Shop>>> = Arc::default();
        let handler = Arc::clone(&shop);
        let serving = Serving::start(Arc::new(move |asked| {
            let shop = Arc::clone(&handler);
            Box::pin(async move { answer(shop.get().expect("the shop is open"), &asked).await })
        }))
        .await;
        let opened = Shop::with(Db::Sqlite, settings(&serving.url())).await;
        let _ = shop.set(RwLock::new(opened));
        Self { serving, shop }
    }

    pub fn url(&self) -> String {
        self.serving.url()
    }
}

async fn answer(shop: &RwLock<Shop>, asked: &Asked) -> Said {
    let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["stage", "restart"] => {
            shop.write().await.restart().await;
            Said::ok(json!({}))
        }
        ["stage", act] => Said::ok(pull(&*shop.read().await, act, &asked.json()).await),
        [] => {
            let page = kontor_bridge_webchat::demo::page(&format!("http://{}", shop.read().await.address));
            let widget = asked.param("w").unwrap_or("olcha");
            let lang = asked.param("lang").unwrap_or("pl");
            let tag = format!("data-widget=\"{widget}\" data-lang=\"{lang}\"");
            let page = page.replace("data-widget=\"olcha\"", &tag);
            Said::Bytes("text/html; charset=utf-8".to_owned(), page.into())
        }
        ["strict"] => {
            let host = format!("http://{}", shop.read().await.address);
            let script = format!("{host}/_kontor/widget/v1/widget.js");
            let policy = format!("default-src 'none'; script-src {host}; connect-src {host}; img-src blob:");
            let page = format!(
                "<!doctype html><title>x</title><meta http-equiv=\"content-security-policy\" content=\"{policy}\">\
                 <body><script src=\"{script}\" data-widget=\"olcha\" data-lang=\"pl\" async></script>"
            );
            Said::Bytes("text/html; charset=utf-8".to_owned(), page.into())
        }
        _ => Said::Json(404, json!({})),
    }
}

/// A picture of one colour that grows darker: a bitmap inside a PNG is more than a test needs, so a GIF.
const PICTURE: &[u8] = b"GIF89a\x02\x00\x02\x00\x80\x00\x00\x2f\x5d\x50\xc9\x81\x2b!\xf9\x04\x00\x00\x00\x00\x00,\x00\x00\x00\x00\x02\x00\x02\x00\x00\x02\x03D\x02\x05\x00;";

async fn pull(shop: &Shop, act: &str, what: &Value) -> Value {
    let room = shop.room(what["visitor"].as_str().unwrap_or_default()).await;
    let text = what["text"].as_str().unwrap_or_default();
    let event = what["event"].as_str().unwrap_or_default();
    let message = json!({ "msgtype": "m.text", "body": text });
    match act {
        "says" => {
            let mut content = message;
            if let Some(html) = what["html"].as_str() {
                content["format"] = json!("org.matrix.custom.html");
                content["formatted_body"] = json!(html);
            }
            json!({ "event": shop.home.act(&room, "m.room.message", content) })
        }
        "edits" => {
            let relation = json!({ "rel_type": "m.replace", "event_id": event });
            let content = json!({ "msgtype": "m.text", "body": text, "m.new_content": message, "m.relates_to": relation });
            json!({ "event": shop.home.act(&room, "m.room.message", content) })
        }
        "deletes" => json!({ "event": shop.home.redacts(&room, event) }),
        "sends_picture" => {
            let mxc = shop.home.stores("image/gif", PICTURE);
            let content = json!({ "msgtype": "m.image", "body": "lampa.gif", "url": mxc,
                "info": { "mimetype": "image/gif", "size": PICTURE.len() } });
            json!({ "event": shop.home.act(&room, "m.room.message", content) })
        }
        "types" => {
            let who = if what["on"] == true { json!(["@anna:stand.in"]) } else { json!([]) };
            shop.ephemeral(json!({ "type": "m.typing", "room_id": room, "content": { "user_ids": who } }))
                .await;
            json!({})
        }
        "reads" => {
            let last = until("something to read", || async {
                let all = shop.in_room(&room, "m.room.message").into_iter().rev();
                all.into_iter()
                    .find(|event| event["sender"].as_str().is_some_and(|who| who.starts_with("@kontor_")))
            })
            .await;
            let receipt = json!({ last["event_id"].as_str().unwrap(): { "m.read": { "@anna:stand.in": { "ts": 1 } } } });
            shop.ephemeral(json!({ "type": "m.receipt", "room_id": room, "content": receipt })).await;
            json!({})
        }
        "room" => {
            let notices = shop.in_room(&room, "m.room.message").into_iter();
            let notices = notices.filter(|event| event["content"]["msgtype"] == "m.notice");
            let notices: Vec<Value> = notices.map(|event| event["content"].clone()).collect();
            json!({ "shown": shop.shown(&room), "notices": notices, "rungs": shop.rungs(&room, event) })
        }
        other => panic!("nobody knows how to {other}"),
    }
}
