-- The form of the index entries of each indexed attribute, so that an attribute which is declared otherwise later is
-- indexed again. `after` is the number of the last record that was visited while that is under way, else null.
CREATE TABLE indexed (
    field INTEGER PRIMARY KEY,
    form  TEXT    NOT NULL,
    after INTEGER
) STRICT;

-- Earlier releases indexed every declared attribute of every record, as plain values.
INSERT INTO indexed (field, form)
    SELECT number, CASE WHEN number IN (SELECT DISTINCT field FROM unique_facet) THEN 'plain unique' ELSE 'plain' END
    FROM symbol WHERE name LIKE '%/%';
