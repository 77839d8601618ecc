-- Sliding sync: what each connection of a device was told, and what rooms are ordered by.

-- One row per answer that changed what the connection knows. The row that the next request names
-- and those that follow it are kept: a client may have lost the answer and ask again.
CREATE TABLE sliding_state (
    state_nid BIGINT PRIMARY KEY,
    user_nid BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    -- The client's own name for the connection; '' for its only one.
    conn_id TEXT NOT NULL,
    -- The state that the request named; 0 = the connection began.
    parent_nid BIGINT NOT NULL,
    -- When it was written; connections that nobody went on with are swept.
    used_ts BIGINT NOT NULL,
    -- JSON: what was told of each room, up to where.
    state TEXT NOT NULL
);
CREATE INDEX sliding_state_connection ON sliding_state (user_nid, device_id, conn_id);
CREATE INDEX sliding_state_used ON sliding_state (used_ts);

-- The newest event of a room that counts as activity (bump_stamp). An index, since a row for each
-- room would be written once more with every message.
CREATE INDEX event_bump ON event (room_nid, ord) WHERE type IN ('m.room.create', 'm.room.message',
    'm.room.encrypted', 'm.sticker', 'm.call.invite', 'm.poll.start', 'm.beacon_info',
    'org.matrix.msc3381.poll.start', 'org.matrix.msc3672.beacon_info');
