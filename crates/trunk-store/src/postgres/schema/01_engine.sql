-- Numbers that are small because people read them.
CREATE TABLE counter (
    name  text   COLLATE "C" PRIMARY KEY,
    value bigint NOT NULL
);

-- What each transaction changed, for the other nodes. The position is the database's time in microseconds when the row was
-- written, which is before it was committed: so it is not in the order of the commits.
CREATE TABLE change (
    position bigint   NOT NULL,
    row_id   bigint   NOT NULL,
    node     bigint   NOT NULL,
    what     smallint NOT NULL,
    account  bigint   NOT NULL,
    kind     bigint   NOT NULL,
    number   bigint   NOT NULL,
    revision bigint   NOT NULL,
    subject  uuid     NOT NULL,
    customer uuid     NOT NULL,
    PRIMARY KEY (position, row_id)
);
