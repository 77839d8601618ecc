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
    -- The record there that it was merged into.
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
