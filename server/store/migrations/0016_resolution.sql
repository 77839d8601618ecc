-- Resolution: who was seen at which address and with which keys, what arrived, and what was made of it.

-- Redirects are never chains: a contact that was merged into one that was merged points to the last.
CREATE INDEX contact_redirect ON contact (redirect_to) WHERE redirect_to IS NOT NULL;

-- Contacts that an address was seen to be of: several when people share a number or it changed hands.
CREATE TABLE contact_voice (
    -- Channel, account and kind of id.
    place TEXT NOT NULL,
    external_id TEXT NOT NULL,
    contact_id TEXT NOT NULL,
    -- 1 = people have one id of such a place, so that another one speaks against being the same.
    single BIGINT NOT NULL,
    last_ts BIGINT NOT NULL,
    PRIMARY KEY (place, external_id, contact_id)
) WITHOUT_ROWID;
CREATE INDEX contact_voice_contact ON contact_voice (contact_id);

-- Names that a contact was seen with.
CREATE TABLE contact_name (
    contact_id TEXT NOT NULL,
    shown TEXT NOT NULL,
    PRIMARY KEY (contact_id, shown)
) WITHOUT_ROWID;

-- Words of names and addresses, as they are compared: derived from what a contact shows.
CREATE TABLE contact_token (
    token TEXT NOT NULL,
    contact_id TEXT NOT NULL,
    PRIMARY KEY (token, contact_id)
) WITHOUT_ROWID;
CREATE INDEX contact_token_contact ON contact_token (contact_id);

-- Addresses and keys that something is known of. Whoever adds to it moves the version, so that of two
-- who decide at once by the same key one decides anew.
CREATE TABLE contact_key (
    -- address, phone, email.
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    version BIGINT NOT NULL,
    -- 1 = two people are known to use it.
    contested BIGINT NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT_ROWID;

-- What arrived by way of a channel, and whose it is.
CREATE TABLE arrival (
    -- The sender's name for it.
    arrival_id TEXT PRIMARY KEY,
    -- NULL = nobody's yet.
    contact_id TEXT,
    place TEXT NOT NULL,
    external_id TEXT NOT NULL,
    -- By which rule.
    rule TEXT NOT NULL,
    ts BIGINT NOT NULL
);
CREATE INDEX arrival_contact ON arrival (contact_id);
CREATE INDEX arrival_open ON arrival (arrival_id) WHERE contact_id IS NULL;

-- Contacts that were merged: the journal by which a merge is undone. The redirect stands with the contact.
CREATE TABLE contact_merge (
    merge_nid BIGINT PRIMARY KEY,
    from_id TEXT NOT NULL,
    into_id TEXT NOT NULL,
    rule TEXT NOT NULL,
    -- Who did it; NULL = resolution.
    actor_nid BIGINT,
    -- Whose both are since, when two people owned them.
    owner_nid BIGINT,
    -- What it was done together with, and is undone together with.
    batch TEXT NOT NULL,
    ts BIGINT NOT NULL,
    undone_ts BIGINT,
    undone_by_nid BIGINT
);
CREATE INDEX contact_merge_ts ON contact_merge (ts);
-- A contact is merged into one other at a time.
CREATE UNIQUE INDEX contact_merge_from ON contact_merge (from_id) WHERE undone_ts IS NULL;
CREATE INDEX contact_merge_of ON contact_merge (from_id);
CREATE INDEX contact_merge_into ON contact_merge (into_id);
CREATE INDEX contact_merge_batch ON contact_merge (batch);

-- Contacts that somebody said are different people, both ways round.
CREATE TABLE contact_other (
    contact_id TEXT NOT NULL,
    other_id TEXT NOT NULL,
    PRIMARY KEY (contact_id, other_id)
) WITHOUT_ROWID;

-- Pairs that are perhaps one person, as the weighing of the first one found them.
CREATE TABLE contact_suggestion (
    -- A contact, or `arrival:` and an arrival that is nobody's yet.
    one TEXT NOT NULL,
    other TEXT NOT NULL,
    -- open, accepted, rejected.
    state TEXT NOT NULL,
    -- Hundredths of a bit.
    weight BIGINT NOT NULL,
    -- Reasons, JSON.
    evidence TEXT NOT NULL,
    ts BIGINT NOT NULL,
    -- 1 = those who talk with one of them were told, or there is nobody to tell.
    told BIGINT NOT NULL,
    PRIMARY KEY (one, other)
) WITHOUT_ROWID;
CREATE INDEX contact_suggestion_other ON contact_suggestion (other);
CREATE INDEX contact_suggestion_untold ON contact_suggestion (one, other) WHERE told = 0;

-- Contacts that those backstage were shown, with the numbers by which they name them.
CREATE TABLE conversation_proposal (
    conversation_id TEXT NOT NULL,
    -- 1, 2, 3, … within the conversation.
    number BIGINT NOT NULL,
    -- The contact that was shown.
    other_id TEXT NOT NULL,
    -- The message that shows it alone, to which people react.
    event_nid BIGINT,
    PRIMARY KEY (conversation_id, number)
) WITHOUT_ROWID;
CREATE UNIQUE INDEX conversation_proposal_other ON conversation_proposal (conversation_id, other_id);
CREATE INDEX conversation_proposal_event ON conversation_proposal (event_nid) WHERE event_nid IS NOT NULL;

-- Look-ups of the last minutes: whoever makes a contact looked first.
CREATE TABLE contact_lookup (
    lookup_id TEXT PRIMARY KEY,
    user_nid BIGINT NOT NULL,
    -- The contacts that were shown, JSON array.
    shown TEXT NOT NULL,
    ts BIGINT NOT NULL
);
CREATE INDEX contact_lookup_ts ON contact_lookup (ts);

-- Contacts that somebody made or changed although others stood in the way, and why.
CREATE TABLE contact_override (
    contact_id TEXT NOT NULL,
    ts BIGINT NOT NULL,
    user_nid BIGINT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (contact_id, ts)
) WITHOUT_ROWID;
CREATE INDEX contact_override_user ON contact_override (user_nid);

-- Contacts that are to be weighed anew.
CREATE TABLE contact_due (
    contact_id TEXT PRIMARY KEY,
    since_ts BIGINT NOT NULL
) WITHOUT_ROWID;
