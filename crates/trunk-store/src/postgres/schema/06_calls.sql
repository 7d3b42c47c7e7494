-- The records of calls that ended or were refused.
CREATE TABLE call (
    number      bigint  PRIMARY KEY,
    id          uuid    NOT NULL,
    account     bigint  NOT NULL,
    trunk       uuid    NOT NULL,
    ended_at    bigint  NOT NULL,
    cause       integer NOT NULL,
    code        integer NOT NULL,
    source      text    NOT NULL,
    destination text    NOT NULL,
    price       text    COLLATE "C" NOT NULL,
    call_id     text    COLLATE "C",
    -- Members of the attributes, for queries; null if the attributes have none.
    source_ip   text    COLLATE "C",
    check_name  text    COLLATE "C",
    attributes  text    NOT NULL
);
CREATE UNIQUE INDEX call_once ON call (id);
CREATE INDEX call_account ON call (account, number);
CREATE INDEX call_trunk ON call (trunk, number);
CREATE INDEX call_charged ON call (ended_at, number) WHERE price <> '0';
CREATE INDEX call_call_id ON call (call_id) WHERE call_id IS NOT NULL;

-- The calls that were answered and have no record yet, and the node that runs each.
CREATE TABLE running_call (
    id           uuid    PRIMARY KEY,
    number       bigint  NOT NULL,
    node         bigint  NOT NULL,
    account      bigint  NOT NULL,
    trunk        uuid    NOT NULL,
    answered_at  bigint  NOT NULL,
    acknowledged boolean NOT NULL,
    attributes   text    NOT NULL
);
CREATE INDEX running_call_node ON running_call (node, number);
CREATE INDEX running_call_account ON running_call (account);

-- Until when all calls of a node are known to have been running.
CREATE TABLE call_step (
    node bigint PRIMARY KEY,
    at   bigint NOT NULL
);

-- The nodes. One that was taken over stays when it is removed, so that it learns of it if it lives.
CREATE TABLE node (
    number  bigint  PRIMARY KEY,
    beats   bigint  NOT NULL,
    beat_at bigint,
    heir    bigint,
    removed boolean NOT NULL
);
