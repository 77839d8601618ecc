-- Media: what was uploaded, and what somebody promised to upload. The files lie in a folder, named
-- by their SHA-256, so one file may belong to several rows; it goes when the last of them is gone.

CREATE TABLE media (
    media_nid BIGINT PRIMARY KEY,
    media_id TEXT NOT NULL UNIQUE,
    uploader_nid BIGINT NOT NULL,
    -- pending: promised, the content is not there; ready: it can be fetched.
    state TEXT NOT NULL,
    -- As the uploader said; not to be trusted.
    content_type TEXT NOT NULL,
    -- What the first bytes look like: a word of the media department, '' while pending.
    kind TEXT NOT NULL,
    file_name TEXT,
    size BIGINT NOT NULL,
    -- Hexadecimal; NULL while pending.
    sha256 TEXT,
    created_ts BIGINT NOT NULL,
    -- When a promise lapses; NULL once it was kept.
    expires_ts BIGINT,
    -- 1: came while the addresses that ask for no login were open, and may be fetched from them.
    unauthenticated_ok BIGINT NOT NULL
);
CREATE INDEX media_sha256 ON media (sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX media_pending ON media (uploader_nid, expires_ts) WHERE state = 'pending';
CREATE INDEX media_expired ON media (expires_ts) WHERE state = 'pending';
