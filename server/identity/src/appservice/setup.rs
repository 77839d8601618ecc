//! Administrators setting application services up while the server runs.

use crate::Identity;
use crate::tokens::hash;
use kontor_model::appservice::{Definition, Namespaces, Service};
use kontor_model::random::{TOKEN_LENGTH, opaque};
use kontor_model::{Code, Error, Ms, Result, Secret, ids};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::identity::accounts;
use kontor_store::identity::services::{self, ServiceRow};
use serde::Deserialize;
use serde_json::{Value, json};

/// Longest address, bytes.
const LONGEST_URL: usize = 2_000;

/// An application service to be set up.
#[derive(Clone, Debug, Deserialize)]
pub struct Wished {
    /// Its unique name.
    pub id: String,
    /// Where it listens; absent or `null` if it wants to hear nothing.
    pub url: Option<String>,
    /// Name of its own user.
    pub sender_localpart: String,
    /// Its names.
    #[serde(default)]
    pub namespaces: Namespaces,
    /// Whether its users are held to request budgets.
    #[serde(default)]
    pub rate_limited: bool,
    /// Whether it is told of receipts, typing, presence and messages to devices.
    #[serde(default)]
    pub receive_ephemeral: bool,
    /// Whether it is told of device lists and key counts.
    #[serde(default)]
    pub device_lists: bool,
    /// Networks that it answers look-ups for.
    #[serde(default)]
    pub protocols: Vec<String>,
}

/// A registration that was planned. The tokens are shown once.
#[derive(Debug)]
pub struct Registered {
    /// What to write.
    pub change: Change,
    /// With which it proves itself to the server.
    pub as_token: Secret<String>,
    /// With which the server proves itself to it.
    pub hs_token: Secret<String>,
}

impl Wished {
    /// All but the name and the tokens, as the archive keeps it.
    fn definition(&self) -> Value {
        json!({
            "url": self.url,
            "sender_localpart": self.sender_localpart,
            "namespaces": self.namespaces,
            "rate_limited": self.rate_limited,
            "receive_ephemeral": self.receive_ephemeral,
            "org.matrix.msc3202": self.device_lists,
            "protocols": self.protocols,
        })
    }
}

impl Identity {
    /// Plans an application service with tokens of the server's making. `Conflict` means that the name or
    /// the user was taken at the same moment.
    ///
    /// # Errors
    /// `InvalidParam` for what no registration can be, with all reasons; `UserInUse` when its own user
    /// would be somebody who exists; `Exclusive` when that name is another service's.
    pub async fn set_service_up(&self, wish: &Wished, actor: Actor) -> Result<Registered> {
        let (as_token, hs_token) = (opaque(&*self.random, TOKEN_LENGTH), opaque(&*self.random, TOKEN_LENGTH));
        let definition = wish.definition();
        let service = self.check_wish(wish, &definition)?;
        let known = self.services.now();
        if known.by_id(&wish.id).is_some() {
            return Err(taken());
        }
        if known.keeps_user(service.sender.as_str(), None) {
            return Err(Error::new(Code::Exclusive, "Another application service has the name of its user."));
        }
        let account = accounts::by_user_id(&mut self.store.reader(), service.sender.as_str()).await?;
        if account.is_some_and(|account| account.password_hash.is_some() || account.admin) {
            let message = "The user that it would act as is a person. Choose another sender_localpart.";
            return Err(Error::new(Code::UserInUse, message));
        }
        let now = self.now();
        let row = ServiceRow {
            id: wish.id.clone(),
            token_hash: hash(&as_token).to_vec(),
            hs_token: hs_token.clone(),
            definition: definition.to_string(),
            created_ts: now,
        };
        let mut change = Change::default();
        change.add_service(&row, actor.user, service.url.is_some());
        if let Some(sender) = self.missing_sender(&service.sender).await? {
            change.join(sender);
        }
        let audit = Audit::done(Action::SystemServiceAdd, actor, now).on("application_service", &*wish.id);
        change.audit(self.store.nid().await?, audit);
        Ok(Registered { change, as_token: Secret::new(as_token), hs_token: Secret::new(hs_token) })
    }

    fn check_wish(&self, wish: &Wished, definition: &Value) -> Result<Service> {
        ids::new_user_id(&wish.sender_localpart, &self.options.server_name)?;
        if wish.url.as_ref().is_some_and(|url| url.len() > LONGEST_URL || url.contains(char::is_whitespace)) {
            return Err(Error::invalid_param("The url is none."));
        }
        let mut whole = definition.clone();
        if let Some(fields) = whole.as_object_mut() {
            let more = [("id", wish.id.as_str()), ("hs_token", "unknown"), ("as_token", "unknown")];
            fields.extend(more.map(|(key, value)| (key.to_owned(), value.into())));
        }
        let whole: Definition = serde_json::from_value(whole).map_err(Error::internal)?;
        Service::new(&whole, &self.options.server_name, false)
            .map_err(|wrong| Error::invalid_param(wrong.join(" ")))
    }

    /// Plans that an application service is one no more. Its users stay. `Conflict` means that it went
    /// meanwhile.
    ///
    /// # Errors
    /// `NotFound` without such a service; `InvalidParam` for one of the operator's files.
    pub async fn remove_service(&self, id: &str, actor: Actor) -> Result<Change> {
        match self.services.now().by_id(id) {
            None => return Err(Error::not_found("There is no application service of this id.")),
            Some(service) if service.from_file => {
                let message = "This application service stands in a registration file. Take the file out of \
                               appservices.files and restart the server.";
                return Err(Error::invalid_param(message));
            }
            Some(_) => {}
        }
        let mut change = Change::default();
        change.remove_service(id);
        let audit = Audit::done(Action::SystemServiceRemove, actor, self.now()).on("application_service", id);
        change.audit(self.store.nid().await?, audit);
        Ok(change)
    }

    /// When application services were set up by administrators, by name.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn service_dates(&self) -> Result<Vec<(String, Ms)>> {
        let rows = services::all(&mut self.store.reader()).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.created_ts)).collect())
    }
}

/// The refusal of a name that another one has.
fn taken() -> Error {
    Error::invalid_param("There is an application service of this id already. Choose another.")
}
