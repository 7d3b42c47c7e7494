CREATE TABLE account (
    number       bigint PRIMARY KEY,
    id           uuid   NOT NULL,
    name         text   COLLATE "C" NOT NULL,
    version      text   NOT NULL,
    features     bigint NOT NULL,
    rate_limit   bigint,
    record_quota bigint,
    created_at   bigint NOT NULL
);
CREATE UNIQUE INDEX account_id ON account (id);
CREATE UNIQUE INDEX account_name ON account (name);

CREATE TABLE api_key (
    digest      bytea  PRIMARY KEY,
    id          uuid   NOT NULL,
    account     bigint NOT NULL REFERENCES account (number) ON DELETE CASCADE,
    created_at  bigint NOT NULL,
    addresses   text,
    environment text
);
CREATE UNIQUE INDEX api_key_id ON api_key (id);
CREATE INDEX api_key_account ON api_key (account);
