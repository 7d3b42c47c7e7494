-- The events of each owner, in lanes by subject, so that events of different subjects rarely wait for each other. Whoever
-- adds, delivers or drops an event locks its lane first: events of one subject follow each other. `account` is 0 for a
-- customer, and `customer` nil for an account.
CREATE TABLE outbox_lane (
    account  bigint   NOT NULL,
    customer uuid     NOT NULL,
    lane     smallint NOT NULL,
    waiting  bigint   NOT NULL,
    dropped  bigint   NOT NULL,
    -- The number of the last event: those of a lane ascend, whatever the clocks of the nodes say.
    last     bigint   NOT NULL,
    -- When the first event of a queue is due; null if none waits.
    due_at   bigint,
    PRIMARY KEY (account, customer, lane)
);
CREATE INDEX outbox_lane_due ON outbox_lane (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_lane_longest ON outbox_lane (waiting) WHERE account = 0;

-- The queue of each subject with waiting events: which is the first, when it is due, and which node sends it until when.
CREATE TABLE outbox_queue (
    subject    uuid     PRIMARY KEY,
    account    bigint   NOT NULL,
    customer   uuid     NOT NULL,
    lane       smallint NOT NULL,
    first      bigint   NOT NULL,
    due_at     bigint   NOT NULL,
    holder     bigint,
    held_until bigint
);
CREATE INDEX outbox_queue_turn ON outbox_queue (account, customer, due_at, first);
CREATE INDEX outbox_queue_lane ON outbox_queue (account, customer, lane, due_at);
CREATE INDEX outbox_queue_due ON outbox_queue (due_at);
-- Without the end of the lease: to extend one changes no index.
CREATE INDEX outbox_queue_held ON outbox_queue (holder) WHERE holder IS NOT NULL;

-- The waiting events. One that is delivered, given up or dropped is deleted.
CREATE TABLE outbox (
    subject    uuid     NOT NULL,
    number     bigint   NOT NULL,
    account    bigint   NOT NULL,
    customer   uuid     NOT NULL,
    lane       smallint NOT NULL,
    url        text     NOT NULL,
    method     text     NOT NULL,
    signature  text,
    body       text     NOT NULL,
    created_at bigint   NOT NULL,
    attempts   bigint   NOT NULL,
    due_at     bigint   NOT NULL,
    PRIMARY KEY (subject, number)
);
CREATE INDEX outbox_oldest ON outbox (account, customer, number);
CREATE INDEX outbox_aged ON outbox (customer, created_at) WHERE account = 0;

-- The history of attempts.
CREATE TABLE delivery (
    number   bigint PRIMARY KEY,
    account  bigint NOT NULL,
    customer uuid   NOT NULL,
    subject  uuid   NOT NULL,
    url      text   NOT NULL,
    events   bigint NOT NULL,
    attempt  bigint NOT NULL,
    at       bigint NOT NULL,
    status   integer,
    error    text
);
CREATE INDEX delivery_owner ON delivery (account, customer, number);
