CREATE TABLE symbol (
    number bigint PRIMARY KEY,
    name   text   COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX symbol_name ON symbol (name);

CREATE TABLE record (
    number     bigint PRIMARY KEY,
    account    bigint NOT NULL,
    kind       bigint NOT NULL,
    id         uuid   NOT NULL,
    revision   bigint NOT NULL,
    created_at bigint NOT NULL,
    attributes text   NOT NULL,
    meta       text
);
CREATE UNIQUE INDEX record_id ON record (id);
CREATE INDEX record_list ON record (account, kind, number);
CREATE INDEX record_kind ON record (kind, number);

-- How many records of a type an account has, and how often one was changed: the sums of the rows. Each write changes one of
-- the rows, so that few wait for each other.
CREATE TABLE record_count (
    account bigint   NOT NULL,
    kind    bigint   NOT NULL,
    shard   smallint NOT NULL,
    records bigint   NOT NULL,
    changes bigint   NOT NULL,
    PRIMARY KEY (account, kind, shard)
) WITH (fillfactor = 50);

-- The values are keys that compare as bytes: numbers before texts, and null after both.
CREATE TABLE facet (
    account bigint NOT NULL,
    field   bigint NOT NULL,
    value   bytea  NOT NULL,
    record  bigint NOT NULL,
    PRIMARY KEY (account, field, value, record)
);
CREATE TABLE unique_facet (
    account bigint NOT NULL,
    field   bigint NOT NULL,
    value   bytea  NOT NULL,
    record  bigint NOT NULL,
    PRIMARY KEY (account, field, value)
);

-- Values that are unique among all accounts, and those that several records had before they became unique.
CREATE TABLE claim (
    field  bigint NOT NULL,
    value  bytea  NOT NULL,
    record bigint NOT NULL,
    PRIMARY KEY (field, value)
);
CREATE TABLE unclaimed (
    field  bigint NOT NULL,
    value  bytea  NOT NULL,
    record bigint NOT NULL,
    PRIMARY KEY (field, value, record)
);

CREATE TABLE link (
    number       bigint PRIMARY KEY,
    owner        bigint NOT NULL,
    relationship bigint NOT NULL,
    target       bigint NOT NULL
);
CREATE UNIQUE INDEX link_owner ON link (owner, relationship, target);
CREATE INDEX link_target ON link (target, relationship, owner);

-- The form of the index entries of each attribute, and the last record that was visited if they are being built.
CREATE TABLE indexed (
    field bigint PRIMARY KEY,
    form  text   NOT NULL,
    after bigint
);
