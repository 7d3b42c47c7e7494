-- What the communication platform's side keeps: one row a thing, of which the body is what it says on the wire and
-- what it keeps to itself. A deleted one stays, marked.
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
-- Newest first, which is the order of every list.
CREATE INDEX document_list ON document (kind, deleted, created_at);
-- What was under way when the server ended.
CREATE INDEX document_live ON document (kind, created_at) WHERE live = 1;

-- What documents are looked for by. Within a value the rows are in the order of creation.
CREATE TABLE document_key (
    kind       INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    document   INTEGER NOT NULL,
    PRIMARY KEY (kind, name, value, created_at, document)
) STRICT, WITHOUT ROWID;
CREATE INDEX document_key_of ON document_key (document);

-- The same for what no two may share.
CREATE TABLE document_unique (
    kind     INTEGER NOT NULL,
    name     TEXT    NOT NULL,
    value    TEXT    NOT NULL,
    document INTEGER NOT NULL,
    PRIMARY KEY (kind, name, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX document_unique_of ON document_unique (document);
