-- One row for each call that was answered and is not over: what its record needs if its server dies. The call's
-- record takes its place, in the same transaction. The node is the one that has the call; a database in a file has
-- one alone, 0.
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

-- The moment up to which the calls of a node are known to have been up: one small write for all of them.
CREATE TABLE call_step (
    node INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL
) STRICT;
