-- The channels of trunks with a limit that each node holds.
CREATE TABLE channel (
    trunk uuid   NOT NULL,
    node  bigint NOT NULL,
    held  bigint NOT NULL,
    PRIMARY KEY (trunk, node)
);
CREATE INDEX channel_node ON channel (node);

-- The row of a trunk that a node locks to take channels of it.
CREATE TABLE channel_turn (
    trunk uuid   PRIMARY KEY,
    turns bigint NOT NULL
);

-- Secrets that all nodes share.
CREATE TABLE shared_secret (
    name   text  COLLATE "C" PRIMARY KEY,
    secret bytea NOT NULL
);
