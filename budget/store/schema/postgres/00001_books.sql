-- +goose Up

-- Written by a test from SQLite's schema of the same name.

-- Money is in cents, instants are in milliseconds since 1970, kinds and periods are the numbers of
-- package budget. Every amount moves by a conditional UPDATE; the CHECKs are the net below.

-- head is the hash of the last entry of the run's chain at its last upkeep, and head_n its number: a chain
-- cut short before lacks it. seen is when one of several replicas last asked for leases, to within seconds.
CREATE TABLE run (
    id      BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    at_ms   BIGINT NOT NULL,
    seen_ms BIGINT NOT NULL,
    head    BYTEA,
    head_n  BIGINT NOT NULL DEFAULT 0,
    CHECK ((head IS NULL) = (head_n = 0))
);

-- Keys that bid ids are signed with: the largest id signs whose time has come. Their number is in
-- every bid id in 32 bits, and none is used twice.
CREATE TABLE signing_key (
    id       BIGINT PRIMARY KEY CHECK (id BETWEEN 1 AND 4294967295),
    secret   BYTEA NOT NULL CHECK (length(secret) = 32),
    made_ms  BIGINT NOT NULL,
    signs_ms BIGINT NOT NULL,
    revoked  BIGINT NOT NULL DEFAULT 0 CHECK (revoked IN (0, 1))
);

CREATE TABLE contact_key (
    id     BIGINT PRIMARY KEY CHECK (id = 1),
    secret BYTEA NOT NULL CHECK (length(secret) = 32)
);

-- One cap in one window. opening is what its window had bought before the cap was first asked for:
-- from then on every lead of its scope and window counts in it.
CREATE TABLE cap (
    id            BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    kind          BIGINT NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    period        BIGINT NOT NULL,
    start_ms      BIGINT NOT NULL, -- 0 for total
    end_ms        BIGINT NOT NULL, -- 0 for total
    limit_cents   BIGINT,          -- NULL: no limit
    limit_leads   BIGINT,
    opening_cents BIGINT NOT NULL,
    opening_leads BIGINT NOT NULL,
    spent_cents   BIGINT NOT NULL,
    spent_leads   BIGINT NOT NULL,
    leased_cents  BIGINT NOT NULL DEFAULT 0 CHECK (leased_cents >= 0),
    leased_leads  BIGINT NOT NULL DEFAULT 0 CHECK (leased_leads >= 0),
    CHECK (spent_cents >= 0 AND spent_leads >= 0),
    UNIQUE (kind, name, period, start_ms, end_ms)
);
CREATE INDEX cap_end ON cap (end_ms);

-- granted = cents + returned, always; used is part of cents.
CREATE TABLE lease (
    id             BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    run            BIGINT NOT NULL REFERENCES run (id),
    campaign       TEXT COLLATE "C" NOT NULL,
    exchange       TEXT COLLATE "C" NOT NULL,
    rev            BIGINT NOT NULL DEFAULT 1,
    granted_cents  BIGINT NOT NULL CHECK (granted_cents > 0),
    granted_leads  BIGINT NOT NULL CHECK (granted_leads > 0),
    returned_cents BIGINT NOT NULL DEFAULT 0 CHECK (returned_cents >= 0),
    returned_leads BIGINT NOT NULL DEFAULT 0 CHECK (returned_leads >= 0),
    cents          BIGINT NOT NULL,
    leads          BIGINT NOT NULL,
    used_cents     BIGINT NOT NULL DEFAULT 0,
    used_leads     BIGINT NOT NULL DEFAULT 0,
    bid_until_ms   BIGINT NOT NULL,
    close_at_ms    BIGINT NOT NULL,
    state          TEXT COLLATE "C" NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    CHECK (used_cents BETWEEN 0 AND cents AND used_leads BETWEEN 0 AND leads)
);
CREATE INDEX lease_open ON lease (close_at_ms) WHERE state = 'open';
CREATE INDEX lease_close ON lease (close_at_ms);

-- The caps that a lease was carved from, with the limit in force and what the cap came to then.
CREATE TABLE lease_cap (
    lease       BIGINT NOT NULL REFERENCES lease (id),
    cap         BIGINT NOT NULL REFERENCES cap (id),
    limit_cents BIGINT,
    limit_leads BIGINT,
    after_cents BIGINT NOT NULL,
    after_leads BIGINT NOT NULL,
    PRIMARY KEY (lease, cap)
);
CREATE INDEX lease_cap_cap ON lease_cap (cap);

-- What follows is written by charges, and grows with each. It names rows of the same transaction, which
-- verify looks for: foreign keys would look for them at every charge.

-- Every post that was answered, with its lead where it was accepted, and every bid that was withdrawn
-- before it was posted (body_hash is NULL there: whatever comes is the post that was withdrawn). Pings and
-- contacts come in no order, so each charge writes pages anywhere in their indexes: with rows that stand in the
-- order of their coming, as here and in contact, an entry of these is short, and those pages are few.
CREATE TABLE post (
    bid_id    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    exchange  TEXT COLLATE "C" NOT NULL,
    ping_id   TEXT COLLATE "C" NOT NULL,
    body_hash BYTEA,
    at_ms     BIGINT NOT NULL,
    accepted  BIGINT NOT NULL CHECK (accepted IN (0, 1)),
    lead      TEXT COLLATE "C" CHECK ((lead IS NULL) = (accepted = 0)),
    reason    TEXT COLLATE "C" NOT NULL,
    detail    TEXT COLLATE "C" NOT NULL,
    voided    BIGINT NOT NULL DEFAULT 0 CHECK (voided IN (0, 1)), -- accepted, and withdrawn afterwards
    UNIQUE (exchange, ping_id)
);
CREATE INDEX post_refused ON post (at_ms) WHERE accepted = 0;

-- credited: 0 no, 1 to the lease that paid, 2 to the caps.
CREATE TABLE lead (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    bid_id      TEXT COLLATE "C" NOT NULL,
    exchange    TEXT COLLATE "C" NOT NULL,
    campaign    TEXT COLLATE "C" NOT NULL,
    ping_id     TEXT COLLATE "C" NOT NULL,
    at_ms       BIGINT NOT NULL,
    bid_at_ms   BIGINT NOT NULL,
    bid_cents   BIGINT NOT NULL,
    price_cents BIGINT NOT NULL CHECK (price_cents BETWEEN 1 AND bid_cents),
    lease       BIGINT, -- NULL: the caps paid directly
    credited    BIGINT NOT NULL DEFAULT 0 CHECK (credited IN (0, 1, 2)),
    body        TEXT COLLATE "C" NOT NULL
);
CREATE INDEX lead_lease ON lead (lease);
CREATE INDEX lead_at ON lead (at_ms, price_cents); -- with the price, so that counting reads no lead
CREATE INDEX lead_direct ON lead (bid_at_ms) WHERE lease IS NULL;
CREATE INDEX lead_credited ON lead (credited, price_cents) WHERE credited > 0;

-- The caps that a lead without a lease was charged to, and without limits those that counted a lead
-- which was bought without asking them.
CREATE TABLE lead_cap (
    lead        TEXT COLLATE "C" NOT NULL,
    cap         BIGINT NOT NULL REFERENCES cap (id),
    limit_cents BIGINT,
    limit_leads BIGINT,
    after_cents BIGINT NOT NULL,
    after_leads BIGINT NOT NULL,
    PRIMARY KEY (lead, cap)
);
CREATE INDEX lead_cap_cap ON lead_cap (cap);

-- What the contractor says against bought leads. It moves no money.
CREATE TABLE dispute (
    lead   TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES lead (id),
    at_ms  BIGINT NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    note   TEXT COLLATE "C" NOT NULL
);

-- What became of bought leads: at_ms is when it happened, or 0 where nobody said; known_ms when the
-- contractor knew. What is known later than a bid is nothing to bid by.
CREATE TABLE outcome (
    lead     TEXT COLLATE "C" NOT NULL REFERENCES lead (id),
    kind     TEXT COLLATE "C" NOT NULL CHECK (kind IN ('contacted', 'quoted', 'booked', 'lost')),
    cents    BIGINT NOT NULL CHECK (cents >= 0),
    at_ms    BIGINT NOT NULL,
    known_ms BIGINT NOT NULL,
    PRIMARY KEY (lead, kind)
);

-- What outlives the process and moves no money: what the strategy learned of weeks and prices.
CREATE TABLE kept (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    body  BYTEA NOT NULL
);

-- hash is a store.ContactHash.
CREATE TABLE contact (
    hash  BYTEA NOT NULL PRIMARY KEY CHECK (length(hash) = 16),
    lead  TEXT COLLATE "C" NOT NULL,
    at_ms BIGINT NOT NULL
);

-- The audit trail of money: one chain per run, each entry holding the hash of the former. n counts from 1.
CREATE TABLE entry (
    run   BIGINT NOT NULL,
    n     BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    kind  TEXT COLLATE "C" NOT NULL CHECK (kind IN ('grant', 'return', 'close', 'charge', 'credit')),
    lease BIGINT,
    lead  TEXT COLLATE "C",
    cents BIGINT NOT NULL,
    leads BIGINT NOT NULL,
    hash  BYTEA NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (run, n)
);
CREATE INDEX entry_lead ON entry (lead) WHERE lead IS NOT NULL;

-- What is owed of a lead to its targets, numbered from 1.
CREATE TABLE outbox (
    lead     TEXT COLLATE "C" NOT NULL,
    n        BIGINT NOT NULL,
    target   TEXT COLLATE "C" NOT NULL,
    state    TEXT COLLATE "C" NOT NULL DEFAULT 'owed' CHECK (state IN ('owed', 'done', 'dead')),
    attempts BIGINT NOT NULL DEFAULT 0,
    first_ms BIGINT NOT NULL,
    next_ms  BIGINT NOT NULL,
    error    TEXT COLLATE "C" NOT NULL DEFAULT '',
    claimed_by       BIGINT NOT NULL DEFAULT 0, -- the run that makes an attempt; where replicas share the books
    claimed_until_ms BIGINT NOT NULL DEFAULT 0, -- until then no other run does
    PRIMARY KEY (lead, n)
);
CREATE INDEX outbox_owed ON outbox (next_ms, lead, n) WHERE state = 'owed';
CREATE INDEX outbox_dead ON outbox (lead) WHERE state = 'dead';

-- +goose StatementBegin
CREATE FUNCTION entry_stays() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'an entry is never changed'; END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry FOR EACH STATEMENT EXECUTE FUNCTION entry_stays();
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION entry_remains() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'an entry is never deleted'; END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER entry_remains BEFORE DELETE OR TRUNCATE ON entry FOR EACH STATEMENT EXECUTE FUNCTION entry_remains();
-- +goose StatementEnd
