-- Addresses of people and their proofs, mail on its way, closed accounts on their way out, tokens
-- for widgets, notices of the server.

-- Addresses that belong to accounts. One address belongs to one account.
CREATE TABLE threepid (
    -- email.
    medium TEXT NOT NULL,
    -- In small letters.
    address TEXT NOT NULL,
    user_nid BIGINT NOT NULL,
    validated_ts BIGINT NOT NULL,
    added_ts BIGINT NOT NULL,
    PRIMARY KEY (medium, address)
) WITHOUT_ROWID;
CREATE INDEX threepid_user ON threepid (user_nid);

-- Somebody is to prove that an address is theirs.
CREATE TABLE validation (
    -- Digest of purpose, address and the client's secret: the same request is the same session.
    sid TEXT PRIMARY KEY,
    -- add, register, reset: a proof for one is none for another.
    purpose TEXT NOT NULL,
    medium TEXT NOT NULL,
    address TEXT NOT NULL,
    -- The client's newest send_attempt: smaller and equal ones send nothing.
    attempt BIGINT NOT NULL,
    next_link TEXT,
    created_ts BIGINT NOT NULL,
    -- NULL until it is proven.
    validated_ts BIGINT
);
CREATE INDEX validation_created ON validation (created_ts);

-- Each mail has a token of its own, so that an older mail still works.
CREATE TABLE validation_token (
    hash BYTES PRIMARY KEY,
    sid TEXT NOT NULL,
    created_ts BIGINT NOT NULL
);
CREATE INDEX validation_token_created ON validation_token (created_ts);

-- What is to leave the house and is not in the log, written with its cause. A row goes when it was
-- delivered, was refused for good, or is of no use any more.
CREATE TABLE outbox (
    outbox_nid BIGINT PRIMARY KEY,
    -- mail.
    kind TEXT NOT NULL,
    -- JSON.
    payload TEXT NOT NULL,
    created_ts BIGINT NOT NULL,
    expires_ts BIGINT NOT NULL,
    -- Not to be tried before.
    next_ts BIGINT NOT NULL,
    attempt BIGINT NOT NULL
);
CREATE INDEX outbox_next ON outbox (kind, next_ts);

-- Closed accounts that may still be in rooms. The row goes with the last room.
CREATE TABLE departure (
    user_nid BIGINT PRIMARY KEY,
    since_ts BIGINT NOT NULL
);

-- Closed accounts whose words those who join later are not shown; from which position on somebody
-- is later.
CREATE TABLE erased_user (
    user_nid BIGINT PRIMARY KEY,
    pos BIGINT NOT NULL
);

-- Tokens with which a widget's server asks who somebody is. SHA-256 only.
CREATE TABLE openid_token (
    hash BYTES PRIMARY KEY,
    user_nid BIGINT NOT NULL,
    expires_ts BIGINT NOT NULL
);
CREATE INDEX openid_token_expires ON openid_token (expires_ts);

-- Who reads a page of the server in a browser: short sessions without a device. SHA-256 only.
CREATE TABLE page_session (
    hash BYTES PRIMARY KEY,
    user_nid BIGINT NOT NULL,
    -- The account's epoch when it began: another one ends it.
    epoch BIGINT NOT NULL,
    expires_ts BIGINT NOT NULL
);
CREATE INDEX page_session_expires ON page_session (expires_ts);

-- The room in which the server tells somebody something.
CREATE TABLE notice_room (
    user_nid BIGINT PRIMARY KEY,
    room_id TEXT NOT NULL
);

-- A notice on its way to everybody. The row goes when everybody has it.
CREATE TABLE notice_round (
    notice_nid BIGINT PRIMARY KEY,
    -- Content of the message, JSON.
    content TEXT NOT NULL,
    -- Accounts up to this one have it.
    after_nid BIGINT NOT NULL,
    created_ts BIGINT NOT NULL
);
