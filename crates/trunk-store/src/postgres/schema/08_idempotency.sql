-- The use of each key, and the response that is kept for repetitions.
CREATE TABLE idempotency_key (
    scope        text    COLLATE "C" NOT NULL,
    digest       bytea   NOT NULL,
    number       bigint  NOT NULL,
    fingerprint  bytea   NOT NULL,
    request      uuid    NOT NULL,
    used_at      bigint  NOT NULL,
    status       integer,
    content_type text,
    body         bytea,
    PRIMARY KEY (scope, digest)
);
CREATE INDEX idempotency_key_age ON idempotency_key (used_at, number);
CREATE INDEX idempotency_key_order ON idempotency_key (scope, (status IS NULL), number);

-- Number of keys of a scope, and the bytes of their bodies. Whoever adds or deletes keys locks the row.
CREATE TABLE idempotency_scope (
    scope text   COLLATE "C" PRIMARY KEY,
    keys  bigint NOT NULL,
    bytes bigint NOT NULL
);
