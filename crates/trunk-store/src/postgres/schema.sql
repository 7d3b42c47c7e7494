CREATE TABLE IF NOT EXISTS document (
    kind       smallint NOT NULL,
    id         uuid     NOT NULL,
    customer   uuid     NOT NULL,
    created_at bigint   NOT NULL,
    deleted    boolean  NOT NULL,
    live       boolean  NOT NULL,
    revision   bigint   NOT NULL,
    body       text     NOT NULL,
    PRIMARY KEY (kind, id)
);

-- What each transaction changed. The position is the database's time in microseconds when the row was written, which is
-- before it was committed; so it is not in the order of the commits. Of one subject it is, because the subject's row is locked.
CREATE TABLE IF NOT EXISTS change (
    position bigint   NOT NULL,
    subject  uuid     NOT NULL,
    revision bigint   NOT NULL,
    kind     smallint NOT NULL, -- of the document; -1 for a reset, whose subject is an id of its own
    customer uuid     NOT NULL,
    PRIMARY KEY (position, subject, revision)
);
