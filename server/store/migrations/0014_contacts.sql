-- Contacts: the company's customers, how they reach it, and their conversations.

-- A channel: one account of the company in one network, and who answers there.
CREATE TABLE channel (
    channel_id TEXT PRIMARY KEY,
    -- webchat, telegram, …
    kind TEXT NOT NULL,
    -- The account of the company in the network, in the network's words.
    account TEXT NOT NULL,
    -- What people call it.
    shown_name TEXT NOT NULL,
    -- The application service that speaks for it.
    service_id TEXT NOT NULL,
    -- pl, uk or en: of conversations whose customer's language is not known.
    language TEXT NOT NULL,
    -- 1 = only the assignee may write to the customer.
    exclusive BIGINT NOT NULL,
    -- Who sees the contacts that it makes: owner, team, all.
    visibility TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_ts BIGINT NOT NULL,
    -- How it is, as its bridge tells, JSON; NULL before the first word.
    health TEXT,
    health_ts BIGINT
);

CREATE TABLE channel_member (
    channel_id TEXT NOT NULL,
    user_nid BIGINT NOT NULL,
    -- 1 = taken out; the row goes when the user has left the channel's rooms.
    leaving BIGINT NOT NULL,
    -- The last conversation of the channel whose rooms the user was brought into on the way through those that were
    -- there before; NULL when that is done.
    entered TEXT,
    PRIMARY KEY (channel_id, user_nid)
) WITHOUT_ROWID;
CREATE INDEX channel_member_user ON channel_member (user_nid);
CREATE INDEX channel_member_entering ON channel_member (channel_id, user_nid) WHERE entered IS NOT NULL;
CREATE INDEX channel_member_leaving ON channel_member (channel_id, user_nid) WHERE leaving = 1;

CREATE TABLE contact (
    -- ULID, never given to another.
    contact_id TEXT PRIMARY KEY,
    -- The contact that it was merged into.
    redirect_to TEXT,
    -- person, unknown, line, bot.
    kind TEXT NOT NULL,
    -- visitor, lead, customer.
    stage TEXT NOT NULL,
    owner_nid BIGINT,
    -- The channel whose members are its team.
    team TEXT,
    -- owner, team, all.
    visibility TEXT NOT NULL,
    -- pl, uk or en, if known.
    language TEXT,
    -- Moves with every change, for If-Match.
    version BIGINT NOT NULL,
    created_ts BIGINT NOT NULL,
    updated_ts BIGINT NOT NULL,
    -- How it stood before others were merged into it, JSON; NULL = none are.
    own TEXT,
    -- When a person said last how near it is; NULL = nobody did.
    staged_ts BIGINT
);

-- Every value that was ever given for a field, one for each source; which one is shown is decided when
-- the card is read.
CREATE TABLE contact_field (
    contact_id TEXT NOT NULL,
    -- display_name, phone, email, language, page.
    field TEXT NOT NULL,
    -- employee, customer, network, form, shop.
    source TEXT NOT NULL,
    value TEXT NOT NULL,
    -- How far to believe it: 0 claimed, 1 unaligned, 2 platform, 3 proven.
    trust BIGINT NOT NULL,
    ts BIGINT NOT NULL,
    PRIMARY KEY (contact_id, field, source)
) WITHOUT_ROWID;

-- An address by which a customer is reached: belongs to one contact at a time.
CREATE TABLE contact_identity (
    identity_nid BIGINT PRIMARY KEY,
    contact_id TEXT NOT NULL,
    channel_id TEXT NOT NULL,
    account TEXT NOT NULL,
    -- phone, visitor, psid, …: digits are a phone number only if this says so.
    id_type TEXT NOT NULL,
    external_id TEXT NOT NULL,
    -- live, dead, blocked.
    state TEXT NOT NULL,
    -- The user that writes for the customer.
    ghost_nid BIGINT NOT NULL,
    first_seen_ts BIGINT NOT NULL,
    last_seen_ts BIGINT NOT NULL
);
CREATE UNIQUE INDEX contact_identity_key ON contact_identity (channel_id, account, id_type, external_id);
CREATE INDEX contact_identity_contact ON contact_identity (contact_id);
CREATE INDEX contact_identity_ghost ON contact_identity (ghost_nid);

-- Further ids of the same address: a number that changed, an id that the network replaced.
CREATE TABLE contact_identity_alias (
    channel_id TEXT NOT NULL,
    account TEXT NOT NULL,
    id_type TEXT NOT NULL,
    external_id TEXT NOT NULL,
    identity_nid BIGINT NOT NULL,
    since_ts BIGINT NOT NULL,
    PRIMARY KEY (channel_id, account, id_type, external_id)
) WITHOUT_ROWID;

-- What is said about a contact. Not unique: several people share an address.
CREATE TABLE claim (
    contact_id TEXT NOT NULL,
    -- phone, email, vat, customer_no, …
    kind TEXT NOT NULL,
    -- The value in the form in which it is compared.
    key TEXT NOT NULL,
    -- As it was given.
    value TEXT NOT NULL,
    -- 0 claimed, 1 unaligned, 2 platform, 3 proven.
    trust BIGINT NOT NULL,
    -- customer, network, form, shop, employee, import.
    source TEXT NOT NULL,
    -- The event that shows it.
    event_id TEXT,
    since_ts BIGINT NOT NULL,
    verified_ts BIGINT,
    -- Since when it is somebody else's: the number changed hands, or the person has another.
    until_ts BIGINT,
    -- The conversation that alone says it; NULL = several do, or none. It leaves with that one.
    conversation_id TEXT,
    PRIMARY KEY (contact_id, kind, key)
) WITHOUT_ROWID;
CREATE INDEX claim_key ON claim (kind, key);

CREATE TABLE conversation (
    -- ULID: in the order in which they were opened.
    conversation_id TEXT PRIMARY KEY,
    -- The delivery address; its contact is the conversation's contact.
    identity_nid BIGINT NOT NULL UNIQUE,
    channel_id TEXT NOT NULL,
    -- The bridge's own name for it.
    lane TEXT NOT NULL,
    -- The mirrored room and its backstage room.
    room_nid BIGINT NOT NULL UNIQUE,
    backstage_nid BIGINT NOT NULL UNIQUE,
    -- open, pending, snoozed, closed.
    status TEXT NOT NULL,
    snoozed_until_ts BIGINT,
    assignee_nid BIGINT,
    -- Since when nobody has it.
    unassigned_ts BIGINT,
    -- 1 = only the assignee may write to the customer.
    exclusive BIGINT NOT NULL,
    -- Since when the customer waits for an answer.
    waits_ts BIGINT,
    last_answered_ts BIGINT,
    opened_ts BIGINT NOT NULL,
    -- Moves with every act, for If-Match.
    version BIGINT NOT NULL
);
-- Pages of lists, one for each thing that lists are asked for.
CREATE INDEX conversation_channel ON conversation (channel_id, conversation_id);
CREATE INDEX conversation_assignee ON conversation (assignee_nid, conversation_id);
CREATE INDEX conversation_status ON conversation (status, conversation_id);
CREATE INDEX conversation_unassigned ON conversation (conversation_id) WHERE assignee_nid IS NULL AND status <> 'closed';
CREATE INDEX conversation_waits ON conversation (waits_ts, conversation_id) WHERE waits_ts IS NOT NULL;
CREATE INDEX conversation_snoozed ON conversation (snoozed_until_ts) WHERE status = 'snoozed';

-- Conversations whose rooms may lack somebody who belongs there: opened, given to somebody, or no longer closed. The
-- sweep looks at these and at no others.
CREATE TABLE conversation_due (
    conversation_id TEXT PRIMARY KEY,
    next_ts BIGINT NOT NULL,
    -- How often it was tried in vain.
    tries BIGINT NOT NULL,
    -- Moves when it becomes due again, so that this is not forgotten with what was done before.
    turn BIGINT NOT NULL
);
CREATE INDEX conversation_due_next ON conversation_due (next_ts);

-- The way through all backstage rooms after the card beside conversations was switched on or off, or moved.
CREATE TABLE conversation_widget (
    -- Always 1.
    one BIGINT PRIMARY KEY,
    -- Where cards are, empty when none are shown.
    base TEXT NOT NULL,
    -- The last conversation whose room shows it so; NULL when all do.
    at TEXT
);

-- What employees wrote down about a conversation. The words are the event's: who takes the event back
-- takes the note away.
CREATE TABLE conversation_note (
    -- The backstage event that says it.
    event_nid BIGINT PRIMARY KEY,
    conversation_id TEXT NOT NULL,
    -- note, decision.
    kind TEXT NOT NULL,
    author_nid BIGINT NOT NULL
);
CREATE INDEX conversation_note_order ON conversation_note (conversation_id, event_nid);

-- What is to be done for a customer. The words are the event's.
CREATE TABLE conversation_task (
    conversation_id TEXT NOT NULL,
    -- 1, 2, 3, … within the conversation: what people call it.
    number BIGINT NOT NULL,
    event_nid BIGINT NOT NULL,
    author_nid BIGINT NOT NULL,
    assignee_nid BIGINT,
    due_ts BIGINT,
    done_ts BIGINT,
    done_by_nid BIGINT,
    PRIMARY KEY (conversation_id, number)
) WITHOUT_ROWID;
CREATE INDEX conversation_task_open ON conversation_task (assignee_nid, due_ts) WHERE done_ts IS NULL;

-- What a customer agreed to and took back; rows are only added.
CREATE TABLE consent (
    consent_nid BIGINT PRIMARY KEY,
    contact_id TEXT NOT NULL,
    -- Empty: it came with a file.
    conversation_id TEXT NOT NULL,
    purpose TEXT NOT NULL,
    -- given, withdrawn.
    state TEXT NOT NULL,
    -- The text that was shown.
    text_version TEXT NOT NULL,
    text_sha256 TEXT,
    -- What the person did, such as ticked.
    act TEXT NOT NULL,
    -- customer, network, form, shop, employee, import.
    source TEXT NOT NULL,
    event_id TEXT,
    given_ts BIGINT NOT NULL,
    recorded_ts BIGINT NOT NULL
);
-- The same act, told twice, is one.
CREATE UNIQUE INDEX consent_act ON consent (contact_id, purpose, state, text_version, given_ts);

-- What redaction took out of customers' rooms.
CREATE TABLE event_version (
    event_nid BIGINT NOT NULL,
    n BIGINT NOT NULL,
    room_nid BIGINT NOT NULL,
    -- When it was taken out, and by whom.
    ts BIGINT NOT NULL,
    actor_nid BIGINT NOT NULL,
    -- 0 = not sealed.
    key_nid BIGINT NOT NULL,
    nonce BYTES,
    -- As in event_body.
    ct BYTES NOT NULL,
    PRIMARY KEY (event_nid, n)
) WITHOUT_ROWID;
CREATE INDEX event_version_room ON event_version (room_nid, ts);

-- Where the company's own programs are told of what happens.
CREATE TABLE webhook (
    webhook_id TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    -- Signs what is sent, so kept as it is.
    secret TEXT NOT NULL,
    -- JSON array.
    kinds TEXT NOT NULL,
    created_ts BIGINT NOT NULL,
    -- Rounds in which nothing was taken since something was, and when to try again.
    failures BIGINT NOT NULL,
    next_ts BIGINT NOT NULL
);

-- What a webhook is yet to be told: written in the transaction of its cause, told in the order of pos,
-- one contact at a time.
CREATE TABLE webhook_delivery (
    webhook_id TEXT NOT NULL,
    pos BIGINT NOT NULL,
    -- Names it in every try.
    delivery_nid BIGINT NOT NULL,
    contact_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- What is sent, JSON.
    body TEXT NOT NULL,
    created_ts BIGINT NOT NULL,
    next_ts BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    PRIMARY KEY (webhook_id, pos, delivery_nid)
) WITHOUT_ROWID;
CREATE INDEX webhook_delivery_contact ON webhook_delivery (webhook_id, contact_id, pos);
