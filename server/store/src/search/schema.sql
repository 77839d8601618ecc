-- The search index. Derived data: made anew from the archive whenever it is lost, so it needs no
-- backup and no care in a crash. On SQLite it is a file of its own.

CREATE UNLOGGED TABLE IF NOT EXISTS search_state (
    one BIGINT PRIMARY KEY,
    -- Form of these tables; an index of another form is made anew.
    form BIGINT NOT NULL,
    -- Everything up to this position of the log is indexed, except what the walk has not reached.
    position BIGINT NOT NULL,
    -- The walk: places in (walk_after, walk_until] of each room, room by room. Rooms before walk_room
    -- are done, and in that room the places up to walk_place. Over when walk_until = walk_after.
    walk_after BIGINT NOT NULL,
    walk_until BIGINT NOT NULL,
    walk_room BIGINT NOT NULL,
    walk_place BIGINT NOT NULL
);

-- A stretch of a room's places: from base up to the next chunk's base.
CREATE UNLOGGED TABLE IF NOT EXISTS search_chunk (
    room_nid BIGINT NOT NULL,
    base BIGINT NOT NULL,
    -- Texts that were ever indexed in it.
    docs BIGINT NOT NULL,
    PRIMARY KEY (room_nid, base)
) WITHOUT_ROWID;

-- Where in a chunk a word stands. Words that begin with # are marks, which no text can hold.
CREATE UNLOGGED TABLE IF NOT EXISTS search_posting (
    room_nid BIGINT NOT NULL,
    base BIGINT NOT NULL,
    word TEXT_BY_BYTES NOT NULL,
    -- Six letters for each place, ascending: distance from base, and weight.
    places TEXT NOT NULL,
    PRIMARY KEY (room_nid, base, word)
) WITHOUT_ROWID;

-- Edits: the text at place ord stands for that at place root, to those who may see both.
CREATE UNLOGGED TABLE IF NOT EXISTS search_edit (
    room_nid BIGINT NOT NULL,
    root BIGINT NOT NULL,
    ord BIGINT NOT NULL,
    PRIMARY KEY (room_nid, root, ord)
) WITHOUT_ROWID;
