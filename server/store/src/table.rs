//! Tables that are written in batches: their columns, and what a second row of the same key means.

/// What happens to a row whose key exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnConflict {
    /// The change is refused.
    Refuse,
    /// The new row replaces all other columns.
    Replace,
    /// The old row stays.
    Keep,
    /// The new row replaces all other columns if its `ord` is larger, else the old row stays.
    Forward,
}

pub(crate) struct Spec {
    pub name: &'static str,
    pub columns: &'static [&'static str],
    /// How many of the first columns are the key.
    pub key: usize,
    pub on_conflict: OnConflict,
}

macro_rules! tables {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $conflict:ident [$($key:literal),+] [$($column:literal),*];)+) => {
        /// A table that [`crate::Change`]s insert into.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)] // Described in the migrations.
        pub enum Table { $($(#[$doc])* $variant),+ }

        impl Table {
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub(crate) fn spec(self) -> &'static Spec {
                match self {
                    $(Self::$variant => {
                        const SPEC: Spec = Spec {
                            name: $name,
                            columns: &[$($key,)+ $($column),*],
                            key: [$($key),+].len(),
                            on_conflict: OnConflict::$conflict,
                        };
                        &SPEC
                    }),+
                }
            }
        }
    };
}

tables! {
    Audit = "audit" Refuse ["audit_nid"] ["ts", "action", "outcome", "actor_nid", "actor_kind",
        "session_nid", "ip", "request_id", "target_kind", "target", "detail"];
    Room = "room" Refuse ["room_nid"] ["room_id", "version", "revision", "depth", "extremities",
        "linear", "published", "created_ts", "snapshot_nid"];
    /// The place of a room's newest event: a column of `room`, kept apart because it is a position.
    RoomPlace = "room_place" Replace ["room_nid"] ["last_ord"];
    Event = "event" Refuse ["event_nid"] ["event_id", "room_nid", "pos", "ord", "depth", "type",
        "sender_nid", "state_key_nid", "replaces_nid", "snapshot_nid", "origin_ts", "received_ts",
        "retention_ts", "rejected", "soft_failed", "redacted_by_nid", "relates_to", "rel_type",
        "notifies", "skeleton"];
    EventBody = "event_body" Replace ["event_nid"] ["key_nid", "nonce", "ct"];
    RoomState = "room_state" Replace ["room_nid", "type", "key_nid"] ["event_nid"];
    StateChange = "state_change" Replace ["room_nid", "type", "key_nid", "ord"] ["event_nid"];
    StateSnapshot = "state_snapshot" Refuse ["snapshot_nid"] ["room_nid", "parent_nid", "layers",
        "added", "removed"];
    Awaited = "awaited" Keep ["event_id", "why", "by_nid"] ["room_nid"];
    Membership = "membership" Replace ["room_nid", "user_nid"] ["membership", "event_nid", "pos",
        "ord", "sender_nid", "forgotten"];
    Alias = "alias" Refuse ["alias"] ["room_nid", "creator_nid", "ts"];
    SentTxn = "sent_txn" Refuse ["user_nid", "scope", "digest"] ["txn_id", "event_nid", "event_id",
        "until_ts"];
    /// Never moves backwards.
    Receipt = "receipt" Forward ["room_nid", "user_nid", "kind", "thread"] ["event_id", "ord", "ts", "pos"];
    Notification = "notification" Replace ["user_nid", "room_nid", "ord"] ["event_nid", "notify",
        "highlight"];
    Media = "media" Refuse ["media_nid"] ["media_id", "uploader_nid", "state", "content_type", "kind",
        "file_name", "size", "sha256", "created_ts", "expires_ts", "unauthenticated_ok"];
    Report = "report" Replace ["reporter_nid", "kind", "target"] ["report_nid", "room_id", "sender",
        "reason", "ts"];
    Account = "account" Refuse ["user_nid"] ["state", "auth_epoch", "admin", "guest", "user_type",
        "created_ts", "password_hash"];
    /// A login on a known device keeps its name.
    Device = "device" Keep ["user_nid", "device_id"] ["display_name", "created_ts"];
    DeviceSeen = "device_seen" Replace ["user_nid", "device_id"] ["ts", "ip"];
    Session = "session" Refuse ["session_nid"] ["user_nid", "device_id", "kind", "created_ts", "generation"];
    AccessToken = "access_token" Refuse ["hash"] ["session_nid", "generation", "expires_ts"];
    RefreshToken = "refresh_token" Refuse ["hash"] ["session_nid", "generation"];
    LoginToken = "login_token" Refuse ["hash"] ["user_nid", "expires_ts"];
    RegistrationToken = "registration_token" Refuse ["token"] ["uses_allowed", "completed", "expires_ts",
        "created_ts", "creator_nid"];
    UiaSession = "uia_session" Replace ["id"] ["purpose", "completed", "token", "sid", "created_ts"];
    Profile = "profile" Replace ["user_nid", "key"] ["value", "pos"];
    AccountData = "account_data" Replace ["user_nid", "room_nid", "type"] ["content", "pos"];
    DeviceKeys = "device_keys" Replace ["user_nid", "device_id"] ["content"];
    /// A taken key id refuses the change.
    OneTimeKey = "one_time_key" Refuse ["user_nid", "device_id", "algorithm", "key_id"] ["content", "pos",
        "claim_nid", "claimed_ts"];
    FallbackKey = "fallback_key" Replace ["user_nid", "device_id", "algorithm"] ["key_id", "content", "used"];
    CrossSigningKey = "cross_signing_key" Replace ["user_nid", "usage"] ["public_key", "content"];
    KeySignature = "key_signature" Replace ["user_nid", "signer_nid", "key_name", "signer_key"] ["signature",
        "pos"];
    DeviceList = "device_list" Replace ["user_nid"] ["pos"];
    ToDevice = "to_device" Refuse ["user_nid", "device_id", "pos"] ["sender_nid", "type", "content"];
    SyncFilter = "sync_filter" Keep ["user_nid", "filter_id"] ["definition"];
    KeyBackup = "key_backup" Refuse ["user_nid", "version"] ["backup_nid", "algorithm", "auth_data", "etag",
        "keys"];
    KeyBackupSession = "key_backup_session" Replace ["backup_nid", "room_id", "session_id"] ["is_verified",
        "first_message_index", "forwarded_count", "session_data"];
    KeyBackupTrash = "key_backup_trash" Keep ["backup_nid"] [];
    DehydratedDevice = "dehydrated_device" Replace ["user_nid"] ["device_id", "device_data"];
    Threepid = "threepid" Refuse ["medium", "address"] ["user_nid", "validated_ts", "added_ts"];
    Validation = "validation" Refuse ["sid"] ["purpose", "medium", "address", "attempt", "next_link",
        "created_ts"];
    ValidationToken = "validation_token" Refuse ["hash"] ["sid", "created_ts"];
    Outbox = "outbox" Refuse ["outbox_nid"] ["kind", "payload", "created_ts", "expires_ts", "next_ts",
        "attempt"];
    Departure = "departure" Keep ["user_nid"] ["since_ts"];
    ErasedUser = "erased_user" Keep ["user_nid"] ["pos"];
    OpenidToken = "openid_token" Refuse ["hash"] ["user_nid", "expires_ts"];
    PageSession = "page_session" Refuse ["hash"] ["user_nid", "epoch", "expires_ts"];
    NoticeRoom = "notice_room" Refuse ["user_nid"] ["room_id"];
    NoticeRound = "notice_round" Refuse ["notice_nid"] ["content", "after_nid", "created_ts"];
    SlidingState = "sliding_state" Refuse ["state_nid"] ["user_nid", "device_id", "conn_id", "parent_nid",
        "used_ts", "state"];
    Delayed = "delayed" Refuse ["delayed_nid"] ["delay_id", "user_nid", "device_id", "digest", "room_id",
        "type", "state_key", "content", "delay_ms", "created_ts", "since_ts", "due_ts", "settled_ts",
        "event_id", "error"];
    PushMode = "push_mode" Replace ["user_nid", "room_id"] ["mode", "since", "before"];
    Pusher = "pusher" Replace ["user_nid", "app_id", "pushkey"] ["device_id", "app_display_name",
        "device_display_name", "profile_tag", "lang", "url", "data", "set_ts", "owed_pos"];
    ApplicationService = "application_service" Refuse ["service_id"] ["token_hash", "hs_token", "definition",
        "created_ts", "creator_nid"];
    NetworkRoom = "network_room" Keep ["service_id", "network_id", "room_nid"] [];
    FollowerTxn = "follower_txn" Refuse ["follower"] ["txn_id", "to_pos", "body", "created_ts"];
    UrlPreview = "url_preview" Replace ["digest"] ["preview", "fetched_ts", "expires_ts"];
    UrlPreviewPicture = "url_preview_picture" Replace ["media_nid"] ["until_ts"];
    Channel = "channel" Refuse ["channel_id"] ["kind", "account", "shown_name", "service_id", "language",
        "exclusive", "visibility", "version", "created_ts", "health", "health_ts"];
    ChannelMember = "channel_member" Replace ["channel_id", "user_nid"] ["leaving", "entered"];
    Contact = "contact" Refuse ["contact_id"] ["redirect_to", "kind", "stage", "owner_nid", "team",
        "visibility", "language", "version", "created_ts", "updated_ts"];
    ContactField = "contact_field" Replace ["contact_id", "field", "source"] ["value", "trust", "ts"];
    ContactIdentity = "contact_identity" Refuse ["identity_nid"] ["contact_id", "channel_id", "account",
        "id_type", "external_id", "state", "ghost_nid", "first_seen_ts", "last_seen_ts"];
    ContactIdentityAlias = "contact_identity_alias" Replace ["channel_id", "account", "id_type",
        "external_id"] ["identity_nid", "since_ts"];
    Conversation = "conversation" Refuse ["conversation_id"] ["identity_nid", "channel_id", "lane", "room_nid",
        "backstage_nid", "status", "snoozed_until_ts", "assignee_nid", "unassigned_ts", "exclusive",
        "waits_ts", "last_answered_ts", "opened_ts", "version"];
    Note = "conversation_note" Refuse ["event_nid"] ["conversation_id", "kind", "author_nid"];
    ContactVoice = "contact_voice" Replace ["place", "external_id", "contact_id"] ["single", "last_ts"];
    ContactName = "contact_name" Keep ["contact_id", "shown"] [];
    ContactToken = "contact_token" Keep ["token", "contact_id"] [];
    ContactKey = "contact_key" Refuse ["kind", "key"] ["version", "contested"];
    Arrival = "arrival" Refuse ["arrival_id"] ["contact_id", "place", "external_id", "rule", "ts"];
    ContactMerge = "contact_merge" Refuse ["merge_nid"] ["from_id", "into_id", "rule", "actor_nid", "owner_nid",
        "batch", "ts"];
    ContactOther = "contact_other" Keep ["contact_id", "other_id"] [];
    ConversationProposal = "conversation_proposal" Refuse ["conversation_id", "number"] ["other_id", "event_nid"];
    ContactLookup = "contact_lookup" Refuse ["lookup_id"] ["user_nid", "shown", "ts"];
    ContactOverride = "contact_override" Replace ["contact_id", "ts"] ["user_nid", "reason"];
    ContactImportRow = "contact_import_row" Refuse ["import_id", "number"] ["contact_id", "ts"];
    QualityReport = "quality_report" Refuse ["report_id"] ["month", "made_ts", "made_by_nid", "figures"];
    CrmConnector = "crm_connector" Refuse ["system"] ["kind", "url", "api_key", "api_secret", "hook_id", "hook_secret",
        "mapping", "cursor_ts", "cursor_id", "next_ts", "failures", "compared", "compared_day", "created_ts",
        "timeline"];
    CrmReport = "crm_report" Replace ["system", "day"] ["figures", "ts"];
    ContactDue = "contact_due" Replace ["contact_id"] ["since_ts"];
    Consent = "consent" Keep ["consent_nid"] ["contact_id", "conversation_id", "purpose", "state",
        "text_version", "text_sha256", "act", "source", "event_id", "given_ts", "recorded_ts"];
    FactSource = "fact_source" Refuse ["source_id"] ["kind", "shown_name", "secret", "quiet_ms", "created_ts"];
    FactDelivery = "fact_delivery" Refuse ["source_id", "delivery_id"] ["ts"];
    FactCustomer = "fact_customer" Replace ["source_id", "customer_id"] ["contact_id"];
    ContactTag = "contact_tag" Keep ["contact_id", "tag"] ["since_ts", "user_nid"];
    Company = "company" Refuse ["company_id"] ["shown_name", "vat", "vat_verified_ts", "owner_nid", "version",
        "created_ts", "updated_ts"];
    CompanyDomain = "company_domain" Keep ["domain", "company_id"] [];
    CompanyPerson = "company_person" Replace ["company_id", "contact_id", "role"] ["since", "until"];
    StaffRole = "staff_role" Keep ["user_nid", "role"] [];
    Webhook = "webhook" Refuse ["webhook_id"] ["url", "secret", "kinds", "created_ts", "failures",
        "next_ts"];
}

/// Rows of one statement. Fixed, so that statements stay prepared; below SQLite's 32,766 parameters.
pub(crate) const CHUNKS: [usize; 4] = [64, 16, 4, 1];

/// The insert statement for `rows` rows.
pub(crate) fn insert_sql(table: Table, rows: usize) -> String {
    let spec = table.spec();
    let mut sql = format!("INSERT INTO {} ({}) VALUES ", spec.name, spec.columns.join(", "));
    for row in 0..rows {
        if row > 0 {
            sql.push_str(", ");
        }
        let numbers: Vec<_> =
            (1..=spec.columns.len()).map(|n| format!("${}", row * spec.columns.len() + n)).collect();
        sql.push_str(&format!("({})", numbers.join(", ")));
    }
    let key = spec.columns.iter().take(spec.key).copied().collect::<Vec<_>>().join(", ");
    match spec.on_conflict {
        OnConflict::Refuse => {}
        OnConflict::Keep => sql.push_str(" ON CONFLICT DO NOTHING"),
        OnConflict::Replace | OnConflict::Forward => {
            let set: Vec<_> =
                spec.columns.iter().skip(spec.key).map(|c| format!("{c} = excluded.{c}")).collect();
            sql.push_str(&format!(" ON CONFLICT ({key}) DO UPDATE SET {}", set.join(", ")));
            if spec.on_conflict == OnConflict::Forward {
                sql.push_str(&format!(" WHERE {}.ord < excluded.ord", spec.name));
            }
        }
    }
    sql
}
