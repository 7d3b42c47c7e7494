-- How often any record of a list was changed: a list that was arranged is good for as long as this is the same. A row
-- stays when its records are deleted, so that no number of changes comes a second time.
ALTER TABLE record_count ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;
-- Most records of a type that an account may have; none is the server's own setting, and zero is no limit.
ALTER TABLE account ADD COLUMN record_quota INTEGER;
