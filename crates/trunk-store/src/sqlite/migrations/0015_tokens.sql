-- Where a key may be used: networks, separated by commas; null is anywhere. Its environment; null is every one.
ALTER TABLE api_key ADD COLUMN addresses TEXT;
ALTER TABLE api_key ADD COLUMN environment TEXT;

-- The keys that sign access tokens.
CREATE TABLE token_key (
    id         BLOB    PRIMARY KEY,
    secret     BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
