-- Work that is due at a later time, at most one job of a kind for each subject. A job without an account is the server's
-- own. `attempts` counts the runs that began since the last one that succeeded.
CREATE TABLE job (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    account    INTEGER,
    due_at     INTEGER NOT NULL,
    payload    TEXT    NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    -- Counts the leases and the schedules that ended one, so that a run that lost its lease cannot complete the job.
    revision   INTEGER NOT NULL DEFAULT 0,
    -- The node that runs the job, and until when no other node may take it. A database in a file has one node, 0.
    holder     INTEGER,
    held_until INTEGER,
    UNIQUE (kind, subject)
) STRICT;
CREATE INDEX job_due ON job (kind, due_at) WHERE holder IS NULL;
CREATE INDEX job_held ON job (kind, held_until) WHERE holder IS NOT NULL;
CREATE INDEX job_holder ON job (holder) WHERE holder IS NOT NULL;
CREATE INDEX job_account ON job (account) WHERE account IS NOT NULL;
