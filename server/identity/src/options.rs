//! What an operator decides about accounts.

use kontor_model::{Ms, Secret};
use ruma::OwnedServerName;

/// Configuration of the department.
#[derive(Clone, Debug)]
pub struct Options {
    /// The part of user ids after the colon.
    pub server_name: OwnedServerName,
    /// Who can make an account.
    pub registration: Registration,
    /// Hashes passwords with almost no work: for tests only. Short passwords are accepted then.
    pub test_only_cheap_hashing: bool,
    /// Whether it is told who is online.
    pub presence: bool,
    /// How people are written to; `None` = not at all.
    pub mail: Option<Mail>,
    /// How long an access token works when its client can refresh it.
    pub access_token_life: Ms,
    /// Localpart of the company's own user, who makes the rooms of conversations.
    pub company_user: String,
    /// Application services of the operator's files.
    pub services: Vec<crate::appservice::FileService>,
}

impl Options {
    /// Life of refreshable access tokens, unless somebody decides otherwise.
    pub const ACCESS_TOKEN_LIFE: Ms = 5 * 60 * 1000;

    /// The safe defaults: nobody registers.
    pub fn new(server_name: OwnedServerName) -> Self {
        Self {
            server_name,
            registration: Registration::default(),
            test_only_cheap_hashing: false,
            presence: false,
            mail: None,
            access_token_life: Self::ACCESS_TOKEN_LIFE,
            company_user: "kontor".to_owned(),
            services: Vec::new(),
        }
    }
}

/// What letters to people say of the server.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Base URL for links, without a trailing slash.
    pub base_url: String,
}

/// Who can make an account.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Whether people can register themselves.
    pub enabled: bool,
    /// Whether registering needs a registration token.
    pub require_verification: bool,
    /// Secret for tools that register accounts; `None` closes that way.
    pub shared_secret: Option<Secret<String>>,
    /// Whether guests are let in.
    pub allow_guests: bool,
    /// Documents that must be accepted when registering.
    pub terms: Vec<Terms>,
}

impl Default for Registration {
    fn default() -> Self {
        Self {
            enabled: false,
            require_verification: true,
            shared_secret: None,
            allow_guests: false,
            terms: Vec::new(),
        }
    }
}

/// A document that must be accepted when registering.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Id, such as `privacy_policy`.
    pub id: String,
    /// Version, such as `1.2`.
    pub version: String,
    /// Language, name in it, URL in it.
    pub translations: Vec<(String, String, String)>,
}
