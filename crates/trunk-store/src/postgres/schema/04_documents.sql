CREATE TABLE document (
    kind       smallint NOT NULL,
    id         uuid     NOT NULL,
    number     bigint   NOT NULL,
    customer   uuid     NOT NULL,
    created_at bigint   NOT NULL,
    deleted    boolean  NOT NULL,
    live       boolean  NOT NULL,
    revision   bigint   NOT NULL,
    body       text     NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX document_list ON document (kind, deleted, created_at, number);
CREATE INDEX document_live ON document (kind, created_at, number) WHERE live;

-- The keys that lists are selected by. A deleted document has none.
CREATE TABLE document_key (
    kind       smallint NOT NULL,
    name       text     COLLATE "C" NOT NULL,
    value      text     COLLATE "C" NOT NULL,
    created_at bigint   NOT NULL,
    number     bigint   NOT NULL,
    id         uuid     NOT NULL,
    PRIMARY KEY (kind, name, value, created_at, number)
);
CREATE INDEX document_key_of ON document_key (kind, id);

-- The keys that one document of a kind has, even if it is deleted.
CREATE TABLE document_unique (
    kind  smallint NOT NULL,
    name  text     COLLATE "C" NOT NULL,
    value text     COLLATE "C" NOT NULL,
    id    uuid     NOT NULL,
    PRIMARY KEY (kind, name, value)
);
CREATE INDEX document_unique_of ON document_unique (kind, id);
