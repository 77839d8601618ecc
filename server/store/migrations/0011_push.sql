-- Who is told beside the house's own clients, how far that got, and what pages of the web looked like.

-- What one process at a time does for all of them. After a crash of the database nobody holds anything.
CREATE UNLOGGED TABLE lease (
    name TEXT PRIMARY KEY,
    holder BIGINT NOT NULL,
    -- By the database's own clock, so that processes need not agree on the time.
    until_ts BIGINT NOT NULL
);

-- Up to which position somebody who follows the log has done the work.
CREATE TABLE follower (
    name TEXT PRIMARY KEY,
    pos BIGINT NOT NULL
);

-- Where a device wants to be told of events while it is not looking. It counts while the device has a
-- session, and goes with the device.
CREATE TABLE pusher (
    user_nid BIGINT NOT NULL,
    app_id TEXT NOT NULL,
    pushkey TEXT NOT NULL,
    device_id TEXT NOT NULL,
    app_display_name TEXT NOT NULL,
    device_display_name TEXT NOT NULL,
    profile_tag TEXT,
    lang TEXT NOT NULL,
    -- The address of the gateway, and apart from it what the client wants to be handed on, JSON.
    url TEXT NOT NULL,
    data TEXT NOT NULL,
    set_ts BIGINT NOT NULL,
    -- NULL while the gateway takes what it is sent. Else: events after this position are still owed.
    owed_pos BIGINT,
    PRIMARY KEY (user_nid, app_id, pushkey)
) WITHOUT_ROWID;
CREATE INDEX pusher_key ON pusher (app_id, pushkey);

-- What pages of the web look like, so that each is asked once for all who see a link to it.
CREATE TABLE url_preview (
    -- SHA-256 of the address and of the languages that were asked for.
    digest BYTES PRIMARY KEY,
    -- JSON as it is given out; NULL when there is nothing to show.
    preview TEXT,
    fetched_ts BIGINT NOT NULL,
    expires_ts BIGINT NOT NULL
);
CREATE INDEX url_preview_expires ON url_preview (expires_ts);

-- Files that are pictures of previews. They stay longer than the preview, since clients show it from
-- messages that they have.
CREATE TABLE url_preview_picture (
    media_nid BIGINT PRIMARY KEY,
    until_ts BIGINT NOT NULL
);
CREATE INDEX url_preview_picture_until ON url_preview_picture (until_ts);
