-- +goose Up

-- Who may write: one row. Every commit names the epoch that its writer was given at Load, so a
-- former leader can write nothing, and moves the sequence on, so that no event is left out.
CREATE TABLE leader (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    seq   INTEGER NOT NULL, -- of the last event
    at    INTEGER NOT NULL  -- its instant; all instants are microseconds since 1970, UTC
) STRICT;
INSERT INTO leader VALUES (1, 0, 0, 0);

-- What happened: the truth that everything below can be rebuilt from. No personal data.
CREATE TABLE event (
    seq   INTEGER PRIMARY KEY,
    at    INTEGER NOT NULL,
    kind  TEXT NOT NULL,
    offer TEXT, -- null: of the market as a whole
    step  INTEGER,
    buyer TEXT,
    body  TEXT NOT NULL, -- exchange.Event as JSON
    UNIQUE (offer, step)
) STRICT;
CREATE INDEX event_at ON event (at);

-- The postings of every entry, in double entry.
CREATE TABLE posting (
    seq     INTEGER NOT NULL REFERENCES event (seq),
    entry   INTEGER NOT NULL, -- place of the entry within the event
    side    INTEGER NOT NULL, -- place of the posting within the entry
    offer   TEXT,
    kind    TEXT NOT NULL,    -- of the entry
    account TEXT NOT NULL,
    owner   TEXT NOT NULL,    -- '' where the account has none
    cents   INTEGER NOT NULL,
    PRIMARY KEY (seq, entry, side)
) STRICT, WITHOUT ROWID;
-- An offer is captured once and refunded once, whatever anybody believes.
CREATE UNIQUE INDEX posting_once ON posting (offer, kind, side) WHERE kind IN ('capture', 'refund', 'clawback');

-- +goose StatementBegin
CREATE TRIGGER event_kept BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are not changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER event_stays BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'events are not deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER posting_kept BEFORE UPDATE ON posting BEGIN SELECT RAISE(ABORT, 'postings are not changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER posting_stays BEFORE DELETE ON posting BEGIN SELECT RAISE(ABORT, 'postings are not deleted'); END;
-- +goose StatementEnd

-- The balances: the sum of the postings, and the net below the Market's own checks.
CREATE TABLE account (
    kind         TEXT NOT NULL,
    owner        TEXT NOT NULL,
    cents        INTEGER NOT NULL,
    credit_limit INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, owner),
    CHECK (kind <> 'wallet' OR cents + credit_limit >= 0),
    CHECK (kind <> 'held' OR cents >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE buyer (
    name   TEXT PRIMARY KEY,
    paused INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What presets spent by civil day.
CREATE TABLE day_use (
    buyer TEXT NOT NULL,
    day   TEXT NOT NULL,
    cents INTEGER NOT NULL,
    PRIMARY KEY (buyer, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE top_up (
    id    TEXT PRIMARY KEY,
    buyer TEXT NOT NULL,
    cents INTEGER NOT NULL CHECK (cents > 0),
    seq   INTEGER NOT NULL REFERENCES event (seq)
) STRICT, WITHOUT ROWID;

-- Where each offer stands: exchange.OfferState.
CREATE TABLE offer (
    id       TEXT PRIMARY KEY,
    root     TEXT NOT NULL,
    seller   TEXT NOT NULL,
    campaign TEXT NOT NULL,
    service  TEXT NOT NULL,
    zip      TEXT NOT NULL,
    body     TEXT NOT NULL,
    opened   INTEGER NOT NULL,
    touched  INTEGER NOT NULL,
    step     INTEGER NOT NULL,
    ended    TEXT NOT NULL, -- '' while open, else the kind of the event that ended it
    ended_at INTEGER NOT NULL, -- 0 while open
    settled  INTEGER NOT NULL,
    next     TEXT NOT NULL,
    buyer    TEXT NOT NULL,
    cents    INTEGER NOT NULL,
    share    INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    returned INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX offer_unsettled ON offer (id) WHERE settled = 0;
CREATE INDEX offer_touched ON offer (touched);
CREATE INDEX offer_root ON offer (root);
CREATE INDEX offer_seller ON offer (seller, opened);
CREATE INDEX offer_buyer ON offer (buyer, ended_at) WHERE ended = 'sold';

-- The homeowners: the one table with personal data, so that it can be emptied on its own.
CREATE TABLE lead (
    offer  TEXT PRIMARY KEY, -- the root
    seller TEXT NOT NULL,
    body   TEXT NOT NULL,    -- hex of the SHA-256 of the seller's request
    ping   TEXT NOT NULL,    -- what buyers may be shown, as JSON
    lead   TEXT NOT NULL     -- what the winner gets, as JSON
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE lead;
DROP TABLE offer;
DROP TABLE top_up;
DROP TABLE day_use;
DROP TABLE buyer;
DROP TABLE account;
DROP TABLE posting;
DROP TABLE event;
DROP TABLE leader;
