//! The audit row: who did what to what, in the transaction of the act.
//!
//! Ids, counts and configuration values only; never message text, tokens or customers' addresses.
//! The catalogue grows with the features; an action that it names can only be submitted together
//! with its row, because the functions that build such changes take one.

use crate::change::Change;
use crate::table::Table;
use crate::value::Value;
use kontor_model::{Ms, Nid};

/// What was done. The names are the catalogue's, grouped by area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Each name says what it is.
pub enum Action {
    AuthLogin,
    AuthLoginFailed,
    AuthLogout,
    AuthTokenRefresh,
    AuthTokenRevoked,
    AuthLoginTokenCreate,
    AuthDeviceAdd,
    AuthDeviceRemove,
    AuthKeyVerificationReset,
    UserCreate,
    UserUpdate,
    UserDeactivate,
    UserErase,
    UserRoleGrant,
    UserPasswordReset,
    UserRegistrationTokenCreate,
    RoomCreate,
    RoomJoin,
    RoomLeave,
    RoomInvite,
    RoomKick,
    RoomBan,
    RoomPowerChange,
    RoomEncryptionEnable,
    RoomHistoryVisibilityChange,
    RoomAliasChange,
    RoomUpgrade,
    ReportCreate,
    MessageRedact,
    ContactCreate,
    ContactUpdate,
    ContactMerge,
    ContactUnmerge,
    ContactApart,
    ContactOverride,
    ContactImport,
    ContactExport,
    ConnectorCreate,
    ConnectorRemove,
    ConnectorTask,
    QualityReportMake,
    QualityReportAssign,
    QualityReportSign,
    ConversationOpen,
    ConversationAssign,
    ConversationStatus,
    ConversationVersionsRead,
    ConversationNote,
    ConversationTask,
    ConsentRecord,
    ChannelCreate,
    ChannelUpdate,
    ChannelRemove,
    ChannelPause,
    ChannelResume,
    ContactLink,
    WebhookCreate,
    WebhookRemove,
    FactSourceCreate,
    FactSourceUpdate,
    FactSourceRemove,
    FactLink,
    FactUnlink,
    CompanyCreate,
    CompanyUpdate,
    CompanyRemove,
    ContactTag,
    ContactAsk,
    MediaUpload,
    MediaDownload,
    SystemConfigChange,
    SystemMigration,
    SystemNoticeSend,
    SystemServiceAdd,
    SystemServiceRemove,
}

impl Action {
    /// The name in the log: `area.action`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AuthLogin => "auth.login",
            Self::AuthLoginFailed => "auth.login_failed",
            Self::AuthLogout => "auth.logout",
            Self::AuthTokenRefresh => "auth.token_refresh",
            Self::AuthTokenRevoked => "auth.token_revoked",
            Self::AuthLoginTokenCreate => "auth.login_token_create",
            Self::AuthDeviceAdd => "auth.device_add",
            Self::AuthDeviceRemove => "auth.device_remove",
            Self::AuthKeyVerificationReset => "auth.key_verification_reset",
            Self::UserCreate => "user.create",
            Self::UserUpdate => "user.update",
            Self::UserDeactivate => "user.deactivate",
            Self::UserErase => "user.erase",
            Self::UserRoleGrant => "user.role_grant",
            Self::UserPasswordReset => "user.password_reset",
            Self::UserRegistrationTokenCreate => "user.registration_token_create",
            Self::RoomCreate => "room.create",
            Self::RoomJoin => "room.join",
            Self::RoomLeave => "room.leave",
            Self::RoomInvite => "room.invite",
            Self::RoomKick => "room.kick",
            Self::RoomBan => "room.ban",
            Self::RoomPowerChange => "room.power_change",
            Self::RoomEncryptionEnable => "room.encryption_enable",
            Self::RoomHistoryVisibilityChange => "room.history_visibility_change",
            Self::RoomAliasChange => "room.alias_change",
            Self::RoomUpgrade => "room.upgrade",
            Self::ReportCreate => "report.create",
            Self::MessageRedact => "message.redact",
            Self::ContactCreate => "contact.create",
            Self::ContactMerge => "contact.merge",
            Self::ContactUnmerge => "contact.unmerge",
            Self::ContactApart => "contact.set_apart",
            Self::ContactOverride => "contact.duplicate_override",
            Self::ContactUpdate => "contact.update",
            Self::ContactImport => "contact.import",
            Self::ContactExport => "contact.export",
            Self::ConnectorCreate => "connector.create",
            Self::ConnectorRemove => "connector.remove",
            Self::ConnectorTask => "connector.task_done",
            Self::QualityReportMake => "contact.quality_report",
            Self::QualityReportAssign => "contact.quality_assign",
            Self::QualityReportSign => "contact.quality_sign_off",
            Self::ConversationOpen => "conversation.open",
            Self::ConversationAssign => "conversation.assign",
            Self::ConversationStatus => "conversation.status",
            Self::ConversationVersionsRead => "conversation.versions_read",
            Self::ConversationNote => "conversation.note",
            Self::ConversationTask => "conversation.task",
            Self::ConsentRecord => "contact.consent_record",
            Self::ChannelCreate => "channel.create",
            Self::ChannelUpdate => "channel.update",
            Self::ChannelRemove => "channel.remove",
            Self::ChannelPause => "channel.pause",
            Self::ChannelResume => "channel.resume",
            Self::ContactLink => "contact.link",
            Self::WebhookCreate => "webhook.create",
            Self::WebhookRemove => "webhook.remove",
            Self::FactSourceCreate => "fact_source.create",
            Self::FactSourceUpdate => "fact_source.update",
            Self::FactSourceRemove => "fact_source.remove",
            Self::FactLink => "fact.link",
            Self::FactUnlink => "fact.unlink",
            Self::CompanyCreate => "company.create",
            Self::CompanyUpdate => "company.update",
            Self::CompanyRemove => "company.remove",
            Self::ContactTag => "contact.tag",
            Self::ContactAsk => "contact.ask",
            Self::MediaUpload => "media.upload",
            Self::MediaDownload => "media.download",
            Self::SystemConfigChange => "system.config_change",
            Self::SystemMigration => "system.migration",
            Self::SystemNoticeSend => "system.notice_send",
            Self::SystemServiceAdd => "system.application_service_add",
            Self::SystemServiceRemove => "system.application_service_remove",
        }
    }
}

/// How the act ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused.
    Denied,
}

/// Who acted, as far as the server knows.
#[derive(Clone, Debug, Default)]
pub struct Actor {
    /// The account, if there is one.
    pub user: Option<Nid>,
    /// The session, if there is one.
    pub session: Option<Nid>,
    /// The peer's address.
    pub ip: Option<String>,
    /// The request id of the log lines that belong to the act.
    pub request_id: Option<String>,
}

/// One row of the audit log.
#[derive(Clone, Debug)]
pub struct Audit {
    /// What was done.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Who acted.
    pub actor: Actor,
    /// `user`, `room`, `event`, `media`, `device`, … or nothing.
    pub target_kind: Option<&'static str>,
    /// Its Matrix id.
    pub target: Option<String>,
    /// Further ids and counts, JSON. No text that people wrote.
    pub detail: Option<String>,
    /// When.
    pub ts: Ms,
}

impl Audit {
    /// A successful act of `actor`.
    pub fn done(action: Action, actor: Actor, ts: Ms) -> Self {
        Self { action, outcome: Outcome::Success, actor, target_kind: None, target: None, detail: None, ts }
    }

    /// What it was done to.
    #[must_use]
    pub fn on(mut self, kind: &'static str, id: impl Into<String>) -> Self {
        self.target_kind = Some(kind);
        self.target = Some(id.into());
        self
    }
}

impl Change {
    /// Adds the audit row of the act; `nid` from [`crate::Store::nid`].
    pub fn audit(&mut self, nid: Nid, audit: Audit) {
        let outcome = match audit.outcome {
            Outcome::Success => "success",
            Outcome::Denied => "denied",
        };
        let kind = if audit.actor.user.is_some() { "user" } else { "system" };
        self.insert(
            Table::Audit,
            vec![
                nid.into(),
                audit.ts.into(),
                audit.action.name().into(),
                outcome.into(),
                audit.actor.user.into(),
                kind.into(),
                audit.actor.session.into(),
                audit.actor.ip.into(),
                audit.actor.request_id.into(),
                Value::from(audit.target_kind),
                audit.target.into(),
                audit.detail.into(),
            ],
        );
    }
}
