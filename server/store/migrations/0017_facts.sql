-- Facts: what the company's own systems tell of deals, orders, payments, invoices and shipments; companies, tags and
-- roles of employees.

-- Systems that tell of facts: shops, or the company's own.
CREATE TABLE fact_source (
    -- As it stands in the address that the system calls.
    source_id TEXT PRIMARY KEY,
    -- kontor, woocommerce, shopify.
    kind TEXT NOT NULL,
    shown_name TEXT NOT NULL,
    -- Proves who calls, so kept as it is.
    secret TEXT NOT NULL,
    -- The one before, while it is still taken.
    old_secret TEXT,
    old_until_ts BIGINT,
    -- Longest silence, milliseconds; after more than that what it told is shown as old.
    quiet_ms BIGINT NOT NULL,
    created_ts BIGINT NOT NULL,
    -- When it last told something, to the minute.
    heard_ts BIGINT
);

-- What was told already, by the sender's name for it: told twice, it is taken once.
CREATE TABLE fact_delivery (
    source_id TEXT NOT NULL,
    delivery_id TEXT NOT NULL,
    ts BIGINT NOT NULL,
    PRIMARY KEY (source_id, delivery_id)
) WITHOUT_ROWID;
CREATE INDEX fact_delivery_ts ON fact_delivery (ts);

-- What a system calls one purchase, deal or invoice, with all facts of it: belongs to one contact, or to nobody yet.
CREATE TABLE fact_case (
    case_nid BIGINT PRIMARY KEY,
    source_id TEXT NOT NULL,
    -- The system's own id.
    case_key TEXT NOT NULL,
    contact_id TEXT,
    -- By which rule: customer, key, person; empty = nobody's.
    rule TEXT NOT NULL,
    -- What the system says about its customer, JSON: name, email, phone, external_id.
    customer TEXT NOT NULL,
    -- The system's number of its customer.
    customer_id TEXT,
    -- Of which moment that is, by the system's clock.
    as_of BIGINT NOT NULL
);
CREATE UNIQUE INDEX fact_case_key ON fact_case (source_id, case_key);
CREATE INDEX fact_case_contact ON fact_case (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX fact_case_open ON fact_case (case_nid) WHERE contact_id IS NULL;
CREATE INDEX fact_case_customer ON fact_case (source_id, customer_id) WHERE customer_id IS NOT NULL;

-- Keys of the customers of cases that are nobody's yet.
CREATE TABLE fact_key (
    -- phone, email, customer_no.
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    case_nid BIGINT NOT NULL,
    PRIMARY KEY (kind, key, case_nid)
) WITHOUT_ROWID;
CREATE INDEX fact_key_case ON fact_key (case_nid);

-- Whose a system's customer number is, as a person said.
CREATE TABLE fact_customer (
    source_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    contact_id TEXT NOT NULL,
    PRIMARY KEY (source_id, customer_id)
) WITHOUT_ROWID;

-- Mirrors of the systems' own records, the newest word of each: never changed here.
CREATE TABLE fact (
    fact_nid BIGINT PRIMARY KEY,
    source_id TEXT NOT NULL,
    -- deal, order, payment, invoice, shipment.
    kind TEXT NOT NULL,
    external_id TEXT NOT NULL,
    case_nid BIGINT NOT NULL,
    -- What people call it.
    number TEXT NOT NULL,
    status TEXT NOT NULL,
    -- Smallest units of the currency, such as grosze; NULL = not told.
    amount BIGINT,
    refunded BIGINT NOT NULL,
    -- ISO 4217.
    currency TEXT,
    -- What it costs the company; for those who may know.
    cost BIGINT,
    -- When it happened, and of which moment this is, both by the system's clock.
    happened_ts BIGINT NOT NULL,
    as_of BIGINT NOT NULL,
    -- Decides between words of the same moment.
    step BIGINT NOT NULL,
    received_ts BIGINT NOT NULL,
    -- Further words for people, JSON: method, carrier, tracking, url, items.
    detail TEXT NOT NULL,
    -- 1 = those backstage are yet to be told.
    untold BIGINT NOT NULL
);
CREATE UNIQUE INDEX fact_key_of ON fact (source_id, kind, external_id);
CREATE INDEX fact_of_case ON fact (case_nid);
CREATE INDEX fact_untold ON fact (fact_nid) WHERE untold = 1;

-- What customers were asked for, so that nobody asks twice.
CREATE TABLE contact_ask (
    contact_id TEXT NOT NULL,
    -- phone, email, address, vat, name.
    what TEXT NOT NULL,
    ts BIGINT NOT NULL,
    user_nid BIGINT NOT NULL,
    conversation_id TEXT NOT NULL,
    -- The sentence; NULL when it was sent.
    body TEXT,
    PRIMARY KEY (contact_id, what)
) WITHOUT_ROWID;
CREATE INDEX contact_ask_unsent ON contact_ask (contact_id) WHERE body IS NOT NULL;

-- Companies that contacts work for or speak for.
CREATE TABLE company (
    company_id TEXT PRIMARY KEY,
    shown_name TEXT NOT NULL,
    -- Country and number, such as PL5260300291.
    vat TEXT,
    -- When somebody made sure of it; no two companies have the same one then.
    vat_verified_ts BIGINT,
    -- Whose it is.
    owner_nid BIGINT,
    version BIGINT NOT NULL,
    created_ts BIGINT NOT NULL,
    updated_ts BIGINT NOT NULL
);
CREATE INDEX company_vat ON company (vat) WHERE vat IS NOT NULL;
CREATE UNIQUE INDEX company_vat_verified ON company (vat) WHERE vat_verified_ts IS NOT NULL;

-- Mail domains of companies; never those where anybody has a mailbox.
CREATE TABLE company_domain (
    domain TEXT NOT NULL,
    company_id TEXT NOT NULL,
    PRIMARY KEY (domain, company_id)
) WITHOUT_ROWID;
CREATE INDEX company_domain_company ON company_domain (company_id);

-- Who is what in which company, and when.
CREATE TABLE company_person (
    company_id TEXT NOT NULL,
    contact_id TEXT NOT NULL,
    -- Such as owner, accountant, buyer; empty = not said.
    role TEXT NOT NULL,
    -- Days as YYYY-MM-DD, as far as known.
    since TEXT,
    until TEXT,
    PRIMARY KEY (company_id, contact_id, role)
) WITHOUT_ROWID;
CREATE INDEX company_person_contact ON company_person (contact_id);

CREATE TABLE contact_tag (
    contact_id TEXT NOT NULL,
    -- Small letters.
    tag TEXT NOT NULL,
    since_ts BIGINT NOT NULL,
    user_nid BIGINT NOT NULL,
    PRIMARY KEY (contact_id, tag)
) WITHOUT_ROWID;
CREATE INDEX contact_tag_tag ON contact_tag (tag, contact_id);

-- What employees may see besides: costs = what facts cost the company; facts = those that are nobody's yet.
CREATE TABLE staff_role (
    user_nid BIGINT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (user_nid, role)
) WITHOUT_ROWID;
