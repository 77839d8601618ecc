-- Contacts that come from files and from other systems, reports on the quality of what is known, and connectors to CRMs.

-- What a contact is called in another system; merges move nothing, so it is read through the contact's redirect.
CREATE TABLE contact_link (
    system TEXT NOT NULL,
    external_type TEXT NOT NULL,
    external_id TEXT NOT NULL,
    contact_id TEXT NOT NULL,
    -- The version there that was seen last.
    seen_version TEXT,
    -- Digest of what we wrote there last: what comes back the same is our own echo.
    written TEXT,
    -- The values that both sides agreed on last, JSON by our fields.
    base TEXT,
    -- The record there that it was merged into; empty: it is there no more.
    merged_into TEXT,
    -- Changes of the record in the present minute, and its beginning.
    changes BIGINT NOT NULL,
    changes_ts BIGINT NOT NULL,
    -- Until when nothing is written there for it.
    paused_ts BIGINT,
    updated_ts BIGINT NOT NULL,
    PRIMARY KEY (system, external_type, external_id)
) WITHOUT_ROWID;
CREATE INDEX contact_link_contact ON contact_link (contact_id, system);

-- Rows of files that were taken, so that a broken import goes on where it stopped.
CREATE TABLE contact_import_row (
    import_id TEXT NOT NULL,
    -- Its number in the file.
    number BIGINT NOT NULL,
    contact_id TEXT NOT NULL,
    ts BIGINT NOT NULL,
    PRIMARY KEY (import_id, number)
) WITHOUT_ROWID;
CREATE INDEX contact_import_row_ts ON contact_import_row (ts);

-- Reports on the quality of what is known of contacts: figures and ids, no values. They are kept.
CREATE TABLE quality_report (
    -- ULID.
    report_id TEXT PRIMARY KEY,
    -- The month at whose beginning it was made, such as 2026-11; NULL when somebody asked for it.
    month TEXT,
    made_ts BIGINT NOT NULL,
    made_by_nid BIGINT,
    -- JSON.
    figures TEXT NOT NULL,
    -- Who is to look at it.
    assignee_nid BIGINT,
    -- Who did, and what is said of it.
    signed_ts BIGINT,
    signed_by_nid BIGINT,
    note TEXT
);
CREATE UNIQUE INDEX quality_report_month ON quality_report (month) WHERE month IS NOT NULL;

-- A CRM that contacts are kept in step with.
CREATE TABLE crm_connector (
    -- A word: names it in links and values.
    system TEXT PRIMARY KEY,
    -- http, espocrm.
    kind TEXT NOT NULL,
    url TEXT NOT NULL,
    -- Opens the door there, so kept as it is: a key, or what signs requests.
    api_key TEXT NOT NULL,
    api_secret TEXT,
    -- Their webhook: its id there, and what signs it.
    hook_id TEXT,
    hook_secret TEXT,
    -- Which field is which, and whose word counts, JSON.
    mapping TEXT NOT NULL,
    -- The last change there that was read: when, and of which record.
    cursor_ts BIGINT NOT NULL,
    cursor_id TEXT NOT NULL,
    -- When it is read next, and how often in a row that failed.
    next_ts BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    -- The record at which the nightly comparison is, and the day of the last one.
    compared TEXT,
    compared_day BIGINT NOT NULL,
    created_ts BIGINT NOT NULL,
    -- 1 = it is told what was done with customers.
    timeline BIGINT NOT NULL
);

-- Contacts that a CRM is yet to be told of: written in the transaction of the change, told as the contact is then.
CREATE TABLE crm_outbox (
    system TEXT NOT NULL,
    contact_id TEXT NOT NULL,
    -- Moves when the contact changes again, so that this is not forgotten with what was told before.
    turn BIGINT NOT NULL,
    -- How many systems the change came through.
    hop BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    next_ts BIGINT NOT NULL,
    -- Why it was given up; NULL while it is tried.
    given_up TEXT,
    PRIMARY KEY (system, contact_id)
) WITHOUT_ROWID;
CREATE INDEX crm_outbox_next ON crm_outbox (next_ts) WHERE given_up IS NULL;

-- What employees did, of which a CRM is yet to be told: written in the transaction of the act. Ids only: what a note says
-- is read when it is told, so that what was redacted meanwhile is not.
CREATE TABLE crm_item (
    system TEXT NOT NULL,
    -- The same for the same act, so that it is told once.
    item TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    -- assigned, closed, note, decision, done.
    kind TEXT NOT NULL,
    -- The event that says what was noted, or what was to be done.
    event_nid BIGINT,
    by_nid BIGINT,
    to_nid BIGINT,
    ts BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    next_ts BIGINT NOT NULL,
    -- Why it was given up; NULL while it is tried.
    given_up TEXT,
    PRIMARY KEY (system, item)
) WITHOUT_ROWID;
CREATE INDEX crm_item_next ON crm_item (next_ts) WHERE given_up IS NULL;

-- What a person has to decide or do about a connector.
CREATE TABLE crm_task (
    task_nid BIGINT PRIMARY KEY,
    system TEXT NOT NULL,
    -- conflict, please_merge, merged_there, gone, unclear, paused, given_up.
    kind TEXT NOT NULL,
    -- What it is about, so that it is told once: a record there, a contact, a field of it.
    subject TEXT NOT NULL,
    contact_id TEXT,
    -- JSON: ids, and for a conflict both values.
    detail TEXT NOT NULL,
    ts BIGINT NOT NULL,
    done_ts BIGINT,
    done_by_nid BIGINT
);
CREATE UNIQUE INDEX crm_task_subject ON crm_task (system, kind, subject) WHERE done_ts IS NULL;

-- What the nightly comparison found.
CREATE TABLE crm_report (
    system TEXT NOT NULL,
    -- Days since 1970.
    day BIGINT NOT NULL,
    -- JSON.
    figures TEXT NOT NULL,
    ts BIGINT NOT NULL,
    PRIMARY KEY (system, day)
) WITHOUT_ROWID;
