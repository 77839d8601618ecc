-- How channels are, as people were told: pauses, and the way of news through the rooms of conversations.
CREATE TABLE channel_state (
    channel_id TEXT PRIMARY KEY,
    -- Since when an administrator lets it rest; NULL while it works.
    paused_ts BIGINT,
    -- What people are told, JSON: state by account, "" for the channel itself.
    told TEXT NOT NULL,
    -- Names the notice to administrators, so that each gets it once.
    notice_nid BIGINT NOT NULL,
    -- The last conversation whose backstage room shows it; NULL when all do.
    walk TEXT
) WITHOUT_ROWID;

-- Conversations in which the network takes answers only for some time after the customer wrote.
CREATE TABLE conversation_window (
    conversation_id TEXT PRIMARY KEY,
    window_ms BIGINT NOT NULL,
    -- When the customer wrote last.
    last_ts BIGINT NOT NULL,
    -- What those backstage know: 0 nothing, 1 open, 2 little time is left, 3 closed.
    told BIGINT NOT NULL,
    -- When there is something to tell; NULL when there is not.
    next_ts BIGINT
) WITHOUT_ROWID;
CREATE INDEX conversation_window_due ON conversation_window (next_ts) WHERE next_ts IS NOT NULL;

-- Codes of links that lead a customer to a channel, and whose they are.
CREATE TABLE contact_link_code (
    -- SHA-256 of the code.
    code_hash BYTES PRIMARY KEY,
    contact_id TEXT NOT NULL,
    created_ts BIGINT NOT NULL,
    expires_ts BIGINT NOT NULL
) WITHOUT_ROWID;
CREATE INDEX contact_link_code_expires ON contact_link_code (expires_ts);
