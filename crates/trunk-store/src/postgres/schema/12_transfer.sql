-- How far a transfer to this database came, while it is not complete. No node serves the database until then.
CREATE TABLE transfer (
    only_row boolean PRIMARY KEY CHECK (only_row),
    name     text    NOT NULL,
    rows     bigint  NOT NULL,
    digest   text    NOT NULL,
    derived  boolean NOT NULL
);
