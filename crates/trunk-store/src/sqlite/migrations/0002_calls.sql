-- One row for each call or refused attempt of a known trunk, written when it is over.
CREATE TABLE call (
    number      INTEGER PRIMARY KEY,
    id          BLOB    NOT NULL UNIQUE,
    account     INTEGER NOT NULL,
    trunk       BLOB    NOT NULL,
    ended_at    INTEGER NOT NULL,
    cause       INTEGER NOT NULL,
    code        INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    destination TEXT    NOT NULL,
    price       TEXT    NOT NULL,
    attributes  TEXT    NOT NULL
) STRICT;
CREATE INDEX call_account ON call (account, ended_at);
CREATE INDEX call_trunk ON call (trunk, ended_at);
-- What is read at the start to know the spending of the last 24 hours.
CREATE INDEX call_charged ON call (ended_at, trunk, price) WHERE price <> '0';

-- Events to tell, in the order they happened. A row is there from the change itself until it was told or given up.
CREATE TABLE outbox (
    number     INTEGER PRIMARY KEY,
    account    INTEGER NOT NULL,
    subject    BLOB    NOT NULL,
    url        TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    due_at     INTEGER NOT NULL,
    outcome    TEXT
) STRICT;
CREATE INDEX outbox_pending ON outbox (due_at) WHERE outcome IS NULL;
CREATE INDEX outbox_subject ON outbox (subject, number);

-- Each attempt to tell, for whoever asks why a callback did not come.
CREATE TABLE delivery (
    number  INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    subject BLOB    NOT NULL,
    url     TEXT    NOT NULL,
    events  INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    status  INTEGER,
    error   TEXT
) STRICT;
CREATE INDEX delivery_account ON delivery (account, number);
