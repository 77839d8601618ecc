//! `POST /session`: a browser becomes a visitor, or a visitor becomes somebody.
//!
//! Three levels. Anonymous: a token. Claimed: the visitor typed a name or an address, which opens nothing.
//! Proven: the shop signed who it is, and only then the same person on another device finds the same
//! conversation. Another proven person in the same browser is always another visitor.

use crate::config::Widget;
use crate::item::Raw;
use crate::limits::{Quota, neighbourhood};
use crate::signed::{self, Identity};
use crate::visitor::{self, Visitor};
use crate::{WebChat, answer, body, clean};
use kontor_bridge_kit::{Commit, Context, HookReply, HookRequest};
use kontor_model::{Code, Error, Language, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What the page says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    /// The widget, also in the query.
    #[serde(default)]
    #[allow(dead_code)]
    w: Option<String>,
    #[serde(default)]
    identity_token: Option<String>,
    /// Who the visitor is without a proof: refused.
    #[serde(default)]
    identifier: Option<String>,
    #[serde(default)]
    profile: Typed,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    page: Option<String>,
    #[serde(default)]
    referrer: Option<String>,
    #[serde(default)]
    utm: Option<Map<String, Value>>,
}

/// What a visitor typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Typed {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub email: Option<String>,
    #[serde(default)]
    pub phone: Option<String>,
}

/// Where a visitor comes from.
#[derive(Debug, Default, Deserialize)]
pub struct Origin {
    #[serde(default)]
    pub page: Option<String>,
    #[serde(default)]
    pub referrer: Option<String>,
    #[serde(default)]
    pub utm: Option<Map<String, Value>>,
}

impl Origin {
    /// As facts about the conversation, without what may be personal.
    pub fn facts(&self) -> Map<String, Value> {
        let mut facts = Map::new();
        let pages = [("page", &self.page), ("referrer", &self.referrer)];
        let pages = pages.into_iter().filter_map(|(name, page)| Some((name, clean::page(page.as_deref()?)?)));
        facts.extend(pages.map(|(name, page)| (name.to_owned(), json!(page))));
        let known = ["source", "medium", "campaign", "term", "content"];
        let campaign: Map<String, Value> = self
            .utm
            .iter()
            .flatten()
            .filter(|(name, _)| known.contains(&name.as_str()))
            .filter_map(|(name, value)| Some((name.clone(), json!(clean::line(value.as_str()?, 100)))))
            .collect();
        if !campaign.is_empty() {
            facts.insert("utm".to_owned(), Value::Object(campaign));
        }
        facts
    }
}

impl Typed {
    /// Takes what was typed. It never replaces what the shop proved.
    ///
    /// # Errors
    /// `Unprocessable` when an address is none.
    pub fn apply(&self, visitor: &mut Visitor) -> Result<()> {
        let typed = self.clean()?;
        if visitor.sub.is_none() {
            for (own, typed) in [
                (&mut visitor.name, typed.name),
                (&mut visitor.email, typed.email),
                (&mut visitor.phone, typed.phone),
            ] {
                if typed.is_some() {
                    *own = typed;
                }
            }
        }
        Ok(())
    }

    /// What was typed in the form in which it is kept.
    ///
    /// # Errors
    /// `Unprocessable` when an address is none.
    pub fn clean(&self) -> Result<Self> {
        let line = |text: &Option<String>| {
            text.as_deref().map(|text| clean::line(text, 200)).filter(|text| !text.is_empty())
        };
        let typed = Self { name: line(&self.name), email: line(&self.email), phone: line(&self.phone) };
        if typed.email.as_deref().is_some_and(|email| !clean::is_email(email)) {
            return Err(Error::new(Code::Unprocessable, "This is no e-mail address."));
        }
        if typed.phone.as_deref().is_some_and(|phone| !clean::is_phone(phone)) {
            return Err(Error::new(Code::Unprocessable, "This is no phone number."));
        }
        Ok(typed)
    }
}

/// A visitor, and whether the browser needs a new token for it.
struct Who {
    visitor: Visitor,
    fresh: bool,
    /// Whether nobody knew it before.
    made: bool,
}

/// Answers `POST /session`.
pub async fn begin(
    chat: &WebChat,
    context: &Context,
    request: &HookRequest,
    widget: &Widget,
) -> Result<HookReply> {
    let ask: Ask = body(request)?;
    if ask.identifier.is_some() && ask.identity_token.is_none() {
        return Err(Error::new(
            Code::Unauthorized,
            "An identifier needs an identity_token that the shop's server signed.",
        ));
    }
    let identity = ask.identity_token.as_deref();
    let identity = identity
        .map(|token| signed::identity(token, &widget.id, &widget.identity_secrets, request.at))
        .transpose()?;
    // Two tabs that prove the same person at once must become one visitor, not two.
    let _proving = if identity.is_some() { Some(chat.proving.lock().await) } else { None };
    let current = visitor::known(context, request, widget).await?;
    let stranger = current.is_none();
    let mut who = choose(context, widget, current, identity.as_ref()).await?;
    let _writing = chat.writing(&who.visitor.id).await;
    if who.made && stranger {
        let quota = Quota::of(widget.limits.sessions_per_hour, 3600);
        let address = neighbourhood(request.remote);
        chat.limiter.take("session", &format!("{} {address}", widget.id), quota, request.at)?;
    }
    if !who.made
        && let Some(visitor) = Visitor::load(context, &who.visitor.id).await?
    {
        who.visitor = visitor;
    }
    let was = (!who.made).then(|| who.visitor.clone());
    let visitor = &mut who.visitor;
    let language = ask.language.as_deref().and_then(|code| Language::of(code.get(..2).unwrap_or(code)));
    visitor.language = language.unwrap_or(visitor.language);
    ask.profile.apply(visitor)?;
    if visitor.context.is_empty() {
        visitor.context = Origin { page: ask.page, referrer: ask.referrer, utm: ask.utm }.facts();
        visitor
            .context
            .insert("browser".to_owned(), json!(clean::browser(request.header("user-agent").unwrap_or(""))));
    }
    let token = commit(context, request, was.as_ref(), &mut who, identity.as_ref()).await?;
    let visitor = who.visitor;
    let newest = if visitor.spoken { context.newest(&visitor.id).await? } else { 0 };
    Ok(HookReply::only(answer::json(&json!({
        "visitor_token": token,
        "visitor_id": visitor.id,
        "proven": visitor.sub.is_some(),
        "conversation": visitor.spoken.then_some(visitor.id.as_str()),
        "newest": newest,
    }))))
}

/// Which visitor this is.
async fn choose(
    context: &Context,
    widget: &Widget,
    current: Option<Visitor>,
    identity: Option<&Identity>,
) -> Result<Who> {
    let Some(identity) = identity else {
        return Ok(match current {
            Some(visitor) => Who { visitor, fresh: false, made: false },
            None => Who { visitor: Visitor::new(context, widget), fresh: true, made: true },
        });
    };
    if let Some(known) = Visitor::proven(context, widget, &identity.sub).await? {
        let fresh = current.is_none_or(|current| current.id != known.id);
        return Ok(Who { visitor: known, fresh, made: false });
    }
    // Somebody who was nobody yet goes on; a conversation that is another's is left alone.
    Ok(match current.filter(|current| current.sub.is_none()) {
        Some(visitor) => Who { visitor, fresh: false, made: false },
        None => Who { visitor: Visitor::new(context, widget), fresh: true, made: true },
    })
}

/// Writes down what is new; gives the token that the browser is to use.
async fn commit(
    context: &Context,
    request: &HookRequest,
    was: Option<&Visitor>,
    who: &mut Who,
    identity: Option<&Identity>,
) -> Result<String> {
    let now = context.now();
    let mut commit = Commit::default();
    if let Some(identity) = identity {
        commit.kept.push(who.visitor.prove(identity, now)?);
    }
    let visitor = &who.visitor;
    if was != Some(visitor) {
        commit.kept.push(visitor.keep(now)?);
        if visitor.spoken && was.is_none_or(|was| was.profile().claims != visitor.profile().claims) {
            let key = format!("p:{}:{now}", visitor.id);
            commit.items.push(Raw::Profile { from: visitor.profile() }.item(key, &visitor.id, now)?);
        }
    }
    let token = if who.fresh {
        let (token, keep) = visitor.admit(context)?;
        commit.kept.push(keep);
        token
    } else {
        visitor::bearer(request).unwrap_or_default().to_owned()
    };
    if !commit.kept.is_empty() || !commit.items.is_empty() {
        context.commit(commit).await?;
    }
    Ok(token)
}
