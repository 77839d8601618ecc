-- Application services: those that administrators set up while the server runs, and what is on its way
-- to each.

CREATE TABLE application_service (
    service_id TEXT PRIMARY KEY,
    -- SHA-256 of the token with which it proves itself.
    token_hash BYTES NOT NULL UNIQUE,
    -- With which the server proves itself to it: sent with every request, so kept as it is.
    hs_token TEXT NOT NULL,
    -- Everything else of its registration, JSON.
    definition TEXT NOT NULL,
    created_ts BIGINT NOT NULL,
    creator_nid BIGINT
);

-- Rooms that a service shows in the directory of one of its networks.
CREATE TABLE network_room (
    service_id TEXT NOT NULL,
    network_id TEXT NOT NULL,
    room_nid BIGINT NOT NULL,
    PRIMARY KEY (service_id, network_id, room_nid)
) WITHOUT_ROWID;

-- What a follower is handing over: written before the first byte is sent, so that every try sends the
-- same, and gone once it was taken. One at a time for each follower.
CREATE TABLE follower_txn (
    follower TEXT PRIMARY KEY,
    txn_id TEXT NOT NULL,
    -- It holds everything up to here.
    to_pos BIGINT NOT NULL,
    body BYTES NOT NULL,
    created_ts BIGINT NOT NULL
);
