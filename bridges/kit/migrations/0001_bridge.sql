-- The memory of bridges. One database may serve several channels, so every table names the channel.
-- Times are milliseconds. What is called sealed is encrypted with the bridge's key file.

-- One row per channel: health and pauses.
CREATE TABLE channel (
    channel TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    health TEXT NOT NULL,
    last_in_at BIGINT NOT NULL,
    last_out_at BIGINT NOT NULL,
    -- Usual gaps between messages by hour of the day, JSON.
    gaps TEXT NOT NULL,
    paused_until BIGINT NOT NULL
);

-- Where pulls go on; written with the items that it covers.
CREATE TABLE cursor (
    channel TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (channel, name)
) WITHOUT_ROWID;

-- Everything that a network told. Rows stay when their raw bytes go: the key keeps repetitions out.
CREATE TABLE inbox (
    id SERIAL_KEY,
    channel TEXT NOT NULL,
    key TEXT NOT NULL,
    lane TEXT NOT NULL,
    at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    -- Sealed; NULL once purged.
    raw BYTES,
    -- 0 new, 1 done, 2 dead, 3 set aside (a receipt that waits for the answer that it belongs to).
    state BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    error TEXT,
    -- How often it was replayed.
    replays BIGINT NOT NULL,
    -- 1 while people have to be told that it is dead.
    tell BIGINT NOT NULL
);
CREATE INDEX inbox_tell ON inbox (channel, id) WHERE tell = 1;
CREATE UNIQUE INDEX inbox_key ON inbox (channel, key);
CREATE INDEX inbox_new ON inbox (channel, lane, id) WHERE state = 0;
CREATE INDEX inbox_aside ON inbox (channel, next_at) WHERE state = 3;
CREATE INDEX inbox_dead ON inbox (channel, id) WHERE state = 2;
CREATE INDEX inbox_raw ON inbox (channel, received_at) WHERE raw IS NOT NULL AND state = 1;

-- Conversations. in_at and out_at: when there is work for the inbox or the outbox; NULL when there is none.
CREATE TABLE lane (
    channel TEXT NOT NULL,
    lane TEXT NOT NULL,
    account TEXT NOT NULL,
    id_type TEXT NOT NULL,
    external_id TEXT NOT NULL,
    room TEXT,
    conversation TEXT,
    contact TEXT,
    ghost TEXT,
    language TEXT NOT NULL,
    last_customer_at BIGINT NOT NULL,
    in_at BIGINT,
    out_at BIGINT,
    PRIMARY KEY (channel, lane)
) WITHOUT_ROWID;
CREATE INDEX lane_room ON lane (room) WHERE room IS NOT NULL;
CREATE INDEX lane_in ON lane (channel, in_at) WHERE in_at IS NOT NULL;
CREATE INDEX lane_out ON lane (channel, out_at) WHERE out_at IS NOT NULL;

-- Which message of the network is which event.
CREATE TABLE link (
    channel TEXT NOT NULL,
    lane TEXT NOT NULL,
    remote TEXT NOT NULL,
    part BIGINT NOT NULL,
    event_id TEXT NOT NULL,
    -- customer, company, agent
    author TEXT NOT NULL,
    PRIMARY KEY (channel, lane, remote, part)
) WITHOUT_ROWID;
CREATE INDEX link_event ON link (event_id);

-- Everything that agents did and the network has to be told.
CREATE TABLE outbox (
    id SERIAL_KEY,
    channel TEXT NOT NULL,
    lane TEXT NOT NULL,
    room TEXT NOT NULL,
    event_id TEXT NOT NULL,
    part BIGINT NOT NULL,
    act TEXT NOT NULL,
    ours TEXT NOT NULL,
    -- The event it is about: itself, or the one that it changes.
    target TEXT NOT NULL,
    -- Sealed; NULL once purged.
    content BYTES,
    queued_at BIGINT NOT NULL,
    rung BIGINT NOT NULL,
    failure TEXT,
    -- 1 while it stands in its lane's line.
    open BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    remote TEXT,
    changed_at BIGINT NOT NULL,
    -- 1 while the room has to be told where it stands.
    tell BIGINT NOT NULL,
    -- 1 once the room was told that it has to wait.
    waiting BIGINT NOT NULL
);
CREATE UNIQUE INDEX outbox_event ON outbox (event_id, part, act);
CREATE INDEX outbox_line ON outbox (channel, lane, id) WHERE open = 1;
CREATE INDEX outbox_tell ON outbox (channel, changed_at) WHERE tell = 1;
CREATE INDEX outbox_ours ON outbox (channel, ours);
CREATE INDEX outbox_remote ON outbox (channel, lane, remote) WHERE remote IS NOT NULL;
CREATE INDEX outbox_content ON outbox (channel, queued_at) WHERE content IS NOT NULL AND open = 0;

-- Notices with buttons: reactions to them do something.
CREATE TABLE notice (
    event_id TEXT NOT NULL PRIMARY KEY,
    channel TEXT NOT NULL,
    -- dead, uncertain
    kind TEXT NOT NULL,
    target BIGINT NOT NULL,
    at BIGINT NOT NULL
) WITHOUT_ROWID;
CREATE INDEX notice_age ON notice (channel, at);

-- Files of the network that have to come home, each behind a placeholder in its room.
CREATE TABLE media (
    id SERIAL_KEY,
    channel TEXT NOT NULL,
    lane TEXT NOT NULL,
    room TEXT NOT NULL,
    event_id TEXT NOT NULL,
    -- Sealed JSON: locator, name, …
    file BYTES NOT NULL,
    -- 0 to fetch, 1 done, 2 given up.
    state BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    mxc TEXT,
    at BIGINT NOT NULL
);
CREATE UNIQUE INDEX media_event ON media (event_id);
CREATE INDEX media_due ON media (channel, next_at) WHERE state = 0;

-- What was said in conversations whose far end is ours: numbered 1, 2, 3, … without gaps.
CREATE TABLE journal (
    channel TEXT NOT NULL,
    lane TEXT NOT NULL,
    seq BIGINT NOT NULL,
    key TEXT NOT NULL,
    at BIGINT NOT NULL,
    -- Sealed.
    body BYTES NOT NULL,
    PRIMARY KEY (channel, lane, seq)
) WITHOUT_ROWID;
CREATE UNIQUE INDEX journal_key ON journal (channel, lane, key);

-- Small values of channels; sealed when secret.
CREATE TABLE kept (
    channel TEXT NOT NULL,
    name TEXT NOT NULL,
    value BYTES NOT NULL,
    secret BIGINT NOT NULL,
    until BIGINT,
    PRIMARY KEY (channel, name)
) WITHOUT_ROWID;
CREATE INDEX kept_until ON kept (until) WHERE until IS NOT NULL;
