//! User-interactive authentication (client-server API, "User-interactive authentication API"):
//! proofs in stages, kept between requests, each good for one operation.

use crate::threepid::{Purpose, ValidationRow};
use crate::upkeep::UIA_LIFE;
use crate::{Identity, Terms};
use kontor_model::random::opaque;
use kontor_model::{Code, Error, Requester, Result, Secret};
use kontor_store::Change;
use kontor_store::identity::uia::{self, UiaRow};
use kontor_store::identity::{registration, threepid};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Length of session ids.
const SESSION_LENGTH: usize = 32;

/// One kind of proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The account's password.
    Password,
    /// Nothing.
    Dummy,
    /// A registration token.
    RegistrationToken,
    /// Acceptance of documents.
    Terms,
    /// An e-mail address, proven by a mail.
    Email,
}

impl Stage {
    /// The type in requests and answers.
    pub fn word(self) -> &'static str {
        match self {
            Self::Password => "m.login.password",
            Self::Dummy => "m.login.dummy",
            Self::RegistrationToken => "m.login.registration_token",
            Self::Terms => "m.login.terms",
            Self::Email => "m.login.email.identity",
        }
    }
}

/// What must be proven for an operation.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// The operation, such as `register` or `delete_devices`.
    pub operation: &'static str,
    /// Who must prove it is they; none for registering.
    pub requester: Option<&'a Requester>,
    /// The ways, each a list of stages in any order.
    pub flows: Vec<Vec<Stage>>,
    /// What a proof of an address must have been made for.
    pub address_for: Purpose,
}

impl Ask<'_> {
    /// The operation and the session: a proof for one is none for another.
    fn purpose(&self) -> String {
        match self.requester {
            Some(requester) => format!("{} {}", self.operation, requester.session),
            None => self.operation.to_owned(),
        }
    }

    fn is_complete(&self, completed: &[String]) -> bool {
        let has = |stage: &Stage| completed.iter().any(|done| done == stage.word());
        self.flows.iter().any(|flow| flow.iter().all(has))
    }
}

/// What the client must do next.
#[derive(Debug)]
pub struct Challenge {
    /// To be sent back with the next proof.
    pub session: String,
    /// Stages of each way.
    pub flows: Vec<Vec<&'static str>>,
    /// Stages that were completed.
    pub completed: Vec<String>,
    /// What clients need for a stage, by its type.
    pub params: Value,
    /// What was wrong with the last proof.
    pub error: Option<Error>,
}

/// Where the authentication stands.
#[derive(Debug)]
pub enum Step {
    /// Everything is proven. The change must be part of the operation's; it ends in `Conflict` when
    /// the proof was used at the same moment.
    Passed(Passed),
    /// More is needed. The change must be written before the answer is given.
    More(Challenge, Change),
}

/// A complete proof.
#[derive(Debug, Default)]
pub struct Passed {
    /// Uses the proof up.
    pub change: Change,
    /// The registration token that was shown, to be used up too.
    pub registration_token: Option<String>,
    /// The address that was proven; whoever acts on it uses the proof up.
    pub address: Option<ValidationRow>,
}

/// The `auth` object of a request.
#[derive(Debug, Deserialize)]
struct Auth {
    #[serde(rename = "type")]
    kind: Option<String>,
    session: Option<String>,
    token: Option<String>,
    password: Option<Secret<String>>,
    identifier: Option<Identifier>,
    user: Option<String>,
    #[serde(alias = "threepidCreds")]
    threepid_creds: Option<Credentials>,
}

#[derive(Debug, Deserialize)]
struct Identifier {
    user: Option<String>,
    medium: Option<String>,
    address: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Credentials {
    sid: String,
    client_secret: String,
}

impl Identity {
    /// Takes a proof, if there is one, and tells where the authentication stands.
    ///
    /// # Errors
    /// `BadJson` for a malformed proof, `InvalidParam` for a stage that is not asked for.
    pub async fn authenticate_interactively(&self, ask: &Ask<'_>, auth: Option<&Value>) -> Result<Step> {
        let auth = match auth {
            None | Some(Value::Null) => return Ok(self.more(ask, self.begin(ask), None)),
            Some(auth) => Auth::deserialize(auth)
                .map_err(|cause| Error::bad_json("The field \"auth\" is malformed.").because(cause))?,
        };
        let (mut session, stored) = match &auth.session {
            None => (self.begin(ask), false),
            Some(id) => match self.resume(ask, id).await? {
                Some(session) => (session, true),
                None => {
                    let error =
                        Error::new(Code::Forbidden, "This authentication took too long. Begin again.");
                    return Ok(self.more(ask, self.begin(ask), Some(error)));
                }
            },
        };
        if let Some(kind) = &auth.kind {
            let asked = ask.flows.iter().flatten().find(|stage| stage.word() == kind);
            let stage = *asked
                .ok_or_else(|| Error::invalid_param("This kind of authentication is not asked for."))?;
            match self.prove(ask, stage, &auth, &mut session).await {
                Ok(()) if !session.completed.contains(kind) => session.completed.push(kind.clone()),
                Ok(()) => {}
                Err(error) if refusal(error.code) => return Ok(self.more(ask, session, Some(error))),
                Err(error) => return Err(error),
            }
        }
        if !ask.is_complete(&session.completed) {
            return Ok(self.more(ask, session, None));
        }
        let address = match &session.sid {
            None => None,
            Some(sid) => match self.proof(sid).await? {
                Some(row) => Some(row),
                // It was used or is too old by now: it has to be proven again.
                None => {
                    let error = Error::new(Code::Unauthorized, "The address has to be confirmed again.");
                    return Ok(self.more(ask, self.begin(ask), Some(error)));
                }
            },
        };
        let registration_token = session.token;
        let mut passed = Passed { registration_token, address, ..Passed::default() };
        if stored {
            passed.change.use_uia_session(&session.id);
        }
        Ok(Step::Passed(passed))
    }

    fn begin(&self, ask: &Ask<'_>) -> UiaRow {
        UiaRow {
            id: opaque(&*self.random, SESSION_LENGTH),
            purpose: ask.purpose(),
            completed: Vec::new(),
            token: None,
            sid: None,
            created_ts: self.now(),
        }
    }

    async fn resume(&self, ask: &Ask<'_>, id: &str) -> Result<Option<UiaRow>> {
        if id.len() != SESSION_LENGTH || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(None);
        }
        let session = uia::by_id(&mut self.store.reader(), id, self.now() - UIA_LIFE).await?;
        Ok(session.filter(|session| session.purpose == ask.purpose()))
    }

    /// Checks the proof of one stage.
    async fn prove(&self, ask: &Ask<'_>, stage: Stage, auth: &Auth, session: &mut UiaRow) -> Result<()> {
        match stage {
            Stage::Dummy | Stage::Terms => Ok(()),
            Stage::RegistrationToken => {
                let token = auth.token.as_deref().ok_or_else(|| missing("token"))?;
                if !is_token(token)
                    || !registration::is_valid(&mut self.store.reader(), token, self.now()).await?
                {
                    return Err(Error::new(
                        Code::Unauthorized,
                        "This registration token is not known, used up or expired.",
                    ));
                }
                session.token = Some(token.to_owned());
                Ok(())
            }
            Stage::Email => self.prove_address(ask, auth, session).await,
            Stage::Password => {
                let password = auth.password.as_ref().ok_or_else(|| missing("password"))?;
                if let Some(Identifier { medium: Some(medium), address: Some(address), .. }) =
                    &auth.identifier
                {
                    let account = self.by_address(medium, address, password).await?;
                    return own(ask, &account.user_id);
                }
                let named = auth.identifier.as_ref().and_then(|identifier| identifier.user.as_deref());
                let requester = ask.requester.map(|requester| requester.user_id.as_str());
                // Who the requester is, is known: a client may leave the name out, but not give another.
                let user = named.or(auth.user.as_deref()).or(requester);
                let account = self.by_password(user, password).await?;
                own(ask, &account.user_id)
            }
        }
    }

    /// Checks the proof of an address; the requester's own, if there is a requester.
    async fn prove_address(&self, ask: &Ask<'_>, auth: &Auth, session: &mut UiaRow) -> Result<()> {
        let shown = auth.threepid_creds.as_ref().ok_or_else(|| missing("threepid_creds"))?;
        let row = self.proven(ask.address_for, &shown.sid, &shown.client_secret).await;
        let row = row.map_err(|error| match error.code {
            Code::ThreepidAuthFailed => Error::new(Code::Unauthorized, error.message),
            _ => error,
        })?;
        if let Some(requester) = ask.requester {
            let owner = threepid::owner(&mut self.store.reader(), &row.medium, &row.address).await?;
            if owner != Some(requester.user) {
                return Err(Error::forbidden("This is the address of another account."));
            }
        }
        session.sid = Some(row.sid);
        Ok(())
    }

    fn more(&self, ask: &Ask<'_>, session: UiaRow, error: Option<Error>) -> Step {
        let mut change = Change::default();
        change.put_uia_session(&session);
        let flows = ask.flows.iter().map(|flow| flow.iter().map(|stage| stage.word()).collect()).collect();
        let terms = ask.flows.iter().flatten().any(|stage| *stage == Stage::Terms);
        let params = if terms { terms_params(&self.options.registration.terms) } else { json!({}) };
        let challenge = Challenge { session: session.id, flows, completed: session.completed, params, error };
        Step::More(challenge, change)
    }
}

/// Refuses the password of somebody else than the requester.
fn own(ask: &Ask<'_>, user_id: &str) -> Result<()> {
    if ask.requester.is_some_and(|requester| requester.user_id.as_str() == user_id) {
        return Ok(());
    }
    Err(Error::forbidden("This is the password of another account."))
}

/// Whether a failure is a wrong proof, after which the client may try again.
fn refusal(code: Code) -> bool {
    matches!(code, Code::Forbidden | Code::Unauthorized | Code::MissingParam)
}

fn missing(field: &'static str) -> Error {
    Error::new(Code::MissingParam, format!("The field \"{field}\" is missing in \"auth\"."))
}

/// Whether a text can be a registration token at all.
pub(crate) fn is_token(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(letter)
}

fn terms_params(terms: &[Terms]) -> Value {
    let mut policies = Map::new();
    for document in terms {
        let mut policy = Map::from_iter([("version".to_owned(), document.version.as_str().into())]);
        for (language, name, url) in &document.translations {
            policy.insert(language.clone(), json!({ "name": name, "url": url }));
        }
        policies.insert(document.id.clone(), policy.into());
    }
    json!({ Stage::Terms.word(): { "policies": policies } })
}
