-- Finding rooms and moments in them, and what users report to the administrators.

-- The room directory is read whole, by its ids alone.
CREATE INDEX room_published ON room (room_nid) WHERE published = 1;

-- For the event that is closest to a date.
CREATE INDEX event_time ON event (room_nid, origin_ts);

CREATE TABLE report (
    reporter_nid BIGINT NOT NULL,
    -- room, event, user.
    kind TEXT NOT NULL,
    -- Matrix id of what is reported. A second report of the same by the same person replaces the
    -- first one.
    target TEXT NOT NULL,
    report_nid BIGINT NOT NULL,
    -- Of events: their room and their sender.
    room_id TEXT,
    sender TEXT,
    -- What the reporter says, if anything.
    reason TEXT,
    ts BIGINT NOT NULL,
    PRIMARY KEY (reporter_nid, kind, target)
) WITHOUT_ROWID;
CREATE UNIQUE INDEX report_order ON report (report_nid);
CREATE INDEX report_ts ON report (reporter_nid, ts);
