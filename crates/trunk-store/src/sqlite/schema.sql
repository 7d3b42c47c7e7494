-- Written by UPDATE_SCHEMA=1 cargo test -p trunk-store a_new_database: what the migrations make.
CREATE TABLE symbol (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE account (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    id         BLOB    NOT NULL UNIQUE,
    name       TEXT    NOT NULL UNIQUE,
    version    TEXT    NOT NULL,
    features   INTEGER NOT NULL,
    rate_limit INTEGER,
    created_at INTEGER NOT NULL
, record_quota INTEGER) STRICT;
CREATE TABLE api_key (
    digest     BLOB    PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE,
    account    INTEGER NOT NULL REFERENCES account (number) ON DELETE CASCADE,
    created_at INTEGER NOT NULL
, addresses TEXT, environment TEXT) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_account ON api_key (account);
CREATE TABLE record (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    account    INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    id         BLOB    NOT NULL,
    revision   INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    attributes TEXT    NOT NULL,
    meta       TEXT
) STRICT;
CREATE UNIQUE INDEX record_id ON record (id);
CREATE INDEX record_list ON record (account, kind);
CREATE TABLE record_count (
    account INTEGER NOT NULL,
    kind    INTEGER NOT NULL,
    records INTEGER NOT NULL, changes INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE facet (
    account INTEGER NOT NULL,
    field   INTEGER NOT NULL,
    value   ANY     NOT NULL,
    record  INTEGER NOT NULL,
    PRIMARY KEY (account, field, value, record)
) STRICT, WITHOUT ROWID;
CREATE TABLE unique_facet (
    account INTEGER NOT NULL,
    field   INTEGER NOT NULL,
    value   ANY     NOT NULL,
    record  INTEGER NOT NULL,
    PRIMARY KEY (account, field, value)
) STRICT, WITHOUT ROWID;
CREATE TABLE link (
    number       INTEGER PRIMARY KEY,
    owner        INTEGER NOT NULL,
    relationship INTEGER NOT NULL,
    target       INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX link_owner ON link (owner, relationship, target);
CREATE INDEX link_target ON link (target, relationship, owner);
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
, call_id TEXT) STRICT;
CREATE INDEX call_account ON call (account, ended_at);
CREATE INDEX call_trunk ON call (trunk, ended_at);
CREATE INDEX call_charged ON call (ended_at, trunk, price) WHERE price <> '0';
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
, customer BLOB, method TEXT NOT NULL DEFAULT 'POST', signature TEXT, first INTEGER NOT NULL DEFAULT 0) STRICT;
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
, customer BLOB) STRICT;
CREATE INDEX delivery_account ON delivery (account, number);
CREATE TABLE document (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       INTEGER NOT NULL,
    id         BLOB    NOT NULL,
    customer   BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    deleted    INTEGER NOT NULL,
    live       INTEGER NOT NULL,
    revision   INTEGER NOT NULL DEFAULT 0,
    body       TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX document_id ON document (kind, id);
CREATE INDEX document_list ON document (kind, deleted, created_at);
CREATE INDEX document_live ON document (kind, created_at) WHERE live = 1;
CREATE TABLE document_key (
    kind       INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    document   INTEGER NOT NULL,
    PRIMARY KEY (kind, name, value, created_at, document)
) STRICT, WITHOUT ROWID;
CREATE INDEX document_key_of ON document_key (document);
CREATE TABLE document_unique (
    kind     INTEGER NOT NULL,
    name     TEXT    NOT NULL,
    value    TEXT    NOT NULL,
    document INTEGER NOT NULL,
    PRIMARY KEY (kind, name, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX document_unique_of ON document_unique (document);
CREATE INDEX outbox_due ON outbox (due_at) WHERE first = 1;
CREATE INDEX outbox_turn ON outbox (account, customer, due_at) WHERE first = 1;
CREATE INDEX outbox_queue ON outbox (subject, number) WHERE outcome IS NULL;
CREATE INDEX outbox_oldest ON outbox (customer, number) WHERE outcome IS NULL AND customer IS NOT NULL;
CREATE INDEX outbox_over ON outbox (number) WHERE outcome IS NOT NULL;
CREATE TABLE backlog (
    account  INTEGER NOT NULL,
    customer BLOB    NOT NULL,
    waiting  INTEGER NOT NULL,
    dropped  INTEGER NOT NULL DEFAULT 0,
    due_at   INTEGER,
    PRIMARY KEY (account, customer)
) STRICT, WITHOUT ROWID;
CREATE INDEX backlog_due ON backlog (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX backlog_longest ON backlog (waiting) WHERE account = 0;
CREATE TABLE running_call (
    number       INTEGER PRIMARY KEY,
    id           BLOB    NOT NULL UNIQUE,
    node         INTEGER NOT NULL DEFAULT 0,
    account      INTEGER NOT NULL,
    trunk        BLOB    NOT NULL,
    answered_at  INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL,
    attributes   TEXT    NOT NULL
) STRICT;
CREATE TABLE call_step (
    node INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL
) STRICT;
CREATE TABLE claim (
    field  INTEGER NOT NULL,
    value  ANY     NOT NULL,
    record INTEGER NOT NULL,
    PRIMARY KEY (field, value)
) STRICT, WITHOUT ROWID;
CREATE TABLE unclaimed (
    field  INTEGER NOT NULL,
    value  ANY     NOT NULL,
    record INTEGER NOT NULL,
    PRIMARY KEY (field, value, record)
) STRICT, WITHOUT ROWID;
CREATE TABLE commits (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    made INTEGER NOT NULL,
    at   INTEGER NOT NULL,
    -- Written while the disk is full, to see whether there is room for more than a count.
    room BLOB
) STRICT;
CREATE TABLE indexed (
    field INTEGER PRIMARY KEY,
    form  TEXT    NOT NULL,
    after INTEGER
) STRICT;
CREATE TABLE job (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    account    INTEGER,
    due_at     INTEGER NOT NULL,
    payload    TEXT    NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    -- Counts the leases and the schedules that ended one, so that a run that lost its lease cannot complete the job.
    revision   INTEGER NOT NULL DEFAULT 0,
    -- The node that runs the job, and until when no other node may take it. A database in a file has one node, 0.
    holder     INTEGER,
    held_until INTEGER,
    UNIQUE (kind, subject)
) STRICT;
CREATE INDEX job_due ON job (kind, due_at) WHERE holder IS NULL;
CREATE INDEX job_held ON job (kind, held_until) WHERE holder IS NOT NULL;
CREATE INDEX job_holder ON job (holder) WHERE holder IS NOT NULL;
CREATE INDEX job_account ON job (account) WHERE account IS NOT NULL;
CREATE TABLE idempotency_key (
    number       INTEGER PRIMARY KEY,
    scope        TEXT    NOT NULL,
    digest       BLOB    NOT NULL,
    fingerprint  BLOB    NOT NULL,
    request      BLOB    NOT NULL,
    used_at      INTEGER NOT NULL,
    status       INTEGER,
    content_type TEXT,
    body         BLOB,
    UNIQUE (scope, digest)
) STRICT;
CREATE INDEX idempotency_key_age ON idempotency_key (used_at);
CREATE INDEX idempotency_key_order ON idempotency_key (scope, (status IS NULL), number);
CREATE TABLE idempotency_scope (
    scope TEXT    PRIMARY KEY,
    keys  INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE token_key (
    id         BLOB    PRIMARY KEY,
    secret     BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE callback_secret (
    id         BLOB    PRIMARY KEY,
    account    INTEGER NOT NULL REFERENCES account (number) ON DELETE CASCADE,
    secret     TEXT    NOT NULL,
    enabled    INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX callback_secret_account ON callback_secret (account);
CREATE UNIQUE INDEX callback_secret_enabled ON callback_secret (account) WHERE enabled = 1;
CREATE INDEX call_call_id ON call (call_id) WHERE call_id IS NOT NULL;
INSERT INTO commits VALUES (1, 0, 0, NULL);
