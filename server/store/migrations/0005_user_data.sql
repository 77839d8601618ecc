-- What users set for themselves: profile, account data, filters, and what their push rules make of
-- rooms.

CREATE TABLE profile (
    user_nid BIGINT NOT NULL,
    key TEXT NOT NULL,
    -- JSON of any kind.
    value TEXT NOT NULL,
    pos BIGINT NOT NULL,
    PRIMARY KEY (user_nid, key)
) WITHOUT_ROWID;

-- Tags, read markers and push rules are account data too.
CREATE TABLE account_data (
    user_nid BIGINT NOT NULL,
    -- 0 = belongs to no room.
    room_nid BIGINT NOT NULL,
    type TEXT NOT NULL,
    -- A JSON object. Of m.push_rules only what differs from the server's own rules.
    content TEXT NOT NULL,
    pos BIGINT NOT NULL,
    PRIMARY KEY (user_nid, room_nid, type)
) WITHOUT_ROWID;
CREATE INDEX account_data_pos ON account_data (user_nid, pos);

CREATE TABLE sync_filter (
    user_nid BIGINT NOT NULL,
    -- Digest of the definition: the same filter is stored once.
    filter_id TEXT NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (user_nid, filter_id)
) WITHOUT_ROWID;

-- What a user's push rules make of a room, derived from the rules whenever they change: 0 all as
-- usual, 1 mentions only, 2 nothing, 3 own rules decide event by event. Without a row: 0.
CREATE TABLE push_mode (
    user_nid BIGINT NOT NULL,
    -- '' = every room without a row of its own.
    room_id TEXT NOT NULL,
    mode BIGINT NOT NULL,
    -- Of mode 3: up to this position events still count as the mode before says, since nobody asked
    -- the rules when they came.
    since BIGINT NOT NULL,
    before BIGINT NOT NULL,
    PRIMARY KEY (user_nid, room_id)
) WITHOUT_ROWID;
CREATE INDEX push_mode_own ON push_mode (room_id, user_nid) WHERE mode = 3;
