-- Names of types, attributes and relationships, as small numbers in every other table.
CREATE TABLE symbol (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

-- A number is never given twice: whoever still holds one of a deleted row must not meet another row.
CREATE TABLE account (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    id         BLOB    NOT NULL UNIQUE,
    name       TEXT    NOT NULL UNIQUE,
    version    TEXT    NOT NULL,
    features   INTEGER NOT NULL,
    rate_limit INTEGER,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE api_key (
    digest     BLOB    PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE,
    account    INTEGER NOT NULL REFERENCES account (number) ON DELETE CASCADE,
    secret     TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_account ON api_key (account);

-- The number is the clustering key and grows with time: a batch of new records is written side by side.
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

-- How many records each list has, so that no list needs to count.
CREATE TABLE record_count (
    account INTEGER NOT NULL,
    kind    INTEGER NOT NULL,
    records INTEGER NOT NULL,
    PRIMARY KEY (account, kind)
) STRICT, WITHOUT ROWID;

-- One row for each attribute that a list can be filtered or sorted by. Within a value the rows are in the
-- order of creation. An empty blob stands for null, which so sorts last.
CREATE TABLE facet (
    account INTEGER NOT NULL,
    field   INTEGER NOT NULL,
    value   ANY     NOT NULL,
    record  INTEGER NOT NULL,
    PRIMARY KEY (account, field, value, record)
) STRICT, WITHOUT ROWID;

-- The same for attributes that are unique in an account.
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
