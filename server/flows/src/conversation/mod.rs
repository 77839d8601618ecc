//! Conversations with customers: the rules of their rooms, what happens at the door when somebody writes
//! there, what employees do with them, and the sweeps that close gaps.
//!
//! A conversation has two rooms. The customer's room is mirrored by a bridge; the backstage room is for
//! the company alone, and no bridge can enter it. Which is which stands in a room's first event and never
//! changes. Rules about contacts themselves are the department's.

mod acts;
mod asking;
pub mod channels;
pub(crate) mod commands;
mod deciding;
mod door;
pub(crate) mod entering;
mod facts;
mod files;
mod happened;
mod merging;
mod notes;
mod quality;
mod rule;
mod sweep;
mod timeline;
mod versions;
pub mod webhooks;
pub(crate) mod widget;
mod windows;

pub use deciding::Decided;
pub use files::SharedFile;
pub use happened::{Happened, Kinds, Place, What};
pub use notes::Noted;
pub(crate) use rule::{Kind, is_company_type, kind};
pub use timeline::{Passed, Past, place};
pub use versions::Version;

use crate::Flows;
use kontor_model::{Error, Requester, Result};
use kontor_store::contacts::queue::Reader;

/// Type of mirrored rooms, in their first event.
pub const CUSTOMER: &str = "dev.kontor.customer";
/// Type of backstage rooms.
pub const BACKSTAGE: &str = "dev.kontor.backstage";
/// State that links the two rooms: ids only.
pub const LINK: &str = "dev.kontor.conversation";
/// State with facts about how the conversation came about.
pub const CONTEXT: &str = "dev.kontor.context";

impl Flows {
    /// The company's own user as a requester; its account is made when it is needed for the first time.
    ///
    /// # Errors
    /// `Unavailable` when a person has the name.
    pub async fn company(&self) -> Result<Requester> {
        let (company, missing) = self.identity.company_requester().await?;
        if let Some(account) = missing {
            match self.store.submit(account).await {
                // Another process made it at the same moment.
                Err(error) if error.is_conflict() => {}
                outcome => drop(outcome?),
            }
        }
        Ok(company)
    }
}

/// Somebody as a reader of contacts and conversations.
///
/// # Errors
/// `Forbidden` for guests and application services: they are no employees.
pub fn reader(by: &Requester) -> Result<Reader> {
    if by.guest || by.service.is_some() {
        return Err(Error::forbidden("Only employees may see contacts and conversations."));
    }
    Ok(Reader { user: by.user, admin: by.admin })
}
