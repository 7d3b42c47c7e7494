-- The secrets that sign the callbacks of an account. At most one of an account is enabled.
CREATE TABLE callback_secret (
    id         BLOB    PRIMARY KEY,
    account    INTEGER NOT NULL REFERENCES account (number) ON DELETE CASCADE,
    secret     TEXT    NOT NULL,
    enabled    INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX callback_secret_account ON callback_secret (account);
CREATE UNIQUE INDEX callback_secret_enabled ON callback_secret (account) WHERE enabled = 1;
