//! Application services: which there are, who they may act as, and the users that they make
//! (application service API).
//!
//! What is registered stands in memory, since every request asks whether a token is theirs: those of
//! the operator's files from the start, the others read again whenever the log says that some came
//! or went.

mod acting;
mod registry;
mod setup;
mod users;

pub use acting::Masquerade;
pub use registry::{Known, Services};
pub use setup::{Registered, Wished};

use kontor_model::Secret;
use kontor_model::appservice::Service;
use std::sync::Arc;

/// An application service of the operator's files.
#[derive(Clone, Debug)]
pub struct FileService {
    /// What it is.
    pub service: Arc<Service>,
    /// With which it proves itself.
    pub as_token: Secret<String>,
}

/// The `user_type` of users that application services made.
pub(crate) const KIND: &str = "application_service";
