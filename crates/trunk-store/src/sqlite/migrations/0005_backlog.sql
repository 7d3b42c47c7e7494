-- The first event of a subject that is still to be told is marked: it alone can be due, however many stand behind it.
ALTER TABLE outbox ADD COLUMN first INTEGER NOT NULL DEFAULT 0;
UPDATE outbox SET first = 1 WHERE number IN (SELECT min(number) FROM outbox WHERE outcome IS NULL GROUP BY subject);
DROP INDEX outbox_pending;
DROP INDEX outbox_subject;
CREATE INDEX outbox_due ON outbox (due_at) WHERE first = 1;
CREATE INDEX outbox_turn ON outbox (account, customer, due_at) WHERE first = 1;
CREATE INDEX outbox_queue ON outbox (subject, number) WHERE outcome IS NULL;
-- A customer's queue from its oldest event, for what may not wait any longer.
CREATE INDEX outbox_oldest ON outbox (customer, number) WHERE outcome IS NULL AND customer IS NOT NULL;
-- What was told, given up or dropped, for what is forgotten of it.
CREATE INDEX outbox_over ON outbox (number) WHERE outcome IS NOT NULL;

-- Whose events are still to be told: how many, when the first of them is due, and how many were dropped before. An
-- account has an empty customer, and a customer the account 0.
CREATE TABLE backlog (
    account  INTEGER NOT NULL,
    customer BLOB    NOT NULL,
    waiting  INTEGER NOT NULL,
    dropped  INTEGER NOT NULL DEFAULT 0,
    due_at   INTEGER,
    PRIMARY KEY (account, customer)
) STRICT, WITHOUT ROWID;
CREATE INDEX backlog_due ON backlog (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX backlog_longest ON backlog (waiting) WHERE account = 0;
INSERT INTO backlog (account, customer, waiting, due_at)
    SELECT account, coalesce(customer, x''), count(*), min(due_at) FILTER (WHERE first = 1)
    FROM outbox WHERE outcome IS NULL GROUP BY account, customer;
