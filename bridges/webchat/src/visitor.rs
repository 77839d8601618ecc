//! Visitors: who they are, as far as they say or the shop proves, and the tokens of their browsers.
//!
//! A token is stored as its hash only. What is known of a visitor is stored encrypted.

use crate::config::Widget;
use crate::signed::Identity;
use kontor_bridge_kit::proof::sha256_hex;
use kontor_bridge_kit::{Claim, Context, HookRequest, Keep, Profile, Source, Trust};
use kontor_model::{Code, Error, Language, Ms, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// How long a browser is remembered after it was last here, milliseconds: 180 days.
pub const REMEMBERED: Ms = 180 * 86_400_000;
/// How often that is written down anew.
const REFRESHED: Ms = 86_400_000;
/// What kind of id a visitor's is, in the company's directory.
pub const ID_TYPE: &str = "visitor";

/// What a browser's token stands for.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pass {
    widget: String,
    visitor: String,
    /// When it was last written.
    at: Ms,
}

/// What is known of a visitor.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Visitor {
    /// The id; also the name of the conversation.
    pub id: String,
    /// On which widget.
    pub widget: String,
    /// The shop's id of its customer, once proven.
    pub sub: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// What they read.
    pub language: Language,
    /// Facts without personal data: page, referrer, campaign, browser.
    pub context: Map<String, Value>,
    /// When they came first.
    pub first_seen: Ms,
    /// Whether they wrote anything: only then there is a conversation.
    pub spoken: bool,
}

fn pass_name(token: &str) -> String {
    format!("t:{}", sha256_hex(token.as_bytes()))
}

fn visitor_name(id: &str) -> String {
    format!("v:{id}")
}

fn proven_name(widget: &str, sub: &str) -> String {
    format!("s:{widget}:{}", sha256_hex(sub.as_bytes()))
}

fn keep<T: Serialize>(name: String, value: Option<&T>, until: Ms, secret: bool) -> Result<Keep> {
    let value = value.map(serde_json::to_string).transpose().map_err(Error::internal)?;
    Ok(Keep { name, value, until: Some(until), secret })
}

impl Visitor {
    /// Somebody new of whom nothing is known.
    pub fn new(context: &Context, widget: &Widget) -> Self {
        // Lower case: the id becomes a part of a Matrix user id.
        let mut id = sha256_hex(context.token().as_bytes());
        id.truncate(32);
        Self {
            id,
            widget: widget.id.clone(),
            sub: None,
            name: None,
            email: None,
            phone: None,
            language: widget.language,
            context: Map::new(),
            first_seen: context.now(),
            spoken: false,
        }
    }

    /// Writes down what is known.
    ///
    /// # Errors
    /// `Internal` only.
    pub fn keep(&self, now: Ms) -> Result<Keep> {
        keep(visitor_name(&self.id), Some(self), now + REMEMBERED, true)
    }

    /// A new token for a browser of this visitor, and what to write down of it.
    ///
    /// # Errors
    /// `Internal` only.
    pub fn admit(&self, context: &Context) -> Result<(String, Keep)> {
        let (token, now) = (context.token(), context.now());
        let pass = Pass { widget: self.widget.clone(), visitor: self.id.clone(), at: now };
        let keep = keep(pass_name(&token), Some(&pass), now + REMEMBERED, false)?;
        Ok((token, keep))
    }

    /// Notes what the shop proved. Gives what to write down so that the customer is found again.
    ///
    /// # Errors
    /// `Internal` only.
    pub fn prove(&mut self, identity: &Identity, now: Ms) -> Result<Keep> {
        self.sub = Some(identity.sub.clone());
        for (own, told) in [
            (&mut self.name, &identity.name),
            (&mut self.email, &identity.email),
            (&mut self.phone, &identity.phone),
        ] {
            // What was only typed before is not what the shop knows.
            *own = told.as_deref().map(|text| crate::clean::line(text, 200)).filter(|text| !text.is_empty());
        }
        keep(proven_name(&self.widget, &identity.sub), Some(&self.id), now + REMEMBERED, false)
    }

    /// The visitor that the shop proved before with the same `sub`.
    ///
    /// # Errors
    /// `Unavailable` when the memory is gone.
    pub async fn proven(context: &Context, widget: &Widget, sub: &str) -> Result<Option<Self>> {
        let Some(id) = context.kept(&proven_name(&widget.id, sub)).await? else { return Ok(None) };
        let id: String = serde_json::from_str(&id).map_err(Error::internal)?;
        // A customer whose data was erased begins anew.
        Ok(Self::load(context, &id).await?.filter(|visitor| visitor.sub.as_deref() == Some(sub)))
    }

    /// A visitor by id.
    ///
    /// # Errors
    /// `Unavailable` when the memory is gone.
    pub async fn load(context: &Context, id: &str) -> Result<Option<Self>> {
        let value = context.kept(&visitor_name(id)).await?;
        value.map(|value| serde_json::from_str(&value).map_err(Error::internal)).transpose()
    }

    /// What to write down to forget the visitor and the browser that asks for it.
    ///
    /// # Errors
    /// `Internal` only.
    pub fn forget(&self, token: &str) -> Result<Vec<Keep>> {
        // What the journal's own marks are kept under goes as well.
        let marks = [format!("x:{}", self.id), format!("r:{}", self.id)];
        let mut names = vec![visitor_name(&self.id), pass_name(token)];
        names.extend(marks);
        names.extend(self.sub.as_deref().map(|sub| proven_name(&self.widget, sub)));
        names.into_iter().map(|name| keep::<()>(name, None, 0, false)).collect()
    }

    /// How far to believe what is said about the visitor, and who says it.
    fn trust(&self) -> (Trust, Source) {
        match self.sub {
            Some(_) => (Trust::Proven, Source::Shop),
            None => (Trust::Claimed, Source::Customer),
        }
    }

    /// For the company's directory.
    pub fn profile(&self) -> Profile {
        let (trust, source) = self.trust();
        let said = [
            ("customer_no", &self.sub),
            ("name", &self.name),
            ("email", &self.email),
            ("phone", &self.phone),
        ];
        let said = said.into_iter().filter_map(|(kind, value)| value.clone().map(|value| (kind, value)));
        let claims = said.map(|(kind, value)| Claim { kind: kind.to_owned(), value, trust, source });
        let mut context = self.context.clone();
        context.insert("first_seen".to_owned(), json!(self.first_seen));
        Profile {
            account: self.widget.clone(),
            id_type: ID_TYPE.to_owned(),
            external_id: self.id.clone(),
            display_name: self.name.clone(),
            avatar: None,
            language: Some(self.language),
            claims: claims.collect(),
            context,
        }
    }
}

/// The token that a request carries.
pub fn bearer(request: &HookRequest) -> Option<&str> {
    let token = request.header("authorization")?.strip_prefix("Bearer ")?.trim();
    (!token.is_empty() && token.len() <= 100).then_some(token)
}

/// The visitor whose token a request carries, if it is good for this widget.
///
/// # Errors
/// `Unavailable` when the memory is gone.
pub async fn known(context: &Context, request: &HookRequest, widget: &Widget) -> Result<Option<Visitor>> {
    let Some(token) = bearer(request) else { return Ok(None) };
    let name = pass_name(token);
    let Some(pass) = context.kept(&name).await? else { return Ok(None) };
    let mut pass: Pass = serde_json::from_str(&pass).map_err(Error::internal)?;
    if pass.widget != widget.id {
        return Ok(None);
    }
    let Some(visitor) = Visitor::load(context, &pass.visitor).await? else { return Ok(None) };
    let now = context.now();
    if now - pass.at > REFRESHED {
        pass.at = now;
        context.keep(keep(name, Some(&pass), now + REMEMBERED, false)?).await?;
        context.keep(visitor.keep(now)?).await?;
        if let Some(sub) = &visitor.sub {
            let name = proven_name(&visitor.widget, sub);
            context.keep(keep(name, Some(&visitor.id), now + REMEMBERED, false)?).await?;
        }
    }
    Ok(Some(visitor))
}

/// As [`known`], for calls that only visitors may make.
///
/// # Errors
/// `Unauthorized` when the token is missing, unknown, over, or another widget's.
pub async fn required(context: &Context, request: &HookRequest, widget: &Widget) -> Result<Visitor> {
    let refused = || Error::new(Code::Unauthorized, "This browser is not known (any more). Begin anew.");
    known(context, request, widget).await?.ok_or_else(refused)
}
