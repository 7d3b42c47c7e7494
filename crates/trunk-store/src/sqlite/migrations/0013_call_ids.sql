-- Finds the record of a call by its Call-ID, among all that are kept.
CREATE INDEX call_call_id ON call (json_extract(CASE WHEN json_valid(attributes) THEN attributes END, '$.call_id'));
