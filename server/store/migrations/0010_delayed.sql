-- Events that are to be sent later, and indexes for threads and notifications.

-- Events that people asked to be sent later (MSC4140), and what became of them.
CREATE TABLE delayed (
    delayed_nid BIGINT PRIMARY KEY,
    -- Whoever knows it may send, cancel or restart the event.
    delay_id TEXT NOT NULL UNIQUE,
    user_nid BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    -- SHA-256 of the request path with its transaction id; NULL where requests have none.
    digest BYTES,
    room_id TEXT NOT NULL,
    type TEXT NOT NULL,
    -- Of state events.
    state_key TEXT,
    -- JSON.
    content TEXT NOT NULL,
    delay_ms BIGINT NOT NULL,
    -- When it was asked for, and when it last began to wait.
    created_ts BIGINT NOT NULL,
    since_ts BIGINT NOT NULL,
    -- When it is to be sent; NULL once it was settled: sent, cancelled or failed. Whoever sends it
    -- takes this away in the transaction of the event, so that it is sent once.
    due_ts BIGINT,
    settled_ts BIGINT,
    -- The event that it became.
    event_id TEXT,
    -- Why it could not be sent: a code and a sentence, JSON.
    error TEXT
);
CREATE UNIQUE INDEX delayed_request ON delayed (user_nid, device_id, digest);
CREATE INDEX delayed_due ON delayed (due_ts) WHERE due_ts IS NOT NULL;
CREATE INDEX delayed_user ON delayed (user_nid, due_ts);
CREATE INDEX delayed_settled ON delayed (settled_ts) WHERE settled_ts IS NOT NULL;

CREATE INDEX event_thread ON event (room_nid, relates_to, ord, sender_nid) WHERE rel_type = 'm.thread';
CREATE INDEX event_highlight ON event (room_nid, ord) WHERE notifies > 1;
CREATE INDEX notification_user ON notification (user_nid, ord);
