CREATE TABLE job (
    number     bigint PRIMARY KEY,
    kind       text   COLLATE "C" NOT NULL,
    subject    text   COLLATE "C" NOT NULL,
    account    bigint,
    due_at     bigint NOT NULL,
    payload    text   NOT NULL,
    attempts   bigint NOT NULL,
    -- Counts the leases and the schedules that ended one, so that a run that lost its lease cannot complete the job.
    revision   bigint NOT NULL,
    -- The node that runs the job, and until when no other node may take it.
    holder     bigint,
    held_until bigint
);
CREATE UNIQUE INDEX job_subject ON job (kind, subject);
CREATE INDEX job_due ON job (kind, due_at, number) WHERE holder IS NULL;
CREATE INDEX job_held ON job (kind, held_until, number) WHERE holder IS NOT NULL;
CREATE INDEX job_holder ON job (holder) WHERE holder IS NOT NULL;
CREATE INDEX job_account ON job (account) WHERE account IS NOT NULL;

-- A row for each account that ever had a job. Whoever schedules one for it locks the row, and counts.
CREATE TABLE job_owner (account bigint PRIMARY KEY);
