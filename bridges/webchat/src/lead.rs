//! Forms: the widget's when nobody is there (`POST /lead`), and any other form of the company
//! (`POST /_kontor/intake/v1/{form}`), from its server or from a browser.
//!
//! What is typed into a form is claimed and not verified: it attaches to a card with a flag, and shows
//! nothing to whoever typed it.

use crate::config::{Form, Limits, Widget};
use crate::door::Door;
use crate::item::Raw;
use crate::limits::{Quota, neighbourhood};
use crate::session::{Origin, Typed};
use crate::talk::{Ticked, agreed};
use crate::{LARGEST_BODY, WebChat, answer, body, clean, entry, signed, visitor};
use kontor_bridge_kit::proof::sha256_hex;
use kontor_bridge_kit::{
    Claim, Commit, Consent, Context, HookReply, HookRequest, Keep, Profile, Reply, Source, Status, Trust,
};
use kontor_model::{Code, Error, Ms, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// How long the same words of the same person are the same form, milliseconds.
const SAME: Ms = 600_000;

/// A filled-in form. Fields that are not known are nobody's business here and are not kept.
#[derive(Debug, Default, Deserialize)]
struct Lead {
    #[serde(default)]
    submission_id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    consents: Vec<Ticked>,
    #[serde(flatten)]
    origin: Origin,
    /// How long it took to fill in, milliseconds.
    #[serde(default)]
    elapsed_ms: Option<i64>,
    /// When the form was shown, milliseconds: for forms without a script.
    #[serde(default)]
    started: Option<i64>,
    /// A field that people do not see. Who fills it in is no person.
    #[serde(default)]
    website: String,
}

/// A form that was checked.
struct Checked {
    typed: Typed,
    message: String,
    consents: Vec<Consent>,
    facts: Map<String, Value>,
    /// What makes it the same form when it is sent again.
    submission: String,
}

impl Lead {
    /// Whether a program filled it in.
    fn is_trap(&self) -> bool {
        !self.website.is_empty()
    }

    /// Refuses what was filled in faster than people do.
    fn check_time(&self, limits: &Limits, now: Ms) -> Result<()> {
        let elapsed = self.elapsed_ms.or(self.started.map(|started| now - started));
        match elapsed {
            Some(elapsed) if elapsed >= limits.fastest_form_ms => Ok(()),
            Some(_) => {
                Err(Error::new(Code::Unprocessable, "That was fast. Wait a moment and send it again."))
            }
            None => Err(Error::bad_json("The form lacks elapsed_ms or started.")),
        }
    }

    fn check(&self, form: &str, texts: &[crate::config::Consent], now: Ms) -> Result<Checked> {
        let typed = Typed { name: self.name.clone(), email: self.email.clone(), phone: self.phone.clone() };
        let typed = typed.clean()?;
        if typed.email.is_none() && typed.phone.is_none() {
            let why = "The form needs an e-mail address or a phone number to answer to.";
            return Err(Error::new(Code::Unprocessable, why));
        }
        let message = clean::text(&self.message);
        if message.chars().count() > clean::LONGEST_TEXT {
            return Err(Error::new(Code::TooLarge, "The message is too long."));
        }
        let consents = agreed(texts, &self.consents, Source::Form, now)?;
        if let Some(missing) =
            texts.iter().find(|text| text.required && !consents.iter().any(|given| given.purpose == text.id))
        {
            let why = format!("The form cannot be taken without {:?}, which was not ticked.", missing.id);
            return Err(Error::new(Code::Unprocessable, why));
        }
        let given = self.submission_id.as_deref().map(|id| clean::line(id, 100)).filter(|id| !id.is_empty());
        let same = json!([form, typed.email, typed.phone, message]).to_string();
        let mut facts = self.origin.facts();
        facts.insert("form".to_owned(), json!(form));
        facts.insert("verified".to_owned(), json!(false));
        facts.extend(given.iter().map(|id| ("submission_id".to_owned(), json!(id))));
        let submission = match &given {
            Some(id) => format!("i{}", sha256_hex(id.as_bytes())),
            None => format!("h{}", sha256_hex(same.as_bytes())),
        };
        Ok(Checked { typed, message, consents, facts, submission })
    }
}

/// A plain HTML form in the words of [`Lead`]. A consent is a field `consent_ID` with the version.
fn of_fields(form: &Form, bytes: &[u8], now: Ms) -> Lead {
    let mut lead = Lead::default();
    let mut utm = Map::new();
    for (name, value) in url::form_urlencoded::parse(bytes) {
        let value = value.into_owned();
        match name.as_ref() {
            "submission_id" => lead.submission_id = Some(value),
            "name" => lead.name = Some(value),
            "email" => lead.email = Some(value),
            "phone" => lead.phone = Some(value),
            "message" => lead.message = value,
            "page" => lead.origin.page = Some(value),
            "elapsed_ms" => lead.elapsed_ms = value.parse().ok(),
            "started" => lead.started = value.parse().ok(),
            "website" => lead.website = value,
            name => {
                if let Some(key) = name.strip_prefix("utm_") {
                    utm.insert(key.to_owned(), json!(value));
                } else if let Some(id) = name.strip_prefix("consent_") {
                    let text = form.consents.iter().find(|text| text.id == id);
                    let text_sha256 = text.map(|text| text.sha256(form.language)).unwrap_or_default();
                    lead.consents.push(Ticked {
                        id: id.to_owned(),
                        version: value,
                        text_sha256,
                        given_at: now,
                    });
                }
            }
        }
    }
    lead.origin.utm = (!utm.is_empty()).then_some(utm);
    lead
}

fn accepted(seq: i64) -> Reply {
    let seq = (seq > 0).then_some(seq);
    answer::json(&json!({ "accepted": true, "seq": seq }))
}

impl WebChat {
    /// Answers `POST /lead`: nobody is there, the visitor leaves a message and an address.
    pub async fn lead(&self, context: &Context, request: &HookRequest, widget: &Widget) -> Result<HookReply> {
        let lead: Lead = body(request)?;
        if lead.is_trap() {
            tracing::info!(widget = widget.id, "A form was filled in by a program; nothing was kept.");
            return Ok(HookReply::only(accepted(0)));
        }
        let mut visitor = visitor::required(context, request, widget).await?;
        lead.check_time(&widget.limits, request.at)?;
        let checked = lead.check(&widget.id, &widget.consents, request.at)?;
        let quota = Quota::of(widget.limits.forms_per_hour, 3600);
        self.limiter.take("form", &neighbourhood(request.remote), quota, request.at)?;
        let _writing = self.writing(&visitor.id).await;
        visitor = visitor::required(context, request, widget).await?;
        checked.typed.apply(&mut visitor)?;
        visitor.spoken = true;
        let (lane, now) = (visitor.id.clone(), request.at);
        let id = &checked.submission;
        let raw = Raw::Lead {
            remote: entry::visitor_id(id),
            form: widget.id.clone(),
            text: checked.message.clone(),
            from: visitor.profile(),
            consents: checked.consents,
            facts: checked.facts,
        };
        let mut commit = Commit {
            items: vec![raw.item(format!("l:{lane}:{id}"), &lane, now)?],
            kept: vec![visitor.keep(now)?],
            ..Commit::default()
        };
        if !checked.message.is_empty() {
            let shown = entry::visitor_text(id, &checked.message);
            commit.journal.push(entry::entry(&lane, format!("c:{id}"), &shown));
        }
        let done = context.commit(commit).await?;
        Ok(HookReply::only(accepted(done.journal.first().map_or(0, |noted| noted.seq))))
    }

    /// Answers everything under `/_kontor/intake/v1/`.
    pub async fn intake(&self, context: &Context, request: &HookRequest, form: &str) -> Result<HookReply> {
        let form = self.settings.form(form).ok_or_else(|| Error::not_found("There is no such form."))?;
        if request.method == "OPTIONS" {
            return Ok(HookReply::only(Door::enter(request, &form.origins)?.preflight()));
        }
        if request.method != "POST" {
            return Err(Error::new(Code::MethodNotAllowed, "Forms are sent with POST."));
        }
        let signature = request.header("kontor-signature");
        let door = match signature {
            Some(_) => Door::none(),
            None => Door::enter(request, &form.origins)?,
        };
        match self.take(context, request, form, signature).await {
            Ok(reply) => Ok(door.around(reply)),
            Err(error) => Ok(HookReply::only(door.open(self.refuse(request, &error)))),
        }
    }

    async fn take(
        &self,
        context: &Context,
        request: &HookRequest,
        form: &Form,
        signature: Option<&str>,
    ) -> Result<HookReply> {
        if request.body.len() > LARGEST_BODY {
            return Err(Error::new(Code::TooLarge, "The form is larger than 8 KB."));
        }
        let now = request.at;
        if let Some(signature) = signature {
            signed::form(signature, &request.body, &form.secrets, now)?;
        }
        let kind = request.header("content-type").unwrap_or_default();
        let plain = kind.starts_with("application/x-www-form-urlencoded");
        let lead = if plain { of_fields(form, &request.body, now) } else { body(request)? };
        let thanks = form.thanks_url.as_ref().filter(|_| plain);
        let reply = match thanks {
            Some(page) => Reply::empty(Status::SeeOther).with("location", page.clone()),
            None => accepted(0),
        };
        if lead.is_trap() {
            tracing::info!(form = form.id, "A form was filled in by a program; nothing was kept.");
            return Ok(HookReply::only(reply));
        }
        if signature.is_none() {
            lead.check_time(&form.limits, now)?;
            let quota = Quota::of(form.limits.forms_per_hour, 3600);
            self.limiter.take("form", &neighbourhood(request.remote), quota, now)?;
        }
        let checked = lead.check(&form.id, &form.consents, now)?;
        let mut commit = Commit::default();
        let key = match checked.submission.strip_prefix('h') {
            // Without an id of its own the same form is the same for ten minutes.
            Some(hash) => {
                let name = format!("f:{}:{hash}", form.id);
                if context.kept(&name).await?.is_some() {
                    return Ok(HookReply::only(reply));
                }
                let until = Some(now + SAME);
                commit.kept.push(Keep { name, value: Some("1".to_owned()), until, secret: false });
                format!("l:{}:{}:{}", form.id, checked.submission, now / SAME)
            }
            None => format!("l:{}:{}", form.id, checked.submission),
        };
        let raw = of_form(form, checked);
        commit.items.push(raw.1.item(key, &raw.0, now)?);
        Ok(HookReply::keep(commit, reply))
    }
}

/// A form's conversation and what it says. The same form and address are the same conversation.
fn of_form(form: &Form, checked: Checked) -> (String, Raw) {
    let digits = |phone: &String| phone.chars().filter(char::is_ascii_digit).collect::<String>();
    let email = checked.typed.email.as_ref().map(|email| email.to_lowercase());
    let address = email.or(checked.typed.phone.as_ref().map(digits)).unwrap_or_default();
    let mut id = sha256_hex(format!("{}\0{address}", form.id).as_bytes());
    id.truncate(32);
    let typed = checked.typed;
    let said = [("name", &typed.name), ("email", &typed.email), ("phone", &typed.phone)];
    let claims = said.into_iter().filter_map(|(kind, value)| {
        let (kind, value) = (kind.to_owned(), value.clone()?);
        Some(Claim { kind, value, trust: Trust::Claimed, source: Source::Form })
    });
    let from = Profile {
        account: form.id.clone(),
        id_type: "form".to_owned(),
        external_id: id.clone(),
        display_name: typed.name.clone(),
        avatar: None,
        language: Some(form.language),
        claims: claims.collect(),
        context: checked
            .facts
            .iter()
            .filter(|(name, _)| *name != "submission_id")
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
    };
    let raw = Raw::Lead {
        remote: entry::visitor_id(&checked.submission),
        form: form.id.clone(),
        text: checked.message,
        from,
        consents: checked.consents,
        facts: checked.facts,
    };
    (format!("f{id}"), raw)
}
