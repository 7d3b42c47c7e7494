-- The Call-ID in a column of its own: an index on a member of the attributes had each record's JSON parsed twice.
DROP INDEX call_call_id;
ALTER TABLE call ADD COLUMN call_id TEXT;
UPDATE call SET call_id = json_extract(attributes, '$.call_id') WHERE json_valid(attributes);
CREATE INDEX call_call_id ON call (call_id) WHERE call_id IS NOT NULL;
