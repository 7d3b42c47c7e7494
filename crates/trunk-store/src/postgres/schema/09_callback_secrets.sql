CREATE TABLE callback_secret (
    id         uuid    PRIMARY KEY,
    account    bigint  NOT NULL REFERENCES account (number) ON DELETE CASCADE,
    secret     text    NOT NULL,
    enabled    boolean NOT NULL,
    created_at bigint  NOT NULL
);
CREATE INDEX callback_secret_account ON callback_secret (account);
CREATE UNIQUE INDEX callback_secret_enabled ON callback_secret (account) WHERE enabled;
