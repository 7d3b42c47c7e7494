-- The shares of rate limits that nodes hold for seconds, and what each needs. Without a log: nothing of it outlives a crash
-- of the server, after which the nodes ask again. Whose limits these are is known before a request of theirs is counted, so
-- there are at most as many rows as keys, accounts and customers, for each node that lived in the last hour.
CREATE UNLOGGED TABLE rate_share (
    subject text   COLLATE "C" NOT NULL,
    node    bigint NOT NULL,
    held    bigint NOT NULL,
    needed  bigint NOT NULL,
    -- The database's time in milliseconds.
    until   bigint NOT NULL,
    PRIMARY KEY (subject, node)
);

-- The row of a limit that a node locks to take a share of it.
CREATE UNLOGGED TABLE rate_share_turn (
    subject text   COLLATE "C" PRIMARY KEY,
    turns   bigint NOT NULL
);
