-- Rooms: one row of hot state each, events as skeleton and body, current state and how it came about.

CREATE TABLE room (
    room_nid BIGINT PRIMARY KEY,
    room_id TEXT NOT NULL UNIQUE,
    version TEXT NOT NULL,
    -- Numeric id of the newest event: the guard of concurrent writers. Unique, so that a chain of
    -- events that was built on a lost one can never fit by accident.
    revision BIGINT NOT NULL,
    depth BIGINT NOT NULL,
    -- Event ids that no other event follows, JSON array.
    extremities TEXT NOT NULL,
    -- 1 while the room never forked: then no event needs a state snapshot.
    linear BIGINT NOT NULL,
    published BIGINT NOT NULL,
    created_ts BIGINT NOT NULL,
    -- The newest snapshot of state: the next one is stored as a difference from it.
    snapshot_nid BIGINT,
    -- Which process may write while several want to, and until when by the database's own clock:
    -- without turns the busiest process would be first every time.
    turn_holder BIGINT NOT NULL DEFAULT 0,
    turn_until BIGINT NOT NULL DEFAULT 0
);

-- Place of a room's newest event. Apart from room, because only the commit knows it.
CREATE TABLE room_place (
    room_nid BIGINT PRIMARY KEY,
    last_ord BIGINT NOT NULL
);

CREATE TABLE event (
    event_nid BIGINT PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    room_nid BIGINT NOT NULL,
    -- For /sync only; NULL for events that never were news.
    pos BIGINT,
    -- Place in the room; NULL for rejected and soft-failed events, which have none.
    ord BIGINT,
    depth BIGINT NOT NULL,
    type TEXT NOT NULL,
    sender_nid BIGINT NOT NULL,
    state_key_nid BIGINT,
    -- The state event that this one replaced, for unsigned.prev_content.
    replaces_nid BIGINT,
    -- State before the event, where its place does not tell: of events that did not follow all
    -- extremities, and of those without a place. Else the state after it is that of its ord.
    snapshot_nid BIGINT,
    origin_ts BIGINT NOT NULL,
    received_ts BIGINT NOT NULL,
    retention_ts BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    soft_failed BIGINT NOT NULL,
    redacted_by_nid BIGINT,
    -- The event id that m.relates_to names, and how.
    relates_to TEXT,
    rel_type TEXT,
    -- Bits: 1 counts as unread, 2 highlights for everybody.
    notifies BIGINT NOT NULL,
    skeleton TEXT NOT NULL
);
CREATE UNIQUE INDEX event_order ON event (room_nid, ord);
-- Holds all that unread counts look at, so that they need not touch the events themselves.
CREATE INDEX event_unread ON event (room_nid, ord, sender_nid, notifies, rel_type)
    WHERE notifies > 0 AND rel_type IS NULL;
CREATE INDEX event_unread_related ON event (room_nid, ord) WHERE notifies > 0 AND rel_type IS NOT NULL;
CREATE INDEX event_relation ON event (relates_to) WHERE relates_to IS NOT NULL;

-- Full content. Redaction, retention and encryption at rest touch this table and nothing else.
CREATE TABLE event_body (
    event_nid BIGINT PRIMARY KEY,
    -- 0 = not sealed.
    key_nid BIGINT NOT NULL,
    nonce BYTES,
    -- Content as canonical JSON; after a line feed the top-level fields that redaction drops, if any.
    ct BYTES NOT NULL
);

CREATE TABLE room_state (
    room_nid BIGINT NOT NULL,
    type TEXT NOT NULL,
    key_nid BIGINT NOT NULL,
    event_nid BIGINT NOT NULL,
    PRIMARY KEY (room_nid, type, key_nid)
) WITHOUT_ROWID;

-- Every change of the current state: state at a place is the newest change before it, per key.
CREATE TABLE state_change (
    room_nid BIGINT NOT NULL,
    type TEXT NOT NULL,
    key_nid BIGINT NOT NULL,
    ord BIGINT NOT NULL,
    -- NULL when resolution took the key out of the state.
    event_nid BIGINT,
    PRIMARY KEY (room_nid, type, key_nid, ord)
) WITHOUT_ROWID;
CREATE INDEX state_change_order ON state_change (room_nid, ord);

-- States that no place in the room stands for (see event.snapshot_nid), as differences from a parent.
CREATE TABLE state_snapshot (
    snapshot_nid BIGINT PRIMARY KEY,
    room_nid BIGINT NOT NULL,
    parent_nid BIGINT,
    layers BIGINT NOT NULL,
    -- JSON: [[type, key_nid, event_nid], ...] and [[type, key_nid], ...].
    added TEXT NOT NULL,
    removed TEXT NOT NULL
);
CREATE INDEX state_snapshot_room ON state_snapshot (room_nid);

-- Events of other servers that are spoken of, but have not come.
CREATE TABLE awaited (
    event_id TEXT NOT NULL,
    -- 1 = by_nid redacts it; 2 = by_nid follows it and was accepted without it.
    why BIGINT NOT NULL,
    by_nid BIGINT NOT NULL,
    room_nid BIGINT NOT NULL,
    PRIMARY KEY (event_id, why, by_nid)
) WITHOUT_ROWID;

CREATE TABLE membership (
    room_nid BIGINT NOT NULL,
    user_nid BIGINT NOT NULL,
    -- join, invite, knock, leave, ban.
    membership TEXT NOT NULL,
    event_nid BIGINT NOT NULL,
    -- Position of the change, and its place in the room.
    pos BIGINT NOT NULL,
    ord BIGINT NOT NULL,
    sender_nid BIGINT NOT NULL,
    -- 1 = the user forgot the room.
    forgotten BIGINT NOT NULL,
    PRIMARY KEY (room_nid, user_nid)
) WITHOUT_ROWID;
CREATE INDEX membership_user ON membership (user_nid, membership, pos, room_nid);

CREATE TABLE alias (
    alias TEXT PRIMARY KEY,
    room_nid BIGINT NOT NULL,
    creator_nid BIGINT NOT NULL,
    ts BIGINT NOT NULL
);
CREATE INDEX alias_room ON alias (room_nid);

-- What a transaction id already did; a repeated request answers the same event.
CREATE TABLE sent_txn (
    user_nid BIGINT NOT NULL,
    -- Device id, or the application service.
    scope TEXT NOT NULL,
    -- SHA-256 of the request path.
    digest BYTES NOT NULL,
    txn_id TEXT NOT NULL,
    event_nid BIGINT NOT NULL,
    event_id TEXT NOT NULL,
    -- When it may be forgotten.
    until_ts BIGINT NOT NULL,
    PRIMARY KEY (user_nid, scope, digest)
) WITHOUT_ROWID;
CREATE INDEX sent_txn_event ON sent_txn (event_nid);
CREATE INDEX sent_txn_until ON sent_txn (until_ts);

CREATE TABLE receipt (
    room_nid BIGINT NOT NULL,
    user_nid BIGINT NOT NULL,
    -- m.read, m.read.private. m.fully_read is account data.
    kind TEXT NOT NULL,
    -- '' unthreaded, 'main', or the thread root.
    thread TEXT NOT NULL,
    event_id TEXT NOT NULL,
    ord BIGINT NOT NULL,
    ts BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    PRIMARY KEY (room_nid, user_nid, kind, thread)
) WITHOUT_ROWID;
CREATE INDEX receipt_pos ON receipt (room_nid, pos);
CREATE INDEX receipt_user ON receipt (user_nid, pos);

-- Only highlights of single users and the outcome of own rules: never a row per member per message.
CREATE TABLE notification (
    user_nid BIGINT NOT NULL,
    room_nid BIGINT NOT NULL,
    ord BIGINT NOT NULL,
    event_nid BIGINT NOT NULL,
    notify BIGINT NOT NULL,
    highlight BIGINT NOT NULL,
    PRIMARY KEY (user_nid, room_nid, ord)
) WITHOUT_ROWID;
CREATE INDEX notification_place ON notification (room_nid, ord);
