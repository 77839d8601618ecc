//! The configuration, handed to each department in its own words.

use crate::config::{Config, DirectoryShows, Merging, PublishRooms};
use kontor_contacts::Contacts;
use kontor_contacts::resolve::Policy;
use kontor_model::{Clock, Random};
use kontor_store::Store;
use ruma::OwnedServerName;
use std::sync::Arc;

/// Largest body of a request that is not an upload, bytes: room for the largest event and its
/// wrapping, and for a device's keys.
const BODY_LIMIT: usize = 1 << 20;

/// What the department of accounts is told.
pub fn identity(config: &Config, server_name: OwnedServerName) -> kontor_identity::Options {
    let registration = &config.registration;
    kontor_identity::Options {
        test_only_cheap_hashing: config.passwords.test_only_cheap_hashing,
        registration: kontor_identity::Registration {
            enabled: registration.enabled,
            require_verification: registration.require_verification,
            shared_secret: registration.shared_secret.clone(),
            allow_guests: registration.allow_guests,
            terms: terms(config),
        },
        mail: config
            .email
            .smtp_host
            .as_ref()
            .zip(config.email.from.as_ref())
            .map(|_| kontor_identity::Mail { base_url: config.public_base_url() }),
        presence: config.presence.enabled,
        company_user: config.company.service_user.clone(),
        ..kontor_identity::Options::new(server_name)
    }
}

/// The documents to accept, translations of the same one together.
fn terms(config: &Config) -> Vec<kontor_identity::Terms> {
    let mut documents: Vec<kontor_identity::Terms> = Vec::new();
    for terms in &config.terms {
        let translation = (terms.language.clone(), terms.name.clone(), terms.url.clone());
        match documents.iter_mut().find(|known| known.id == terms.id && known.version == terms.version) {
            Some(document) => document.translations.push(translation),
            None => documents.push(kontor_identity::Terms {
                id: terms.id.clone(),
                version: terms.version.clone(),
                translations: vec![translation],
            }),
        }
    }
    documents
}

/// What the department of files is told.
pub fn media(config: &Config, server_name: OwnedServerName) -> kontor_media::Options {
    kontor_media::Options {
        dir: config.top.data_dir.join("media"),
        server_name,
        upload_limit: config.media.upload_limit.0,
        legacy_unauthenticated: config.media.legacy_unauthenticated,
    }
}

/// What the flows are told.
pub fn flows(config: &Config, server_name: OwnedServerName) -> kontor_flows::Settings {
    kontor_flows::Settings {
        server_name,
        public_base_url: config.public_base_url(),
        default_room_version: config.rooms.default_version.clone(),
        alias_needs_membership: config.rooms.alias_needs_membership,
        only_admins_publish: config.rooms.publish_rooms == PublishRooms::Admins,
        directory_shows_everybody: config.user_directory.shows == DirectoryShows::Everybody,
        forget_on_leave: config.rooms.forget_on_leave,
        card_widget: !config.company.card_clients.is_empty(),
    }
}

/// The department of contacts, with the company's clock.
pub fn contacts(
    config: &Config,
    store: &Store,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> Arc<Contacts> {
    let calendar = kontor_contacts::when::Calendar::of(&config.company.time_zone).unwrap_or_default();
    let contacts = Contacts::new(store.clone(), Arc::clone(clock), Arc::clone(random));
    let policy = match config.company.merging {
        Merging::Auto => Policy::Auto,
        Merging::Suggest => Policy::Suggest,
        Merging::Manual => Policy::Manual,
    };
    let silence = i64::from(config.company.anonymous_visitors_days) * 86_400_000;
    Arc::new(contacts.with_calendar(calendar).with_policy(policy).forgetting_visitors_after(silence))
}

/// What may be sent later.
pub fn delayed(config: &Config) -> kontor_flows::delayed::Delayed {
    let delayed = &config.delayed_events;
    kontor_flows::delayed::Delayed::new(delayed.per_user, i64::from(delayed.max_delay_seconds) * 1_000)
}

/// The servers for calls that people are told of.
fn calls(config: &Config) -> kontor_http::Calls {
    let turn = &config.turn;
    let credentials = match (&turn.shared_secret, &turn.username, &turn.password) {
        (Some(secret), _, _) => Some(kontor_http::TurnCredentials::Shared(secret.clone())),
        (None, Some(username), Some(password)) => {
            Some(kontor_http::TurnCredentials::Fixed(username.clone(), password.clone()))
        }
        _ => None,
    };
    kontor_http::Calls {
        livekit: config.rtc.livekit_service_urls.clone(),
        turn_uris: turn.uris.clone(),
        turn_credentials: credentials,
        turn_lifetime: turn.lifetime_seconds,
        turn_for_guests: turn.allow_guests,
    }
}

/// What the front door is told.
pub fn http(config: &Config, server_name: OwnedServerName) -> kontor_http::Settings {
    kontor_http::Settings {
        server_name,
        public_base_url: config.public_base_url(),
        rate_limits: config.rate_limits.enabled,
        body_limit: BODY_LIMIT,
        default_room_version: config.rooms.default_version.clone(),
        public_rooms_without_login: config.rooms.public_rooms_without_login,
        forget_on_leave: config.rooms.forget_on_leave,
        support: support(config),
        calls: calls(config),
        card_clients: config.company.card_clients.clone(),
    }
}

/// Whom to ask for help.
fn support(config: &Config) -> kontor_http::Support {
    let contact = |contact: &crate::config::SupportContact| kontor_http::Contact {
        role: contact.role.clone(),
        matrix_id: contact.matrix_id.clone(),
        email_address: contact.email_address.clone(),
    };
    kontor_http::Support {
        contacts: config.support_contact.iter().map(contact).collect(),
        support_page: config.top.support_page.clone(),
    }
}
