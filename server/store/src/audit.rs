//! The audit row: who did what to what, in the transaction of the act.
//!
//! Ids, counts and configuration values only; never message text, tokens or customers' addresses.
//! The catalogue grows with the features; an action that it names can only be submitted together
//! with its row, because the functions that build such changes take one.

use crate::change::Change;
use crate::table::Table;
use crate::value::Value;
use kontor_model::{Ms, Nid};

macro_rules! actions {
    ($($variant:ident = $name:literal,)+) => {
        /// What was done. The names are the catalogue's, grouped by area.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)] // Each name says what it is.
        pub enum Action { $($variant),+ }

        impl Action {
            /// The name in the log: `area.action`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

actions! {
    AuthLogin = "auth.login",
    AuthLoginFailed = "auth.login_failed",
    AuthLogout = "auth.logout",
    AuthTokenRefresh = "auth.token_refresh",
    AuthTokenRevoked = "auth.token_revoked",
    AuthLoginTokenCreate = "auth.login_token_create",
    AuthDeviceAdd = "auth.device_add",
    AuthDeviceRemove = "auth.device_remove",
    AuthKeyVerificationReset = "auth.key_verification_reset",
    UserCreate = "user.create",
    UserUpdate = "user.update",
    UserDeactivate = "user.deactivate",
    UserErase = "user.erase",
    UserRoleGrant = "user.role_grant",
    UserPasswordReset = "user.password_reset",
    UserRegistrationTokenCreate = "user.registration_token_create",
    RoomCreate = "room.create",
    RoomJoin = "room.join",
    RoomLeave = "room.leave",
    RoomInvite = "room.invite",
    RoomKick = "room.kick",
    RoomBan = "room.ban",
    RoomPowerChange = "room.power_change",
    RoomEncryptionEnable = "room.encryption_enable",
    RoomHistoryVisibilityChange = "room.history_visibility_change",
    RoomAliasChange = "room.alias_change",
    RoomUpgrade = "room.upgrade",
    ReportCreate = "report.create",
    MessageRedact = "message.redact",
    ContactCreate = "contact.create",
    ContactUpdate = "contact.update",
    ContactMerge = "contact.merge",
    ContactUnmerge = "contact.unmerge",
    ContactApart = "contact.set_apart",
    ContactSplit = "contact.split",
    IdentityMove = "identity.move",
    ContactOverride = "contact.duplicate_override",
    ContactForget = "contact.forget",
    ContactImport = "contact.import",
    ContactExport = "contact.export",
    ConnectorCreate = "connector.create",
    ConnectorRemove = "connector.remove",
    ConnectorCompare = "connector.compare",
    ConnectorTask = "connector.task_done",
    QualityReportMake = "contact.quality_report",
    QualityReportAssign = "contact.quality_assign",
    QualityReportSign = "contact.quality_sign_off",
    ConversationOpen = "conversation.open",
    ConversationAssign = "conversation.assign",
    ConversationStatus = "conversation.status",
    ConversationVersionsRead = "conversation.versions_read",
    ConversationNote = "conversation.note",
    ConversationTask = "conversation.task",
    ConsentRecord = "contact.consent_record",
    ChannelCreate = "channel.create",
    ChannelUpdate = "channel.update",
    ChannelRemove = "channel.remove",
    ChannelPause = "channel.pause",
    ChannelResume = "channel.resume",
    ContactLink = "contact.link",
    WebhookCreate = "webhook.create",
    WebhookRemove = "webhook.remove",
    FactSourceCreate = "fact_source.create",
    FactSourceUpdate = "fact_source.update",
    FactSourceRemove = "fact_source.remove",
    FactLink = "fact.link",
    FactUnlink = "fact.unlink",
    CompanyCreate = "company.create",
    CompanyUpdate = "company.update",
    CompanyRemove = "company.remove",
    ContactTag = "contact.tag",
    ContactAsk = "contact.ask",
    MediaUpload = "media.upload",
    MediaDownload = "media.download",
    SystemConfigChange = "system.config_change",
    SystemMigration = "system.migration",
    SystemNoticeSend = "system.notice_send",
    SystemServiceAdd = "system.application_service_add",
    SystemServiceRemove = "system.application_service_remove",
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
