-- Idempotency keys: the request that used a key, and the response to it, which is null until it is known. The body is
-- encrypted with a key that only the client's text yields.
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
-- The order in which the keys of a scope are forgotten.
CREATE INDEX idempotency_key_order ON idempotency_key (scope, (status IS NULL), number);
-- The number of keys of each scope, and the bytes of their bodies.
CREATE TABLE idempotency_scope (
    scope TEXT    PRIMARY KEY,
    keys  INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
