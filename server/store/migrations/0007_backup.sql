-- Server-side key backup: copies of room keys that clients encrypt before they send them.

CREATE TABLE key_backup (
    user_nid BIGINT NOT NULL,
    -- Counts up per user; clients see it as a text.
    version BIGINT NOT NULL,
    -- What its keys are stored under. NULL = deleted: the row stays until there is a newer version, so
    -- that its number is not given again.
    backup_nid BIGINT,
    algorithm TEXT NOT NULL,
    -- A JSON object that only clients understand.
    auth_data TEXT NOT NULL,
    -- Counts the requests that changed keys.
    etag BIGINT NOT NULL,
    -- How many keys there are.
    keys BIGINT NOT NULL,
    PRIMARY KEY (user_nid, version)
) WITHOUT_ROWID;

CREATE TABLE key_backup_session (
    backup_nid BIGINT NOT NULL,
    room_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    is_verified BIGINT NOT NULL,
    first_message_index BIGINT NOT NULL,
    forwarded_count BIGINT NOT NULL,
    -- A JSON object that only clients can read.
    session_data TEXT NOT NULL,
    PRIMARY KEY (backup_nid, room_id, session_id)
) WITHOUT_ROWID;
-- An upload names many sessions of many rooms.
CREATE INDEX key_backup_session_id ON key_backup_session (backup_nid, session_id);

-- Backups whose keys are to be deleted: nobody can read them any more, and they go in small steps.
CREATE TABLE key_backup_trash (
    backup_nid BIGINT PRIMARY KEY
);

-- A device that takes room keys while none of its owner's other devices is there (MSC3814). It is a
-- device as any other, but nobody is logged in with it.
CREATE TABLE dehydrated_device (
    user_nid BIGINT PRIMARY KEY,
    device_id TEXT NOT NULL,
    -- Its private keys, a JSON object that only the owner's clients can read.
    device_data TEXT NOT NULL
);
