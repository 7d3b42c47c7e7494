-- How many commits there were, and when the last was made by the system's clock, in milliseconds since 1970. Each counts
-- itself; a note beside the database is compared with it at the start.
CREATE TABLE commits (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    made INTEGER NOT NULL,
    at   INTEGER NOT NULL,
    -- Written while the disk is full, to see whether there is room for more than a count.
    room BLOB
) STRICT;
INSERT INTO commits (only, made, at) VALUES (1, 0, 0);
