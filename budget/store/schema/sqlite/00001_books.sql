-- +goose Up

-- Money is in cents, instants are in milliseconds since 1970, kinds and periods are the numbers of
-- package budget. Every amount moves by a conditional UPDATE; the CHECKs are the net below.

-- head is the hash of the last entry of the run's chain at its last upkeep, and head_n its number: a chain
-- cut short before lacks it. seen is when one of several replicas last asked for leases, to within seconds.
CREATE TABLE run (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms   INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    head    BLOB,
    head_n  INTEGER NOT NULL DEFAULT 0,
    CHECK ((head IS NULL) = (head_n = 0))
) STRICT;

-- Keys that bid ids are signed with: the largest id signs whose time has come. Their number is in
-- every bid id in 32 bits, and none is used twice.
CREATE TABLE signing_key (
    id       INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 4294967295),
    secret   BLOB    NOT NULL CHECK (length(secret) = 32),
    made_ms  INTEGER NOT NULL,
    signs_ms INTEGER NOT NULL,
    revoked  INTEGER NOT NULL DEFAULT 0 CHECK (revoked IN (0, 1))
) STRICT;

CREATE TABLE contact_key (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    secret BLOB NOT NULL CHECK (length(secret) = 32)
) STRICT;

-- One cap in one window. opening is what its window had bought before the cap was first asked for:
-- from then on every lead of its scope and window counts in it.
CREATE TABLE cap (
    id            INTEGER PRIMARY KEY,
    kind          INTEGER NOT NULL,
    name          TEXT    NOT NULL,
    period        INTEGER NOT NULL,
    start_ms      INTEGER NOT NULL, -- 0 for total
    end_ms        INTEGER NOT NULL, -- 0 for total
    limit_cents   INTEGER,          -- NULL: no limit
    limit_leads   INTEGER,
    opening_cents INTEGER NOT NULL,
    opening_leads INTEGER NOT NULL,
    spent_cents   INTEGER NOT NULL,
    spent_leads   INTEGER NOT NULL,
    leased_cents  INTEGER NOT NULL DEFAULT 0 CHECK (leased_cents >= 0),
    leased_leads  INTEGER NOT NULL DEFAULT 0 CHECK (leased_leads >= 0),
    CHECK (spent_cents >= 0 AND spent_leads >= 0),
    UNIQUE (kind, name, period, start_ms, end_ms)
) STRICT;
CREATE INDEX cap_end ON cap (end_ms);

-- granted = cents + returned, always; used is part of cents.
CREATE TABLE lease (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    run            INTEGER NOT NULL REFERENCES run (id),
    campaign       TEXT    NOT NULL,
    exchange       TEXT    NOT NULL,
    rev            INTEGER NOT NULL DEFAULT 1,
    granted_cents  INTEGER NOT NULL CHECK (granted_cents > 0),
    granted_leads  INTEGER NOT NULL CHECK (granted_leads > 0),
    returned_cents INTEGER NOT NULL DEFAULT 0 CHECK (returned_cents >= 0),
    returned_leads INTEGER NOT NULL DEFAULT 0 CHECK (returned_leads >= 0),
    cents          INTEGER NOT NULL,
    leads          INTEGER NOT NULL,
    used_cents     INTEGER NOT NULL DEFAULT 0,
    used_leads     INTEGER NOT NULL DEFAULT 0,
    bid_until_ms   INTEGER NOT NULL,
    close_at_ms    INTEGER NOT NULL,
    state          TEXT    NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    CHECK (used_cents BETWEEN 0 AND cents AND used_leads BETWEEN 0 AND leads)
) STRICT;
CREATE INDEX lease_open ON lease (close_at_ms) WHERE state = 'open';
CREATE INDEX lease_close ON lease (close_at_ms);

-- The caps that a lease was carved from, with the limit in force and what the cap came to then.
CREATE TABLE lease_cap (
    lease       INTEGER NOT NULL REFERENCES lease (id),
    cap         INTEGER NOT NULL REFERENCES cap (id),
    limit_cents INTEGER,
    limit_leads INTEGER,
    after_cents INTEGER NOT NULL,
    after_leads INTEGER NOT NULL,
    PRIMARY KEY (lease, cap)
) STRICT, WITHOUT ROWID;
CREATE INDEX lease_cap_cap ON lease_cap (cap);

-- What follows is written by charges, and grows with each. It names rows of the same transaction, which
-- verify looks for: foreign keys would look for them at every charge.

-- Every post that was answered, with its lead where it was accepted, and every bid that was withdrawn
-- before it was posted (body_hash is NULL there: whatever comes is the post that was withdrawn). Pings and
-- contacts come in no order, so each charge writes pages anywhere in their indexes: with rows that stand in the
-- order of their coming, as here and in contact, an entry of these is short, and those pages are few.
CREATE TABLE post (
    bid_id    TEXT    NOT NULL PRIMARY KEY,
    exchange  TEXT    NOT NULL,
    ping_id   TEXT    NOT NULL,
    body_hash BLOB,
    at_ms     INTEGER NOT NULL,
    accepted  INTEGER NOT NULL CHECK (accepted IN (0, 1)),
    lead      TEXT    CHECK ((lead IS NULL) = (accepted = 0)),
    reason    TEXT    NOT NULL,
    detail    TEXT    NOT NULL,
    voided    INTEGER NOT NULL DEFAULT 0 CHECK (voided IN (0, 1)), -- accepted, and withdrawn afterwards
    UNIQUE (exchange, ping_id)
) STRICT;
CREATE INDEX post_refused ON post (at_ms) WHERE accepted = 0;

-- credited: 0 no, 1 to the lease that paid, 2 to the caps.
CREATE TABLE lead (
    id          TEXT    NOT NULL PRIMARY KEY,
    bid_id      TEXT    NOT NULL,
    exchange    TEXT    NOT NULL,
    campaign    TEXT    NOT NULL,
    ping_id     TEXT    NOT NULL,
    at_ms       INTEGER NOT NULL,
    bid_at_ms   INTEGER NOT NULL,
    bid_cents   INTEGER NOT NULL,
    price_cents INTEGER NOT NULL CHECK (price_cents BETWEEN 1 AND bid_cents),
    lease       INTEGER, -- NULL: the caps paid directly
    credited    INTEGER NOT NULL DEFAULT 0 CHECK (credited IN (0, 1, 2)),
    body        TEXT    NOT NULL
) STRICT;
CREATE INDEX lead_lease ON lead (lease);
CREATE INDEX lead_at ON lead (at_ms, price_cents); -- with the price, so that counting reads no lead
CREATE INDEX lead_direct ON lead (bid_at_ms) WHERE lease IS NULL;
CREATE INDEX lead_credited ON lead (credited, price_cents) WHERE credited > 0;

-- The caps that a lead without a lease was charged to, and without limits those that counted a lead
-- which was bought without asking them.
CREATE TABLE lead_cap (
    lead        TEXT    NOT NULL,
    cap         INTEGER NOT NULL REFERENCES cap (id),
    limit_cents INTEGER,
    limit_leads INTEGER,
    after_cents INTEGER NOT NULL,
    after_leads INTEGER NOT NULL,
    PRIMARY KEY (lead, cap)
) STRICT, WITHOUT ROWID;
CREATE INDEX lead_cap_cap ON lead_cap (cap);

-- What the contractor says against bought leads. It moves no money.
CREATE TABLE dispute (
    lead   TEXT    NOT NULL PRIMARY KEY REFERENCES lead (id),
    at_ms  INTEGER NOT NULL,
    reason TEXT    NOT NULL,
    note   TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- What became of bought leads: at_ms is when it happened, or 0 where nobody said; known_ms when the
-- contractor knew. What is known later than a bid is nothing to bid by.
CREATE TABLE outcome (
    lead     TEXT    NOT NULL REFERENCES lead (id),
    kind     TEXT    NOT NULL CHECK (kind IN ('contacted', 'quoted', 'booked', 'lost')),
    cents    INTEGER NOT NULL CHECK (cents >= 0),
    at_ms    INTEGER NOT NULL,
    known_ms INTEGER NOT NULL,
    PRIMARY KEY (lead, kind)
) STRICT, WITHOUT ROWID;

-- What outlives the process and moves no money: what the strategy learned of weeks and prices.
CREATE TABLE kept (
    name  TEXT    NOT NULL PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    body  BLOB    NOT NULL
) STRICT;

-- hash is a store.ContactHash.
CREATE TABLE contact (
    hash  BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 16),
    lead  TEXT    NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;

-- The audit trail of money: one chain per run, each entry holding the hash of the former. n counts from 1.
CREATE TABLE entry (
    run   INTEGER NOT NULL,
    n     INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    kind  TEXT    NOT NULL CHECK (kind IN ('grant', 'return', 'close', 'charge', 'credit')),
    lease INTEGER,
    lead  TEXT,
    cents INTEGER NOT NULL,
    leads INTEGER NOT NULL,
    hash  BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_lead ON entry (lead) WHERE lead IS NOT NULL;

-- What is owed of a lead to its targets, numbered from 1.
CREATE TABLE outbox (
    lead     TEXT    NOT NULL,
    n        INTEGER NOT NULL,
    target   TEXT    NOT NULL,
    state    TEXT    NOT NULL DEFAULT 'owed' CHECK (state IN ('owed', 'done', 'dead')),
    attempts INTEGER NOT NULL DEFAULT 0,
    first_ms INTEGER NOT NULL,
    next_ms  INTEGER NOT NULL,
    error    TEXT    NOT NULL DEFAULT '',
    claimed_by       INTEGER NOT NULL DEFAULT 0, -- the run that makes an attempt; where replicas share the books
    claimed_until_ms INTEGER NOT NULL DEFAULT 0, -- until then no other run does
    PRIMARY KEY (lead, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_owed ON outbox (next_ms, lead, n) WHERE state = 'owed';
CREATE INDEX outbox_dead ON outbox (lead) WHERE state = 'dead';

-- +goose StatementBegin
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry
BEGIN SELECT raise(ABORT, 'an entry is never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER entry_remains BEFORE DELETE ON entry
BEGIN SELECT raise(ABORT, 'an entry is never deleted'); END;
-- +goose StatementEnd
