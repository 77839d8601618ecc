-- The house itself: its settings, its order, its names, its audit.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- One row: the next numeric id that nobody has reserved. Processes reserve blocks.
CREATE TABLE nid_block (
    one BIGINT PRIMARY KEY,
    next BIGINT NOT NULL
);
INSERT INTO nid_block (one, next) VALUES (1, 1);

-- The one order: every durable change that a client can see takes one row, written under a lock
-- that is held to the commit. Old rows are pruned; the last one never.
CREATE TABLE stream_log (
    position BIGINT PRIMARY KEY,
    stream BIGINT NOT NULL,
    room_nid BIGINT,
    user_nid BIGINT,
    -- On the first row of each of PostgreSQL's transactions, by which a lost COMMIT is asked about.
    mark BIGINT
);

-- User ids and state keys, text once.
CREATE TABLE name (
    nid BIGINT PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
);

CREATE TABLE audit (
    audit_nid BIGINT PRIMARY KEY,
    ts BIGINT NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    actor_nid BIGINT,
    actor_kind TEXT NOT NULL,
    session_nid BIGINT,
    ip TEXT,
    request_id TEXT,
    target_kind TEXT,
    target TEXT,
    detail TEXT
);
CREATE INDEX audit_ts ON audit (ts);
CREATE INDEX audit_action ON audit (action, ts);
-- Who had a conversation when.
CREATE INDEX audit_assignment ON audit (target, ts) WHERE action = 'conversation.assign';
