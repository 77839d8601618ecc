//! Which application services there are, in memory.

use super::FileService;
use crate::Identity;
use crate::tokens::{Hash, hash};
use kontor_model::appservice::{Definition, Service};
use kontor_model::{Code, Error, Result};
use kontor_store::identity::services::{self, ServiceRow};
use ruma::{RoomAliasId, ServerName};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// Everything that is registered at one moment.
#[derive(Default)]
pub struct Known {
    list: Vec<Arc<Service>>,
    by_token: HashMap<Hash, Arc<Service>>,
    /// What those of the archive were made of: one that did not change stays the same.
    rows: Vec<(ServiceRow, Arc<Service>)>,
}

impl Known {
    /// All of them.
    pub fn list(&self) -> &[Arc<Service>] {
        &self.list
    }

    /// The one of this name.
    pub fn by_id(&self, id: &str) -> Option<&Arc<Service>> {
        self.list.iter().find(|service| &*service.id == id)
    }

    /// The one whose token this is. Found by the token's hash, so the time tells nothing.
    pub fn by_token(&self, token: &str) -> Option<&Arc<Service>> {
        if self.list.is_empty() { None } else { self.by_token.get(&hash(token)) }
    }

    /// Whether a user belongs to somebody other than `but` alone.
    pub fn keeps_user(&self, user_id: &str, but: Option<&str>) -> bool {
        self.others(but).any(|service| service.owns_user(user_id))
    }

    /// Whether an alias belongs to somebody other than `but` alone.
    pub fn keeps_alias(&self, alias: &RoomAliasId, but: Option<&str>) -> bool {
        self.others(but).any(|service| service.owns_alias(alias))
    }

    fn others(&self, but: Option<&str>) -> impl Iterator<Item = &Arc<Service>> {
        self.list.iter().filter(move |service| Some(&*service.id) != but)
    }

    fn add(&mut self, service: &Arc<Service>, hash: Hash) {
        self.list.push(Arc::clone(service));
        self.by_token.insert(hash, Arc::clone(service));
    }
}

/// What is registered, and who wants to hear of changes.
pub struct Services {
    files: Vec<FileService>,
    known: RwLock<Arc<Known>>,
    /// Reading the archive and taking it in is one step: what was read later is never overwritten by
    /// what was read before.
    reading: tokio::sync::Mutex<()>,
    changed: watch::Sender<u64>,
}

impl Services {
    pub(crate) fn new(files: Vec<FileService>) -> Self {
        let mut known = Known::default();
        for file in &files {
            known.add(&file.service, hash(file.as_token.expose()));
        }
        let known = RwLock::new(Arc::new(known));
        Self { files, known, reading: tokio::sync::Mutex::default(), changed: watch::Sender::new(0) }
    }

    /// What is registered now.
    pub fn now(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells whoever holds the receiver that some came or went.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Takes in what the archive has. Those of the files come first, and keep their names and tokens.
    fn take(&self, rows: Vec<ServiceRow>, server_name: &ServerName) {
        let before = self.now();
        let mut known = Known::default();
        for file in &self.files {
            known.add(&file.service, hash(file.as_token.expose()));
        }
        for row in rows {
            let same = before.rows.iter().find(|(old, _)| *old == row);
            let service = match same {
                Some((_, service)) => Arc::clone(service),
                None => match read(&row, server_name) {
                    Ok(service) => Arc::new(service),
                    Err(error) => {
                        tracing::error!(appservice.id = %row.id, error.cause = %error, "A registered application service cannot be used. Register it anew.");
                        continue;
                    }
                },
            };
            let Ok(hash) = Hash::try_from(row.token_hash.as_slice()) else { continue };
            if known.by_id(&row.id).is_some() || known.by_token.contains_key(&hash) {
                tracing::error!(appservice.id = %row.id, "A registered application service has the id or token of one in a file, which comes first. Remove one of them.");
                continue;
            }
            known.add(&service, hash);
            known.rows.push((row, service));
        }
        let same = known.list.len() == before.list.len()
            && known.list.iter().zip(&before.list).all(|(new, old)| Arc::ptr_eq(new, old));
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
        if !same {
            self.changed.send_modify(|count| *count += 1);
        }
    }
}

fn read(row: &ServiceRow, server_name: &ServerName) -> Result<Service> {
    let mut fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&row.definition).map_err(Error::internal)?;
    // The token itself is known to its holder alone.
    let tokens = [("id", row.id.as_str()), ("hs_token", &row.hs_token), ("as_token", "unknown")];
    fields.extend(tokens.map(|(key, value)| (key.to_owned(), value.into())));
    let definition: Definition = serde_json::from_value(fields.into()).map_err(Error::internal)?;
    Service::new(&definition, server_name, false)
        .map_err(|wrong| Error::new(Code::InvalidParam, wrong.join(" ")))
}

impl Identity {
    /// Which application services there are.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Reads anew which application services administrators set up.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn reload_services(&self) -> Result<()> {
        let _one = self.services.reading.lock().await;
        let rows = services::all(&mut self.store.reader()).await?;
        self.services.take(rows, &self.options.server_name);
        Ok(())
    }
}
