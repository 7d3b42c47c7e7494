CREATE TABLE token_key (
    id         uuid   PRIMARY KEY,
    secret     bytea  NOT NULL,
    created_at bigint NOT NULL
);

-- The row that a rotation locks against another one.
CREATE TABLE token_rotation (only_row boolean PRIMARY KEY CHECK (only_row));
