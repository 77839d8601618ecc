//! The reference channel: what a network costs when everything else is in the kit.

use async_trait::async_trait;
use futures_util::StreamExt as _;
use kontor_bridge_kit::{
    Act, Body, Call, Caps, Channel, Commit, Context, Download, Failure, FailureKind, File, FileKind,
    HookReply, HookRequest, Item, Keep, Message, Outcome, Outgoing, Part, Party, Probe, Profile, Pulled,
    Rate, Receipt, Reply, Response, Rung, Scope, SendError, Standing, Status, Uncertain, proof,
};
use kontor_emulators::postbox::{Nature, SECRET, TOKEN};
use kontor_model::{Code, Error, Result};
use serde_json::{Value, json};

/// How far a signature's time may be off, milliseconds.
const TOLERANCE: i64 = 300_000;

pub struct PostboxChannel {
    base: String,
    nature: Nature,
    pulls: bool,
}

impl PostboxChannel {
    pub fn new(base: &str, nature: Nature, pulls: bool) -> Self {
        Self { base: base.to_owned(), nature, pulls }
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Call {
        Call {
            method: method.to_owned(),
            url: format!("{}{path}", self.base),
            headers: vec![("authorization".to_owned(), format!("Bearer {TOKEN}"))],
            body: body.map(Value::to_string).unwrap_or_default().into(),
            patience: None,
        }
    }

    fn verify(request: &HookRequest) -> Result<()> {
        let refused = || Error::new(Code::InvalidSignature, "The signature is missing or wrong.");
        let header = request.header("postbox-signature").ok_or_else(refused)?;
        let (time, tag) = header.split_once(",v1=").ok_or_else(refused)?;
        let at: i64 = time.trim_start_matches("t=").parse().map_err(|_| refused())?;
        let tag = proof::from_hex(tag).ok_or_else(refused)?;
        let signed = [at.to_string().as_bytes(), b".", &request.body].concat();
        if !proof::is_hmac_sha256(SECRET.as_bytes(), &signed, &tag) {
            return Err(refused());
        }
        if (request.at - at).abs() > TOLERANCE {
            return Err(Error::new(Code::Unauthorized, "The signature is too old."));
        }
        Ok(())
    }

    /// What is to be kept of news. A customer who moves to another box stays in the conversation of the first.
    async fn news(context: &Context, list: &Value) -> Result<Commit> {
        let items = list["items"].as_array().ok_or_else(|| Error::bad_json("There are no items."))?;
        let mut commit = Commit::default();
        for value in items {
            let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
            let name = first(&text("box"));
            let here = commit.kept.iter().rev().find(|keep| keep.name == name);
            let first_box = match here.and_then(|keep| keep.value.clone()) {
                Some(known) => Some(known),
                None => context.kept(&name).await?,
            };
            let lane = first_box.unwrap_or_else(|| text("box"));
            if text("type") == "moved" {
                let (name, value) = (first(&text("to")), Some(lane.clone()));
                commit.kept.push(Keep { name, value, until: None, secret: false });
            }
            let at = value["at"].as_i64().unwrap_or_default();
            commit.items.push(Item { key: text("id"), lane, at, raw: value.to_string().into_bytes() });
        }
        Ok(commit)
    }

    async fn message(&self, context: &Context, outgoing: &Outgoing) -> Result<Value, SendError> {
        let mut message = json!({ "box": outgoing.to.external_id, "key": outgoing.ours });
        let fields = match &outgoing.act {
            Act::Text { text, .. } => json!({ "type": "text", "text": text }),
            Act::File { file, .. } => {
                let download = context.open_media(&file.mxc).await.map_err(SendError::unwritten)?;
                let chunks: Vec<_> = download.bytes.collect().await;
                let bytes: Vec<u8> = chunks.into_iter().flatten().flatten().collect();
                json!({ "type": "file", "name": file.name, "contents": String::from_utf8_lossy(&bytes) })
            }
            Act::Edit { remote, text, .. } => json!({ "type": "edit", "of": remote, "text": text }),
            Act::Delete { remote } => json!({ "type": "delete", "of": remote }),
            Act::React { remote, key } => json!({ "type": "react", "of": remote, "emoji": key }),
        };
        message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        Ok(message)
    }
}

/// Under which name the box is kept that a customer had first.
fn first(present: &str) -> String {
    format!("first-{present}")
}

fn classify(answer: &Response) -> Outcome {
    let body = answer.json();
    let retry = |scope| Outcome::Retry {
        after: body["retry_after_ms"].as_i64(),
        scope,
        why: answer.status.to_string(),
    };
    match answer.status {
        200 => Outcome::taken(body["id"].as_str().unwrap_or_default()),
        401 => retry(Scope::Credentials),
        403 => Outcome::Failed(Failure::new(FailureKind::Policy, "")),
        429 => retry(Scope::Channel),
        500.. => retry(Scope::Lane),
        _ => Outcome::Failed(Failure::new(FailureKind::Rejected, "")),
    }
}

#[async_trait]
impl Channel for PostboxChannel {
    fn caps(&self) -> Caps {
        Caps {
            pulls: self.pulls,
            edits: true,
            deletes: true,
            reactions: self.nature != Nature::Nothing,
            best_receipt: if self.nature == Nature::Nothing { Rung::Accepted } else { Rung::Read },
            uncertain: match self.nature {
                Nature::Keys => Uncertain::Idempotent,
                Nature::Echo => Uncertain::Echo(2500),
                Nature::Nothing => Uncertain::Ask,
            },
            rate: Rate { per_second: 100, burst: 100 },
            lane_rate: Rate { per_second: 50, burst: 50 },
            ..Caps::of("postbox")
        }
    }

    async fn hook(&self, context: &Context, request: HookRequest) -> Result<HookReply> {
        if request.method != "POST" || request.path != "/postbox" {
            return Err(Error::not_found("There is nothing here."));
        }
        Self::verify(&request)?;
        let bad = |error| Error::bad_json("The news are no JSON.").because(error);
        let commit = Self::news(context, &serde_json::from_slice(&request.body).map_err(bad)?).await?;
        Ok(HookReply::keep(commit, Reply::empty(Status::Ok)))
    }

    async fn pull(&self, context: &Context, cursor: Option<String>) -> Result<Pulled> {
        let path = format!("/updates?after={}", cursor.as_deref().unwrap_or("0"));
        let answer = context.outward().call(self.call("GET", &path, None)).await?;
        let news = answer.json();
        let commit = Self::news(context, &news).await?;
        let cursor = news["next"].as_i64().map(|next| next.to_string());
        Ok(Pulled { commit, cursor, pause: 0, everything: true })
    }

    fn parse(&self, item: &Item) -> Result<Vec<Part>> {
        let value: Value = serde_json::from_slice(&item.raw).map_err(Error::internal)?;
        let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
        let opt = |field: &str| value[field].as_str().map(str::to_owned);
        let from = Profile {
            id_type: "box".to_owned(),
            external_id: text("box"),
            display_name: opt("name"),
            ..Profile::default()
        };
        let message = |party, body| {
            let remote = opt("of").unwrap_or_else(|| text("id"));
            Part::Message(Message {
                remote,
                party,
                body,
                reply_to: opt("reply_to"),
                quote: opt("quote"),
                from: from.clone(),
            })
        };
        let part = match text("type").as_str() {
            "text" => message(Party::Customer, Body::Text { text: text("text"), html: opt("html") }),
            "company" => message(Party::Company { name: opt("name") }, Body::text(text("text"))),
            "echo" => message(Party::Echo { ours: opt("key") }, Body::text(text("text"))),
            "file" => {
                let file = File {
                    locator: text("file"),
                    name: text("name"),
                    media_type: "image/png".to_owned(),
                    size: None,
                    kind: FileKind::Image,
                    caption: None,
                };
                message(Party::Customer, Body::File(file))
            }
            "edit" => {
                Part::Edit { remote: text("of"), party: Party::Customer, body: Body::text(text("text")) }
            }
            "delete" => Part::Delete { remote: text("of"), party: Party::Customer },
            "react" => Part::Reaction { remote: text("of"), party: Party::Customer, key: text("key") },
            "receipt" => {
                let rung = Rung::ALL.into_iter().find(|rung| rung.name() == text("state"));
                let standing = Standing::at(rung.ok_or_else(|| Error::bad_json("an unknown state"))?);
                Part::Receipt(Receipt { ours: opt("key"), remote: opt("of"), standing, up_to: false })
            }
            "moved" => Part::Moved { external_id: text("to") },
            "broken" => return Err(Error::bad_json("this cannot be read")),
            what => Part::Unsupported { remote: None, what: what.to_owned(), from: Some(from.clone()) },
        };
        Ok(vec![part])
    }

    async fn send(&self, context: &Context, outgoing: Outgoing) -> Result<Outcome, SendError> {
        let message = self.message(context, &outgoing).await?;
        let answer = context.outward().call(self.call("POST", "/send", Some(&message))).await?;
        Ok(classify(&answer))
    }

    async fn fetch(&self, context: &Context, locator: &str) -> Result<Download> {
        context.outward().open(self.call("GET", &format!("/files/{locator}"), None)).await
    }

    async fn health(&self, context: &Context) -> Result<Probe> {
        let answer = context.outward().call(self.call("GET", "/me", None)).await?;
        Ok(match answer.status {
            200 => Probe::FINE,
            401 => Probe::BadCredentials("The post box refuses the token.".to_owned()),
            status => Probe::Degraded(format!("The post box answers {status}.")),
        })
    }
}
