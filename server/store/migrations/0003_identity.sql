-- Accounts, their devices, sessions and tokens, and the ways to get an account.

-- An account's numeric id is its user id's row in name.
CREATE TABLE account (
    user_nid BIGINT PRIMARY KEY,
    -- active, locked, suspended, deactivated.
    state TEXT NOT NULL,
    -- Moves when everything that the account was told must be checked again.
    auth_epoch BIGINT NOT NULL,
    admin BIGINT NOT NULL,
    guest BIGINT NOT NULL,
    -- What a tool that made the account says it is: bot, support; NULL for people.
    user_type TEXT,
    created_ts BIGINT NOT NULL,
    -- Argon2id as a PHC string; NULL when nobody can log in with a password.
    password_hash TEXT
);

CREATE TABLE device (
    user_nid BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    display_name TEXT,
    created_ts BIGINT NOT NULL,
    PRIMARY KEY (user_nid, device_id)
) WITHOUT_ROWID;

-- Apart from device: written in batches now and then, never with a request.
CREATE TABLE device_seen (
    user_nid BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    ts BIGINT NOT NULL,
    ip TEXT,
    PRIMARY KEY (user_nid, device_id)
) WITHOUT_ROWID;

CREATE TABLE session (
    session_nid BIGINT PRIMARY KEY,
    user_nid BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    -- How it began: password, token, registration, shared_secret, setup.
    kind TEXT NOT NULL,
    created_ts BIGINT NOT NULL,
    -- NULL while it lives. Kept for a while after, so that its tokens are told why.
    ended_ts BIGINT,
    reason TEXT,
    -- The newest generation of tokens that the client is known to have received: it used one.
    generation BIGINT NOT NULL
);
-- A device has one session at a time; a second login ends the first one.
CREATE UNIQUE INDEX session_alive ON session (user_nid, device_id) WHERE ended_ts IS NULL;
CREATE INDEX session_ended ON session (ended_ts) WHERE ended_ts IS NOT NULL;

-- Tokens are kept as SHA-256 only: whoever reads the table cannot log in with it.
CREATE TABLE access_token (
    hash BYTES PRIMARY KEY,
    session_nid BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    -- NULL = as long as the session.
    expires_ts BIGINT
);
CREATE INDEX access_token_session ON access_token (session_nid, generation);

CREATE TABLE refresh_token (
    hash BYTES PRIMARY KEY,
    session_nid BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    -- Set when it was redeemed. With the token itself, which only the client has, it gives the next
    -- pair of tokens again, should the answer have been lost.
    salt BYTES
);
CREATE INDEX refresh_token_session ON refresh_token (session_nid, generation);

-- For m.login.token: one login, two minutes.
CREATE TABLE login_token (
    hash BYTES PRIMARY KEY,
    user_nid BIGINT NOT NULL,
    expires_ts BIGINT NOT NULL
);
CREATE INDEX login_token_expires ON login_token (expires_ts);

CREATE TABLE registration_token (
    token TEXT PRIMARY KEY,
    -- NULL = any number.
    uses_allowed BIGINT,
    completed BIGINT NOT NULL,
    expires_ts BIGINT,
    created_ts BIGINT NOT NULL,
    creator_nid BIGINT
);

-- User-interactive authentication under way.
CREATE TABLE uia_session (
    id TEXT PRIMARY KEY,
    -- The operation and, of authenticated ones, the account and its device: a proof for one
    -- operation is none for another.
    purpose TEXT NOT NULL,
    -- JSON array of stage types that were completed.
    completed TEXT NOT NULL,
    -- The registration token that was shown, if any.
    token TEXT,
    -- The proof of an address that was shown, if any.
    sid TEXT,
    created_ts BIGINT NOT NULL
);
CREATE INDEX uia_session_created ON uia_session (created_ts);
